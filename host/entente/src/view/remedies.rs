//! Remedies of single records: what the operator can do about one that failed or is held.

use crate::config::HUB;
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
    // A twin of the hub: two records of one person.
    let merge = |twin: &RecordRef| {
        let record =
            records.first().filter(|record| record.exchange == HUB && exchanges[twin.side] == HUB)?;
        let into = RecordName { id: twin.id.clone(), ..record.clone() };
        let same = record.object == twin.object && record.id != twin.id;
        same.then(|| Remedy::MergeRecord { record: record.to_data(), into: into.to_data() })
    };
    let retry = || -> Vec<Remedy> {
        let record =
            records.first().map(|record| Remedy::RetryRecord { sync: sync(), record: record.to_data() });
        record.into_iter().collect()
    };
    let record = || records.first().map(RecordName::to_data);
    let link = || record().map(|record| Remedy::LinkRecord { sync: sync(), record });
    let leave_out = || record().map(|record| Remedy::LeaveOut { sync: sync(), record });
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
    let restore = |side: Side, id: Option<&String>, object: &str| {
        let record = RecordName { exchange: HUB.to_owned(), object: object.to_owned(), id: id?.clone() };
        (exchanges[side] == HUB).then(|| Remedy::RestoreRecord { record: record.to_data() })
    };
    // What is left where the record of this side was deleted.
    let survivor = |side: Side| {
        records.iter().find(|record| record.exchange == exchanges[side.other()]).map(RecordName::to_data)
    };
    let delete_too = |side: Side| survivor(side).map(|record| Remedy::DeleteFirst { record });
    let make_again = |side: Side| survivor(side).map(|record| Remedy::LinkAnew { sync: sync(), record });
    match (status, reason) {
        // Nothing changes until the record or the mapping is another one.
        (Status::Failed | Status::Held, Some(Reason::Required { .. })) => {
            change().into_iter().chain([Remedy::Export, Remedy::Apply]).collect()
        }
        (Status::Failed | Status::Held, Some(Reason::DuplicateOf { record, .. })) => {
            let with = record.as_ref().and_then(link_with);
            let merge = record.as_ref().and_then(merge);
            with.into_iter().chain(merge).chain(change()).chain(leave_out()).chain(delete(None)).collect()
        }
        (Status::Held, Some(Reason::Merged { into, .. })) => delete(Some(into.side)).into_iter().collect(),
        (Status::Failed, Some(Reason::Refused { .. })) => change().into_iter().chain(retry()).collect(),
        (Status::Failed, _) => retry(),
        (Status::Held, Some(Reason::Brake { .. })) => vec![Remedy::LiftBrake { sync: sync() }],
        (Status::Held, Some(Reason::OtherIdentifiers { .. })) => {
            let unlink = match records {
                [record, other] => Some(Remedy::RemoveLink {
                    sync: sync(),
                    record: record.to_data(),
                    other: other.to_data(),
                }),
                _ => None,
            };
            let lift = Remedy::LiftIdentifiers { sync: sync() };
            [lift].into_iter().chain(unlink).collect()
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
        (Status::Excluded, Some(Reason::Undone)) => anew().into_iter().collect(),
        (Status::Excluded, Some(Reason::LinkRemoved { .. })) => link().into_iter().chain(anew()).collect(),
        (Status::Held, Some(Reason::Ambiguous { .. })) => link().into_iter().chain(retry()).collect(),
        // Nothing of the mapping is for what the record has become.
        (Status::Held, Some(Reason::Converted { .. })) => {
            [Remedy::Export, Remedy::Apply].into_iter().chain(leave_out()).collect()
        }
        (Status::Held, Some(Reason::DeletedAndEdited { deleted, .. })) => {
            let side = deleted.side;
            let back = restore(side, Some(&deleted.id), &deleted.object).or_else(|| make_again(side));
            back.into_iter().chain(delete_too(side)).collect()
        }
        (
            Status::Deleted,
            Some(
                Reason::DeletedIgnored { record: deleted } | Reason::CannotBeDeleted { record: deleted, .. },
            ),
        ) => {
            let side = deleted.side;
            let back = restore(side, Some(&deleted.id), &deleted.object).or_else(|| make_again(side));
            back.into_iter().chain(delete_too(side)).collect()
        }
        (Status::Excluded, Some(Reason::Unlinked { side, object, id })) => {
            let back = restore(*side, id.as_ref(), object);
            let link = survivor(*side).map(|record| Remedy::LinkRecord { sync: sync(), record });
            back.into_iter().chain(make_again(*side)).chain(link).chain(delete_too(*side)).collect()
        }
        // The record that it refers to is held.
        (Status::Todo, Some(Reason::WaitsFor { .. })) => vec![Remedy::ShowWaiting { sync: sync() }],
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
        assert_eq!(of(Status::Held, Some(&unknown)), [read_all, link(), anew.clone()]);
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
        let merge = Remedy::MergeRecord { record: text(), into: "contact:7".to_owned() };
        assert_eq!(
            of(Status::Held, Some(&rival(Side::Left, "contact", "7"))),
            [merge, change(), out(), delete()],
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
        let both = Reason::DeletedAndEdited { deleted: deleted.clone(), edited };
        let restore = Remedy::RestoreRecord { record: text() };
        let left: RecordName = "shop/person:7".parse().unwrap();
        let survivor = |status, reason: &Reason| {
            of_pair("shop", &exchanges(), status, Some(reason), &[record.clone(), left.clone()])
        };
        let too = Remedy::DeleteFirst { record: left.to_data() };
        let in_hub = [restore.clone(), too.clone()];
        assert_eq!(survivor(Status::Held, &both), in_hub);
        let ignored = |record: &RecordRef| Reason::DeletedIgnored { record: record.clone() };
        assert_eq!(survivor(Status::Deleted, &ignored(&deleted)), in_hub, "deleted in the hub");
        let there = RecordRef::new(Side::Right, "person", "7");
        let own = [anew.clone(), Remedy::DeleteFirst { record: text() }];
        assert_eq!(survivor(Status::Deleted, &ignored(&there)), own, "deleted in the other system");
        let again = Remedy::LinkAnew { sync: sync(), record: left.to_data() };
        let unlinked =
            Reason::Unlinked { side: Side::Left, object: "contact".to_owned(), id: Some("12".to_owned()) };
        let to = Remedy::LinkRecord { sync: sync(), record: left.to_data() };
        assert_eq!(survivor(Status::Excluded, &unlinked), [restore, again, to, too]);
        let waits = Reason::WaitsFor { record: None };
        assert_eq!(of(Status::Todo, Some(&waits)), [Remedy::ShowWaiting { sync: sync() }]);
        assert_eq!(of(Status::Ok, None), []);
    }
}
