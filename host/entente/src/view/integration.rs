//! Integrations: settings, the names of secrets, how the plugin has been doing; and what became of adding,
//! changing and removing one. Grants and versions are in `grant`.

use super::notice::NoticeView;
use super::run::Exchanges;
use crate::config::{Added, Health, Integration};
use crate::grants::IntegrationNotice;
use crate::tenant::{Changed, Tenant, TenantError};
use entente_core::Sides;
use entente_sync::SyncDefinition;
use serde::Serialize;

/// An integration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntegrationView {
    /// Name, plugin, settings and grants.
    #[serde(flatten)]
    pub integration: Integration,
    /// The names of its secrets; their values are never shown.
    pub secrets: Vec<String>,
    /// How its plugin has been doing.
    pub health: Health,
}

/// An integration that was added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AddedIntegrationView {
    /// The integration.
    pub integration: Integration,
    /// The sync of its name, where one was made.
    pub sync: Option<AddedSyncView>,
    /// What the operator should know.
    pub notices: Vec<NoticeView>,
}

/// A sync that was added with its integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddedSyncView {
    /// Its name.
    pub name: String,
    /// The exchanges that it joins.
    pub exchanges: Exchanges,
    /// Which objects correspond.
    pub mappings: Vec<MappingView>,
}

/// Two objects that correspond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingView {
    /// Their names, left and right.
    pub objects: Sides<String>,
    /// The names of the fields that correspond, left and right.
    pub fields: Vec<Sides<String>>,
}

/// An integration that was changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedIntegrationView {
    /// The integration as it is now.
    #[serde(flatten)]
    pub integration: Integration,
    /// What the operator should know.
    pub notices: Vec<NoticeView>,
}

/// An integration that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemovedIntegrationView {
    /// Its name.
    pub integration: String,
    /// The syncs that were removed with it.
    pub syncs: Vec<String>,
}

impl From<&SyncDefinition> for AddedSyncView {
    fn from(sync: &SyncDefinition) -> Self {
        let mappings = sync.mappings.iter().map(|mapping| MappingView {
            objects: mapping.objects.clone(),
            fields: mapping.fields.iter().map(|field| field.names.clone()).collect(),
        });
        Self {
            name: sync.name.clone(),
            exchanges: sync.exchanges.clone().into(),
            mappings: mappings.collect(),
        }
    }
}

impl AddedIntegrationView {
    /// What [`Tenant::integrate`] has made.
    pub fn new(added: Added, notices: &[IntegrationNotice]) -> Self {
        let Added { integration, sync } = added;
        let notices = NoticeView::all(&integration.name, notices);
        Self { sync: sync.as_ref().map(AddedSyncView::from), notices, integration }
    }
}

impl From<Changed> for ChangedIntegrationView {
    fn from(changed: Changed) -> Self {
        let Changed { integration, notices, .. } = changed;
        Self { notices: NoticeView::all(&integration.name, &notices), integration }
    }
}

impl Tenant {
    /// The integrations, by name. They are few, and are not paged.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_integrations(&self) -> Result<Vec<IntegrationView>, TenantError> {
        let configuration = self.configuration();
        let mut views = Vec::new();
        for integration in configuration.integrations().await? {
            let secrets = configuration.secrets(&integration.name).await?;
            views.push(IntegrationView {
                secrets: secrets.into_iter().map(|secret| secret.name).collect(),
                health: configuration.health(&integration.name).await?,
                integration,
            });
        }
        Ok(views)
    }
}
