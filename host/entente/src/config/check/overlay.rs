//! Overlay: merges the file's mapping over the one that a plugin proposes.

use crate::config::file::form::{FieldEntry, FieldWord, MappingEntry, nowhere};
use std::collections::BTreeSet;
use toml::Spanned;

/// Replaces proposed objects by those of the file; within an object, field by field.
pub(crate) fn overlay(base: Vec<MappingEntry>, file: &[Spanned<MappingEntry>]) -> Vec<Spanned<MappingEntry>> {
    fn names(entry: &MappingEntry) -> [Option<&str>; 2] {
        [text(&entry.left), text(&entry.right)]
    }
    let mut rest: Vec<MappingEntry> = base;
    let mut entries = Vec::new();
    for entry in file {
        let given = entry.get_ref();
        // If the file names only one side, the other is as proposed.
        let matches = |proposed: &MappingEntry| {
            let (ours, theirs) = (names(given), names(proposed));
            (0..2).all(|side| ours[side].is_none() || ours[side] == theirs[side])
                && ours.iter().any(Option::is_some)
        };
        let merged = match rest.iter().position(matches) {
            Some(at) => merge(rest.remove(at), given),
            None => given.clone(),
        };
        entries.push(Spanned::new(entry.span(), merged));
    }
    entries.extend(rest.into_iter().map(nowhere));
    entries
}

fn text(name: &Option<Spanned<String>>) -> Option<&str> {
    name.as_ref().map(|name| name.get_ref().as_str())
}

fn merge(base: MappingEntry, given: &MappingEntry) -> MappingEntry {
    let mut merged = given.clone();
    merged.left = given.left.clone().or(base.left);
    merged.right = given.right.clone().or(base.right);
    merged.identifiers = given.identifiers.clone().or(base.identifiers);
    merged.identify_by = given.identify_by.or(base.identify_by);
    merged.groups = given.groups.clone().or(base.groups);
    merged.create = given.create.clone().or(base.create);
    merged.deletes = given.deletes.or(base.deletes);
    merged.filter_left = given.filter_left.clone().or(base.filter_left);
    merged.filter_right = given.filter_right.clone().or(base.filter_right);
    merged.prefer_left = given.prefer_left.clone().or(base.prefer_left);
    merged.prefer_right = given.prefer_right.clone().or(base.prefer_right);
    let proposed: Vec<FieldEntry> = base.field.into_iter().map(Spanned::into_inner).collect();
    // For a field named on one side only, whatever the file leaves out is as proposed.
    let complete = |left: Option<&str>, entry: &mut FieldEntry| {
        // A constant takes the place of the other field.
        if entry.constant.is_some() {
            return;
        }
        let same = |field: &&FieldEntry| {
            text(&field.left) == left && (entry.right.is_none() || text(&field.right) == text(&entry.right))
        };
        if let Some(field) = proposed.iter().find(same) {
            entry.right = entry.right.take().or_else(|| field.right.clone());
            entry.direction = entry.direction.take().or_else(|| field.direction.clone());
            entry.required = entry.required.take().or_else(|| field.required.clone());
        }
    };
    let mut replaced: BTreeSet<(usize, String)> = BTreeSet::new();
    for (left, word) in &mut merged.fields {
        replaced.insert((0, left.get_ref().clone()));
        if let FieldWord::Entry(entry) = word {
            complete(Some(left.get_ref()), entry);
            replaced.extend(text(&entry.right).map(|right| (1, right.to_owned())));
        }
    }
    for entry in &mut merged.field {
        let left = entry.get_ref().left.clone();
        complete(text(&left), entry.get_mut());
        replaced.extend(text(&left).map(|left| (0, left.to_owned())));
        replaced.extend(text(&entry.get_ref().right).map(|right| (1, right.to_owned())));
    }
    for field in proposed {
        let out = [(0, &field.left), (1, &field.right)]
            .into_iter()
            .any(|(side, name)| text(name).is_some_and(|name| replaced.contains(&(side, name.to_owned()))));
        if !out {
            merged.field.push(nowhere(field));
        }
    }
    merged
}
