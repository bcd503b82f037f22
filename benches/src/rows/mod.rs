//! The rows of the table, one file each.

mod beside;
mod binary;
mod changes;
mod component;
mod crowd;
mod first_sync;
mod full;
mod import;
mod judge;
mod judge_lines;
mod memory;
mod page_call;
mod peers;
mod plugin_start;
mod start;
mod tenants;

pub(crate) use judge_lines::read_lines;

use crate::bench::Bench;
use crate::line::Line;
use anyhow::Result;
use async_trait::async_trait;
use std::fmt;

/// A row of the table, or several that are measured together.
#[async_trait(?Send)]
pub trait Row: Sync {
    /// The name that `--only` takes.
    fn name(&self) -> &'static str;

    /// Measures it.
    ///
    /// # Errors
    /// Where it cannot be measured.
    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>>;
}

impl fmt::Debug for dyn Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All rows, in the order of the table.
pub const ALL: [&dyn Row; 17] = [
    &first_sync::FirstSync,
    &peers::Peers,
    &changes::NoChange,
    &changes::TenChanges,
    &full::Full,
    &component::Component,
    &beside::Beside,
    &crowd::Crowd,
    &page_call::PageCalls,
    &plugin_start::PluginStart,
    &judge::Judge,
    &judge_lines::JudgeLines,
    &import::Import,
    &memory::Memory,
    &tenants::Tenants,
    &start::Start,
    &binary::Binary,
];

/// 100000 as `100,000`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_by_three() {
        assert_eq!([1, 1_000, 100_000, 1_000_000].map(thousands), ["1", "1,000", "100,000", "1,000,000"]);
    }
}
