//! Views of a tenant that was filled by hand: their pages, their sums, and `docs/json.md`.

use super::*;
use crate::config::{
    Added, Grants, Health, InstalledPlugin, Integration, PluginFacts, definition_from_manual,
};
use crate::grants::{GrantRequest, IntegrationNotice, SecretPlace, decide_grant, decide_upgrade};
use crate::tenant::{Changed, Granted, RecordName, Tenant, Upgraded};
use entente_core::{Basis, Side, Timestamp, Value, Why};
use entente_plugin::{Capability, Compiler, Inspection, Manifest};
use entente_sqlite::{ImportOptions, ListQuery, import_csv};
use entente_sync::{
    Action, Change, ChangeStatus, ChangedField, Conflict, Description, Exchange, Feature, Field, FieldReason,
    Lease, MappingId, Object, Pair, PairId, ProposedDirection, ProposedField, ProposedMapping, Reason,
    RecordRef, Remedy, RemoteSaid, Run, RunOptions, RunStatus, Seen, Slot, Status, SyncDefinition,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_700_000_000 + second) * 1_000_000)
}

/// A remote with persons, as its plugin describes it.
fn remote() -> Description {
    let field = |name: &str, kind: &str| Field {
        name: name.into(),
        label: name.into(),
        kind: kind.into(),
        writable: true,
        identifier: name == "email",
        ..Field::default()
    };
    let person = Object {
        name: "person".into(),
        label: "Person".into(),
        fields: vec![field("email", "email"), field("town", "text")],
        features: [Feature::Create, Feature::Update, Feature::Delete].into(),
        ..Object::default()
    };
    Description { objects: vec![person], ..Description::default() }
}

fn manual() -> Vec<ProposedMapping> {
    let both = |hub: &str, remote: &str| ProposedField {
        hub: hub.into(),
        remote: remote.into(),
        direction: ProposedDirection::Both,
        required: false,
    };
    vec![ProposedMapping {
        hub: "contact".into(),
        remote: "person".into(),
        fields: vec![both("email", "email"), both("city", "town")],
        identifiers: vec!["email".into()],
        identify_by_all: false,
    }]
}

/// A tenant with a sync of contacts and persons, and the lease of its relation.
struct World {
    _folder: tempfile::TempDir,
    tenant: Tenant,
    definition: SyncDefinition,
    lease: Lease,
    mapping: MappingId,
    city: Slot,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let tenant = Tenant::open(folder.path(), None, Compiler::InThisProcess).unwrap();
    let configuration = tenant.configuration();
    configuration.install_plugin("helloworld", b"\0asm", &PluginFacts::default()).await.unwrap();
    let draft = configuration
        .draft_integration(
            "HelloWorld",
            "helloworld",
            BTreeMap::from([("url".to_owned(), Value::text("https://crm.example.com"))]),
            Grants::default(),
            BTreeMap::new(),
        )
        .await
        .unwrap();
    let hub = tenant.hub().describe().await.unwrap();
    let (sync, _) = definition_from_manual("HelloWorld", &hub, &remote(), &manual()).unwrap();
    configuration.add_integration(&draft, Some(sync)).await.unwrap();
    let definition = configuration.definition("HelloWorld").await.unwrap();
    let mapping = &definition.mappings[0];
    let city = mapping.fields.iter().find(|field| field.names.left == "city").unwrap().slot;
    let lease = tenant.ledger().acquire("HelloWorld", "a test", at(0), Duration::ZERO).await.unwrap();
    World { _folder: folder, mapping: mapping.id, city, lease, definition, tenant }
}

impl World {
    fn pair(&self, left: &str, right: &str, status: Status, reason: Option<Reason>) -> Pair {
        let mut pair = Pair::new(self.mapping);
        pair.halves.left.id = Some(left.to_owned());
        pair.halves.right.id = Some(right.to_owned());
        pair.status = status;
        pair.reason = reason;
        pair
    }

