//! Crash handling of integrations: growing pauses between runs (backoff), then quarantine until the operator
//! resumes the integration.

use super::integrations;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use entente_core::Timestamp;
use entente_sqlite::{HealthRow, Session};
use entente_sync::{Message, Remedy};
use serde::Serialize;
use std::time::Duration;

/// Consecutive crashes before quarantine. A remote system's odd answer is usually gone within a few runs;
/// what crashes this often will crash again.
const QUARANTINE_AFTER: u32 = 5;

/// The backoff after this many consecutive crashes. There is none after the first two: they may be chance,
/// and the operator may try again at once.
fn pause_after(crashes: u32) -> Option<Duration> {
    let seconds = match crashes {
        0..=2 => return None,
        3 => 60,
        _ => 600,
    };
    Some(Duration::from_secs(seconds))
}

/// The crash record of an integration's plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Health {
    /// Consecutive runs that crashed.
    pub crashes: u32,
    /// The reason of the last crash.
    pub reason: Option<String>,
    /// Remedies for the last crash.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// The time of the last crash.
    pub last: Option<Timestamp>,
    /// The integration is not run before then.
    pub paused_until: Option<Timestamp>,
    /// Since when the integration is quarantined.
    pub quarantined: Option<Timestamp>,
}

impl Health {
    /// The record after one more crash.
    fn crashed(&self, crash: &Message, now: Timestamp) -> HealthRow {
        let crashes = self.crashes.saturating_add(1);
        let micros = |pause: Duration| i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        let quarantined = if crashes >= QUARANTINE_AFTER { self.quarantined.or(Some(now)) } else { None };
        HealthRow {
            crashes,
            reason: crash.text.clone(),
            remedies: crash.remedies.clone(),
            last: now,
            paused_until: match quarantined {
                Some(_) => None,
                None => pause_after(crashes)
                    .map(|pause| Timestamp::from_micros(now.micros().saturating_add(micros(pause)))),
            },
            quarantined,
        }
    }

    /// Whether the integration may be run now.
    ///
    /// # Errors
    /// [`ConfigError::Quarantined`] and [`ConfigError::Paused`], with the reason and the remedy.
    pub fn check(&self, integration: &str, now: Timestamp) -> Result<(), ConfigError> {
        let reason = self.reason.clone().unwrap_or_default();
        if let Some(since) = self.quarantined {
            return Err(ConfigError::Quarantined {
                integration: integration.to_owned(),
                since,
                crashes: self.crashes,
                reason,
                remedies: self.remedies.clone(),
            });
        }
        match self.paused_until {
            Some(until) if until > now => Err(ConfigError::Paused {
                integration: integration.to_owned(),
                until,
                crashes: self.crashes,
                reason,
                remedies: self.remedies.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl From<HealthRow> for Health {
    fn from(row: HealthRow) -> Self {
        Self {
            crashes: row.crashes,
            reason: Some(row.reason),
            remedies: row.remedies,
            last: Some(row.last),
            paused_until: row.paused_until,
            quarantined: row.quarantined,
        }
    }
}

fn read(session: Session<'_>, integration: &str) -> Result<Health, ConfigError> {
    Ok(session.health(integration)?.map(Health::from).unwrap_or_default())
}

impl Configuration {
    /// The crash record of an integration's plugin.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn health(&self, integration: &str) -> Result<Health, ConfigError> {
        self.read(|session| read(session, integration)).await
    }

    /// Records the result of a run for an integration: a crash, or success, which clears the record.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn note_run(
        &self,
        integration: &str,
        crash: Option<&Message>,
        now: Timestamp,
    ) -> Result<Health, ConfigError> {
        let health = self.health(integration).await?;
        match crash {
            None if health.crashes == 0 => Ok(health),
            None => {
                self.write(|session| Ok(session.remove_health(integration)?)).await?;
                Ok(Health::default())
            }
            Some(reason) => {
                self.write(|session| {
                    let row = read(session, integration)?.crashed(reason, now);
                    session.put_health(integration, &row)?;
                    Ok(row.into())
                })
                .await
            }
        }
    }

    /// Ends pause and quarantine of an integration. Returns the record as it was.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn resume_integration(&self, integration: &str) -> Result<Health, ConfigError> {
        self.write(|session| {
            integrations::get(session, integration)?;
            let health = read(session, integration)?;
            session.remove_health(integration)?;
            Ok(health)
        })
        .await
    }

    /// Lets an integration call its remote system again, although that has asked not to be called. Returns whether
    /// it had.
    ///
    /// # Errors
    /// Where there is no such integration, or the database fails.
    pub async fn release_calls(&self, integration: &str) -> Result<bool, ConfigError> {
        self.write(|session| {
            integrations::get(session, integration)?;
            Ok(session.release_calls(integration)?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn pauses_grow_and_then_it_is_quarantined() {
        let mut health = Health::default();
        let mut seen = Vec::new();
        for crash in 1..=6 {
            health = health.crashed(&"it trapped".into(), at(1000)).into();
            let wait = health.paused_until.map(|until| (until.micros() - at(1000).micros()) / 1_000_000);
            seen.push((crash, wait, health.quarantined.is_some()));
        }
        assert_eq!(
            seen,
            [
                (1, None, false),
                (2, None, false),
                (3, Some(60), false),
                (4, Some(600), false),
                (5, None, true),
                (6, None, true)
            ]
        );
    }

    #[test]
    fn who_may_not_run_reads_why_and_what_to_do() {
        let thrice = (0..3)
            .fold(Health::default(), |health, _| Health::from(health.crashed(&"it trapped".into(), at(0))));
        assert!(thrice.check("shop", at(60)).is_ok());
        insta::assert_snapshot!(thrice.check("shop", at(59)).unwrap_err(), @"
        the integration 'shop' pauses until 1970-01-01T00:01:00Z: its plugin crashed in 3 runs in a row, the last time because it trapped
        ");
        let five = (0..5)
            .fold(Health::default(), |health, _| Health::from(health.crashed(&"it trapped".into(), at(0))));
        insta::assert_snapshot!(five.check("shop", at(1_000_000)).unwrap_err(), @"
        the integration 'shop' is quarantined since 1970-01-01T00:00:00Z: its plugin crashed in 5 runs in a row, the last time because it trapped
        ");
    }
}
