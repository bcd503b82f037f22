//! Remedies of single records: what the operator can do about one that failed or is held.

use crate::tenant::RecordName;
use entente_sync::{Reason, RecordRef, Remedy, Side, Sides, Status};

/// What can be done about a pair of a sync that stands like this. `records`: its records, left first.
pub(super) fn of_pair(
    sync: &str,
    exchanges: &Sides<String>,
    status: Status,
    reason: Option<&Reason>,
    records: &[RecordName],
) -> Vec<Remedy> {
    let sync = || sync.to_owned();
    // A record that is held by one of the other side, whose own counterpart may be gone, may be what stays.
    let link_with = |rival: &RecordRef| {
        let [record] = records else { return None };
        let exchange = &exchanges[rival.side];
        (record.exchange != *exchange).then(|| {
            let other =
                RecordName { exchange: exchange.clone(), object: rival.object.clone(), id: rival.id.clone() };
            Remedy::LinkWith { sync: sync(), record: record.to_data(), other: other.to_data() }
        })
    };
    let retry = || -> Vec<Remedy> {
        let record =
            records.first().map(|record| Remedy::RetryRecord { sync: sync(), record: record.to_data() });
        record.into_iter().collect()
    };
    let record = || records.first().map(RecordName::to_data);
    let link = || record().map(|record| Remedy::LinkRecord { sync: sync(), record });
    let anew = || record().map(|record| Remedy::LinkAnew { sync: sync(), record });
    let change = || record().map(|record| Remedy::ChangeRecord { record });
    // What is left of a merge is of the side that has not merged.
    let delete = |side: Option<Side>| {
        let of_side = match side {
            Some(Side::Right) => records.first(),
            Some(Side::Left) => records.last(),
            None => records.first(),
        };
        of_side.map(|record| Remedy::DeleteRecord { record: record.to_data() })
    };
    match (status, reason) {
        // Nothing changes until the record or the mapping is another one.
        (Status::Failed | Status::Held, Some(Reason::Required { .. })) => {
            change().into_iter().chain([Remedy::Export, Remedy::Apply]).collect()
        }
        (Status::Failed | Status::Held, Some(Reason::DuplicateOf { record, .. })) => {
            let with = record.as_ref().and_then(link_with);
            let own = records.first().map(RecordName::to_data);
            let leave_out = own.map(|record| Remedy::LeaveOut { sync: sync(), record });
            with.into_iter().chain(change()).chain(leave_out).chain(delete(None)).collect()
        }
        (Status::Held, Some(Reason::Merged { into, .. })) => delete(Some(into.side)).into_iter().collect(),
        (Status::Failed, _) => retry(),
        (Status::Held, Some(Reason::Brake { .. })) => vec![Remedy::LiftBrake { sync: sync() }],
        (Status::Held, Some(Reason::OtherIdentifiers { .. })) => {
            vec![Remedy::ReadAll { sync: sync() }, Remedy::LiftIdentifiers { sync: sync() }]
        }
        (
            Status::Held,
            Some(Reason::AbsenceNotProven { .. } | Reason::NotCheckable { .. } | Reason::NotReadYet { .. }),
        ) => vec![Remedy::ReadAll { sync: sync() }],
        (Status::Held, Some(Reason::Schema { .. })) => vec![Remedy::Export, Remedy::Apply],
        (Status::Held, Some(Reason::FateUnknown { .. })) => {
            std::iter::once(Remedy::ReadAll { sync: sync() }).chain(link()).chain(anew()).collect()
        }
        (Status::Excluded, Some(Reason::LeftOut { .. })) => {
            record().map(|record| Remedy::TakeIn { sync: sync(), record }).into_iter().collect()
        }
        (Status::Excluded, Some(Reason::LinkRemoved { .. })) => link().into_iter().chain(anew()).collect(),
        (Status::Held, Some(Reason::Ambiguous { .. })) => link().into_iter().chain(retry()).collect(),
        // Decided anew: the policy may be another one.
        (Status::Held, Some(Reason::DeletedAndEdited { .. })) => retry(),
        // The record that it waits for is held.
        (Status::Todo, Some(Reason::MayBe { .. })) => vec![Remedy::ShowWaiting { sync: sync() }],
        (Status::Todo, Some(_)) => vec![Remedy::Sync { sync: Some(sync()) }],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_core::Why;
    use entente_sync::Braked;

    #[test]
    fn a_record_that_waits_says_what_helps() {
        let record: RecordName = "contact:12".parse().unwrap();
        let exchanges = || Sides::new("hub".to_owned(), "shop".to_owned());
        let of = |status, reason: Option<&Reason>| {
            of_pair("shop", &exchanges(), status, reason, std::slice::from_ref(&record))
        };
        let sync = || "shop".to_owned();
        let retry = vec![Remedy::RetryRecord { sync: sync(), record: "contact:12".to_owned() }];
        assert_eq!(of(Status::Failed, None), retry);
        let object = || "person".to_owned();
        let unknown = Reason::FateUnknown { side: Side::Right, object: object() };
        let read_all = Remedy::ReadAll { sync: sync() };
        let text = || "contact:12".to_owned();
        let link = || Remedy::LinkRecord { sync: sync(), record: text() };
        let anew = Remedy::LinkAnew { sync: sync(), record: text() };
        assert_eq!(of(Status::Held, Some(&unknown)), [read_all, link(), anew]);
        let several = Reason::Ambiguous { records: vec![] };
        assert_eq!(of(Status::Held, Some(&several)), [vec![link()], retry.clone()].concat());
        let may_be = Reason::MayBe { record: None };
        assert_eq!(of(Status::Todo, Some(&may_be)), [Remedy::ShowWaiting { sync: sync() }]);
        let unread = Reason::NotReadYet { side: Side::Right, object: object() };
        assert_eq!(of(Status::Held, Some(&unread)), [Remedy::ReadAll { sync: sync() }]);
        let brake = Reason::Brake {
            which: Braked::Deletes,
            side: Side::Right,
            object: object(),
            records: 12,
            linked: 60,
            percent: 5,
            least: 10,
        };
        assert_eq!(of(Status::Held, Some(&brake)), [Remedy::LiftBrake { sync: sync() }]);
        let duplicate = Reason::DuplicateOf { record: None, preferred: false, became: None };
        let change = || Remedy::ChangeRecord { record: text() };
        let delete = || Remedy::DeleteRecord { record: text() };
        let out = || Remedy::LeaveOut { sync: sync(), record: text() };
        assert_eq!(
            of(Status::Held, Some(&duplicate)),
            [change(), out(), delete()],
            "tried again, it stays one"
        );
        let rival = |side, object: &str, id: &str| Reason::DuplicateOf {
            record: Some(RecordRef::new(side, object, id)),
            preferred: false,
            became: None,
        };
        assert_eq!(
            of(Status::Held, Some(&rival(Side::Left, "contact", "7"))),
            [change(), out(), delete()],
            "a twin"
        );
        let other = "shop/person:7".to_owned();
        let with = Remedy::LinkWith { sync: sync(), record: text(), other };
        assert_eq!(
            of(Status::Held, Some(&rival(Side::Right, "person", "7"))),
            [with, change(), out(), delete()]
        );
        let field = "mail".to_owned();
        let required = Reason::Required { side: Side::Right, object: object(), field, why: Why::Same };
        assert_eq!(of(Status::Held, Some(&required)), [change(), Remedy::Export, Remedy::Apply]);
        let into = RecordRef::new(Side::Right, "person", "8");
        let merged = Reason::Merged { from: None, into };
        let loser: RecordName = "shop/person:7".parse().unwrap();
        assert_eq!(
            of_pair("shop", &exchanges(), Status::Held, Some(&merged), &[record.clone(), loser]),
            [delete()]
        );
        assert_eq!(of(Status::Held, Some(&merged)), [delete()]);
        let deleted = RecordRef::new(Side::Left, "contact", "12");
        let edited = RecordRef::new(Side::Right, "person", "7");
        let both = Reason::DeletedAndEdited { deleted, edited };
        assert_eq!(of(Status::Held, Some(&both)), retry, "the policy may be another one");
        assert_eq!(of(Status::Ok, None), []);
    }
}
