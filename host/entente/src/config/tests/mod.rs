//! What the tests of the configuration share: two sides, a home, and stand-ins for ledger and hub.

mod bad;
mod good;
mod sealed;
mod stored;

use super::*;
use entente_sqlite::{Store, StoreError};
use entente_sync::{
    Description, Field, MappingId, Object, ProposedDirection, ProposedField, ProposedMapping, features,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn field(name: &str, kind: &str) -> Field {
    Field {
        name: name.into(),
        label: name.into(),
        kind: kind.into(),
        writable: true,
        set_like: kind == "choices",
        ..Field::default()
    }
}

fn object(name: &str, fields: Vec<Field>) -> Object {
    let words = [features::CREATE, features::UPDATE, features::DELETE].map(str::to_owned).to_vec();
    Object { name: name.into(), label: name.into(), fields, features: words, ..Object::default() }
}

pub(super) fn hub() -> Description {
    let mut company = field("company", "reference");
    company.targets = vec!["company".into()];
    let mut contact = object(
        "contact",
        vec![
            field("email", "email"),
            field("name", "text"),
            field("phone", "phone"),
            field("score", "integer"),
            field("active", "boolean"),
            field("born", "date"),
            field("status", "choice"),
            company,
            field("tags", "choices"),
            Field { writable: false, ..field("created", "timestamp") },
        ],
    );
    contact.fields[6].choices = vec![("new".into(), "New".into()), ("won".into(), "Won".into())];
    Description {
        objects: vec![contact, object("company", vec![field("name", "text"), field("city", "text")])],
    }
}

pub(super) fn hello() -> Description {
    let mut organisation = field("organisation", "reference");
    organisation.targets = vec!["organisation".into()];
    let person = object(
        "person",
        vec![
            Field { required: true, identifier: true, ..field("email", "email") },
            field("full_name", "text"),
            field("mobile", "phone"),
            field("points", "float"),
            field("state", "choice"),
            organisation,
            field("labels", "texts"),
            Field { writable: false, ..field("made", "timestamp") },
        ],
    );
    let mut log = object("log", vec![field("line", "text")]);
    log.features.clear();
    Description {
        objects: vec![
            person,
            object("organisation", vec![Field { required: true, ..field("title", "text") }]),
            log,
        ],
    }
}

fn proposed(hub: &str, remote: &str, direction: ProposedDirection) -> ProposedField {
    ProposedField { hub: hub.into(), remote: remote.into(), direction, required: false }
}

pub(super) fn manual() -> Vec<ProposedMapping> {
    use ProposedDirection::{Both, ToHub};
    vec![
        ProposedMapping {
            hub: "contact".into(),
            remote: "person".into(),
            fields: vec![
                proposed("email", "email", Both),
                proposed("name", "full_name", Both),
                proposed("phone", "mobile", ToHub),
                proposed("company", "organisation", Both),
            ],
            identifiers: vec!["email".into()],
            identify_by_all: false,
        },
        ProposedMapping {
            hub: "company".into(),
            remote: "organisation".into(),
            fields: vec![proposed("name", "title", Both)],
            identifiers: vec!["name".into()],
            identify_by_all: false,
        },
    ]
}

pub(super) fn described() -> Described {
    let descriptions = [("hub", hub()), ("HelloWorld", hello()), ("Other", hello())]
        .map(|(name, description)| (name.to_owned(), description));
    Described {
        descriptions: descriptions.into(),
        manuals: [("HelloWorld".to_owned(), manual())].into(),
        facts: BTreeMap::new(),
    }
}

/// Checks a text, without a store.
pub(super) fn check_text(text: &str) -> Result<Checked, String> {
    let file = File::parse(text).map_err(|error| error.to_string())?;
    let described = described();
    check(&file, &described.descriptions, &described.manuals).map_err(|problems| problems.to_string())
}

/// What the ledger will do: the same numbers for the same names.
struct Ledger;

impl Ledger {
    fn tables(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS try_mapping (id INTEGER PRIMARY KEY, relation, l, r);
             CREATE TABLE IF NOT EXISTS try_slot (mapping, slot, l, r);",
        )
    }
}

