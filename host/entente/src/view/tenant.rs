//! Tenants, a line each: what one has, how large it is, when it ran last.

use crate::host::Host;
use crate::tenant::{Tenant, TenantError};
use entente_core::Timestamp;
use entente_sync::{Run, RunId};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// A home folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HomeView {
    /// Its path.
    pub home: String,
    /// Whether it was made now.
    pub made: bool,
}

/// What a tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Its name.
    pub tenant: String,
    /// The names of its integrations.
    pub integrations: Vec<String>,
    /// Records of the hub.
    pub records: u64,
    /// Pairs of records.
    pub pairs: u64,
    /// What it takes on disk, without components and compiled code, which tenants share.
    pub bytes: u64,
    /// Its last run.
    pub last_run: Option<LastRun>,
}

/// When a tenant ran last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// Its number.
    pub run: RunId,
    /// Its sync.
    pub sync: String,
    /// How it stands: `running`, `done`, `failed`, `interrupted`.
    pub status: &'static str,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// A tenant in the list of all. One that cannot be opened says why, and hides no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TenantView {
    /// It can be opened.
    Well(Overview),
    /// It cannot.
    Broken {
        /// Its name.
        tenant: String,
        /// Why.
        error: String,
    },
}

impl Host {
    /// All tenants, `default` first. Each is opened for it, one after the other.
    ///
    /// # Errors
    /// Where the home folder cannot be read.
    pub async fn list_tenants(&self) -> Result<Vec<TenantView>, TenantError> {
        let mut views = Vec::new();
        for name in self.names()? {
            let overview = match self.tenant(&name).await {
                Ok(tenant) => tenant.overview().await,
                Err(error) => Err(error),
            };
            views.push(match overview {
                Ok(overview) => TenantView::Well(overview),
                Err(error) => TenantView::Broken { tenant: name, error: error.to_string() },
            });
        }
        Ok(views)
    }
}

impl Tenant {
    /// What it has, how large it is, when it ran last.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn overview(&self) -> Result<Overview, TenantError> {
        let integrations = self
            .configuration()
            .integrations()
            .await?
            .into_iter()
            .map(|integration| integration.name)
            .collect();
        let last_run = match self.last_of_a_sync().await? {
            Some(run) => {
                let run = self.as_it_stands(run).await?;
                Some(LastRun {
                    run: run.id,
                    sync: run.sync,
                    status: run.status.word(),
                    started: run.started,
                    ended: run.ended,
                })
            }
            None => None,
        };
        Ok(Overview {
            tenant: self.name().to_owned(),
            integrations,
            records: self.hub().count_all().await?,
            pairs: self.ledger().count().await?,
            bytes: size(&self.configuration().folder()),
            last_run,
        })
    }
}

impl Tenant {
    /// The newest run of any sync: an import is none.
    async fn last_of_a_sync(&self) -> Result<Option<Run>, TenantError> {
        let mut before = None;
        loop {
            let runs = self.ledger().runs(None, before, 50).await?;
            let Some(last) = runs.last() else { return Ok(None) };
            before = Some(last.id);
            if let Some(run) = runs.into_iter().find(|run| !run.relation.is_empty()) {
                return Ok(Some(run));
            }
        }
    }
}

/// The bytes of all files in a folder. What comes and goes meanwhile may be missed.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
