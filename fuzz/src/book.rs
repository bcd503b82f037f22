//! The books of an integration, whatever stands in their files: what is written then is there again, one by one or counted by day,
//! with what could be read before; the sums stay, and the files stay small.
//!
//! An input is pieces between zero bytes: how much is kept and what happens (calls, denials, log lines, time that passes, a byte
//! each), and the files of the three books.

use entente::{CallFilter, PluginFiles};
use entente_cli::fuzzing::{Kept, books, calls, logged};
use entente_core::Timestamp;
use entente_plugin::{Audit, HttpCall, Limits, LogLine};
use entente_sync::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const SHOP: &str = "shop";
const FILES: [&str; 9] = [
    "sent.jsonl",
    "sent.1.jsonl",
    "sent.days.jsonl",
    "denied.jsonl",
    "denied.1.jsonl",
    "denied.days.jsonl",
    "log.jsonl",
    "log.1.jsonl",
    "log.days.jsonl",
];
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// How much time passes.
const STEPS: [i64; 8] = [SECOND, 29 * SECOND, 61 * SECOND, DAY / 24, DAY, 3 * DAY, 6 * DAY, 11 * DAY];
const TEXTS: [&str; 8] = ["/v1/*", "/v1/contacts", "/", "…", "", "/a/b", "/c", "\u{fffd}\"\\"];
/// A line is no longer than what it counts and this: when the last one was, how many, and larger numbers.
const LONGER: u64 = 150;

/// It stands until it is set.
struct At(AtomicI64);

#[async_trait::async_trait]
impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {}
}

fn limits(how: u8) -> Limits {
    Limits {
        book_bytes: [2000, 5000, 20_000, 1 << 20][usize::from(how & 3)],
        book_days: [1, 2, 10, 90][usize::from(how >> 2 & 3)],
        book_kinds: [0, 1, 3, 60][usize::from(how >> 4 & 3)],
        ..Limits::default()
    }
}

/// What was written: how many, and their amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    count: u128,
    bytes_out: u128,
    bytes_in: u128,
}

impl Sum {
    fn add(&mut self, count: u64, amounts: &[u64; 3]) {
        self.count += u128::from(count);
        self.bytes_out += u128::from(amounts[0]);
        self.bytes_in += u128::from(amounts[1]);
    }

    fn of<'a>(all: impl IntoIterator<Item = &'a Kept>) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|kept| sum.add(kept.count, &kept.amounts));
        sum
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            bytes_out: self.bytes_out + other.bytes_out,
            bytes_in: self.bytes_in + other.bytes_in,
        }
    }

    fn within(self, least: Self, most: Self) -> bool {
        let is = |least, sum, most| least <= sum && sum <= most;
        is(least.count, self.count, most.count)
            && is(least.bytes_out, self.bytes_out, most.bytes_out)
            && is(least.bytes_in, self.bytes_in, most.bytes_in)
    }

    fn is_exact(self) -> bool {
        [self.count, self.bytes_out, self.bytes_in].iter().all(|sum| *sum < u128::from(u64::MAX))
    }
}

/// Does what the bytes say; of each book, what was written, and the time at which the first was.
fn happens(files: &PluginFiles, clock: &At, what: &[u8]) -> [Sum; 3] {
    let mut written = [Sum::default(); 3];
    for byte in what.iter().take(40) {
        let which = usize::from(byte >> 2 & 7);
        let text = TEXTS[which];
        let amount = u64::from(*byte) * 3;
        let call = HttpCall {
            tenant: "acme",
            integration: SHOP,
            plugin: "d1",
            method: "GET",
            to: "https://api.example.com:443",
            path: text,
            status: Some(200),
            error: None,
            denied: None,
            left: true,
            bytes_out: amount,
            bytes_in: amount + 1,
            duration: Duration::from_millis(amount),
        };
        match byte & 3 {
            0 => {
                files.http(&call);
                written[0].add(1, &[call.bytes_out, call.bytes_in, 0]);
            }
            1 => {
                let denied = Some("grant");
                files.http(&HttpCall { left: false, status: None, denied, ..call });
                written[1].add(1, &[call.bytes_out, call.bytes_in, 0]);
            }
            2 => {
                files.log(&LogLine { integration: SHOP, level: "warn", text });
                written[2].add(1, &[0; 3]);
            }
            _ => drop(clock.0.fetch_add(STEPS[which], Ordering::Relaxed)),
        }
    }
    written
}

