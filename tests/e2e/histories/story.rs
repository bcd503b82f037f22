//! One history: people at work on both sides, runs of the program, then the checks.

use super::draw::{Character, Dice, POLICIES, Step, steps};
use super::facts::{COMPANY, CONTACT, Facts, Place, Shown, plain, who_field};
use crate::second_crm::Account;
use crate::world::{CANARY, Home, Output};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The most runs until both sides must be quiet.
const RUNS_UNTIL_QUIET: usize = 10;

/// The engine's mistakes that a history may meet without failing. They are counted and printed; `ENTENTE_HISTORY_STRICT=1` lets
/// them fail.
const KNOWN: &str = "whose create was left without an answer";

/// Objects: of the hub, of the CRM, fields, and whether they are people.
const OBJECTS: [(&str, &str, &[(&str, &str)], bool); 2] =
    [("contact", "person", &CONTACT, true), ("company", "organisation", &COMPANY, false)];

/// Fields of people that are edited, by the CRM's names.
const EDITED: [&str; 10] =
    ["first_name", "last_name", "phone", "mobile", "street", "city", "region", "country", "website", "score"];

/// What a history has seen, to be added up.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    histories: u64,
    records: u64,
    runs: u64,
    killed: u64,
    struck: BTreeMap<String, u64>,
    /// What is wrong for a reason that `KNOWN` names.
    known: BTreeMap<String, u64>,
    /// Records and fields that were not compared, by the code of the reason that the program gave.
    waiting: BTreeMap<String, u64>,
}

impl Ended {
    pub(crate) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.records += other.records;
        self.runs += other.runs;
        self.killed += other.killed;
        for (name, count) in &other.struck {
            *self.struck.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.known {
            *self.known.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.waiting {
            *self.waiting.entry(name.clone()).or_default() += count;
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            parts.join(", ")
        };
        writeln!(f, "{} ended well with {} records after {} runs", self.histories, self.records, self.runs)?;
        writeln!(f, "  killed: {}; faults that struck: {}", self.killed, list(&self.struck))?;
        writeln!(f, "  wrong, and known ({KNOWN}): {}", list(&self.known))?;
        write!(f, "  not compared, since the program says why they wait: {}", list(&self.waiting))
    }
}

/// Adds the integration for an account.
pub(crate) fn connect(home: &Home, account: &Account) {
    let set = format!("url={}", account.url);
    home.run_with(
        &["integration", "add", "HelloWorld", "--set", &set, "--http", &account.url, "--secret", "api-key"],
        format!("{CANARY}\n"),
    )
    .well();
    // A first run compiles the plugin, for every copy of this home.
    account.reset(&json!({}));
    home.run(&["doctor"]).well();
}

pub(crate) struct Story<'a> {
    seed: u64,
    character: Character,
    home: Home,
    account: &'a Account,
    facts: Facts,
    words: u64,
    journal: usize,
    lines: Vec<String>,
    ended: Ended,
    /// How many companies were made.
    companies: u64,
}

impl<'a> Story<'a> {
    pub(crate) fn new(seed: u64, home: &Home, account: &'a Account) -> Self {
        let character = Character::draw(seed);
        account.reset(&character.given);
        let (facts, ended) = (Facts::default(), Ended { histories: 1, ..Ended::default() });
        let home = home.copy();
        Self {
            seed,
            character,
            home,
            account,
            facts,
            words: 0,
            journal: 0,
            lines: Vec::new(),
            ended,
            companies: 0,
        }
    }

    /// The story so far.
    pub(crate) fn told(&self) -> String {
        let policy = POLICIES[self.character.policy];
        format!("    deletes = {policy}, remote {}\n    {}", self.character.given, self.lines.join("\n    "))
    }

