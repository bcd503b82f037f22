//! Validation of a pair of fields and its policies.

use super::fit::fit;
use super::fixed;
use super::sync::Findings;
use crate::config::file::form::{FieldEntry, FieldWord, MappingEntry, RequiredWord};
use crate::config::file::value;
use crate::config::file::words::{SideWords, direction_word, only, towards};
use crate::config::names::{HUB, exchange, known};
use entente_core::{Compatibility, Kind, Value};
use entente_sqlite::MOST_CHOICES;
use entente_sync::{
    Blanks, Direction, Drift, Feature, Field, FieldMapping, FieldTerms, Object, Side, Sides, Slot,
    Unresolved, WriteRule,
};
use std::ops::Range;
use toml::Spanned;

/// A pair of fields as written in the file.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) span: Range<usize>,
    pub(crate) left: Spanned<String>,
    pub(crate) right: Spanned<String>,
    pub(crate) entry: FieldEntry,
}

impl Listed {
    pub(crate) fn name(&self, side: Side) -> &str {
        self.spanned(side).get_ref()
    }

    pub(crate) fn spanned(&self, side: Side) -> &Spanned<String> {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

/// The field pairs of an object, in file order, without those that are excluded.
pub(crate) fn listed(entry: &Spanned<MappingEntry>) -> Vec<Listed> {
    let given = entry.get_ref();
    let mut all = Vec::new();
    for (left, word) in &given.fields {
        if let FieldWord::Entry(entry) = word {
            let same = || if entry.constant.is_some() { fixed::stand_in(left) } else { left.clone() };
            let right = entry.right.clone().map_or_else(same, |right| at(right, &left.span()));
            all.push(Listed { span: left.span(), left: left.clone(), right, entry: (**entry).clone() });
        }
    }
    for field in &given.field {
        let entry = field.get_ref();
        if entry.constant.is_some()
            && let (Some(name), None) | (None, Some(name)) = (&entry.left, &entry.right)
        {
            let (left, right) = match entry.left {
                Some(_) => (name.clone(), fixed::stand_in(name)),
                None => (fixed::stand_in(name), name.clone()),
            };
            all.push(Listed { span: field.span(), left, right, entry: entry.clone() });
            continue;
        }
        let either = entry
            .left
            .as_ref()
            .or(entry.right.as_ref())
            .map(|name| Spanned::new(field.span(), name.get_ref().clone()));
        let left = entry
            .left
            .clone()
            .or_else(|| either.clone())
            .unwrap_or_else(|| Spanned::new(field.span(), String::new()));
        let right = entry.right.clone().or(either).unwrap_or_else(|| left.clone());
        all.push(Listed { span: field.span(), left, right, entry: entry.clone() });
    }
    // Those of a default mapping have no position in the file, and come last.
    all.sort_by_key(|one| one.span.start);
    all
}

/// A name with its key's span where it has no span of its own.
fn at(name: Spanned<String>, span: &Range<usize>) -> Spanned<String> {
    if name.span().start == usize::MAX { Spanned::new(span.clone(), name.into_inner()) } else { name }
}

/// What is special about writing a field, as its schema says.
pub(crate) fn terms(field: &Field) -> FieldTerms {
    FieldTerms {
        create_only: field.create_only,
        required_on_update: field.required_on_update,
        write_only: field.write_only,
        reported_only: field.reported_only.iter().map(Value::text).collect(),
    }
}

/// Whether a field can be written at all, given its object.
pub(crate) fn can_write(object: &Object, field: &Field) -> bool {
    field.writable && (object.has(Feature::Update) || object.has(Feature::Create))
}

/// Validates a pair of fields. `None` where its fields do not exist or cannot be mapped to each other.
pub(crate) fn check_field(
    one: &Listed,
    sides: SideWords<'_>,
    objects: Sides<&Object>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<FieldMapping> {
    if let Some(constant) = &one.entry.constant {
        return fixed::check_constant(one, constant, sides, objects, part, found);
    }
    let fields = find_fields(one, sides, objects, part, found)?;
    let part = &format!("{part}, field {} ↔ {}", one.left.get_ref(), one.right.get_ref());
    let entry = &one.entry;
    let writable = Sides::new(can_write(objects.left, fields.left), can_write(objects.right, fields.right));
    let before = found.problems.len();

    let direction = match &entry.direction {
        None => match writable.into_array() {
            [true, true] => Some(Direction::Both),
            [true, false] => Some(Direction::ToLeft),
            [false, true] => Some(Direction::ToRight),
            [false, false] => {
                found.problem(&one.span, part, "neither side can be written; leave it out");
                None
            }
        },
        Some(word) => match sides.direction(*word.get_ref()) {
            Ok(direction) => check_direction(direction, writable, sides, &word.span(), part, found),
            Err(message) => {
                found.problem(&word.span(), part, message);
                None
            }
        },
    };
    let values = check_values(entry, fields, direction, sides, part, found);
    check_kinds(one, fields, direction, entry.values.is_some(), part, found);
    let direction = direction?;
    let policies = check_policies(entry, direction, sides, part, found);
    let asked = match entry.required.as_ref().map(|word| (word.span(), *word.get_ref())) {
        None => Sides::default(),
        Some((_, RequiredWord::Both(yes))) => Sides::new(yes, yes),
        Some((span, RequiredWord::Side(word))) => match sides.side(word) {
            Ok(side) if !direction.reaches(side) => {
                found.problem(
                    &span,
                    part,
                    format!(
                        "required on the {side}, but nothing flows there (direction {})",
                        direction_word(direction)
                    ),
                );
                Sides::default()
            }
            Ok(side) => only(side),
            Err(message) => {
                found.problem(&span, part, format!("required: {message}"));
                Sides::default()
            }
        },
    };
    let default = fixed::check_defaults(one, fields, direction, sides, part, found);
    if found.problems.len() > before {
        return None;
    }
    let kinds = fields.map(|field| field.kind.clone());
    let lists = kinds.left.carrier() == kinds.right.carrier() && kinds.left.is_list();
    Some(FieldMapping {
        slot: Slot(0),
        names: Sides::new(one.left.get_ref().clone(), one.right.get_ref().clone()),
        kinds,
        direction,
        required: Sides::by(|side| direction.reaches(side) && (fields[side].required || asked[side])),
        writable,
        terms: fields.map(terms),
        set_like: lists && fields.iter().any(|field| field.set_like),
        trust: policies.trust,
        unresolved: policies.unresolved,
        blanks: policies.blanks,
        write: policies.write,
        drift: policies.drift,
        values,
        constant: None,
        default,
    })
}

fn find_fields<'d>(
    one: &Listed,
    sides: SideWords<'_>,
    objects: Sides<&'d Object>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<Sides<&'d Field>> {
    if one.left.get_ref().is_empty() {
        found.problem(&one.span, part, "a field needs left and right");
        return None;
    }
    let mut fields = Sides::new(None, None);
    for (side, name) in Side::BOTH.into_iter().zip([&one.left, &one.right]) {
        let object = objects[side];
        fields[side] = object.field(name.get_ref());
        if fields[side].is_none() {
            let there = object.fields.iter().map(|field| field.name.as_str());
            let message = no_field(&sides.exchanges[side], &object.name, name.get_ref(), there);
            found.problem(&name.span(), part, message);
        }
    }
    fields.both()
}

/// That an object has no field of this name.
pub(super) fn no_field<'a>(
    of: &str,
    object: &str,
    name: &str,
    there: impl IntoIterator<Item = &'a str>,
) -> String {
    let more = if of == HUB { format!("; [object.{object}.field.NAME] defines one") } else { String::new() };
    format!("{object} of {} has no field '{name}'; {}{more}", exchange(of), known(name, there))
}

fn check_direction(
    direction: Direction,
    writable: Sides<bool>,
    sides: SideWords<'_>,
    span: &Range<usize>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<Direction> {
    let blocked: Vec<Side> =
        Side::BOTH.into_iter().filter(|side| direction.reaches(*side) && !writable[*side]).collect();
    let side = match blocked.as_slice() {
        [] => return Some(direction),
        [side, ..] => *side,
    };
    let other = side.other();
    let who = exchange(&sides.exchanges[side]);
    let advice = if writable[other] {
        format!("write direction = \"{}\"", direction_word(towards(other)))
    } else {
        "leave it out".to_owned()
    };
    found.problem(span, part, format!("it cannot be written in {who}; {advice}"));
    None
}

fn check_kinds(
    one: &Listed,
    fields: Sides<&Field>,
    direction: Option<Direction>,
    table: bool,
    part: &str,
    found: &mut Findings<'_>,
) {
    let Sides { left, right } = fields.map(|field| &field.kind);
    match left.compatibility(right) {
        Compatibility::Same => {}
        Compatibility::Numbers => {
            let whole = if *left == Kind::Integer { Side::Left } else { Side::Right };
            if direction.is_some_and(|direction| direction.reaches(whole)) {
                found.notice(&one.span, part, format!("numbers with decimals cannot be written on the {whole}, which holds whole numbers"));
            }
        }
        Compatibility::ByTable if table => {}
        Compatibility::ByTable => found.problem(
            &one.span,
            part,
            format!(
                "{left} and {right} cannot stand for each other; map fields of one kind, or say with values which value stands for which"
            ),
        ),
        Compatibility::Never => found.problem(&one.span, part, format!("{left} and {right} cannot stand for each other; map fields of one kind")),
    }
}

/// Validates `values`, the value map: a table from left text to right value, or a list of pairs.
fn check_values(
    entry: &FieldEntry,
    fields: Sides<&Field>,
    direction: Option<Direction>,
    sides: SideWords<'_>,
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<(Value, Value)> {
    let Some(given) = &entry.values else {
        return Vec::new();
    };
    let span = given.span();
    let text = |text: &String| toml::Value::String(text.clone());
    let pairs: Option<Vec<(toml::Value, toml::Value)>> = match given.get_ref() {
        toml::Value::Table(table) => {
            Some(table.iter().map(|(left, right)| (text(left), right.clone())).collect())
        }
        toml::Value::Array(list) => list
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([left, right]) => Some((left.clone(), right.clone())),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    let Some(pairs) = pairs else {
        found.problem(&span, part, "values is a table (active = \"subscribed\") or a list of pairs ([[true, \"yes\"], [false, \"no\"]])");
        return Vec::new();
    };
    if pairs.is_empty() {
        found.problem(&span, part, "values is empty; leave it out");
    }
    if pairs.len() > MOST_CHOICES {
        found.problem(
            &span,
            part,
            format!("values has {} pairs, and there are at most {MOST_CHOICES}", pairs.len()),
        );
        return Vec::new();
    }
    let mut values: Vec<(Value, Value)> = Vec::new();
    for (left, right) in pairs {
        let mut read = |side: Side, value: &toml::Value| {
            value::from_toml(value).and_then(|value| fit(value, fields[side], true)).map_err(|message| {
                found.problem(
                    &span,
                    part,
                    format!("values, {} ({}): {message}", side, sides.exchanges[side]),
                );
            })
        };
        let (Ok(left), Ok(right)) = (read(Side::Left, &left), read(Side::Right, &right)) else {
            continue;
        };
        for (side, value, twice) in [
            (Side::Left, &left, values.iter().any(|pair| pair.0 == left)),
            (Side::Right, &right, values.iter().any(|pair| pair.1 == right)),
        ] {
            // Many-to-one is allowed only if values flow in that direction alone: the way back would be
            // ambiguous.
            let other = side.other();
            if twice && direction.is_some_and(|direction| direction.reaches(other)) {
                found.problem(
                    &span,
                    part,
                    format!("values: '{value}' on the {side} stands for two values on the {other}, so which one to write there is open"),
                );
            }
        }
        values.push((left, right));
    }
    values
}

struct Policies {
    trust: Option<Side>,
    unresolved: Unresolved,
    blanks: Blanks,
    write: WriteRule,
    drift: Drift,
}

fn check_policies(
    entry: &FieldEntry,
    direction: Direction,
    sides: SideWords<'_>,
    part: &str,
    found: &mut Findings<'_>,
) -> Policies {
    let one_way = direction.only_target().is_some();
    let way = direction_word(direction);
    let mut policies = Policies {
        trust: None,
        unresolved: Unresolved::default(),
        blanks: entry.blanks.as_ref().map(|word| *word.get_ref()).unwrap_or_default(),
        write: entry.write.as_ref().map(|word| *word.get_ref()).unwrap_or_default(),
        drift: entry.drift.as_ref().map(|word| *word.get_ref()).unwrap_or_default(),
    };
    if let Some(word) = &entry.trust {
        match sides.side(*word.get_ref()) {
            Ok(side) => policies.trust = Some(side),
            Err(message) => found.problem(&word.span(), part, format!("trust: {message}")),
        }
        if one_way {
            found.problem(
                &word.span(),
                part,
                format!("trust is for fields that flow both ways; with direction {way} the source always wins: leave trust out"),
            );
        }
    }
    if let Some(word) = &entry.unresolved {
        match sides.unresolved(*word.get_ref()) {
            Ok(choice) => policies.unresolved = choice,
            Err(message) => found.problem(&word.span(), part, format!("unresolved: {message}")),
        }
        if one_way {
            found.problem(
                &word.span(),
                part,
                format!("unresolved is for fields that flow both ways; with direction {way} nothing is judged: leave it out"),
            );
        } else if entry.trust.is_some() {
            found.problem(
                &word.span(),
                part,
                "with trust nothing is left unresolved; leave one of the two out",
            );
        }
    }
    if let Some(word) = entry.drift.as_ref().filter(|_| !one_way) {
        found.problem(
            &word.span(),
            part,
            "drift is for fields that flow one way; an edit on either side of this one is a change: leave drift out",
        );
    }
    if let Some(word) = entry.blanks.as_ref().filter(|word| one_way && *word.get_ref() == Blanks::Fill) {
        found.problem(
            &word.span(),
            part,
            format!("blanks = \"fill\" writes back to the side that is blank, and with direction {way} that is not written; take \"keep\""),
        );
    }
    if let Some(word) = entry.write.as_ref().filter(|word| *word.get_ref() == WriteRule::Never) {
        let required =
            entry.required.as_ref().is_some_and(|word| !matches!(word.get_ref(), RequiredWord::Both(false)));
        if required {
            found.problem(
                &word.span(),
                part,
                "write = \"never\" and required contradict each other; leave one of the two out",
            );
        }
        if policies.drift == Drift::Restore {
            found.problem(
                &word.span(),
                part,
                "write = \"never\" and drift = \"restore\" contradict each other; leave one of the two out",
            );
        }
        if policies.blanks == Blanks::Fill {
            found.problem(
                &word.span(),
                part,
                "write = \"never\" and blanks = \"fill\" contradict each other; leave one of the two out",
            );
        }
    }
    policies
}
