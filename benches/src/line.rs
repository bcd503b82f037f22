//! A line of the table: a figure, its comparison and its goal.

use crate::quantity::Quantity;
use crate::took::Took;
use serde::Serialize;

/// Whether a goal is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// It is met.
    Yes,
    /// It is missed.
    No,
    /// There is no goal; the figure is shown.
    Shown,
}

impl Holds {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Shown => "shown",
        }
    }
}

/// What was measured, and beside what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What was measured.
    pub what: String,
    /// How it came out; `None`: not measured, and the note says why.
    pub figure: Option<Quantity>,
    /// What it is compared with.
    pub beside: Option<String>,
    /// How that came out.
    pub comparison: Option<Quantity>,
    /// The figure, as a multiple of the comparison.
    pub ratio: Option<f64>,
    /// What is wanted.
    pub goal: Option<String>,
    /// Whether that is so.
    pub holds: Holds,
    /// What else is to be said.
    pub note: Option<String>,
}

impl Line {
    /// A figure that is shown.
    pub fn new(what: impl Into<String>, figure: Quantity) -> Self {
        Self {
            what: what.into(),
            figure: Some(figure),
            beside: None,
            comparison: None,
            ratio: None,
            goal: None,
            holds: Holds::Shown,
            note: None,
        }
    }

    /// The time that something took.
    pub fn took(what: impl Into<String>, took: Took) -> Self {
        Self::new(what, Quantity::Seconds(took.wall))
    }

    /// What could not be measured, and why.
    pub fn missing(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            figure: None,
            ..Self::new(what, Quantity::Bytes(0)).note(format!("not measured: {}", why.into()))
        }
    }

    /// Puts something beside it.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, comparison: Quantity) -> Self {
        self.ratio = self.figure.map(|figure| figure.number() / comparison.number());
        self.beside = Some(what.into());
        self.comparison = Some(comparison);
        self
    }

    /// Wants at most so many times the comparison.
    #[must_use]
    pub fn at_most(self, times: f64) -> Self {
        let holds = self.ratio.is_some_and(|ratio| ratio <= times);
        self.goal(format!("at most {times} ×"), holds)
    }

    /// Wants less than this.
    #[must_use]
    pub fn under(self, limit: Quantity) -> Self {
        let holds = self.figure.is_some_and(|figure| figure.number() < limit.number());
        self.goal(format!("under {limit}"), holds)
    }

    /// Wants more than this.
    #[must_use]
    pub fn over(self, limit: Quantity) -> Self {
        let holds = self.figure.is_some_and(|figure| figure.number() > limit.number());
        self.goal(format!("over {limit}"), holds)
    }

    /// Wants something that was found out elsewhere.
    #[must_use]
    pub fn goal(mut self, goal: impl Into<String>, holds: bool) -> Self {
        self.goal = Some(goal.into());
        self.holds = if holds { Holds::Yes } else { Holds::No };
        self
    }

    /// Adds what else is to be said.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_holds_or_not() {
        let line = Line::new("a", Quantity::Seconds(3.0)).beside("b", Quantity::Seconds(2.0));
        assert_eq!((line.ratio, line.holds), (Some(1.5), Holds::Shown));
        assert_eq!(line.clone().at_most(1.3).holds, Holds::No);
        assert_eq!(line.clone().at_most(2.0).holds, Holds::Yes);
        assert_eq!(line.clone().under(Quantity::Seconds(3.0)).holds, Holds::No);
        assert_eq!(line.over(Quantity::Seconds(2.9)).holds, Holds::Yes);
        assert_eq!(Line::missing("a", "why").note.as_deref(), Some("not measured: why"));
    }
}
