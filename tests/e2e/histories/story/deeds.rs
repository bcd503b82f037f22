//! What people do on both sides, and what it means for the facts.

use super::{EDITED, OBJECTS, Story};
use crate::histories::draw::Dice;
use crate::histories::facts::{Place, Shown, plain};
use serde_json::{Map, Value, json};

impl Story<'_> {
    pub(super) fn word(&mut self) -> u64 {
        self.words += 1;
        self.words
    }

    /// A new value of a field.
    pub(super) fn value(&mut self, field: &str, dice: &mut Dice) -> String {
        if !["last_name", "score"].contains(&field) && dice.percent(15) {
            return String::new();
        }
        let word = self.word();
        match field {
            "phone" | "mobile" => format!("+46 90 {word}"),
            "website" => format!("https://{word}.example"),
            "score" => word.to_string(),
            _ => format!("Word {word}"),
        }
    }

    /// `record set`, and what it means for the facts.
    pub(super) fn hub_set(
        &mut self,
        object: usize,
        record: Option<&Shown>,
        who: &str,
        values: &[(&str, String)],
    ) {
        let (contact, _, fields, _) = OBJECTS[object];
        let name = record.map_or_else(|| contact.to_owned(), |record| format!("{contact}:{}", record.id));
        let companies = self.hub(1);
        let mut args = vec!["record".to_owned(), "set".to_owned(), name.clone()];
        for (field, value) in values {
            let (own, _) = fields.iter().find(|(_, theirs)| theirs == field).expect("a mapped field");
            let given = match *field {
                "organisation" if !value.is_empty() => {
                    let company = companies.iter().find(|company| company.who == *value);
                    format!("company:{}", company.expect("a company of the hub").id)
                }
                _ => value.clone(),
            };
            args.push(format!("{own}={given}"));
        }
        self.home.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).well();
        for (field, value) in values {
            let value = plain(field, &json!(value));
            let before = record.and_then(|record| record.fields.get(*field)).cloned().unwrap_or_default();
            if *field != "tags" && before != value {
                self.facts.edited(who, field, Place::Hub, value);
            }
        }
        self.tell(format!("   hub {name} ({who}): {values:?}"));
    }

    pub(super) fn crm_does(&mut self, deed: &Value) -> bool {
        let done = self.account.person(deed);
        let said = match &done {
            Ok(record) => record["id"].clone(),
            Err(error) => error["error"]["code"].clone(),
        };
        self.tell(format!("   CRM {deed} → {said}"));
        done.is_ok()
    }

    pub(super) fn crm_set(&mut self, object: usize, record: &Shown, values: Map<String, Value>) {
        self.crm_does(
            &json!({ "action": "update", "object": OBJECTS[object].1, "id": record.id, "fields": values }),
        );
    }

    pub(super) fn hub_edits(&mut self, dice: &mut Dice) {
        let people = self.hub(0);
        if people.is_empty() {
            return;
        }
        let person = dice.pick(&people);
        let field = *dice.pick(&EDITED);
        let value =
            if dice.percent(12) { return self.hub_moves(person, dice) } else { self.value(field, dice) };
        self.hub_set(0, Some(person), &person.who, &[(field, value)]);
    }

    /// A person changes to another company.
    pub(super) fn hub_moves(&mut self, person: &Shown, dice: &mut Dice) {
        let companies = self.hub(1);
        if !companies.is_empty() {
            let to = dice.pick(&companies).who.clone();
            self.hub_set(0, Some(person), &person.who, &[("organisation", to)]);
        }
    }

    pub(super) fn crm_edits(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if people.is_empty() {
            return;
        }
        let person = dice.pick(&people);
        let mut field = *dice.pick(&EDITED);
        let mut value = crm_value(field, self.value(field, dice));
        if dice.percent(12) {
            field = "organisation";
            value = json!(dice.pick(&self.crm(1)).id);
        }
        self.crm_set(0, person, Map::from_iter([(field.to_owned(), value)]));
    }

    /// Who a new person is, and the values to begin with.
    pub(super) fn newcomer(
        &mut self,
        address: Option<String>,
        dice: &mut Dice,
    ) -> (String, Vec<(&'static str, String)>) {
        let word = self.word();
        let who = format!("person {word}");
        let mut values = vec![("job_title", who.clone()), ("last_name", format!("Ek {word}"))];
        if let Some(address) = address {
            values.push(("email", address));
        } else if dice.percent(70) {
            values.push(("email", format!("p{word}@example.org")));
        }
        if dice.percent(40) {
            values.push(("country", format!("Norway {word}")));
        }
        if dice.percent(40) {
            values.push(("phone", format!("+47 {word}")));
        }
        (who, values)
    }

    pub(super) fn hub_makes(&mut self, dice: &mut Dice) {
        let (who, mut values) = self.newcomer(None, dice);
        let companies = self.hub(1);
        if !companies.is_empty() && dice.percent(30) {
            values.push(("organisation", dice.pick(&companies).who.clone()));
        }
        self.hub_set(0, None, &who, &values);
    }

    pub(super) fn crm_makes(&mut self, dice: &mut Dice) {
        let (_, values) = self.newcomer(None, dice);
        let mut fields = crm_fields(&values);
        let organisations = self.crm(1);
        if !organisations.is_empty() && dice.percent(30) {
            fields.insert("organisation".into(), json!(dice.pick(&organisations).id));
        }
        self.crm_does(&json!({ "action": "create", "object": "person", "fields": fields }));
    }

    /// The same person is entered on both sides.
    pub(super) fn both_make(&mut self, dice: &mut Dice) {
        let address = format!("both{}@example.org", self.word());
        let (who, values) = self.newcomer(Some(address), dice);
        self.facts.both.insert(who.clone());
        self.hub_set(0, None, &who, &values);
        if !self.character.late {
            self.crm_does(&json!({ "action": "create", "object": "person", "fields": crm_fields(&values) }));
        }
    }

    pub(super) fn hub_deletes(&mut self, dice: &mut Dice) {
        let people = self.hub(0);
        if people.len() > 2 {
            let person = dice.pick(&people);
            self.home.run(&["record", "delete", &format!("contact:{}", person.id)]).well();
            self.tell(format!("   hub contact:{} ({}) deleted", person.id, person.who));
            self.facts.goes(&person.who, Place::Hub);
        }
    }

    pub(super) fn crm_deletes(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if people.len() > 2 {
            self.crm_does(&json!({ "action": "delete", "object": "person", "id": dice.pick(&people).id }));
        }
    }

    pub(super) fn crm_merges(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if people.len() > 2 {
            let at = dice.below(people.len());
            let into = (at + 1 + dice.below(people.len() - 1)) % people.len();
            let (loser, winner) = (&people[at].id, &people[into].id);
            self.crm_does(&json!({ "action": "merge", "object": "person", "id": loser, "into": winner }));
        }
    }

    /// A person gets another address, or none, and a new one the old address.
    pub(super) fn hub_gives_address_away(&mut self, dice: &mut Dice) {
        let people: Vec<Shown> = self.hub(0).into_iter().filter(has_address).collect();
        if people.is_empty() {
            return;
        }
        let person = dice.pick(&people);
        let address = person.fields["email"].clone();
        let new = if dice.percent(50) { format!("w{}@example.org", self.word()) } else { String::new() };
        self.facts.loses_address(&person.who);
        self.hub_set(0, Some(person), &person.who, &[("email", new)]);
        if dice.percent(60) {
            let (who, values) = self.newcomer(Some(address), dice);
            self.hub_set(0, None, &who, &values);
        }
    }

    pub(super) fn crm_gives_address_away(&mut self, dice: &mut Dice) {
        let people: Vec<Shown> = self.crm(0).into_iter().filter(has_address).collect();
        if people.is_empty() {
            return;
        }
        let person = dice.pick(&people);
        let address = person.fields["email"].clone();
        let new = if dice.percent(50) { json!(format!("w{}@example.org", self.word())) } else { Value::Null };
        self.facts.loses_address(&person.who);
        self.crm_set(0, person, Map::from_iter([("email".to_owned(), new)]));
        if dice.percent(60) {
            let (_, values) = self.newcomer(Some(address), dice);
            self.crm_does(&json!({ "action": "create", "object": "person", "fields": crm_fields(&values) }));
        }
    }

    /// Puts a tag on, or takes one off.
    pub(super) fn retagged(&mut self, person: &Shown, dice: &mut Dice) -> Vec<String> {
        let tags = person.fields.get("tags").map(String::as_str).unwrap_or_default();
        let mut tags: Vec<String> =
            tags.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        if !tags.is_empty() && dice.percent(30) {
            let off = tags.remove(dice.below(tags.len()));
            self.facts.tagged(&person.who, &off, false);
        } else {
            let on = format!("t{}", self.word());
            self.facts.tagged(&person.who, &on, true);
            tags.push(on);
        }
        tags
    }

    pub(super) fn hub_tags(&mut self, dice: &mut Dice) {
        let people = self.hub(0);
        if !people.is_empty() {
            let person = dice.pick(&people);
            let tags = self.retagged(person, dice);
            self.hub_set(0, Some(person), &person.who, &[("tags", tags.join(";"))]);
        }
    }

    pub(super) fn crm_tags(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if !people.is_empty() {
            let person = dice.pick(&people);
            let tags = self.retagged(person, dice);
            self.crm_set(0, person, Map::from_iter([("tags".to_owned(), json!(tags))]));
        }
    }

    pub(super) fn hub_edits_company(&mut self, dice: &mut Dice) {
        let companies = self.hub(1);
        if !companies.is_empty() {
            let company = dice.pick(&companies);
            let field = *dice.pick(&["city", "street", "country", "phone"]);
            let value = self.value(field, dice);
            self.hub_set(1, Some(company), &company.who, &[(field, value)]);
        }
    }

    pub(super) fn crm_edits_company(&mut self, dice: &mut Dice) {
        let companies = self.crm(1);
        if !companies.is_empty() {
            let field = *dice.pick(&["city", "street", "country", "phone"]);
            let value = crm_value(field, self.value(field, dice));
            self.crm_set(1, dice.pick(&companies), Map::from_iter([(field.to_owned(), value)]));
        }
    }

    pub(super) fn hub_makes_company(&mut self) {
        self.companies += 1;
        let who = format!("company h{}", self.companies);
        let values = [("region", who.clone()), ("name", format!("Firm h{}", self.companies))];
        self.hub_set(1, None, &who, &values);
    }

    pub(super) fn crm_makes_company(&mut self, dice: &mut Dice) {
        self.companies += 1;
        let fields = json!({ "name": format!("Firm r{}", self.companies), "region": format!("company r{}", self.companies),
            "city": format!("Town {}", dice.below(1000)) });
        self.crm_does(&json!({ "action": "create", "object": "organisation", "fields": fields }));
    }
}

fn has_address(person: &Shown) -> bool {
    !person.fields["email"].is_empty()
}

/// A value as the CRM takes it.
fn crm_value(field: &str, value: String) -> Value {
    match field {
        _ if value.is_empty() => Value::Null,
        "score" => json!(value.parse::<i64>().expect("a number")),
        _ => json!(value),
    }
}

fn crm_fields(values: &[(&str, String)]) -> Map<String, Value> {
    values.iter().map(|(field, value)| ((*field).to_owned(), crm_value(field, value.clone()))).collect()
}
