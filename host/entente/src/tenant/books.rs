//! The books of a tenant's plugins: for each integration the calls that left the host, those that did not, and log lines, in
//! files of their own (`books/NAME/sent.jsonl`, `denied.jsonl`, `log.jsonl`), so that no plugin pushes out what is in another
//! book.

use super::book::{Book, Counted, Entry, Keep, by_day, lines};
use super::room::Room;
use crate::config::{check_name, make_folder};
use entente_core::Timestamp;
use entente_plugin::{Audit, HttpCall, Limits, LogLine};
use entente_sync::{Clock, Sides};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

/// The folder of all books of a tenant.
const FOLDER: &str = "books";
const SENT: &str = "sent.jsonl";
const DENIED: &str = "denied.jsonl";
const LOG: &str = "log.jsonl";
/// The files of all integrations together, which versions before the books have written: calls, and log lines.
const OLD_CALLS: [&str; 2] = ["egress.1.jsonl", "egress.jsonl"];
const OLD_LOG: [&str; 2] = ["log.1.jsonl", "log.jsonl"];
/// Stands for what is counted together.
pub(crate) const OTHERS: &str = "…";
const DAY: i64 = 86_400_000_000;
/// How long equal denials are counted in memory before they are written.
const PATIENCE: i64 = 60_000_000;
/// Kinds of denials that are counted in memory.
const COUNTED: usize = 500;
/// Calls of an integration that are kept in memory while its book cannot be written: more than may be under way at once.
const UNWRITTEN: usize = 1000;

/// Writes the books of a tenant, in its folder. Calls that left the host have a line each; equal ones that did not are counted. How
/// much is kept is said by the limits `book-bytes`, `book-days` and `book-kinds`.
#[derive(Debug, Clone)]
pub struct PluginFiles {
    books: Arc<Books>,
    keep: Keep,
}

struct Books {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Denials by book and kind.
    denials: HashMap<(PathBuf, String), Denials>,
    /// Books that could be opened for writing.
    opened: HashSet<PathBuf>,
    /// Books that could not be written, so that this is reported once.
    failed: HashSet<PathBuf>,
    /// Calls that left the host and that their books could not take yet: no other leaves before they are written.
    unwritten: HashMap<PathBuf, Vec<Entry<KeptCall>>>,
    /// When books were last looked through for what is too old.
    swept: i64,
    /// How much of them was to be kept last.
    keep: Option<Keep>,
}

/// Equal denials.
struct Denials {
    /// Those that are not written yet.
    open: Option<Entry<KeptCall>>,
    written: u64,
}

/// A call as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptCall {
    #[serde(default)]
    pub(crate) integration: String,
    #[serde(default)]
    pub(crate) plugin: String,
    #[serde(default)]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) to: String,
    #[serde(default)]
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) denied: Option<String>,
    #[serde(default)]
    pub(crate) bytes_out: u64,
    #[serde(default)]
    pub(crate) bytes_in: u64,
    /// Of several, the longest one.
    #[serde(default)]
    pub(crate) ms: u64,
}

