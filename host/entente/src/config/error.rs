//! What can be wrong, in words that say where; what to do is data.

use entente_core::Timestamp;
use entente_sqlite::StoreError;
use entente_sync::Remedy;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// A place in `entente.toml`; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A file that is no TOML, or not of the form of `entente.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct FileError {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where in the file; `None` where it comes from something else, such as the manual of a plugin.
    pub place: Option<Place>,
    /// Which part: «sync HelloWorld, contact ↔ person».
    pub part: String,
    /// What is wrong.
    pub message: String,
    /// What can be done beside a change of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.part, self.message)
    }
}

/// What the operator should know, although nothing is wrong. Of the same form as a [`Problem`].
pub type Notice = Problem;

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Why the configuration could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The home folder cannot be used.
    #[error("the home folder {} {why}", path.display())]
    Home {
        /// The folder.
        path: PathBuf,
        /// What is the matter with it.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be {action}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `written`, …
        action: &'static str,
        /// What the system said.
        why: String,
    },
    /// The key that secrets are sealed with is missing, wrong, or open to others.
    #[error("{0}")]
    Key(String),
    /// A stored secret cannot be opened, or a new one not be sealed.
    #[error("secret '{name}' of integration '{integration}': {why}")]
    Secret {
        /// Whose.
        integration: String,
        /// Which.
        name: String,
        /// What is the matter.
        why: String,
        /// What can be done.
        remedies: Vec<Remedy>,
    },
    /// There is nothing of this name.
    #[error("unknown {what} '{name}'; {known}")]
    Unknown {
        /// `integration`, `plugin`, `sync`, …
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What there is instead.
        known: String,
        /// What can be done.
        remedies: Vec<Remedy>,
    },
    /// A name that cannot be.
    #[error("{0}")]
    Name(String),
    /// The name is taken.
    #[error("the {what} '{name}' is there already")]
    Exists {
        /// `integration`, `sync`, …
        what: &'static str,
        /// The name.
        name: String,
        /// What can be done, other than taking another name.
        remedies: Vec<Remedy>,
    },
    /// Others could change what is kept.
    #[error("{} {why}; it is not used like this", path.display())]
    Exposed {
        /// What they could change.
        path: PathBuf,
        /// In which way, and what to do.
        why: String,
    },
    /// Its plugin has crashed too often.
    #[error(
        "the integration '{integration}' is quarantined since {since}: its plugin crashed in {crashes} runs in a row, the last time because {reason}"
    )]
    Quarantined {
        /// Which.
        integration: String,
        /// Since when.
        since: Timestamp,
        /// Runs in a row that it crashed in.
        crashes: u32,
        /// Why, the last time.
        reason: String,
        /// What can be done about that.
        remedies: Vec<Remedy>,
    },
    /// Its plugin has crashed a few times and is left alone for a while.
    #[error(
        "the integration '{integration}' pauses until {until}: its plugin crashed in {crashes} runs in a row, the last time because {reason}"
    )]
    Paused {
        /// Which.
        integration: String,
        /// Until when.
        until: Timestamp,
        /// Runs in a row that it crashed in.
        crashes: u32,
        /// Why, the last time.
        reason: String,
        /// What can be done about that.
        remedies: Vec<Remedy>,
    },
    /// There is nothing to go back to.
    #[error("the integration '{0}' has had no other version of its plugin")]
    NoVersionBefore(String),
    /// Something else depends on it.
    #[error("{what} '{name}' is used by {users}")]
    InUse {
        /// `plugin`, `integration`, …
        what: &'static str,
        /// The name.
        name: String,
        /// By what.
        users: String,
        /// What can be done.
        remedies: Vec<Remedy>,
    },
    /// The file cannot be read as `entente.toml`.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file can be read and says something that cannot be. Nothing was saved.
    #[error("{0}")]
    Problems(Problems),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConfigError {
    /// What can be done about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            ConfigError::Home { .. } => vec![Remedy::ChooseHome],
            ConfigError::Secret { remedies, .. }
            | ConfigError::Unknown { remedies, .. }
            | ConfigError::Exists { remedies, .. }
            | ConfigError::InUse { remedies, .. } => remedies.clone(),
            ConfigError::Quarantined { integration, remedies, .. } => {
                after_crashes(remedies, integration, None)
            }
            ConfigError::Paused { integration, until, remedies, .. } => {
                after_crashes(remedies, integration, Some(*until))
            }
            ConfigError::NoVersionBefore(integration) => {
                vec![Remedy::Upgrade { integration: integration.clone() }]
            }
            ConfigError::Problems(problems) => {
                let mut remedies: Vec<Remedy> =
                    problems.0.iter().flat_map(|problem| problem.remedies.iter().cloned()).collect();
                remedies.sort();
                remedies.dedup();
                remedies
            }
            ConfigError::Io { .. }
            | ConfigError::Key(_)
            | ConfigError::Name(_)
            | ConfigError::Exposed { .. }
            | ConfigError::File(_)
            | ConfigError::Store(_) => Vec::new(),
        }
    }

    /// The problems of the file, if that is what is wrong.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigError::Problems(problems) => &problems.0,
            _ => &[],
        }
    }
}

/// First what is to be done about the crash itself: nothing lets it run better before.
fn after_crashes(crash: &[Remedy], integration: &str, until: Option<Timestamp>) -> Vec<Remedy> {
    let integration = integration.to_owned();
    let then = [Remedy::Resume { integration: integration.clone(), until }, Remedy::RollBack { integration }];
    crash.iter().cloned().chain(then).collect()
}

/// An error of reading or writing a file.
pub(crate) fn io(path: &std::path::Path, action: &'static str, error: &std::io::Error) -> ConfigError {
    ConfigError::Io { path: path.to_owned(), action, why: error.to_string() }
}
