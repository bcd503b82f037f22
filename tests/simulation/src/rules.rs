//! Rules of fields that a history may have: a value map, a required field, a constant, defaults, a write rule,
//! references in cycles and to what is gone.
//! They are drawn apart from everything else, so that a history without them is what it was.

use crate::dice::{Dice, lock};
use crate::schema::{CITY, COMPANY, CONTACT, EMPLOYER, MANAGER, ORIGIN, PERSON, PHONE, STAGE};
use crate::system::System;
use crate::users::Users;
use entente_core::Value;
use entente_sync::{Direction, Drift, FieldMapping, Side, Sides, WriteRule};

/// Mixed into the seed of a history.
const STREAM: u64 = 0x5bd1_e995_7f4a_7c15;

/// What the field origin of the target always is.
const CONSTANT: &str = "synced";

/// The city that a new record gets where the other side has none.
const DEFAULT: &str = "Nowhere";

/// The value map of the field stage: what corresponds to what, left and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueMap {
    /// One to one.
    OneToOne,
    /// Two values of the left are one on the right.
    TwoOnTheLeft,
    /// Two values of the right are one on the left.
    TwoOnTheRight,
}

impl ValueMap {
    /// The corresponding values, left and right.
    pub(crate) const fn entries(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ValueMap::OneToOne => &[("new", "N"), ("open", "O"), ("won", "W"), ("lost", "L")],
            ValueMap::TwoOnTheLeft => &[("new", "N"), ("open", "O"), ("won", "C"), ("lost", "C")],
            ValueMap::TwoOnTheRight => &[("new", "N"), ("open", "O"), ("open", "P"), ("won", "W")],
        }
    }
}

/// The rules of fields that a history has.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The value map of the field stage of people, which is mapped with it only.
    pub map: Option<ValueMap>,
    /// Whether people type stages that the map has no entry for.
    pub unmapped: bool,
    /// The sides that require a city of people.
    pub required: Sides<bool>,
    /// The side on which the field origin has a constant.
    pub constant: Option<Side>,
    /// What happens to an edit of the constant.
    pub drift: Drift,
    /// The sides on which a new person gets a city where the other side has none.
    pub default: Sides<bool>,
    /// The write rule of the phone number.
    pub write: WriteRule,
    /// Whether people refer to people, and companies to people: references in cycles.
    pub cycles: bool,
    /// Whether people refer to companies that are gone.
    pub gone: bool,
    /// The sides that require the company of a person.
    pub employed: Sides<bool>,
}