impl From<&HttpCall<'_>> for KeptCall {
    fn from(call: &HttpCall<'_>) -> Self {
        Self {
            integration: call.integration.to_owned(),
            plugin: call.plugin.to_owned(),
            method: call.method.to_owned(),
            to: call.to.to_owned(),
            path: call.path.to_owned(),
            status: call.status,
            error: call.error.map(str::to_owned),
            denied: call.denied.map(str::to_owned),
            bytes_out: call.bytes_out,
            bytes_in: call.bytes_in,
            ms: u64::try_from(call.duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Counted for KeptCall {
    fn kind(&self) -> String {
        let Self { plugin, method, to, path, status, error, denied, .. } = self;
        format!("{plugin} {method} {to} {path} {status:?} {error:?} {denied:?}")
    }

    fn coarseness(&self) -> usize {
        usize::from(self.path == OTHERS) + usize::from(self.to == OTHERS)
    }

    fn coarser(&self, coarseness: usize) -> Self {
        let mut call = self.clone();
        if coarseness > 0 {
            (call.method, call.status, call.error) = Default::default();
            call.path = OTHERS.to_owned();
        }
        if coarseness > 1 {
            (call.plugin, call.denied) = Default::default();
            call.to = OTHERS.to_owned();
        }
        call
    }

    fn add(&mut self, other: &Self) {
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.ms = self.ms.max(other.ms);
    }
}

/// A line that a plugin has logged, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptLine {
    integration: String,
    level: String,
    text: String,
}

impl Counted for KeptLine {
    fn kind(&self) -> String {
        format!("{} {}", self.level, self.text)
    }

    fn coarseness(&self) -> usize {
        usize::from(self.text == OTHERS)
    }

    fn coarser(&self, coarseness: usize) -> Self {
        let text = if coarseness > 0 { OTHERS.to_owned() } else { self.text.clone() };
        Self { text, ..self.clone() }
    }

    fn add(&mut self, _: &Self) {}
}

/// A line that a plugin has logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedLine {
    /// The time; of several, of the first one.
    pub at: Timestamp,
    /// Of several that were counted, when the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How many equal lines there were, where more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The integration whose plugin logged it.
    pub integration: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The text; `…` for different ones that were counted together.
    pub text: String,
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The folder of the books of an integration. A name that is none is no way to another folder.
fn folder_of(folder: &Path, integration: &str) -> PathBuf {
    let name = match check_name("integration", integration) {
        Ok(()) => integration.to_owned(),
        Err(_) => format!(".{}", hex::encode(integration)).chars().take(100).collect(),
    };
    folder.join(FOLDER).join(name)
}

impl PluginFiles {
    /// In this folder, which must exist when the first line is written.
    pub fn new(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        let books = Books { folder: folder.to_owned(), clock, state: Mutex::default() };
        Self { books: Arc::new(books), keep: Keep::of(&Limits::default()) }
    }

    /// The same books, of which as much is kept as these limits say.
    #[must_use]
    pub fn within(&self, limits: &Limits) -> Self {
        Self { books: Arc::clone(&self.books), keep: Keep::of(limits) }
    }

    /// Writes what was only counted until now.
    pub(super) fn flush(&self) {
        self.books.flush(self.keep);
    }

    fn note<T: Counted>(&self, integration: &str, file: &str, entry: &Entry<T>) {
        let mut state = self.books.state();
        self.books.sweep(&mut state, self.keep);
        self.books.write(&mut state, &self.books.book(integration, file), entry, self.keep);
    }
}

impl Keep {
    pub(super) fn of(limits: &Limits) -> Self {
        Self { bytes: limits.book_bytes, days: limits.book_days, kinds: limits.book_kinds }
    }
}

impl Audit for PluginFiles {
    fn http(&self, call: &HttpCall<'_>) {
        let entry = Entry::once(self.books.clock.now(), KeptCall::from(call));
        match call.left {
            true => self.books.sent(entry, self.keep),
            false => self.books.denied(entry, self.keep),
        }
    }

    fn can_be_recorded(&self, integration: &str) -> bool {
        let book = self.books.book(integration, SENT);
        let mut state = self.books.state();
        self.books.can_be_opened(&mut state, &book)
            && self.books.write_unwritten(&mut state, &book, self.keep)
            && self.books.has_room(&mut state, &book)
    }

    fn log(&self, line: &LogLine<'_>) {
        let LogLine { integration, level, text } = *line;
        let kept =
            KeptLine { integration: integration.to_owned(), level: level.to_owned(), text: text.to_owned() };
        self.note(integration, LOG, &Entry::once(self.books.clock.now(), kept));
    }
}

impl Books {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self, integration: &str, file: &str) -> Book {
        Book::new(folder_of(&self.folder, integration).join(file))
    }

    /// Writes a call that left the host, or keeps it until its book can be written.
    fn sent(&self, entry: Entry<KeptCall>, keep: Keep) {
        let book = self.book(&entry.what.integration, SENT);
        let mut state = self.state();
        self.sweep(&mut state, keep);
        if self.write_unwritten(&mut state, &book, keep) && self.write(&mut state, &book, &entry, keep) {
            return;
        }
        let unwritten = state.unwritten.entry(book.path().to_owned()).or_default();
        if unwritten.len() < UNWRITTEN {
            unwritten.push(entry);
        }
    }

    /// Whether a book that nothing was written to yet can be opened.
    fn can_be_opened(&self, state: &mut State, book: &Book) -> bool {
        if state.opened.contains(book.path()) {
            return true;
        }
        let folder = book.path().parent().unwrap_or(&self.folder);
        let opened = make_folder(folder).and_then(|()| book.try_to_open());
        match &opened {
            Ok(()) => drop(state.opened.insert(book.path().to_owned())),
            Err(error) => self.tell(state, book, error),
        }
        opened.is_ok()
    }

    /// Whether there is room for the lines of the calls that are under way.
    fn has_room(&self, state: &mut State, book: &Book) -> bool {
        let kept = Room::of(book).keep();
        if let Err(error) = &kept {
            self.tell(state, book, error);
        }
        kept.is_ok()
    }

    /// Writes the calls that a book could not take before. Returns whether none is left.
    fn write_unwritten(&self, state: &mut State, book: &Book, keep: Keep) -> bool {
        let Some(mut entries) = state.unwritten.remove(book.path()) else { return true };
        let written = entries.iter().take_while(|entry| self.write(state, book, entry, keep)).count();
        entries.drain(..written);
        let all = entries.is_empty();
        if !all {
            state.unwritten.insert(book.path().to_owned(), entries);
        }
        all
    }

    /// Counts a call that did not leave the host. It is written at once where it is the first of its kind, and then whenever there
    /// are as many again, or a minute has passed.
    fn denied(&self, entry: Entry<KeptCall>, keep: Keep) {
        let book = self.book(&entry.what.integration, DENIED);
        let mut state = self.state();
        self.sweep(&mut state, keep);
        let key = (book.path().to_owned(), entry.what.kind());
        if !state.denials.contains_key(&key) && state.denials.len() >= COUNTED {
            self.flush_in(&mut state, keep);
        }
        let denials = state.denials.entry(key.clone()).or_insert(Denials { open: None, written: 0 });
        let now = entry.at;
        let open = match denials.open.take() {
            Some(mut open) => {
                open.add(&entry);
                open
            }
            None => entry,
        };
        let due = open.count >= denials.written
            || now.micros().saturating_sub(open.at.micros()) >= PATIENCE
            || now.micros().div_euclid(DAY) != open.at.micros().div_euclid(DAY);
        if !due {
            denials.open = Some(open);
        } else if self.write(&mut state, &book, &open, keep)
            && let Some(denials) = state.denials.get_mut(&key)
        {
            denials.written = denials.written.saturating_add(open.count);
        } else if let Some(denials) = state.denials.get_mut(&key) {
            denials.open = Some(open);
        }
    }

    fn flush(&self, keep: Keep) {
        let mut state = self.state();
        self.flush_in(&mut state, keep);
        let books: Vec<PathBuf> = state.unwritten.keys().cloned().collect();
        for path in books {
            self.write_unwritten(&mut state, &Book::new(path), keep);
        }
    }

    fn flush_in(&self, state: &mut State, keep: Keep) {
        let denials: Vec<_> = state.denials.drain().collect();
        for ((path, _), Denials { open, .. }) in denials {
            if let Some(open) = open {
                self.write(state, &Book::new(path), &open, keep);
            }
        }
    }

    /// Writes an entry. Returns whether it is written; where it is not, that is told once.
    fn write<T: Counted>(&self, state: &mut State, book: &Book, entry: &Entry<T>, keep: Keep) -> bool {
        let folder = book.path().parent().unwrap_or(&self.folder);
        let written = match book.write(entry, keep, self.clock.now()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(folder).and_then(|()| book.write(entry, keep, self.clock.now()))
            }
            written => written,
        };
        let written = match written {
            Err(error) if Room::of(book).give_up(&error) => book.write(entry, keep, self.clock.now()),
            written => written,
        };
        match &written {
            Ok(()) => drop(state.failed.remove(book.path())),
            Err(error) => self.tell(state, book, error),
        }
        written.is_ok()
    }

    /// Tells the operator, once, that a book cannot be written.
    fn tell(&self, state: &mut State, book: &Book, error: &io::Error) {
        if state.failed.insert(book.path().to_owned()) {
            tracing::warn!(file = %book.path().display(), %error, "what a plugin does cannot be written down; is the disk full?");
        }
    }

    /// Once a day, and first of all, looks through all books for what is too old.
    fn sweep(&self, state: &mut State, keep: Keep) {
        state.keep = Some(keep);
        let now = self.clock.now();
        if state.swept > 0 && now.micros().saturating_sub(state.swept) < DAY {
            return;
        }
        state.swept = now.micros().max(1);
        if let Err(error) = self.sweep_all(keep, now) {
            tracing::debug!(folder = %self.folder.display(), %error, "books could not be looked through");
        }
    }

    fn sweep_all(&self, keep: Keep, now: Timestamp) -> io::Result<()> {
        for old in OLD_CALLS.iter().chain(&OLD_LOG) {
            let path = self.folder.join(old);
            let Ok(changed) = fs::metadata(&path).and_then(|file| file.modified()) else { continue };
            let since = changed.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
            if i64::try_from(since).unwrap_or(i64::MAX) < keep.since(now).micros() {
                fs::remove_file(&path)?;
            }
        }
        let folders = match fs::read_dir(self.folder.join(FOLDER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            folders => folders?,
        };
        for folder in folders {
            let folder = folder?.path();
            for file in [SENT, DENIED] {
                Book::new(folder.join(file)).sweep::<KeptCall>(keep, now)?;
            }
            Book::new(folder.join(LOG)).sweep::<KeptLine>(keep, now)?;
        }
        Ok(())
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        let keep = self.state().keep;
        if let Some(keep) = keep {
            self.flush(keep);
        }
        for (book, calls) in &self.state().unwritten {
            tracing::warn!(file = %book.display(), calls = calls.len(), "calls that left the host could not be written down; is the disk full?");
        }
    }
}

/// A call, and whether it left the host.
pub(crate) type CallEntry = (bool, Entry<KeptCall>);

/// Which calls are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallFilter {
    /// Those that left the host (`true`), or those that did not; `None`: both.
    pub left: Option<bool>,
    /// Those at this moment and after it.
    pub since: Option<Timestamp>,
}

