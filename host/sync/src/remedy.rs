//! Remedy: a next step for the operator, as data.

use entente_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A next step for the operator, with its parameters. The caller renders it: the command line as a command to
/// copy, a console as a button.
///
/// Only the host creates remedies; names in them that came from a plugin (a host, a setting) are data.
/// Remedies are stored with runs, so that the meaning of a variant never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are names of what their variant is about")]
pub enum Remedy {
    /// Raise a limit of a tenant to `value`, in the notation of limits: `256MiB`, `10s`, `8`.
    RaiseLimit { tenant: String, limit: String, value: String },
    /// Set a limit of a tenant.
    SetLimit { tenant: String },
    /// Show the limits with their reasons.
    ShowLimits,
    /// Run fewer syncs of the tenant at the same time.
    RunFewer,
    /// Report a defect to the author of the plugin.
    ReportToAuthor,
    /// Grant an integration requests to a host.
    GrantHost { integration: String, host: String },
    /// Grant an integration the use of a secret: towards one host, or towards all granted hosts.
    GrantSecret { integration: String, secret: String, host: Option<String> },
    /// Name the hosts that an integration may send requests to, or that a secret may be sent to.
    NameHost { integration: String, secret: Option<String> },
    /// Grant an integration persistent state.
    GrantState { integration: String },
    /// Show what the plugin of an integration asks for, beside what is granted.
    ShowGrants { integration: String },
    /// Set the value of a secret.
    SetSecret { integration: String, secret: String },
    /// Remove the value of a secret.
    UnsetSecret { integration: String, secret: String },
    /// Set a setting of an integration.
    SetSetting { integration: String, setting: String },
    /// Enable a disabled integration.
    Enable { integration: String },
    /// Upgrade an integration to another version of its plugin.
    Upgrade { integration: String },
    /// Upgrade an integration, and set these settings for the new version.
    UpgradeWith { integration: String, settings: Vec<String> },
    /// Agree to the additional grants that the version with this digest asks for.
    AgreeToUpgrade { integration: String, digest: String },
    /// Roll an integration back to the previous version of its plugin.
    RollBack { integration: String },
    /// Resume an integration after crashes: it pauses until `until`, or is quarantined where that is `None`.
    Resume { integration: String, until: Option<Timestamp> },
    /// Say that an integration only moved: the account is the one that its records are linked with. Where both accounts are
    /// told and differ, the new one has to be named (`account`).
    RebindSameSystem { integration: String, account: Option<String> },
    /// Say that an integration leads to another account: its links are forgotten. `unasked`: also where records have no
    /// identifiers.
    RebindForgetLinks {
        integration: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unasked: bool,
    },
    /// Add an integration.
    AddIntegration { plugin: Option<String> },
    /// Add the integration again, and with it what this remedy is for.
    AddWith { with: Box<Remedy> },
    /// Add an integration without the sync that its plugin proposes.
    AddWithoutSync { integration: String },
    /// Change an existing integration.
    ChangeIntegration { integration: String },
    /// Remove an integration together with its syncs.
    RemoveWithSyncs { integration: String },
    /// Remove an integration.
    RemoveIntegration { integration: String },
    /// List the integrations.
    ListIntegrations,
    /// Install a plugin from a file.
    InstallPlugin { file: Option<String> },
    /// Build a plugin from its source folder.
    BuildPlugin { folder: Option<String> },
    /// Correct the configuration in a file and apply it.
    Apply,
    /// Remove an entry from the configuration file and apply it with pruning: what the file does not name is
    /// removed.
    ApplyPruned,
    /// Export the configuration as a file.
    Export,
    /// Add a tenant.
    AddTenant { tenant: String },
    /// Add a tenant from its export.
    AddTenantFrom { tenant: String, file: String },
    /// Remove a tenant with all its data.
    RemoveTenant { tenant: String },
    /// Remove a tenant without being asked.
    RemoveUnasked { tenant: String },
    /// Write the export of a tenant.
    ExportTenant { tenant: Option<String> },
    /// Repeat the command, and make the home folder that it names.
    CreateHome,
    /// Choose another home folder.
    ChooseHome,
    /// Repeat the command without secrets, and set them again afterwards.
    LeaveSecretsOut,
    /// Repeat the command and let it wait until what is in its way has ended (another run, say).
    Wait,
    /// Run a sync.
    Sync { sync: Option<String> },
    /// Run a sync, which resumes where this run was interrupted.
    GoOn { sync: String, run: i64 },
    /// Run a sync again, after the cause of this run's failure is mended.
    SyncAgain { sync: String, run: i64 },
    /// Dry run of a sync.
    PlanSync { sync: String },
    /// Run a sync with a full listing.
    ReadAll { sync: String },
    /// Run a sync without the deletion guard.
    LiftBrake { sync: String },
    /// Run a sync without the brake on identifiers.
    LiftIdentifiers { sync: String },
    /// List the runs.
    ListRuns,
    /// Show a run.
    ShowRun { run: i64 },
    /// Show what plugins logged during a run.
    ShowLog { run: i64 },
    /// Apply the plan of a dry run.
    ApplyRun { run: i64 },
    /// Undo a run, with consent to delete `deletes` records that it created.
    UndoRun { run: i64, deletes: u64 },
    /// Show what an undo of a run would do.
    PlanUndo { run: i64 },
    /// List the conflicts of one sync or of all.
    ListConflicts { sync: Option<String> },
    /// Settle conflicts; `hub`: one side is the hub.
    SettleConflicts { hub: bool },
    /// Decide one conflict; `hub`: one side is the hub.
    SettleConflict { conflict: i64, hub: bool },
    /// List the failed records of a sync, with the times of their next attempts.
    ListFailed { sync: String },
    /// Retry failed records.
    Retry,
    /// Try again one record, which failed or is held.
    RetryRecord { sync: String, record: String },
    /// Change a record: nothing else helps it.
    ChangeRecord { record: String },
    /// Delete a record that is one too many.
    DeleteRecord { record: String },
    /// Delete a record, before something else can be done.
    DeleteFirst { record: String },
    /// Show the fields of a sync that differ on purpose.
    ShowDiffering { sync: String },
    /// Link a record with this one, which has no other counterpart.
    LinkWith { sync: String, record: String, other: String },
    /// Take away the link of a record with this one.
    RemoveLink { sync: String, record: String, other: String },
    /// Merge a record of the hub into another one that is the same.
    MergeRecord { record: String, into: String },
    /// Restore a deleted record of the hub.
    RestoreRecord { record: String },
    /// Say which record is the counterpart of this one.
    LinkRecord { sync: String, record: String },
    /// Say that what was sent for this record and never answered has made nothing.
    LinkAnew { sync: String, record: String },
    /// Leave a record out of a sync.
    LeaveOut { sync: String, record: String },
    /// Take a record that was left out into a sync again.
    TakeIn { sync: String, record: String },
    /// List the records of a sync that wait.
    ShowWaiting { sync: String },
}

/// A message for the operator, with remedies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Message {
    /// What happened, and to which record or thing. Contains no command.
    pub text: String,
    /// What the operator can do, the best first.
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

/// Serialised form of messages: earlier versions stored a text alone.
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
