//! The plugin's proposed mapping as a sync: for `integration add`, and for `mapping = "default"`.

use super::field::can_write;
use super::object::check_objects;
use super::sync::{Findings, SyncDraft};
use crate::config::error::Problems;
use crate::config::file::form::{FieldEntry, File, MappingEntry, RequiredWord, nowhere};
use crate::config::file::words::{CreateWord, DirectionWord, SideWords};
use crate::config::names::HUB;
use entente_core::{Compatibility, Foreign};
use entente_sync::{
    Brake, Description, Feature, IdentifyBy, Object, ProposedDirection, ProposedField, ProposedMapping,
    Remedy, Side, Sides, SyncDefinition,
};

/// The proposed objects in file form, without those that the hub or the remote system lacks.
#[derive(Debug, Default)]
pub(crate) struct Proposed {
    pub(crate) entries: Vec<MappingEntry>,
    pub(crate) notices: Vec<String>,
}

/// Converts the proposal; what cannot be used becomes a notice. A proposal is made for most customers, so a
/// field that this one lacks is no error.
pub(crate) fn entries(
    manual: &[ProposedMapping],
    hub: Side,
    hub_has: &Description,
    remote_has: &Description,
) -> Proposed {
    let mut proposed = Proposed::default();
    for mapping in manual {
        let part = format!("proposed {} ↔ {}", named(&mapping.hub), named(&mapping.remote));
        let (Some(hub_object), Some(remote_object)) =
            (hub_has.object(&mapping.hub), remote_has.object(&mapping.remote))
        else {
            let (who, what) = if hub_has.object(&mapping.hub).is_none() {
                ("the hub", &mapping.hub)
            } else {
                ("the remote system", &mapping.remote)
            };
            proposed.notices.push(format!("{part} is left out: {who} has no object {}", named(what)));
            continue;
        };
        let mut taken: Vec<(ProposedField, DirectionWord)> = Vec::new();
        for field in &mapping.fields {
            match take_field(field, hub_object, remote_object, &taken) {
                Ok((word, None)) => taken.push((field.clone(), word)),
                Ok((word, Some(why))) => {
                    proposed.notices.push(format!(
                        "{part}: {} ↔ {} {why}",
                        named(&field.hub),
                        named(&field.remote)
                    ));
                    taken.push((field.clone(), word));
                }
                Err(why) => proposed.notices.push(format!(
                    "{part}: {} ↔ {} is left out: {why}",
                    named(&field.hub),
                    named(&field.remote)
                )),
            }
        }
        if taken.is_empty() {
            proposed.notices.push(format!("{part} is left out: none of its fields is on both sides"));
            continue;
        }
        // Nobody would be recognised on the other side: a first sync would make everyone a second time.
        let is_taken = |name: &String| taken.iter().any(|(field, _)| field.hub == *name);
        if !mapping.identifiers.is_empty() && !mapping.identifiers.iter().any(is_taken) {
            proposed.notices.push(format!(
                "{part} is left out: its records are recognised by {}, which cannot be mapped",
                mapping.identifiers.iter().map(|name| named(name)).collect::<Vec<_>>().join(", ")
            ));
            continue;
        }
        let entry = entry(mapping, hub, [hub_object, remote_object], &taken, &part, &mut proposed.notices);
        proposed.entries.push(entry);
    }
    proposed
}

/// A name that a plugin has given.
fn named(name: &str) -> String {
    Foreign::new(name).named()
}

/// The direction that a proposed field can have, with its notice; or why it cannot be mapped.
fn take_field(
    field: &ProposedField,
    hub: &Object,
    remote: &Object,
    taken: &[(ProposedField, DirectionWord)],
) -> Result<(DirectionWord, Option<String>), String> {
    let Some(ours) = hub.field(&field.hub) else {
        return Err(format!("{} of the hub has no field {}", named(&hub.name), named(&field.hub)));
    };
    let Some(theirs) = remote.field(&field.remote) else {
        return Err(format!(
            "{} of the remote system has no field {}",
            named(&remote.name),
            named(&field.remote)
        ));
    };
    if !matches!(ours.kind.compatibility(&theirs.kind), Compatibility::Same | Compatibility::Numbers) {
        return Err(format!("{} and {} cannot stand for each other", ours.kind, theirs.kind));
    }
    let wanted = |to_hub: bool| {
        field.direction == ProposedDirection::Both || (field.direction == ProposedDirection::ToHub) == to_hub
    };
    let free = |to_hub: bool| {
        !taken.iter().any(|(other, word)| match (to_hub, word) {
            (true, DirectionWord::Both | DirectionWord::ToHub) => other.hub == field.hub,
            (false, DirectionWord::Both | DirectionWord::ToIntegration) => other.remote == field.remote,
            _ => false,
        })
    };
    let to_hub = wanted(true) && can_write(hub, ours) && free(true);
    let to_remote = wanted(false) && can_write(remote, theirs) && free(false);
    let (word, name) = match (to_hub, to_remote) {
        (true, true) => (DirectionWord::Both, "both ways"),
        (true, false) => (DirectionWord::ToHub, "to the hub only"),
        (false, true) => (DirectionWord::ToIntegration, "to the integration only"),
        (false, false) => {
            return Err(
                "it cannot be written where it should flow to, or another field is written there".to_owned()
            );
        }
    };
    let narrowed = wanted(true) != to_hub || wanted(false) != to_remote;
    Ok((word, narrowed.then(|| format!("flows {name}, since the other side cannot take it"))))
}

