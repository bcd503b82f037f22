//! Integrations: settings, grants, the names of secrets, and how the plugin has been doing.

use crate::config::{Health, Integration};
use crate::tenant::{Tenant, TenantError};
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
