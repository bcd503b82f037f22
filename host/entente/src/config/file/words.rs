//! Words of `entente.toml` for sides and directions, relative to the exchanges of a sync (`hub`,
//! `to-integration`).

use crate::config::names::HUB;
use entente_sync::{Direction, Side, Sides, Unresolved};
use serde::Deserialize;

/// A side: by its position, or by the exchange on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SideWord {
    Left,
    Right,
    Hub,
    Integration,
}

/// The direction in which values flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DirectionWord {
    ToLeft,
    ToRight,
    ToHub,
    ToIntegration,
    Both,
}

/// The policy for fields that the judge cannot decide: a side, the latest, or hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnresolvedWord {
    Left,
    Right,
    Hub,
    Integration,
    Latest,
    Hold,
}

/// The sides on which records may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CreateWord {
    Left,
    Right,
    Hub,
    Integration,
    Both,
    None,
}

/// Resolves words to sides, given the exchanges of a sync.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SideWords<'a> {
    pub(crate) exchanges: &'a Sides<String>,
}

impl SideWords<'_> {
    /// The side of the hub, if exactly one side is the hub.
    pub(crate) fn hub(self) -> Option<Side> {
        match (self.exchanges.left == HUB, self.exchanges.right == HUB) {
            (true, false) => Some(Side::Left),
            (false, true) => Some(Side::Right),
            _ => None,
        }
    }

    pub(crate) fn side(self, word: SideWord) -> Result<Side, String> {
        let hub = || {
            self.hub()
                .ok_or_else(|| "neither side of this sync is the hub, so write left or right".to_owned())
        };
        match word {
            SideWord::Left => Ok(Side::Left),
            SideWord::Right => Ok(Side::Right),
            SideWord::Hub => hub(),
            SideWord::Integration => hub().map(Side::other),
        }
    }

    pub(crate) fn direction(self, word: DirectionWord) -> Result<Direction, String> {
        let side = match word {
            DirectionWord::Both => return Ok(Direction::Both),
            DirectionWord::ToLeft => Side::Left,
            DirectionWord::ToRight => Side::Right,
            DirectionWord::ToHub | DirectionWord::ToIntegration => {
                let hub = self.hub().ok_or_else(|| {
                    "neither side of this sync is the hub, so write to-left or to-right".to_owned()
                })?;
                if word == DirectionWord::ToHub { hub } else { hub.other() }
            }
        };
        Ok(towards(side))
    }

    pub(crate) fn unresolved(self, word: UnresolvedWord) -> Result<Unresolved, String> {
        let word = match word {
            UnresolvedWord::Hold => return Ok(Unresolved::Hold),
            UnresolvedWord::Latest => return Ok(Unresolved::Latest),
            UnresolvedWord::Left => SideWord::Left,
            UnresolvedWord::Right => SideWord::Right,
            UnresolvedWord::Hub => SideWord::Hub,
            UnresolvedWord::Integration => SideWord::Integration,
        };
        self.side(word).map(|side| match side {
            Side::Left => Unresolved::Left,
            Side::Right => Unresolved::Right,
        })
    }

    pub(crate) fn create(self, word: CreateWord) -> Result<Sides<bool>, String> {
        let word = match word {
            CreateWord::Both => return Ok(Sides::new(true, true)),
            CreateWord::None => return Ok(Sides::new(false, false)),
            CreateWord::Left => SideWord::Left,
            CreateWord::Right => SideWord::Right,
            CreateWord::Hub => SideWord::Hub,
            CreateWord::Integration => SideWord::Integration,
        };
        self.side(word).map(only)
    }
}

/// The direction towards this side only.
pub(crate) fn towards(side: Side) -> Direction {
    match side {
        Side::Left => Direction::ToLeft,
        Side::Right => Direction::ToRight,
    }
}

/// `true` for this side, `false` for the other.
pub(crate) fn only(side: Side) -> Sides<bool> {
    Sides::seen_from(side, true, false)
}

/// The word for a direction.
pub(crate) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::ToLeft => "to-left",
        Direction::ToRight => "to-right",
        Direction::Both => "both",
    }
}

/// The word for a set of sides.
pub(crate) fn sides_word(sides: Sides<bool>) -> &'static str {
    match sides.into_array() {
        [true, true] => "both",
        [true, false] => "left",
        [false, true] => "right",
        [false, false] => "none",
    }
}
