//! Restore: a deleted record is there again, under its id and with the values, times and origins that it had.

use super::Hub;
use super::check::shown;
use super::data::decode;
use super::error::HubError;
use super::people::{RecordView, Sources, view};
use super::records::{self, Batch, OPERATOR};
use rusqlite::{OptionalExtension, params};

impl Hub {
    /// Restores a deleted record. Syncs read it as one that the operator has changed: where its counterpart is still there,
    /// both are compared.
    ///
    /// # Errors
    /// [`HubError::NoRecord`] where there was none, [`HubError::NotDeleted`] where it is there, [`HubError::NotKept`] where what
    /// it held is not kept; [`HubError::UnknownObject`], [`HubError::Store`].
    pub async fn restore(&self, object: &str, id: &str) -> Result<RecordView, HubError> {
        self.write(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let none = |deleted| HubError::NoRecord {
                object: object.name().to_owned(),
                id: shown(id),
                deleted,
                kept: false,
            };
            let number = records::number(id).ok_or_else(|| none(false))?;
            if records::exists(connection, object, number)? {
                return Err(HubError::NotDeleted { object: object.name().to_owned(), id: shown(id) });
            }
            let kept: Option<(Option<String>, Option<String>, i64)> = connection
                .prepare_cached(
                    "SELECT data, stamps, deleted FROM hub_tombstone WHERE id = ?1 AND object = ?2",
                )?
                .query_row(params![number, object.number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (data, stamps, deleted) = match kept {
                None => return Err(none(false)),
                Some((Some(data), Some(stamps), deleted)) => (data, stamps, deleted),
                Some(_) => return Err(HubError::NotKept { object: object.name().to_owned(), id: shown(id) }),
            };
            let fields = decode(object, &data, &stamps)?;
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            let at = entente_core::Timestamp::from_micros(deleted);
            let record = batch.restore(object, number, fields, at)?;
            batch.close()?;
            view(connection, object, record, &mut Sources::default())
        })
        .await
    }
}
