//! Test fixture: two exchanges with people and companies, and a ledger.

use crate::fake::{Counter, Fake, ManualClock};
use entente_core::{Blanks, Direction, Drift, Unresolved, Value, WriteRule};
use entente_sqlite::{SqliteLedger, Store, StoreError, ensure_mapping, ensure_slots};
use entente_sync::*;
use std::sync::Arc;

pub struct World {
    pub left: Fake,
    pub right: Fake,
    pub store: Store,
    pub ledger: SqliteLedger,
    pub definition: SyncDefinition,
    pub clock: Arc<ManualClock>,
    pub budget: RunBudget,
    randomness: Counter,
}

pub fn text(text: &str) -> Value {
    Value::text(text)
}

fn field(slot: Slot, left: &str, right: &str, kind: &str) -> FieldMapping {
    FieldMapping {
        slot,
        names: Sides::new(left.to_owned(), right.to_owned()),
        kinds: Sides::by(|_| kind.into()),
        direction: Direction::Both,
        required: Sides::new(false, false),
        writable: Sides::new(true, true),
        set_like: kind == "texts",
        trust: None,
        unresolved: Unresolved::Hold,
        blanks: Blanks::Overwrite,
        write: WriteRule::Always,
        drift: Drift::Keep,
        values: vec![],
        ..FieldMapping::default()
    }
}

