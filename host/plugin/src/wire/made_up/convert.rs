//! Lifting and lowering between the made-up version and the host's own types.

use super::bindings::entente::integration::things::{Content, Named, Thing, Trouble};
use super::bindings::exports::entente::integration::shelf::{Deed, Fate, Kind, Listing};
use crate::wire::lift::Lift;
use crate::wire::{Execution, PluginError, Refused};
use entente_core::{Timestamp, Value};
use entente_sync::{
    Action, Answer, BadRow, Batch, ChangeTimes, Deletion, Description, Feature, Field, Finished, Object,
    Order, Outcome, Page, Row, Wanted,
};

impl From<Trouble> for PluginError {
    fn from(trouble: Trouble) -> Self {
        Self { code: trouble.word, reason: trouble.sentence, after: None, object: None }
    }
}

/// A value as text, where it is one.
pub(super) fn words(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// What an order says of a record: values that this version has no case for are left out, as those are that
/// the order does not set.
pub(super) fn lower_changes(order: &Order) -> Vec<(String, Deed, Vec<Named>)> {
    let contents = |values: &[Option<Value>]| {
        let named = order.fields.iter().zip(values).filter_map(|(name, value)| {
            let content = match value.as_ref()? {
                Value::Null => Content::Blank,
                Value::Boolean(yes) => Content::Flag(*yes),
                Value::Integer(number) => Content::Whole(*number),
                Value::Text(text) => Content::Words(text.clone()),
                Value::Texts(texts) => Content::Several(texts.clone()),
                _ => return None,
            };
            Some(Named { name: name.clone(), content })
        });
        named.collect()
    };
    let changes = order.changes.iter().map(|change| {
        let deed = match &change.action {
            Action::Create => Deed::Make,
            Action::Update(id) => Deed::Alter(id.clone()),
            Action::Delete(id) => Deed::Remove(id.clone()),
        };
        (change.id.clone(), deed, contents(&change.values))
    });
    changes.collect()
}

pub(super) fn description(lift: &mut Lift<'_>, kinds: Vec<Kind>) -> Result<Description, Refused> {
    let mut objects = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let mut fields = Vec::with_capacity(kind.parts.len());
        for part in kind.parts {
            fields.push(Field {
                name: lift.name(part.name.clone(), "a part")?,
                label: part.name,
                kind: part.kind.into(),
                writable: true,
                identifier: part.key,
                ..Field::default()
            });
        }
        objects.push(Object {
            name: lift.name(kind.name, "a kind")?,
            label: kind.title,
            fields,
            change_times: ChangeTimes::Record,
            precision: 1_000_000,
            features: [Feature::Create, Feature::Update, Feature::Delete, Feature::FullListing].into(),
            ..Object::default()
        });
    }
    Ok(Description { objects, ..Description::default() })
}

pub(super) fn page(
    lift: &mut Lift<'_>,
    listing: Listing,
    wanted: Wanted,
    most: u32,
) -> Result<Page, Refused> {
    let rows = (listing.things.len() + listing.gone.len()) as u64;
    if rows > u64::from(most) {
        return Err(lift.limits.page_rows(Some(rows)).into());
    }
    let mut batch = Batch { object: wanted.object.clone(), fields: wanted.fields, ..Batch::default() };
    for thing in listing.things {
        match row(lift, thing, &batch.fields)? {
            Ok(row) => batch.rows.push(row),
            Err(reason) => batch.bad.push(BadRow { id: None, reason }),
        }
    }
    for id in listing.gone {
        match lift.id(&id)? {
            Ok(()) => batch.deleted.push(Deletion { id, deleted: None }),
            Err(reason) => batch.bad.push(BadRow { id: None, reason }),
        }
    }
    let next = lift.tokens(listing.more)?;
    let finished = Finished { object: wanted.object, bookmark: None, complete: wanted.full };
    let finished = if next.is_none() { vec![finished] } else { Vec::new() };
    Ok(Page { batches: vec![batch], next, finished, ..Page::default() })
}

/// Named values in the order of the fields; a name that nobody asked for is left out.
fn row(lift: &mut Lift<'_>, thing: Thing, fields: &[String]) -> Result<Result<Row, String>, Refused> {
    if let Err(reason) = lift.id(&thing.key)? {
        return Ok(Err(reason));
    }
    let mut values = vec![None; fields.len()];
    for Named { name, content } in thing.contents {
        let value = match content {
            Content::Blank => Value::Null,
            Content::Flag(yes) => Value::Boolean(yes),
            Content::Whole(number) => Value::Integer(number),
            Content::Words(text) => {
                lift.count(text.len())?;
                Value::Text(text)
            }
            Content::Several(texts) => {
                lift.count(texts.iter().map(String::len).sum())?;
                Value::Texts(texts)
            }
        };
        if let Some(at) = fields.iter().position(|field| *field == name) {
            values[at] = Some(value);
        }
    }
    let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let changed = thing.edited.map(|seconds| Timestamp::from_micros(micros(seconds)));
    Ok(Ok(Row { id: thing.key, changed, values, ..Row::default() }))
}

pub(super) fn execution(lift: &mut Lift<'_>, fates: Vec<Fate>, order: &Order) -> Result<Execution, Refused> {
    let mut answers = Vec::with_capacity(fates.len());
    for (change, fate) in order.changes.iter().zip(fates) {
        let outcome = match fate {
            Fate::Gone => Outcome::Deleted,
            Fate::Refused(trouble) => Outcome::Failed {
                code: trouble.word,
                reason: lift.reason(&trouble.sentence),
                fields: Vec::new(),
            },
            Fate::Is(thing) => match (row(lift, thing, &order.fields)?, &change.action) {
                (Ok(row), Action::Create) => Outcome::Created(row.into()),
                (Ok(row), _) => Outcome::Updated(row.into()),
                (Err(reason), _) => {
                    // Its fate is unknown then.
                    lift.warn(&reason);
                    continue;
                }
            },
        };
        answers.push(Answer { change: change.id.clone(), outcome });
    }
    Ok(Execution { answers, stopped: None })
}