/// The calls of an integration that are still kept, newest first, and whether each left the host; equal ones that did not, and
/// those that are old, are counted by day. `None` where there is no book of it.
pub(super) fn calls(
    folder: &Path,
    integration: &str,
    filter: CallFilter,
    (keep, now): (Keep, Timestamp),
) -> io::Result<Option<Vec<CallEntry>>> {
    let since = keep.since(now).max(filter.since.unwrap_or(Timestamp::from_micros(i64::MIN)));
    let wanted = |left: bool, entry: &Entry<KeptCall>| {
        filter.left.is_none_or(|wanted| wanted == left)
            && entry.until() >= since
            && entry.what.integration == integration
    };
    let own = folder_of(folder, integration);
    let mut found: Vec<CallEntry> = Vec::new();
    let mut denied: Vec<Entry<KeptCall>> = Vec::new();
    for old in OLD_CALLS {
        for entry in lines::<KeptCall>(&folder.join(old))? {
            let left = entry.what.status.is_some() || entry.what.denied.is_none();
            match left {
                _ if !wanted(left, &entry) => {}
                true => found.push((true, entry)),
                false => denied.push(entry),
            }
        }
    }
    let any = !found.is_empty() || !denied.is_empty() || own.is_dir();
    let sent = Book::new(own.join(SENT)).read::<KeptCall>()?;
    found.extend(sent.filter(|entry| wanted(true, entry)).map(|entry| (true, entry)));
    denied.extend(Book::new(own.join(DENIED)).read()?.filter(|entry| wanted(false, entry)));
    found.extend(by_day(denied, keep.kinds.max(COUNTED as u64)).into_iter().map(|entry| (false, entry)));
    found.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.until()));
    Ok(any.then_some(found))
}

