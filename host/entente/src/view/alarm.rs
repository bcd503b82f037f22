//! Alarms: what a monitor is told of a sync, each as data.

use super::status::StatusView;
use crate::config::ConfigError;
use crate::tenant::{Tenant, TenantError};
use entente_core::Timestamp;
use entente_sync::{Remedy, Run, RunId, RunStatus};
use serde::Serialize;
use std::time::Duration;

/// What is not well with a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "alarm", rename_all = "kebab-case")]
pub enum Alarm {
    /// No run has read everything, or what has changed, and ended well.
    NeverWell,
    /// The last run that did so ended longer ago than is allowed.
    TooOld {
        /// The run.
        run: RunId,
        /// When it ended.
        ended: Timestamp,
    },
    /// The last run failed, or could not begin.
    Failed {
        /// The run.
        run: RunId,
        /// Why.
        error: String,
    },
    /// The last run was cut off, or stopped before its end.
    Interrupted {
        /// The run.
        run: RunId,
    },
    /// An integration is switched off.
    Disabled {
        /// The integration.
        integration: String,
    },
    /// The plugin of an integration crashed so often that it pauses or is not run any more.
    HeldBack {
        /// The integration.
        integration: String,
    },
    /// Records whose writes were refused.
    FailedRecords {
        /// How many.
        records: u64,
    },
    /// Records that wait for the operator.
    HeldRecords {
        /// How many.
        records: u64,
    },
    /// Fields in conflict that nobody has decided.
    Conflicts {
        /// How many.
        fields: u64,
    },
}

/// How well a sync is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyncCheckView {
    /// Its name.
    pub sync: String,
    /// Whether there is no alarm.
    pub well: bool,
    /// The number of the last run that read everything, or what has changed, and ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_run: Option<RunId>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_end: Option<Timestamp>,
    /// What is not well, the worst first.
    pub alarms: Vec<Alarm>,
    /// What to do next, the first thing first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Remedy>,
}

/// What is not well by the status of a sync and its last good run.
fn alarms(status: &StatusView, good: Option<&Run>, now: Timestamp, max_age: Option<Duration>) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for (name, health) in &status.crashed {
        if let Err(ConfigError::Quarantined { .. } | ConfigError::Paused { .. }) = health.check(name, now) {
            alarms.push(Alarm::HeldBack { integration: name.clone() });
        }
    }
    alarms.extend(status.disabled.iter().map(|name| Alarm::Disabled { integration: name.clone() }));
    if let Some(run) = &status.last_run {
        match run.status {
            RunStatus::Failed => {
                let error = run.error.clone().unwrap_or_default();
                alarms.push(Alarm::Failed { run: run.run, error });
            }
            RunStatus::Interrupted => alarms.push(Alarm::Interrupted { run: run.run }),
            RunStatus::Running | RunStatus::Done => {}
        }
    }
    let old = |ended: Timestamp, age: Duration| {
        u128::from(now.since(ended).max(0).unsigned_abs()) > age.as_micros()
    };
    match good.map(|run| (run.id, run.ended.unwrap_or(run.started))) {
        None => alarms.push(Alarm::NeverWell),
        Some((run, ended)) if max_age.is_some_and(|age| old(ended, age)) => {
            alarms.push(Alarm::TooOld { run, ended });
        }
        Some(_) => {}
    }
    let total = &status.total;
    let counted = [
        (total.failed, Alarm::FailedRecords { records: total.failed }),
        (total.held, Alarm::HeldRecords { records: total.held }),
        (total.conflicts, Alarm::Conflicts { fields: total.conflicts }),
    ];
    alarms.extend(counted.into_iter().filter(|(count, _)| *count > 0).map(|(_, alarm)| alarm));
    alarms
}

impl Tenant {
    /// How well the syncs are, all or the one of this name. `max_age`: how long ago the last run may have ended that read
    /// everything, or what has changed, and came to its end.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn check_syncs(
        &self,
        sync: Option<&str>,
        max_age: Option<Duration>,
    ) -> Result<Vec<SyncCheckView>, TenantError> {
        let now = self.clock().now();
        let mut checks = Vec::new();
        for status in self.status(sync).await? {
            let good = self.ledger().last_good_run(&status.sync).await?;
            let alarms = alarms(&status, good.as_ref(), now, max_age);
            checks.push(SyncCheckView {
                well: alarms.is_empty(),
                last_good_run: good.as_ref().map(|run| run.id),
                last_good_end: good.and_then(|run| run.ended),
                next: if alarms.is_empty() { Vec::new() } else { status.next },
                sync: status.sync,
                alarms,
            });
        }
        Ok(checks)
    }
}
