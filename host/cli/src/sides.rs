//! The words for a side on the command line.

use entente::HUB;
use entente_core::{Side, Sides};

/// A side: by its place, or by what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum SideWord {
    /// The left exchange of the sync.
    Left,
    /// The right one.
    Right,
    /// The one that is the hub.
    Hub,
    /// The one that is not.
    Integration,
}

impl SideWord {
    /// Which side it is in a sync of these exchanges, left and right.
    pub(super) fn side(self, exchanges: &Sides<String>) -> Result<Side, String> {
        let hub = match (exchanges.left == HUB, exchanges.right == HUB) {
            (true, false) => Some(Side::Left),
            (false, true) => Some(Side::Right),
            _ => None,
        };
        let hub =
            hub.ok_or_else(|| "neither side of this sync is the hub, so write left or right".to_owned());
        match self {
            SideWord::Left => Ok(Side::Left),
            SideWord::Right => Ok(Side::Right),
            SideWord::Hub => hub,
            SideWord::Integration => hub.map(Side::other),
        }
    }
}
