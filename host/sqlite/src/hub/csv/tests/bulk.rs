//! Import and export of a large file.

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

#[tokio::test]
async fn ten_thousand_rows_are_taken_by_the_page_and_change_nothing_the_second_time() {
    const ROWS: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&folder.path().join("hub.db")).unwrap();
    let hub = Hub::new(store, std::sync::Arc::new(entente_sync::SystemClock));
    let (file, rows) = (file(ROWS), ROWS as u64);
    let mut seen = Vec::new();
    let report = import_csv(&hub, file.as_bytes(), &ImportOptions::new("contact"), &mut |bytes, rows| {
        seen.push((bytes, rows))
    })
    .await
    .unwrap();
    assert_eq!((counts(&report), report.references_created), ([rows, rows, 0, 0, 0, 0], 100));
    assert_eq!(seen.last(), Some(&(file.len() as u64, rows)));
    assert!(seen.is_sorted() && seen.len() > ROWS / 500);
    let report =
        import_csv(&hub, file.as_bytes(), &ImportOptions::new("contact"), &mut |_, _| {}).await.unwrap();
    assert_eq!(counts(&report), [rows, 0, 0, rows, 0, 0]);
    let exported = export_csv(&hub, std::io::sink(), &ExportOptions::new("contact")).await.unwrap();
    assert_eq!(exported.rows, rows);
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
