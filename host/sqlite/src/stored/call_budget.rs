//! Table `call_budget`: the rate limit of each integration's HTTP calls, shared by all syncs and processes.

use crate::store::{Session, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

/// A moment until which a remote system takes no calls, in microseconds since 1970, and why.
type HeldCalls<'a> = (i64, &'a str);

impl Store {
    /// Draws from an integration's call budget. `draw` gets the moment until which the budget is spent, in
    /// microseconds since 1970, and the one until which the remote system takes no calls, with the reason. It returns
    /// the new first one with its result; both happen in one write transaction.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn draw_calls<T: Send>(
        &self,
        integration: &str,
        draw: impl FnOnce(i64, Option<HeldCalls<'_>>) -> (i64, T) + Send,
    ) -> Result<T, StoreError> {
        self.write_soon(|connection| draw_calls(connection, integration, draw)).await
    }

    /// Notes until when a remote system takes no calls of an integration, in microseconds since 1970, and why.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn hold_calls(&self, integration: &str, until: i64, why: &str) -> Result<(), StoreError> {
        self.write_soon(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO call_budget (integration, spent_until, held_until, held_why) VALUES (?1, 0, ?2, ?3)
                     ON CONFLICT (integration) DO UPDATE SET held_until = excluded.held_until, held_why = excluded.held_why",
                )?
                .execute(params![integration, until, why])?;
            Ok(())
        })
        .await
    }
}

impl Session<'_> {
    /// Forgets that a remote system takes no calls of an integration. Returns whether that was noted.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn release_calls(self, integration: &str) -> Result<bool, StoreError> {
        let rows = self.connection().execute(
            "UPDATE call_budget SET held_until = NULL, held_why = NULL WHERE integration = ?1 AND held_until IS NOT NULL",
            [integration],
        )?;
        Ok(rows > 0)
    }
}

fn draw_calls<T>(
    connection: &Connection,
    integration: &str,
    draw: impl FnOnce(i64, Option<HeldCalls<'_>>) -> (i64, T),
) -> Result<T, StoreError> {
    let stored: Option<(i64, Option<i64>, Option<String>)> = connection
        .prepare_cached("SELECT spent_until, held_until, held_why FROM call_budget WHERE integration = ?1")?
        .query_row([integration], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let spent_until = stored.as_ref().map(|(spent_until, ..)| *spent_until);
    let held =
        stored.as_ref().and_then(|(_, until, why)| Some(((*until)?, why.as_deref().unwrap_or_default())));
    let (now_until, drawn) = draw(spent_until.unwrap_or(i64::MIN), held);
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
