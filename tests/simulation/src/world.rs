//! The world of a history: systems, syncs and ledger, with running and crashing a sync.

use crate::book::Book;
use crate::character::{Character, Shape, Ties};
use crate::clock::{SeededBits, SimClock};
use crate::dice::{Dice, lock};
use crate::gate::{GatedExchange, GatedLedger, Shared};
use crate::remote::Remote;
use crate::rules::Rules;
use crate::schema::{self, CITY, COMPANY, NAME, PERSON, PHONE, Words, columns};
use crate::system::System;
use crate::tape::{Tape, drive};
use crate::users::{Link, Users};
use anyhow::{Context, Result, anyhow};
use entente_core::Value;
use entente_sqlite::{FieldDefinition, Hub, SqliteLedger, Store, StoreError, ensure_mapping, ensure_slots};
use entente_sync::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than a lease.
const BEYOND_LEASE: Duration = Duration::from_secs(181);

/// The state of a history.
pub(crate) struct World {
    pub(crate) character: Character,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) tape: Arc<Tape>,
    pub(crate) ledger: GatedLedger,
    pub(crate) users: Arc<Users>,
    pub(crate) syncs: Vec<SyncDefinition>,
    gates: Vec<GatedExchange>,
    bits: SeededBits,
    /// The folder of the store's file, removed with the world.
    _folder: Option<tempfile::TempDir>,
}

/// The end of a run.
pub(crate) enum Ran {
    Ended(Box<RunEnd>),
    /// It could not begin.
    Refused(SyncError),
    /// It crashed.
    Stopped,
}

impl World {
    /// An empty world of this character.
    pub(crate) fn new(character: Character, dice: &mut Dice, print: bool, file: bool) -> Result<Self> {
        let clock = Arc::new(SimClock::default());
        let tape = Arc::new(Tape::new(print));
        let folder = if file { Some(tempfile::tempdir()?) } else { None };
        let store = match &folder {
            Some(folder) => Store::open(&folder.path().join("tenant.db"))?,
            None => Store::in_memory()?,
        };
        let mut systems = Vec::new();
        if character.shape != Shape::Remotes {
            systems.push(System::Hub(Hub::new(store.clone(), Arc::clone(&clock) as Arc<dyn Clock>)));
        }
        for (name, manners) in ["A", "B"].into_iter().zip(&character.remotes) {
            let remote =
                Remote::new(name, manners.clone(), Arc::clone(&clock), Arc::clone(&tape), dice.fork());
            systems.push(System::Remote(Arc::new(remote)));
        }
        let links: Vec<Sides<usize>> = if character.shape == Shape::FanOut {
            vec![Sides::new(0, 1), Sides::new(0, 2)]
        } else {
            vec![Sides::new(0, 1)]
        };
        if character.rules.adds_fields() {
            for hub in systems.iter().filter_map(System::hub) {
                drive(define_fields(hub, &character.rules)).context("the hub is busy")??;
            }
        }
        let mut syncs = Vec::new();
        for places in &links {
            syncs.push(drive(define(&store, &character, &systems, *places)).context("the store is busy")??);
        }
        let link = |(sync, places): (&SyncDefinition, Sides<usize>)| Link {
            sync: sync.name.clone(),
            relation: sync.relation.clone(),
            places,
        };
        let users = Arc::new(Users {
            links: syncs.iter().zip(links).map(link).collect(),
            ledger: SqliteLedger::in_virtual_time(store.clone()),
            clock: Arc::clone(&clock),
            tape: Arc::clone(&tape),
            book: Mutex::new(Book::default()),
            dice: Mutex::new(dice.fork()),
            hiding: character.filtered.contains(&true),
            busy: Mutex::new(0),
            rules: character.rules.clone(),
            systems,
        });
        users.tell_required();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let gate = |system: &System| GatedExchange {
            inner: match system {
                System::Hub(hub) => Arc::new(hub.clone()),
                System::Remote(remote) => Arc::clone(remote) as Arc<dyn Exchange>,
            },
            tape: Arc::clone(&tape),
            shared: Arc::clone(&shared),
            users: Arc::clone(&users),
        };
        let gates = users.systems.iter().map(gate).collect();
        let ledger =
            GatedLedger { inner: SqliteLedger::in_virtual_time(store), tape: Arc::clone(&tape), shared };
        let bits = SeededBits(Mutex::new(dice.fork()));
        Ok(Self { character, clock, tape, ledger, users, syncs, gates, bits, _folder: folder })
    }

