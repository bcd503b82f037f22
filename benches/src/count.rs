//! Input for the judge: fields with every kind of evidence.

use entente_core::{
    Claim, Current, Evidence, FieldRules, FieldTime, Mode, Sides, Timestamp, Value, Winner, judge, settle,
};
use std::hint::black_box;

/// Two claims on a field.
#[derive(Debug)]
pub struct Judging {
    mode: Mode,
    values: [Value; 2],
    evidence: [Evidence; 2],
}

/// As many pairs of claims as there are kinds of evidence in Mautic's modes, each with texts, numbers and equal values.
pub fn contents_of_judging() -> Vec<Judging> {
    let time = |at: Option<i64>| at.map(|at| Timestamp::from_micros(at * 1_000_000));
    let times = [None, Some(1), Some(2)];
    let values = [
        [Value::text("Ada Lovelace"), Value::text("Ada King")],
        [Value::text("ada@example.org"), Value::text("ada@example.org")],
        [Value::Integer(7), Value::Integer(8)],
        [Value::Null, Value::text("+49 30 1234567")],
    ];
    let mut all = Vec::new();
    for mode in Mode::MAUTIC {
        for [left, right] in &values {
            for certain in times {
                for possible in times {
                    all.push(Judging {
                        mode,
                        values: [left.clone(), right.clone()],
                        evidence: [
                            Evidence { certain: time(certain), possible: time(possible), after: None },
                            Evidence { certain: time(possible), possible: time(Some(1)), after: None },
                        ],
                    });
                }
            }
        }
    }
    all
}

/// Judges all of them once. Says how many the left side won, so that none is left out.
pub fn verdicts(all: &[Judging]) -> usize {
    let left_wins = |judging: &&Judging| {
        let Judging { mode, values: [left, right], evidence } = black_box(*judging);
        let verdict = judge(
            *mode,
            &Claim { value: left, evidence: &evidence[0] },
            &Claim { value: right, evidence: &evidence[1] },
        );
        black_box(verdict).winner == Winner::Left
    };
    all.iter().filter(left_wins).count()
}

/// Settles the eight fields of a record of which the right side has changed one: the step that a reconcile
/// takes for each pair.
pub(crate) fn settle_record(rules: &FieldRules<'_>, values: &[Value; 8], changed: &Value, at: Timestamp) {
    let time = Some(FieldTime::by(at));
    for (slot, value) in values.iter().enumerate() {
        let right = if slot == 6 { changed } else { value };
        let current = |value| Some(Current { value, link: None, time });
        black_box(settle(rules, Some(Sides::new(Some(value), Some(value))), current(value), current(right)));
    }
}
