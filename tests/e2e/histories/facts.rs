//! The oracle: what people did on both sides, and what must therefore stand there in the end.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Hub,
    Crm,
}

/// Fields of the hub beside those of the CRM, as the plugin proposes to map them.
pub(crate) const CONTACT: [(&str, &str); 14] = [
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("email", "email"),
    ("phone", "phone"),
    ("mobile", "mobile"),
    ("company", "organisation"),
    ("position", "job_title"),
    ("address", "street"),
    ("city", "city"),
    ("region", "region"),
    ("country", "country"),
    ("website", "website"),
    ("points", "score"),
    ("tags", "tags"),
];
pub(crate) const COMPANY: [(&str, &str); 8] = [
    ("name", "name"),
    ("email", "email"),
    ("phone", "phone"),
    ("website", "website"),
    ("address", "street"),
    ("city", "city"),
    ("region", "region"),
    ("country", "country"),
];

/// The field, by its name in the CRM, that tells who a record is: nobody edits it, and no merge touches it.
pub(crate) fn who_field(person: bool) -> &'static str {
    if person { "job_title" } else { "region" }
}

/// A value without what a remote system that tidies up may change of it.
pub(crate) fn plain(field: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(list) => {
            let texts: BTreeSet<&str> = list.iter().filter_map(Value::as_str).collect();
            texts.into_iter().collect::<Vec<_>>().join(" ")
        }
        Value::String(text) => match field {
            "country" => text.to_uppercase(),
            "email" => text.to_lowercase(),
            "phone" | "mobile" => text.chars().filter(char::is_ascii_digit).collect(),
            _ => text.clone(),
        },
        other => other.to_string(),
    }
}

/// A record of a side: who it is, its id, and its plain values by the CRM's names. References are who they lead to.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) who: String,
    pub(crate) id: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// What must be true of the values.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Edits of a field of somebody since both sides last agreed on it, in their true order.
    edits: BTreeMap<(String, String), Vec<(Place, String)>>,
    /// Tags that were put on, and those of them that were taken off again.
    tags: BTreeMap<(String, String), bool>,
    /// Who was deleted or merged by a person, and where.
    pub(crate) gone: BTreeMap<String, Place>,
    /// Whom a merge made part of somebody. What the hub says of them is said of the winner, whose record theirs becomes.
    heirs: BTreeMap<String, Vec<String>>,
    /// Who was entered on both sides, and is known to be one by the address only.
    pub(crate) both: BTreeSet<String>,
    /// Those of them who lost the address, or one of the two records, perhaps before a run saw that they are one. Nobody can
    /// know it then.
    pub(crate) apart: BTreeSet<String>,
}

impl Facts {
    pub(crate) fn edited(&mut self, who: &str, field: &str, place: Place, value: String) {
        self.edits.entry((who.to_owned(), field.to_owned())).or_default().push((place, value));
    }

    pub(crate) fn tagged(&mut self, who: &str, tag: &str, on: bool) {
        self.tags.insert((who.to_owned(), tag.to_owned()), on);
    }

    pub(crate) fn goes(&mut self, who: &str, place: Place) {
        self.gone.insert(who.to_owned(), place);
        self.loses_address(who);
    }

    pub(crate) fn merged(&mut self, loser: &str, winner: &str) {
        self.heirs.entry(winner.to_owned()).or_default().push(loser.to_owned());
    }

    pub(crate) fn loses_address(&mut self, who: &str) {
        if self.both.contains(who) {
            self.apart.insert(who.to_owned());
        }
    }

    /// Values of which one must stand there in the end: the last edit, or where clocks differ the last of each side.
    fn allowed(&self, who: &str, field: &str, exact: bool) -> Vec<&str> {
        let Some(edits) = self.edits.get(&(who.to_owned(), field.to_owned())) else { return Vec::new() };
        let mut line = vec![who];
        let mut at = 0;
        while at < line.len() {
            let losers = self.heirs.get(line[at]).into_iter().flatten().map(String::as_str);
            let new: Vec<&str> = losers.filter(|loser| !line.contains(loser)).collect();
            line.extend(new);
            at += 1;
        }
        if line.len() > 1 {
            let of =
                |who: &&str| self.edits.get(&((*who).to_owned(), field.to_owned())).into_iter().flatten();
            return line.iter().flat_map(of).map(|edit| edit.1.as_str()).collect();
        }
        let last = |place| edits.iter().rev().find(|edit| edit.0 == place).map(|edit| edit.1.as_str());
        if exact {
            return edits.last().map(|edit| edit.1.as_str()).into_iter().collect();
        }
        [last(Place::Hub), last(Place::Crm)].into_iter().flatten().collect()
    }

    /// What is wrong with a field that both sides agree on. Nothing that was said of the field before counts any more.
    pub(crate) fn agreed(&mut self, who: &str, field: &str, value: &str, exact: bool) -> Option<String> {
        if self.gone.contains_key(who) {
            return None;
        }
        if field == "tags" {
            return self.tags_of(who, value);
        }
        let allowed = self.allowed(who, field, exact);
        let wrong = !allowed.is_empty() && !allowed.contains(&value);
        let told =
            wrong.then(|| format!("LOST {who}, {field}: «{value}», but the last edits are {allowed:?}"));
        let edits = self.edits.entry((who.to_owned(), field.to_owned())).or_default();
        *edits = vec![(Place::Hub, value.to_owned()), (Place::Crm, value.to_owned())];
        told
    }

    fn tags_of(&self, who: &str, value: &str) -> Option<String> {
        let there: BTreeSet<&str> = value.split(' ').filter(|tag| !tag.is_empty()).collect();
        let mut known = self.tags.iter().filter(|((of, _), _)| of == who);
        known.find_map(|((_, tag), on)| {
            let wrong = there.contains(tag.as_str()) != *on;
            wrong
                .then(|| format!("LOST {who}: the tag {tag} was put on or taken off, and there is «{value}»"))
        })
    }
}