    fn change(&self, run: i64, pair: PairId, value: &str, status: ChangeStatus) -> Change {
        Change {
            id: 0,
            key: format!("key-{run}-{pair}"),
            run,
            mapping: self.mapping,
            pair,
            target: Side::Right,
            action: Action::Update(format!("p{pair}")),
            made: None,
            fields: vec![ChangedField {
                slot: self.city,
                value: Value::text(value),
                source: Value::text(value),
                base: Some(Value::text("Umeå")),
                time: None,
                base_time: None,
                joint: false,
                stored: None,
                reason: FieldReason::Judge(Why::OnlyChange(Side::Left)),
            }],
            status,
            reason: None,
            ticket: None,
            sent: Some(at(2)),
            settled: Some(at(3)),
        }
    }

    async fn save(&self, run: Option<&Run>, pairs: &mut [Pair], changes: &mut [Change]) {
        let mut unit = self.tenant.ledger().begin(&self.lease).await.unwrap();
        unit.save_pairs(pairs).await.unwrap();
        unit.save_changes(changes).await.unwrap();
        if let Some(run) = run {
            unit.save_run(run).await.unwrap();
        }
        unit.commit().await.unwrap();
    }

    async fn run(&self) -> Run {
        let run = Run::new("HelloWorld", "HelloWorld", RunOptions::default(), at(1));
        let mut run = self.tenant.ledger().start_run(&self.lease, run).await.unwrap();
        run.status = RunStatus::Done;
        run.ended = Some(at(9));
        run
    }

    async fn conflict(&self, pair: PairId, run: i64) {
        let seen = |text: &str| Seen { value: Value::text(text), time: None };
        let conflict = Conflict {
            pair,
            slot: self.city,
            left: seen("Lund"),
            right: seen("Kiruna"),
            reason: FieldReason::Judge(Why::Undecided(Basis::NoEvidence)),
            run,
        };
        let mut unit = self.tenant.ledger().begin(&self.lease).await.unwrap();
        unit.save_conflicts(&[pair], &[conflict], at(5)).await.unwrap();
        unit.commit().await.unwrap();
    }
}

fn refused() -> Reason {
    Reason::Refused {
        side: Side::Right,
        said: RemoteSaid::new("invalid", "the town is not known"),
        fields: vec!["town".to_owned()],
    }
}

/// All rows of a list, by the page.
async fn all<T>(limit: usize, mut page: impl AsyncFnMut(PageRequest) -> Page<T>) -> (Vec<T>, Vec<usize>) {
    let (mut rows, mut sizes, mut request) = (Vec::new(), Vec::new(), PageRequest::first(limit));
    loop {
        let Page { rows: more, next, total } = page(request).await;
        sizes.push(more.len());
        rows.extend(more);
        request.after = next;
        if next.is_none() {
            assert_eq!(total, Some(rows.len() as u64), "the pages add up to what was counted");
            return (rows, sizes);
        }
        assert!(sizes.len() < 100, "a cursor moves on");
    }
}

#[tokio::test]
async fn changes_come_by_the_page_and_add_up() {
    let world = world().await;
    let run = world.run().await;
    let mut pairs: Vec<Pair> =
        (1..=120).map(|n| world.pair(&n.to_string(), &format!("p{n}"), Status::Ok, None)).collect();
    world.save(None, &mut pairs, &mut []).await;
    let status = |n: usize| if n.is_multiple_of(3) { ChangeStatus::Failed } else { ChangeStatus::Done };
    let mut changes: Vec<Change> =
        pairs.iter().enumerate().map(|(n, pair)| world.change(run.id, pair.id, "Lund", status(n))).collect();
    world.save(Some(&run), &mut [], &mut changes).await;

    let list =
        async |request| world.tenant.list_changes(&run, &ChangeQuery::default(), request).await.unwrap();
    let (rows, sizes) = all(50, list).await;
    assert_eq!(sizes, [50, 50, 20]);
    let records: Vec<String> = rows.iter().map(|row| row.record.as_ref().unwrap().to_string()).collect();
    let expected: Vec<String> = (1..=120).map(|n| format!("HelloWorld/person:p{n}")).collect();
    assert_eq!(records, expected);
    assert_eq!(rows[0].source.as_ref().unwrap().to_string(), "contact:1");
    assert_eq!(rows[0].fields[0].field, "town", "fields are called as where they are written");

    let only_failed: ChangeQuery = "status=failed".parse().unwrap();
    let failed = async |request| world.tenant.list_changes(&run, &only_failed, request).await.unwrap();
    assert_eq!(all(39, failed).await.1, [39, 1]);
    let detail = world.tenant.show_run(run.id, &ChangeQuery::default(), PageRequest::first(7)).await.unwrap();
    assert_eq!(detail.changes_by_status, BTreeMap::from([("done", 80), ("failed", 40)]));
    let changes = detail.changes.unwrap();
    assert_eq!((changes.rows.len(), changes.total), (7, Some(120)));
}

