//! Errors of the configuration, with positions; remedies are data.

use entente_core::{Foreign, Timestamp};
use entente_sqlite::StoreError;
use entente_sync::Remedy;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// A position in `entente.toml`; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A file that is not TOML, or not of the form of `entente.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {message}")]
pub struct FileError {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The position in the file; `None` for a problem that comes from elsewhere, such as a plugin's manual.
    pub position: Option<Position>,
    /// The part: «sync HelloWorld, contact ↔ person».
    pub part: String,
    /// What is wrong.
    pub message: String,
    /// Remedies beside a change of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}: ", Foreign::new(&self.part))?;
        // A list in it is indented. Any other line break is of a name in the file, and begins no line.
        for (n, line) in self.message.split("\n  ").enumerate() {
            let before = if n > 0 { "\n  " } else { "" };
            write!(f, "{before}{}", Foreign::new(line))?;
        }
        Ok(())
    }
}

/// A notice for the operator: of the same form as a [`Problem`], but no error.
pub type Notice = Problem;

/// Every problem of a configuration, in file order.
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

/// Why a configuration call failed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The home folder cannot be used.
    #[error("the home folder {} {why}", path.display())]
    Home {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The home folder that was named is not there, or is another folder.
    #[error("there is no home folder at {}", path.display())]
    NoHome {
        /// The folder.
        path: PathBuf,
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
    /// The key that encrypts secrets is missing, wrong, or readable by others.
    #[error("{0}")]
    Key(String),
    /// A stored secret cannot be decrypted, or a new one cannot be encrypted.
    #[error("secret '{name}' of integration '{integration}': {why}")]
    Secret {
        /// The integration.
        integration: String,
        /// The secret.
        name: String,
        /// The reason.
        why: String,
        /// Remedies.
        remedies: Vec<Remedy>,
    },
    /// No such integration, plugin, sync or tenant exists.
    #[error("unknown {what} '{name}'; {known}")]
    Unknown {
        /// `integration`, `plugin`, `sync`, …
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
        /// Remedies.
        remedies: Vec<Remedy>,
    },
    /// The name is invalid.
    #[error("{0}")]
    Name(String),
    /// The name is taken.
    #[error("the {what} '{name}' already exists")]
    Exists {
        /// `integration`, `sync`, …
        what: &'static str,
        /// The name.
        name: String,
        /// Remedies, besides another name.
        remedies: Vec<Remedy>,
    },
    /// Other users could change a file or folder.
    #[error("{} {why}; it is not used like this", path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// How, and what to do.
        why: String,
    },
    /// Quarantine: the plugin has crashed too often.
    #[error(
        "the integration '{integration}' is quarantined since {since}: its plugin crashed in {crashes} runs in a row, the last time because {reason}"
    )]
    Quarantined {
        /// The integration.
        integration: String,
        /// Since when.
        since: Timestamp,
        /// Consecutive runs that crashed.
        crashes: u32,
        /// The reason of the last crash.
        reason: String,
        /// Remedies.
        remedies: Vec<Remedy>,
    },
    /// Backoff: the plugin has crashed, and is not run until the pause is over.
    #[error(
        "the integration '{integration}' pauses until {until}: its plugin crashed in {crashes} runs in a row, the last time because {reason}"
    )]
    Paused {
        /// The integration.
        integration: String,
        /// Until when.
        until: Timestamp,
        /// Consecutive runs that crashed.
        crashes: u32,
        /// The reason of the last crash.
        reason: String,
        /// Remedies.
        remedies: Vec<Remedy>,
    },
    /// There is no earlier version to roll back to.
    #[error("the integration '{0}' has had no other version of its plugin")]
    NoVersionBefore(String),
    /// Another part of the configuration uses it.
    #[error("{what} '{name}' is used by {users}")]
    InUse {
        /// `plugin`, `integration`, …
        what: &'static str,
        /// The name.
        name: String,
        /// The users.
        users: String,
        /// Remedies.
        remedies: Vec<Remedy>,
    },
    /// The file cannot be parsed as `entente.toml`.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is parsed but invalid. Nothing was saved.
    #[error("{0}")]
    Problems(Problems),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConfigError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            ConfigError::Home { .. } => vec![Remedy::ChooseHome],
            ConfigError::NoHome { .. } => vec![Remedy::CreateHome, Remedy::ChooseHome],
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

    /// The problems of the file; empty for other errors.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigError::Problems(problems) => &problems.0,
            _ => &[],
        }
    }
}

/// Remedies for the crash come first: resuming the integration does not help before.
fn after_crashes(crash: &[Remedy], integration: &str, until: Option<Timestamp>) -> Vec<Remedy> {
    let integration = integration.to_owned();
    let then = [Remedy::Resume { integration: integration.clone(), until }, Remedy::RollBack { integration }];
    crash.iter().cloned().chain(then).collect()
}

/// An I/O error of a file.
pub(crate) fn io(path: &std::path::Path, action: &'static str, error: &std::io::Error) -> ConfigError {
    ConfigError::Io { path: path.to_owned(), action, why: error.to_string() }
}
