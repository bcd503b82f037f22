//! Lowering report requests, and lifting pages and look-up results.

use super::super::bindings::entente::integration::data as wit;
use super::super::bindings::exports::entente::integration::{lookup, sync_report};
use super::Lift;
use super::value::lower_values;
use crate::limits::Limits;
use crate::wire::Refused;
use entente_core::Timestamp;
use entente_sync::{BadRow, Batch, Conversion, Deletion, Finished, Page, Query, ReportRequest, StateWrites};

/// The most rows that a page for this request may have.
fn most_rows(request: &ReportRequest, limits: &Limits) -> u64 {
    u64::from(request.limit).min(limits.page_rows)
}

pub(crate) fn lower_request(
    request: &ReportRequest,
    limits: &Limits,
    call: wit::Call,
) -> sync_report::Request {
    sync_report::Request {
        cursor: request.cursor.clone(),
        iteration: request.iteration,
        objects: request
            .objects
            .iter()
            .map(|wanted| sync_report::Wanted {
                object: wanted.object.clone(),
                fields: wanted.fields.clone(),
                ids: wanted.ids.clone(),
                window: sync_report::Window {
                    since: wanted.window.since.map(Timestamp::micros),
                    until: wanted.window.until.micros(),
                    extra: Vec::new(),
                },
                bookmark: wanted.bookmark.clone(),
                full: wanted.full,
                extra: Vec::new(),
            })
            .collect(),
        first_time: request.first_time,
        limit: u32::try_from(most_rows(request, limits)).unwrap_or(u32::MAX),
        options: request.options.clone(),
        call,
        extra: Vec::new(),
    }
}

/// Validates a page. Invalid rows become `bad` rows; too many rows, and invalid names or tokens, fail the
/// page.
pub(crate) fn page(
    lift: &mut Lift<'_>,
    page: sync_report::Page,
    request: &ReportRequest,
) -> Result<Page, Refused> {
    let most = most_rows(request, lift.limits);
    let told = |batch: &wit::Batch| batch.rows.len() + batch.deleted.len() + batch.unreadable.len();
    let rows: u64 = page.batches.iter().map(|batch| told(batch) as u64).sum();
    if rows > most {
        let mut limit = lift.limits.page_rows(Some(rows));
        if most < limit.value {
            // More than the host requested: raising the limit would not help.
            (limit.value, limit.most) = (most, most);
        }
        return Err(limit.into());
    }
    for more in [page.batches.len(), page.conversions.len(), page.finished.len()] {
        if more as u64 > lift.limits.page_rows {
            return Err(lift.limits.page_rows(Some(more as u64)).into());
        }
    }
    let mut batches = Vec::with_capacity(page.batches.len());
    for batch in page.batches {
        batches.push(lift.batch(batch)?);
    }
    let mut conversions = Vec::with_capacity(page.conversions.len());
    for conversion in page.conversions {
        match (lift.reference(conversion.before)?, lift.reference(conversion.after)?) {
            (Ok(before), Ok(after)) => {
                let at = conversion.at.map(Timestamp::from_micros);
                conversions.push(Conversion { before, after, at });
            }
            (Err(reason), _) | (_, Err(reason)) => lift.warn(&format!("a conversion was left out: {reason}")),
        }
    }
    Ok(Page {
        batches,
        conversions,
        next: lift.tokens(page.next)?,
        after: page.after.map(super::order::pause),
        finished: page
            .finished
            .into_iter()
            .map(|finished| {
                let object = lift.name(finished.object, "a finished object")?;
                let bookmark = lift.tokens(finished.bookmark)?;
                Ok(Finished { object, bookmark, complete: finished.complete })
            })
            .collect::<Result<_, Refused>>()?,
        // Informational: a value that makes no sense is dropped.
        remaining: page
            .extra
            .iter()
            .find(|(name, _)| name == "remaining")
            .and_then(|(_, text)| text.parse().ok()),
        state: StateWrites::new(),
    })
}

