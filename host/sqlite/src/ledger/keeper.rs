//! Keeper: renews a lease by a task of its own while a run is under way.

use super::lease;
use crate::store::Store;
use entente_sync::{Clock, Lease};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The task; dropping it ends it.
#[derive(Debug)]
pub(super) struct Keeper(Option<JoinHandle<()>>);

impl Keeper {
    /// Begins to renew the lease, each time a third of its time has passed. Without a runtime there is no task: then
    /// the run renews its lease as it begins units of work.
    pub(super) fn start(store: Store, lease: Lease, ttl: Duration, clock: Arc<dyn Clock>) -> Self {
        let runtime = tokio::runtime::Handle::try_current().ok();
        Self(runtime.map(|runtime| runtime.spawn(renew(store, lease, ttl, clock))))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn renew(store: Store, lease: Lease, ttl: Duration, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(ttl / 3).await;
        let renewed = store
            .write_soon(|connection| lease::renew(connection, &lease, lease::now(connection)?, ttl))
            .await;
        // A database that is busy is tried again after the next third. A lease that is lost stays lost, which the
        // next commit of the run is told.
        if matches!(renewed, Ok(false)) {
            return;
        }
    }
}
