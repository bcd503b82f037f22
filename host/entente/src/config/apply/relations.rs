//! Relations and syncs that get another name: links, places in reports and history go on under it, or the operator says
//! which links are meant. A sync that began without links would make every record without identifiers a second time.

use super::plan::{PlanLine, PlanSign};
use crate::config::check::sync::{Findings, SyncDraft};
use crate::config::error::ConfigError;
use crate::config::file::form::File;
use entente_sqlite::{RelationRow, Session};
use entente_sync::SyncDefinition;
use std::collections::BTreeSet;

/// What a file gives another name, before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Renamed {
    relations: Vec<(String, String)>,
    syncs: Vec<(String, String)>,
}

impl Renamed {
    /// Moves links, places and history to the other names.
    pub(super) fn carry_out(&self, session: Session<'_>) -> Result<Vec<PlanLine>, ConfigError> {
        let line = |part: String, after: String| PlanLine {
            sign: PlanSign::Changed,
            part,
            before: None,
            after: Some(after),
        };
        let mut lines = Vec::new();
        for (before, after) in &self.relations {
            session.rename_relation(before, after)?;
            lines.push(line(format!("relation {before}"), format!("its links go on in relation {after}")));
        }
        for (before, after) in &self.syncs {
            session.rename_sync(before, after)?;
            lines.push(line(
                format!("sync {before}"),
                format!("its runs and bookmarks go on in sync {after}"),
            ));
        }
        Ok(lines)
    }
}

/// The relations that have links between records of the same objects as a sync whose own relation has none.
pub(super) fn rivals(session: Session<'_>, sync: &SyncDefinition) -> Result<Vec<RelationRow>, ConfigError> {
    if session.has_pairs(&sync.relation)? {
        return Ok(Vec::new());
    }
    let mut linked = session.linked_relations()?;
    let maps = |row: &RelationRow| sync.mappings.iter().any(|mapping| row.objects.contains(&mapping.objects));
    linked.retain(|row| row.exchanges == sync.exchanges && maps(row));
    Ok(linked)
}

/// What a sync has to say before it begins without the links of `rival`.
pub(super) fn question(sync: &SyncDefinition, rival: &RelationRow) -> String {
    let (old, new, exchanges) = (&rival.name, &sync.relation, &sync.exchanges);
    let shared =
        rival.objects.iter().find(|objects| sync.mappings.iter().any(|mapping| mapping.objects == **objects));
    let of = shared.map_or_else(String::new, |objects| {
        format!(
            " between {} of {} and {} of {}",
            objects.left, exchanges.left, objects.right, exchanges.right
        )
    });
    format!(
        "its relation '{new}' has no links yet, and relation '{old}' has links{of}: write relation = \"{old}\" to go on with them, or relation = \"{new}\" to begin without any, which makes records without identifiers a second time"
    )
}

/// What this file gives another name. A relation that no sync works on any more goes on under the name of one that has no
/// links yet; a sync that the file removes, under the name of the one new sync of its relation. Where it is not plain
/// which relation is meant, and the file does not name one, that is a problem.
pub(super) fn renamed(
    session: Session<'_>,
    file: &File,
    stored: &[SyncDefinition],
    checked: &[SyncDraft],
    prune: bool,
    found: &mut Findings<'_>,
) -> Result<Renamed, ConfigError> {
    let goes = |sync: &SyncDefinition| prune && !file.sync.contains_key(sync.name.as_str());
    let stays = |sync: &SyncDefinition| !prune && !file.sync.contains_key(sync.name.as_str());
    let kept: BTreeSet<&str> =
        stored.iter().filter(|sync| stays(sync)).map(|sync| sync.relation.as_str()).collect();
    let used = |name: &str| kept.contains(name) || checked.iter().any(|sync| sync.0.relation == name);
    let gone = |row: &RelationRow| !used(&row.name) && stored.iter().any(|sync| sync.relation == row.name);
    let mut renamed = Renamed::default();
    for SyncDraft(sync) in checked {
        if renamed.relations.iter().any(|(_, after)| *after == sync.relation) {
            continue;
        }
        let rivals = rivals(session, sync)?;
        let own =
            stored.iter().find(|before| before.name == sync.name).map(|before| before.relation.as_str());
        let left: Vec<&RelationRow> = rivals.iter().filter(|row| gone(row)).collect();
        let meant = left.iter().find(|row| own == Some(row.name.as_str())).or(match left.as_slice() {
            [one] => Some(one),
            _ => None,
        });
        // A sync that is not in the file works on the name: its mappings keep their numbers.
        let free = !kept.contains(sync.relation.as_str());
        match (meant, rivals.first()) {
            (Some(one), _) if free && renamed.relations.iter().all(|(before, _)| *before != one.name) => {
                renamed.relations.push((one.name.clone(), sync.relation.clone()));
            }
            (_, Some(rival)) => ask(file, sync, rival, found),
            (_, None) => {}
        }
    }
    for before in stored.iter().filter(|sync| goes(sync)) {
        let after = renamed.relations.iter().find(|(name, _)| *name == before.relation);
        let relation = after.map_or(&before.relation, |(_, after)| after);
        let siblings = stored.iter().filter(|sync| goes(sync) && sync.relation == before.relation).count();
        let is_new = |sync: &SyncDefinition| stored.iter().all(|old| old.name != sync.name);
        let mut new =
            checked.iter().map(|draft| &draft.0).filter(|sync| sync.relation == *relation && is_new(sync));
        if let (1, Some(sync), None) = (siblings, new.next(), new.next()) {
            renamed.syncs.push((before.name.clone(), sync.name.clone()));
        }
    }
    Ok(renamed)
}

/// Asks for the name of the relation, unless the file has it.
fn ask(file: &File, sync: &SyncDefinition, rival: &RelationRow, found: &mut Findings<'_>) {
    let Some((name, entry)) = file.sync.get_key_value(sync.name.as_str()) else { return };
    if entry.relation.is_none() {
        found.problem(&name.span(), &format!("sync {}", sync.name), question(sync, rival));
    }
}