#[tokio::test]
async fn o_deletions_come_first_and_a_filter_counts_what_it_shows() {
    let world = world().await;
    let run = world.run().await;
    let mut pairs: Vec<Pair> =
        (1..=20).map(|n| world.pair(&n.to_string(), &format!("p{n}"), Status::Ok, None)).collect();
    world.save(None, &mut pairs, &mut []).await;
    let mut changes: Vec<Change> =
        pairs.iter().map(|pair| world.change(run.id, pair.id, "Lund", ChangeStatus::Planned)).collect();
    for change in changes.iter_mut().skip(1).step_by(3) {
        change.action = Action::Delete(change.record().unwrap().to_owned());
    }
    world.save(Some(&run), &mut [], &mut changes).await;
    let (tenant, run) = (&world.tenant, &run);
    let list = async |query: &str, most: usize| {
        let query: ChangeQuery =
            if query.is_empty() { ChangeQuery::default() } else { query.parse().unwrap() };
        let read = async |request| tenant.list_changes(run, &query, request).await.unwrap();
        let totals = tenant.total_changes(run, &query).await.unwrap();
        let rows = all(most, read).await.0;
        assert_eq!(totals.iter().map(|total| total.changes).sum::<u64>(), rows.len() as u64);
        rows.into_iter().map(|row| (row.action, row.record.unwrap().id)).collect::<Vec<_>>()
    };
    let ids = |numbers: &[u32], action| numbers.iter().map(|n| (action, format!("p{n}"))).collect::<Vec<_>>();
    let deleted = ids(&[2, 5, 8, 11, 14, 17, 20], "delete");
    let others = ids(&[1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19], "update");
    for most in [1, 3, 7, 8, 50] {
        assert_eq!(list("", most).await, [deleted.clone(), others.clone()].concat(), "{most}");
    }
    assert_eq!(list("action=delete", 3).await, deleted);
    assert_eq!(list("action=update,object=contact", 3).await, others);
    assert_eq!(list("object=deal", 3).await, []);
    assert_eq!(list("record=HelloWorld/person:p5", 3).await, ids(&[5], "delete"));
    assert_eq!(list("record=contact:6", 3).await, ids(&[6], "update"));
    for (wrong, why) in [
        ("colour=red", "'colour=red' is no filter; write object=NAME"),
        ("action=move", "'move' is no action; there is: create, update, delete"),
        ("record=nobody", "'nobody' names no record"),
    ] {
        assert!(wrong.parse::<ChangeQuery>().unwrap_err().starts_with(why), "{wrong}");
    }
}

