//! Conflicts: fields of which both sides claim another value.

use super::page::{Page, PageRequest};
use super::reason::{Names, ReasonView};
use crate::tenant::{RecordName, Tenant, TenantError, WaitingConflict};
use entente_core::{Side, Sides, Timestamp, Value};
use entente_sync::Choice;
use serde::Serialize;

/// What one side claims.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimView {
    /// The exchange.
    pub exchange: String,
    /// The name of the field there.
    pub field: String,
    /// The value.
    pub value: Value,
    /// The moment at which it was not there yet, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// Since when it stands there, as far as that is known.
    pub since: Option<Timestamp>,
    /// Whether that time is the field's own; else it is an upper bound.
    pub certain: bool,
}

/// An open conflict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictView {
    /// Its number, by which it is settled.
    pub conflict: i64,
    /// The sync.
    pub sync: String,
    /// The records: those that there are, left first.
    pub records: Vec<RecordName>,
    /// The name of the field on the left side.
    pub field: String,
    /// What the left side claims.
    pub left: ClaimView,
    /// What the right side claims.
    pub right: ClaimView,
    /// Why nothing could decide.
    #[serde(flatten)]
    pub reason: ReasonView,
    /// The run that saw it first.
    pub run: i64,
    /// When it was seen first.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// How often it was seen.
    pub times: u64,
    /// What was decided, which the next run writes: `{"side": "left"}`, or `{"value": …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Choice>,
}

/// A conflict that was to be settled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettledView {
    /// Its number.
    pub conflict: i64,
    /// The sync.
    pub sync: String,
    /// What was chosen: `{"side": "left"}`, or `{"value": …}`.
    pub choice: Choice,
    /// It was closed before by a run: its values have changed, or agree.
    pub closed: bool,
    /// What was decided for it before, and is not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Choice>,
}

impl From<&WaitingConflict> for ConflictView {
    fn from(waiting: &WaitingConflict) -> Self {
        let open = &waiting.open;
        let claim = |side: Side| {
            let seen = match side {
                Side::Left => &open.conflict.left,
                Side::Right => &open.conflict.right,
            };
            ClaimView {
                exchange: waiting.exchanges[side].clone(),
                field: open.fields[side].clone(),
                value: seen.value.clone(),
                after: seen.time.and_then(|time| time.after),
                since: seen.time.map(|time| time.at),
                certain: seen.time.is_some_and(|time| time.certain),
            }
        };
        let times = Sides::new(open.conflict.left.time, open.conflict.right.time);
        Self {
            conflict: open.id,
            sync: waiting.sync.clone(),
            records: RecordName::of_pair(&waiting.exchanges, &open.objects, &open.ids),
            field: open.fields.left.clone(),
            left: claim(Side::Left),
            right: claim(Side::Right),
            reason: Names(&waiting.exchanges).field_view(&open.conflict.reason, times),
            run: open.conflict.run,
            first: open.first,
            last: open.last,
            times: open.times,
            decided: open.ruling.clone(),
        }
    }
}

impl Tenant {
    /// The conflicts that are open, by number, also those that are decided and not yet written: of one sync or of all.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn list_conflicts(
        &self,
        sync: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<ConflictView>, TenantError> {
        let (conflicts, total) = self.open_conflicts(sync, request.above(), request.to_read()).await?;
        let page = Page::of(conflicts, request, |conflict| conflict.open.id, Some(total));
        let rows = page.rows.iter().map(ConflictView::from).collect();
        Ok(page.with_rows(rows))
    }
}
