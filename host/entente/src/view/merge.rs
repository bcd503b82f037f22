//! `link merge` as data: of two records of the hub that are the same, one remains.

use super::title::title;
use crate::config::{ADDRESS, HUB};
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::Value;
use entente_sqlite::{Merge, RecordView};
use serde::Serialize;

/// Two records of the hub that were merged, or would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MergedView {
    /// The record that remains.
    pub record: RecordName,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The record that was merged into it.
    pub merged: RecordName,
    /// What people called that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_title: Option<String>,
    /// What the one that remains takes over.
    pub taken: Vec<MergedField>,
    /// What the other one had and the one that remains does not take over.
    pub left: Vec<MergedField>,
    /// Records that refer to the one that remains since.
    pub referring: Vec<RecordName>,
    /// Nothing was done yet.
    pub dry: bool,
}

/// A field of a record that is merged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MergedField {
    /// The field.
    pub field: String,
    /// The value.
    pub value: Value,
}

/// Why two records were not merged; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotMerged {
    /// A record of another system is merged there.
    #[error("{record} is merged in {exchange}, with what that offers; the next run reads it", exchange = .record.exchange)]
    NotOfTheHub {
        /// The record.
        record: RecordName,
    },
    /// The records are of different objects.
    #[error("{record} and {other} are of different objects; those of one object are merged")]
    Objects {
        /// One record.
        record: RecordName,
        /// The other one.
        other: RecordName,
    },
    /// Both are the same record.
    #[error("{0} was named twice; name the record that is merged into it, and then {0}")]
    Itself(RecordName),
}

impl From<NotMerged> for TenantError {
    fn from(error: NotMerged) -> Self {
        TenantError::NotMerged(Box::new(error))
    }
}

impl Tenant {
    /// Merges a record of the hub into another one of its object, which keeps its values and takes over what it has none for.
    /// Syncs read it as a merge: a counterpart of the record that goes moves to the one that remains, or waits where that has
    /// one. `dry`: only tell.
    ///
    /// # Errors
    /// [`TenantError::NotMerged`]; where there is no such record, or the database fails.
    pub async fn merge_records(
        &self,
        loser: &RecordName,
        winner: &RecordName,
        dry: bool,
    ) -> Result<MergedView, TenantError> {
        if let Some(record) = [loser, winner].into_iter().find(|record| record.exchange != HUB) {
            return Err(NotMerged::NotOfTheHub { record: record.clone() }.into());
        }
        if loser == winner {
            return Err(NotMerged::Itself(winner.clone()).into());
        }
        if loser.object != winner.object {
            return Err(NotMerged::Objects { record: loser.clone(), other: winner.clone() }.into());
        }
        let merge = self.hub().merge(&winner.object, &winner.id, &loser.id, &[&ADDRESS], dry).await?;
        Ok(view(merge, dry))
    }
}

fn view(merge: Merge, dry: bool) -> MergedView {
    let Merge { winner, loser, taken, referring } = merge;
    let name = |record: &RecordView| RecordName {
        exchange: HUB.to_owned(),
        object: record.object.clone(),
        id: record.id.clone(),
    };
    let called =
        |record: &RecordView| title(record.fields.iter().map(|field| (field.name.as_str(), &field.value)));
    let is_taken = |field: &str| taken.iter().any(|taken| taken.field == field);
    let left = loser.fields.iter().filter(|field| {
        !field.value.is_blank() && !is_taken(&field.name) && winner.value(&field.name) != Some(&field.value)
    });
    MergedView {
        record: name(&winner),
        title: called(&winner),
        merged: name(&loser),
        merged_title: called(&loser),
        left: left
            .map(|field| MergedField { field: field.name.clone(), value: field.value.clone() })
            .collect(),
        referring: referring
            .into_iter()
            .map(|record| RecordName { exchange: HUB.to_owned(), object: record.object, id: record.id })
            .collect(),
        taken: taken
            .into_iter()
            .map(|taken| MergedField { field: taken.field, value: taken.value })
            .collect(),
        dry,
    }
}
