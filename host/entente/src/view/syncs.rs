//! The syncs of a tenant: what each joins and maps. How they stand is in `status`.

use super::run::{Exchanges, RunView};
use crate::config::HUB;
use crate::tenant::{Tenant, TenantError};
use entente_core::Sides;
use entente_sync::{DeletePolicy, SyncDefinition};
use serde::Serialize;

/// A sync.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SyncView {
    /// Its name.
    pub sync: String,
    /// The exchanges that it joins.
    pub exchanges: Exchanges,
    /// The set of pairs that it works on; syncs may share one.
    pub relation: String,
    /// The objects that it keeps in agreement.
    pub objects: Vec<SyncedObjectView>,
    /// Its integrations that are disabled.
    pub disabled: Vec<String>,
    /// The last run.
    pub last_run: Option<RunView>,
}

/// Two objects that a sync keeps in agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncedObjectView {
    /// Their names, left and right.
    pub objects: Sides<String>,
    /// How many fields are mapped.
    pub fields: usize,
    /// What becomes of the counterpart of a deleted record.
    pub deletes: DeletePolicy,
    /// Whether a filter leaves records out, left and right.
    pub filtered: Sides<bool>,
}

impl SyncedObjectView {
    fn all(definition: &SyncDefinition) -> Vec<Self> {
        let of = |mapping: &entente_sync::ObjectMapping| Self {
            objects: mapping.objects.clone(),
            fields: mapping.fields.len(),
            deletes: mapping.deletes,
            filtered: mapping.filters.as_ref().map(|conditions| !conditions.is_empty()),
        };
        definition.mappings.iter().map(of).collect()
    }
}

impl Tenant {
    /// The syncs, by name. They are few, and are not paged.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_syncs(&self) -> Result<Vec<SyncView>, TenantError> {
        let mut views = Vec::new();
        for definition in self.definitions(None).await? {
            let mut disabled = Vec::new();
            for exchange in definition.exchanges.iter().filter(|exchange| *exchange != HUB) {
                if !self.configuration().integration(exchange).await?.enabled {
                    disabled.push(exchange.clone());
                }
            }
            views.push(SyncView {
                sync: definition.name.clone(),
                relation: definition.relation.clone(),
                objects: SyncedObjectView::all(&definition),
                disabled,
                last_run: self.last_run(&definition).await?,
                exchanges: definition.exchanges.into(),
            });
        }
        Ok(views)
    }

    /// The last run of a sync, whatever became of it.
    pub(super) async fn last_run(&self, definition: &SyncDefinition) -> Result<Option<RunView>, TenantError> {
        let Some(run) = self.ledger().runs(Some(&definition.name), None, 1).await?.pop() else {
            return Ok(None);
        };
        let run = self.as_it_stands(run).await?;
        Ok(Some(RunView::of(&run, &definition.exchanges)))
    }
}
