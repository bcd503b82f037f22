//! Reasons: round trips of every code with its data.

use super::*;
use crate::ledger::codec::{decode_reason, reason_columns, reason_data};
use entente_core::{Basis, Why};

/// One reason of every code, with all the data that it may have.
fn every() -> Vec<Reason> {
    let (side, object, run) = (Side::Right, "person".to_owned(), 7);
    let record = |id: &str| RecordRef::new(Side::Left, "contact", id);
    let why = Why::Judged(Side::Left, Basis::LaterCertain);
    let said = RemoteSaid::new("duplicate-of", "\"}{\u{0}");
    let difference = Box::new(Difference::Base { slot: Slot(3), planned: None, now: Some(Value::Null) });
    let (records, linked, percent, least) = (12, 60, 5, 10);
    let which = Braked::Blankings;
    vec![
        Reason::DuplicateOf { record: Some(record("1")), preferred: true, became: Some(record("2")) },
        Reason::Ambiguous { records: vec![record("1"), record("2")], unread: true },
        Reason::AbsenceNotProven {
            record: record("1"),
            object: object.clone(),
            identifiers: vec!["email".to_owned()],
            without: true,
        },
        Reason::NotCheckable { side, object: object.clone() },
        Reason::NotReadYet { side, object: object.clone() },
        Reason::Required { side, object: object.clone(), field: "full".to_owned(), why },
        Reason::Converted { from: None, into: record("1") },
        Reason::Merged { from: Some(record("1")), into: record("2") },
        Reason::FateUnknown { side, object: object.clone() },
        Reason::MayBe { record: Some(record("1")) },
        Reason::Brake { which, side, object: object.clone(), records, linked, percent, least },
        Reason::OtherIdentifiers { record: record("1") },
        Reason::DeletedAndEdited { deleted: record("1"), edited: record("2") },
        Reason::Schema { side, object: object.clone() },
        Reason::OutsideFilter { side },
        Reason::LeftOut { side },
        Reason::WouldBeOutsideFilter { side },
        Reason::NothingFlows { side },
        Reason::NoRecord,
        Reason::NotCreatedThere { side },
        Reason::DeletedEverywhere,
        Reason::DeletedOnBothSides,
        Reason::DeletedIgnored { record: record("1") },
        Reason::Unlinked { side, object: object.clone(), id: None },
        Reason::CannotBeDeleted { record: record("1"), object: object.clone() },
        Reason::LinkRemoved { record: record("1") },
        Reason::Undone,
        Reason::MadeAgain,
        Reason::WithheldPull,
        Reason::WithheldPush,
        Reason::PlannedCreate,
        Reason::PlannedUpdate,
        Reason::PlannedDelete,
        Reason::OrderFailed { side, said: said.clone() },
        Reason::Refused { side, said: said.clone(), fields: vec!["tel".to_owned()] },
        Reason::InvalidAnswer { side, how: InvalidAnswer::NoId },
        Reason::RetryLater { said: Some((side, said.clone())) },
        Reason::WaitsFor { record: None },
        Reason::ParentGone { record: record("1") },
        Reason::Stale,
        Reason::BecameAnother,
        Reason::RecordGone,
        Reason::PairGone,
        Reason::PairJoined,
        Reason::Overtaken,
        Reason::Deferred,
        Reason::Unanswered,
        Reason::FoundOut,
        Reason::Unchecked { side, object: object.clone() },
        Reason::DecidedAgain,
        Reason::ExecutedBy { run },
        Reason::NotExecutedBy { run, difference: difference.clone() },
        Reason::NotInPlan { run },
        Reason::DiffersFromPlan { run, difference },
        Reason::NotUndone(Kept::Gone),
        Reason::ReferredTo { by: record("1") },
        Reason::DeletesNotAgreed,
        Reason::Conflict { field: "name".to_owned(), why },
        Reason::Unreadable { side, object, id: Some("1".to_owned()), said },
        Reason::NotThere { record: record("1") },
        Reason::Earlier { text: "as it was".to_owned() },
    ]
}

#[test]
fn every_reason_comes_back_from_its_two_columns() {
    let every = every();
    let codes: Vec<Code> = every.iter().map(Reason::code).collect();
    assert_eq!(codes, Code::ALL, "one of each");
    for reason in every {
        let (code, data) = reason_columns(Some(&reason)).unwrap();
        let code = code.unwrap();
        assert_eq!(serde_json::to_string(&reason.code()).unwrap(), format!("\"{code}\""));
        assert!(data.as_ref().is_none_or(|data| !data.contains(&format!("\"{code}\":"))), "{data:?}");
        let back: Option<Reason> = decode_reason(Some(code), data.as_deref()).unwrap();
        assert_eq!(back, Some(reason), "{data:?}");
    }
    assert_eq!(reason_columns(None).unwrap(), (None, None));
    assert!(decode_reason::<Reason>(Some("none of ours"), None).is_err());
}

#[test]
fn the_reasons_of_fields_come_back_too() {
    let (both, basis) = (Side::BOTH, Basis::NoEvidence);
    let mut every = vec![
        FieldReason::Default,
        FieldReason::Ruled,
        FieldReason::Deleted { record: RecordRef::new(Side::Left, "contact", "1") },
        FieldReason::UndoOf { run: 3 },
        FieldReason::NotUndone(Kept::Edited { now: None }),
        FieldReason::ByWayOfBlank,
        FieldReason::Normalised { side: Side::Right },
        FieldReason::ParentGone { record: RecordRef::new(Side::Left, "company", "1") },
        FieldReason::Relinked { record: RecordRef::new(Side::Right, "org", "1") },
        FieldReason::Earlier { text: "as it was".to_owned() },
    ];
    let plain = [Why::NotDelivered, Why::Same, Why::AsAgreed, Why::Merged, Why::NeverWritten, Why::NewRecord];
    every.extend(plain.map(FieldReason::Judge));
    every.push(Why::Undecided(basis).into());
    for side in both {
        let of_side = [
            Why::Trusted(side),
            Why::Source(side),
            Why::DriftKept(side),
            Why::DriftRestored(side),
            Why::ValueBeatsBlank(side),
            Why::OnlyChange(side),
            Why::Judged(side, basis),
            Why::Policy(side, basis),
            Why::NotThisWay(side),
            Why::NotWritable(side),
            Why::CreateOnly(side),
            Why::ReportedOnly(side),
            Why::NotEmpty(side),
            Why::BlankKept(side),
            Why::BlankFilled(side),
            Why::RequiredBlank(side),
            Why::NoSuchWord(side),
        ];
        every.extend(of_side.map(FieldReason::Judge));
    }
    for reason in every {
        let data = reason_data(reason.code(), &reason).unwrap();
        let back: Option<FieldReason> = decode_reason(Some(reason.code()), data.as_deref()).unwrap();
        assert_eq!(back, Some(reason), "{data:?}");
    }
}
