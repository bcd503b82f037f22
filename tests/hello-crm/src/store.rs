//! The state of the server, and its file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::crm::Outcome;
use crate::schema::Object;
use crate::table::{Record, Table};

/// The form of the file; another number is another form.
const FORMAT: u32 = 1;
/// How long the answer to a change is remembered.
const REMEMBERED: Duration = Duration::from_secs(48 * 3600);

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read.
    #[error("cannot read the state file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what this program writes.
    #[error("the state file {} is damaged: {reason}; repair it, or move it away to start afresh", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write the state file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The answer that a change got, by its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) at: Stamp,
    /// What the change asked for, so that a key that is used for two changes is noticed.
    pub(crate) fingerprint: u64,
    pub(crate) outcome: Outcome,
}

/// All that the server remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    format: u32,
    /// Tells the tokens of this state from those of another.
    pub(crate) instance: u64,
    /// Cursors of an earlier epoch are no longer valid.
    pub(crate) epoch: u64,
    /// How many changes there have been.
    pub(crate) seq: u64,
    /// Sync tokens from before this place in the sequence are no longer valid.
    pub(crate) oldest_token: u64,
    last_stamp: Option<Stamp>,
    organisations: Table,
    persons: Table,
    answers: BTreeMap<String, Answer>,
}

impl State {
    pub(crate) fn new(now: Stamp) -> Self {
        Self {
            format: FORMAT,
            instance: now.micros().unsigned_abs(),
            epoch: 1,
            seq: 0,
            oldest_token: 0,
            last_stamp: None,
            organisations: Table::default(),
            persons: Table::default(),
            answers: BTreeMap::new(),
        }
    }

    pub(crate) fn table(&self, object: Object) -> &Table {
        match object {
            Object::Person => &self.persons,
            Object::Organisation => &self.organisations,
        }
    }

    pub(crate) fn table_mut(&mut self, object: Object) -> &mut Table {
        match object {
            Object::Person => &mut self.persons,
            Object::Organisation => &mut self.organisations,
        }
    }

    /// A stamp for a change: the present, but always later than every stamp before.
    pub(crate) fn stamp(&mut self, now: Stamp) -> Stamp {
        let stamp = match self.last_stamp {
            Some(last) if now <= last => last.after(Duration::from_micros(1)),
            _ => now,
        };
        self.last_stamp = Some(stamp);
        stamp
    }

    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The live record with this id.
    pub(crate) fn find(&self, object: Object, id: &str) -> Option<&Record> {
        object.number(id).and_then(|number| self.table(object).get(number))
    }

    pub(crate) fn answer(&self, key: &str, now: Stamp) -> Option<&Answer> {
        self.answers.get(key).filter(|answer| now.since(answer.at) < REMEMBERED)
    }

    pub(crate) fn remember(&mut self, key: String, answer: Answer) {
        self.answers.insert(key, answer);
    }

    /// Forgets the answers that are older than anyone would ask for.
    pub(crate) fn prune(&mut self, now: Stamp) {
        self.answers.retain(|_, answer| now.since(answer.at) < REMEMBERED);
    }

    /// Reads the file; `None` if there is none yet.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, StoreError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(StoreError::Read { path: path.to_owned(), source });
            }
        };
        let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if state.format != FORMAT {
            return Err(damaged(format!("its format is {}, this program writes {FORMAT}", state.format)));
        }
        for object in Object::ALL {
            for record in state.table(object).records() {
                state
                    .sound(object, record)
                    .map_err(|what| damaged(format!("{} {what}", object.id(record.number))))?;
            }
        }
        Ok(Some(state))
    }

    fn sound(&self, object: Object, record: &Record) -> Result<(), String> {
        if record.seq > self.seq {
            return Err("was changed after the last change".to_owned());
        }
        if record.fields.len() != object.fields().len() {
            return Err(format!("does not have the fields of every {object}"));
        }
        for (name, value) in &record.fields {
            let Some(field) = object.field(name) else {
                return Err(format!("has the unknown field {name:?}"));
            };
            crate::validate::normalise(field, value)
                .map_err(|(_, message)| format!("has a wrong {name}: {message}"))?;
            let target = field.targets.iter().zip(value.as_str()).next();
            if let Some((target, id)) = target.filter(|(target, id)| self.find(**target, id).is_none()) {
                return Err(format!("points to {target} {id:?}, which is not there"));
            }
        }
        Ok(())
    }

    /// Writes the file beside the old one, then puts it in its place: whoever reads sees one or the other.
    pub(crate) fn save(&self, path: &Path) -> Result<(), StoreError> {
        let write = || -> std::io::Result<()> {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| StoreError::Write { path: path.to_owned(), source })
    }
}
