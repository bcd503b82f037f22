//! Table `call_budget`: the rate limit of each integration's HTTP calls, shared by all syncs and processes.

use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

impl Store {
    /// Draws from an integration's call budget. `draw` gets the moment until which the budget is spent, in
    /// microseconds since 1970, and returns the new one with its result; both happen in one write
    /// transaction.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn draw_calls<T: Send>(
        &self,
        integration: &str,
        draw: impl FnOnce(i64) -> (i64, T) + Send,
    ) -> Result<T, StoreError> {
        self.write_soon(|connection| draw_calls(connection, integration, draw)).await
    }
}

fn draw_calls<T>(
    connection: &Connection,
    integration: &str,
    draw: impl FnOnce(i64) -> (i64, T),
) -> Result<T, StoreError> {
    let spent_until: Option<i64> = connection
        .prepare_cached("SELECT spent_until FROM call_budget WHERE integration = ?1")?
        .query_row([integration], |row| row.get(0))
        .optional()?;
    let (now_until, drawn) = draw(spent_until.unwrap_or(i64::MIN));
    if spent_until != Some(now_until) {
        connection
            .prepare_cached(
                "INSERT INTO call_budget (integration, spent_until) VALUES (?1, ?2)
                 ON CONFLICT (integration) DO UPDATE SET spent_until = excluded.spent_until",
            )?
            .execute(params![integration, now_until])?;
    }
    Ok(drawn)
}
