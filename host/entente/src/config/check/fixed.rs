//! Validation of constants (in place of a field of the other side) and of defaults for new records.

use super::field::{Listed, can_write, terms};
use super::fit::fit;
use super::sync::Findings;
use crate::config::file::form::RequiredWord;
use crate::config::file::value;
use crate::config::file::words::{SideWords, direction_word, towards};
use crate::config::names::{HUB, exchange, known};
use entente_core::Value;
use entente_sync::{Direction, Field, FieldMapping, FieldTerms, Object, Side, Sides, Slot, WriteRule};
use toml::Spanned;

/// The stand-in for the field that a constant replaces: a name that no field can have.
pub(crate) fn stand_in(field: &Spanned<String>) -> Spanned<String> {
    Spanned::new(field.span(), format!("={}", field.get_ref()))
}

/// Whether a name is such a stand-in.
pub(crate) fn is_stand_in(name: &str) -> bool {
    name.starts_with('=')
}

/// Converts a TOML value to a value of the field.
fn read(given: &toml::Value, field: &Field) -> Result<Value, String> {
    // A reference would name a record of one side and be looked up on the other.
    if field.kind.is_link() {
        return Err(format!(
            "a {} cannot be given in the file; map it to a field of the other side",
            field.kind
        ));
    }
    let value = value::from_toml(given).and_then(|value| fit(value, field, false))?;
    if value.is_blank() { Err("it is blank; leave it out".to_owned()) } else { Ok(value) }
}

/// Validates a constant: a field that has the same value in every record.
pub(crate) fn check_constant(
    one: &Listed,
    given: &Spanned<toml::Value>,
    sides: SideWords<'_>,
    objects: Sides<&Object>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<FieldMapping> {
    let Some(target) = Side::BOTH.into_iter().find(|side| is_stand_in(one.name(side.other()))) else {
        let message = "a constant stands in place of the field of one side: name the other one only; one that is written to the right is listed under [[sync.NAME.object.field]], with right and constant";
        found.problem(&given.span(), part, message);
        return None;
    };
    let (object, name, who) = (objects[target], one.name(target), exchange(&sides.exchanges[target]));
    let part = &format!("{part}, field {name}");
    let Some(field) = object.field(name) else {
        let there = object.fields.iter().map(|field| field.name.as_str());
        let more = if sides.exchanges[target] == HUB {
            format!("; [object.{}.field.NAME] defines one", object.name)
        } else {
            String::new()
        };
        found.problem(
            &one.span,
            part,
            format!("{} of {who} has no field '{name}'; {}{more}", object.name, known(name, there)),
        );
        return None;
    };
    let before = found.problems.len();
    if !can_write(object, field) {
        found.problem(&one.span, part, format!("it cannot be written in {who}; leave it out"));
    }
    let entry = &one.entry;
    let direction = towards(target);
    if let Some(word) = &entry.direction
        && sides.direction(*word.get_ref()) != Ok(direction)
    {
        found.problem(
            &word.span(),
            part,
            format!("a constant flows to {who}, and nothing flows back; leave direction out"),
        );
    }
    let unfit = [
        ("trust", entry.trust.as_ref().map(Spanned::span)),
        ("unresolved", entry.unresolved.as_ref().map(Spanned::span)),
        ("blanks", entry.blanks.as_ref().map(Spanned::span)),
        ("values", entry.values.as_ref().map(Spanned::span)),
        ("default-left", entry.default_left.as_ref().map(Spanned::span)),
        ("default-right", entry.default_right.as_ref().map(Spanned::span)),
    ];
    for (key, span) in unfit {
        if let Some(span) = span {
            found.problem(
                &span,
                part,
                format!("{key} means nothing where the value is always the same; leave it out"),
            );
        }
    }
    let asked = match entry.required.as_ref().map(|word| (word.span(), *word.get_ref())) {
        None => false,
        Some((_, RequiredWord::Both(yes))) => yes,
        Some((span, RequiredWord::Side(word))) => match sides.side(word) {
            Ok(side) if side == target => true,
            Ok(side) => {
                found.problem(
                    &span,
                    part,
                    format!(
                        "required on the {side}, but nothing flows there (direction {})",
                        direction_word(direction)
                    ),
                );
                false
            }
            Err(message) => {
                found.problem(&span, part, format!("required: {message}"));
                false
            }
        },
    };
    let constant = match read(given.get_ref(), field) {
        Ok(value) => Some(value),
        Err(message) => {
            found.problem(&given.span(), part, format!("constant: {message}"));
            None
        }
    };
    if found.problems.len() > before {
        return None;
    }
    Some(FieldMapping {
        slot: Slot(0),
        names: Sides::new(one.left.get_ref().clone(), one.right.get_ref().clone()),
        kinds: Sides::new(field.kind.clone(), field.kind.clone()),
        direction,
        required: Sides::by(|side| side == target && (field.required || asked)),
        writable: Sides::by(|side| side == target),
        terms: Sides::by(|side| if side == target { terms(field) } else { FieldTerms::default() }),
        write: entry.write.as_ref().map(|word| *word.get_ref()).unwrap_or_default(),
        drift: entry.drift.as_ref().map(|word| *word.get_ref()).unwrap_or_default(),
        constant,
        ..FieldMapping::default()
    })
}

/// Validates defaults: values for fields of a new record where the other side is blank.
pub(crate) fn check_defaults(
    one: &Listed,
    fields: Sides<&Field>,
    direction: Direction,
    sides: SideWords<'_>,
    part: &str,
    found: &mut Findings<'_>,
) -> Sides<Option<Value>> {
    let given = Sides::new(&one.entry.default_left, &one.entry.default_right);
    Sides::by(|side| {
        let given = given[side].as_ref()?;
        if !direction.reaches(side) {
            let message = format!(
                "default-{side}: nothing flows to {} (direction {}); take a constant, or leave it out",
                exchange(&sides.exchanges[side]),
                direction_word(direction)
            );
            found.problem(&given.span(), part, message);
            return None;
        }
        if one.entry.write.as_ref().is_some_and(|word| *word.get_ref() == WriteRule::Never) {
            found.problem(
                &given.span(),
                part,
                format!(
                    "write = \"never\" and default-{side} contradict each other; leave one of the two out"
                ),
            );
            return None;
        }
        match read(given.get_ref(), fields[side]) {
            Ok(value) => Some(value),
            Err(message) => {
                found.problem(&given.span(), part, format!("default-{side}: {message}"));
                None
            }
        }
    })
}

/// Adds a notice for defaults of records that are never created.
pub(crate) fn check_new_records(
    listed: &[Listed],
    fields: &[FieldMapping],
    create: Sides<bool>,
    part: &str,
    found: &mut Findings<'_>,
) {
    for field in fields {
        for side in Side::BOTH {
            if field.default[side].is_some() && !create[side] {
                let one = listed
                    .iter()
                    .find(|one| Side::BOTH.iter().all(|side| one.name(*side) == field.name(*side)));
                let span = one.map_or(usize::MAX..usize::MAX, |one| one.span.clone());
                let message = format!(
                    "field {} ↔ {}: default-{side} is never used, since no records are created on the {side}",
                    field.names.left, field.names.right
                );
                found.notice(&span, part, message);
            }
        }
    }
}
