//! End-to-end tests: the program `entente` with real components, real HTTP and real files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod canary;
mod compile;
#[cfg(unix)]
mod completion;
mod configuration;
mod facts;
mod faults;
mod files;
mod found;
mod grants;
mod histories;
mod holds;
mod hostile;
mod imports;
mod inspect;
mod json;
mod judge;
mod kill;
mod languages;
mod leftovers;
#[cfg(target_os = "linux")]
mod locked;
mod manifest;
mod merging;
mod operator;
mod options;
mod quickstart;
mod rebind;
mod records;
mod remove;
mod rerun;
#[cfg(unix)]
mod restored;
mod second_crm;
mod seen;
#[cfg(unix)]
mod stops;
mod syncing;
mod tenants;
#[cfg(unix)]
mod terminal;
mod world;
