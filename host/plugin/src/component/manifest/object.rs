//! Objects of a manifest: what a plugin reads and writes, field by field.

use super::{MOST_ASKS, ManifestError};
use crate::text::{clean, quoted};
use entente_core::Foreign;
use entente_sync::{Feature, Object};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Stands for every field of an object, those of the customer included.
const EVERY: &str = "*";
const MOST_FIELDS: usize = 500;

/// An object of the remote system that a plugin reads or writes.
///
/// Once a manifest lists objects, the host takes no other one from its plugin, and writes no other field: what the plugin
/// describes beyond them is left out before a mapping can name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectAsk {
    /// Its name, as the plugin describes it; `*` is every object that has no entry of its own.
    pub name: String,
    /// The fields whose values come from the remote system; `*` is every field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The fields that it changes there; `*` is every field. What is written is read as well, to see whether it has to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// The reason, for the operator.
    pub reason: String,
}

impl ObjectAsk {
    fn named(fields: &[String], field: &str) -> bool {
        fields.iter().any(|name| name == field || name == EVERY)
    }

    /// Leaves out the fields of an object that are not named here, and makes those that are only read read-only.
    ///
    /// Where a record cannot be created without a field that is not written, none is created.
    fn narrow(&self, object: &mut Object) {
        let unwritten = |field: &entente_sync::Field| {
            field.required && field.writable && !Self::named(&self.writes, &field.name)
        };
        if object.fields.iter().any(unwritten) {
            object.features.remove(&Feature::Create);
        }
        object
            .fields
            .retain(|field| Self::named(&self.reads, &field.name) || Self::named(&self.writes, &field.name));
        for field in &mut object.fields {
            field.writable &= Self::named(&self.writes, &field.name);
        }
    }

    /// The part of it that an earlier manifest did not have.
    pub(super) fn more_than(&self, before: &[Self]) -> Option<Self> {
        let Some(old) = of(before, &self.name) else { return Some(self.clone()) };
        let more = |now: &[String], then: &[String]| -> Vec<String> {
            now.iter().filter(|field| !Self::named(then, field)).cloned().collect()
        };
        let (reads, writes) = (more(&self.reads, &old.reads), more(&self.writes, &old.writes));
        let more = !reads.is_empty() || !writes.is_empty();
        more.then(|| Self { name: self.name.clone(), reads, writes, reason: self.reason.clone() })
    }

    pub(super) fn checked(&self) -> Result<(), ManifestError> {
        let name = clean(&self.name, 100);
        if self.name.is_empty() || name != self.name {
            return Err(ManifestError(format!("{} is no name of an object", quoted(&self.name, 100))));
        }
        if self.reads.is_empty() && self.writes.is_empty() {
            return Err(ManifestError(format!(
                "nothing of the object {} is read or written: name its fields, or \"{EVERY}\" for all",
                quoted(&name, 100)
            )));
        }
        for fields in [&self.reads, &self.writes] {
            if fields.len() > MOST_FIELDS {
                return Err(ManifestError(format!(
                    "{} fields of the object {} are named; {MOST_FIELDS} can be named: write \"{EVERY}\"",
                    fields.len(),
                    quoted(&name, 100)
                )));
            }
            if let Some(field) = fields.iter().find(|field| field.is_empty() || clean(field, 100) != **field)
            {
                let (field, name) = (quoted(field, 100), quoted(&name, 100));
                return Err(ManifestError(format!("{field} of the object {name} is no name of a field")));
            }
        }
        Ok(())
    }

    /// `reads of the object person: name, email; writes to it: email`
    pub(super) fn words(&self) -> String {
        let list = |fields: &[String]| match fields {
            fields if Self::named(fields, EVERY) => "every field".to_owned(),
            fields => fields.iter().map(|field| Foreign::new(field).named()).collect::<Vec<_>>().join(", "),
        };
        let object = match self.name.as_str() {
            EVERY => "every object".to_owned(),
            name => format!("the object {}", Foreign::new(name).named()),
        };
        let (reads, writes) = (list(&self.reads), list(&self.writes));
        match (self.reads.is_empty(), self.writes.is_empty()) {
            (true, true) if self.name == EVERY => "reads or writes objects that it does not name".to_owned(),
            (_, true) => format!("reads of {object}: {reads}"),
            (true, false) => format!("writes to {object}: {writes}"),
            (false, false) if reads == writes => format!("reads of {object} and writes to it: {reads}"),
            (false, false) => format!("reads of {object}: {reads}; writes to it: {writes}"),
        }
    }
}

/// The entry for an object.
fn of<'a>(asks: &'a [ObjectAsk], object: &str) -> Option<&'a ObjectAsk> {
    let named = |name: &str| asks.iter().find(|ask| ask.name == name);
    named(object).or_else(|| named(EVERY))
}

