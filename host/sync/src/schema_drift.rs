//! Schema drift: a mapped field that a side removed, whose kind changed, or that can no longer be written, is parked, and the other fields
//! are synced. When the field is back, its side is listed again.

use super::definition::{FieldMapping, ObjectMapping, SyncDefinition};
use super::description::{Description, Object};
use super::error::SyncError;
use super::ledger::Requeue;
use super::notice::Notice;
use super::number::{MappingId, Slot};
use super::progress::Progress;
use super::reason::Code;
use super::session::Session;
use entente_core::{Side, Sides};
use std::collections::BTreeSet;

/// The notice for a field that no longer fits the schema of a side; `None`: it fits.
fn misfit(field: &FieldMapping, side: Side, object: &Object) -> Option<Notice> {
    let name = field.name(side);
    if field.is_constant(side) {
        return None;
    }
    let parked = |kinds| {
        let (object, field) = (object.name.clone(), name.to_owned());
        Some(Notice::FieldParked { side, object, field, kinds })
    };
    let Some(now) = object.field(name) else { return parked(None) };
    if field.direction.reaches(side) && field.writable[side] && !now.writable {
        let (object, field) = (object.name.clone(), name.to_owned());
        return Some(Notice::FieldReadOnly { side, object, field });
    }
    let was = &field.kinds[side];
    let same = was.carrier() == now.kind.carrier();
    if same { None } else { parked(Some((was.clone(), now.kind.clone()))) }
}

/// All fields that no longer fit the schema of a side, with their notices.
pub(super) fn misfits(
    definition: &SyncDefinition,
    descriptions: &Sides<Description>,
) -> Vec<(MappingId, Slot, Notice)> {
    let mut found = Vec::new();
    for mapping in &definition.mappings {
        for side in Side::BOTH {
            let Some(object) = descriptions[side].object(mapping.object(side)) else { continue };
            for field in &mapping.fields {
                if let Some(why) = misfit(field, side, object) {
                    found.push((mapping.id, field.slot, why));
                }
            }
        }
    }
    found
}

/// How many new fields of an object are named each by itself; more are counted.
const NAMED: usize = 10;

/// How many of them are named where they are counted.
const SAMPLES: usize = 3;

/// One notice for the new fields of an object, where there are too many to name each.
fn counted(side: Side, object: &str, news: Vec<Notice>) -> Vec<Notice> {
    let new = |notice: &Notice| matches!(notice, Notice::NewField { .. });
    let fields = news.iter().filter(|notice| new(notice)).count();
    if news.len() <= NAMED {
        return news;
    }
    let mut names: Vec<(bool, String)> = Vec::new();
    for notice in news {
        match notice {
            Notice::NewlyRequired { field, .. } => names.push((false, field)),
            Notice::NewField { field, .. } => names.push((true, field)),
            _ => {}
        }
    }
    let required = names.iter().filter(|(optional, _)| !optional).count();
    names.sort();
    let mut samples: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    samples.truncate(SAMPLES);
    let (fields, required) = (fields as u64, required as u64);
    vec![Notice::NewFields { side, object: object.to_owned(), fields, required, samples }]
}

/// Additions to the schema of a side: new fields, and newly required fields that are not mapped.
fn additions(mapping: &ObjectMapping, side: Side, before: &Description, now: &Description) -> Vec<Notice> {
    let (Some(before), Some(now)) = (before.object(mapping.object(side)), now.object(mapping.object(side)))
    else {
        return Vec::new();
    };
    let mapped = |name: &str| mapping.fields.iter().any(|field| field.name(side) == name);
    let mut news = Vec::new();
    for field in &now.fields {
        let known = before.field(&field.name);
        if known.is_none() && !mapped(&field.name) {
            news.push(Notice::NewField { side, object: now.name.clone(), field: field.name.clone() });
        }
        if field.required && known.is_none_or(|known| !known.required) && !mapped(&field.name) {
            news.push(Notice::NewlyRequired { side, object: now.name.clone(), field: field.name.clone() });
        }
    }
    counted(side, &now.name, news)
}