/// The log lines of these integrations' plugins in an interval, oldest first, as far as they are still kept.
///
/// # Errors
/// Where a file exists and cannot be read. Malformed lines are skipped.
pub(super) fn logged(
    folder: &Path,
    integrations: &Sides<String>,
    from: Timestamp,
    until: Timestamp,
) -> io::Result<Vec<LoggedLine>> {
    let mut kept: Vec<Entry<KeptLine>> = Vec::new();
    for old in OLD_LOG {
        kept.extend(lines(&folder.join(old))?);
    }
    let names: HashSet<&String> = [&integrations.left, &integrations.right].into();
    for name in names {
        kept.extend(Book::new(folder_of(folder, name).join(LOG)).read()?);
    }
    kept.retain(|line| {
        integrations.contains(&line.what.integration) && line.at <= until && line.until() >= from
    });
    kept.sort_by_key(|line| line.at);
    let line = |Entry { at, last, count, what }| {
        let KeptLine { integration, level, text } = what;
        LoggedLine { at, last, count: (count > 1).then_some(count), integration, level, text }
    };
    Ok(kept.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    /// A clock that stands unless it is set.
    struct At(AtomicI64);

    impl At {
        fn second(second: i64) -> Arc<Self> {
            Arc::new(Self(AtomicI64::new(at(second).micros())))
        }

        fn set(&self, second: i64) {
            self.0.store(at(second).micros(), Ordering::Relaxed);
        }
    }

    #[async_trait]
    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::Relaxed))
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros((1_700_000_000 + second) * 1_000_000)
    }

    fn call(integration: &'static str, path: &'static str) -> HttpCall<'static> {
        HttpCall {
            tenant: "acme",
            integration,
            plugin: "d1",
            method: "GET",
            to: "https://api.example.com:443",
            path,
            status: Some(200),
            error: None,
            denied: None,
            left: true,
            bytes_out: 0,
            bytes_in: 5,
            duration: Duration::from_micros(12_345),
        }
    }

    fn denial(integration: &'static str, to: &'static str) -> HttpCall<'static> {
        let (error, denied) = (Some("http-request-denied"), Some("grant"));
        HttpCall { to, status: None, error, denied, left: false, bytes_in: 0, ..call(integration, "/v1/*") }
    }

    fn read(folder: &Path, integration: &str, filter: CallFilter) -> Vec<(bool, u64, String)> {
        let keep = (Keep::of(&Limits::default()), at(100_000));
        let calls = calls(folder, integration, filter, keep).unwrap().unwrap_or_default();
        calls.into_iter().map(|(left, entry)| (left, entry.count, entry.what.to + &entry.what.path)).collect()
    }

    #[test]
    fn x8_calls_that_left_and_those_that_did_not_have_books_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let clock = At::second(0);
        let files = PluginFiles::new(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>);
        files.http(&call("shop", "/v1/*"));
        clock.set(1);
        for _ in 0..1990 {
            files.http(&denial("shop", "https://evil.example:443"));
        }
        files.http(&denial("shop", "https://other.example:443"));
        files.http(&denial("crm", "https://evil.example:443"));
        let own = folder.path().join("books/shop");
        let text = |name: &str| fs::read_to_string(own.join(name)).unwrap();
        insta::assert_snapshot!(text("sent.jsonl"), @r#"{"at":"2023-11-14T22:13:20Z","integration":"shop","plugin":"d1","method":"GET","to":"https://api.example.com:443","path":"/v1/*","status":200,"bytes_out":0,"bytes_in":5,"ms":12}"#);
        drop(files);
        let denied = text("denied.jsonl");
        assert!(denied.lines().count() < 20, "{denied}");
        let all = read(folder.path(), "shop", CallFilter::default());
        let sent = (true, 1, "https://api.example.com:443/v1/*".to_owned());
        let evil = (false, 1990, "https://evil.example:443/v1/*".to_owned());
        let other = (false, 1, "https://other.example:443/v1/*".to_owned());
        assert_eq!(all, [evil.clone(), other, sent.clone()]);
        let left = |left| CallFilter { left: Some(left), ..CallFilter::default() };
        assert_eq!(read(folder.path(), "shop", left(true)), [sent]);
        assert_eq!(read(folder.path(), "shop", left(false)).len(), 2);
        let since = CallFilter { since: Some(at(1)), ..CallFilter::default() };
        assert_eq!(read(folder.path(), "shop", since).len(), 2);
        assert_eq!(read(folder.path(), "crm", CallFilter::default()), [(false, 1, evil.2)]);
        let nobody = calls(folder.path(), "nobody", CallFilter::default(), (files_keep(), at(1))).unwrap();
        assert!(nobody.is_none());
    }

    fn files_keep() -> Keep {
        Keep::of(&Limits::default())
    }

    #[test]
    fn x8_no_call_leaves_while_none_can_be_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let files = PluginFiles::new(folder.path(), At::second(0));
        assert!(files.can_be_recorded("shop"));
        files.http(&call("shop", "/v1/first"));
        // A folder cannot be written to as a file, whoever asks: also root.
        let (book, away) = (folder.path().join("books/shop/sent.jsonl"), folder.path().join("away"));
        fs::rename(&book, &away).unwrap();
        fs::create_dir(&book).unwrap();
        files.http(&call("shop", "/v1/second"));
        files.http(&call("shop", "/v1/third"));
        assert!(!files.can_be_recorded("shop"));
        assert!(files.can_be_recorded("crm"), "another book is in order");
        let new = PluginFiles::new(folder.path(), At::second(0));
        assert!(!new.can_be_recorded("shop"), "also the first call of a process");
        fs::remove_dir(&book).unwrap();
        fs::rename(&away, &book).unwrap();
        assert!(files.can_be_recorded("shop"));
        let paths = fs::read_to_string(&book).unwrap();
        let paths: Vec<&str> =
            ["first", "second", "third"].into_iter().filter(|path| paths.contains(path)).collect();
        assert_eq!(paths, ["first", "second", "third"]);
    }

    /// A small disk of its own, which needs a right that not every machine gives.
    struct SmallDisk<'a>(&'a Path);

    impl<'a> SmallDisk<'a> {
        fn mount(at: &'a Path) -> Option<Self> {
            let mount = std::process::Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
                .arg(at)
                .status();
            mount.is_ok_and(|status| status.success()).then_some(Self(at))
        }
    }

    impl Drop for SmallDisk<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
        }
    }

    #[test]
    fn x8_on_a_full_disk_calls_under_way_are_written_down_and_no_other_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::mount(folder.path()) else {
            println!("left out: no file system could be mounted here, so that none was full");
            return;
        };
        let files = PluginFiles::new(disk.0, At::second(0));
        for integration in ["shop", "crm"] {
            assert!(files.can_be_recorded(integration));
        }
        let full = fs::write(disk.0.join("filler"), vec![1; 1 << 20]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        // They had left before. As many may be under way as there is room for.
        for n in 0..100 {
            let path = format!("/v1/call-{n}");
            files.http(&HttpCall { path: &path, ..call("shop", "") });
        }
        let lines = || fs::read_to_string(disk.0.join("books/shop/sent.jsonl")).unwrap().lines().count();
        assert_eq!(lines(), 100);
        assert!(!files.can_be_recorded("shop"), "no other leaves");
        assert!(!PluginFiles::new(disk.0, At::second(0)).can_be_recorded("shop"), "of no process");
        assert!(files.can_be_recorded("crm"), "there is room for those of this one still");
        fs::remove_file(disk.0.join("filler")).unwrap();
        assert!(files.can_be_recorded("shop"));
        assert_eq!(lines(), 100);
    }

    #[test]
    fn x8_denials_are_written_when_a_minute_or_a_day_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let clock = At::second(0);
        let files = PluginFiles::new(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>);
        let written =
            || fs::read_to_string(folder.path().join("books/shop/denied.jsonl")).unwrap().lines().count();
        for (second, lines) in [(0, 1), (1, 2), (2, 2), (30, 3), (40, 3), (101, 4), (102, 4), (86_400, 5)] {
            clock.set(second);
            files.http(&denial("shop", "https://evil.example:443"));
            assert_eq!(written(), lines, "at {second}");
        }
        files.flush();
        let counts: Vec<u64> = read(folder.path(), "shop", CallFilter::default())
            .into_iter()
            .map(|(_, count, _)| count)
            .collect();
        assert_eq!(counts.iter().sum::<u64>(), 8, "{counts:?}");
    }

    #[test]
    fn x8_what_another_integration_does_pushes_nothing_out() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { book_bytes: 4000, ..Limits::default() };
        let files = PluginFiles::new(folder.path(), At::second(0)).within(&limits);
        files.http(&call("shop", "/real"));
        files.log(&LogLine { integration: "shop", level: "warn", text: "real" });
        for n in 0..500 {
            files.http(&call("hostile", "/v1/*"));
            files.http(&denial("hostile", "https://evil.example:443"));
            files.log(&LogLine { integration: "hostile", level: "warn", text: &format!("noise {n}") });
        }
        assert_eq!(read(folder.path(), "shop", CallFilter::default()).len(), 1);
        let sides = Sides::new("hub".to_owned(), "shop".to_owned());
        assert_eq!(logged(folder.path(), &sides, at(0), at(9)).unwrap()[0].text, "real");
        // Its own calls are counted where they are too many: none is lost.
        let all = read(folder.path(), "hostile", CallFilter::default());
        let count = |left: bool| all.iter().filter(|call| call.0 == left).map(|call| call.1).sum::<u64>();
        files.flush();
        assert_eq!(count(true), 500);
    }

    #[test]
    fn x8_at_the_worst_all_days_fit() {
        let limits = Limits::default();
        let long = KeptCall {
            plugin: "d".repeat(64),
            method: "m".repeat(23),
            to: format!("https://{}:65535", "h".repeat(258)),
            path: format!("{}/…", format!("/{}", "p".repeat(24)).repeat(8)),
            status: Some(599),
            error: Some("http-response-header-section-size".to_owned()),
            denied: Some("tenant-http-parallel".to_owned()),
            integration: "i".repeat(64),
            bytes_out: u64::MAX,
            bytes_in: u64::MAX,
            ms: u64::MAX,
        };
        let size = |coarseness| {
            let entry =
                Entry { at: at(0), last: Some(at(1)), count: u64::MAX, what: long.coarser(coarseness) };
            serde_json::to_vec(&entry).unwrap().len() as u64 + 1
        };
        let day = limits.book_kinds * size(0) + limits.book_kinds / 3 * size(1) + size(2);
        assert!(day * limits.book_days <= limits.book_bytes, "{day} bytes a day");
    }

    #[test]
    fn x8_what_was_written_before_there_were_books_stays_readable() {
        let folder = tempfile::tempdir().unwrap();
        let old = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        old(
            "egress.1.jsonl",
            "{\"at\":\"2023-11-14T22:13:21Z\",\"tenant\":\"acme\",\"integration\":\"shop\",\"plugin\":\"d1\",\"method\":\"GET\",\"to\":\"https://a.example:443\",\"path\":\"/v1\",\"status\":200,\"bytes_out\":0,\"bytes_in\":5,\"ms\":12}\n",
        );
        old(
            "egress.jsonl",
            "{\"at\":\"2023-11-14T22:13:22Z\",\"tenant\":\"acme\",\"integration\":\"shop\",\"plugin\":\"d1\",\"method\":\"GET\",\"to\":\"https://b.example:443\",\"path\":\"/v1\",\"error\":\"http-request-denied\",\"denied\":\"grant\",\"bytes_out\":0,\"bytes_in\":0,\"ms\":0}\n",
        );
        old(
            "log.jsonl",
            "{\"at\":\"2023-11-14T22:13:21Z\",\"integration\":\"shop\",\"level\":\"warn\",\"text\":\"before\"}\n",
        );
        let found = read(folder.path(), "shop", CallFilter::default());
        let (denied, sent) = (
            (false, 1, "https://b.example:443/v1".to_owned()),
            (true, 1, "https://a.example:443/v1".to_owned()),
        );
        assert_eq!(found, [denied, sent]);
        let sides = Sides::new("hub".to_owned(), "shop".to_owned());
        assert_eq!(logged(folder.path(), &sides, at(0), at(9)).unwrap()[0].text, "before");
        // It goes when it is as old as the days of a book.
        let day = 86_400;
        let late = At::second(day * 36_500);
        PluginFiles::new(folder.path(), late).http(&call("shop", "/v1"));
        assert!(!folder.path().join("egress.jsonl").exists() && !folder.path().join("log.jsonl").exists());
    }

    #[test]
    fn what_was_logged_in_a_time_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let sides = Sides::new("hub".to_owned(), "shop".to_owned());
        let find = |from, until| logged(folder.path(), &sides, at(from), at(until)).unwrap();
        assert_eq!(find(0, 9), []);
        for (second, integration) in [(1, "shop"), (2, "other"), (3, "shop"), (4, "shop")] {
            let limits = Limits { book_bytes: 300, ..Limits::default() };
            let files = PluginFiles::new(folder.path(), At::second(second)).within(&limits);
            let text = format!("second {second}, \"quoted\"");
            files.log(&LogLine { integration, level: "warn", text: &text });
        }
        let texts = |lines: Vec<LoggedLine>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(texts(find(1, 3)), ["second 1, \"quoted\"", "second 3, \"quoted\""]);
        assert_eq!(texts(find(4, 9)), ["second 4, \"quoted\""]);
    }

    #[test]
    fn the_name_of_an_integration_leads_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = PluginFiles::new(folder.path(), At::second(0));
        files.http(&call("../../evil", "/v1"));
        let there: Vec<_> = fs::read_dir(folder.path().join("books")).unwrap().collect();
        assert_eq!(there.len(), 1);
        assert_eq!(read(folder.path(), "../../evil", CallFilter::default()).len(), 1);
        #[cfg(unix)]
        for path in [folder.path().join("books"), there[0].as_ref().unwrap().path()] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
