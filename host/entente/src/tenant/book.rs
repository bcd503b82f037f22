//! The file of a book: a line for each thing that happened. A full file is put aside, and what is put aside longest is counted by
//! day, so that a flood makes numbers larger and pushes nothing out.

use entente_core::Timestamp;
use entente_plugin::open_file;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const DAY: i64 = 86_400_000_000;

/// The most bytes of a line: what it has are names, which are bounded, and numbers.
const LONGEST: u64 = 64 << 10;

/// How much of a book is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    /// The size of the lines, and of the days.
    pub(super) bytes: u64,
    pub(super) days: u64,
    /// The kinds of a day that are counted apart.
    pub(super) kinds: u64,
}

impl Keep {
    /// The moment before which nothing is kept.
    pub(super) fn since(self, now: Timestamp) -> Timestamp {
        let days = i64::try_from(self.days).unwrap_or(i64::MAX).saturating_mul(DAY);
        Timestamp::from_micros(now.micros().saturating_sub(days))
    }

    /// The moment before which no line stands alone: half of the time.
    fn alone_since(self, now: Timestamp) -> Timestamp {
        Self { days: self.days.div_ceil(2), ..self }.since(now)
    }
}

/// A line: what happened, once or several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry<T> {
    /// When; of several, the first one.
    pub(crate) at: Timestamp,
    /// Of several, when the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Timestamp>,
    /// How many there were.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) count: u64,
    #[serde(flatten)]
    pub(crate) what: T,
}

fn one() -> u64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

/// What can be counted.
pub(crate) trait Counted: Clone + Serialize + DeserializeOwned + 'static {
    /// What equal ones have in common.
    fn kind(&self) -> String;

    /// How coarse it is: 0 for what happened as it was, 1 and 2 for what is counted with others.
    fn coarseness(&self) -> usize;

    /// The same as coarse as this.
    fn coarser(&self, coarseness: usize) -> Self;

    /// Adds the amounts of another one.
    fn add(&mut self, other: &Self);
}

impl<T: Counted> Entry<T> {
    pub(super) fn once(at: Timestamp, what: T) -> Self {
        Self { at, last: None, count: 1, what }
    }

    /// When the last one was.
    pub(crate) fn until(&self) -> Timestamp {
        self.last.unwrap_or(self.at)
    }

    pub(super) fn add(&mut self, other: &Self) {
        let until = self.until().max(other.until());
        self.at = self.at.min(other.at);
        self.last = (until > self.at).then_some(until);
        self.count = self.count.saturating_add(other.count);
        self.what.add(&other.what);
    }
}

/// Counts entries by day and kind. Of a day, the first `kinds` stay as they are, a third as many of what is coarser, and the rest is
/// one.
pub(super) fn by_day<T: Counted>(entries: impl IntoIterator<Item = Entry<T>>, kinds: u64) -> Vec<Entry<T>> {
    let kinds = usize::try_from(kinds).unwrap_or(usize::MAX);
    let most = [kinds, kinds / 3, usize::MAX];
    let mut days: BTreeMap<i64, [BTreeMap<String, Entry<T>>; 3]> = BTreeMap::new();
    for mut entry in entries {
        let day = days.entry(entry.at.micros().div_euclid(DAY)).or_default();
        for level in entry.what.coarseness().min(2)..3 {
            entry.what = entry.what.coarser(level);
            let (Some(there), Some(most)) = (day.get_mut(level), most.get(level)) else { continue };
            let kind = entry.what.kind();
            let room = there.len() < *most;
            match there.get_mut(&kind) {
                Some(known) => known.add(&entry),
                None if room => drop(there.insert(kind, entry)),
                None => continue,
            }
            break;
        }
    }
    days.into_values().flatten().flat_map(BTreeMap::into_values).collect()
}

/// A book, by the file that lines are written to.
#[derive(Debug, Clone)]
pub(super) struct Book(PathBuf);

impl Book {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What was put aside: the next to be counted.
    fn aside(&self) -> PathBuf {
        self.0.with_extension("1.jsonl")
    }

    /// What was counted.
    fn days(&self) -> PathBuf {
        self.0.with_extension("days.jsonl")
    }

    /// Adds an entry. The file is opened for each: that is cheap beside the call that a line records, an idle tenant keeps no file
    /// open, and a file that another process has put aside is not written to.
    pub(super) fn write<T: Counted>(&self, entry: &Entry<T>, keep: Keep, now: Timestamp) -> io::Result<()> {
        let mut file = self.open()?;
        if file.metadata()?.len() >= keep.bytes / 2 {
            self.put_aside::<T>(&file, keep, now, |size| size >= keep.bytes / 2)?;
            file = self.open()?;
        }
        // A full disk or a lost power may have torn the last line: that one is lost, and no other with it.
        let mut line = if ends_a_line(&mut file)? { Vec::new() } else { vec![b'\n'] };
        serde_json::to_writer(&mut line, entry).map_err(io::Error::from)?;
        line.push(b'\n');
        file.write_all(&line)
    }