impl Session<'_> {
    /// Refuses to go on with another account: ids that it gives to its own records would be taken for the linked ones. A side
    /// that has told its account once is remembered with it.
    fn check_account(&mut self, side: Side, before: &Description) -> Result<(), SyncError> {
        let now = &mut self.descriptions[side];
        if now.is_of_another_account(before) {
            let told = now.account.is_some() && before.account.is_some();
            let (before, now) = (before.account_text(), now.account_text());
            let exchange = self.exchange(side).name().to_owned();
            return Err(SyncError::AnotherAccount { exchange, before, now, told });
        }
        if now.account.is_none() {
            now.account.clone_from(&before.account);
        }
        Ok(())
    }

    /// Compares the schemas of both sides with the mapping, and with the schemas of the last run of this
    /// sync.
    pub(super) async fn check_schema(&mut self) -> Result<(), SyncError> {
        let definition = self.definition;
        let mut known = Sides::default();
        for side in Side::BOTH {
            known[side] = self.engine.ledger.known_schema(&definition.name, side).await?;
            if let Some(before) = &known[side] {
                self.check_account(side, before)?;
            }
        }
        for (mapping, slot, why) in misfits(definition, &self.descriptions) {
            self.parked.insert((mapping, slot));
            self.run.notice(why);
        }
        let mut back = BTreeSet::new();
        for side in Side::BOTH {
            let Some(before) = &known[side] else { continue };
            for mapping in &definition.mappings {
                for notice in additions(mapping, side, before, &self.descriptions[side]) {
                    self.run.notice(notice);
                }
                let Some(object) = before.object(mapping.object(side)) else { continue };
                for field in self.fields(mapping) {
                    // The field did not fit in the last run and fits now. (One that was mapped since has a
                    // new mapping version, which lists everything anyway.)
                    if misfit(field, side, object).is_some() {
                        back.insert((mapping.id, side));
                    }
                }
            }
        }
        if self.run.options.is_dry()
            || Side::BOTH.into_iter().all(|side| known[side].as_ref() == Some(&self.descriptions[side]))
        {
            return Ok(());
        }
        let descriptions = self.descriptions.clone();
        let mut unit = self.begin().await?;
        for side in Side::BOTH {
            unit.save_schema(&definition.name, side, &descriptions[side]).await?;
        }
        for (mapping, side) in back {
            unit.requeue(mapping, Requeue::Differing).await?;
            unit.requeue(mapping, Requeue::Held(Code::Schema)).await?;
            unit.save_progress(
                &definition.name,
                side,
                &Progress { mapping_version: definition.version, ..Progress::default() },
            )
            .await?;
        }
        Ok(unit.commit_soon().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;
    use entente_core::{Direction, Kind};

    fn object(fields: &[(&str, &str)]) -> Object {
        let field = |(name, kind): &(&str, &str)| Field {
            name: (*name).to_owned(),
            kind: (*kind).into(),
            ..Field::default()
        };
        Object { name: "person".to_owned(), fields: fields.iter().map(field).collect(), ..Object::default() }
    }

    #[test]
    fn only_another_carrier_is_a_misfit() {
        let field = FieldMapping {
            names: Sides::new("phone".to_owned(), "tel".to_owned()),
            kinds: Sides::by(|_| Kind::Phone),
            ..FieldMapping::default()
        };
        let misfit = |fields: &[(&str, &str)]| misfit(&field, Side::Right, &object(fields));
        assert_eq!(misfit(&[("tel", "phone")]), None);
        assert_eq!(misfit(&[("tel", "text")]), None, "both are texts");
        let parked = |kinds| {
            let (object, field) = ("person".to_owned(), "tel".to_owned());
            Some(Notice::FieldParked { side: Side::Right, object, field, kinds })
        };
        let kinds = Some((Kind::Phone, Kind::Integer));
        assert_eq!(misfit(&[("tel", "integer")]), parked(kinds));
        assert_eq!(misfit(&[("fax", "phone")]), parked(None), "it is no longer there");
    }

    #[test]
    fn a_field_that_can_no_longer_be_written_is_a_misfit_where_it_is_written() {
        let names = Sides::new("phone".to_owned(), "tel".to_owned());
        let kinds = Sides::by(|_| Kind::Phone);
        let written = FieldMapping { names, kinds, writable: Sides::by(|_| true), ..FieldMapping::default() };
        let now = object(&[("tel", "phone")]);
        let read_only =
            Notice::FieldReadOnly { side: Side::Right, object: "person".to_owned(), field: "tel".to_owned() };
        assert_eq!(misfit(&written, Side::Right, &now), Some(read_only));
        let read = FieldMapping { direction: Direction::ToLeft, ..written };
        assert_eq!(misfit(&read, Side::Right, &now), None, "nothing is written to it");
    }

    #[test]
    fn news_are_new_fields_and_new_needs() {
        let mapping = ObjectMapping {
            objects: Sides::new("contact".to_owned(), "person".to_owned()),
            ..ObjectMapping::default()
        };
        let before = Description { objects: vec![object(&[("mail", "email")])], ..Description::default() };
        let mut now = before.clone();
        now.objects[0].fields.push(Field { name: "fax".to_owned(), required: true, ..Field::default() });
        assert_eq!(additions(&mapping, Side::Right, &before, &now).len(), 2);
        assert!(additions(&mapping, Side::Right, &now, &now).is_empty());
    }

    #[test]
    fn k7_thousands_of_new_fields_are_counted() {
        let mapping = ObjectMapping {
            objects: Sides::new("contact".to_owned(), "person".to_owned()),
            ..ObjectMapping::default()
        };
        let before = Description { objects: vec![object(&[("mail", "email")])], ..Description::default() };
        let mut now = before.clone();
        now.objects[0].fields.extend((0..4900).map(|n| Field {
            name: format!("f{n:04}"),
            required: n == 4000,
            ..Field::default()
        }));
        let samples = ["f4000", "f0000", "f0001"].map(str::to_owned).to_vec();
        let object = "person".to_owned();
        assert_eq!(
            additions(&mapping, Side::Right, &before, &now),
            [Notice::NewFields { side: Side::Right, object, fields: 4900, required: 1, samples }]
        );
    }
}