    fn tell(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// The history: steps, then calm, then the checks.
    pub(crate) fn run(&mut self, skip: &[usize]) -> Result<Ended, String> {
        self.set_policy();
        self.begin();
        self.account.faults(self.character.faulty);
        for number in 0..steps(self.seed) {
            let mut dice = Dice::of_step(self.seed, number);
            let step = Step::draw(&mut dice);
            if skip.contains(&number) {
                continue;
            }
            self.tell(format!("{number}. {step:?}"));
            // Words are the same, whichever steps are left out.
            self.words = 100 * (number as u64 + 1);
            self.take(step, &mut dice)?;
            self.read_journal();
        }
        self.account.faults(false);
        self.until_quiet()?;
        self.check()?;
        Ok(std::mem::take(&mut self.ended))
    }

    fn set_policy(&self) {
        let policy = POLICIES[self.character.policy];
        if policy == "ignore" {
            return;
        }
        let file = format!(
            "[sync.HelloWorld]\nmapping = \"default\"\n\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\n\
             identifiers = [\"email\"]\ndeletes = \"{policy}\"\n"
        );
        let file = self.home.file("policy.toml", file);
        self.home.run(&["apply", &file]).well();
    }

    /// Somebody is there on each side from the beginning.
    fn begin(&mut self) {
        let mut dice = Dice::new(self.seed ^ 7);
        self.crm_makes_company(&mut dice);
        for _ in 0..=dice.below(3) {
            self.crm_makes(&mut dice);
            self.words += 1;
            self.hub_makes(&mut dice);
        }
        self.read_journal();
    }

    fn take(&mut self, step: Step, dice: &mut Dice) -> Result<(), String> {
        match step {
            Step::HubEdits => self.hub_edits(dice),
            Step::CrmEdits => self.crm_edits(dice),
            Step::HubMakes => self.hub_makes(dice),
            Step::CrmMakes => self.crm_makes(dice),
            Step::BothMake => self.both_make(dice),
            Step::HubDeletes => self.hub_deletes(dice),
            Step::CrmDeletes => self.crm_deletes(dice),
            Step::CrmMerges => self.crm_merges(dice),
            Step::HubGivesAddressAway => self.hub_gives_address_away(dice),
            Step::CrmGivesAddressAway => self.crm_gives_address_away(dice),
            Step::HubTags => self.hub_tags(dice),
            Step::CrmTags => self.crm_tags(dice),
            Step::HubEditsCompany => self.hub_edits_company(dice),
            Step::CrmEditsCompany => self.crm_edits_company(dice),
            Step::HubMakesCompany => self.hub_makes_company(),
            Step::CrmMakesCompany => self.crm_makes_company(dice),
            Step::Sync => return self.sync(&[]),
            Step::DryRun => return self.sync(&["--dry-run"]),
            Step::Full => return self.sync(&["--full"]),
            Step::Killed => self.killed(dice),
            Step::Faults => self.account.faults(true),
            Step::Calm => self.account.faults(false),
            Step::ClockSteps if !self.character.exact => {
                self.account.step_clock([-120_000, 120_000, 86_400_000][dice.below(3)]);
            }
            Step::ClockSteps => {}
            Step::TokensExpire => self.account.expire(),
            Step::Retry => drop(self.home.run(&["retry", "--all"]).well()),
        }
        Ok(())
    }

    // ---- people at work

    fn word(&mut self) -> u64 {
        self.words += 1;
        self.words
    }

    /// A new value of a field.
    fn value(&mut self, field: &str, dice: &mut Dice) -> String {
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
    fn hub_set(&mut self, object: usize, record: Option<&Shown>, who: &str, values: &[(&str, String)]) {
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

    fn crm_does(&mut self, deed: &Value) -> bool {
        let done = self.account.person(deed);
        let said = match &done {
            Ok(record) => record["id"].clone(),
            Err(error) => error["error"]["code"].clone(),
        };
        self.tell(format!("   CRM {deed} → {said}"));
        done.is_ok()
    }

    fn crm_set(&mut self, object: usize, record: &Shown, values: Map<String, Value>) {
        self.crm_does(
            &json!({ "action": "update", "object": OBJECTS[object].1, "id": record.id, "fields": values }),
        );
    }

    fn hub_edits(&mut self, dice: &mut Dice) {
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
    fn hub_moves(&mut self, person: &Shown, dice: &mut Dice) {
        let companies = self.hub(1);
        if !companies.is_empty() {
            let to = dice.pick(&companies).who.clone();
            self.hub_set(0, Some(person), &person.who, &[("organisation", to)]);
        }
    }

    fn crm_edits(&mut self, dice: &mut Dice) {
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
    fn newcomer(
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

    fn hub_makes(&mut self, dice: &mut Dice) {
        let (who, mut values) = self.newcomer(None, dice);
        let companies = self.hub(1);
        if !companies.is_empty() && dice.percent(30) {
            values.push(("organisation", dice.pick(&companies).who.clone()));
        }
        self.hub_set(0, None, &who, &values);
    }

    fn crm_makes(&mut self, dice: &mut Dice) {
        let (_, values) = self.newcomer(None, dice);
        let mut fields = crm_fields(&values);
        let organisations = self.crm(1);
        if !organisations.is_empty() && dice.percent(30) {
            fields.insert("organisation".into(), json!(dice.pick(&organisations).id));
        }
        self.crm_does(&json!({ "action": "create", "object": "person", "fields": fields }));
    }

    /// The same person is entered on both sides.
    fn both_make(&mut self, dice: &mut Dice) {
        let address = format!("both{}@example.org", self.word());
        let (who, values) = self.newcomer(Some(address), dice);
        self.facts.both.insert(who.clone());
        self.hub_set(0, None, &who, &values);
        if !self.character.late {
            self.crm_does(&json!({ "action": "create", "object": "person", "fields": crm_fields(&values) }));
        }
    }

    fn hub_deletes(&mut self, dice: &mut Dice) {
        let people = self.hub(0);
        if people.len() > 2 {
            let person = dice.pick(&people);
            self.home.run(&["record", "delete", &format!("contact:{}", person.id)]).well();
            self.tell(format!("   hub contact:{} ({}) deleted", person.id, person.who));
            self.facts.goes(&person.who, Place::Hub);
        }
    }

    fn crm_deletes(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if people.len() > 2 {
            self.crm_does(&json!({ "action": "delete", "object": "person", "id": dice.pick(&people).id }));
        }
    }

    fn crm_merges(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if people.len() > 2 {
            let at = dice.below(people.len());
            let into = (at + 1 + dice.below(people.len() - 1)) % people.len();
            let (loser, winner) = (&people[at].id, &people[into].id);
            self.crm_does(&json!({ "action": "merge", "object": "person", "id": loser, "into": winner }));
        }
    }

    /// A person gets another address, or none, and a new one the old address.
    fn hub_gives_address_away(&mut self, dice: &mut Dice) {
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

    fn crm_gives_address_away(&mut self, dice: &mut Dice) {
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
    fn retagged(&mut self, person: &Shown, dice: &mut Dice) -> Vec<String> {
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

    fn hub_tags(&mut self, dice: &mut Dice) {
        let people = self.hub(0);
        if !people.is_empty() {
            let person = dice.pick(&people);
            let tags = self.retagged(person, dice);
            self.hub_set(0, Some(person), &person.who, &[("tags", tags.join(";"))]);
        }
    }

    fn crm_tags(&mut self, dice: &mut Dice) {
        let people = self.crm(0);
        if !people.is_empty() {
            let person = dice.pick(&people);
            let tags = self.retagged(person, dice);
            self.crm_set(0, person, Map::from_iter([("tags".to_owned(), json!(tags))]));
        }
    }

    fn hub_edits_company(&mut self, dice: &mut Dice) {
        let companies = self.hub(1);
        if !companies.is_empty() {
            let company = dice.pick(&companies);
            let field = *dice.pick(&["city", "street", "country", "phone"]);
            let value = self.value(field, dice);
            self.hub_set(1, Some(company), &company.who, &[(field, value)]);
        }
    }

    fn crm_edits_company(&mut self, dice: &mut Dice) {
        let companies = self.crm(1);
        if !companies.is_empty() {
            let field = *dice.pick(&["city", "street", "country", "phone"]);
            let value = crm_value(field, self.value(field, dice));
            self.crm_set(1, dice.pick(&companies), Map::from_iter([(field.to_owned(), value)]));
        }
    }

    fn hub_makes_company(&mut self) {
        self.companies += 1;
        let who = format!("company h{}", self.companies);
        let values = [("region", who.clone()), ("name", format!("Firm h{}", self.companies))];
        self.hub_set(1, None, &who, &values);
    }

    fn crm_makes_company(&mut self, dice: &mut Dice) {
        self.companies += 1;
        let fields = json!({ "name": format!("Firm r{}", self.companies), "region": format!("company r{}", self.companies),
            "city": format!("Town {}", dice.below(1000)) });
        self.crm_does(&json!({ "action": "create", "object": "organisation", "fields": fields }));
    }

    // ---- the program

    fn command(&mut self, options: &[&str]) -> Output {
        let mut args = vec!["sync", "HelloWorld", "--json"];
        args.extend(options);
        let output = self.home.run(&args);
        self.ended.runs += 1;
        let shown = self.shown(&output);
        self.tell(format!("   sync {} → {shown}", options.join(" ")));
        output
    }

    /// A run in one line: what was written, and the error if there was one.
    fn shown(&self, output: &Output) -> String {
        if output.stdout.trim().is_empty() {
            return format!("exit {} {}", output.code, output.stderr.trim());
        }
        let json = output.json();
        let waiting = json["waiting"]["list"].as_array().into_iter().flatten();
        let waits: Vec<String> = waiting
            .map(|item| format!("{} {} {}{}", item["status"], item["code"], item["records"], item["field"]))
            .collect();
        let error = output.error().map(|error| error["error"].to_string()).unwrap_or_default();
        format!(
            "exit {}, {} written to the hub, {} to the CRM, waiting {waits:?} {error}",
            output.code,
            output.written("hub"),
            output.written("HelloWorld")
        )
    }

    fn sync(&mut self, options: &[&str]) -> Result<(), String> {
        let output = self.command(options);
        if ![0, 1, 3].contains(&output.code) {
            return Err(format!("exit code {}", output.code));
        }
        self.read_journal();
        if output.code == 0 && options.is_empty() {
            return self.compare(false);
        }
        Ok(())
    }

    /// `kill -9` while a request is under way, which is done before, after or never.
    fn killed(&mut self, dice: &mut Dice) {
        let (after, done) = (dice.below(9) as u64, *dice.pick(&["no", "yes", "late"]));
        self.account.hang(after, done);
        let mut child = self
            .home
            .command(&["sync", "HelloWorld"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let mut hung = false;
        while !hung && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(300), "the run neither goes on nor ends");
            hung = self.account.hung();
            std::thread::sleep(Duration::from_millis(3));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.account.release();
        self.ended.killed += u64::from(hung);
        self.ended.runs += 1;
        let what = if hung { "killed" } else { "it ended before" };
        self.tell(format!("   request {after} held, done: {done}; {what}"));
    }

    // ---- what stands there

    /// What people did in the CRM since the last look.
    fn read_journal(&mut self) {
        let state = self.account.state();
        let organisations = names(&state, "organisation");
        let entries = state["journal"].as_array().expect("a journal").clone();
        for entry in &entries[self.journal..] {
            let person = entry["object"] == json!("person");
            let who = entry["record"][who_field(person)].as_str().unwrap_or_default();
            let Some(field) = entry["field"].as_str() else {
                self.facts.goes(who, Place::Crm);
                if let Some(winner) = entry["into"][who_field(person)].as_str() {
                    self.facts.merged(who, winner);
                }
                continue;
            };
            if field == "tags" {
                for tag in entry["after"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    // In a merge the winner takes over the tags of the other.
                    let before =
                        entry["before"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag));
                    if !before {
                        self.facts.tagged(who, tag, true);
                    }
                }
                continue;
            }
            let value = match (field, entry["after"].as_str()) {
                ("organisation", Some(id)) => organisations.get(id).cloned().unwrap_or_default(),
                _ => plain(field, &entry["after"]),
            };
            self.facts.edited(who, field, Place::Crm, value);
        }
        for entry in &entries[self.journal..] {
            let own = self.lines.iter().rev().take(3).any(|line| line.contains("   CRM"));
            if !own && entry["field"].is_string() {
                self.tell(format!("   meanwhile {}: {} = {}", entry["id"], entry["field"], entry["after"]));
            } else if !own {
                self.tell(format!("   meanwhile {} {}", entry["id"], entry["after"]));
            }
        }
        self.journal = entries.len();
    }

    fn hub(&self, object: usize) -> Vec<Shown> {
        let (name, _, fields, person) = OBJECTS[object];
        let companies: BTreeMap<String, String> = match person {
            true => self.hub(1).into_iter().map(|company| (company.id, company.who)).collect(),
            false => BTreeMap::new(),
        };
        let records = self.home.records(name).into_iter();
        let shown = |record: crate::world::HubRecord| {
            let value = |own: &str, theirs: &str| {
                let value = record.fields.get(own).unwrap_or(&Value::Null);
                match value["ref"][1].as_str() {
                    Some(id) => companies.get(id).cloned().unwrap_or_default(),
                    None => plain(theirs, value),
                }
            };
            let fields: BTreeMap<String, String> =
                fields.iter().map(|(own, theirs)| ((*theirs).to_owned(), value(own, theirs))).collect();
            Shown { who: fields[who_field(person)].clone(), id: record.id.clone(), fields }
        };
        records.map(shown).collect()
    }

    fn crm(&self, object: usize) -> Vec<Shown> {
        let (_, name, fields, person) = OBJECTS[object];
        let state = self.account.state();
        let organisations = names(&state, "organisation");
        let records = state["records"][name].as_array().expect("records").clone();
        let shown = |record: Value| {
            let value = |theirs: &str| {
                let value = &record["fields"][theirs];
                match (theirs, value.as_str()) {
                    ("organisation", Some(id)) => organisations.get(id).cloned().unwrap_or_default(),
                    _ => plain(theirs, value),
                }
            };
            let fields: BTreeMap<String, String> =
                fields.iter().map(|(_, theirs)| ((*theirs).to_owned(), value(theirs))).collect();
            let id = record["id"].as_str().expect("an id").to_owned();
            Shown { who: fields[who_field(person)].clone(), id, fields }
        };
        records.into_iter().map(shown).collect()
    }

    // ---- the checks

    fn until_quiet(&mut self) -> Result<(), String> {
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
    fn stays_quiet(&mut self) -> Result<(), String> {
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

    fn check(&mut self) -> Result<(), String> {
        self.compare(true)?;
        let struck = self.account.state()["struck"].clone();
        for (name, count) in struck.as_object().into_iter().flatten() {
            self.ended.struck.insert(name.clone(), count.as_u64().unwrap_or(0));
        }
        Ok(())
    }

    /// Records of which the program says that they wait, with the code; with a field where it is about one only.
    fn waiting(&self) -> Result<BTreeMap<String, Vec<(String, Option<String>)>>, String> {
        let status = self.home.run(&["status", "HelloWorld", "--json"]).json();
        let mut waiting: BTreeMap<String, Vec<_>> = BTreeMap::new();
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
    fn compare(&mut self, end: bool) -> Result<(), String> {
        let waiting = if end { self.waiting()? } else { BTreeMap::new() };
        let mut wrong: Vec<String> = Vec::new();
        let open = self.account.state()["unanswered"].clone();
        let known = |who: &str| {
            let open = open.as_array().into_iter().flatten().any(|one| one == who);
            open && std::env::var_os("ENTENTE_HISTORY_STRICT").is_none()
        };
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
                let before = wrong.len();
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
                if known(who) {
                    for what in wrong.drain(before..) {
                        let kind = what.split(' ').next().unwrap_or_default().to_owned();
                        *self.ended.known.entry(kind).or_default() += u64::from(end);
                    }
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n    ")) }
    }

    fn risen(&self, who: &str, ours: &[Shown], theirs: &[Shown]) -> bool {
        match self.facts.gone.get(who) {
            Some(Place::Hub) => !ours.is_empty(),
            Some(Place::Crm) => !theirs.is_empty(),
            None => false,
        }
    }

    fn differing(
        &mut self,
        who: &str,
        ours: &Shown,
        theirs: &Shown,
        fields: &[(&str, &str)],
        reasons: &[(String, Option<String>)],
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

/// Who each organisation is, by id.
fn names(state: &Value, object: &str) -> BTreeMap<String, String> {
    let records = state["records"][object].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records.map(|record| (text(&record["id"]), text(&record["fields"]["region"]))).collect()
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

/// Records that are still to be done, by the counts of a run.
fn pending(output: &Output) -> u64 {
    let json = output.json();
    let sides = json["counts"].as_object().into_iter().flat_map(Map::values);
    let counts = sides.filter_map(Value::as_object).flat_map(Map::values);
    counts.filter_map(|counts| counts["pending"].as_u64()).sum()
}