    /// Runs a sync, and crashes it after this many effects if given.
    pub(crate) fn run(&self, sync: usize, options: RunOptions, stop_after: Option<u64>) -> Result<Ran> {
        let places = self.users.links[sync].places;
        let stop = CancellationToken::new();
        let engine = Engine {
            ledger: &self.ledger,
            exchanges: places.map(|place| &self.gates[place] as &dyn Exchange),
            clock: self.clock.as_ref(),
            randomness: &self.bits,
            observer: &Silent,
            stop: &stop,
            budget: &RunBudget::default(),
            holder: "simulation",
        };
        self.tape.note(format_args!("run of {}: {}", self.syncs[sync].name, asked(&options)));
        self.tape.stop_after(stop_after);
        self.remotes().for_each(|remote| remote.begin());
        let ran = drive(engine.run(&self.syncs[sync], options));
        let stopped = self.tape.stopped();
        self.tape.stop_after(None);
        match ran {
            Some(Ok(end)) => {
                let error = end.error.as_ref().map_or("no error".to_owned(), ToString::to_string);
                self.tape.note(format_args!(
                    "run {} ended: {} writes, {error}",
                    end.run.id,
                    end.run.writes()
                ));
                Ok(Ran::Ended(Box::new(end)))
            }
            Some(Err(error)) => {
                self.tape.note(format_args!("no run: {error}"));
                Ok(Ran::Refused(error))
            }
            None if stopped => Ok(Ran::Stopped),
            None => Err(anyhow!("the engine waits for something that never comes")),
        }
    }

    /// Lets everybody draw from here on.
    pub(crate) fn reseed(&self, dice: &mut Dice) {
        *lock(&self.users.dice) = dice.fork();
        *lock(&self.bits.0) = dice.fork();
        self.remotes().for_each(|remote| remote.reseed(dice.fork()));
    }

    /// Lets the lease of a crashed run expire.
    pub(crate) fn outlive_lease(&self) {
        self.clock.advance(BEYOND_LEASE);
    }

    /// The remote systems.
    pub(crate) fn remotes(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.users.systems.iter().filter_map(|system| match system {
            System::Remote(remote) => Some(remote),
            System::Hub(_) => None,
        })
    }

    /// The number of writes in the remotes.
    pub(crate) fn remote_writes(&self) -> u64 {
        self.remotes().map(|remote| remote.writes()).sum()
    }

    /// Ends faults and user actions.
    pub(crate) fn calm(&self) {
        self.clock.catch_up();
        self.remotes().for_each(|remote| remote.set_faulty(false));
        *lock(&self.users.busy) = 0;
    }
}

/// The options that are set, for the trace.
fn asked(options: &RunOptions) -> String {
    let mut words = Vec::new();
    let flags = [
        (options.reading() == Some(Reading::Full), "full"),
        (options.is_first_time(), "first time"),
        (options.is_dry(), "dry"),
        (options.disable_push, "no push"),
        (options.disable_pull, "no pull"),
        (options.lift_brake, "no brake"),
        (options.lift_identifiers, "no brake on identifiers"),
    ];
    words.extend(flags.into_iter().filter(|(set, _)| *set).map(|(_, word)| word.to_owned()));
    words.extend(options.max_time.map(|most| format!("at most {most:?}")));
    words.extend(options.trust().map(|trust| format!("{trust:?}")));
    words.extend(options.applies().map(|plan| format!("applies {plan}")));
    words.extend(options.undoes().map(|run| format!("undoes {run}")));
    if let RunKind::Undo { deletes_agreed, .. } = options.kind {
        words.push(format!("{deletes_agreed} deletes agreed"));
    }
    match options.scope() {
        Some(Scope::Window(span)) => words.push(format!("window {:?} {:?}", span.since(), span.until())),
        Some(Scope::Ids(ids)) => words.push(format!("ids {ids:?}")),
        _ => {}
    }
    words.join(", ")
}

