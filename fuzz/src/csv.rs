//! Files of records: every row is counted once, and what was imported, exported and imported again changes
//! nothing. The first byte says how the file is read.

use entente_core::Timestamp;
use entente_sqlite::{
    BadCells, CsvError, Empty, ExportOptions, Hub, ImportKey, ImportOptions, Store, export_csv, import_csv,
    import_with_refused,
};
use entente_sync::Clock;
use std::sync::Arc;
use std::time::Duration;

/// It stands still.
struct Stopped;

/// A hub of its own, in memory.
pub(super) fn hub() -> Hub {
    Hub::new(Store::in_memory().expect("a database"), Arc::new(Stopped))
}

#[async_trait::async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_577_836_800_000_000)
    }

    async fn sleep(&self, _: Duration) {}
}

fn options(how: u8) -> ImportOptions {
    let mut options = ImportOptions::new(if how & 1 == 0 { "contact" } else { "company" });
    options.empty = if how & 2 == 0 { Empty::Keep } else { Empty::Clear };
    options.key = if how & 4 == 0 { ImportKey::Usual } else { ImportKey::None };
    options.dry_run = how & 8 != 0;
    options.delimiter = (how & 16 != 0).then_some(';');
    options.encoding = (how & 32 != 0).then(|| "windows-1252".to_owned());
    options.batch = if how & 64 == 0 { 500 } else { 2 };
    if how & 128 != 0 {
        options.bad_cells = BadCells::LeaveOut;
        options.or_key = vec![vec!["phone".to_owned()]];
    }
    options.listed = 5;
    options
}

async fn look(how: u8, file: &[u8]) {
    let hub = hub();
    let options = options(how);
    let mut refused = Vec::new();
    let report = match import_with_refused(&hub, file, &options, Some(&mut refused), &mut |_, _| {}).await {
        Ok(report) => report,
        Err(
            error
            @ (CsvError::Hub(_) | CsvError::Stopped { .. } | CsvError::Read { .. } | CsvError::Write(_)),
        ) => {
            panic!("{error}")
        }
        Err(_) => return,
    };
    let lines = String::from_utf8_lossy(file).matches(['\n', '\r']).count() as u64 + 1;
    assert_eq!(report.rows, report.created + report.updated + report.unchanged + report.failed, "{report:?}");
    assert!(report.rows + report.skipped <= lines, "{report:?}");
    assert!(report.bad.len() as u64 == report.failed.min(5), "{report:?}");
    assert!(
        report.bad.iter().all(|bad| (1..=lines).contains(&bad.line) && bad.value.as_data().len() < 1000),
        "{report:?}"
    );
    assert!(std::str::from_utf8(&refused).is_ok() && !refused.is_empty());
    let mut written = Vec::new();
    let export = ExportOptions { id: true, ..ExportOptions::new(options.object.as_str()) };
    let exported = export_csv(&hub, &mut written, &export).await.expect("it can be exported");
    let most = report.created + report.references_created;
    let expected = if options.dry_run { 0..=0 } else { report.created..=most };
    assert!(expected.contains(&exported.rows), "{} exported of {report:?}", exported.rows);
    let again = ImportOptions {
        key: ImportKey::Id,
        empty: Empty::Clear,
        ..ImportOptions::new(options.object.as_str())
    };
    let again =
        import_csv(&hub, written.as_slice(), &again, &mut |_, _| {}).await.expect("it can be imported");
    assert_eq!(again.unchanged, exported.rows, "{again:?}\n{}", String::from_utf8_lossy(&written));
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Some((how, file)) = bytes.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(look(*how, file));
}