/// The objects and fields that an earlier manifest did not ask for. One without objects asks for all.
pub(super) fn more_objects(now: &[ObjectAsk], before: &[ObjectAsk]) -> Vec<ObjectAsk> {
    let every = || vec![EVERY.to_owned()];
    match (now, before) {
        (_, []) => Vec::new(),
        ([], _) => vec![ObjectAsk {
            name: EVERY.to_owned(),
            reads: every(),
            writes: every(),
            reason: "its manifest no longer names objects".to_owned(),
        }],
        (now, before) => {
            // What was named and is no more may come under the entry for every object, which says more of it.
            let unnamed =
                before.iter().filter(|old| old.name != EVERY && !now.iter().any(|ask| ask.name == old.name));
            let of_every =
                |old: &ObjectAsk| Some(ObjectAsk { name: old.name.clone(), ..of(now, &old.name)?.clone() });
            let unnamed: Vec<ObjectAsk> = unnamed.filter_map(of_every).collect();
            now.iter().chain(&unnamed).filter_map(|ask| ask.more_than(before)).collect()
        }
    }
}

/// The objects and fields that a later manifest no longer asks for. From every object to those that it names it goes without
/// fields: it is not that none is read.
pub(super) fn less_objects(before: &[ObjectAsk], now: &[ObjectAsk]) -> Vec<ObjectAsk> {
    let names_all = now.iter().any(|ask| ask.name == EVERY);
    let mut less = more_objects(before, now);
    for ask in less.iter_mut().filter(|ask| ask.name == EVERY && !names_all) {
        let name = EVERY.to_owned();
        *ask = ObjectAsk { name, reads: Vec::new(), writes: Vec::new(), reason: String::new() };
    }
    less
}

pub(super) fn check_objects(asks: &[ObjectAsk]) -> Result<(), ManifestError> {
    if asks.len() > MOST_ASKS {
        return Err(ManifestError(format!(
            "it asks for {} of the kind object; {MOST_ASKS} can be asked for",
            asks.len()
        )));
    }
    let mut seen = BTreeSet::new();
    for ask in asks {
        ask.checked()?;
        if !seen.insert(ask.name.as_str()) {
            return Err(ManifestError(format!("the object {} occurs twice", quoted(&ask.name, 100))));
        }
    }
    Ok(())
}

/// Leaves out of what a plugin describes all that its manifest does not name. A manifest without objects names everything.
pub(super) fn narrow(asks: &[ObjectAsk], objects: &mut Vec<Object>) {
    if asks.is_empty() {
        return;
    }
    objects.retain_mut(|object| match of(asks, &object.name) {
        Some(ask) => {
            ask.narrow(object);
            true
        }
        None => false,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_sync::Field;

    fn asks(toml: &str) -> Vec<ObjectAsk> {
        #[derive(Deserialize)]
        struct Whole {
            object: Vec<ObjectAsk>,
        }
        toml::from_str::<Whole>(toml).unwrap().object
    }

    /// Objects with the fields `a`, `b` and `c`, all of them writable but `c`.
    fn described() -> Vec<Object> {
        let field = |name: &str| Field { name: name.to_owned(), writable: name != "c", ..Field::default() };
        let object = |name: &str| Object {
            name: name.to_owned(),
            fields: vec![field("a"), field("b"), field("c")],
            ..Object::default()
        };
        vec![object("person"), object("deal")]
    }

    #[test]
    fn what_is_not_named_is_left_out_of_what_a_plugin_describes() {
        let left = |toml: &str| {
            let mut objects = described();
            narrow(&asks(toml), &mut objects);
            let field = |field: &Field| format!("{}{}", field.name, if field.writable { "!" } else { "" });
            let line = |object: &Object| {
                format!("{}: {}", object.name, object.fields.iter().map(field).collect::<Vec<_>>().join(" "))
            };
            objects.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        let table = [
            ("[[object]]\nname = \"person\"\nreads = [\"a\"]\nreason = \"r\"", "person: a"),
            ("[[object]]\nname = \"person\"\nwrites = [\"a\", \"c\"]\nreason = \"r\"", "person: a! c"),
            (
                "[[object]]\nname = \"person\"\nreads = [\"*\"]\nwrites = [\"b\"]\nreason = \"r\"",
                "person: a b! c",
            ),
            ("[[object]]\nname = \"*\"\nreads = [\"a\"]\nreason = \"r\"", "person: a; deal: a"),
            (
                "[[object]]\nname = \"*\"\nreads = [\"a\"]\nreason = \"r\"\n[[object]]\nname = \"deal\"\nwrites = [\"*\"]\nreason = \"r\"",
                "person: a; deal: a! b! c",
            ),
            ("[[object]]\nname = \"other\"\nreads = [\"a\"]\nreason = \"r\"", ""),
        ];
        for (toml, expected) in table {
            assert_eq!(left(toml), expected, "{toml}");
        }
        let mut needed = described();
        needed[0].fields[1].required = true;
        needed[0].features.insert(Feature::Create);
        needed[1].features.insert(Feature::Create);
        let asked = "[[object]]\nname = \"*\"\nreads = [\"*\"]\nwrites = [\"a\"]\nreason = \"r\"";
        narrow(&asks(asked), &mut needed);
        assert!(!needed[0].has(Feature::Create), "b is required and not written");
        assert!(needed[1].has(Feature::Create));
        let mut all = described();
        narrow(&[], &mut all);
        assert_eq!(all, described(), "a manifest without objects names them all");
    }
}