impl Lift<'_> {
    fn batch(&mut self, batch: wit::Batch) -> Result<Batch, Refused> {
        let object = self.name(batch.object, "an object of the page")?;
        self.count(object.len())?;
        let mut fields = Vec::with_capacity(batch.fields.len());
        for field in batch.fields {
            self.count(field.len())?;
            fields.push(self.name(field, "a field of the page")?);
        }
        let mut lifted = Batch { object, fields, ..Batch::default() };
        lifted.rows.reserve(batch.rows.len());
        for row in batch.rows {
            let id =
                Some(row.id.clone()).filter(|id| !id.is_empty() && id.len() as u64 <= self.limits.id_bytes);
            match self.row(row, &lifted.fields)? {
                Ok(row) => lifted.rows.push(row),
                Err(reason) => lifted.bad.push(BadRow { id, reason }),
            }
        }
        for row in batch.unreadable {
            let id = row.id.filter(|id| !id.is_empty() && id.len() as u64 <= self.limits.id_bytes);
            let reason = self.reason(&row.reason);
            lifted.bad.push(BadRow { id, reason });
        }
        for deletion in batch.deleted {
            match self.id(&deletion.id)? {
                Ok(()) => lifted.deleted.push(Deletion {
                    id: deletion.id,
                    deleted: deletion.deleted.map(Timestamp::from_micros),
                }),
                Err(reason) => lifted
                    .bad
                    .push(BadRow { id: None, reason: format!("a deletion cannot be taken: {reason}") }),
            }
        }
        Ok(lifted)
    }
}

pub(crate) fn lower_query(query: &Query, call: wit::Call) -> lookup::Query {
    lookup::Query {
        object: query.object.clone(),
        fields: query.fields.clone(),
        keys: query.keys.iter().map(|key| lower_values(key)).collect(),
        all: query.all,
        call,
        extra: Vec::new(),
    }
}

