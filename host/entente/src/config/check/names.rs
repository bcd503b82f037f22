//! Validation of names alone: what is known of a mapping while one of its sides cannot be described.

use super::field::{listed, no_field};
use super::fixed::is_stand_in;
use super::object::no_object;
use super::sync::Findings;
use crate::config::file::form::MappingEntry;
use crate::config::file::words::SideWords;
use entente_sync::{Description, Side, Sides};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// Objects and fields that an exchange can have, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Whether it can have other objects as well.
    pub more: bool,
    /// The fields of each object; `None` where it can have any.
    pub objects: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl From<&Description> for Names {
    fn from(description: &Description) -> Self {
        let objects = description.objects.iter().map(|object| {
            (object.name.clone(), Some(object.fields.iter().map(|field| field.name.clone()).collect()))
        });
        Self { more: false, objects: objects.collect() }
    }
}

/// Checks that the objects and fields of a sync can be there, as far as is known.
pub(super) fn check_names(
    entries: &[Spanned<MappingEntry>],
    sides: SideWords<'_>,
    known: &Sides<Option<Names>>,
    part: &str,
    found: &mut Findings<'_>,
) {
    for entry in entries {
        if found.is_full() {
            return;
        }
        let given = Sides::new(&entry.get_ref().left, &entry.get_ref().right);
        let filters = Sides::new(&entry.get_ref().filter_left, &entry.get_ref().filter_right);
        for side in Side::BOTH {
            let (Some(names), Some(object)) = (&known[side], given[side]) else { continue };
            let (exchange, object_name) = (&sides.exchanges[side], object.get_ref());
            let Some(fields) = names.objects.get(object_name) else {
                if !names.more {
                    let there = names.objects.keys().map(String::as_str);
                    found.problem(&object.span(), part, no_object(exchange, object_name, there));
                }
                continue;
            };
            let Some(fields) = fields else { continue };
            let there = || fields.iter().map(String::as_str);
            for one in listed(entry) {
                if found.is_full() {
                    return;
                }
                let name = one.spanned(side);
                let stands = one.entry.constant.is_some() && is_stand_in(name.get_ref());
                if !stands && !name.get_ref().is_empty() && !fields.contains(name.get_ref()) {
                    let message = no_field(exchange, object_name, name.get_ref(), there());
                    found.problem(&name.span(), part, message);
                }
            }
            for condition in filters[side].iter().flatten() {
                if found.is_full() {
                    return;
                }
                let name = &condition.get_ref().field;
                if !fields.contains(name.get_ref()) {
                    let message = no_field(exchange, object_name, name.get_ref(), there());
                    found.problem(&name.span(), part, format!("filter-{side}: {message}"));
                }
            }
        }
    }
}
