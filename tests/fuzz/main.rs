//! The fuzz targets of `fuzz/` without a fuzzer: their seed corpus, and random mutations of it.
//!
//!     cargo test --workspace --features entente-cli/fuzzing --test fuzz
//!
//! `FUZZ_SECONDS` is the duration of each target (default: 1), `FUZZ_SEED` the seed of the mutations. A
//! failing input is printed in hexadecimal, and reproduced by `FUZZ_INPUT`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that meets what it does not expect shall fail"
)]
#![allow(missing_docs, unreachable_pub, reason = "tests are nobody's library")]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Reproducible pseudo-random numbers (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The entries of a libFuzzer dictionary.
fn words(file: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let word = |line: &str| {
        let inner = line.strip_prefix('"')?.strip_suffix('"')?;
        let mut bytes = Vec::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match (c, chars.as_str()) {
                ('\\', rest) if rest.starts_with('x') => {
                    bytes.push(u8::from_str_radix(rest.get(1..3)?, 16).ok()?);
                    chars = rest[3..].chars();
                }
                ('\\', _) => bytes.push(u8::try_from(chars.next()?).ok()?),
                (c, _) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        Some(bytes)
    };
    text.lines().filter_map(word).collect()
}

/// Random mutations of a seed.
fn changed(seeds: &[Vec<u8>], words: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(6) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => bytes[at] = chance.next() as u8,
            2 => bytes.insert(at, chance.next() as u8),
            3 => drop(bytes.drain(at..(at + chance.below(16)).min(bytes.len()))),
            4 => bytes.truncate(at),
            5 | 6 if !words.is_empty() => {
                drop(bytes.splice(at..at, words[chance.below(words.len())].iter().copied()))
            }
            7 => {
                let other = &seeds[chance.below(seeds.len())];
                let from = chance.below(other.len() + 1);
                let piece = &other[from..(from + chance.below(40)).min(other.len())];
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
            _ => {
                let end = (at + chance.below(20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
        }
    }
    // Targets that generate their input from bytes need enough of them.
    if chance.below(4) == 0 {
        bytes.extend((0..chance.below(400)).map(|_| chance.next() as u8));
    }
    bytes
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect(variable))
}

fn run(name: &str) {
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    if let Ok(input) = std::env::var("FUZZ_INPUT") {
        return target(&hex::decode(input).expect("hexadecimal"));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut pool = files(&folder.join("seeds").join(name));
    let words = words(&folder.join("dict").join(format!("{name}.dict")));
    let mut chance = Chance(number("FUZZ_SEED", 1));
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 1));
    let seeds = pool.len();
    let mut runs = 0u64;
    while runs < seeds as u64 || Instant::now() < until {
        let input = match pool.get(runs as usize) {
            Some(seed) if runs < seeds as u64 => seed.clone(),
            _ => changed(&pool, &words, &mut chance),
        };
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            panic!(
                "{name} fails after {runs} runs: FUZZ_INPUT={}\n{}",
                hex::encode(&input),
                String::from_utf8_lossy(&input)
            );
        }
        // Some inputs are mutated further.
        if chance.below(50) == 0 && input.len() < 4000 {
            if pool.len() < 500 {
                pool.push(input);
            } else {
                let at = seeds + chance.below(500 - seeds);
                pool[at] = input;
            }
        }
        runs += 1;
    }
    eprintln!("{name}: {runs} runs");
}

macro_rules! each {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn all_targets_are_run() {
            assert_eq!(targets::TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [$(stringify!($name)),*]);
        }
    };
}

each! { answers book cards csv description grant inspect judge manifest page request scrub settings text value }
