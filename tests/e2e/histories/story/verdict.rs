//! What must hold in the end, and after every run.

use super::{OBJECTS, RUNS_UNTIL_QUIET, Story};
use crate::histories::facts::{Place, Shown};
use crate::world::Output;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Why a record waits: the code, and the field where it is about one only.
type Waits = (String, Option<String>);

impl Story<'_> {
    pub(super) fn until_quiet(&mut self) -> Result<(), String> {
        self.tell("Calm.");
        for _ in 0..RUNS_UNTIL_QUIET {
            self.home.run(&["retry", "--all"]).well();
            let output = self.command(&[]);
            if ![0, 3].contains(&output.code) {
                continue;
            }
            if output.written("hub") + output.written("HelloWorld") == 0 && pending(&output) == 0 {
                return self.stays_quiet();
            }
        }
        Err(format!("not quiet after {RUNS_UNTIL_QUIET} runs without faults"))
    }

    /// One more run writes nothing.
    pub(super) fn stays_quiet(&mut self) -> Result<(), String> {
        let before = self.account.state();
        let hub: Vec<_> = ["contact", "company"].map(|object| self.home.records(object)).into();
        self.command(&[]);
        let after = self.account.state();
        let again: Vec<_> = ["contact", "company"].map(|object| self.home.records(object)).into();
        if before["records"] != after["records"] || before["deleted"] != after["deleted"] || hub != again {
            return Err("NOT QUIET: a run that had nothing to do changed something".to_owned());
        }
        Ok(())
    }

    pub(super) fn check(&mut self) -> Result<(), String> {
        self.compare(true)?;
        let struck = self.account.state()["struck"].clone();
        for (name, count) in struck.as_object().into_iter().flatten() {
            self.ended.struck.insert(name.clone(), count.as_u64().unwrap_or(0));
        }
        Ok(())
    }

    /// Records of which the program says that they wait, with the code; with a field where it is about one only.
    pub(super) fn waiting(&self) -> Result<BTreeMap<String, Vec<Waits>>, String> {
        let status = self.home.run(&["status", "HelloWorld", "--json"]).json();
        let mut waiting: BTreeMap<String, Vec<Waits>> = BTreeMap::new();
        for item in status[0]["waiting"]["list"].as_array().expect("what waits") {
            let Some(code) = item["code"].as_str() else {
                return Err(format!("UNACCOUNTED: it waits without a reason: {item}"));
            };
            let field = item["field"].as_str().map(str::to_owned);
            for record in item["records"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                waiting.entry(record.to_owned()).or_default().push((code.to_owned(), field.clone()));
            }
        }
        Ok(waiting)
    }

    /// Compares both sides. In the end every difference must have a reason; in between only what is agreed on is looked at.
    pub(super) fn compare(&mut self, end: bool) -> Result<(), String> {
        let waiting = if end { self.waiting()? } else { BTreeMap::new() };
        let mut wrong: Vec<String> = Vec::new();
        for (object, (contact, person, fields, _)) in OBJECTS.into_iter().enumerate() {
            let (hub, crm) = (by_who(self.hub(object)), by_who(self.crm(object)));
            let all: BTreeSet<&String> = hub.keys().chain(crm.keys()).collect();
            for who in all {
                let none = Vec::new();
                let (ours, theirs) = (hub.get(who).unwrap_or(&none), crm.get(who).unwrap_or(&none));
                let mut reasons = Vec::new();
                for name in ours.iter().map(|one| format!("{contact}:{}", one.id)) {
                    reasons.extend(waiting.get(&name).cloned().unwrap_or_default());
                }
                for name in theirs.iter().map(|one| format!("HelloWorld/{person}:{}", one.id)) {
                    reasons.extend(waiting.get(&name).cloned().unwrap_or_default());
                }
                self.ended.records += u64::from(end);
                // One that waits with a reason is not a double that the program has made of somebody.
                let idle = |name: String| {
                    waiting.get(&name).is_some_and(|all| all.iter().any(|one| one.1.is_none()))
                };
                let in_hub = ours.iter().filter(|one| !idle(format!("{contact}:{}", one.id))).count();
                let in_crm =
                    theirs.iter().filter(|one| !idle(format!("HelloWorld/{person}:{}", one.id))).count();
                if self.facts.apart.contains(who) {
                    *self.ended.waiting.entry("(never met)".to_owned()).or_default() += u64::from(end);
                } else if in_hub > 1 || in_crm > 1 {
                    wrong.push(format!(
                        "TWICE {who}: {} in the hub, {} in the CRM",
                        ours.len(),
                        theirs.len()
                    ));
                } else if let Some((code, _)) = reasons.iter().find(|(_, field)| field.is_none()) {
                    *self.ended.waiting.entry(code.clone()).or_default() += 1;
                } else if let ([ours], [theirs]) = (&ours[..], &theirs[..]) {
                    wrong.extend(self.differing(who, ours, theirs, fields, &reasons, end));
                } else if end && !self.facts.gone.contains_key(who) {
                    wrong.push(format!(
                        "ALONE {who}: {} in the hub, {} in the CRM",
                        ours.len(),
                        theirs.len()
                    ));
                }
                if end && !self.facts.apart.contains(who) && self.risen(who, ours, theirs) {
                    wrong.push(format!("RISEN {who} was deleted, and is there again"));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) }
    }

    pub(super) fn risen(&self, who: &str, ours: &[Shown], theirs: &[Shown]) -> bool {
        match self.facts.gone.get(who) {
            Some(Place::Hub) => !ours.is_empty(),
            Some(Place::Crm) => !theirs.is_empty(),
            None => false,
        }
    }

    pub(super) fn differing(
        &mut self,
        who: &str,
        ours: &Shown,
        theirs: &Shown,
        fields: &[(&str, &str)],
        reasons: &[Waits],
        end: bool,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for (own, field) in fields {
            let reason = reasons.iter().find(|(_, parked)| parked.as_deref() == Some(own));
            let (left, right) = (&ours.fields[*field], &theirs.fields[*field]);
            if let Some((code, _)) = reason {
                *self.ended.waiting.entry(format!("{code} (a field)")).or_default() += 1;
            } else if left == right {
                wrong.extend(self.facts.agreed(who, field, left, self.character.exact));
            } else if end {
                wrong.push(format!("DIFFERS {who}, {field}: hub «{left}», CRM «{right}»"));
            }
        }
        wrong
    }
}

fn by_who(records: Vec<Shown>) -> BTreeMap<String, Vec<Shown>> {
    let mut all: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for record in records {
        all.entry(record.who.clone()).or_default().push(record);
    }
    all
}

/// Records that are still to be done, by the counts of a run.
fn pending(output: &Output) -> u64 {
    let json = output.json();
    let sides = json["counts"].as_object().into_iter().flat_map(Map::values);
    let counts = sides.filter_map(Value::as_object).flat_map(Map::values);
    counts.filter_map(|counts| counts["pending"].as_u64()).sum()
}
