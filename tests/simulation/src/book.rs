//! The record of user actions, against which the end of a history is checked.

use entente_core::{Reference, Value};

/// A field edit by a user.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// The system, by its index in the world.
    pub(crate) place: usize,
    pub(crate) object: usize,
    pub(crate) id: String,
    pub(crate) field: usize,
    /// The stored value. For tags: the whole set afterwards.
    pub(crate) value: Value,
    pub(crate) tag: Option<Tag>,
    /// Whether some sync had not yet been told of the record.
    pub(crate) unheard: bool,
}

/// A tag added or removed by a user.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) text: String,
    pub(crate) put_on: bool,
    /// Whether every sync knew the record. A tag removed before then was never seen there.
    pub(crate) heard: bool,
}

/// A record that a user deleted or merged.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub(crate) place: usize,
    pub(crate) object: usize,
    pub(crate) id: String,
    /// Its identifier.
    pub(crate) identifier: Value,
    /// Its counterparts at that time, with the names of the syncs.
    pub(crate) partners: Vec<(String, Reference)>,
    /// The number of effects so far.
    pub(crate) when: u64,
    /// Whether every sync of its system follows the reports on its object from a bookmark.
    pub(crate) followed: bool,
}

/// All user actions, in order.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) edits: Vec<Edit>,
    pub(crate) gone: Vec<Gone>,
    /// Grows with every value, so that no value occurs twice.
    pub(crate) number: u64,
}

impl Book {
    pub(crate) fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The number of actions.
    pub(crate) fn size(&self) -> usize {
        self.edits.len() + self.gone.len()
    }
}
