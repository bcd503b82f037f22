//! A tenant's audit and log files, and its stored call budgets.

use async_trait::async_trait;
use entente_core::Timestamp;
use entente_plugin::{Audit, BudgetError, CallBudget, CallRate, Drawn, Held, HttpCall, LogLine, held_from};
use entente_sqlite::Store;
use entente_sync::{Clock, Sides};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The size at which a file is rotated: about forty thousand calls. One rotated file is kept.
const MOST: u64 = 8 << 20;

/// Call budgets, in the tenant's database.
pub(super) struct StoredBudget {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
}

impl fmt::Debug for StoredBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBudget").finish_non_exhaustive()
    }
}

#[async_trait]
impl CallBudget for StoredBudget {
    async fn draw(&self, integration: &str, rate: CallRate, wanted: u64) -> Result<Drawn, BudgetError> {
        let now = self.clock.now().micros();
        let drawn = self
            .store
            .draw_calls(integration, |spent_until, held| {
                let held = held.and_then(|(until, why)| {
                    Held::new(Timestamp::from_micros(until), Timestamp::from_micros(now), why)
                });
                match held {
                    Some(held) => (spent_until, Drawn::Held(held)),
                    None => rate.draw(spent_until, now, wanted),
                }
            })
            .await;
        drawn.map_err(|error| BudgetError { integration: integration.to_owned(), why: error.to_string() })
    }

    async fn hold(&self, integration: &str, after: Duration, why: &str) -> Result<Held, BudgetError> {
        let held = held_from(self.clock.now(), after, why);
        let noted = self.store.hold_calls(integration, held.until.micros(), why).await;
        noted.map_err(|error| BudgetError { integration: integration.to_owned(), why: error.to_string() })?;
        Ok(held)
    }

    async fn pause(&self, pause: Duration) {
        self.clock.sleep(pause).await;
    }
}

/// The audit log `egress.jsonl` and the plugin log `log.jsonl` in the folder of a tenant: a line for each
/// HTTP call of its plugins, and for each line that they log. At 8 MiB a file is rotated to `egress.1.jsonl`
/// or `log.1.jsonl`.
#[derive(Debug)]
pub struct PluginFiles {
    calls: LineFile,
    log: LineFile,
    clock: ClockOf,
}

struct ClockOf(Arc<dyn Clock>);

impl fmt::Debug for ClockOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[derive(Serialize)]
struct Line<'a, T> {
    at: Timestamp,
    #[serde(flatten)]
    what: &'a T,
}

/// A line that a plugin has logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedLine {
    /// The time.
    pub at: Timestamp,
    /// The integration whose plugin logged it.
    pub integration: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The text.
    pub text: String,
}

impl PluginFiles {
    /// In this folder, which must exist when the first line is written.
    pub fn new(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let calls = LineFile::new(folder.join("egress.jsonl"), "HTTP calls of plugins");
        let log = LineFile::new(folder.join("log.jsonl"), "log lines of plugins");
        Self { calls, log, clock: ClockOf(clock) }
    }

    fn note<T: Serialize>(&self, file: &LineFile, what: &T) {
        let line = serde_json::to_vec(&Line { at: self.clock.0.now(), what });
        file.note(line.map_err(io::Error::from));
    }
}

impl Audit for PluginFiles {
    fn http(&self, call: &HttpCall<'_>) {
        self.note(&self.calls, call);
    }

    fn log(&self, line: &LogLine<'_>) {
        self.note(&self.log, line);
    }
}

/// The log lines of these integrations' plugins in an interval, as far as they are still kept.
///
/// # Errors
/// Where a file exists and cannot be read. Malformed lines are skipped.
pub(super) fn logged(
    folder: &Path,
    integrations: &Sides<String>,
    from: Timestamp,
    until: Timestamp,
) -> io::Result<Vec<LoggedLine>> {
    let mut lines = Vec::new();
    for name in ["log.1.jsonl", "log.jsonl"] {
        let bytes = match fs::read(folder.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let all = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<LoggedLine>(line).ok());
        lines.extend(
            all.filter(|line| integrations.contains(&line.integration) && (from..=until).contains(&line.at)),
        );
    }
    Ok(lines)
}

/// An append-only log file. It is opened for each line: that is cheap beside the call that a line records, an
/// idle tenant keeps no file open, and a file that another process has rotated is not written to.
#[derive(Debug)]
struct LineFile {
    path: PathBuf,
    most: u64,
    what: &'static str,
    /// Whether writing has failed before, so that it is reported once.
    failed: Mutex<bool>,
}

