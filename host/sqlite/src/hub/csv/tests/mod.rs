//! Shared set-up of the tests of CSV import and export.

mod again;
mod bulk;
mod cards;
mod exporters;
mod files;
mod findings;
mod import;
mod round_trip;

use super::*;
use crate::hub::tests::{hub_from, values};
use crate::hub::{Hub, ListQuery, RecordView};
use entente_core::Value;

/// The time of the imports: 2020-01-01.
const NOW: i64 = 1_577_836_800_000_000;

fn hub() -> Hub {
    hub_from(NOW)
}

async fn import(
    hub: &Hub,
    file: impl AsRef<[u8]>,
    options: &ImportOptions,
) -> Result<ImportReport, CsvError> {
    import_csv(hub, file.as_ref(), options, &mut |_, _| {}).await
}

async fn contacts(hub: &Hub, file: impl AsRef<[u8]>) -> ImportReport {
    import(hub, file, &ImportOptions::new("contact")).await.unwrap()
}

async fn all(hub: &Hub, object: &str) -> Vec<RecordView> {
    hub.list(object, &ListQuery { limit: 100_000, ..ListQuery::default() }).await.unwrap().records
}

/// The contacts but for their versions: a record that is put back to what it was has been written twice.
async fn unversioned(hub: &Hub) -> Vec<RecordView> {
    let mut records = all(hub, "contact").await;
    records.iter_mut().for_each(|record| record.version.clear());
    records
}

/// One field of all records.
async fn column(hub: &Hub, object: &str, field: &str) -> Vec<Value> {
    all(hub, object).await.iter().map(|record| record.value(field).unwrap().clone()).collect()
}

fn texts(list: &[&str]) -> Vec<Value> {
    list.iter().map(|text| Value::text(*text)).collect()
}

async fn export(hub: &Hub, options: &ExportOptions) -> String {
    let mut out = Vec::new();
    export_csv(hub, &mut out, options).await.unwrap();
    String::from_utf8(out).unwrap()
}

fn counts(report: &ImportReport) -> [u64; 6] {
    [report.rows, report.created, report.updated, report.unchanged, report.failed, report.skipped]
}

/// Whether a note says this.
fn told(report: &ImportReport, what: &str) -> bool {
    report.notes.iter().any(|note| note.to_string().contains(what))
}

/// The reasons of the refused rows, by line.
fn reasons(report: &ImportReport) -> Vec<(u64, BadCode)> {
    report.bad.iter().map(|bad| (bad.line, bad.code)).collect()
}