fn size(folder: &Path, name: &str) -> u64 {
    std::fs::metadata(folder.join(name)).map_or(0, |file| file.len())
}

/// What is shown of the calls and lines is what is in the books.
fn check_shown(folder: &Path, limits: &Limits, now: Timestamp, kept: &[Vec<Kept>; 3]) {
    let since = now.micros() - i64::try_from(limits.book_days).expect("some days") * DAY;
    let filter = |left| CallFilter { left: Some(left), since: None };
    for (left, kept) in [(true, &kept[0]), (false, &kept[1])] {
        let shown = calls(folder, SHOP, filter(left), (limits, now)).expect("they can be read");
        let is = |kept: &&Kept| kept.integration == SHOP && kept.until.micros() >= since;
        let expected = Sum::of(kept.iter().filter(is));
        assert!(shown.iter().all(|call| call.left == left && call.until.micros() >= since));
        assert!(shown.is_sorted_by_key(|call| std::cmp::Reverse(call.until)), "newest first");
        if expected.is_exact() {
            assert_eq!(Sum::of(&shown), expected, "left: {left}");
        }
    }
    let lines = logged(folder, SHOP, (Timestamp::MIN, Timestamp::MAX)).expect("they can be read");
    let own = kept[2].iter().filter(|line| line.integration == SHOP);
    assert_eq!(lines.len(), own.count());
    assert!(lines.is_sorted_by_key(|line| line.at) && lines.iter().all(|line| line.integration == SHOP));
}

fn look(folder: &Path, how: u8, what: &[u8], files: &[&[u8]]) {
    let limits = limits(how);
    let own: PathBuf = folder.join("books").join(SHOP);
    std::fs::create_dir_all(&own).expect("a folder");
    for (name, bytes) in FILES.iter().zip(files).filter(|(_, bytes)| !bytes.is_empty()) {
        std::fs::write(own.join(name), bytes).expect("a file");
    }
    // 2023-11-14: before the file system's clock, by which files of older versions go.
    let clock = Arc::new(At(AtomicI64::new(1_700_000_000 * SECOND)));
    let before = books(folder, SHOP).expect("they can be read");
    for (kept, files) in before.iter().zip(files.chunks(3)) {
        let lines = files.iter().map(|bytes| bytes.split(|byte| *byte == b'\n').count()).sum::<usize>();
        assert!(kept.len() <= lines);
    }
    check_shown(folder, &limits, clock.now(), &before);
    let books_of = PluginFiles::new(folder, Arc::clone(&clock) as Arc<dyn Clock>).within(&limits);
    let written = happens(&books_of, &clock, what);
    // What was only counted until now is written.
    drop(books_of);
    let now = clock.now();
    let since = now.micros() - i64::try_from(limits.book_days).expect("some days") * DAY;
    let after = books(folder, SHOP).expect("they can be read");
    let young = 1_700_000_000 * SECOND >= since;
    for (((before, after), written), names) in before.iter().zip(&after).zip(written).zip(FILES.chunks(3)) {
        let sum = Sum::of(after);
        let most = Sum::of(before).and(written);
        let sizes = before.iter().map(|kept| kept.size + LONGER).sum::<u64>() + written.count as u64 * 400;
        let kept = Sum::of(before.iter().filter(|kept| kept.until.micros() >= since));
        let least = match sizes <= limits.book_bytes && most.is_exact() {
            true if young => kept.and(written),
            true => kept,
            false => Sum::default(),
        };
        assert!(
            !most.is_exact() || sum.within(least, most),
            "{names:?}: {least:?} {sum:?} {most:?}\n{before:?}\n{after:?}"
        );
        let most = limits.book_bytes / 2 + 1000;
        if files.iter().all(|bytes| (bytes.len() as u64) < most) {
            assert!(size(&own, names[0]) <= most && size(&own, names[1]) <= most, "{names:?}");
            assert!(size(&own, names[2]) <= limits.book_bytes.max(most), "{names:?}");
        }
    }
    check_shown(folder, &limits, now, &after);
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let mut pieces = rest.split(|byte| *byte == 0);
    let what = pieces.next().unwrap_or_default();
    let mut files: Vec<&[u8]> = pieces.take(FILES.len()).collect();
    files.resize(FILES.len(), &[]);
    let folder = tempfile::tempdir().expect("a folder");
    look(folder.path(), *how, what, &files);
}
