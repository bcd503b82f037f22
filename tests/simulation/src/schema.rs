//! The schema of the simulated systems: people and companies, under the names of the hub and of remotes.

use entente_core::{Kind, Value};
use entente_sync::{Field, FieldMapping, Sides, Slot};

/// The index of the object person.
pub(crate) const PERSON: usize = 0;
/// The index of the object company.
pub(crate) const COMPANY: usize = 1;

/// The index of a person's e-mail address; in a company this is the name.
pub(crate) const IDENTIFIER: usize = 0;
/// The index of a person's name.
pub(crate) const NAME: usize = 1;
pub(crate) const PHONE: usize = 2;
pub(crate) const CITY: usize = 3;
pub(crate) const TAGS: usize = 4;
/// The index of a person's reference to a company.
pub(crate) const EMPLOYER: usize = 5;
/// The index of a person's stage, which has a value map.
pub(crate) const STAGE: usize = 6;
/// The index of a person's origin, which is a constant.
pub(crate) const ORIGIN: usize = 7;
/// The index of a person's reference to another person.
pub(crate) const MANAGER: usize = 8;
/// The index of a company's reference to a person.
pub(crate) const CONTACT: usize = 2;

/// The names that a system uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    Hub,
    Remote,
}

/// A field: its name in the hub and in remotes, and its kind.
pub(crate) struct Column {
    names: [&'static str; 2],
    pub(crate) kind: Kind,
}

const fn column(hub: &'static str, remote: &'static str, kind: Kind) -> Column {
    Column { names: [hub, remote], kind }
}

static PEOPLE: [Column; 9] = [
    column("email", "mail", Kind::Email),
    column("last_name", "full", Kind::Text),
    column("phone", "tel", Kind::Phone),
    column("city", "town", Kind::Text),
    column("tags", "labels", Kind::Texts),
    column("company", "org", Kind::Reference),
    column("stage", "status", Kind::Text),
    column("origin", "source", Kind::Text),
    column("manager", "boss", Kind::Reference),
];
static COMPANIES: [Column; 3] = [
    column("name", "title", Kind::Text),
    column("city", "town", Kind::Text),
    column("main_contact", "chief", Kind::Reference),
];

pub(crate) fn columns(object: usize) -> &'static [Column] {
    if object == PERSON { &PEOPLE } else { &COMPANIES }
}

/// The object that a reference points to; `None` for every other field.
pub(crate) fn target(object: usize, field: usize) -> Option<usize> {
    match (object, field) {
        (PERSON, EMPLOYER) => Some(COMPANY),
        (PERSON, MANAGER) | (COMPANY, CONTACT) => Some(PERSON),
        _ => None,
    }
}

impl Words {
    pub(crate) fn object(self, object: usize) -> &'static str {
        match (self, object) {
            (Words::Hub, PERSON) => "contact",
            (Words::Hub, _) => "company",
            (Words::Remote, PERSON) => "person",
            (Words::Remote, _) => "org",
        }
    }

    pub(crate) fn field(self, object: usize, field: usize) -> &'static str {
        columns(object)[field].names[self as usize]
    }

    /// The object with this name.
    pub(crate) fn read_object(self, name: &str) -> Option<usize> {
        [PERSON, COMPANY].into_iter().find(|object| self.object(*object) == name)
    }

    /// The index of the field with this name.
    pub(crate) fn read_field(self, object: usize, name: &str) -> Option<usize> {
        (0..columns(object).len()).find(|field| self.field(object, *field) == name)
    }

    /// The fields, as a remote describes them.
    pub(crate) fn describe(self, object: usize) -> Vec<Field> {
        let fields = columns(object).iter().enumerate();
        fields
            .map(|(place, column)| Field {
                name: self.field(object, place).to_owned(),
                label: self.field(object, place).to_owned(),
                kind: column.kind.clone(),
                writable: true,
                set_like: column.kind == Kind::Texts,
                identifier: place == IDENTIFIER,
                targets: target(object, place).map(|of| self.object(of).to_owned()).into_iter().collect(),
                ..Field::default()
            })
            .collect()
    }
}

/// The field mappings of an object, with the policies common to all characters.
pub(crate) fn field_mappings(object: usize, words: Sides<Words>, slots: &[Slot]) -> Vec<FieldMapping> {
    let fields = columns(object).iter().zip(slots).enumerate();
    fields
        .map(|(place, (column, slot))| FieldMapping {
            slot: *slot,
            names: words.map(|words| words.field(object, place).to_owned()),
            kinds: Sides::by(|_| column.kind.clone()),
            writable: Sides::new(true, true),
            set_like: column.kind == Kind::Texts,
            ..FieldMapping::default()
        })
        .collect()
}

/// The normalised form in which remotes store a value.
pub(crate) fn normalised(object: usize, field: usize, value: Value) -> Value {
    let Value::Text(text) = &value else { return value };
    match (object, field) {
        (PERSON, IDENTIFIER) => Value::text(text.trim().to_lowercase()),
        (PERSON, NAME) => Value::text(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        (PERSON, PHONE) => {
            let digits = subscriber(text);
            if digits.is_empty() {
                value
            } else {
                Value::text(format!(
                    "+49 {} {}",
                    &digits[..2.min(digits.len())],
                    &digits[2.min(digits.len())..]
                ))
            }
        }
        _ => value,
    }
}

/// The digits of a phone number without country code or leading zero.
fn subscriber(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let bare =
        if text.trim_start().starts_with('+') { digits.strip_prefix("49") } else { digits.strip_prefix('0') };
    bare.unwrap_or(&digits).to_owned()
}

/// The form in which values of two systems are compared: all normalised forms of a value are equal.
pub(crate) fn meaning(object: usize, field: usize, value: &Value) -> Value {
    if value.is_blank() {
        return Value::Null;
    }
    match value {
        Value::Text(text) if (object, field) == (PERSON, PHONE) => Value::text(subscriber(text)),
        Value::Text(text) => {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if words.is_empty() && (object, field) == (PERSON, IDENTIFIER) {
                return Value::Null;
            }
            Value::text(if field == IDENTIFIER && object == PERSON { words.to_lowercase() } else { words })
        }
        Value::Texts(texts) => {
            let mut texts = texts.clone();
            texts.sort();
            texts.dedup();
            Value::Texts(texts)
        }
        other => other.clone(),
    }
}