    /// Puts aside what stood alone for long, whatever its size.
    pub(super) fn sweep<T: Counted>(&self, keep: Keep, now: Timestamp) -> io::Result<()> {
        let old = |path: &Path| {
            let first = lines::<T>(path).ok()?.next()?;
            (first.at < keep.alone_since(now)).then_some(())
        };
        if old(&self.0).is_some() {
            let file = self.open()?;
            self.put_aside::<T>(&file, keep, now, |_| true)?;
        }
        Ok(())
    }

    /// Whether it can be opened for writing.
    pub(super) fn try_to_open(&self) -> io::Result<()> {
        self.open().map(drop)
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.0)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device")),
        }
    }

    /// Counts what was put aside before, and puts the file in its place.
    fn put_aside<T: Counted>(
        &self,
        full: &File,
        keep: Keep,
        now: Timestamp,
        still: impl Fn(u64) -> bool,
    ) -> io::Result<()> {
        // Two processes may see it full at the same time; only the one with the lock puts it aside.
        if full.try_lock().is_err() {
            return Ok(());
        }
        let done = (|| {
            if !fs::metadata(&self.0).is_ok_and(|file| still(file.len())) {
                return Ok(());
            }
            if self.aside().exists() {
                self.count::<T>(keep, now)?;
            }
            fs::rename(&self.0, self.aside())
        })();
        full.unlock()?;
        done
    }

    /// Counts what was put aside into the days.
    fn count<T: Counted>(&self, keep: Keep, now: Timestamp) -> io::Result<()> {
        let since = keep.since(now);
        let entries = lines::<T>(&self.days())?.chain(lines(&self.aside())?);
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for entry in by_day(entries.filter(|entry| entry.until() >= since), keep.kinds) {
            let mut text = serde_json::to_vec(&entry).map_err(io::Error::from)?;
            text.push(b'\n');
            texts.push(text);
        }
        // The oldest days go first where there are too many.
        let mut left = keep.bytes;
        let fits = |text: &&Vec<u8>| match left.checked_sub(text.len() as u64) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let kept: Vec<&Vec<u8>> = texts.iter().rev().take_while(fits).collect();
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        for text in kept.into_iter().rev() {
            file.write_all(text)?;
        }
        file.persist(self.days()).map_err(|error| error.error)?;
        fs::remove_file(self.aside())
    }

    /// Everything that is still in it, oldest first: days, then lines.
    pub(super) fn read<T: Counted>(&self) -> io::Result<impl Iterator<Item = Entry<T>> + use<T>> {
        Ok(lines(&self.days())?.chain(lines(&self.aside())?).chain(lines(&self.0)?))
    }
}

/// Whether what is appended to a file begins a line.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The entries of a file; none where there is no such file. Lines that cannot be read are left out.
pub(super) fn lines<T: Counted>(path: &Path) -> io::Result<Box<dyn Iterator<Item = Entry<T>> + Send>> {
    let file = match open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Box::new(std::iter::empty())),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::new(file);
    let lines = std::iter::from_fn(move || next_line(&mut file).ok().flatten());
    Ok(Box::new(lines.filter_map(|line| serde_json::from_slice(&line).ok())))
}