/// Validates look-up results: one for each key, without empty ids.
pub(crate) fn found(
    lift: &mut Lift<'_>,
    found: lookup::Found,
    query: &Query,
) -> Result<Vec<Vec<String>>, Refused> {
    let found = found.ids;
    if found.len() != query.keys.len() {
        return Err(Refused::Invalid(format!(
            "it answered {} of {} keys; there must be one answer for each, in their order",
            found.len(),
            query.keys.len()
        )));
    }
    for id in found.iter().flatten() {
        if let Err(reason) = lift.id(id)? {
            return Err(Refused::Invalid(format!("a record was found, but {reason}")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(limit: u32) -> ReportRequest {
        ReportRequest {
            cursor: None,
            iteration: 0,
            objects: vec![],
            first_time: false,
            limit,
            options: vec![],
            sync: String::new(),
        }
    }

    fn row(id: &str, values: Vec<wit::Value>, times: Vec<Option<i64>>) -> wit::Row {
        wit::Row {
            id: id.to_owned(),
            changed: None,
            version: None,
            values,
            field_changed: times,
            extra: vec![],
        }
    }

    fn answer(rows: Vec<wit::Row>, deleted: &[&str]) -> sync_report::Page {
        sync_report::Page {
            batches: vec![wit::Batch {
                object: "thing".to_owned(),
                fields: vec!["a".to_owned()],
                rows,
                deleted: deleted
                    .iter()
                    .map(|id| wit::Deletion { id: (*id).to_owned(), deleted: None, extra: vec![] })
                    .collect(),
                unreadable: vec![],
                extra: vec![],
            }],
            conversions: vec![],
            next: None,
            after: None,
            finished: vec![],
            extra: vec![],
        }
    }

    #[test]
    fn a_bad_row_is_a_failed_record_and_the_others_go_on() {
        let limits = Limits::default();
        let one = || vec![wit::Value::Null];
        let rows = vec![
            row("good", one(), vec![Some(5)]),
            row("short", vec![], vec![]),
            row("", one(), vec![]),
            row("times", one(), vec![None, None]),
            row(&"x".repeat(2000), one(), vec![]),
            row("day", vec![wit::Value::Unreadable("'soon' is not a day".to_owned())], vec![]),
        ];
        let mut answered = answer(rows, &["gone", ""]);
        let reason = "it is locked".to_owned();
        let unreadable = wit::UnreadableRow { id: Some("locked".to_owned()), reason, extra: vec![] };
        answered.batches[0].unreadable.push(unreadable);
        let page = page(&mut Lift::new(&limits, "x"), answered, &request(1000)).unwrap();
        let batch = &page.batches[0];
        assert_eq!(batch.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(batch.deleted.len(), 1);
        let bad: Vec<_> = batch.bad.iter().map(|bad| (bad.id.as_deref(), bad.reason.as_str())).collect();
        assert_eq!(
            bad,
            [
                (Some("short"), "it has 0 values for 1 fields"),
                (None, "it has no id"),
                (Some("times"), "it has 2 field times for 1 values"),
                (None, "its id has 2000 bytes; 1024 are allowed (limit id-bytes)"),
                (Some("day"), "field a: 'soon' is not a day"),
                (Some("locked"), "it is locked"),
                (None, "a deletion cannot be taken: it has no id"),
            ]
        );
    }

    #[test]
    fn what_is_said_to_remain_is_shown_if_it_is_a_number() {
        let limits = Limits::default();
        for (extra, remaining) in [
            (("remaining", "12"), Some(12)),
            (("remaining", "-1"), None),
            (("remaining", "many"), None),
            (("rest", "12"), None),
        ] {
            let answer = sync_report::Page {
                extra: vec![(extra.0.to_owned(), extra.1.to_owned())],
                ..answer(vec![], &[])
            };
            let lifted = page(&mut Lift::new(&limits, "x"), answer, &request(10)).unwrap();
            assert_eq!(lifted.remaining, remaining, "{extra:?}");
        }
    }

    #[test]
    fn names_of_fields_and_objects_hold_no_control_characters() {
        let limits = Limits::default();
        let bad = "a\u{1b}[31m".to_owned();
        let field = || {
            let mut answer = answer(vec![row("1", vec![wit::Value::Float(f64::NAN)], vec![])], &[]);
            answer.batches[0].fields = vec![bad.clone()];
            answer
        };
        let finished = || {
            let object =
                sync_report::Finished { object: bad.clone(), bookmark: None, complete: true, extra: vec![] };
            sync_report::Page { finished: vec![object], ..answer(vec![], &[]) }
        };
        for answer in [field(), finished()] {
            let Err(Refused::Invalid(reason)) = page(&mut Lift::new(&limits, "x"), answer, &request(10))
            else {
                panic!()
            };
            assert!(reason.contains("has the name «a\\u{1b}[31m»"), "{reason}");
        }
        let to = wit::Reference { object: bad.clone(), id: "1".to_owned() };
        let before = wit::Reference { object: "thing".to_owned(), id: "1".to_owned() };
        let conversions = vec![wit::Conversion { before, after: to, at: None, extra: vec![] }];
        let lifted = page(
            &mut Lift::new(&limits, "x"),
            sync_report::Page { conversions, ..answer(vec![], &[]) },
            &request(10),
        )
        .unwrap();
        assert!(lifted.conversions.is_empty(), "it is left out");
    }

    #[test]
    fn batches_and_conversions_without_rows_have_an_end_too() {
        let limits = Limits { page_rows: 3, ..Limits::default() };
        let empty = || wit::Batch { rows: vec![], ..answer(vec![], &[]).batches.remove(0) };
        let answer =
            sync_report::Page { batches: vec![empty(), empty(), empty(), empty()], ..answer(vec![], &[]) };
        let Err(Refused::Limit(limit)) = page(&mut Lift::new(&limits, "x"), answer, &request(10)) else {
            panic!()
        };
        assert_eq!((limit.name, limit.asked), ("page-rows", Some(4)));
    }

    #[test]
    fn more_rows_than_asked_fail_the_page() {
        let limits = Limits::default();
        let rows = || (0..3).map(|n| row(&n.to_string(), vec![wit::Value::Null], vec![])).collect();
        assert!(page(&mut Lift::new(&limits, "x"), answer(rows(), &[]), &request(3)).is_ok());
        let Err(Refused::Limit(limit)) =
            page(&mut Lift::new(&limits, "x"), answer(rows(), &["gone"]), &request(3))
        else {
            panic!()
        };
        assert_eq!((limit.name, limit.value, limit.asked), ("page-rows", 3, Some(4)));
    }
}
