//! Parents: records that other records refer to (foreign keys). They are resolved through pairs, fetched
//! where no report had them, and processed first: mappings are in topological order.

use super::definition::{ObjectMapping, SyncDefinition};
use super::description::{Description, Field};
use super::error::SyncError;
use super::feature::Feature;
use super::links::{Links, references};
use super::number::MappingId;
use super::pair::{Pair, Status};
use super::session::{Purpose, Session};
use entente_core::{Reference, Side, Sides};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Session<'a> {
    /// Resolves the references of these pairs, on both sides.
    pub(super) async fn links(&self, mapping: &ObjectMapping, pairs: &[Pair]) -> Result<Links, SyncError> {
        let mut wanted: Sides<BTreeSet<Reference>> = Default::default();
        for side in Side::BOTH {
            wanted[side].extend(references(mapping, side, pairs).cloned());
        }
        self.links_to(self.definition, wanted).await
    }

    /// Resolves references to pairs, in batches by object.
    pub(super) async fn links_to(
        &self,
        definition: &SyncDefinition,
        wanted: Sides<BTreeSet<Reference>>,
    ) -> Result<Links, SyncError> {
        let mut links = Links::default();
        for (side, references) in Side::BOTH.into_iter().zip(wanted) {
            let mut by_object: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for reference in &references {
                by_object.entry(&reference.object).or_default().push(reference.id.clone());
            }
            for mapping in &definition.mappings {
                let Some(ids) = by_object.get(mapping.object(side)) else {
                    continue;
                };
                for pair in self.engine.ledger.pairs_of(mapping.id, side, ids).await? {
                    links.add(mapping, side, &pair);
                }
            }
            for reference in references {
                let parent = definition.mappings.iter().find(|of| of.object(side) == reference.object);
                let absent = parent.is_none_or(|of| self.is_listed(of, side)) && self.read_error.is_none();
                let absent = absent || self.unfound[side].contains(&reference);
                if absent && links.pair_of(side, &reference).is_none() {
                    links.note_gone(side, reference);
                }
            }
        }
        Ok(links)
    }

    /// Reads parents of these pairs that have no pair yet, and looks up their counterparts. Returns whether
    /// any was read.
    pub(super) async fn fetch_parents(
        &mut self,
        mapping: &ObjectMapping,
        pairs: &[Pair],
        links: &Links,
    ) -> Result<bool, SyncError> {
        let definition = self.definition;
        let mut any = false;
        for side in Side::BOTH {
            let mut missing: BTreeMap<MappingId, BTreeSet<String>> = BTreeMap::new();
            for reference in references(mapping, side, pairs) {
                let parent =
                    definition.mappings.iter().find(|mapping| mapping.object(side) == reference.object);
                if let Some(parent) = parent
                    && links.pair_of(side, reference).is_none()
                {
                    missing.entry(parent.id).or_default().insert(reference.id.clone());
                }
            }
            for (parent, ids) in missing {
                let Some(parent) = definition.mapping(parent) else { continue };
                // With a complete listing, a record without a pair does not exist.
                if self.is_listed(parent, side) || !self.has(parent, side, Feature::ById) {
                    continue;
                }
                let ids: Vec<String> = ids.into_iter().collect();
                self.fetch_as(side, parent.object(side), &ids, Purpose::Parent).await?;
                let mut fetched = self.engine.ledger.pairs_of(parent.id, side, &ids).await?;
                let found = |id: &String| fetched.iter().any(|pair| pair.half(side).id.as_ref() == Some(id));
                let unfound = ids.iter().filter(|id| !found(id));
                let object = parent.object(side);
                let reference = |id: &String| Reference { object: object.to_owned(), id: id.clone() };
                self.unfound[side].extend(unfound.map(reference));
                any = true;
                if !self.is_listed(parent, side.other()) {
                    fetched.retain(|pair| !pair.is_linked() && pair.status == Status::Todo);
                    self.look_up_pairs(parent, side, fetched).await?;
                }
            }
        }
        Ok(any)
    }

    /// The mappings in topological order: referenced objects first.
    pub(super) fn parents_first(&self) -> Vec<&'a ObjectMapping> {
        parents_first(&self.definition.mappings, &self.descriptions)
    }
}

/// Topological order of the mappings by the references between their objects (depth-first); a cycle is cut
/// where it closes.
fn parents_first<'m>(
    mappings: &'m [ObjectMapping],
    descriptions: &Sides<Description>,
) -> Vec<&'m ObjectMapping> {
    fn visit<'m>(
        mapping: &'m ObjectMapping,
        mappings: &'m [ObjectMapping],
        descriptions: &Sides<Description>,
        seen: &mut BTreeSet<MappingId>,
        order: &mut Vec<&'m ObjectMapping>,
    ) {
        if !seen.insert(mapping.id) {
            return;
        }
        for side in Side::BOTH {
            let Some(object) = descriptions[side].object(mapping.object(side)) else { continue };
            for field in mapping.fields.iter().filter_map(|field| object.field(field.name(side))) {
                for parent in mappings.iter().filter(|other| refers_to(field, other.object(side))) {
                    visit(parent, mappings, descriptions, seen, order);
                }
            }
        }
        order.push(mapping);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for mapping in mappings {
        visit(mapping, mappings, descriptions, &mut seen, &mut order);
    }
    order
}

fn refers_to(field: &Field, object: &str) -> bool {
    field.targets.iter().any(|target| target == object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldMapping, Object};

    /// Mappings whose objects have the same name on both sides; each has a field that may refer to others.
    fn order(targets: &[(&str, &[&str])]) -> Vec<String> {
        let both = |name: &str| Sides::by(|_| name.to_owned());
        let mapping = |(id, (object, _)): (usize, &(&str, &[&str]))| ObjectMapping {
            id: id as MappingId,
            objects: both(object),
            fields: vec![FieldMapping { names: both("parent"), ..FieldMapping::default() }],
            ..ObjectMapping::default()
        };
        let object = |(object, targets): &(&str, &[&str])| Object {
            name: (*object).to_owned(),
            fields: vec![Field {
                name: "parent".to_owned(),
                targets: targets.iter().map(|target| (*target).to_owned()).collect(),
                ..Field::default()
            }],
            ..Object::default()
        };
        let mappings: Vec<ObjectMapping> = targets.iter().enumerate().map(mapping).collect();
        let description =
            Description { objects: targets.iter().map(object).collect(), ..Description::default() };
        let order = parents_first(&mappings, &Sides::by(|_| description.clone()));
        order.into_iter().map(|mapping| mapping.objects.left.clone()).collect()
    }

    #[test]
    fn parents_come_before_their_children_and_a_cycle_ends() {
        assert_eq!(order(&[("person", &["company"]), ("company", &[])]), ["company", "person"]);
        let chain = [
            ("order", &["person"][..]),
            ("person", &["company"]),
            ("company", &["country"]),
            ("country", &[]),
        ];
        assert_eq!(order(&chain), ["country", "company", "person", "order"]);
        assert_eq!(order(&[("person", &["person"]), ("company", &[])]), ["person", "company"]);
        assert_eq!(order(&[("a", &["b"]), ("b", &["a"])]), ["b", "a"]);
    }
}