/// The next line; an empty one in the place of one that is longer than any of ours.
fn next_line(file: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if file.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST {
        line.clear();
        file.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    struct Said {
        who: String,
        text: String,
        bytes: u64,
    }

    impl Counted for Said {
        fn kind(&self) -> String {
            format!("{}: {}", self.who, self.text)
        }

        fn coarseness(&self) -> usize {
            usize::from(self.text == "…") + usize::from(self.who == "…")
        }

        fn coarser(&self, coarseness: usize) -> Self {
            let others = || "…".to_owned();
            let mut said = self.clone();
            if coarseness > 0 {
                said.text = others();
            }
            if coarseness > 1 {
                said.who = others();
            }
            said
        }

        fn add(&mut self, other: &Self) {
            self.bytes += other.bytes;
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros((1_700_000_000 + second) * 1_000_000)
    }

    fn said(who: &str, text: &str) -> Said {
        Said { who: who.to_owned(), text: text.to_owned(), bytes: 1 }
    }

    fn keep() -> Keep {
        Keep { bytes: 2000, days: 10, kinds: 3 }
    }

    fn book() -> (tempfile::TempDir, Book) {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::new(folder.path().join("said.jsonl"));
        (folder, book)
    }

    fn read(book: &Book) -> Vec<(u64, String)> {
        by_day(book.read::<Said>().unwrap(), 1000)
            .iter()
            .map(|entry| (entry.count, entry.what.kind()))
            .collect()
    }

    #[test]
    fn what_is_no_line_of_a_book_is_passed_over_without_being_kept() {
        let (folder, book) = book();
        book.write(&Entry::once(at(0), said("ann", "before")), keep(), at(0)).unwrap();
        let keep = Keep { bytes: 1 << 30, ..keep() };
        let mut file = OpenOptions::new().append(true).open(book.path()).unwrap();
        file.write_all(&vec![b'x'; 200_000]).unwrap();
        book.write(&Entry::once(at(1), said("ann", "after")), keep, at(1)).unwrap();
        let counts = read(&book);
        assert_eq!(counts, [(1, "ann: after".to_owned()), (1, "ann: before".to_owned())]);
        let mut file = io::Cursor::new([vec![b'x'; 200_000], b"\nlast".to_vec()].concat());
        let found = [next_line(&mut file), next_line(&mut file), next_line(&mut file)];
        assert_eq!(found.map(Result::unwrap), [Some(Vec::new()), Some(b"last".to_vec()), None]);
        // Nobody writes into it, and nobody would read.
        let pipe = folder.path().join("pipe.jsonl");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(super::lines::<Said>(&pipe).is_err() && Book::new(pipe).try_to_open().is_err());
    }

    #[test]
    fn x8_a_flood_makes_numbers_larger_and_pushes_nothing_out() {
        let (folder, book) = book();
        book.write(&Entry::once(at(0), said("ann", "the one that counts")), keep(), at(0)).unwrap();
        for second in 1..2000 {
            book.write(&Entry::once(at(second), said("bob", "noise")), keep(), at(second)).unwrap();
        }
        assert_eq!(
            read(&book),
            [(1, "ann: the one that counts".to_owned()), (1999, "bob: noise".to_owned())]
        );
        for file in fs::read_dir(folder.path()).unwrap() {
            let size = file.unwrap().metadata().unwrap().len();
            assert!(size <= keep().bytes, "{size}");
        }
    }

    #[test]
    fn x8_a_flood_of_different_things_is_counted_together() {
        let (_folder, book) = book();
        for second in 0..3000 {
            let what = said(&format!("n{}", second % 50), &format!("text {second}"));
            book.write(&Entry::once(at(second), what), keep(), at(second)).unwrap();
        }
        let counted: Vec<Entry<Said>> = lines(&book.days()).unwrap().collect();
        let kinds: Vec<String> = counted.iter().map(|entry| entry.what.kind()).collect();
        assert_eq!(kinds, ["n0: text 0", "n1: text 1", "n2: text 2", "n3: …", "…: …"]);
        let all = |count: &dyn Fn(&Entry<Said>) -> u64| {
            book.read().unwrap().map(|entry| count(&entry)).sum::<u64>()
        };
        assert_eq!((all(&|entry| entry.count), all(&|entry| entry.what.bytes)), (3000, 3000), "none is lost");
        let rest = counted.last().unwrap();
        assert_eq!(rest.at, at(4));
        assert!(rest.until() > at(1000));
    }

    #[test]
    fn x8_what_is_older_than_its_days_goes() {
        let (_folder, book) = book();
        let day = 86_400;
        let write = |text: &str, second: i64| {
            book.sweep::<Said>(keep(), at(second)).unwrap();
            book.write(&Entry::once(at(second), said("ann", text)), keep(), at(second)).unwrap();
        };
        write("first", 0);
        write("second", 6 * day);
        assert_eq!(read(&book).len(), 2, "put aside, and still there");
        write("third", 12 * day);
        write("fourth", 18 * day);
        let texts: Vec<String> = read(&book).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(texts, ["ann: third", "ann: fourth"]);
        // What cannot be read is left out, and so is a file that is not there.
        fs::write(book.path(), b"{\"at\":\n\xff\n[]\n").unwrap();
        assert_eq!(book.read::<Said>().unwrap().count(), 1);
    }

    #[test]
    fn x8_a_torn_line_takes_no_other_line_with_it() {
        let (_folder, book) = book();
        for (second, text) in [(0, "first"), (1, "torn"), (2, "third"), (3, "fourth")] {
            book.write(&Entry::once(at(second), said("ann", text)), keep(), at(second)).unwrap();
            if text == "torn" {
                let size = fs::metadata(book.path()).unwrap().len();
                File::options().write(true).open(book.path()).unwrap().set_len(size - 9).unwrap();
            }
        }
        let texts: Vec<String> = read(&book).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(texts, ["ann: first", "ann: fourth", "ann: third"]);
    }

    #[test]
    fn x8_too_many_days_go_from_the_oldest_on() {
        let (_folder, book) = book();
        let keep = Keep { bytes: 1000, days: 1000, kinds: 3 };
        for day in 0..60 {
            for _ in 0..5 {
                let (now, what) = (at(day * 86_400), said("ann", &format!("day {day}")));
                book.write(&Entry::once(now, what), keep, now).unwrap();
            }
        }
        assert!(fs::metadata(book.days()).unwrap().len() <= keep.bytes);
        let kinds: Vec<String> =
            lines::<Said>(&book.days()).unwrap().map(|entry| entry.what.kind()).collect();
        assert!(kinds.len() > 3 && kinds.is_sorted(), "{kinds:?}");
        assert!(!kinds.contains(&"ann: day 1".to_owned()), "{kinds:?}");
    }
}
