//! Next steps, and messages that have some.

use entente_sync::{Message, Remedy};
use serde::Serialize;

/// Something that the operator can do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextStep {
    /// What it is: the word `step`, and the names that it takes.
    #[serde(flatten)]
    pub remedy: Remedy,
    /// A command that does it. The library leaves it out, for it knows no command; the command line adds it, with
    /// `--home` and `--tenant` as they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl From<Remedy> for NextStep {
    fn from(remedy: Remedy) -> Self {
        Self { remedy, command: None }
    }
}

/// Something that the operator is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageView {
    /// What happened, and to what.
    pub text: String,
    /// What can be done about it, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<NextStep>,
}

impl MessageView {
    /// A message with its next steps.
    pub fn new(text: impl Into<String>, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        Self { text: text.into(), remedies: remedies.into_iter().map(NextStep::from).collect() }
    }
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        Self::new(message.text.clone(), message.remedies.iter().cloned())
    }
}
