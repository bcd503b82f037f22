//! Remedies of single records: what the operator can do about one that failed or is held.

use crate::tenant::RecordName;
use entente_sync::{Reason, Remedy, Status};

/// What can be done about a pair of a sync that stands like this. `records`: its records, left first.
pub(super) fn of_pair(
    sync: &str,
    status: Status,
    reason: Option<&Reason>,
    records: &[RecordName],
) -> Vec<Remedy> {
    let sync = || sync.to_owned();
    let retry = || -> Vec<Remedy> {
        let record =
            records.first().map(|record| Remedy::RetryRecord { sync: sync(), record: record.to_string() });
        record.into_iter().collect()
    };
    let record = || records.first().map(RecordName::to_string);
    let link = || record().map(|record| Remedy::LinkRecord { sync: sync(), record });
    let anew = || record().map(|record| Remedy::LinkAnew { sync: sync(), record });
    match (status, reason) {
        (Status::Failed, _) => retry(),
        (Status::Held, Some(Reason::Brake { .. })) => vec![Remedy::LiftBrake { sync: sync() }],
        (Status::Held, Some(Reason::OtherIdentifiers { .. })) => {
            vec![Remedy::ReadAll { sync: sync() }, Remedy::LiftIdentifiers { sync: sync() }]
        }
        (
            Status::Held,
            Some(Reason::AbsenceNotProven { .. } | Reason::NotCheckable { .. } | Reason::NotReadYet { .. }),
        ) => vec![Remedy::ReadAll { sync: sync() }],
        (Status::Held, Some(Reason::Schema { .. })) => vec![Remedy::Apply],
        (Status::Held, Some(Reason::FateUnknown { .. })) => {
            std::iter::once(Remedy::ReadAll { sync: sync() }).chain(link()).chain(anew()).collect()
        }
        (Status::Held, Some(Reason::Ambiguous { .. })) => link().into_iter().chain(retry()).collect(),
        // Matched, or decided, anew: what it collided with may be gone or the policy another one.
        (
            Status::Held,
            Some(Reason::Required { .. } | Reason::DuplicateOf { .. } | Reason::DeletedAndEdited { .. }),
        ) => retry(),
        // The record that it waits for is held.
        (Status::Todo, Some(Reason::MayBe { .. })) => vec![Remedy::ShowWaiting { sync: sync() }],
        (Status::Todo, Some(_)) => vec![Remedy::Sync { sync: Some(sync()) }],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_sync::{Braked, RecordRef, Side};

    #[test]
    fn a_record_that_waits_says_what_helps() {
        let record: RecordName = "contact:12".parse().unwrap();
        let of =
            |status, reason: Option<&Reason>| of_pair("shop", status, reason, std::slice::from_ref(&record));
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
        assert_eq!(of(Status::Held, Some(&duplicate)), retry, "it is matched anew");
        let deleted = RecordRef::new(Side::Left, "contact", "12");
        let edited = RecordRef::new(Side::Right, "person", "7");
        let both = Reason::DeletedAndEdited { deleted, edited };
        assert_eq!(of(Status::Held, Some(&both)), retry, "the policy may be another one");
        assert_eq!(of(Status::Ok, None), []);
    }
}
