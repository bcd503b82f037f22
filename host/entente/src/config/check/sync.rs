//! Validation of a file against what the exchanges describe: syncs that can be run, or every problem.

use super::manual;
use super::names::{Names, check_names};
use super::object;
use super::overlay::overlay;
use crate::config::error::{Notice, Position, Problem, Problems};
use crate::config::file::form::{CustomEntry, File, MappingEntry, ObjectEntry, SyncEntry};
use crate::config::file::words::SideWords;
use crate::config::names::{HUB, check_name, known};
use crate::config::stored::custom::{Custom, CustomField, CustomObject};
use entente_core::Kind;
use entente_sqlite::{MOST_CHOICES, MOST_FIELDS, MOST_FIELDS_OF_ALL, MOST_OBJECTS};
use entente_sync::Remedy;
use entente_sync::{Brake, Description, Feature, Field, Object, ProposedMapping, Sides, SyncDefinition};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

/// A valid sync whose mappings and slots have no numbers yet; the ledger assigns them when it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncDraft(pub(crate) SyncDefinition);

impl SyncDraft {
    /// The definition, with indexes in place of the numbers of mappings and slots.
    pub fn definition(&self) -> &SyncDefinition {
        &self.0
    }
}

/// A valid file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checked {
    /// Custom objects of the hub.
    pub objects: Vec<CustomObject>,
    /// Custom fields of the hub.
    pub fields: Vec<CustomField>,
    /// The syncs.
    pub syncs: Vec<SyncDraft>,
    /// Notices for the operator.
    pub notices: Vec<Notice>,
}

/// Validates a file. `descriptions` has the description of each exchange of [`File::needed`], the hub
/// included, and `manuals` the mappings that the integrations propose.
///
/// # Errors
/// Every problem, in file order.
pub fn check(
    file: &File,
    descriptions: &BTreeMap<String, Description>,
    manuals: &BTreeMap<String, Vec<ProposedMapping>>,
) -> Result<Checked, Problems> {
    let mut found = Findings::new(file);
    let checked = check_with(file, descriptions, manuals, &Stored::default(), &mut found);
    found.end(checked)
}

/// The stored configuration that the file builds on.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) syncs: Vec<SyncDefinition>,
    pub(crate) custom: Custom,
    /// The names of all integrations.
    pub(crate) integrations: Vec<String>,
    /// Integrations with a known problem, which is not reported again.
    pub(crate) broken: BTreeSet<String>,
    /// What is known of exchanges that could not be described.
    pub(crate) names: BTreeMap<String, Names>,
}

/// How many problems of a file are told, and how many notices: more help nobody.
const MOST_PROBLEMS: usize = 1000;
/// Syncs of a file.
const MOST_SYNCS: usize = 1000;
/// Objects of a sync.
const MOST_MAPPINGS: usize = 1000;
/// Fields of two objects that are mapped.
const MOST_MAPPED: usize = 1000;
/// Fields that all syncs of a file map.
const MOST_MAPPED_OF_ALL: usize = 20_000;
/// Identifiers, conditions of a filter, and rules of preference of two objects, each.
const MOST_RULES: usize = 100;