/// Defines the fields that the hub does not have of itself.
async fn define_fields(hub: &Hub, rules: &Rules) -> Result<()> {
    for (object, field) in rules.added() {
        let name = Words::Hub.field(object, field);
        let targets = schema::target(object, field).map(|of| Words::Hub.object(of).to_owned());
        let definition = FieldDefinition {
            targets: targets.into_iter().collect(),
            ..FieldDefinition::new(name, name, columns(object)[field].kind.clone())
        };
        hub.define_field(Words::Hub.object(object), &definition).await?;
    }
    Ok(())
}

/// A sync between two systems, with the character's policies.
async fn define(
    store: &Store,
    character: &Character,
    systems: &[System],
    places: Sides<usize>,
) -> Result<SyncDefinition> {
    let words = places.map(|place| systems[place].words());
    let name = format!("{}-{}", systems[places.left].name(), systems[places.right].name());
    let numbers = store
        .transact::<_, StoreError, _>(|session| {
            let mut numbers = Vec::new();
            for object in System::objects() {
                let id =
                    ensure_mapping(session, &name, words.left.object(object), words.right.object(object))?;
                let fields: Vec<(&str, &str)> = (0..columns(object).len())
                    .map(|field| (words.left.field(object, field), words.right.field(object, field)))
                    .collect();
                numbers.push((id, ensure_slots(session, id, &fields)?));
            }
            Ok(numbers)
        })
        .await?;
    let mut mappings = Vec::new();
    // Children before parents: the engine orders them.
    for (object, (id, slots)) in [PERSON, COMPANY].into_iter().zip(numbers) {
        let mut fields = schema::field_mappings(object, words, &slots);
        for field in &mut fields {
            field.unresolved = character.unresolved;
        }
        let mut filters = Sides::new(Vec::new(), Vec::new());
        if object == PERSON {
            fields[CITY].blanks = character.blanks;
            fields[NAME].trust = character.trusted;
            if character.one_way_phone {
                fields[PHONE].direction = Direction::ToRight;
                fields[PHONE].drift = character.drift;
            }
            for side in Side::BOTH.into_iter().filter(|side| character.filtered[*side]) {
                let field = words[side].field(PERSON, CITY).to_owned();
                filters[side].push(Condition { field, test: Test::Not(Value::text("hidden")) });
            }
        }
        let identifiers = vec![fields[schema::IDENTIFIER].slot];
        character.rules.apply(object, &mut fields);
        let groups = if object == PERSON && character.grouped { group(&fields) } else { Vec::new() };
        mappings.push(ObjectMapping {
            id,
            objects: words.map(|words| words.object(object).to_owned()),
            identifiers,
            groups,
            fields,
            identify_by: IdentifyBy::Any,
            create: Sides::new(true, true),
            filters,
            prefer: Sides::by(|side| prefer(character, words[side], object)),
            deletes: character.deletes,
        });
    }
    Ok(SyncDefinition {
        relation: name.clone(),
        exchanges: places.map(|place| systems[place].name().to_owned()),
        name,
        mappings,
        version: 1,
        brake: Brake { percent: 5, records: character.brake },
    })
}

/// Telephone and city as one fact, where the same rules hold for both.
fn group(fields: &[FieldMapping]) -> Vec<Vec<Slot>> {
    let parts = [&fields[PHONE], &fields[CITY]];
    let same = parts[0].direction == parts[1].direction && parts[0].trust == parts[1].trust;
    let free = parts.iter().all(|field| field.constant.is_none());
    if same && free { vec![parts.map(|field| field.slot).to_vec()] } else { Vec::new() }
}

/// The rules by which one of two people with the same address goes first.
fn prefer(character: &Character, words: Words, object: usize) -> Vec<Prefer> {
    let field = words.field(PERSON, CITY).to_owned();
    match character.prefer {
        Ties::LowestId if object == PERSON => vec![Prefer::LowestId],
        Ties::City if object == PERSON => {
            vec![Prefer::Where(Condition { field, test: Test::Not(Value::Null) })]
        }
        _ => Vec::new(),
    }
}
