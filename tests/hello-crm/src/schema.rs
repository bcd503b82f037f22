//! The schema: the two objects and their fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Object {
    /// Somebody.
    Person,
    /// A company, club or authority.
    Organisation,
}

impl Object {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Person, Self::Organisation];

    /// The name in the singular, as in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organisation => "organisation",
        }
    }

    /// The name in the plural, as in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Person => "persons",
            Self::Organisation => "organisations",
        }
    }

    /// The kind that a path means.
    pub fn from_plural(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.plural() == name)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Person => "Person",
            Self::Organisation => "Organisation",
        }
    }

    fn prefix(self) -> char {
        match self {
            Self::Person => 'p',
            Self::Organisation => 'o',
        }
    }

    /// The id as it is shown: `p12`, `o3`.
    pub(crate) fn id(self, number: u64) -> String {
        format!("{}{number}", self.prefix())
    }

    /// The number in an id, if it is written as this server writes it.
    pub(crate) fn number(self, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(self.prefix())?;
        let number: u64 = digits.parse().ok()?;
        (self.id(number) == id).then_some(number)
    }

    /// The fields, in the order of the schema.
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Self::Person => PERSON,
            Self::Organisation => ORGANISATION,
        }
    }

    /// The field with this name.
    pub(crate) fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Email,
    Phone,
    Url,
    Integer,
    Reference,
    Texts,
}

/// One field of an object.
#[derive(Debug, Serialize)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) writable: bool,
    /// Most characters, or most characters of one element of a list.
    pub(crate) max_length: Option<usize>,
    pub(crate) identifier: bool,
    /// The objects that a reference may point to.
    pub(crate) targets: &'static [Object],
}

impl Field {
    /// What a field holds that was never set, or was cleared.
    pub(crate) fn blank(&self) -> Value {
        match self.kind {
            Kind::Texts => json!([]),
            _ => Value::Null,
        }
    }

    const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        let max_length = match kind {
            Kind::Text => Some(255),
            Kind::Email => Some(254),
            Kind::Phone => Some(50),
            Kind::Url => Some(2000),
            Kind::Texts => Some(100),
            Kind::Integer | Kind::Reference => None,
        };
        Self {
            name,
            label,
            kind,
            required: false,
            writable: true,
            max_length,
            identifier: false,
            targets: &[],
        }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn identifier(mut self) -> Self {
        self.identifier = true;
        self
    }

    const fn to(mut self, targets: &'static [Object]) -> Self {
        self.targets = targets;
        self
    }
}

const PERSON: &[Field] = &[
    Field::new("first_name", "First name", Kind::Text),
    Field::new("last_name", "Last name", Kind::Text).required(),
    Field::new("email", "E-mail", Kind::Email).identifier(),
    Field::new("phone", "Phone", Kind::Phone),
    Field::new("mobile", "Mobile", Kind::Phone),
    Field::new("job_title", "Job title", Kind::Text),
    Field::new("street", "Street", Kind::Text),
    Field::new("city", "City", Kind::Text),
    Field::new("region", "Region", Kind::Text),
    Field::new("country", "Country", Kind::Text),
    Field::new("website", "Website", Kind::Url),
    Field::new("score", "Score", Kind::Integer),
    Field::new("organisation", "Organisation", Kind::Reference).to(&[Object::Organisation]),
    Field::new("tags", "Tags", Kind::Texts),
];

const ORGANISATION: &[Field] = &[
    Field::new("name", "Name", Kind::Text).required().identifier(),
    Field::new("email", "E-mail", Kind::Email),
    Field::new("phone", "Phone", Kind::Phone),
    Field::new("website", "Website", Kind::Url),
    Field::new("street", "Street", Kind::Text),
    Field::new("city", "City", Kind::Text),
    Field::new("region", "Region", Kind::Text),
    Field::new("country", "Country", Kind::Text),
];

/// The answer to `GET /v1/schema`.
pub(crate) fn describe(instance: u64, largest_page: usize) -> Value {
    let objects: Vec<Value> = Object::ALL
        .into_iter()
        .map(|object| json!({ "name": object.name(), "path": object.plural(), "label": object.label(), "fields": object.fields() }))
        .collect();
    json!({ "account": { "id": format!("{instance:x}"), "name": "hello-crm" }, "largest_page": largest_page, "objects": objects })
}