/// Problems and notices found so far, with their positions.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    file: &'a File,
    pub(crate) problems: Vec<Problem>,
    pub(crate) notices: Vec<Notice>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self { file, problems: Vec::new(), notices: Vec::new() }
    }

    fn position(&self, span: &Range<usize>) -> Option<Position> {
        self.file.position(span)
    }

    fn found(
        &self,
        span: &Range<usize>,
        part: &str,
        message: impl Into<String>,
        remedies: impl IntoIterator<Item = Remedy>,
    ) -> Problem {
        Problem {
            position: self.position(span),
            part: part.to_owned(),
            message: message.into(),
            remedies: remedies.into_iter().collect(),
        }
    }

    pub(crate) fn problem(&mut self, span: &Range<usize>, part: &str, message: impl Into<String>) {
        self.problem_with(span, part, message, []);
    }

    pub(crate) fn problem_with(
        &mut self,
        span: &Range<usize>,
        part: &str,
        message: impl Into<String>,
        remedies: impl IntoIterator<Item = Remedy>,
    ) {
        match self.problems.len().cmp(&MOST_PROBLEMS) {
            Ordering::Less => self.problems.push(self.found(span, part, message, remedies)),
            Ordering::Equal => self.problems.push(Problem {
                position: None,
                part: "the file".to_owned(),
                message: format!("it has more than {MOST_PROBLEMS} problems; mend these first"),
                remedies: Vec::new(),
            }),
            Ordering::Greater => {}
        }
    }

    /// Whether no more problems are told, so that looking for them can end.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() > MOST_PROBLEMS
    }

    pub(crate) fn notice(&mut self, span: &Range<usize>, part: &str, message: impl Into<String>) {
        self.notice_with(span, part, message, []);
    }

    pub(crate) fn notice_with(
        &mut self,
        span: &Range<usize>,
        part: &str,
        message: impl Into<String>,
        remedies: impl IntoIterator<Item = Remedy>,
    ) {
        if self.notices.len() < MOST_PROBLEMS {
            self.notices.push(self.found(span, part, message, remedies));
        }
    }

    pub(crate) fn end(mut self, mut checked: Checked) -> Result<Checked, Problems> {
        self.problems.sort();
        self.problems.dedup();
        if self.problems.is_empty() {
            self.notices.sort();
            self.notices.dedup();
            checked.notices = self.notices;
            return Ok(checked);
        }
        Err(Problems(self.problems))
    }
}

pub(crate) fn check_with(
    file: &File,
    descriptions: &BTreeMap<String, Description>,
    manuals: &BTreeMap<String, Vec<ProposedMapping>>,
    stored: &Stored,
    found: &mut Findings<'_>,
) -> Checked {
    let mut checked = Checked::default();
    let mut hub = descriptions.get(HUB).cloned().unwrap_or_default();
    if fits(file, found) {
        for (name, entry) in &file.object {
            if found.is_full() {
                break;
            }
            check_custom(name, entry, &mut hub, stored, found, &mut checked);
        }
    }
    let mut descriptions = descriptions.clone();
    descriptions.insert(HUB.to_owned(), hub);
    let names: BTreeSet<&str> = file.sync.keys().map(|name| name.get_ref().as_str()).collect();
    let mut relations: Vec<(String, String, Sides<String>)> = stored
        .syncs
        .iter()
        .filter(|sync| !names.contains(sync.name.as_str()))
        .map(|sync| (sync.relation.clone(), sync.name.clone(), sync.exchanges.clone()))
        .collect();
    if !fits_syncs(file, found) {
        return checked;
    }
    for (name, entry) in &file.sync {
        if found.is_full() {
            break;
        }
        if let Some(sync) = check_sync(name, entry, &descriptions, manuals, stored, found, &mut relations) {
            checked.syncs.push(SyncDraft(sync));
        }
    }
    checked
}

/// Whether the file defines no more than a hub may have. Looked at first, so that the time which a file takes is in proportion
/// to its size.
fn fits(file: &File, found: &mut Findings<'_>) -> bool {
    let before = found.problems.len();
    let mut too_many = |part: &str, span: &Range<usize>, there: usize, most: usize, what: &str| {
        if there > most {
            found.problem(span, part, format!("it defines {there} {what}, and there are at most {most}"));
        }
    };
    let fields = file.object.values().map(|entry| entry.field.len()).sum();
    if let Some((name, _)) = file.object.iter().next() {
        let part = "the file";
        too_many(part, &name.span(), file.object.len(), MOST_OBJECTS, "objects of the hub");
        too_many(part, &name.span(), fields, MOST_FIELDS_OF_ALL, "fields of the hub");
    }
    for (name, entry) in &file.object {
        let part = format!("object {}", name.get_ref());
        too_many(&part, &name.span(), entry.field.len(), MOST_FIELDS, "fields");
        for (name, field) in &entry.field {
            let part = format!("{part}, field {}", name.get_ref());
            too_many(&part, &name.span(), field.choices.len(), MOST_CHOICES, "choices");
            too_many(&part, &name.span(), field.targets.len(), MOST_OBJECTS, "targets");
        }
    }
    found.problems.len() == before
}

