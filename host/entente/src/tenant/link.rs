//! Links by hand: the word of an operator about the counterpart of a record. Each holds the lease of the relation,
//! so that it excludes runs.

use super::{RecordName, Tenant, TenantError};
use entente_core::Value;
use entente_sync::{Counterpart, NotLinked, Pair, PairId, Remedy, Side, SyncDefinition};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a word of an operator about a link is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkOptions<'a> {
    /// Only in this sync.
    pub sync: Option<&'a str>,
    /// Wait for a run that is under way.
    pub wait: bool,
    /// Only tell what would be done.
    pub dry: bool,
}

/// A record whose counterpart was told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Linked {
    /// The record.
    pub record: RecordName,
    /// The sync, whose next run decides the pair.
    pub sync: String,
    /// The counterpart, or the one that it was; `None`: the record has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<RecordName>,
    /// The link was removed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// Whether the record takes part in the sync, where that was decided: it was left out, or taken in again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_part: Option<bool>,
    /// Nothing was done yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry: bool,
    /// What both records have, field by field, as far as it is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<LinkedField>,
}

/// A field of a record and of its counterpart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkedField {
    /// Its name in the record.
    pub field: String,
    /// The value there, where it is known.
    pub value: Option<Value>,
    /// Its name in the counterpart.
    pub other_field: String,
    /// The value there, where it is known.
    pub other: Option<Value>,
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
    /// The record that one of both is linked with, or has the identifiers of.
    pub counterpart: Option<RecordName>,
}

