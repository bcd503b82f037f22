//! The fuzz targets: each takes any bytes and panics where something does not hold that must. And what
//! several of them share.

pub mod answers;
pub mod book;
pub mod cards;
pub mod csv;
pub mod description;
pub mod grant;
pub mod inspect;
pub mod judge;
pub mod manifest;
pub mod page;
pub mod request;
pub mod scrub;
pub mod settings;
pub mod sides;
pub mod text;
pub mod value;

use entente_core::Value;
use entente_plugin::Limits;

/// Small limits, so that inputs of some hundred bytes reach them.
pub fn limits() -> Limits {
    Limits {
        functions: 8,
        imports: 8,
        nesting: 4,
        page_rows: 20,
        page_bytes: 4096,
        id_bytes: 40,
        token_bytes: 100,
        objects: 6,
        fields: 7,
        reason_bytes: 60,
        ..Limits::default()
    }
}

/// Whether a text stays on its line and shows all that it is.
pub fn is_clean(text: &str) -> bool {
    entente_cli::fuzzing::plugin::clean(text, u64::MAX) == text
}

/// Bytes of the texts of a value.
pub fn size(value: &Option<Value>) -> u64 {
    let bytes = match value {
        Some(Value::Text(text)) => text.len(),
        Some(Value::Texts(texts)) => texts.iter().map(String::len).sum(),
        Some(Value::Reference(one)) => one.object.len() + one.id.len(),
        Some(Value::References(all)) => all.iter().map(|one| one.object.len() + one.id.len()).sum(),
        Some(Value::Other { kind, text }) => kind.len() + text.len(),
        _ => 0,
    };
    bytes as u64
}

/// A value that there can be.
pub fn is_possible(value: &Option<Value>) -> bool {
    match value {
        Some(Value::Float(number)) => number.is_finite(),
        Some(Value::Reference(one)) => !one.object.is_empty() && !one.id.is_empty(),
        Some(Value::References(all)) => all.iter().all(|one| !one.object.is_empty() && !one.id.is_empty()),
        _ => true,
    }
}

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("answers", answers::run),
    ("book", book::run),
    ("cards", cards::run),
    ("csv", csv::run),
    ("description", description::run),
    ("grant", grant::run),
    ("inspect", inspect::run),
    ("judge", judge::run),
    ("manifest", manifest::run),
    ("page", page::run),
    ("request", request::run),
    ("scrub", scrub::run),
    ("settings", settings::run),
    ("text", text::run),
    ("value", value::run),
];