impl LineFile {
    fn new(path: PathBuf, what: &'static str) -> Self {
        Self { path, most: MOST, what, failed: Mutex::new(false) }
    }

    fn note(&self, line: io::Result<Vec<u8>>) {
        let written = line.and_then(|mut line| {
            line.push(b'\n');
            self.write(&line)
        });
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = &written
            && !*failed
        {
            tracing::warn!(file = %self.path.display(), %error, "{} cannot be logged; is the disk full?", self.what);
        }
        *failed = written.is_err();
    }

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
        // Two processes may see it full at the same time; only the one with the lock rotates.
        if full.try_lock().is_err() {
            return Ok(());
        }
        if fs::metadata(&self.path).is_ok_and(|now| now.len() >= self.most) {
            fs::rename(&self.path, self.path.with_extension("1.jsonl"))?;
        }
        full.unlock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_sqlite::Store;

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
        let mut file = PluginFiles::new(folder.path(), Arc::new(At(1_700_000_000_000_000)));
        file.calls.most = 500;
        file.http(&call(200));
        let now = || fs::read_to_string(folder.path().join("egress.jsonl")).unwrap();
        insta::assert_snapshot!(now(), @r#"{"at":"2023-11-14T22:13:20Z","tenant":"acme","integration":"shop","plugin":"d1","method":"GET","to":"https://api.example.com:443","path":"/v1/*","status":200,"bytes_out":0,"bytes_in":5,"ms":12}"#);
        for _ in 0..3 {
            file.http(&call(201));
        }
        let old = fs::read_to_string(folder.path().join("egress.1.jsonl")).unwrap();
        assert_eq!((old.lines().count(), now().lines().count()), (3, 1), "{old}");
    }

    #[test]
    fn what_was_logged_in_a_time_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |seconds: i64| Timestamp::from_micros((1_700_000_000 + seconds) * 1_000_000);
        let sides = Sides::new("hub".to_owned(), "shop".to_owned());
        let find = |from, until| logged(folder.path(), &sides, at(from), at(until)).unwrap();
        assert_eq!(find(0, 9), []);
        for (second, integration) in [(1, "shop"), (2, "other"), (3, "shop"), (4, "shop")] {
            let mut file = PluginFiles::new(folder.path(), Arc::new(At(at(second).micros())));
            file.log.most = 200;
            let text = format!("second {second}, \"quoted\"");
            file.log(&LogLine { integration, level: "warn", text: &text });
        }
        fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("log.jsonl"))
            .unwrap()
            .write_all(b"{\"at\":\n")
            .unwrap();
        assert!(folder.path().join("log.1.jsonl").exists(), "one was put aside");
        let texts = |lines: Vec<LoggedLine>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(texts(find(1, 3)), ["second 1, \"quoted\"", "second 3, \"quoted\""]);
        assert_eq!(texts(find(4, 9)), ["second 4, \"quoted\""]);
    }

    #[tokio::test]
    async fn calls_are_counted_over_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.db");
        let process = || StoredBudget {
            store: Store::open(&path).unwrap(),
            clock: Arc::new(At(1_700_000_000_000_000)),
        };
        let (one, other, rate) = (process(), process(), CallRate::new(60));
        assert_eq!(one.draw("shop", rate, 4).await.unwrap(), Drawn::Calls(4));
        assert_eq!(other.draw("shop", rate, 4).await.unwrap(), Drawn::Calls(2));
        assert!(matches!(one.draw("shop", rate, 1).await.unwrap(), Drawn::After(_)));
        assert_eq!(one.draw("other", rate, 1).await.unwrap(), Drawn::Calls(1));
    }

    #[tokio::test]
    async fn k4_what_takes_no_calls_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.db");
        let process = |seconds: i64| StoredBudget {
            store: Store::open(&path).unwrap(),
            clock: Arc::new(At((1_700_000_000 + seconds) * 1_000_000)),
        };
        let rate = CallRate::new(60);
        let held = process(0).hold("shop", Duration::from_secs(3600), "too many").await.unwrap();
        let later = process(60).draw("shop", rate, 1).await.unwrap();
        let after = Duration::from_secs(3540);
        assert_eq!(later, Drawn::Held(Held { until: held.until, after, why: "too many".to_owned() }));
        assert_eq!(process(60).draw("other", rate, 1).await.unwrap(), Drawn::Calls(1));
        assert_eq!(process(3600).draw("shop", rate, 1).await.unwrap(), Drawn::Calls(1));
    }
}
