//! Pages of reports: what a plugin says is taken within the limits, and nothing that makes no sense comes
//! through.

use super::{is_clean, is_possible, limits, size};
use arbitrary::Unstructured;
use entente_cli::fuzzing::plugin::page;
use entente_sync::ReportRequest;

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let limits = limits();
    let limit = u.int_in_range(0..=30).unwrap_or(30);
    let request = ReportRequest {
        cursor: None,
        iteration: 0,
        objects: vec![],
        first_time: false,
        limit,
        options: vec![],
        sync: String::new(),
    };
    let Ok((said, Ok(page))) = page(&mut u, &limits, &request) else { return };
    let most = u64::from(limit).min(limits.page_rows);
    let mut taken = 0;
    let mut bytes = 0;
    for batch in &page.batches {
        assert!(
            is_clean(&batch.object) && batch.fields.iter().all(|field| is_clean(field) && !field.is_empty())
        );
        taken += batch.rows.len() + batch.bad.len() + batch.deleted.len();
        for row in &batch.rows {
            assert!(!row.id.is_empty() && row.id.len() as u64 <= limits.id_bytes);
            assert_eq!(row.values.len(), batch.fields.len());
            assert!(row.times.is_empty() || row.times.len() == row.values.len());
            assert!(row.values.iter().all(is_possible));
            bytes += row.id.len() as u64 + row.values.iter().map(size).sum::<u64>();
        }
        for bad in &batch.bad {
            assert!(is_clean(&bad.reason), "{:?}", bad.reason);
            assert!(bad.id.as_ref().is_none_or(|id| !id.is_empty() && id.len() as u64 <= limits.id_bytes));
        }
        for deletion in &batch.deleted {
            assert!(!deletion.id.is_empty() && deletion.id.len() as u64 <= limits.id_bytes);
            bytes += deletion.id.len() as u64;
        }
    }
    assert_eq!(taken, said, "every row is taken, or told to be bad");
    assert!(said as u64 <= most);
    assert!(
        page.conversions.len() as u64 <= limits.page_rows && page.finished.len() as u64 <= limits.page_rows
    );
    for token in
        page.next.iter().chain(page.finished.iter().filter_map(|finished| finished.bookmark.as_ref()))
    {
        assert!(token.len() as u64 <= limits.token_bytes);
        bytes += token.len() as u64;
    }
    for conversion in &page.conversions {
        for one in [&conversion.before, &conversion.after] {
            assert!(!one.id.is_empty() && !one.object.is_empty() && is_clean(&one.object));
        }
    }
    assert!(bytes <= limits.page_bytes);
    assert!(page.finished.iter().all(|finished| is_clean(&finished.object)));
}
