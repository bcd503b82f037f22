//! Fields of a system: what can be mapped, as its plugin told it last.

use crate::config::{HUB, Told};
use crate::tenant::{Tenant, TenantError};
use entente_core::Timestamp;
use entente_sync::{Description, Field, Object};
use serde::Serialize;

/// The objects of a system with their fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldsView {
    /// The system: an integration, or the hub.
    pub exchange: String,
    /// When it was told.
    pub told: Timestamp,
    /// Why it could not be asked now; then this is what it told before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
    /// Its objects.
    pub objects: Vec<ObjectFieldsView>,
}

/// An object with its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectFieldsView {
    /// Its name.
    pub object: String,
    /// What people call it.
    pub label: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

impl FieldsView {
    fn of(exchange: &str, told: Timestamp, unasked: Option<String>, description: Description) -> Self {
        let view = |object: Object| ObjectFieldsView {
            object: object.name,
            label: object.label,
            fields: object.fields,
        };
        let objects = description.objects.into_iter().map(view).collect();
        Self { exchange: exchange.to_owned(), told, unasked, objects }
    }
}

impl Tenant {
    /// The objects and fields of an integration, or of the hub. Where its remote system is away, what its plugin told last.
    ///
    /// # Errors
    /// Where there is no such integration, or its plugin can be asked neither now nor was before.
    pub async fn list_fields(&self, exchange: &str) -> Result<FieldsView, TenantError> {
        let now = self.clock().now();
        if exchange == HUB {
            let description = self.describe_exchange(HUB).await?.description;
            return Ok(FieldsView::of(exchange, now, None, description));
        }
        let integration = self.configuration().integration(exchange).await?;
        match self.describe_exchange(exchange).await {
            Ok(told) => {
                self.configuration().keep_told(&integration, &told).await?;
                Ok(FieldsView::of(exchange, told.at, None, told.description))
            }
            Err(error) => match self.configuration().told(&integration).await? {
                Some(Told { at, description, .. }) => {
                    Ok(FieldsView::of(exchange, at, Some(error.to_string()), description))
                }
                None => Err(error),
            },
        }
    }
}