fn entry(
    mapping: &ProposedMapping,
    hub: Side,
    objects: [&Object; 2],
    taken: &[(ProposedField, DirectionWord)],
    part: &str,
    notices: &mut Vec<String>,
) -> MappingEntry {
    let sides = |hub_name: &str, remote_name: &str| {
        let [hub_name, remote_name] = [hub_name, remote_name].map(|name| Some(nowhere(name.to_owned())));
        if hub == Side::Left { (hub_name, remote_name) } else { (remote_name, hub_name) }
    };
    let mut identifiers = Vec::new();
    for name in &mapping.identifiers {
        match taken.iter().find(|(field, _)| field.hub == *name) {
            // Identifiers are named by their left field.
            Some((field, _)) => identifiers.push(nowhere(if hub == Side::Left {
                field.hub.clone()
            } else {
                field.remote.clone()
            })),
            None => notices
                .push(format!("{part}: the identifier {} is left out, since it is not mapped", named(name))),
        }
    }
    // No records are created on a side whose required fields are not mapped.
    let mut create = [true, true];
    for (n, who) in [(0, "the hub"), (1, "the remote system")] {
        let filled = |name: &str| {
            taken.iter().any(|(field, word)| match n {
                0 => field.hub == name && *word != DirectionWord::ToIntegration,
                _ => field.remote == name && *word != DirectionWord::ToHub,
            })
        };
        let missing =
            objects[n].fields.iter().find(|field| field.required && field.writable && !filled(&field.name));
        if !objects[n].has(Feature::Create) {
            create[n] = false;
        } else if let Some(field) = missing {
            create[n] = false;
            notices.push(format!(
                "{part}: nothing is created in {who}, since {} needs {}, which nothing is written to",
                named(&objects[n].name),
                named(&field.name)
            ));
        }
    }
    let create = match create {
        [true, true] => CreateWord::Both,
        [true, false] => CreateWord::Hub,
        [false, true] => CreateWord::Integration,
        [false, false] => CreateWord::None,
    };
    let (left, right) = sides(&mapping.hub, &mapping.remote);
    let field = |(field, word): &(ProposedField, DirectionWord)| {
        let (left, right) = sides(&field.hub, &field.remote);
        let required = field.required.then(|| nowhere(RequiredWord::Both(true)));
        nowhere(FieldEntry {
            left,
            right,
            direction: Some(nowhere(*word)),
            required,
            ..FieldEntry::default()
        })
    };
    MappingEntry {
        left,
        right,
        identifiers: Some(identifiers),
        identify_by: Some(if mapping.identify_by_all { IdentifyBy::All } else { IdentifyBy::Any }),
        create: Some(nowhere(create)),
        field: taken.iter().map(field).collect(),
        ..MappingEntry::default()
    }
}

/// The sync that `integration add` makes from a proposal: left the hub, right the integration; name and
/// relation are the integration's. Returned with notices of what was left out.
///
/// # Errors
/// Where nothing of the proposal can be used, or it contradicts itself.
pub fn definition_from_manual(
    integration: &str,
    hub_has: &Description,
    remote_has: &Description,
    manual: &[ProposedMapping],
) -> Result<(SyncDraft, Vec<String>), Problems> {
    let exchanges = Sides::new(HUB.to_owned(), integration.to_owned());
    let mut proposed = entries(manual, Side::Left, hub_has, remote_has);
    let empty = File::default();
    let mut found = Findings::new(&empty);
    let part = format!("sync {integration}");
    if proposed.entries.is_empty() {
        let why = if manual.is_empty() {
            "the plugin proposes no mapping"
        } else {
            "nothing that the plugin proposes is on both sides"
        };
        let message = format!(
            "{why}; add the integration without a sync, and write the mapping in entente.toml{}",
            proposed.notices.iter().map(|notice| format!("\n  {notice}")).collect::<String>()
        );
        let without = Remedy::AddWithoutSync { integration: integration.to_owned() };
        let remedies = [without, Remedy::Export, Remedy::Apply];
        found.problem_with(&(usize::MAX..usize::MAX), &part, message, remedies);
    }
    let listed: Vec<_> = proposed.entries.drain(..).map(nowhere).collect();
    let mappings = check_objects(
        &listed,
        SideWords { exchanges: &exchanges },
        Sides::new(hub_has, remote_has),
        &part,
        &mut found,
    );
    if !found.problems.is_empty() {
        return Err(Problems(found.problems));
    }
    let mut notices = proposed.notices;
    notices.extend(found.notices.into_iter().map(|notice| notice.message));
    if !notices.is_empty() {
        notices.push(format!(
            "what is left out does not join by itself, also where it is made later (a field of the hub, say): apply a file with [sync.{integration}] and mapping = \"default\" then"
        ));
    }
    let definition = SyncDefinition {
        name: integration.to_owned(),
        relation: integration.to_owned(),
        exchanges,
        mappings,
        version: 0,
        brake: Brake::default(),
    };
    Ok((SyncDraft(definition), notices))
}
