//! Fields whose two values differ on purpose, and why nothing is written.

use super::reason::{Names, ReasonView};
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Side, Sides, Value};
use entente_sync::PairId;
use serde::Serialize;

/// Fields of a sync that differ on purpose.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct DifferingView {
    /// The first of them.
    pub list: Vec<DifferingField>,
    /// Whether there are more.
    pub more: bool,
}

/// A field of a pair in sync whose two values differ on purpose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingField {
    /// The records of the pair, left first.
    pub records: Vec<RecordName>,
    /// The name of the field, on the left side.
    pub field: String,
    /// Its two values, left first; null also where a side has not delivered it.
    pub values: Sides<Value>,
    /// What people call the records, where their fields tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why nothing is written.
    #[serde(flatten)]
    pub reason: ReasonView,
}

impl Tenant {
    /// Fields of a sync that differ on purpose, of about `most` records.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn show_differing(&self, sync: &str, most: usize) -> Result<DifferingView, TenantError> {
        let definition = self.configuration().definition(sync).await?;
        let names = Names(&definition.exchanges);
        let mut view = DifferingView::default();
        for mapping in &definition.mappings {
            let room = most.saturating_sub(view.list.len());
            let mut pairs = self.ledger().differing(mapping.id, 0, room + 1).await?;
            view.more |= pairs.len() > room;
            pairs.truncate(room);
            let ids: Vec<PairId> = pairs.iter().map(|pair| pair.id).collect();
            let titles = self.titles(&[&definition], &ids).await?;
            for pair in &pairs {
                let ids = pair.halves.as_ref().map(|half| half.id.clone());
                let records = RecordName::of_pair(&definition.exchanges, &mapping.objects, &ids);
                for (slot, reason) in &pair.differing {
                    let Some(field) = mapping.field(*slot) else { continue };
                    let value = |side| pair.current(side, *slot).cloned().unwrap_or(Value::Null);
                    view.list.push(DifferingField {
                        records: records.clone(),
                        field: field.name(Side::Left).to_owned(),
                        values: Sides::by(value),
                        title: titles.get(&pair.id).cloned(),
                        reason: names.field_view(reason, Sides::default()),
                    });
                }
            }
        }
        Ok(view)
    }
}