#[tokio::test]
async fn what_waits_comes_by_the_page_and_adds_up() {
    let world = world().await;
    let run = world.run().await;
    let mut pairs: Vec<Pair> = (1..=30)
        .map(|n| {
            let (status, reason) = match n % 3 {
                0 => (Status::Failed, Some(refused())),
                1 => (Status::Held, Some(Reason::NoRecord)),
                _ => (Status::Ok, None),
            };
            world.pair(&n.to_string(), &format!("p{n}"), status, reason)
        })
        .collect();
    world.save(Some(&run), &mut pairs, &mut []).await;
    for pair in pairs.iter().filter(|pair| pair.status == Status::Ok) {
        world.conflict(pair.id, run.id).await;
    }
    let tenant = &world.tenant;
    let failed = async |request| tenant.list_failed(None, request).await.unwrap();
    assert_eq!(all(4, failed).await.1, [4, 4, 2]);
    let held = async |request| tenant.list_held(Some("HelloWorld"), request).await.unwrap();
    assert_eq!(all(10, held).await.1, [10]);
    let conflicts = async |request| tenant.list_conflicts(None, request).await.unwrap();
    let (open, sizes) = all(6, conflicts).await;
    assert_eq!(sizes, [6, 4]);
    let number = open[7].conflict;
    assert_eq!(tenant.find_conflict(number).await.unwrap().unwrap().open.id, number);
    assert!(tenant.find_conflict(number + 1000).await.unwrap().is_none());

    let waiting = tenant.show_waiting("HelloWorld", 2).await.unwrap();
    assert_eq!((waiting.held, waiting.failed, waiting.conflicts, waiting.total), (10, 10, 10, 30));
    assert_eq!(waiting.list.len(), 6, "the first two of each kind");
    let status = tenant.status(None).await.unwrap().remove(0);
    let total = &status.total;
    assert_eq!((total.records, total.conflicts), (30, 10));
    assert_eq!(
        total.in_sync + total.pending + total.failed + total.held + total.excluded,
        total.records,
        "each record is counted once"
    );
    let of = |word: &str| -> u64 {
        let reasons = status.objects.iter().flat_map(|object| &object.tally.reasons);
        reasons.filter(|reason| reason.status == word).map(|reason| reason.records).sum()
    };
    assert_eq!((of("held"), of("failed"), of("conflict")), (10, 10, 10), "reasons add up");
}

#[tokio::test]
async fn runs_come_by_the_page() {
    let world = world().await;
    for _ in 0..5 {
        let run = world.run().await;
        world.save(Some(&run), &mut [], &mut []).await;
    }
    let list = async |request| world.tenant.list_runs(Some("HelloWorld"), request).await.unwrap();
    let (runs, sizes) = all(2, list).await;
    assert_eq!(
        (runs.iter().map(|run| run.run).collect::<Vec<_>>(), sizes),
        (vec![5, 4, 3, 2, 1], vec![2, 2, 1])
    );
    assert!(world.tenant.list_runs(Some("Other"), PageRequest::first(2)).await.is_err());
}

#[test]
fn a_cursor_comes_back_as_it_was_given() {
    let cursor = Cursor::behind(73_500);
    assert_eq!(serde_json::to_value(cursor).unwrap(), serde_json::json!("73500"));
    assert_eq!("73500".parse(), Ok(cursor));
    for wrong in ["", "-1", "x", "1.5"] {
        assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
    }
}

