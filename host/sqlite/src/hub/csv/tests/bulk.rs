//! Ten thousand rows and more.

use super::*;
use std::fmt::Write as _;

fn file(rows: usize) -> String {
    let mut file = String::from("email,first_name,last_name,phone,company,city,points,tags,updated_at\n");
    for n in 0..rows {
        let _ = writeln!(
            file,
            "person{n}@example.org,First{n},\"Last, {n}\",+49 30 {n},Company {},Oslo,{n},a;b,2019-06-01 12:00:00",
            n % 100
        );
    }
    file
}

async fn import_twice(rows: usize) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&folder.path().join("hub.db")).unwrap();
    let hub = Hub::new(store, std::sync::Arc::new(entente_sync::SystemClock));
    let file = file(rows);
    let mut seen = Vec::new();
    let begun = std::time::Instant::now();
    let report = import_csv(&hub, file.as_bytes(), &ImportOptions::new("contact"), &mut |bytes, rows| {
        seen.push((bytes, rows))
    })
    .await
    .unwrap();
    let first = rows as f64 / begun.elapsed().as_secs_f64();
    assert_eq!((counts(&report), report.references_created), ([rows as u64, rows as u64, 0, 0, 0, 0], 100));
    assert_eq!(seen.last(), Some(&(file.len() as u64, rows as u64)));
    assert!(seen.is_sorted() && seen.len() > rows / 500);
    let begun = std::time::Instant::now();
    let report =
        import_csv(&hub, file.as_bytes(), &ImportOptions::new("contact"), &mut |_, _| {}).await.unwrap();
    let second = rows as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(counts(&report), [rows as u64, 0, 0, rows as u64, 0, 0]);
    let exported = export_csv(&hub, std::io::sink(), &ExportOptions::new("contact")).await.unwrap();
    assert_eq!(exported.rows, rows as u64);
    (first, second)
}

#[tokio::test]
async fn ten_thousand_rows() {
    let (first, second) = import_twice(10_000).await;
    println!("10,000 rows: {first:.0} new rows a second, {second:.0} known ones");
}

#[tokio::test]
#[ignore = "for measuring: run it by name with --ignored --nocapture"]
async fn a_hundred_thousand_rows() {
    let (first, second) = import_twice(100_000).await;
    println!("100,000 rows: {first:.0} new rows a second, {second:.0} known ones");
}

#[tokio::test]
#[ignore = "for measuring: run it by name with --ignored --nocapture"]
async fn orders_beside_bare_inserts() {
    use crate::hub::tests::{change, order, text};
    use entente_sync::{Action, Exchange};
    const RECORDS: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("bare.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
    connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT, first TEXT, last TEXT, phone TEXT, city TEXT); CREATE INDEX i ON t (email)").unwrap();
    let begun = std::time::Instant::now();
    for batch in 0..RECORDS / 500 {
        connection.execute_batch("BEGIN").unwrap();
        for n in batch * 500..(batch + 1) * 500 {
            let mut statement = connection
                .prepare_cached("INSERT INTO t (email, first, last, phone, city) VALUES (?1, ?2, ?3, ?4, ?5)")
                .unwrap();
            statement
                .execute(rusqlite::params![
                    format!("person{n}@example.org"),
                    format!("First{n}"),
                    format!("Last{n}"),
                    format!("+49 30 {n}"),
                    "Oslo"
                ])
                .unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    let bare = begun.elapsed().as_secs_f64();
    let store = crate::store::Store::open(&folder.path().join("hub.db")).unwrap();
    let hub = Hub::new(store, std::sync::Arc::new(entente_sync::SystemClock));
    let begun = std::time::Instant::now();
    for batch in 0..RECORDS / 500 {
        let create = |n: usize| {
            let texts = [
                format!("person{n}@example.org"),
                format!("First{n}"),
                format!("Last{n}"),
                format!("+49 30 {n}"),
                "Oslo".into(),
            ];
            change(Action::Create, texts.iter().map(|part| text(part)).collect())
        };
        let changes = (batch * 500..(batch + 1) * 500).map(create).collect();
        hub.execute(&order("mine", &["email", "first_name", "last_name", "phone", "city"], changes))
            .await
            .unwrap();
    }
    let ours = begun.elapsed().as_secs_f64();
    println!(
        "{RECORDS} creates: hub {:.1} µs each, bare inserts {:.1} µs each, ratio {:.2}",
        ours * 1e6 / RECORDS as f64,
        bare * 1e6 / RECORDS as f64,
        ours / bare
    );
}

#[test]
fn imports_and_exports_may_move_between_threads() {
    fn movable<T: Send>(_: T) {}
    let (hub, options) = (hub(), ImportOptions::new("contact"));
    let mut progress = |_, _| {};
    movable(import_csv(&hub, &b""[..], &options, &mut progress));
    let options = ExportOptions::new("contact");
    movable(export_csv(&hub, std::io::sink(), &options));
}
