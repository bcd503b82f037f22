//! What the parts need of each other without knowing each other.

use super::{BTreeMap, Hub, MappingId, SecretText, StoreError, TenantError};
use crate::config::{CustomField, CustomObject, HubSchema, Integration, Numbers, SchemaError};
use entente_plugin::{GrantError, HttpGrant, Limits, PluginConfig, Secret, SecretGrant, fill};
use entente_sqlite::{FieldDefinition, HubError};
use rusqlite::Connection;

/// The ledger gives the numbers of mappings and fields.
pub(super) struct LedgerNumbers;

impl Numbers for LedgerNumbers {
    fn ensure_mapping(
        &self,
        connection: &Connection,
        relation: &str,
        left: &str,
        right: &str,
    ) -> Result<MappingId, StoreError> {
        entente_sqlite::ensure_mapping(connection, relation, left, right)
    }

    fn ensure_slots(
        &self,
        connection: &Connection,
        mapping: MappingId,
        fields: &[(String, String)],
    ) -> Result<Vec<usize>, StoreError> {
        entente_sqlite::ensure_slots(connection, mapping, fields)
    }
}

/// The hub takes in custom objects and fields.
pub(super) struct HubDefinitions(pub(super) Hub);

impl HubSchema for HubDefinitions {
    fn define_object(&self, connection: &Connection, object: &CustomObject) -> Result<(), SchemaError> {
        self.0.define_object_within(connection, &object.name, &object.label).map_err(refused)
    }

    fn define_field(&self, connection: &Connection, custom: &CustomField) -> Result<(), SchemaError> {
        let field = FieldDefinition::from_field(&custom.field).map_err(refused)?;
        self.0.define_field_within(connection, &custom.object, &field).map_err(refused)
    }
}

fn refused(error: HubError) -> SchemaError {
    match error {
        HubError::Store(error) => SchemaError::Store(error),
        error => SchemaError::Refused(error.to_string()),
    }
}

pub(super) fn plugin_config(
    integration: &Integration,
    secrets: BTreeMap<String, SecretText>,
    state: BTreeMap<String, Vec<u8>>,
    limits: Limits,
) -> Result<PluginConfig, TenantError> {
    let grants = |patterns: &[String]| -> Result<Vec<HttpGrant>, GrantError> {
        let filled = |pattern: &String| {
            fill(pattern, &integration.settings)
                .map_err(|error| GrantError { text: pattern.clone(), reason: error.0 })
        };
        patterns.iter().map(|pattern| filled(pattern)?.parse()).collect()
    };
    let secret_grant =
        |(name, grant): (&String, &crate::config::SecretGrant)| -> Result<SecretGrant, TenantError> {
            let header = grant.header.as_deref().map(|text| {
                http::HeaderName::from_bytes(text.as_bytes()).map_err(|_| GrantError {
                    text: text.to_owned(),
                    reason: "it is no name of a header".to_owned(),
                })
            });
            Ok(SecretGrant {
                name: name.clone(),
                hosts: grants(&grant.hosts)?,
                header: header.transpose()?,
                query: grant.query.clone(),
            })
        };
    Ok(PluginConfig {
        integration: integration.name.clone(),
        settings: integration.settings.clone(),
        secrets: secrets.into_iter().map(|(name, text)| (name, Secret::new(text.reveal()))).collect(),
        secret_grants: integration.grants.secrets.iter().map(secret_grant).collect::<Result<_, _>>()?,
        http: grants(&integration.grants.http)?,
        no_state: integration.grants.no_state,
        limits,
        state,
        ..PluginConfig::default()
    })
}