impl World {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-01-01 00:00:00"));
        let left = Fake::new(
            "L",
            &[
                (
                    "contact",
                    &[
                        ("email", "email"),
                        ("name", "text"),
                        ("phone", "text"),
                        ("tags", "texts"),
                        ("company", "reference:company"),
                    ],
                ),
                ("company", &[("name", "text"), ("city", "text")]),
            ],
            Arc::clone(&clock),
        );
        let right = Fake::new(
            "R",
            &[
                (
                    "person",
                    &[
                        ("mail", "email"),
                        ("full", "text"),
                        ("tel", "text"),
                        ("labels", "texts"),
                        ("org", "reference:org"),
                    ],
                ),
                ("org", &[("title", "text"), ("town", "text")]),
            ],
            Arc::clone(&clock),
        );
        let store = Store::in_memory().unwrap();
        let (contact, company) = store
            .transact::<_, StoreError, _>(|session| {
                let contact = ensure_mapping(session, "r", "contact", "person")?;
                let company = ensure_mapping(session, "r", "company", "org")?;
                let pairs = [
                    ("email", "mail"),
                    ("name", "full"),
                    ("phone", "tel"),
                    ("tags", "labels"),
                    ("company", "org"),
                ];
                assert_eq!(ensure_slots(session, contact, &pairs)?, [0, 1, 2, 3, 4].map(Slot));
                ensure_slots(session, company, &[("name", "title"), ("city", "town")])?;
                Ok((contact, company))
            })
            .await
            .unwrap();
        let mapping = |id, left: &str, right: &str, fields| ObjectMapping {
            id,
            objects: Sides::new(left.to_owned(), right.to_owned()),
            fields,
            identifiers: vec![Slot(0)],
            identify_by: IdentifyBy::Any,
            create: Sides::new(true, true),
            filters: Sides::new(vec![], vec![]),
            deletes: DeletePolicy::Ignore,
            ..ObjectMapping::default()
        };
        let people = vec![
            field(Slot(0), "email", "mail", "email"),
            field(Slot(1), "name", "full", "text"),
            field(Slot(2), "phone", "tel", "text"),
            field(Slot(3), "tags", "labels", "texts"),
            field(Slot(4), "company", "org", "reference"),
        ];
        let companies = vec![field(Slot(0), "name", "title", "text"), field(Slot(1), "city", "town", "text")];
        let definition = SyncDefinition {
            name: "s".to_owned(),
            relation: "r".to_owned(),
            exchanges: Sides::new("L".to_owned(), "R".to_owned()),
            // Children before parents on purpose: the engine orders them.
            mappings: vec![
                mapping(contact, "contact", "person", people),
                mapping(company, "company", "org", companies),
            ],
            version: 1,
            brake: Brake::default(),
        };
        Self {
            left,
            right,
            ledger: SqliteLedger::in_virtual_time(store.clone()),
            store,
            definition,
            clock,
            randomness: Counter::default(),
            budget: RunBudget::default(),
        }
    }

    pub fn people(&mut self) -> &mut ObjectMapping {
        &mut self.definition.mappings[0]
    }

    pub async fn try_run(&self, options: RunOptions) -> Result<RunEnd, SyncError> {
        self.watched_run(options, &Silent).await
    }

    pub async fn watched_run(
        &self,
        options: RunOptions,
        observer: &dyn Observer,
    ) -> Result<RunEnd, SyncError> {
        self.stopped_run(options, observer, &CancellationToken::new()).await
    }

    /// A run that ends when it is told to stop.
    pub async fn stopped_run(
        &self,
        options: RunOptions,
        observer: &dyn Observer,
        stop: &CancellationToken,
    ) -> Result<RunEnd, SyncError> {
        let engine = Engine {
            ledger: &self.ledger,
            exchanges: Sides::new(&self.left, &self.right),
            clock: self.clock.as_ref(),
            randomness: &self.randomness,
            observer,
            stop,
            budget: &self.budget,
            holder: "test",
        };
        engine.run(&self.definition, options).await
    }

    pub async fn run_with(&self, options: RunOptions) -> Run {
        let end = self.try_run(options).await.unwrap();
        assert!(end.error.is_none(), "{:?}", end.error);
        end.run
    }

    pub async fn run(&self) -> Run {
        self.run_with(RunOptions::default()).await
    }

    /// Undoes a run, after a dry run that has to write nothing and to say the same.
    pub async fn undo(&self, run: RunId, deletes: u64) -> Run {
        let before = self.all_pairs().await;
        let records = || {
            let left = ["contact", "company"].map(|object| self.left.records(object));
            (left, ["person", "org"].map(|object| self.right.records(object)))
        };
        let (stood, plan) = (records(), self.run_with(RunKind::PlanUndo { run }.into()).await);
        assert_eq!(
            (self.all_pairs().await, records()),
            (before, stood),
            "a dry run of an undo writes nothing"
        );
        let said = self.decisions(plan.id).await;
        let undone = self.run_with(RunKind::Undo { run, deletes_agreed: deletes }.into()).await;
        let done = self.decisions(undone.id).await;
        assert_eq!(said, done, "an undo does what its dry run says");
        let pending: u64 =
            plan.counts.iter().flat_map(|counts| counts.values()).map(|counts| counts.pending).sum();
        assert_eq!(pending, said.iter().filter(|(_, _, left, _)| left.is_none()).count() as u64);
        undone
    }

    /// What an undo, or its dry run, has decided: about which pair, what, with the reason where it left it.
    async fn decisions(&self, run: RunId) -> Vec<(PairId, Action, Option<Reason>, Vec<ChangedField>)> {
        let changes = self.ledger.changes_of_run(run, &ChangeFilter::default(), 0, 1000).await.unwrap();
        let left = |change: &Change| matches!(change.status, ChangeStatus::Withheld | ChangeStatus::Dropped);
        changes
            .into_iter()
            .map(|change| {
                // Whether the number of deletions is agreed is no matter of the dry run.
                let asked = Some(Reason::DeletesNotAgreed);
                let reason = change.reason.clone().filter(|_| left(&change) && change.reason != asked);
                let plain = |field: ChangedField| ChangedField { stored: None, ..field };
                (change.pair, change.action, reason, change.fields.into_iter().map(plain).collect())
            })
            .collect()
    }

    /// Every pair, by number.
    pub async fn all_pairs(&self) -> Vec<Pair> {
        let mut pairs = self.ledger.pairs(&(1..1000).collect::<Vec<_>>()).await.unwrap();
        pairs.sort_by_key(|pair| pair.id);
        pairs
    }

    /// Two linked people who have got the same address since, which is not written to their contacts.
    pub async fn twins(&mut self, mail: &str) -> [String; 2] {
        self.people().fields[0].writable.left = false;
        let mails = ["first@example.org", "second@example.org"];
        for mail in mails {
            self.left.put("contact", &[("email", text(mail)), ("name", text(mail))], "2020-01-01");
        }
        self.run().await;
        let people = mails.map(|of| self.person(of));
        for person in &people {
            self.right.edit("person", person, "mail", text(mail), "2026-01-02");
        }
        // Two of two have another identifier.
        self.run_with(RunOptions { lift_identifiers: true, ..RunOptions::default() }).await;
        people
    }

    /// Asserts convergence: one more run writes nothing on either side.
    pub async fn assert_quiet(&self) {
        self.left.writes();
        self.right.writes();
        let run = self.run().await;
        assert_eq!((self.left.writes(), self.right.writes()), (vec![], vec![]), "{:#?}", run.counts);
        assert_eq!(run.writes(), 0);
    }

    pub fn window(since: &str, until: &str) -> RunOptions {
        use entente_core::Timestamp;
        let span = Span::Between(Timestamp::parse(since).unwrap(), Timestamp::parse(until).unwrap());
        RunOptions::sync(Scope::Window(span))
    }

    pub fn person(&self, mail: &str) -> String {
        self.right.find_by("person", "mail", mail).unwrap()
    }

    pub fn contact(&self, mail: &str) -> String {
        self.left.find_by("contact", "email", mail).unwrap()
    }
}