/// Whether the file maps no more than is compared in a short time, since each of its names may be compared with all others.
fn fits_syncs(file: &File, found: &mut Findings<'_>) -> bool {
    let before = found.problems.len();
    let mut mapped = 0;
    let mut too_many = |part: &str, span: Range<usize>, there: usize, most: usize, what: &str| {
        if there > most {
            found.problem(&span, part, format!("it has {there} {what}, and there are at most {most}"));
        }
    };
    let first = |name: &Spanned<String>| name.span();
    let syncs = file.sync.keys().next().map(first).unwrap_or_default();
    too_many("the file", syncs.clone(), file.sync.len(), MOST_SYNCS, "syncs");
    for (name, entry) in &file.sync {
        let part = format!("sync {}", name.get_ref());
        too_many(&part, name.span(), entry.object.len(), MOST_MAPPINGS, "objects");
        for entry in &entry.object {
            let (given, span) = (entry.get_ref(), || entry.span());
            let fields = given.fields.len() + given.field.len();
            mapped += fields;
            too_many(&part, span(), fields, MOST_MAPPED, "fields of two objects");
            let identifiers = given.identifiers.as_ref().map_or(0, Vec::len);
            too_many(&part, span(), identifiers, MOST_RULES, "identifiers of an object");
            let grouped = given.groups.iter().flatten().map(|group| group.get_ref().len().max(1)).sum();
            too_many(&part, span(), grouped, MOST_RULES, "fields in groups");
            for filter in [&given.filter_left, &given.filter_right] {
                let conditions = filter.as_ref().map_or(0, Vec::len);
                too_many(&part, span(), conditions, MOST_RULES, "conditions of a filter");
            }
            for rules in [&given.prefer_left, &given.prefer_right] {
                let rules = rules.as_ref().map_or(0, Vec::len);
                too_many(&part, span(), rules, MOST_RULES, "rules of preference");
            }
        }
    }
    too_many("the file", syncs, mapped, MOST_MAPPED_OF_ALL, "mapped fields");
    found.problems.len() == before
}

/// Adds a custom object, or custom fields, to the description of the hub.
fn check_custom(
    name: &Spanned<String>,
    entry: &ObjectEntry,
    hub: &mut Description,
    stored: &Stored,
    found: &mut Findings<'_>,
    checked: &mut Checked,
) {
    let object = name.get_ref();
    let part = format!("object {object}");
    if let Err(message) = check_name("object", object) {
        return found.problem(&name.span(), &part, message);
    }
    let custom = hub.object(object).is_none() || stored.custom.object(object).is_some();
    if custom {
        let label = entry.label.clone().unwrap_or_else(|| object.clone());
        checked.objects.push(CustomObject { name: object.clone(), label: label.clone() });
        if hub.object(object).is_none() {
            let words = hub.objects.first().map_or_else(
                || [Feature::Create, Feature::Update, Feature::Delete].into(),
                |first| first.features.clone(),
            );
            hub.objects.push(Object { name: object.clone(), label, features: words, ..Object::default() });
        }
    } else if entry.label.is_some() {
        found.problem(
            &name.span(),
            &part,
            "it is built in, so its label cannot be changed; only fields can be added",
        );
    }
    for (name, entry) in &entry.field {
        if found.is_full() {
            break;
        }
        let part = format!("{part}, field {}", name.get_ref());
        let field = custom_field(name, entry, &part, hub, found);
        let there = hub.object(object).and_then(|there| there.field(name.get_ref()));
        if there.is_some() && stored.custom.field(object, name.get_ref()).is_none() {
            found.problem(
                &name.span(),
                &part,
                format!("the hub has a field '{}' of its own on {object}; take another name", name.get_ref()),
            );
        }
        // Added even if invalid, so that syncs that use it are not reported too.
        if let Some(there) = hub.objects.iter_mut().find(|there| there.name == *object) {
            there.fields.retain(|known| known.name != field.name);
            there.fields.push(field.clone());
        }
        checked.fields.push(CustomField { object: object.clone(), field });
    }
}

