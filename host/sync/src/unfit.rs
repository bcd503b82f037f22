//! Unfit rows: sorts out what cannot be stored or matched: ids that are too long or have a NUL, identifiers with
//! characters that no key has. Each becomes a failed record. Pure: no I/O.

use super::definition::ObjectMapping;
use super::limits;
use super::report::{BadRow, Batch, Page, Row};
use entente_core::{Side, Value, is_unfit_for_key};

/// Whether an id cannot be stored: too long, or with a NUL, at which other programs end a text.
pub(super) fn is_unfit_id(id: &str) -> bool {
    id.len() > limits::ID_BYTES || id.bytes().any(|byte| byte == 0)
}

/// What is wrong with an id.
fn why(id: &str) -> String {
    const SHOWN: usize = 60;
    let begin: String = id.chars().take(SHOWN).collect();
    let begin = begin.escape_debug();
    if id.len() > limits::ID_BYTES {
        format!(
            "its id has {} bytes, at most {} are allowed; it begins with '{begin}'",
            id.len(),
            limits::ID_BYTES
        )
    } else {
        format!("its id '{begin}' has the character NUL, which no id may have")
    }
}

/// The identifier field of a row whose value cannot be a key.
fn unfit_field<'b>(mapping: &ObjectMapping, side: Side, fields: &'b [String], row: &Row) -> Option<&'b str> {
    let names = mapping.identifiers.iter().filter_map(|slot| Some(mapping.field(*slot)?.name(side)));
    let mut columns = names.filter_map(|name| fields.iter().position(|field| field == name));
    let unfit = |column: &usize| {
        let value = row.values.get(*column).and_then(Option::as_ref);
        matches!(value, Some(Value::Text(text) | Value::Other { text, .. }) if is_unfit_for_key(text))
    };
    columns.find(unfit).map(|column| fields[column].as_str())
}

/// Moves unfit rows and deletions of a page to its bad rows, and drops unfit conversions.
pub(super) fn sort_out(mappings: &[ObjectMapping], side: Side, page: &mut Page) {
    for batch in &mut page.batches {
        let Batch { object, fields, rows, bad, deleted } = batch;
        let of_object = || mappings.iter().filter(|mapping| mapping.object(side) == object);
        rows.retain(|row| {
            if is_unfit_id(&row.id) {
                bad.push(BadRow { id: None, reason: why(&row.id) });
                return false;
            }
            let Some(field) = of_object().find_map(|mapping| unfit_field(mapping, side, fields, row)) else {
                return true;
            };
            let reason =
                format!("its field '{field}' has the character NUL or U+001F, which no identifier may have");
            bad.push(BadRow { id: Some(row.id.clone()), reason });
            false
        });
        deleted.retain(|deletion| {
            let unfit = is_unfit_id(&deletion.id);
            if unfit {
                bad.push(BadRow { id: None, reason: why(&deletion.id) });
            }
            !unfit
        });
    }
    for conversion in page
        .conversions
        .extract_if(.., |conversion| is_unfit_id(&conversion.before.id) || is_unfit_id(&conversion.after.id))
    {
        let of = if is_unfit_id(&conversion.after.id) { conversion.after } else { conversion.before };
        let bad = vec![BadRow { id: None, reason: why(&of.id) }];
        page.batches.push(Batch { object: of.object, bad, ..Batch::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversion, Deletion, FieldMapping, Slot};
    use entente_core::{Reference, Sides};

    #[test]
    fn v5_unfit_ids_and_identifiers_become_bad_rows_that_name_record_and_field() {
        let field = |name: &str, slot| FieldMapping {
            slot,
            names: Sides::by(|_| name.to_owned()),
            kinds: Sides::by(|_| "text".into()),
            ..FieldMapping::default()
        };
        let mapping = ObjectMapping {
            objects: Sides::by(|_| "person".to_owned()),
            fields: vec![field("mail", Slot(0)), field("note", Slot(1))],
            identifiers: vec![Slot(0)],
            ..ObjectMapping::default()
        };
        let long = "x".repeat(limits::ID_BYTES + 1);
        let row = |id: &str, mail: &str| Row {
            id: id.to_owned(),
            values: vec![Some(Value::text("a\0b")), Some(Value::text(mail))],
            ..Row::default()
        };
        let reference = |id: &str| Reference { object: "person".to_owned(), id: id.to_owned() };
        let mut page = Page {
            batches: vec![Batch {
                object: "person".to_owned(),
                fields: vec!["note".to_owned(), "mail".to_owned()],
                rows: vec![
                    row("1", "a"),
                    row("2", "a\0"),
                    row("3", "\u{1f}"),
                    row("4\0", "a"),
                    row(&long, "a"),
                ],
                deleted: ["5", "6\0"].map(|id| Deletion { id: id.to_owned(), deleted: None }).to_vec(),
                ..Batch::default()
            }],
            conversions: vec![
                Conversion { before: reference("7"), after: reference("8"), at: None },
                Conversion { before: reference("7"), after: reference("9\0"), at: None },
            ],
            ..Page::default()
        };
        sort_out(&[mapping], Side::Right, &mut page);
        let batch = &page.batches[0];
        assert_eq!(batch.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["1"]);
        assert_eq!((batch.deleted.len(), page.conversions.len()), (1, 1));
        let bad: Vec<(Option<&str>, &str)> = page
            .batches
            .iter()
            .flat_map(|batch| &batch.bad)
            .map(|bad| (bad.id.as_deref(), bad.reason.get(..36).unwrap_or(&bad.reason)))
            .collect();
        assert_eq!(
            bad,
            [
                (Some("2"), "its field 'mail' has the character N"),
                (Some("3"), "its field 'mail' has the character N"),
                (None, "its id '4\\0' has the character NUL, "),
                (None, "its id has 2049 bytes, at most 2048 "),
                (None, "its id '6\\0' has the character NUL, "),
                (None, "its id '9\\0' has the character NUL, "),
            ]
        );
    }
}
