//! Shared set-up of the configuration's tests: two sides and a home.

mod bad;
mod good;
mod sealed;
mod stored;

use super::*;
use entente_sqlite::Store;
use entente_sync::{Description, Feature, Field, Object, ProposedDirection, ProposedField, ProposedMapping};
use std::collections::BTreeMap;
use std::path::Path;

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
    let words = [Feature::Create, Feature::Update, Feature::Delete].into();
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
        ..Description::default()
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
        ..Description::default()
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
        ..Described::default()
    }
}

/// Checks a text, without a store.
pub(super) fn check_text(text: &str) -> Result<Checked, String> {
    let file = File::parse(text).map_err(|error| error.to_string())?;
    let described = described();
    check(&file, &described.descriptions, &described.manuals).map_err(|problems| problems.to_string())
}

/// A home in a temporary folder, with a configuration.
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
        let configuration = Configuration::new(store.clone(), home.clone());
        configuration.install_plugin("helloworld", b"\0asm one", &PluginFacts::default()).await.unwrap();
        Self { folder, home, store, configuration, environment: BTreeMap::new(), described: described() }
    }

    pub(super) async fn apply_with(
        &self,
        text: &str,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, ConfigError> {
        let file = File::parse(text)?;
        let mut described = self.described.clone();
        described.descriptions.retain(|name, _| name == "hub" || file.needed().contains(name));
        // The hub's description includes what was defined before.
        let custom = self.store.snapshot(super::stored::custom::load).await.unwrap();
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
        let component = |path: &Path| std::fs::read(self.folder.path().join(path));
        let variable = |name: &str| self.environment.get(name).cloned();
        let inputs = FileInputs { component: &component, variable: &variable };
        self.configuration.apply(&file, inputs, &described, options).await
    }

    pub(super) async fn apply(&self, text: &str) -> Result<String, String> {
        self.apply_with(text, ApplyOptions::default())
            .await
            .map(|plan| plan.to_string())
            .map_err(|error| self.clean(&error.to_string()))
    }

    /// Masks what differs from one run of the tests to the next.
    pub(super) fn clean(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "DIR")
    }

    pub(super) async fn version(&self, sync: &str) -> u32 {
        self.configuration.definition(sync).await.unwrap().version
    }
}
