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
    let pair = OfPair { sync, exchanges, records };
    let Some(reason) = reason else {
        return pair.retry().filter(|_| status == Status::Failed).into_iter().collect();
    };
    match status {
        Status::Failed => pair.failed(reason),
        Status::Held => pair.held(reason),
        Status::Excluded | Status::Deleted => pair.left(status, reason),
        // The record that it waits for, or refers to, is held.
        Status::Todo if matches!(reason, Reason::MayBe { .. } | Reason::WaitsFor { .. }) => {
            vec![Remedy::ShowWaiting { sync: sync.to_owned() }]
        }
        Status::Todo => vec![Remedy::Sync { sync: Some(sync.to_owned()) }],
        Status::Live | Status::Ok => Vec::new(),
    }
}

/// A pair that something can be done about.
struct OfPair<'p> {
    sync: &'p str,
    exchanges: &'p Sides<String>,
    records: &'p [RecordName],
}

impl OfPair<'_> {
    /// Of one that failed.
    fn failed(&self, reason: &Reason) -> Vec<Remedy> {
        match reason {
            Reason::Required { .. } | Reason::DuplicateOf { .. } => self.held(reason),
            Reason::Refused { .. } => self.change().into_iter().chain(self.retry()).collect(),
            _ => self.retry().into_iter().collect(),
        }
    }

    /// Of one that is held.
    fn held(&self, reason: &Reason) -> Vec<Remedy> {
        let read_all = || Remedy::ReadAll { sync: self.sync() };
        match reason {
            // Nothing changes until the record or the mapping is another one.
            Reason::Required { .. } => {
                self.change().into_iter().chain([Remedy::Export, Remedy::Apply]).collect()
            }
            Reason::DuplicateOf { record, .. } => {
                let of_rival =
                    record.iter().flat_map(|rival| self.link_with(rival).or_else(|| self.merge(rival)));
                let delete = self.records.first().map(delete);
                of_rival.chain(self.change()).chain(self.leave_out()).chain(delete).collect()
            }
            // What is left of a merge is of the side that has not merged.
            Reason::Merged { into, .. } => {
                let left = if into.side == Side::Right { self.records.first() } else { self.records.last() };
                left.map(delete).into_iter().collect()
            }
            Reason::Brake { .. } => vec![Remedy::LiftBrake { sync: self.sync() }],
            Reason::OtherIdentifiers { .. } => {
                let lift = Remedy::LiftIdentifiers { sync: self.sync() };
                [lift].into_iter().chain(self.remove_link()).collect()
            }
            Reason::AbsenceNotProven { .. } | Reason::NotCheckable { .. } | Reason::NotReadYet { .. } => {
                vec![read_all()]
            }
            Reason::Schema { .. } => vec![Remedy::Export, Remedy::Apply],
            Reason::FateUnknown { .. } => {
                [read_all()].into_iter().chain(self.link()).chain(self.anew()).collect()
            }
            // What no run has read cannot be linked by hand.
            Reason::Ambiguous { unread: true, .. } => vec![read_all()],
            Reason::Ambiguous { .. } => self.link().into_iter().chain(self.leave_out()).collect(),
            // Nothing of the mapping is for what the record has become.
            Reason::Converted { .. } => {
                [Remedy::Export, Remedy::Apply].into_iter().chain(self.leave_out()).collect()
            }
            Reason::DeletedAndEdited { deleted, .. } => self.of_survivor(deleted),
            _ => Vec::new(),
        }
    }

    /// Of one that takes no part any more.
    fn left(&self, status: Status, reason: &Reason) -> Vec<Remedy> {
        match (status, reason) {
            (Status::Excluded, Reason::LeftOut { .. }) => {
                self.first().map(|record| Remedy::TakeIn { sync: self.sync(), record }).into_iter().collect()
            }
            (Status::Excluded, Reason::Undone) => self.anew().into_iter().collect(),
            (Status::Excluded, Reason::LinkRemoved { .. }) => {
                self.link().into_iter().chain(self.anew()).collect()
            }
            (
                Status::Deleted,
                Reason::DeletedIgnored { record: deleted } | Reason::CannotBeDeleted { record: deleted, .. },
            ) => self.of_survivor(deleted),
            (Status::Excluded, Reason::Unlinked { side, object, id }) => {
                let back = id.as_ref().and_then(|id| self.restore(&RecordRef::new(*side, object, id)));
                let link =
                    self.survivor(*side).map(|record| Remedy::LinkRecord { sync: self.sync(), record });
                let ways = back.into_iter().chain(self.make_again(*side)).chain(link);
                ways.chain(self.delete_too(*side)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Of what is left where this record was deleted: that one comes back, or this one goes too.
    fn of_survivor(&self, deleted: &RecordRef) -> Vec<Remedy> {
        let back = self.restore(deleted).or_else(|| self.make_again(deleted.side));
        back.into_iter().chain(self.delete_too(deleted.side)).collect()
    }

    fn sync(&self) -> String {
        self.sync.to_owned()
    }

    /// The first of its records.
    fn first(&self) -> Option<String> {
        self.records.first().map(RecordName::to_data)
    }

    fn change(&self) -> Option<Remedy> {
        self.first().map(|record| Remedy::ChangeRecord { record })
    }

    fn retry(&self) -> Option<Remedy> {
        self.first().map(|record| Remedy::RetryRecord { sync: self.sync(), record })
    }

    fn link(&self) -> Option<Remedy> {
        self.first().map(|record| Remedy::LinkRecord { sync: self.sync(), record })
    }

    fn leave_out(&self) -> Option<Remedy> {
        self.first().map(|record| Remedy::LeaveOut { sync: self.sync(), record })
    }

    fn anew(&self) -> Option<Remedy> {
        self.first().map(|record| Remedy::LinkAnew { sync: self.sync(), record })
    }

    fn remove_link(&self) -> Option<Remedy> {
        let [record, other] = self.records else { return None };
        Some(Remedy::RemoveLink { sync: self.sync(), record: record.to_data(), other: other.to_data() })
    }

    /// A record that is held by one of the other side, whose own counterpart may be gone, may be what stays.
    fn link_with(&self, rival: &RecordRef) -> Option<Remedy> {
        let [record] = self.records else { return None };
        let exchange = &self.exchanges[rival.side];
        let other =
            RecordName { exchange: exchange.clone(), object: rival.object.clone(), id: rival.id.clone() };
        (record.exchange != *exchange).then(|| Remedy::LinkWith {
            sync: self.sync(),
            record: record.to_data(),
            other: other.to_data(),
        })
    }

    /// A twin of the hub: two records of one person.
    fn merge(&self, twin: &RecordRef) -> Option<Remedy> {
        let record = self.records.first().filter(|record| record.exchange == HUB)?;
        let into = RecordName { id: twin.id.clone(), ..record.clone() };
        let same = self.exchanges[twin.side] == HUB && record.object == twin.object && record.id != twin.id;
        same.then(|| Remedy::MergeRecord { record: record.to_data(), into: into.to_data() })
    }

    /// Brings a deleted record back, where it is one of the hub.
    fn restore(&self, deleted: &RecordRef) -> Option<Remedy> {
        let (object, id) = (deleted.object.clone(), deleted.id.clone());
        let record = RecordName { exchange: HUB.to_owned(), object, id };
        (self.exchanges[deleted.side] == HUB).then(|| Remedy::RestoreRecord { record: record.to_data() })
    }

    /// What is left where the record of this side was deleted.
    fn survivor(&self, side: Side) -> Option<String> {
        let there = &self.exchanges[side.other()];
        self.records.iter().find(|record| record.exchange == *there).map(RecordName::to_data)
    }

    fn delete_too(&self, side: Side) -> Option<Remedy> {
        self.survivor(side).map(|record| Remedy::DeleteFirst { record })
    }

    fn make_again(&self, side: Side) -> Option<Remedy> {
        self.survivor(side).map(|record| Remedy::LinkAnew { sync: self.sync(), record })
    }
}

fn delete(record: &RecordName) -> Remedy {
    Remedy::DeleteRecord { record: record.to_data() }
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
        let several = |unread| Reason::Ambiguous { records: vec![], unread };
        let leave_out = Remedy::LeaveOut { sync: sync(), record: text() };
        assert_eq!(of(Status::Held, Some(&several(false))), [link(), leave_out]);
        assert_eq!(of(Status::Held, Some(&several(true))), [Remedy::ReadAll { sync: sync() }]);
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
