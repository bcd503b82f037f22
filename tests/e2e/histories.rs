//! Random histories of the program against a remote system that was written from hello-crm's interface alone, in another
//! language (`tests/second-crm`, whose README says what is drawn and what must hold).
//!
//! `ENTENTE_HISTORIES=1000` draws so many, from the seed `ENTENTE_HISTORY_FIRST` on; `ENTENTE_HISTORY_SEED=N` runs one, and
//! shrinks it if it fails.

mod draw;
mod facts;
mod story;

use crate::second_crm::SecondCrm;
use crate::world::Home;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use story::connect;
use story::{Ended, Story};

/// Histories of a run where nobody asks for more.
const HISTORIES: u64 = 100;

/// Where their seeds begin.
const FIRST_SEED: u64 = 20_140_000;

/// Histories at once. Most of their time they wait: for a request that may still be under way, for a pause that the
/// remote system asked for.
const AT_ONCE: u64 = 12;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// One home for each account of the remote system, with the integration set up.
fn homes(crm: &SecondCrm) -> Vec<Home> {
    let template = Home::with_plugin();
    let connect = |account: &crate::second_crm::Account| {
        let home = template.copy();
        connect(&home, account);
        home
    };
    crm.accounts.iter().map(connect).collect()
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Runs a history; its end, or the story with what went wrong.
fn run(
    seed: u64,
    skip: &[usize],
    home: &Home,
    account: &crate::second_crm::Account,
) -> Result<Ended, String> {
    let story = Mutex::new(Story::new(seed, home, account));
    let ended = catch_unwind(AssertUnwindSafe(|| story.lock().unwrap().run(skip)));
    let told = |what: &str| {
        let story = story.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        format!("{}\n    {what}", story.told())
    };
    match ended {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(what)) => Err(told(&what)),
        Err(panic) => Err(told(&said(&*panic))),
    }
}

/// Leaves out steps for as long as the history fails; the shortest story.
fn shrink(seed: u64, failed: String, home: &Home, account: &crate::second_crm::Account) -> String {
    let (mut skip, mut shortest) = (Vec::new(), failed);
    for step in (0..draw::steps(seed)).rev() {
        skip.push(step);
        match run(seed, &skip, home, account) {
            Err(told) => shortest = told,
            Ok(_) => {
                skip.pop();
            }
        }
    }
    shortest
}

/// How to see one history alone.
fn alone(seed: u64) -> String {
    format!("ENTENTE_HISTORY_SEED={seed} cargo test -p entente-cli --test e2e histories -- --nocapture")
}

#[test]
fn random_histories_lose_nothing_and_double_nothing() {
    let only = number("ENTENTE_HISTORY_SEED");
    let count = if only.is_some() { 1 } else { number("ENTENTE_HISTORIES").unwrap_or(HISTORIES) };
    let first = only.or_else(|| number("ENTENTE_HISTORY_FIRST")).unwrap_or(FIRST_SEED);
    let crm = SecondCrm::start(usize::try_from(AT_ONCE.min(count)).unwrap());
    let homes = homes(&crm);
    let (next, failed, all) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()), Mutex::new(Ended::default()));
    std::thread::scope(|scope| {
        for (home, account) in homes.iter().zip(&crm.accounts) {
            scope.spawn(|| {
                loop {
                    let seed = first + next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    match run(seed, &[], home, account) {
                        Ok(ended) => all.lock().unwrap().add(&ended),
                        Err(told) => {
                            let told = if only.is_some() { shrink(seed, told, home, account) } else { told };
                            failed.lock().unwrap().insert(seed, told);
                        }
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    println!("{count} histories: {all}");
    let failed = failed.into_inner().unwrap();
    let told = |(seed, told): (&u64, &String)| format!("seed {seed}\n{told}\n    alone: {}", alone(*seed));
    let stories: Vec<String> = failed.iter().map(told).collect();
    assert!(failed.is_empty(), "{} of {count} histories failed\n\n{}", failed.len(), stories.join("\n\n"));
}