fn custom_field(
    name: &Spanned<String>,
    entry: &CustomEntry,
    part: &str,
    hub: &Description,
    found: &mut Findings<'_>,
) -> Field {
    if let Err(message) = check_name("field", name.get_ref()) {
        found.problem(&name.span(), part, message);
    }
    let kind = Kind::from(entry.kind.get_ref().as_str());
    if let Kind::Other(word) = &kind {
        let there = Kind::KNOWN.iter().map(Kind::as_str);
        found.problem(&entry.kind.span(), part, format!("unknown kind '{word}'; {}", known(word, there)));
    }
    let linking = kind.is_link();
    if linking && entry.targets.is_empty() {
        found.problem(
            &name.span(),
            part,
            format!("a {kind} needs targets: the objects that it may point to"),
        );
    }
    for target in &entry.targets {
        if found.is_full() {
            break;
        }
        if !linking {
            found.problem(
                &target.span(),
                part,
                format!("only references have targets, and its kind is {kind}"),
            );
        } else if hub.object(target.get_ref()).is_none()
            && !found.file.object.contains_key(target.get_ref().as_str())
        {
            let there = hub.objects.iter().map(|object| object.name.as_str());
            found.problem(
                &target.span(),
                part,
                format!(
                    "the hub has no object '{}' to point to; {}",
                    target.get_ref(),
                    known(target.get_ref(), there)
                ),
            );
        }
    }
    if let Some(set) = entry.set_like.as_ref().filter(|set| *set.get_ref() && !kind.is_list()) {
        found.problem(
            &set.span(),
            part,
            format!("only lists are sets, and its kind is {kind}; take texts, choices or references"),
        );
    }
    let choices: Vec<(String, String)> =
        entry.choices.iter().map(crate::config::file::form::ChoiceEntry::pair).collect();
    if !choices.is_empty() && !kind.is_choice() {
        found.problem(
            &entry.kind.span(),
            part,
            format!("only the kinds choice and choices have choices, and its kind is {kind}"),
        );
    }
    Field {
        name: name.get_ref().clone(),
        label: entry.label.clone().unwrap_or_else(|| name.get_ref().clone()),
        set_like: entry.set_like.as_ref().map_or(kind == Kind::Choices, |set| *set.get_ref()),
        kind,
        required: entry.required,
        writable: true,
        identifier: entry.identifier,
        targets: entry.targets.iter().map(|target| target.get_ref().clone()).collect(),
        choices,
        max_length: entry.max_length,
        ..Field::default()
    }
}

