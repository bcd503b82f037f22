//! Answers to orders, to tickets and to look-ups.

use super::{is_clean, is_possible, limits};
use arbitrary::{Result, Unstructured};
use entente_cli::fuzzing::plugin::{answers, collection, found};
use entente_core::{Timestamp, Value};
use entente_sync::{Action, Answer, Order, OrderedChange, Outcome, Query, TicketState, Written};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn order(changes: usize) -> Order {
    let change = |n: usize| OrderedChange {
        id: format!("c{n}"),
        action: Action::Create,
        values: vec![],
        base: vec![],
        times: vec![],
        version: None,
        source: None,
    };
    Order {
        object: "thing".to_owned(),
        fields: vec!["name".to_owned(), "score".to_owned()],
        changes: (0..changes).map(change).collect(),
        first_time: false,
        options: vec![],
        sync: String::new(),
        run: 1,
        at: Timestamp::from_micros(0),
    }
}

fn check_id(id: &str) {
    assert!(!id.is_empty() && id.len() as u64 <= limits().id_bytes);
}

fn check_values(values: &[Option<Value>], order: &Order) {
    assert!(values.len() == order.fields.len() && values.iter().all(is_possible));
}

fn check_written(written: &Written, order: &Order) {
    check_id(&written.id);
    if !written.values.is_empty() {
        check_values(&written.values, order);
    }
    for refused in &written.refused {
        assert!(
            order.fields.contains(&refused.field) && is_clean(&refused.code) && is_clean(&refused.reason)
        );
    }
}

fn check(answer: &Answer, order: &Order) {
    let limits = limits();
    let is_ordered = order.changes.iter().any(|change| change.id == answer.change);
    assert!(is_ordered, "nobody asked for {}", answer.change);
    match &answer.outcome {
        Outcome::Created(written) | Outcome::Updated(written) | Outcome::Unchanged(written) => {
            check_written(written, order)
        }
        Outcome::Converted(reference) => {
            check_id(&reference.id);
            assert!(is_clean(&reference.object) && !reference.object.is_empty());
        }
        Outcome::Stale(row) => {
            check_id(&row.id);
            check_values(&row.values, order);
        }
        Outcome::Retry { after, reason } => {
            assert!(after.is_none_or(|after| after <= DAY));
            assert!(is_clean(reason) && reason.len() as u64 <= limits.reason_bytes + 3);
        }
        Outcome::Failed { code, reason, fields } => {
            assert!(is_clean(code) && code.len() <= 103);
            // The host may put some words of its own before it.
            assert!(is_clean(reason) && reason.len() as u64 <= limits.reason_bytes + 200);
            assert!(fields.iter().all(|field| order.fields.contains(field)));
        }
        Outcome::Deferred(ticket) => assert!(!ticket.is_empty() && ticket.len() as u64 <= limits.token_bytes),
        _ => {}
    }
}

fn look(u: &mut Unstructured<'_>) -> Result<()> {
    let limits = limits();
    let order = order(u.int_in_range(0..=4)?);
    match u.int_in_range(0..=2)? {
        0 => {
            let Ok(answers) = answers(u, &limits, &order)? else { return Ok(()) };
            assert!(answers.len() <= order.changes.len() * 2);
            answers.iter().for_each(|answer| check(answer, &order));
        }
        1 => {
            let Ok(collection) = collection(u, &limits, &order)? else { return Ok(()) };
            collection.answers.iter().for_each(|answer| check(answer, &order));
            assert!(!matches!(collection.state, TicketState::Pending(Some(after)) if after > DAY));
        }
        _ => {
            let keys = vec![vec![Some(Value::text("x"))]; u.int_in_range(0..=4)?];
            let query =
                Query { object: "thing".to_owned(), fields: vec!["name".to_owned()], keys, all: true };
            let Ok(found) = found(u, &limits, &query)? else { return Ok(()) };
            assert_eq!(found.len(), query.keys.len());
            found.iter().flatten().for_each(|id| check_id(id));
        }
    }
    Ok(())
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let _ = look(&mut Unstructured::new(bytes));
}
