//! Links by hand: the word of an operator about the counterpart of a record. Each holds the lease of the relation,
//! so that it excludes runs.

use super::{RecordName, Tenant, TenantError};
use entente_sync::{Counterpart, NotLinked, PairId, Remedy, Side};
use serde::Serialize;
use std::collections::BTreeMap;

/// A record whose counterpart was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// The record.
    pub record: RecordName,
    /// The sync, whose next run decides the pair.
    pub sync: String,
    /// The counterpart; `None`: what was sent for the record has made nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<RecordName>,
}

/// Why a record was not linked; nothing was changed.
#[derive(Debug)]
pub struct LinkRefused {
    /// The record.
    pub record: RecordName,
    /// The record that was named as its counterpart.
    pub other: Option<RecordName>,
    /// The sync.
    pub sync: String,
    /// Why.
    pub why: NotLinked,
    /// The record that one of both is linked with.
    pub counterpart: Option<RecordName>,
}

impl std::fmt::Display for LinkRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let record = self.record.shown();
        let other = self.other.as_ref().map_or_else(|| "the other record".to_owned(), RecordName::shown);
        let linked = self.counterpart.as_ref().map_or_else(|| "another record".to_owned(), RecordName::shown);
        match &self.why {
            NotLinked::HasCounterpart(_) => {
                write!(f, "{record} has a counterpart in {} already: {linked}", self.sync)
            }
            NotLinked::Taken(_) => write!(f, "{other} has a counterpart in {} already: {linked}", self.sync),
            NotLinked::Unreported => match &self.other {
                Some(_) => write!(f, "no run of {} has read {other}, or it was deleted since", self.sync),
                None => write!(f, "{record} was deleted"),
            },
            NotLinked::Filtered => {
                write!(f, "{record} or {other} is outside the filter of {}", self.sync)
            }
            NotLinked::UnderWay => write!(
                f,
                "an order for {record} or {other} is under way; the next run of {} asks what became of it",
                self.sync
            ),
            NotLinked::NeverSent => write!(
                f,
                "no order to make a counterpart of {record} was ever sent in {}: there is nothing to take back, and the next run decides it",
                self.sync
            ),
            NotLinked::NothingOpen => {
                write!(f, "every order to make a counterpart of {record} in {} was answered", self.sync)
            }
        }
    }
}

impl std::error::Error for LinkRefused {}

impl LinkRefused {
    /// What the operator can do about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        let sync = self.sync.clone();
        match self.why {
            NotLinked::Unreported if self.other.is_some() => vec![Remedy::ReadAll { sync }],
            NotLinked::UnderWay | NotLinked::NeverSent => vec![Remedy::Sync { sync: Some(sync) }],
            NotLinked::NothingOpen => vec![Remedy::RetryRecord { sync, record: self.record.to_string() }],
            _ => vec![Remedy::ShowWaiting { sync }],
        }
    }
}

/// A pair that a record could be linked in.
struct Linkable {
    sync: String,
    relation: String,
    /// The record on the other side, where it has one.
    there: Option<RecordName>,
}

impl Tenant {
    /// Links a record with the one of the other side that an operator names, in one sync or in all that join both. The
    /// next run compares them; of what was sent for the record and never answered, it knows then what became of it.
    ///
    /// # Errors
    /// [`TenantError::NoPair`] where the record is in no sync with the other system; [`TenantError::NotLinked`];
    /// [`LedgerError::Busy`](entente_sync::LedgerError::Busy) while a run is under way.
    pub async fn link_records(
        &self,
        record: &RecordName,
        other: &RecordName,
        sync: Option<&str>,
        wait: bool,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, Some(other), sync, wait).await
    }

    /// Takes the word of an operator that what was sent for a record and never answered has made nothing: the next run may
    /// make it.
    ///
    /// # Errors
    /// As [`Tenant::link_records`].
    pub async fn link_anew(
        &self,
        record: &RecordName,
        sync: Option<&str>,
        wait: bool,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, None, sync, wait).await
    }

    async fn tell(
        &self,
        record: &RecordName,
        other: Option<&RecordName>,
        sync: Option<&str>,
        wait: bool,
    ) -> Result<Vec<Linked>, TenantError> {
        let pairs = self.pairs_to_link(record, other, sync).await?;
        let counterpart = match other {
            Some(other) => Counterpart::Record(other.id.clone()),
            None => Counterpart::NotMade,
        };
        let (mut linked, mut refused) = (Vec::new(), None);
        for (pair, Linkable { sync, relation, there }) in pairs {
            let told = self
                .leased(&relation, wait, async |lease| {
                    self.ledger.set_counterpart(lease, pair, &counterpart).await
                })
                .await?;
            let (record, other) = (record.clone(), other.cloned());
            match told {
                Ok(()) => linked.push(Linked { record, sync, counterpart: other }),
                Err(why) => {
                    let counterpart = match &why {
                        NotLinked::Taken(id) => Some(RecordName { id: id.clone(), ..record.clone() }),
                        _ => there,
                    };
                    refused = refused.or(Some(LinkRefused { record, other, sync, why, counterpart }));
                }
            }
        }
        match refused {
            _ if !linked.is_empty() => Ok(linked),
            Some(refused) => Err(TenantError::NotLinked(Box::new(refused))),
            None => {
                // The record is known, and the other one is of no object that it is joined with.
                let known = !self.pairs_to_link(record, None, sync).await?.is_empty();
                let unknown = other.filter(|_| known).unwrap_or(record);
                Err(TenantError::NoPair(unknown.to_string()))
            }
        }
    }

    /// The pairs of a record in syncs that join it with the object of the other one.
    async fn pairs_to_link(
        &self,
        record: &RecordName,
        other: Option<&RecordName>,
        sync: Option<&str>,
    ) -> Result<BTreeMap<PairId, Linkable>, TenantError> {
        let mut pairs: BTreeMap<PairId, Linkable> = BTreeMap::new();
        for definition in self.definitions(sync).await? {
            for side in Side::BOTH {
                let joins = |name: &RecordName, side: Side| definition.exchanges[side] == name.exchange;
                if !joins(record, side) || !other.is_none_or(|other| joins(other, side.other())) {
                    continue;
                }
                let found = self
                    .ledger
                    .pairs_of_record(Some(&definition.relation), side, &record.object, &record.id)
                    .await?;
                for (mapping, pair) in found {
                    if other.is_none_or(|other| mapping.objects[side.other()] == other.object) {
                        let there = pair.half(side.other()).id.clone().map(|id| RecordName {
                            exchange: definition.exchanges[side.other()].clone(),
                            object: mapping.objects[side.other()].clone(),
                            id,
                        });
                        pairs.entry(pair.id).or_insert_with(|| Linkable {
                            sync: definition.name.clone(),
                            relation: definition.relation.clone(),
                            there,
                        });
                    }
                }
            }
        }
        Ok(pairs)
    }
}
