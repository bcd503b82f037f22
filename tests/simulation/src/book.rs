//! What the people have done, so that it can be asked what became of it.

use entente_core::{Reference, Value};

/// A field that people have set.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    /// The system, by its place in the world.
    pub(crate) place: usize,
    pub(crate) object: usize,
    pub(crate) id: String,
    pub(crate) field: usize,
    /// What was stored. For tags: what it consisted of afterwards.
    pub(crate) value: Value,
    pub(crate) tag: Option<Tag>,
    /// Some sync had not heard of the record by then.
    pub(crate) unheard: bool,
}

/// A tag that was put on a record or taken off.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) text: String,
    pub(crate) put_on: bool,
    /// Every sync knew the record by then. What was taken off before was never seen there.
    pub(crate) heard: bool,
}

/// A record that people deleted, or joined into another one.
#[derive(Debug, Clone)]
pub(crate) struct Gone {
    pub(crate) place: usize,
    pub(crate) object: usize,
    pub(crate) id: String,
    /// Its identifier.
    pub(crate) identifier: Value,
    /// Its counterparts at that moment, with the names of the syncs.
    pub(crate) partners: Vec<(String, Reference)>,
    /// How many effects there had been.
    pub(crate) when: u64,
}

/// Everything that people did, in its order.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) edits: Vec<Edit>,
    pub(crate) gone: Vec<Gone>,
    /// Grows with every value, so that none comes twice.
    pub(crate) number: u64,
}

impl Book {
    pub(crate) fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// How much has been done.
    pub(crate) fn size(&self) -> usize {
        self.edits.len() + self.gone.len()
    }
}
