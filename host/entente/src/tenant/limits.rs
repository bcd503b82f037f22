//! Limits of a tenant: the defaults, overridden by what is set for it.

use super::presence::Presence;
use super::{Tenant, TenantError};
use crate::config::ConfigError;
use entente_core::Timestamp;
use entente_plugin::{LimitReached, Limits};
use entente_sqlite::StoreError;
use entente_sync::{Allowance, CancellationToken, Message, Remedy, RunBudget, SyncError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a run that waits for a permit looks again.
const POLL: Duration = Duration::from_millis(500);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a run of the tenant may use.
pub(super) fn run_budget(limits: &Limits) -> RunBudget {
    let spent = |limit: LimitReached| Message::new(limit.to_string(), limit.remedies());
    RunBudget {
        rows: Some(Allowance { most: limits.run_rows, spent: spent(limits.run_rows(None)) }),
        time: Some(Allowance {
            most: Duration::from_millis(limits.run_time),
            spent: spent(limits.run_time(None)),
        }),
    }
}

impl Tenant {
    /// The limits in force for this tenant. They are read each time, since another process may set them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn limits(&self) -> Result<Limits, TenantError> {
        let mut limits = Limits { tenant: Arc::from(self.name()), ..Limits::default() };
        for (name, value) in self.limits_set().await? {
            if !limits.restore(&name, value) {
                tracing::warn!(
                    tenant = self.name(),
                    limit = name,
                    "a limit is set that this version does not know"
                );
            }
        }
        Ok(limits)
    }

    /// The limits that are set for this tenant, by name, in their units: bytes, milliseconds or a count.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn limits_set(&self) -> Result<BTreeMap<String, u64>, TenantError> {
        Ok(self.store.snapshot::<_, StoreError, _>(|session| session.limits()).await?)
    }

    /// Sets limits by name, from texts such as `256MiB`, `5s` or `1000`, and resets others to their defaults,
    /// atomically. They apply from the next run on.
    ///
    /// # Errors
    /// [`TenantError::UnknownLimit`], or where the database fails.
    pub async fn set_limits(
        &self,
        set: &[(String, String)],
        unset: &[String],
    ) -> Result<Limits, TenantError> {
        let mut limits = Limits::default();
        for (name, text) in set {
            limits.set(name, text)?;
        }
        for name in unset {
            limits.check_name(name)?;
        }
        // Before it is stored: where the database is full, there is no other way to raise its limit.
        let database = set.iter().any(|(name, _)| name == "tenant-database-bytes");
        let (before, after) = (self.limits().await?.tenant_database_bytes, limits.tenant_database_bytes);
        if database {
            self.store.limit_size(after.max(before)).await?;
        }
        let values: BTreeMap<&str, u64> =
            limits.table().into_iter().map(|limit| (limit.name, limit.value)).collect();
        self.store
            .transact::<_, StoreError, _>(|session| {
                for name in unset {
                    session.remove_limit(name)?;
                }
                for (name, _) in set {
                    session.put_limit(name, values.get(name.as_str()).copied().unwrap_or_default())?;
                }
                Ok(())
            })
            .await?;
        let limits = self.limits().await?;
        self.store.limit_size(limits.tenant_database_bytes).await?;
        Ok(limits)
    }

    /// Counts the installation of a plugin (limit `installs-per-day`), before anything of it is looked at: each costs a
    /// compilation, whether it can be used or not.
    ///
    /// # Errors
    /// The limit, or where the database fails.
    pub(super) async fn note_install(&self, limits: &Limits) -> Result<(), TenantError> {
        let now = self.clock.now();
        let since = Timestamp::from_micros(now.micros().saturating_sub(DAY.as_micros() as i64));
        let most = limits.installs_per_day;
        self.store
            .transact(|session| match session.note_install(now, since)? {
                installs if installs > most => Err(limits.installs_per_day(Some(installs)).into()),
                _ => Ok(()),
            })
            .await
    }

    /// The runs of the tenant that are under way, in all processes.
    pub(crate) fn runs_under_way(&self) -> u64 {
        super::presence::under_way(&self.configuration.folder())
    }

    /// Acquires one of the tenant's permits for concurrent runs (limit `runs-at-once`).
    ///
    /// # Errors
    /// The limit, unless `wait`; [`SyncError::Stopped`] where waiting is interrupted; and where the tenant
    /// has been removed meanwhile.
    pub(super) async fn begin_run(
        &self,
        wait: bool,
        stop: &CancellationToken,
    ) -> Result<Presence, TenantError> {
        let folder = self.configuration.folder();
        loop {
            if !folder.is_dir() {
                let (name, known) = (self.name().to_owned(), "it has been removed".to_owned());
                let remedies = vec![Remedy::AddTenant { tenant: name.clone() }];
                return Err(ConfigError::Unknown { what: "tenant", name, known, remedies }.into());
            }
            let limits = self.limits().await?;
            match Presence::begin_within(&folder, limits.runs_at_once) {
                Ok(presence) => return Ok(presence),
                Err(_) if wait => {
                    let slept = stop.run_until_cancelled(self.clock.sleep(POLL)).await;
                    slept.ok_or(SyncError::Stopped)?;
                }
                Err(under_way) => return Err(limits.runs_at_once(Some(under_way + 1)).into()),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[tokio::test]
    async fn limits_are_set_for_one_tenant_and_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        crate::config::Home::open(folder.path()).unwrap().add_tenant("acme").unwrap();
        let open = |name: &str| {
            Tenant::open_named(folder.path(), name, None, entente_plugin::Compiler::InThisProcess).unwrap()
        };
        let (acme, other) = (open("acme"), open("default"));
        let limits = acme
            .set_limits(&[pair("memory-bytes", "256MiB"), pair("cpu-time", "1500 ms")], &[])
            .await
            .unwrap();
        assert_eq!((&*limits.tenant, limits.memory_bytes, limits.cpu_time), ("acme", 256 << 20, 1500));
        assert_eq!(other.limits().await.unwrap(), Limits::default());
        drop(acme);
        let acme = open("acme");
        assert_eq!(acme.limits().await.unwrap(), limits);

        let wrong = acme.set_limits(&[pair("cpu-time", "2s"), pair("memory", "1")], &[]).await.unwrap_err();
        insta::assert_snapshot!(wrong, @"there is no limit 'memory'");
        let wrong = acme.set_limits(&[pair("cpu-time", "2s")], &["memory".to_owned()]).await.unwrap_err();
        insta::assert_snapshot!(wrong, @"there is no limit 'memory'");
        assert_eq!(acme.limits().await.unwrap(), limits, "nothing was set");

        let limits = acme.set_limits(&[pair("cpu-time", "2s")], &["memory-bytes".to_owned()]).await.unwrap();
        assert_eq!((limits.memory_bytes, limits.cpu_time), (Limits::default().memory_bytes, 2000));
        assert_eq!(acme.limits_set().await.unwrap(), [("cpu-time".to_owned(), 2000)].into());
    }

    #[tokio::test]
    async fn x9_installs_of_a_day_have_an_end_and_a_full_database_can_be_given_more() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = Tenant::open(folder.path(), None, entente_plugin::Compiler::InThisProcess).unwrap();
        let set = [pair("installs-per-day", "2"), pair("tenant-database-bytes", "1")];
        let limits = tenant.set_limits(&set, &[]).await.unwrap();
        let full = tenant.note_install(&limits).await;
        // A few rows may still fit into pages that are there.
        assert!(
            full.is_ok() || matches!(&full, Err(TenantError::Store(error)) if error.is_full()),
            "{full:?}"
        );
        let limits = tenant.set_limits(&[], &["tenant-database-bytes".to_owned()]).await.unwrap();
        while tenant.note_install(&limits).await.is_ok() {}
        let refused = tenant.note_install(&limits).await.unwrap_err();
        insta::assert_snapshot!(refused, @"limit installs-per-day of 2 reached (asked for: 3)");
        assert_eq!(refused.remedies(), limits.installs_per_day(Some(3)).remedies());
    }

    #[tokio::test]
    async fn runs_have_places_which_one_waits_for_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = Tenant::open(folder.path(), None, entente_plugin::Compiler::InThisProcess).unwrap();
        tenant.set_limits(&[pair("runs-at-once", "1")], &[]).await.unwrap();
        let go = CancellationToken::new();
        let first = tenant.begin_run(false, &go).await.unwrap();
        let refused = tenant.begin_run(false, &go).await.unwrap_err();
        insta::assert_snapshot!(refused, @"limit runs-at-once of 1 reached (asked for: 2)");
        let stop = CancellationToken::new();
        stop.cancel();
        let stopped = tenant.begin_run(true, &stop).await.unwrap_err();
        assert!(matches!(stopped, TenantError::Sync(SyncError::Stopped)), "{stopped}");
        let waiting = tenant.begin_run(true, &go);
        let (second, ()) = tokio::join!(waiting, async { drop(first) });
        second.unwrap();
    }
}