impl Rules {
    /// Draws the rules of the history of this seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ STREAM);
        let map = dice
            .chance(30)
            .then(|| [ValueMap::OneToOne, ValueMap::TwoOnTheLeft, ValueMap::TwoOnTheRight][dice.below(3)]);
        let sides = [Sides::new(true, false), Sides::new(false, true), Sides::new(true, true)];
        let some = |dice: &mut Dice, percent: u64| {
            if dice.chance(percent) { sides[dice.below(3)] } else { Sides::default() }
        };
        Self {
            map,
            unmapped: dice.chance(40) && map.is_some(),
            required: some(&mut dice, 20),
            constant: dice.chance(20).then(|| if dice.chance(50) { Side::Left } else { Side::Right }),
            drift: if dice.chance(50) { Drift::Keep } else { Drift::Restore },
            default: some(&mut dice, 20),
            write: match dice.below(8) {
                0 => WriteRule::IfEmpty,
                1 => WriteRule::Never,
                _ => WriteRule::Always,
            },
            cycles: dice.chance(30),
            gone: dice.chance(25),
            employed: some(&mut dice, 15),
        }
    }

    /// Whether people have fields that are mapped by these rules only.
    pub(crate) fn adds_fields(&self) -> bool {
        self.map.is_some() || self.constant.is_some() || self.cycles
    }

    /// The fields that are mapped by these rules only.
    pub(crate) fn added(&self) -> impl Iterator<Item = (usize, usize)> {
        let all = [
            (self.map.is_some(), PERSON, STAGE),
            (self.constant.is_some(), PERSON, ORIGIN),
            (self.cycles, PERSON, MANAGER),
            (self.cycles, COMPANY, CONTACT),
        ];
        all.into_iter().filter(|(has, ..)| *has).map(|(_, object, field)| (object, field))
    }

    /// The fields that a side requires.
    pub(crate) fn required_on(&self, side: Side) -> impl Iterator<Item = (usize, usize)> {
        let all = [(self.required[side], CITY), (self.employed[side], EMPLOYER)];
        all.into_iter().filter(|(has, _)| *has).map(|(_, field)| (PERSON, field))
    }

    /// Applies the rules to the mapped fields of an object, and leaves out those that take no part.
    pub(crate) fn apply(&self, object: usize, fields: &mut Vec<FieldMapping>) {
        let extra = [(PERSON, STAGE), (PERSON, ORIGIN), (PERSON, MANAGER), (COMPANY, CONTACT)];
        let left_out = |slot: usize| {
            extra.contains(&(object, slot)) && self.added().all(|added| added != (object, slot))
        };
        if object == PERSON {
            self.apply_to_people(fields);
        }
        fields.retain(|field| !left_out(field.slot.index()));
    }

    fn apply_to_people(&self, fields: &mut [FieldMapping]) {
        if let Some(map) = self.map {
            let entries = map.entries().iter();
            fields[STAGE].values =
                entries.map(|(left, right)| (Value::text(*left), Value::text(*right))).collect();
        }
        fields[CITY].required = self.required;
        fields[CITY].default = self.default.map(|has| has.then(|| Value::text(DEFAULT)));
        fields[EMPLOYER].required = self.employed;
        fields[PHONE].write = self.write;
        if let Some(target) = self.constant {
            let origin = &mut fields[ORIGIN];
            origin.names[target.other()] = format!("={}", origin.names[target]);
            origin.direction = if target == Side::Left { Direction::ToLeft } else { Direction::ToRight };
            origin.constant = Some(Value::text(CONSTANT));
            origin.drift = self.drift;
        }
    }

    /// The side on which the field origin has a constant, and whether it has this value.
    pub(crate) fn is_constant(&self, value: &Value) -> bool {
        *value == Value::text(CONSTANT)
    }

    /// Whether the value map has the two values of a stage as an entry.
    pub(crate) fn correspond(&self, left: &Value, right: &Value) -> bool {
        let entries = self.map.map(ValueMap::entries).unwrap_or_default();
        (left.is_blank() && right.is_blank())
            || entries.iter().any(|(one, other)| *left == Value::text(*one) && *right == Value::text(*other))
    }

    /// Whether the value map has an entry for a stage of a side.
    pub(crate) fn has_entry(&self, side: Side, value: &Value) -> bool {
        self.words(side).any(|word| *value == Value::text(word))
    }

    /// The stages of a side.
    pub(crate) fn words(&self, side: Side) -> impl Iterator<Item = &'static str> {
        let entries = self.map.map(ValueMap::entries).unwrap_or_default();
        entries.iter().map(move |(left, right)| if side == Side::Left { *left } else { *right })
    }

    /// Whether this is the city that a new person gets on a side.
    pub(crate) fn is_default(&self, side: Side, value: &Value) -> bool {
        self.default[side] && *value == Value::text(DEFAULT)
    }

    /// What is drawn, for the counts.
    pub(crate) fn drawn(&self) -> [(&'static str, bool); 15] {
        let not_one_to_one = self.map.is_some_and(|map| map != ValueMap::OneToOne);
        let constant = |drift: Drift| self.constant.is_some() && self.drift == drift;
        [
            ("value map", self.map.is_some()),
            ("value map, not one to one", not_one_to_one),
            ("values without an entry in the value map", self.unmapped),
            ("required field on the left", self.required.left),
            ("required field on the right", self.required.right),
            ("constant, drift keep", constant(Drift::Keep)),
            ("constant, drift restore", constant(Drift::Restore)),
            ("default on the left", self.default.left),
            ("default on the right", self.default.right),
            ("write rule if-empty", self.write == WriteRule::IfEmpty),
            ("write rule never", self.write == WriteRule::Never),
            ("references in cycles", self.cycles),
            ("references to companies that are gone", self.gone),
            ("required reference on the left", self.employed.left),
            ("required reference on the right", self.employed.right),
        ]
    }
}

impl Users {
    /// A stage in the words of a system: the left one of a sync, or another one.
    pub(crate) fn stage(&self, place: usize) -> Value {
        if self.rules.unmapped && self.chance(20) {
            return Value::text(format!("odd {}", self.number()));
        }
        let words: Vec<&str> = self.rules.words(side_of(place)).collect();
        Value::text(words[self.below(words.len())])
    }

    /// Edits a field that is mapped by a rule only.
    pub(crate) async fn edit_by_rule(&self, place: usize) {
        let fields: Vec<(usize, usize)> = self.rules.added().collect();
        let (object, field) = fields[self.below(fields.len())];
        let Some(record) = self.any_record(place, object).await else { return };
        let value = match field {
            ORIGIN if object == PERSON && self.rules.constant != Some(side_of(place)) => return,
            ORIGIN if object == PERSON => Value::text(format!("Origin {}", self.number())),
            _ if self.chance(15) => Value::Null,
            STAGE => self.stage(place),
            _ => self.someone(place).await,
        };
        self.set(place, object, &record.id, field, value, None).await;
    }

    /// A reference to any person.
    pub(crate) async fn someone(&self, place: usize) -> Value {
        let person = self.any_record(place, PERSON).await;
        person.map_or(Value::Null, |person| self.systems[place].reference(PERSON, &person.id))
    }

    /// A company of a system that is gone.
    pub(crate) fn gone_company(&self, place: usize) -> Option<String> {
        if !self.rules.gone || !self.chance(40) {
            return None;
        }
        let ids: Vec<String> = {
            let book = lock(&self.book);
            let gone = book.gone.iter().filter(|gone| (gone.place, gone.object) == (place, COMPANY));
            gone.map(|gone| gone.id.clone()).collect()
        };
        (!ids.is_empty()).then(|| ids[self.below(ids.len())].clone())
    }

    /// Tells remote systems which fields they require, so that they note what is sent without.
    pub(crate) fn tell_required(&self) {
        for (place, system) in self.systems.iter().enumerate() {
            if let System::Remote(remote) = system {
                remote.require(self.rules.required_on(side_of(place)).collect());
            }
        }
    }
}

/// The side on which every sync has a system: the first one is the left one of all.
pub(crate) fn side_of(place: usize) -> Side {
    if place == 0 { Side::Left } else { Side::Right }
}
