//! Next steps as data: what an operator can do about an error, a notice or a state of affairs.

use entente_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A next step for the operator, with the names that it takes. Whoever shows it words it: the command line
/// as a command to copy, a console as a button.
///
/// Only the host makes one; what a stranger said in it (a host, the name of a setting) is data like any
/// other. Remedies are stored with runs, so that a name here is never given another meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are names of what their variant is about")]
pub enum Remedy {
    /// Allow more of a limit; `value` as limits are written: `256MiB`, `10s`, `8`.
    RaiseLimit { tenant: String, limit: String, value: String },
    /// Set a limit of a tenant.
    SetLimit { tenant: String },
    /// See the limits, and what each is for.
    ShowLimits,
    /// Run fewer syncs of the tenant at the same time.
    RunFewer,
    /// Tell the author of the plugin.
    ReportToAuthor,
    /// Let an integration send requests to a host.
    GrantHost { integration: String, host: String },
    /// Let an integration use a secret: towards one host, or towards all that are granted.
    GrantSecret { integration: String, secret: String, host: Option<String> },
    /// Let an integration keep a few bytes between runs.
    GrantState { integration: String },
    /// See what the plugin of an integration asks for, beside what is granted.
    ShowGrants { integration: String },
    /// Give a secret its value.
    SetSecret { integration: String, secret: String },
    /// Take the value of a secret away.
    UnsetSecret { integration: String, secret: String },
    /// Set a setting of an integration.
    SetSetting { integration: String, setting: String },
    /// Let a disabled integration run.
    Enable { integration: String },
    /// Give an integration another version of its plugin.
    Upgrade { integration: String },
    /// Agree to what the version of this digest asks for in addition.
    AgreeToUpgrade { integration: String, digest: String },
    /// Give an integration the version of its plugin that it had before.
    RollBack { integration: String },
    /// Let an integration run again after crashes; before `until` it pauses, without it is quarantined.
    Resume { integration: String, until: Option<Timestamp> },
    /// Add an integration.
    AddIntegration { plugin: Option<String> },
    /// Add an integration without the sync that its plugin proposes.
    AddWithoutSync { integration: String },
    /// Change an integration that is there.
    ChangeIntegration { integration: String },
    /// Remove an integration together with the syncs that join it.
    RemoveWithSyncs { integration: String },
    /// Remove an integration.
    RemoveIntegration { integration: String },
    /// See the integrations.
    ListIntegrations,
    /// Install a plugin from a file.
    InstallPlugin { file: Option<String> },
    /// Build a plugin from a folder with its source.
    BuildPlugin { folder: Option<String> },
    /// Correct the configuration in a file and apply it.
    Apply,
    /// Take something out of the file and apply it so that what it does not name is removed.
    ApplyPruned,
    /// See the configuration as a file.
    Export,
    /// Add a tenant.
    AddTenant { tenant: String },
    /// Add a tenant from its export.
    AddTenantFrom { tenant: String, file: String },
    /// Remove a tenant with all its data.
    RemoveTenant { tenant: String },
    /// Write the export of a tenant.
    ExportTenant { tenant: Option<String> },
    /// Choose another home folder.
    ChooseHome,
    /// Do the same without secrets, which are then set again.
    LeaveSecretsOut,
    /// Do the same, and wait until what is in the way has ended.
    Wait,
    /// Run a sync.
    Sync { sync: Option<String> },
    /// Run a sync to go on where this run was interrupted.
    GoOn { sync: String, run: i64 },
    /// Run a sync once that is mended which made this run fail.
    SyncAgain { sync: String, run: i64 },
    /// See what a run of a sync would do.
    PlanSync { sync: String },
    /// Run a sync that lists everything.
    ReadAll { sync: String },
    /// Run a sync that does what the brake holds.
    LiftBrake { sync: String },
    /// See the runs.
    ListRuns,
    /// See a run.
    ShowRun { run: i64 },
    /// See what plugins logged during a run.
    ShowLog { run: i64 },
    /// Make the changes that a run has planned.
    ApplyRun { run: i64 },
    /// Undo a run, and delete so many records that it made.
    UndoRun { run: i64, deletes: u64 },
    /// See the conflicts, of one sync or all.
    ListConflicts { sync: Option<String> },
    /// Decide conflicts; `hub`: one side is the hub.
    SettleConflicts { hub: bool },
    /// See what failed in a sync, and when it is tried again.
    ListFailed { sync: String },
    /// Try again what failed.
    Retry,
    /// See each record of a sync that waits.
    ShowWaiting { sync: String },
}

/// What the operator is told, with what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Message {
    /// What happened, and to what. No command.
    pub text: String,
    /// What can be done, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl Message {
    /// A message with its remedies.
    pub fn new(text: impl Into<String>, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        Self { text: text.into(), remedies: remedies.into_iter().collect() }
    }
}

impl<T: Into<String>> From<T> for Message {
    fn from(text: T) -> Self {
        Self::new(text, [])
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Messages as they are read: those of earlier versions are a text alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Message {
        text: String,
        #[serde(default)]
        remedies: Vec<Remedy>,
    },
}

impl From<Stored> for Message {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(text) => text.into(),
            Stored::Message { text, remedies } => Self { text, remedies },
        }
    }
}
