//! Errors: why a call was refused or has failed, with a code for programs.

use crate::config::{ConfigError, Problem};
use crate::tenant::{NotErased, RerunError, TenantError};
use entente_sqlite::{HubError, StoreError};
use entente_sync::{LedgerError, Remedy, SyncError};
use serde::Serialize;

/// What kind of error it is: stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The call itself is wrong, and would be at any time.
    Usage,
    /// There is nothing of this name or number.
    Unknown,
    /// The name is taken.
    Exists,
    /// Something else depends on it.
    InUse,
    /// A run or another program is at work there; later it is possible.
    Busy,
    /// A file or a value is not what it has to be; nothing was saved.
    Invalid,
    /// A setting, secret or key is missing.
    NotSet,
    /// The integration is switched off, pauses or is quarantined.
    Disabled,
    /// A limit of a plugin or a tenant was reached.
    Limit,
    /// A remote system or its plugin failed.
    Remote,
    /// A plugin cannot be loaded.
    Plugin,
    /// A run ended before its end, or cannot be applied or undone.
    Run,
    /// A file or folder cannot be used.
    Files,
    /// The database failed.
    Database,
    /// Anything else.
    Failed,
}

/// Why a call was refused or has failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorView {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// What happened, and to what.
    pub error: String,
    /// What is wrong with a configuration file, each by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What can be done about it, the best first.
    pub remedies: Vec<Remedy>,
}

impl ErrorView {
    /// An error that this library knows nothing more of.
    pub fn new(code: ErrorCode, error: impl Into<String>) -> Self {
        Self { code, error: error.into(), problems: Vec::new(), remedies: Vec::new() }
    }
}

impl From<&TenantError> for ErrorView {
    fn from(error: &TenantError) -> Self {
        match error {
            TenantError::Config(error) => error.into(),
            other => {
                Self { remedies: other.remedies(), ..Self::new(ErrorCode::of(other), other.to_string()) }
            }
        }
    }
}

impl From<&ConfigError> for ErrorView {
    fn from(error: &ConfigError) -> Self {
        Self {
            problems: error.problems().to_vec(),
            remedies: error.remedies(),
            ..Self::new(ErrorCode::of_config(error), error.to_string())
        }
    }
}

impl ErrorCode {
    /// The code of an error.
    pub fn of(error: &TenantError) -> Self {
        match error {
            TenantError::Config(error) => Self::of_config(error),
            TenantError::Ledger(error) => Self::of_ledger(error),
            TenantError::Sync(error) => Self::of_sync(error),
            TenantError::NotAdded { error, .. } => Self::of(error),
            TenantError::Grants(_) => Self::Usage,
            TenantError::NotLinked(_) | TenantError::NotMerged(_) => Self::Invalid,
            TenantError::NotErased(error) => match **error {
                NotErased::UnderWay(_) => Self::Busy,
                NotErased::NotOfTheHub(_) | NotErased::Counterparts { .. } => Self::Invalid,
            },
            TenantError::NoPair(_) => Self::Unknown,
            TenantError::Busy { .. } => Self::Busy,
            TenantError::Hub(error) => Self::of_hub(error),
            TenantError::Grant(_)
            | TenantError::UnknownLimit(_)
            | TenantError::Archive { .. }
            | TenantError::Setting { .. }
            | TenantError::SecretNotAsked { .. }
            | TenantError::AnotherAccount { .. }
            | TenantError::NotThatAccount { .. }
            | TenantError::WouldDouble { .. }
            | TenantError::Unfit { .. } => Self::Invalid,
            TenantError::NotSet { .. } => Self::NotSet,
            TenantError::Disabled(_) => Self::Disabled,
            TenantError::Limit(_) => Self::Limit,
            TenantError::Exchange { .. } => Self::Remote,
            TenantError::Plugin(_) => Self::Plugin,
            TenantError::Rerun(RerunError::NoRun(_)) => Self::Unknown,
            TenantError::Rerun(_) => Self::Run,
            TenantError::Io { .. } => Self::Files,
            TenantError::Store(StoreError::Locked { .. }) => Self::Busy,
            TenantError::Store(_) => Self::Database,
        }
    }

    /// The code of an error of a run.
    pub fn of_sync(error: &SyncError) -> Self {
        match error {
            SyncError::Ledger(error) => Self::of_ledger(error),
            SyncError::Exchange { .. } | SyncError::Broken { .. } | SyncError::AnotherAccount { .. } => {
                Self::Remote
            }
            SyncError::NoSuchObject { .. } | SyncError::NotMapped { .. } => Self::Unknown,
            SyncError::Spent(_) => Self::Limit,
            SyncError::Stopped | SyncError::TimeUp { .. } => Self::Run,
        }
    }

    /// The code of an error of the hub.
    pub fn of_hub(error: &HubError) -> Self {
        match error {
            HubError::UnknownObject { .. }
            | HubError::UnknownField { .. }
            | HubError::NoRecord { .. }
            | HubError::NotKept { .. } => Self::Unknown,
            HubError::NotDeleted { .. } => Self::Exists,
            HubError::Refused { .. } | HubError::Definition { .. } => Self::Invalid,
            HubError::Store(StoreError::Locked { .. }) => Self::Busy,
            HubError::Store(_) => Self::Database,
        }
    }

    fn of_ledger(error: &LedgerError) -> Self {
        match error {
            LedgerError::Busy { .. } | LedgerError::Fenced { .. } | LedgerError::Locked { .. } => Self::Busy,
            LedgerError::Store { .. } | LedgerError::Full { .. } => Self::Database,
        }
    }

    fn of_config(error: &ConfigError) -> Self {
        match error {
            ConfigError::Unknown { .. } | ConfigError::NoVersionBefore(_) => Self::Unknown,
            ConfigError::Exists { .. } => Self::Exists,
            ConfigError::InUse { .. } => Self::InUse,
            ConfigError::Name(_) | ConfigError::File(_) | ConfigError::Problems(_) => Self::Invalid,
            ConfigError::Key(_) | ConfigError::Secret { .. } => Self::NotSet,
            ConfigError::Quarantined { .. } | ConfigError::Paused { .. } => Self::Disabled,
            ConfigError::Home { .. }
            | ConfigError::NoHome { .. }
            | ConfigError::Io { .. }
            | ConfigError::Exposed { .. } => Self::Files,
            ConfigError::Store(StoreError::Locked { .. }) => Self::Busy,
            ConfigError::Store(_) => Self::Database,
        }
    }
}