impl Numbers for Ledger {
    fn ensure_mapping(
        &self,
        connection: &Connection,
        relation: &str,
        left: &str,
        right: &str,
    ) -> Result<MappingId, StoreError> {
        Self::tables(connection)?;
        let found = connection
            .query_row(
                "SELECT id FROM try_mapping WHERE relation = ?1 AND l = ?2 AND r = ?3",
                [relation, left, right],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        connection.execute(
            "INSERT INTO try_mapping (relation, l, r) VALUES (?1, ?2, ?3)",
            [relation, left, right],
        )?;
        Ok(connection.last_insert_rowid())
    }

    fn ensure_slots(
        &self,
        connection: &Connection,
        mapping: MappingId,
        fields: &[(String, String)],
    ) -> Result<Vec<usize>, StoreError> {
        Self::tables(connection)?;
        let mut slots = Vec::new();
        for (left, right) in fields {
            connection.execute(
                "INSERT INTO try_slot SELECT ?1, (SELECT count(*) FROM try_slot WHERE mapping = ?1), ?2, ?3
                 WHERE NOT EXISTS (SELECT 1 FROM try_slot WHERE mapping = ?1 AND l = ?2 AND r = ?3)",
                params![mapping, left, right],
            )?;
            let slot: i64 = connection.query_row(
                "SELECT slot FROM try_slot WHERE mapping = ?1 AND l = ?2 AND r = ?3",
                params![mapping, left, right],
                |row| row.get(0),
            )?;
            slots.push(slot as usize);
        }
        Ok(slots)
    }
}

/// What the hub will do: remember what is defined.
struct Schema;

impl HubSchema for Schema {
    fn define_object(&self, connection: &Connection, object: &CustomObject) -> Result<(), SchemaError> {
        let put = || {
            connection
                .execute("INSERT OR REPLACE INTO try_object VALUES (?1, ?2)", [&object.name, &object.label])
        };
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS try_object (name PRIMARY KEY, label)")
            .and_then(|()| put())
            .map_err(StoreError::Sqlite)?;
        Ok(())
    }

    fn define_field(&self, connection: &Connection, field: &CustomField) -> Result<(), SchemaError> {
        let (object, field) = (&field.object, &field.field);
        let old: Option<String> = connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS try_field (object, name, kind, PRIMARY KEY (object, name))",
            )
            .and_then(|()| {
                connection
                    .query_row(
                        "SELECT kind FROM try_field WHERE object = ?1 AND name = ?2",
                        [object, &field.name],
                        |row| row.get(0),
                    )
                    .optional()
            })
            .map_err(StoreError::Sqlite)?;
        match old {
            Some(old) if old != field.kind.as_str() => {
                Err(SchemaError::Refused(format!("3 records have values that are no {}", field.kind)))
            }
            _ if field.label == "FAIL" => {
                Err(StoreError::Corrupt { what: "hub".into(), why: "refused".into() }.into())
            }
            _ => {
                connection
                    .execute(
                        "INSERT OR REPLACE INTO try_field VALUES (?1, ?2, ?3)",
                        [object, &field.name, field.kind.as_str()],
                    )
                    .map_err(StoreError::Sqlite)?;
                Ok(())
            }
        }
    }
}

/// A home in a folder of its own, with a configuration.
pub(super) struct Try {
    pub(super) folder: tempfile::TempDir,
    pub(super) home: Home,
    pub(super) store: Store,
    pub(super) configuration: Configuration,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) described: Described,
}

impl Try {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let store = home.open_store().unwrap();
        let configuration =
            Configuration::new(store.clone(), home.clone(), Arc::new(Ledger), Arc::new(Schema));
        configuration.install_plugin("helloworld", b"\0asm one", &PluginFacts::default()).await.unwrap();
        Self { folder, home, store, configuration, environment: BTreeMap::new(), described: described() }
    }

    pub(super) async fn apply_with(
        &self,
        text: &str,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, ConfigError> {
        let file = File::parse(text)?;
        let environment = |name: &str| self.environment.get(name).cloned();
        let mut described = self.described.clone();
        described.descriptions.retain(|name, _| name == "hub" || file.needed().contains(name));
        // The hub describes what was defined before.
        let custom =
            self.store.read(|connection| Ok(super::stored::custom::load(connection))).await.unwrap().unwrap();
        let hub = described.descriptions.get_mut("hub").unwrap();
        hub.objects.extend(custom.objects.iter().map(|custom| object(&custom.name, vec![])));
        for custom in custom.fields {
            hub.objects
                .iter_mut()
                .find(|object| object.name == custom.object)
                .unwrap()
                .fields
                .push(custom.field);
        }
        self.configuration
            .apply(&file, Path::new(self.folder.path()), &environment, &described, options)
            .await
    }

    pub(super) async fn apply(&self, text: &str) -> Result<String, String> {
        self.apply_with(text, ApplyOptions::default())
            .await
            .map(|plan| plan.to_string())
            .map_err(|error| self.clean(&error.to_string()))
    }

    /// Without what differs from one run of the tests to the next.
    pub(super) fn clean(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "DIR")
    }

    pub(super) async fn version(&self, sync: &str) -> u32 {
        self.configuration.definition(sync).await.unwrap().version
    }
}
