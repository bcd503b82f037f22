//! Imports as runs, and their undo.

use super::*;
use crate::hub::tests::{contact, hub_from, values};
use crate::hub::{Hub, ImportOptions, ImportReport, ListQuery, RecordView, UndoImportError, import_csv};
use crate::ledger::runs;
use entente_sync::{Run, RunStatus};
use std::io::Read;

/// 2020-01-01.
const NOW: i64 = 1_577_836_800_000_000;

fn hub() -> Hub {
    hub_from(NOW)
}

async fn import(hub: &Hub, file: &str) -> ImportReport {
    let options = ImportOptions { file: "people.csv".to_owned(), batch: 2, ..ImportOptions::new("contact") };
    import_csv(hub, file.as_bytes(), &options, &mut |_, _| {}).await.unwrap()
}

async fn undo(hub: &Hub, run: i64) -> UndoneImport {
    hub.undo_import(run, Some(u64::MAX), usize::MAX).await.unwrap()
}

/// All records without their change numbers, which grow.
async fn all(hub: &Hub) -> Vec<RecordView> {
    let mut all = Vec::new();
    for object in ["company", "contact"] {
        let query = ListQuery { limit: 10_000, ..ListQuery::default() };
        all.extend(hub.list(object, &query).await.unwrap().records);
    }
    all.iter_mut().for_each(|record| record.version.clear());
    all
}

async fn run(hub: &Hub, number: i64) -> Run {
    hub.read(|connection| Ok(runs::by_id(connection, number)?)).await.unwrap().unwrap()
}

fn numbers(undone: &UndoneImport) -> [u64; 4] {
    [undone.deleted, undone.put_back, undone.gone, undone.left]
}

