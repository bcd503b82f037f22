//! What plugins need of their tenant to send requests: its books, and the calls of a minute.

use crate::ledger::SqliteLedger;
use crate::plugin::{Audit, BudgetError, CallBudget, CallRate, Given, HttpCall};
use crate::record::Timestamp;
use crate::sync::Clock;
use async_trait::async_trait;
use serde::Serialize;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How large the file of HTTP calls grows: about forty thousand calls. It then becomes the old one, of which one is kept.
const MOST: u64 = 8 << 20;

/// The calls of a minute, in the database of the tenant.
pub(super) struct StoredBudget {
    pub(super) ledger: SqliteLedger,
    pub(super) clock: Arc<dyn Clock>,
}

impl fmt::Debug for StoredBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBudget").finish_non_exhaustive()
    }
}

#[async_trait]
impl CallBudget for StoredBudget {
    async fn draw(&self, integration: &str, rate: CallRate, wanted: u64) -> Result<Given, BudgetError> {
        let now = self.clock.now().micros();
        let drawn = self.ledger.draw_calls(integration, |spent_until| rate.draw(spent_until, now, wanted)).await;
        drawn.map_err(|error| BudgetError { integration: integration.to_owned(), why: error.to_string() })
    }

    async fn pause(&self, pause: Duration) {
        self.clock.sleep(pause).await;
    }
}

/// `egress.jsonl` in the folder of a tenant: a line for each HTTP call of its plugins. At 8 MiB it is put aside as `egress.1.jsonl`, in
/// place of the one before.
pub struct EgressFile {
    path: PathBuf,
    most: u64,
    clock: Arc<dyn Clock>,
    /// Whether writing has failed, so that it is said once.
    failed: Mutex<bool>,
}

impl fmt::Debug for EgressFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressFile").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    #[serde(flatten)]
    call: &'a HttpCall<'a>,
}

impl EgressFile {
    /// In this folder, which must be there when the first call is made.
    pub fn new(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { path: folder.join("egress.jsonl"), most: MOST, clock, failed: Mutex::new(false) }
    }

    /// Opened anew for each line: requests take far longer, no file stays open for a tenant that does nothing, and one that another
    /// process has put aside is not written to.
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut file = self.open()?;
        if file.metadata()?.len() >= self.most {
            self.put_aside(&file)?;
            file = self.open()?;
        }
        file.write_all(line)
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }

    fn put_aside(&self, full: &File) -> io::Result<()> {
        // Two processes may find it full at the same time; the second one finds a new file there.
        full.lock()?;
        if fs::metadata(&self.path).is_ok_and(|now| now.len() >= self.most) {
            fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
        }
        full.unlock()
    }
}

impl Audit for EgressFile {
    fn http(&self, call: &HttpCall<'_>) {
        let line = serde_json::to_vec(&Line { at: self.clock.now(), call }).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.write(&line)
        });
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = &line
            && !*failed
        {
            tracing::warn!(file = %self.path.display(), %error, "HTTP calls of plugins cannot be written down; is the disk full?");
        }
        *failed = line.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    struct At(i64);

    #[async_trait]
    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0)
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn call(status: u16) -> HttpCall<'static> {
        HttpCall {
            tenant: "acme",
            integration: "shop",
            plugin: "d1",
            method: "GET",
            to: "https://api.example.com:443",
            path: "/v1/*",
            status: Some(status),
            error: None,
            denied: None,
            bytes_out: 0,
            bytes_in: 5,
            duration: Duration::from_micros(12_345),
        }
    }

    #[test]
    fn a_line_is_written_for_each_call_and_a_full_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = EgressFile { most: 500, ..EgressFile::new(folder.path(), Arc::new(At(1_700_000_000_000_000))) };
        file.http(&call(200));
        let now = || fs::read_to_string(folder.path().join("egress.jsonl")).unwrap();
        insta::assert_snapshot!(now(), @r#"{"at":"2023-11-14T22:13:20Z","tenant":"acme","integration":"shop","plugin":"d1","method":"GET","to":"https://api.example.com:443","path":"/v1/*","status":200,"bytes_out":0,"bytes_in":5,"ms":12}"#);
        for _ in 0..3 {
            file.http(&call(201));
        }
        let old = fs::read_to_string(folder.path().join("egress.1.jsonl")).unwrap();
        assert_eq!((old.lines().count(), now().lines().count()), (3, 1), "{old}");
    }

    #[tokio::test]
    async fn calls_are_counted_over_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.db");
        let process =
            || StoredBudget { ledger: SqliteLedger::new(Store::open(&path).unwrap()), clock: Arc::new(At(1_700_000_000_000_000)) };
        let (one, other, rate) = (process(), process(), CallRate::new(60));
        assert_eq!(one.draw("shop", rate, 4).await.unwrap(), Given::Calls(4));
        assert_eq!(other.draw("shop", rate, 4).await.unwrap(), Given::Calls(2));
        assert!(matches!(one.draw("shop", rate, 1).await.unwrap(), Given::After(_)));
        assert_eq!(one.draw("other", rate, 1).await.unwrap(), Given::Calls(1));
    }
}
