//! One history: people at work on both sides, runs of the program, then the checks.

mod deeds;
mod verdict;

use super::draw::{Character, Dice, POLICIES, Step, steps};
use super::facts::{COMPANY, CONTACT, Facts, Place, Shown, plain, who_field};
use crate::second_crm::Account;
use crate::world::{CANARY, Home, Output};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The most runs until both sides must be quiet.
const RUNS_UNTIL_QUIET: usize = 10;

/// An object: of the hub, of the CRM, its fields by their names in both, and whether its records are people.
type Object = (&'static str, &'static str, &'static [(&'static str, &'static str)], bool);

const OBJECTS: [Object; 2] =
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
}

/// Who each organisation is, by id.
fn names(state: &Value, object: &str) -> BTreeMap<String, String> {
    let records = state["records"][object].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records.map(|record| (text(&record["id"]), text(&record["fields"]["region"]))).collect()
}
