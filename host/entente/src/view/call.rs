//! HTTP calls of plugins, as they are written down.

use super::page::{Cursor, Page, PageRequest};
use crate::tenant::{CallFilter, KeptCall, OTHERS, Tenant, TenantError};
use entente_core::Timestamp;
use serde::Serialize;

/// A call, or several that are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallView {
    /// When; of several, the first one.
    pub at: Timestamp,
    /// Of several, when the last one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How many.
    pub count: u64,
    /// Whether it left this host; one that was denied, or given up before it was sent, did not.
    pub left: bool,
    /// The digest of the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Scheme, host and port; of different ones that are counted together, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The words of the path; of different ones that are counted together, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What denied or ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
    /// Bytes of request bodies.
    pub bytes_out: u64,
    /// Bytes of the answers' bodies.
    pub bytes_in: u64,
    /// Milliseconds; of several, of the longest one.
    pub ms: u64,
    #[serde(skip)]
    pub(super) number: i64,
}

/// What is told apart.
fn told(text: String) -> Option<String> {
    (!text.is_empty() && text != OTHERS).then_some(text)
}

impl Tenant {
    /// The HTTP calls of an integration's plugin, newest first, as far as they are kept (limits `book-bytes`, `book-days` and
    /// `book-kinds`): each that left this host, those of longer ago counted by day, and those that did not leave it counted by
    /// day. What an integration did that was removed is still kept.
    ///
    /// # Errors
    /// Where there is neither such an integration nor a book of it, or a file cannot be read.
    pub async fn list_calls(
        &self,
        integration: &str,
        filter: CallFilter,
        request: PageRequest,
    ) -> Result<Page<CallView>, TenantError> {
        let kept = self.kept_calls(integration, filter).await?;
        let total = kept.len() as u64;
        // Of the same microsecond there may be several; a later one is before them in the list.
        let (mut moment, mut of_moment) = (None, 0);
        let mut rows = Vec::new();
        let before = request.after.map_or(i64::MAX, Cursor::number);
        for (left, entry) in kept {
            let until = entry.until();
            of_moment = if moment == Some(until) { of_moment + 1 } else { 0 };
            moment = Some(until);
            let number = until.micros().max(0).saturating_mul(1000).saturating_add(999 - of_moment.min(999));
            if number >= before {
                continue;
            }
            let KeptCall { plugin, method, to, path, status, error, denied, bytes_out, bytes_in, ms, .. } =
                entry.what;
            rows.push(CallView {
                at: entry.at,
                last: entry.last,
                count: entry.count,
                left,
                plugin: told(plugin),
                method: told(method),
                to: told(to),
                path: told(path),
                status,
                error,
                denied,
                bytes_out,
                bytes_in,
                ms,
                number,
            });
            if rows.len() >= request.to_read() {
                break;
            }
        }
        Ok(Page::of(rows, request, |row| row.number, Some(total)))
    }
}
