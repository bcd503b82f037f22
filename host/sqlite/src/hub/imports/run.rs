//! The run of an import: its row in the history, written before its first row and after its last one.

use crate::hub::Hub;
use crate::hub::csv::ImportReport;
use crate::hub::error::HubError;
use crate::ledger::runs;
use entente_core::{Foreign, Side, Timestamp};
use entente_sync::{Imported, Message, Run, RunKind, RunOptions, RunStatus};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// The row of an import that has come to no end, as it is stored from the beginning: nobody writes to it once the process has
/// been killed.
const UNENDED: &str = "it is under way, or was stopped before its end";

/// The run of an import under way.
#[derive(Debug)]
pub(in crate::hub) struct Running(Run);

impl Running {
    /// Begins a run.
    pub(in crate::hub) async fn begin(hub: &Hub, object: &str, file: &str) -> Result<Self, HubError> {
        let imported = Imported { object: object.to_owned(), file: Foreign::new(file.to_owned()) };
        let mut run = new(RunKind::Import(imported), hub.clock.now());
        run.status = RunStatus::Interrupted;
        run.error = Some(Message::from(UNENDED.to_owned()));
        hub.write(|connection| Ok(Self(runs::insert(connection, run)?))).await
    }

    pub(in crate::hub) fn number(&self) -> i64 {
        self.0.id
    }

    /// Ends it. `made`: how many records of which object were made because a row refers to them.
    pub(in crate::hub) async fn end(
        mut self,
        hub: &Hub,
        report: &ImportReport,
        made: &BTreeMap<String, u64>,
        error: Option<String>,
    ) -> Result<(), HubError> {
        let run = &mut self.0;
        for (object, made) in made {
            run.count(Side::Left, object).created = *made;
        }
        let object = run.options.imports().map(|imported| imported.object.clone()).unwrap_or_default();
        let counts = run.count(Side::Left, &object);
        counts.reported = report.rows;
        counts.created += report.created;
        counts.updated = report.updated;
        counts.unchanged = report.unchanged;
        counts.failed = report.failed;
        counts.excluded = report.passed;
        run.ended = Some(hub.clock.now());
        run.status = if error.is_some() { RunStatus::Failed } else { RunStatus::Done };
        run.error = error.map(Message::from);
        hub.write(|connection| {
            runs::save(connection, &self.0)?;
            Ok(())
        })
        .await
    }
}

/// A run of no sync.
pub(super) fn new(kind: RunKind, now: Timestamp) -> Run {
    Run::new("", "", RunOptions::from(kind), now)
}

/// The name of the file of an import; `None` where there is no such run.
pub(in crate::hub) fn file_of(connection: &Connection, run: i64) -> Result<Option<Foreign>, HubError> {
    let mut statement = connection.prepare_cached("SELECT options FROM run WHERE id = ?1")?;
    let options: Option<String> = statement.query_row([run], |row| row.get(0)).optional()?;
    let options: Option<RunOptions> = options.and_then(|options| serde_json::from_str(&options).ok());
    Ok(options.and_then(|options| options.imports().map(|imported| imported.file.clone())))
}