fn check_sync(
    name: &Spanned<String>,
    entry: &SyncEntry,
    descriptions: &BTreeMap<String, Description>,
    manuals: &BTreeMap<String, Vec<ProposedMapping>>,
    stored: &Stored,
    found: &mut Findings<'_>,
    relations: &mut Vec<(String, String, Sides<String>)>,
) -> Option<SyncDefinition> {
    let part = format!("sync {}", name.get_ref());
    if let Err(message) = check_name("sync", name.get_ref()) {
        found.problem(&name.span(), &part, message);
    }
    let exchanges = entry.exchanges(name.get_ref());
    let relation =
        entry.relation.as_ref().map_or_else(|| name.get_ref().clone(), |relation| relation.get_ref().clone());
    let relation_span = entry.relation.as_ref().map_or_else(|| name.span(), Spanned::span);
    if let Some(given) = &entry.relation
        && let Err(message) = check_name("relation", &relation)
    {
        found.problem(&given.span(), &part, message);
    }
    if exchanges.left == exchanges.right {
        let span = entry.right.as_ref().map_or_else(|| name.span(), Spanned::span);
        found.problem(&span, &part, format!("'{}' is on both sides; a sync joins two", exchanges.left));
        return None;
    }
    if let Some((_, other, theirs)) =
        relations.iter().find(|(of, _, theirs)| *of == relation && *theirs != exchanges)
    {
        let message = format!(
            "the relation '{relation}' belongs to sync {other}, which joins {} and {}; give this one a relation of its own",
            theirs.left, theirs.right
        );
        found.problem(&relation_span, &part, message);
    }
    relations.push((relation.clone(), name.get_ref().clone(), exchanges.clone()));

    let mut complete = true;
    for (exchange, given) in exchanges.iter().zip([&entry.left, &entry.right]) {
        if descriptions.contains_key(exchange) {
            continue;
        }
        complete = false;
        if stored.broken.contains(exchange) {
            continue;
        }
        let span = given.as_ref().map_or_else(|| name.span(), Spanned::span);
        let in_file = found.file.integration.keys().map(|name| name.get_ref().as_str());
        let integrations: BTreeSet<&str> =
            in_file.chain(stored.integrations.iter().map(String::as_str)).collect();
        if integrations.contains(exchange.as_str()) {
            found.problem(
                &span,
                &part,
                format!("what '{exchange}' has is not known, so the mapping cannot be checked"),
            );
            continue;
        }
        let there: BTreeSet<&str> =
            integrations.into_iter().chain(descriptions.keys().map(String::as_str)).collect();
        let hint =
            if given.is_none() { " (right is missing, so the name of the sync was taken)" } else { "" };
        found.problem(
            &span,
            &part,
            format!("unknown integration '{exchange}'{hint}; {}", known(exchange, there)),
        );
    }
    let sides = SideWords { exchanges: &exchanges };
    if !complete {
        let known = exchanges.as_ref().map(|name| match descriptions.get(name) {
            Some(description) => Some(Names::from(description)),
            None => stored.names.get(name).cloned(),
        });
        check_names(&entry.object, sides, &known, &part, found);
        check_brake(entry, &part, found);
        return None;
    }
    let described = exchanges.as_ref().map(|name| descriptions.get(name)).both()?;
    let entries = mapping_entries(name, entry, sides, described, manuals, &part, found)?;
    let mappings = object::check_objects(&entries, sides, described, &part, found);
    let brake = check_brake(entry, &part, found);
    Some(SyncDefinition { name: name.get_ref().clone(), relation, exchanges, mappings, version: 0, brake })
}

fn check_brake(entry: &SyncEntry, part: &str, found: &mut Findings<'_>) -> Brake {
    let mut brake = Brake::default();
    let Some(given) = &entry.brake else { return brake };
    if let Some(percent) = &given.percent {
        match u8::try_from(*percent.get_ref()) {
            Ok(number) if number <= 100 => brake.percent = number,
            _ => found.problem(
                &percent.span(),
                part,
                format!("brake: {} is no percentage; write 0 to 100", percent.get_ref()),
            ),
        }
    }
    brake.records = given.records.unwrap_or(brake.records);
    brake
}

/// The object mappings of the file, merged over those that the plugin proposes where that is asked for.
fn mapping_entries(
    name: &Spanned<String>,
    entry: &SyncEntry,
    sides: SideWords<'_>,
    described: Sides<&Description>,
    manuals: &BTreeMap<String, Vec<ProposedMapping>>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<Vec<Spanned<MappingEntry>>> {
    // A sync that lists no objects takes the proposed mapping.
    let span = match &entry.mapping {
        Some(word) => word.span(),
        None if entry.object.is_empty() => name.span(),
        None => return Some(entry.object.clone()),
    };
    let Some(hub) = sides.hub() else {
        found.problem(
            &span,
            part,
            "a default mapping joins the hub with an integration; list the objects of this sync with [[sync.NAME.object]]",
        );
        return None;
    };
    let integration = &sides.exchanges[hub.other()];
    let proposed = manuals.get(integration).map(Vec::as_slice).unwrap_or_default();
    if proposed.is_empty() {
        found.problem(
            &span,
            part,
            format!(
                "the plugin of {integration} proposes no mapping; list the objects with [[sync.{}.object]]",
                name.get_ref()
            ),
        );
        return None;
    }
    let mut base = manual::entries(proposed, hub, described[hub], described[hub.other()]);
    for text in base.notices.drain(..) {
        found.notice(&span, part, text);
    }
    let entries = overlay(base.entries, &entry.object);
    if entries.is_empty() {
        found.problem(
            &span,
            part,
            format!(
                "nothing that the plugin of {integration} proposes is on both sides; list the objects with [[sync.{}.object]]",
                name.get_ref()
            ),
        );
    }
    Some(entries)
}
