//! vCards: every card is counted once, and what was imported and written as cards is read again, all of it. The first byte says how the file is read and written.

use super::csv::hub;
use entente_sqlite::{
    BadCells, CardVersion, CsvError, Empty, ExportOptions, Hub, ImportKey, ImportOptions, ImportReport,
    export_cards, import_csv,
};

/// All contacts of a hub as cards of a version.
async fn written(hub: &Hub, version: CardVersion) -> (u64, Vec<u8>) {
    let mut cards = Vec::new();
    let exported = export_cards(hub, &mut cards, &ExportOptions::new("contact"), version).await;
    (exported.expect("it can be exported").rows, cards)
}

/// Imports cards; `None` where the file is refused as a whole.
async fn read(hub: &Hub, options: &ImportOptions, cards: &[u8]) -> Option<ImportReport> {
    match import_csv(hub, cards, options, &mut |_, _| {}).await {
        Ok(report) => Some(report),
        Err(
            error
            @ (CsvError::Hub(_) | CsvError::Stopped { .. } | CsvError::Read { .. } | CsvError::Write(_)),
        ) => panic!("{error}"),
        Err(_) => None,
    }
}

/// How often a line has this text alone, in any case.
fn lines(file: &[u8], text: &[u8]) -> u64 {
    file.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii().eq_ignore_ascii_case(text)).count()
        as u64
}

async fn look(how: u8, body: &[u8]) {
    let mut file = b"BEGIN:VCARD\n".to_vec();
    file.extend_from_slice(body);
    let first = hub();
    let options = ImportOptions {
        empty: if how & 1 == 0 { Empty::Keep } else { Empty::Clear },
        key: if how & 2 == 0 { ImportKey::Usual } else { ImportKey::None },
        bad_cells: if how & 4 == 0 { BadCells::Refuse } else { BadCells::LeaveOut },
        ..ImportOptions::new("contact")
    };
    let Some(report) = read(&first, &options, &file).await else { return };
    assert_eq!(report.rows, report.created + report.updated + report.unchanged + report.failed, "{report:?}");
    assert_eq!(report.rows + report.skipped, lines(&file, b"BEGIN:VCARD"), "{report:?}");

    let version = if how & 8 == 0 { CardVersion::V3 } else { CardVersion::V4 };
    let (count, cards) = written(&first, version).await;
    let text = String::from_utf8_lossy(&cards);
    assert_eq!(count, report.created, "{report:?}\n{text}");
    assert_eq!(lines(&cards, b"BEGIN:VCARD"), count, "a value begins a card\n{text}");
    if count == 0 {
        // A file without a card is none.
        return;
    }
    let second = hub();
    let options = ImportOptions { key: ImportKey::None, ..ImportOptions::new("contact") };
    let again = read(&second, &options, &cards).await;
    let again = again.unwrap_or_else(|| panic!("its own cards are refused:\n{text}"));
    assert_eq!((again.created, again.failed), (count, 0), "{again:?}\n{text}");
    let (_, back) = written(&second, version).await;
    assert_eq!(String::from_utf8_lossy(&back), text, "other values");
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Some((how, body)) = bytes.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(look(*how, body));
}