/// Record and reason of what was left.
fn left(undone: &UndoneImport) -> Vec<(String, Left)> {
    let left = undone.left_out.iter();
    left.map(|change| {
        (format!("{}:{}", change.object, change.id.clone().unwrap()), change.left.clone().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn what_an_import_made_and_changed_is_put_back() {
    let hub = hub();
    contact(&hub, "ann@x.example").await;
    hub.set("contact", "1", &values(&[("city", Value::text("Oslo"))])).await.unwrap();
    let before = all(&hub).await;
    let report = import(
        &hub,
        "email,first_name,city,company\nann@x.example,Ann,Bergen,Fjord AB\nbo@x.example,Bo,,Fjord AB\nbo@x.example,Bob,,\nann@x.example,Anne,Lund,\n",
    )
    .await;
    assert_eq!((report.run, report.created, report.updated, report.references_created), (Some(1), 1, 3, 1));
    let page = hub.imported(1, &ImportFilter::default(), 0, 10).await.unwrap();
    assert_eq!((page.created, page.updated), (2, 1));
    let told: Vec<String> = page
        .changes
        .iter()
        .map(|(place, change)| {
            format!(
                "{place} {:?} {}:{} {}",
                change.deed,
                change.object,
                change.id.clone().unwrap(),
                change
                    .fields
                    .iter()
                    .map(|field| format!(
                        "{}={}>{}",
                        field.field,
                        field.before.clone().map(|v| v.to_string()).unwrap_or_default(),
                        field.after
                    ))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "2 Update contact:1 first_name=>Anne,company=>company:2,city=Oslo>Lund",
            "5 Create company:2 name=>Fjord AB",
            "7 Create contact:3 first_name=>Bob,email=>bo@x.example,company=>company:2",
        ],
        "the value before the first row, and that of the last"
    );
    let origin = hub.get("contact", "1").await.unwrap().fields[0].origin.clone();
    assert_eq!(origin, Some(Origin::Import { run: Some(1), file: Some("people.csv".into()) }));

    let plan = hub.undo_import(1, None, 1).await.unwrap();
    assert_eq!((numbers(&plan), plan.run, plan.changes.len()), ([2, 1, 0, 0], None, 1));
    assert_eq!(all(&hub).await.len(), 3, "a plan writes nothing");
    let refused = hub.undo_import(1, Some(1), 1).await;
    assert!(matches!(refused, Err(UndoImportError::Deletes { deletes: 2 })), "{refused:?}");
    assert_eq!(all(&hub).await.len(), 3);

    let undone = undo(&hub, 1).await;
    assert_eq!((numbers(&undone), undone.run), ([2, 1, 0, 0], Some(2)));
    assert_eq!(all(&hub).await, before, "values, times and origins");
    let of_undo = run(&hub, 2).await;
    assert_eq!((of_undo.options.undoes(), of_undo.writes(), of_undo.status), (Some(1), 3, RunStatus::Done));
    assert!(of_undo.sync.is_empty() && of_undo.relation.is_empty());

    let again = undo(&hub, 1).await;
    assert_eq!((numbers(&again), again.run), ([0, 0, 2, 0], None), "nothing is left to put back");
    assert_eq!(
        hub.imported(1, &ImportFilter::default(), 0, 10).await.unwrap().created,
        2,
        "it is still told"
    );
}

#[tokio::test]
async fn what_somebody_has_changed_since_is_left() {
    let hub = hub();
    for name in ["ann", "bea", "cid"] {
        contact(&hub, &format!("{name}@x.example")).await;
    }
    import(
        &hub,
        "email,city,phone\nann@x.example,Bergen,1\nbea@x.example,Bergen,2\ncid@x.example,Bergen,3\ndan@x.example,Bergen,4\neva@x.example,Bergen,5\nfay@x.example,Bergen,6\n",
    )
    .await;
    let set = async |id: &str, field: &str, value: &str| {
        hub.set("contact", id, &values(&[(field, Value::text(value))])).await.unwrap()
    };
    set("1", "city", "Lund").await;
    set("4", "first_name", "Dan").await;
    hub.delete("contact", "2").await.unwrap();
    hub.delete("contact", "5").await.unwrap();
    hub.delete("contact", "6").await.unwrap();
    hub.restore("contact", "6").await.unwrap();

    let undone = undo(&hub, 1).await;
    assert_eq!(numbers(&undone), [0, 2, 1, 4]);
    let edited = |left: &Left| matches!(left, Left::Edited { by: Origin::Operator, .. });
    let told = left(&undone);
    assert_eq!(
        told.iter().map(|(record, _)| record.as_str()).collect::<Vec<_>>(),
        ["contact:1", "contact:2", "contact:4", "contact:6"]
    );
    assert!(edited(&told[0].1) && edited(&told[2].1), "{told:?}");
    assert!(matches!(told[1].1, Left::Deleted { by: Origin::Operator, .. }), "{told:?}");
    assert!(matches!(told[3].1, Left::Restored { by: Origin::Operator }), "{told:?}");
    let ann = hub.get("contact", "1").await.unwrap();
    let text = |field: &str| ann.value(field).unwrap().to_string();
    assert_eq!(
        (text("city"), text("phone")),
        ("Lund".to_owned(), String::new()),
        "the other field is put back"
    );
    assert_eq!(run(&hub, undone.run.unwrap()).await.counts.left["contact"].excluded, 4);
}

#[tokio::test]
async fn what_a_record_refers_to_that_stays_is_left() {
    let hub = hub();
    import(&hub, "email,company\nann@x.example,Fjord AB\nbea@x.example,Strand AB\ncid@x.example,Skog AB\n")
        .await;
    // Ann is edited, so she stays, and her company with her. A contact made by hand is with another one.
    hub.set("contact", "2", &values(&[("city", Value::text("Oslo"))])).await.unwrap();
    let strand = hub.list("company", &ListQuery::default()).await.unwrap().records[1].id.clone();
    let link = Value::Reference(entente_core::Reference { object: "company".into(), id: strand.clone() });
    let by_hand = hub.create("contact", &values(&[("company", link)])).await.unwrap().id;
    let undone = undo(&hub, 1).await;
    assert_eq!(numbers(&undone), [3, 0, 0, 3]);
    let referred = |id: &str| Left::Referred { object: "contact".into(), id: id.to_owned() };
    let told = left(&undone);
    assert!(told.contains(&("company:1".to_owned(), referred("2"))), "{told:?}");
    assert!(told.contains(&(format!("company:{strand}"), referred(&by_hand))), "{told:?}");
    assert_eq!(hub.count("company", &ListQuery::default()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_former_value_that_cannot_be_is_left() {
    let hub = hub();
    let firm = hub.create("company", &values(&[("name", Value::text("Old AB"))])).await.unwrap().id;
    let link = Value::Reference(entente_core::Reference { object: "company".into(), id: firm.clone() });
    let of = values(&[("email", Value::text("ann@x.example")), ("company", link)]);
    hub.create("contact", &of).await.unwrap();
    import(&hub, "email,company\nann@x.example,New AB\n").await;
    hub.delete("company", &firm).await.unwrap();
    let undone = undo(&hub, 1).await;
    // She stays with the new company, which stays for that.
    assert_eq!(numbers(&undone), [0, 0, 0, 2]);
    assert!(matches!(left(&undone)[0].1, Left::Refused { .. }), "{undone:?}");
    assert_eq!(undone.run, None);
}

/// Reads a file to a line, and fails.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the cable is out")),
            read => Ok(read),
        }
    }
}

#[tokio::test]
async fn an_import_that_failed_or_was_killed_says_so_and_is_undone() {
    let hub = hub();
    // More than the sample that is read before an import begins.
    let long = "-".repeat(90);
    let rows =
        |from: usize| (from..from + 12_000).map(|n| format!("p{n}@x.example,{long}\n")).collect::<String>();
    let options = ImportOptions { batch: 100, ..ImportOptions::new("contact") };
    let file = format!("email,x\n{}", rows(0));
    let failed = import_csv(&hub, Broken(file.as_bytes()), &options, &mut |_, _| {}).await;
    assert!(failed.is_err());
    let ended = run(&hub, 1).await;
    assert_eq!(ended.status, RunStatus::Failed);
    assert!(ended.error.unwrap().text.contains("the cable is out"));
    let kept = hub.count_all().await.unwrap();
    assert!(kept > 0 && ended.counts.left["contact"].created == kept);

    let file = format!("email,x\n{}", rows(500_000));
    let (killed, mut batches) = (tokio::sync::Notify::new(), 0);
    let mut progress = |_, _| {
        batches += 1;
        if batches == 3 {
            killed.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = killed.notified() => {}
        done = import_csv(&hub, file.as_bytes(), &options, &mut progress) => panic!("{done:?}"),
    }
    assert_eq!(hub.count_all().await.unwrap(), kept + 300);
    let stopped = run(&hub, 2).await;
    assert_eq!((stopped.status, stopped.ended), (RunStatus::Interrupted, None));
    assert_eq!(stopped.error.unwrap().text, "it is under way, or was stopped before its end");
    assert_eq!(hub.imported(2, &ImportFilter::default(), 0, 0).await.unwrap().created, 300);
    assert_eq!(numbers(&undo(&hub, 2).await), [300, 0, 0, 0]);
    assert_eq!(numbers(&undo(&hub, 1).await), [kept, 0, 0, 0]);
    assert_eq!(hub.count_all().await.unwrap(), 0);
}

#[tokio::test]
async fn a_dry_run_is_no_run_and_tells_what_would_be() {
    let hub = hub();
    contact(&hub, "ann@x.example").await;
    let file =
        "email,city,company\nann@x.example,Lund,Fjord AB\nbo@x.example,Oslo,Fjord AB\nbo@x.example,Ulm,\n";
    let options = ImportOptions { dry_run: true, told: 10, ..ImportOptions::new("contact") };
    let report = import_csv(&hub, file.as_bytes(), &options, &mut |_, _| {}).await.unwrap();
    assert_eq!((report.run, hub.count_all().await.unwrap()), (None, 1));
    let told: Vec<String> = report
        .changes
        .iter()
        .map(|change| {
            let fields: Vec<String> = change
                .fields
                .iter()
                .map(|field| format!("{}={}{}", field.field, field.after, field.to_be_made.join("")))
                .collect();
            format!("{:?} {:?} {}", change.deed, change.id, fields.join(" "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "Create None name=Fjord AB",
            "Update Some(\"1\") city=Lund company=company:2new company «Fjord AB»",
            "Create None email=bo@x.example company=company:2new company «Fjord AB» city=Ulm",
        ]
    );
    let refused = hub.read(|connection| Ok(runs::by_id(connection, 1)?)).await.unwrap();
    assert_eq!(refused, None);
    let less = ImportOptions { told: 1, ..options };
    assert_eq!(import_csv(&hub, file.as_bytes(), &less, &mut |_, _| {}).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_page_of_an_import_goes_on_where_the_one_before_ended() {
    let hub = hub();
    for n in 0..5 {
        contact(&hub, &format!("old{n}@x.example")).await;
    }
    let rows: Vec<String> =
        (0..5).flat_map(|n| [format!("old{n}@x.example,A"), format!("new{n}@x.example,B")]).collect();
    import(
        &hub,
        &format!(
            "email,city,company\n{}",
            rows.iter().map(|row| format!("{row},Fjord AB\n")).collect::<String>()
        ),
    )
    .await;
    let whole = hub.imported(1, &ImportFilter::default(), 0, 100).await.unwrap();
    assert_eq!((whole.created, whole.updated, whole.changes.len()), (6, 5, 11));
    let (mut above, mut pages) = (0, Vec::new());
    loop {
        let page = hub.imported(1, &ImportFilter::default(), above, 2).await.unwrap();
        let Some((last, _)) = page.changes.last() else { break };
        above = *last;
        pages.extend(page.changes);
    }
    assert_eq!(pages, whole.changes);
    let only = async |filter: ImportFilter| {
        let page = hub.imported(1, &filter, 0, 100).await.unwrap();
        (page.created, page.updated, page.changes.len())
    };
    let object = ImportFilter { object: Some("company".into()), ..ImportFilter::default() };
    assert_eq!(only(object).await, (1, 0, 1));
    let deed = ImportFilter { deed: Some(Deed::Update), ..ImportFilter::default() };
    assert_eq!(only(deed).await, (0, 5, 5));
    let record =
        |id: &str| ImportFilter { record: Some(("contact".into(), id.into())), ..ImportFilter::default() };
    assert_eq!(only(record("3")).await, (0, 1, 1));
    assert_eq!(only(record("7")).await, (1, 0, 1));
    assert_eq!(only(record("99")).await, (0, 0, 0));
}

/// Imports that are undone from the last to the first leave each time what was there before, whatever their files have.
#[tokio::test]
async fn imports_undone_backwards_leave_what_was_there_before() {
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    let mut draw = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    };
    for _ in 0..30 {
        let hub = hub();
        for n in 0..draw(4) {
            contact(&hub, &format!("p{n}@x.example")).await;
        }
        let mut before = Vec::new();
        for _ in 0..3 {
            before.push(all(&hub).await);
            let mut file = "email,city,phone,company,tags\n".to_owned();
            for _ in 0..1 + draw(8) {
                let cell = |draw: &mut dyn FnMut(u64) -> u64, words: &[&str]| {
                    words[draw(words.len() as u64) as usize].to_owned()
                };
                let row = [
                    format!("p{}@x.example", draw(7)),
                    cell(&mut draw, &["", "Oslo", "Lund", "Ulm"]),
                    cell(&mut draw, &["", "1", "2"]),
                    cell(&mut draw, &["", "Fjord AB", "Strand AB"]),
                    cell(&mut draw, &["", "a;b", "c"]),
                ];
                file.push_str(&format!("{}\n", row.join(",")));
            }
            import(&hub, &file).await;
        }
        for run in (1..=3).rev() {
            let undone = undo(&hub, run).await;
            assert_eq!(undone.left, 0, "{undone:?}");
            assert_eq!(all(&hub).await, before[run as usize - 1]);
        }
    }
}
