//! The tables of the configuration, one per file: the row as a plain type, and the calls of a
//! [`Session`](crate::Session) that read and write it. Meaning and validity of the rows are checked above
//! this crate.

mod call_budget;
mod custom_definition;
mod integration;
mod integration_description;
mod integration_health;
mod integration_previous;
mod integration_secret;
mod plugin;
mod relation;
mod sync_definition;
mod tenant_limit;

pub use custom_definition::CustomDefinitionRow;
pub use integration::IntegrationRow;
pub use integration_description::DescriptionRow;
pub use integration_health::HealthRow;
pub use integration_previous::PreviousVersionRow;
pub use integration_secret::SecretRow;
pub use plugin::PluginRow;
pub use relation::RelationRow;
pub use sync_definition::SyncRow;