impl std::fmt::Display for LinkRefused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let record = &self.record;
        let other = self.other.as_ref().map_or_else(|| "the other record".to_owned(), RecordName::to_string);
        let linked =
            self.counterpart.as_ref().map_or_else(|| "another record".to_owned(), RecordName::to_string);
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
            NotLinked::Duplicate => write!(
                f,
                "{record} has the identifiers of another record in {}; of two such records one has a counterpart: merge them, change one, or leave one out",
                self.sync
            ),
            NotLinked::NothingOpen => {
                write!(f, "every order to make a counterpart of {record} in {} was answered", self.sync)
            }
            NotLinked::Unanswered => write!(
                f,
                "an order to make a counterpart of {record} in {} was never answered: what it may have made would be left over",
                self.sync
            ),
            NotLinked::AsItIs => write!(f, "{record} is so in {} already", self.sync),
            NotLinked::OfAnother => write!(f, "{record} is not linked with {other} in {}", self.sync),
            NotLinked::SameIdentifiers(_) => {
                write!(f, "{linked} has the same identifiers as {record}, which would be there twice")
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
            NotLinked::Unanswered => vec![
                Remedy::LinkRecord { sync: sync.clone(), record: self.record.to_data() },
                Remedy::LinkAnew { sync, record: self.record.to_data() },
            ],
            NotLinked::NothingOpen => vec![Remedy::RetryRecord { sync, record: self.record.to_data() }],
            NotLinked::SameIdentifiers(_) => {
                vec![Remedy::LinkRecord { sync, record: self.record.to_data() }]
            }
            _ => vec![Remedy::ShowWaiting { sync }],
        }
    }
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
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, Some(other), &Counterpart::Record(other.id.clone()), options).await
    }

    /// Takes the word of an operator that a record has no counterpart: what was sent for it and never answered has made
    /// nothing, or the one that it had was deleted, or its link removed. The next run may make one.
    ///
    /// # Errors
    /// As [`Tenant::link_records`].
    pub async fn link_anew(
        &self,
        record: &RecordName,
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, None, &Counterpart::NotMade, options).await
    }

    /// Takes the word of an operator that two linked records are not counterparts of each other. Both stay as they are, and
    /// neither is made again on the other side.
    ///
    /// # Errors
    /// As [`Tenant::link_records`].
    pub async fn unlink_records(
        &self,
        record: &RecordName,
        other: &RecordName,
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, Some(other), &Counterpart::Not(other.id.clone()), options).await
    }

    /// Leaves a record out of its syncs, at the word of an operator: nothing of it is read as a change any more, and its
    /// counterpart, if it has one, stays as it is.
    ///
    /// # Errors
    /// As [`Tenant::link_records`].
    pub async fn leave_out(
        &self,
        record: &RecordName,
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, None, &Counterpart::LeftOut, options).await
    }

    /// Takes a record that was left out into its syncs again; the next run decides it.
    ///
    /// # Errors
    /// As [`Tenant::link_records`].
    pub async fn take_in(
        &self,
        record: &RecordName,
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        self.tell(record, None, &Counterpart::TakenIn, options).await
    }

    async fn tell(
        &self,
        record: &RecordName,
        other: Option<&RecordName>,
        counterpart: &Counterpart,
        options: LinkOptions<'_>,
    ) -> Result<Vec<Linked>, TenantError> {
        let pairs = self.pairs_to_link(record, other, options.sync).await?;
        let (mut linked, mut refused) = (Vec::new(), None);
        for found in pairs.into_values() {
            let sync = found.definition.name.clone();
            let fields = self.fields_of(&found, other).await?;
            let told = match options.dry {
                true => self.ledger.check_counterpart(found.pair.id, counterpart).await?,
                false => {
                    self.leased(&found.definition.relation, options.wait, async |lease| {
                        let at = self.clock.now();
                        self.ledger.set_counterpart(lease, found.pair.id, counterpart, at).await
                    })
                    .await?
                }
            };
            let (record, other) = (record.clone(), other.cloned());
            match told {
                Ok(()) => linked.push(Linked {
                    record,
                    sync,
                    counterpart: other,
                    removed: matches!(counterpart, Counterpart::Not(_)),
                    takes_part: match counterpart {
                        Counterpart::LeftOut => Some(false),
                        Counterpart::TakenIn => Some(true),
                        Counterpart::Record(_) | Counterpart::NotMade | Counterpart::Not(_) => None,
                    },
                    dry: options.dry,
                    fields,
                }),
                Err(why) => {
                    let counterpart = match &why {
                        NotLinked::Taken(id) => Some(RecordName { id: id.clone(), ..record.clone() }),
                        NotLinked::SameIdentifiers(id) => found.there(id),
                        _ => found.pair.half(found.side.other()).id.as_deref().and_then(|id| found.there(id)),
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
                let known = !self.pairs_to_link(record, None, options.sync).await?.is_empty();
                let unknown = other.filter(|_| known).unwrap_or(record);
                Err(TenantError::NoPair(unknown.to_string()))
            }
        }
    }

    /// What a record and the one that is named as its counterpart have, field by field.
    async fn fields_of(
        &self,
        found: &PairToLink,
        other: Option<&RecordName>,
    ) -> Result<Vec<LinkedField>, TenantError> {
        let (side, there) = (found.side, found.side.other());
        let Some(mapping) = found.definition.mapping(found.pair.mapping) else { return Ok(Vec::new()) };
        let relation = Some(found.definition.relation.as_str());
        let of_other = match other {
            Some(other) => self.ledger.pairs_of_record(relation, there, &other.object, &other.id).await?,
            None => Vec::new(),
        };
        let of_other = of_other.into_iter().find(|(of, _)| of.id == mapping.id).map(|(_, pair)| pair);
        let value = |pair: &Pair, side: Side, slot| pair.current(side, slot).cloned();
        Ok(mapping
            .fields
            .iter()
            .map(|field| LinkedField {
                field: field.name(side).to_owned(),
                value: value(&found.pair, side, field.slot),
                other_field: field.name(there).to_owned(),
                other: of_other.as_ref().and_then(|pair| value(pair, there, field.slot)),
            })
            .collect())
    }

    /// The pairs of a record in syncs that join it with the object of the other one.
    async fn pairs_to_link(
        &self,
        record: &RecordName,
        other: Option<&RecordName>,
        sync: Option<&str>,
    ) -> Result<BTreeMap<PairId, PairToLink>, TenantError> {
        let mut pairs: BTreeMap<PairId, PairToLink> = BTreeMap::new();
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
                        let definition = definition.clone();
                        pairs.entry(pair.id).or_insert(PairToLink { pair, side, definition });
                    }
                }
            }
        }
        Ok(pairs)
    }
}

/// A pair of a record that an operator says something of.
struct PairToLink {
    pair: Pair,
    /// Where the record stands.
    side: Side,
    /// The sync, whose next run decides the pair.
    definition: SyncDefinition,
}

impl PairToLink {
    /// The name of a record of the other side.
    fn there(&self, id: &str) -> Option<RecordName> {
        let there = self.side.other();
        let object = self.definition.mapping(self.pair.mapping)?.object(there).to_owned();
        Some(RecordName { exchange: self.definition.exchanges[there].clone(), object, id: id.to_owned() })
    }
}
