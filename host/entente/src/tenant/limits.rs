//! Limits of a tenant: the defaults, overridden by what is set for it.

use super::presence::Presence;
use super::{Tenant, TenantError};
use crate::config::ConfigError;
use entente_plugin::Limits;
use entente_sqlite::StoreError;
use entente_sync::{Remedy, SyncError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a run that waits for a permit looks again.
const POLL: Duration = Duration::from_millis(500);

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
        self.limits().await
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
    pub(super) async fn begin_run(&self, wait: bool, stop: &AtomicBool) -> Result<Presence, TenantError> {
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
                Err(_) if stop.load(Ordering::Relaxed) => return Err(SyncError::Stopped.into()),
                Err(_) if wait => self.clock.sleep(POLL).await,
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
    async fn runs_have_places_which_one_waits_for_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = Tenant::open(folder.path(), None, entente_plugin::Compiler::InThisProcess).unwrap();
        tenant.set_limits(&[pair("runs-at-once", "1")], &[]).await.unwrap();
        let go = AtomicBool::new(false);
        let first = tenant.begin_run(false, &go).await.unwrap();
        let refused = tenant.begin_run(false, &go).await.unwrap_err();
        insta::assert_snapshot!(refused, @"limit runs-at-once of 1 reached (asked for: 2)");
        let stopped = tenant.begin_run(true, &AtomicBool::new(true)).await.unwrap_err();
        assert!(matches!(stopped, TenantError::Sync(SyncError::Stopped)), "{stopped}");
        let waiting = tenant.begin_run(true, &go);
        let (second, ()) = tokio::join!(waiting, async { drop(first) });
        second.unwrap();
    }
}