/// The name of an example in the page, and the example.
struct Examples(Vec<(&'static str, String)>);

impl Examples {
    fn add(&mut self, name: &'static str, view: &impl Serialize) {
        let mut value = serde_json::to_value(view).unwrap();
        settle(&mut value);
        self.0.push((name, serde_json::to_string_pretty(&value).unwrap()));
    }
}

/// Puts in place of what differs from one run of the test to the next what always is the same.
fn settle(value: &mut serde_json::Value) {
    use serde_json::Value as Json;
    match value {
        Json::String(text) if text.len() > 19 && Timestamp::parse(text).is_ok_and(|time| time > at(1000)) => {
            *text = "2026-01-31T09:00:00Z".to_owned();
        }
        Json::Array(list) => list.iter_mut().for_each(settle),
        Json::Object(object) => {
            for (name, value) in object {
                if name == "bytes" { *value = 450_560.into() } else { settle(value) }
            }
        }
        _ => {}
    }
}

async fn examples() -> Examples {
    let world = world().await;
    let tenant = &world.tenant;
    let values = |email: &str| {
        vec![("email".to_owned(), Value::text(email)), ("city".to_owned(), Value::text("Lund"))]
    };
    for email in ["ada@example.org", "bo@example.org", "cleo@example.org"] {
        tenant.hub().create("contact", &values(email)).await.unwrap();
    }
    let mut run = world.run().await;
    let duplicate = Reason::DuplicateOf {
        record: Some(RecordRef::new(Side::Left, "contact", "1")),
        preferred: false,
        became: None,
    };
    let mut pairs = [
        world.pair("1", "p1", Status::Ok, None),
        world.pair("2", "p2", Status::Failed, Some(refused())),
        world.pair("3", "p3", Status::Held, Some(duplicate.clone())),
    ];
    pairs[1].attempts = 1;
    pairs[1].due = Some(at(60));
    world.save(None, &mut pairs, &mut []).await;
    let mut changes = [
        world.change(run.id, pairs[0].id, "Lund", ChangeStatus::Done),
        Change {
            reason: Some(refused()),
            ..world.change(run.id, pairs[1].id, "Atlantis", ChangeStatus::Failed)
        },
    ];
    let counts = run.count(Side::Right, "person");
    (counts.reported, counts.updated, counts.failed, counts.held) = (3, 1, 1, 1);
    counts.because(&refused());
    counts.because(&duplicate);
    world.save(Some(&run), &mut [], &mut changes).await;
    world.conflict(pairs[0].id, run.id).await;

    let first = PageRequest::first(1);
    let mut examples = Examples(Vec::new());
    let disabled = crate::TenantError::Disabled("HelloWorld".to_owned());
    examples.add("error", &ErrorView::from(&disabled));
    let query = ListQuery { limit: 1, ..ListQuery::default() };
    let mut records = tenant.list_records("contact", &query).await.unwrap();
    records.rows[0].fields.truncate(3);
    examples.add("record list", &records);
    let mut record = tenant.show_record("contact", "1").await.unwrap();
    record.record.fields.truncate(3);
    examples.add("record show", &record);
    let remote: RecordName = "HelloWorld/person:p2".parse().unwrap();
    examples.add("record show HelloWorld/person:p2", &tenant.show_known_record(&remote).await.unwrap());
    let contact: RecordName = "contact:1".parse().unwrap();
    let history = tenant.show_history(&contact, Some("city"), first).await.unwrap();
    examples.add("record history contact:1", &history);
    examples.add("sync list", &tenant.list_syncs().await.unwrap());
    examples.add("status", &tenant.status(None).await.unwrap());
    examples.add("status --check", &tenant.check_syncs(None, None).await.unwrap());
    examples.add("record delete --dry-run", &[tenant.show_deletion("contact", "1").await.unwrap()]);
    let erased = crate::ErasureView {
        record: contact.clone(),
        pairs: 1,
        changes: 4,
        conflicts: 0,
        messages: 1,
        log_lines: 2,
        kept_by_plugins: vec!["HelloWorld".to_owned()],
        alike: Vec::new(),
    };
    examples.add("record erase", &erased);
    examples.add("init", &HomeView { home: "/srv/entente".to_owned(), made: true });
    examples.add("run list", &tenant.list_runs(None, first).await.unwrap());
    examples.add("run show", &tenant.show_run(run.id, &ChangeQuery::default(), first).await.unwrap());
    examples.add("sync", &tenant.show_ended(&run, 1, &ChangeQuery::default(), None).await.unwrap());
    examples.add("conflict list", &tenant.list_conflicts(None, first).await.unwrap());
    let settled = SettledView {
        conflict: 1,
        sync: world.definition.name.clone(),
        choice: entente_sync::Choice::Side(Side::Left),
        closed: false,
        before: None,
    };
    examples.add("conflict settle", &[settled]);
    examples.add("retry", &tenant.list_failed(None, first).await.unwrap());
    let name = RecordName { exchange: "HelloWorld".into(), object: "person".into(), id: "p2".into() };
    tenant.ledger().release(&world.lease).await.unwrap();
    examples.add("retry RECORD", &tenant.retry_records(&[name], None, false).await.unwrap());
    let name = |text: &str| text.parse::<RecordName>().unwrap();
    examples.add(
        "link set",
        &[crate::Linked {
            record: name("contact:12"),
            sync: "shop".to_owned(),
            counterpart: Some(name("HelloWorld/person:p2")),
            removed: false,
            takes_part: None,
            dry: false,
            fields: vec![crate::LinkedField {
                field: "first-name".to_owned(),
                value: Some(Value::text("Ann")),
                other_field: "given".to_owned(),
                other: None,
            }],
        }],
    );
    let field = |field: &str, value: &str| MergedField { field: field.to_owned(), value: Value::text(value) };
    examples.add(
        "link merge",
        &MergedView {
            record: name("contact:7"),
            title: Some("Ann Ek".to_owned()),
            merged: name("contact:12"),
            merged_title: Some("A. Ek".to_owned()),
            taken: vec![field("phone", "+46 1")],
            left: vec![field("first_name", "A.")],
            referring: Vec::new(),
            dry: false,
        },
    );
    examples.add("retry --all", &tenant.retry_failed(None, false).await.unwrap());
    let checks = tenant.examine(true, None).await;
    examples.add("doctor", &checks.into_iter().filter(|check| check.what == "database").collect::<Vec<_>>());
    examples.add("integration list", &tenant.list_integrations().await.unwrap());
    examples.add("tenant limits --used", &tenant.list_used().await.unwrap());
    examples.add("tenant limits", &tenant.list_limits().await.unwrap()[..1].to_vec());
    examples.add("tenant list", &[TenantView::Well(tenant.overview().await.unwrap())]);
    add_imports(&mut examples).await;
    add_integrations(&world, &mut examples).await;
    add_plugins(tenant, &mut examples).await;
    examples
}

/// An import that would be made, and one that is undone, of a tenant of its own: their runs have numbers.
async fn add_imports(examples: &mut Examples) {
    let World { tenant, _folder, .. } = world().await;
    let import = async |file: &str, dry_run: bool| {
        let options =
            ImportOptions { dry_run, told: 10, file: "people.csv".into(), ..ImportOptions::new("contact") };
        ImportView::of(import_csv(tenant.hub(), file.as_bytes(), &options, &mut |_, _| {}).await.unwrap())
    };
    import("email,city\nada@example.org,Umeå\n", false).await;
    let more = "email,city,company\nada@example.org,Lund,Fjord AB\n";
    examples.add("record import --dry-run", &import(more, true).await);
    import(more, false).await;
    tenant.hub().set("contact", "1", &[("company".to_owned(), Value::Null)]).await.unwrap();
    let mut undone = tenant.undo_import(2, Some(1), 10).await.unwrap();
    // The moment of the edit.
    for reason in undone.left_out.rows.iter_mut().flat_map(|change| {
        change.reason.iter_mut().chain(change.fields.iter_mut().map(|field| &mut field.reason))
    }) {
        reason.reason = "changed since by hand (2026-01-31T09:00:00Z)".to_owned();
    }
    examples.add("record import --undo", &undone);
}

#[tokio::test]
async fn an_import_is_a_run_of_no_sync() {
    let world = world().await;
    let tenant = &world.tenant;
    let options = ImportOptions { file: "a\u{1b}[2J.csv".to_owned(), ..ImportOptions::new("contact") };
    let file = "email\nada@example.org\nbo@example.org\n";
    let report = import_csv(tenant.hub(), file.as_bytes(), &options, &mut |_, _| {}).await.unwrap();
    let run = report.run.unwrap();
    assert_eq!(tenant.overview().await.unwrap().last_run, None);
    assert_eq!(tenant.status(None).await.unwrap()[0].last_run, None);
    let shown = tenant.show_run(run, &ChangeQuery::default(), PageRequest::first(1)).await.unwrap();
    assert_eq!(
        (shown.run.sync.as_str(), shown.run.exchanges.left.as_str(), shown.run.written),
        ("", "hub", 2)
    );
    assert_eq!(shown.run.counts.keys().collect::<Vec<_>>(), ["hub"]);
    let changes = shown.changes.unwrap();
    assert_eq!((changes.total, changes.rows.len()), (Some(2), 1));
    let next = PageRequest { after: changes.next, limit: 1 };
    let rest = tenant.show_run(run, &ChangeQuery::default(), next).await.unwrap().changes.unwrap();
    assert_eq!(
        (rest.next, rest.rows[0].record.as_ref().unwrap().to_string()),
        (None, "contact:2".to_owned())
    );
    assert_eq!(shown.changes_by_status, BTreeMap::from([("done", 2)]));
    let failed = ChangeQuery { status: Some(ChangeStatus::Failed), ..ChangeQuery::default() };
    assert_eq!(tenant.show_run(run, &failed, next).await.unwrap().changes.unwrap().total, Some(0));
    let history = tenant.show_history(&"contact:1".parse().unwrap(), None, next).await.unwrap();
    assert_eq!(by_whom(&history.edits[0].origin), format!("by the import of a\\u{{1b}}[2J.csv, run {run}"));

    let said = |error: crate::TenantError| ErrorView::from(&error).error;
    assert_eq!(
        said(tenant.to_undo(run, 0).await.unwrap_err()),
        format!("run {run} is an import, which has no sync")
    );
    assert_eq!(
        said(tenant.to_apply(run).await.unwrap_err()),
        format!("run {run} was no dry run, so what it planned is done")
    );
    let undo = tenant.undo_import(run, Some(2), 0).await.unwrap().run.unwrap();
    let undid = "undid the import of run";
    assert!(said(tenant.to_undo(undo, 0).await.unwrap_err()).contains(undid));
    assert!(said(tenant.undo_import(undo, None, 0).await.unwrap_err()).contains(undid));
    let of_sync = Run::new("HelloWorld", "HelloWorld", RunOptions::default(), at(1));
    let of_sync = tenant.ledger().note_unbegun(of_sync).await.unwrap().id;
    let none = format!("run {of_sync} is no import");
    assert_eq!(said(tenant.undo_import(of_sync, None, 0).await.unwrap_err()), none);
    assert_eq!(tenant.overview().await.unwrap().last_run.unwrap().run, of_sync);
}

/// What became of adding, changing and removing an integration, and of its grants.
async fn add_integrations(world: &World, examples: &mut Examples) {
    let configuration = world.tenant.configuration();
    let integration = configuration.integration("HelloWorld").await.unwrap();
    let mut definition = world.definition.clone();
    definition.mappings[0].fields.truncate(2);
    let added = Added { integration: integration.clone(), sync: Some(definition) };
    let misspelt =
        IntegrationNotice::UnknownSetting { setting: "adress".to_owned(), plugin: "helloworld".to_owned() };
    examples.add("integration add", &AddedIntegrationView::new(added, std::slice::from_ref(&misspelt)));
    let before = manifest("");
    let changed =
        Changed { integration: integration.clone(), manifest: before.clone(), notices: vec![misspelt] };
    examples.add("integration set", &ChangedIntegrationView::from(changed));

    let request = GrantRequest {
        hosts: vec!["https://crm.example.com".to_owned()],
        secrets: vec![SecretPlace { secret: "api-key".to_owned(), host: None }],
        ..GrantRequest::default()
    };
    let decision = decide_grant(&integration, &before, &[], &request).unwrap();
    let granted = Integration { grants: decision.grants.clone(), ..integration };
    let view = GrantView::from(&Granted { integration: granted.clone(), manifest: before.clone(), decision });
    examples.add("integration grant", &view);

    let after =
        manifest("[[host]]\naddress = \"https://stats.example.com\"\nreason = \"counts what was synced\"\n");
    let decision = decide_upgrade(&granted, &before, &after);
    let plugin = configuration.plugin("helloworld").await.unwrap();
    let plugin = InstalledPlugin { digest: "5e".repeat(32), ..plugin };
    let upgraded = Upgraded {
        before: granted.clone(),
        after: granted,
        plugin,
        manifest: after,
        decision,
        settings: BTreeMap::new(),
        waits: true,
    };
    examples.add("integration upgrade", &UpgradeView::from(&upgraded));
    let health = Health {
        crashes: 5,
        reason: Some("the plugin crashed in report: it went over the limit memory of 64 MiB".to_owned()),
        remedies: vec![Remedy::ReportToAuthor],
        last: Some(at(9)),
        paused_until: None,
        quarantined: Some(at(9)),
    };
    examples.add("integration resume", &health);
    examples.add(
        "integration rebind",
        &crate::Rebound {
            integration: "HelloWorld".to_owned(),
            before: Some("'Acme' (4f1d9c of hello-crm)".to_owned()),
            now: None,
            syncs: vec!["HelloWorld".to_owned()],
            forgotten: 60,
            without_identifiers: 0,
        },
    );
    examples.add("integration calls", &calls());
    let removed = RemovedIntegrationView {
        integration: "HelloWorld".to_owned(),
        syncs: configuration.remove_integration("HelloWorld", true).await.unwrap(),
    };
    examples.add("integration remove", &removed);
}

/// A call that left the host, and denials that were counted.
fn calls() -> Page<CallView> {
    let text = |text: &str| Some(text.to_owned());
    let sent = CallView {
        at: at(9),
        last: None,
        count: 1,
        left: true,
        plugin: text("5e5e5e5e"),
        method: text("GET"),
        to: text("https://crm.example.com:443"),
        path: text("/v1/people/*"),
        status: Some(200),
        error: None,
        denied: None,
        bytes_out: 0,
        bytes_in: 512,
        ms: 42,
        number: 0,
    };
    let denied = CallView {
        at: at(3),
        last: Some(at(8)),
        count: 1990,
        left: false,
        to: text("https://evil.example:443"),
        status: None,
        error: text("http-request-denied"),
        denied: text("grant"),
        bytes_in: 0,
        ms: 0,
        ..sent.clone()
    };
    Page { rows: vec![sent, denied], next: None, total: Some(2) }
}

/// What a plugin asks for, with this besides.
fn manifest(more: &str) -> Manifest {
    let asks = r#"
        name = "helloworld"
        version = "0.1.0"
        description = "Keeps people in step"
        [[setting]]
        name = "url"
        required = true
        reason = "the address of the CRM"
        [[host]]
        address = "{url}"
        reason = "the API of the CRM"
        [[secret]]
        name = "api-key"
        hosts = ["{url}"]
        header = "authorization"
        reason = "signs in at the CRM"
    "#;
    Manifest::from_toml(&format!("{asks}\n{more}")).unwrap()
}

/// What is installed, and what a file is.
async fn add_plugins(tenant: &Tenant, examples: &mut Examples) {
    examples.add("plugin list", &tenant.list_plugins().await.unwrap());
    let inspection = Inspection {
        size: 104_857,
        digest: "5e".repeat(32),
        version: "0.1.0-draft.2".to_owned(),
        world: "integration-lookup",
        lookup: true,
        webhook: false,
        asks: vec![Capability::Http, Capability::State],
        imports: vec!["wasi:http/outgoing-handler@0.2.0".to_owned()],
        producers: BTreeMap::from([("language".to_owned(), vec!["Rust".to_owned()])]),
        functions: 612,
        globals: 3,
        wide_texts: false,
        manifest: manifest(""),
    };
    examples.add("plugin inspect", &InspectionView::from(inspection));
    let built = BuiltPluginView {
        component: "plugins/target/components/helloworld.wasm".to_owned(),
        bytes: 104_857,
        package: "helloworld".to_owned(),
        version: "0.1.0".to_owned(),
        compiler: "rustc 1.95.0".to_owned(),
        manifest: manifest(""),
    };
    examples.add("plugin build", &built);
    let removed = tenant.configuration().remove_plugin("helloworld").await.unwrap();
    examples.add("plugin remove", &removed);
}

/// `docs/json.md` shows what is so: between the marks of an example stands what the views make.
#[tokio::test]
async fn the_page_has_every_example_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let there = std::fs::read_to_string(&path).unwrap();
    let mut page = there.clone();
    for (name, example) in examples().await.0 {
        let begin = format!("<!-- example: {name} -->\n");
        const END: &str = "<!-- end -->";
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{name} is not in the page"));
        let (_, after) = rest.split_once(END).unwrap();
        page = format!("{before}{begin}```json\n{example}\n```\n{END}{after}");
    }
    if there != page && std::env::var_os("ENTENTE_WRITE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(
        there, page,
        "docs/json.md is out of date; write it with: ENTENTE_WRITE_DOCS=1 cargo test -p entente --lib the_page"
    );
}
