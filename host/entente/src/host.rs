//! Many tenants in one process: they share the plugin runtime and compiled code, and nothing else.
//!
//! Tenants are opened on demand. Beyond a number of open tenants, the least recently used idle ones are
//! closed, so that an idle tenant costs neither memory nor open files, however many there are.

use crate::config::{Home, SecretText};
use crate::tenant::{Removed, RestoreOptions, Restored, SharedRuntime, Tenant, TenantError, remove, restore};
use entente_plugin::Compiler;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// Options of a [`Host`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostOptions {
    /// The number of idle tenants that stay open. Each has up to three open files and, after much work, 16
    /// MiB of page cache.
    pub open_tenants: usize,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { open_tenants: 32 }
    }
}

/// A home with all its tenants. A process needs one, shared by reference or in an [`Arc`].
pub struct Host {
    home: Home,
    key: Option<SecretText>,
    options: HostOptions,
    plugins: Arc<SharedRuntime>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    tenants: HashMap<String, Slot>,
    /// Counts uses: the recency of an entry.
    uses: u64,
}

struct Slot {
    /// Set by the caller that opens it; concurrent callers wait for that.
    tenant: Arc<OnceCell<Arc<Tenant>>>,
    used: u64,
}

impl Slot {
    /// Nobody uses or is opening it.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.tenant) == 1
            && self.tenant.get().is_none_or(|tenant| Arc::strong_count(tenant) == 1)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("home", &self.home)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Opens a home folder, creating it where needed. `key` is the value of `ENTENTE_KEY`. No tenant is
    /// opened yet.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub fn open(
        home: &Path,
        key: Option<SecretText>,
        compiler: Compiler,
        options: HostOptions,
    ) -> Result<Self, TenantError> {
        Ok(Self {
            home: Home::open(home)?,
            key,
            options,
            plugins: Arc::new(SharedRuntime::new(compiler)),
            open: Mutex::default(),
        })
    }

    /// The folder.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The names of all tenants, `default` first, whether open or not.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, TenantError> {
        Ok(self.home.tenants()?)
    }

    /// A tenant, opened where needed. It stays open at least as long as the caller holds it.
    ///
    /// # Errors
    /// [`crate::config::ConfigError::Unknown`] where it was not added, or where its database cannot be
    /// opened.
    pub async fn tenant(&self, name: &str) -> Result<Arc<Tenant>, TenantError> {
        let opened = self.opened(name).await?;
        if opened.store().stands().is_ok() {
            return Ok(opened);
        }
        // It was removed by something that respects no mark; there may be one of that name again.
        self.lock().tenants.remove(name);
        self.opened(name).await
    }

    async fn opened(&self, name: &str) -> Result<Arc<Tenant>, TenantError> {
        let cell = self.slot(name);
        let opened = cell
            .get_or_try_init(async || {
                let (home, name, key, plugins) =
                    (self.home.clone(), name.to_owned(), self.key.clone(), Arc::clone(&self.plugins));
                // Migrations may take a while.
                crate::tenant::blocking(move || Tenant::within(home, &name, key, plugins))
                    .await?
                    .map(Arc::new)
            })
            .await
            .map(Arc::clone);
        drop(cell);
        // A tenant that could not be opened is idle now, and is dropped.
        self.close_beyond(self.options.open_tenants);
        opened
    }

    /// Closes all idle tenants.
    pub fn close_idle(&self) {
        self.close_beyond(0);
    }

    /// The number of open tenants.
    pub fn open_tenants(&self) -> usize {
        self.lock().tenants.values().filter(|slot| slot.tenant.initialized()).count()
    }

    /// Adds an empty tenant.
    ///
    /// # Errors
    /// Where the name is taken or invalid.
    pub async fn add(&self, name: &str) -> Result<(), TenantError> {
        let (home, name) = (self.home.clone(), name.to_owned());
        Ok(crate::tenant::blocking(move || home.add_tenant(&name)).await??)
    }

    /// Adds a tenant from a file that [`Tenant::export`] wrote, atomically. Its secrets are re-encrypted for
    /// the new name.
    ///
    /// # Errors
    /// Where the name is taken, the file is not as it was exported, or the key to its secrets is another.
    pub async fn restore(
        &self,
        name: &str,
        file: &Path,
        options: RestoreOptions,
    ) -> Result<Restored, TenantError> {
        restore(&self.home, name, file, self.key.clone(), options).await
    }

    /// Removes a tenant with all its data, and the components that no other tenant uses. `default` is
    /// emptied.
    ///
    /// # Errors
    /// [`TenantError::Busy`] while a run of it is under way in any process, or while it is in use here.
    pub async fn remove(&self, name: &str) -> Result<Removed, TenantError> {
        let closed = {
            let mut open = self.lock();
            if open.tenants.get(name).is_some_and(|slot| !slot.is_idle()) {
                let why = "is in use by this program; let go of it first".to_owned();
                return Err(TenantError::Busy { tenant: name.to_owned(), why });
            }
            open.tenants.remove(name)
        };
        drop(closed);
        let (home, name) = (self.home.clone(), name.to_owned());
        crate::tenant::blocking(move || remove(&home, &name)).await?
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, name: &str) -> Arc<OnceCell<Arc<Tenant>>> {
        let mut open = self.lock();
        open.uses += 1;
        let used = open.uses;
        let slot =
            open.tenants.entry(name.to_owned()).or_insert_with(|| Slot { tenant: Arc::default(), used });
        slot.used = used;
        Arc::clone(&slot.tenant)
    }

    /// Closes the least recently used idle tenants until at most this many are open or the others are in use.
    fn close_beyond(&self, most: usize) {
        let mut closed = Vec::new();
        let mut open = self.lock();
        open.tenants.retain(|_, slot| slot.tenant.initialized() || !slot.is_idle());
        while open.tenants.len() > most {
            let idle =
                open.tenants.iter().filter(|(_, slot)| slot.is_idle()).min_by_key(|(_, slot)| slot.used);
            let Some(name) = idle.map(|(name, _)| name.clone()) else { break };
            closed.extend(open.tenants.remove(&name));
        }
        drop(open);
        // Closing a database checkpoints its WAL, which must not happen under the lock of the list.
        drop(closed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use entente_sqlite::StoreError;

    fn host(open_tenants: usize) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        let host =
            Host::open(folder.path(), None, Compiler::InThisProcess, HostOptions { open_tenants }).unwrap();
        (folder, host)
    }

    #[tokio::test]
    async fn tenants_are_opened_when_needed_and_closed_when_idle() {
        let (_folder, host) = host(2);
        for name in ["a", "b", "c"] {
            host.add(name).await.unwrap();
        }
        assert_eq!(
            (host.names().unwrap(), host.open_tenants()),
            (["default", "a", "b", "c"].map(str::to_owned).into(), 0)
        );
        let a = host.tenant("a").await.unwrap();
        assert!(Arc::ptr_eq(&a, &host.tenant("a").await.unwrap()), "opened once");
        for name in ["b", "c", "b"] {
            host.tenant(name).await.unwrap();
        }
        assert_eq!(host.open_tenants(), 2);
        assert!(Arc::ptr_eq(&a, &host.tenant("a").await.unwrap()), "it was in use, and stayed");
        let (b, c) = (host.tenant("b").await.unwrap(), host.tenant("c").await.unwrap());
        assert_eq!(host.open_tenants(), 3, "all are in use");
        drop((a, b, c));
        host.tenant("c").await.unwrap();
        assert_eq!(host.open_tenants(), 2);
        host.close_idle();
        assert_eq!(host.open_tenants(), 0);
    }

    /// The number of files in a folder that this process has open.
    #[cfg(target_os = "linux")]
    fn open_files(folder: &Path) -> usize {
        let folder = folder.canonicalize().unwrap();
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        links
            .filter(|link| std::fs::read_link(link.path()).is_ok_and(|file| file.starts_with(&folder)))
            .count()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_idle_tenant_has_no_open_files() {
        let (folder, host) = host(1);
        for n in 0..5 {
            let name = format!("t{n}");
            host.add(&name).await.unwrap();
            let tenant = host.tenant(&name).await.unwrap();
            tenant.set_limits(&[("runs-at-once".to_owned(), "1".to_owned())], &[]).await.unwrap();
        }
        let one = open_files(folder.path());
        assert!((1..=4).contains(&one), "{one} files of the one that is open");
        host.close_idle();
        assert_eq!(open_files(folder.path()), 0);
        let left = std::fs::read_dir(host.home().tenant_folder("t0")).unwrap().count();
        assert_eq!(
            left, 3,
            "closed, a database is one file, beside those that say that it was made and is open"
        );
    }

    #[tokio::test]
    async fn one_that_many_want_is_opened_once() {
        let (_folder, host) = host(2);
        host.add("a").await.unwrap();
        let opened = futures::future::join_all((0..20).map(|_| host.tenant("a"))).await;
        let first = opened[0].as_ref().unwrap();
        assert!(opened.iter().all(|tenant| Arc::ptr_eq(first, tenant.as_ref().unwrap())));
    }

    #[tokio::test]
    async fn what_is_not_there_takes_no_place() {
        let (_folder, host) = host(2);
        insta::assert_snapshot!(host.tenant("x").await.unwrap_err(), @"unknown tenant 'x'; there is: default");
        assert!(host.lock().tenants.is_empty());
        assert!(host.remove("x").await.is_err());
        host.add("x").await.unwrap();
        host.tenant("x").await.unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn one_that_another_program_has_open_is_not_removed_and_one_that_went_is_opened_anew() {
        let (folder, host) = host(2);
        host.add("a").await.unwrap();
        let other = Host::open(folder.path(), None, Compiler::InThisProcess, HostOptions { open_tenants: 2 })
            .unwrap();
        let opened = other.tenant("a").await.unwrap();
        insta::assert_snapshot!(host.remove("a").await.unwrap_err(), @"the tenant 'a' is open in another program; end that, or let it go of the tenant, first");
        drop(opened);
        assert!(host.remove("a").await.is_err(), "idle, it is still open");
        other.close_idle();
        host.remove("a").await.unwrap();

        // What respects no mark.
        host.add("a").await.unwrap();
        let before = other.tenant("a").await.unwrap();
        std::fs::remove_dir_all(host.home().tenant_folder("a")).unwrap();
        let error = before.set_limits(&[("runs-at-once".to_owned(), "1".to_owned())], &[]).await.unwrap_err();
        assert!(matches!(error, TenantError::Store(StoreError::Gone { .. })), "{error}");
        assert!(other.tenant("a").await.is_err(), "there is none");
        host.add("a").await.unwrap();
        let after = other.tenant("a").await.unwrap();
        after.set_limits(&[("runs-at-once".to_owned(), "1".to_owned())], &[]).await.unwrap();
        assert!(before.limits().await.is_err(), "what was opened before stays closed to everybody");
    }

    #[tokio::test]
    async fn one_in_use_is_not_removed() {
        let (_folder, host) = host(2);
        host.add("a").await.unwrap();
        let a = host.tenant("a").await.unwrap();
        insta::assert_snapshot!(host.remove("a").await.unwrap_err(), @"the tenant 'a' is in use by this program; let go of it first");
        drop(a);
        host.remove("a").await.unwrap();
        assert!(host.tenant("a").await.is_err() && !host.home().tenant_folder("a").exists());
    }
}
