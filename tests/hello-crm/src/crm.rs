//! The CRM: its state under a lock, saved to a file after each request that changes it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::change::{self, Change, Desk};
use crate::clock::{Clock, Stamp};
use crate::error::{ErrorBody, Problem};
use crate::schema::Object;
use crate::seed::Seed;
use crate::server::StartError;
use crate::store::{Answer, State};

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The HTTP status that a request for this change alone would have.
    pub status: u16,
    /// The record as stored; with 412, the record as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Value>,
    /// Why the change was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
    /// Whether this is the answer to the same change sent before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

impl From<Problem> for Outcome {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status.as_u16(),
            record: problem.record,
            error: Some(*problem.body),
            replayed: false,
        }
    }
}

/// A change with its idempotency key, in the form that a batch has.
pub(crate) struct Keyed {
    pub(crate) key: Option<String>,
    pub(crate) change: Value,
}

/// State, file and clock.
pub(crate) struct Crm {
    inner: Mutex<Inner>,
    pub(crate) clock: Arc<dyn Clock>,
    path: Option<PathBuf>,
    unique_email: bool,
}

struct Inner {
    state: State,
    /// Whether the file is out of date.
    unsaved: bool,
}

impl Crm {
    /// Reads the state file; where there is none, begins one with the seed.
    pub(crate) fn open(
        path: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        unique_email: bool,
        seed: Option<&Seed>,
    ) -> Result<Self, StartError> {
        let loaded = path.as_deref().map(State::load).transpose()?.flatten();
        let unsaved = loaded.is_none();
        let state = match loaded {
            Some(state) => state,
            None => {
                let mut state = State::new(clock.now());
                if let Some(seed) = seed {
                    seed.plant(&mut state).map_err(StartError::Seed)?;
                }
                state
            }
        };
        let crm = Self { inner: Mutex::new(Inner { state, unsaved }), clock, path, unique_email };
        crm.save(&mut crate::lock(&crm.inner))?;
        Ok(crm)
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&crate::lock(&self.inner).state)
    }

    /// Changes the state outside the changes to records, and saves it.
    pub(crate) fn adjust(&self, adjust: impl FnOnce(&mut State)) -> Result<(), Problem> {
        let mut inner = crate::lock(&self.inner);
        adjust(&mut inner.state);
        inner.unsaved = true;
        self.save(&mut inner).map_err(|error| Problem::internal(&error))
    }

    /// Does the changes in order, each as a whole or not at all, and saves once.
    pub(crate) fn write(&self, object: Object, changes: Vec<Keyed>) -> Result<Vec<Outcome>, Problem> {
        let mut inner = crate::lock(&self.inner);
        let now = self.clock.now();
        inner.state.prune(now);
        let outcomes =
            changes.into_iter().map(|keyed| self.write_one(&mut inner, now, object, keyed)).collect();
        self.save(&mut inner).map_err(|error| Problem::internal(&error))?;
        Ok(outcomes)
    }

    fn write_one(&self, inner: &mut Inner, now: Stamp, object: Object, keyed: Keyed) -> Outcome {
        let fingerprint = fingerprint(&format!("{object} {}", keyed.change));
        if let Some(answer) = keyed.key.as_deref().and_then(|key| inner.state.answer(key, now)) {
            if answer.fingerprint == fingerprint {
                return Outcome { replayed: true, ..answer.outcome.clone() };
            }
            let message = "This key was used for another change; every change needs a key of its own.";
            return Problem::unprocessable("idempotency-key-reused", message).into();
        }
        let mut desk = Desk { state: &mut inner.state, now, unique_email: self.unique_email };
        let done = Change::parse(&keyed.change).and_then(|change| desk.apply(object, &change));
        let outcome = match done {
            Ok(done) => {
                Outcome { status: done.status.as_u16(), record: done.record, error: None, replayed: false }
            }
            Err(problem) => problem.into(),
        };
        inner.unsaved |= outcome.error.is_none() || keyed.key.is_some();
        if let Some(key) = keyed.key {
            inner.state.remember(key, Answer { at: now, fingerprint, outcome: outcome.clone() });
        }
        outcome
    }

    /// The record as it is shown.
    pub(crate) fn get(&self, object: Object, id: &str) -> Result<Value, Problem> {
        self.read(|state| change::present(state, object, id).map(|record| json!(record.view(object, None))))
    }

    fn save(&self, inner: &mut Inner) -> Result<(), crate::store::StoreError> {
        if let Some(path) = self.path.as_deref().filter(|_| inner.unsaved) {
            inner.state.save(path)?;
        }
        inner.unsaved = false;
        Ok(())
    }

    /// Saves what an earlier attempt could not.
    pub(crate) fn flush(&self) -> Result<(), crate::store::StoreError> {
        self.save(&mut crate::lock(&self.inner))
    }
}

/// FNV-1a with 64 bits: the same on every machine and in every version, which a file needs.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The outcome of a change on its own, as its status.
pub(crate) fn status(outcome: &Outcome) -> StatusCode {
    StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
