//! Which part of a list a command shows.

use super::output::Output;
use entente::view::{Cursor, Page, PageRequest};

/// How many rows people are shown unless they ask for more.
const SHOWN: usize = 50;

/// Options of commands that show a list.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct PageArgs {
    /// How many to show [default: 50; with --json all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Go on after a page: the cursor that it named
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

impl PageArgs {
    /// The page that is asked for.
    pub(super) fn request(self, output: Output) -> PageRequest {
        PageRequest { after: self.after, limit: limit(self.limit, output) }
    }
}

/// How many rows are shown where so many were asked for, or nothing was said.
pub(super) fn limit(given: Option<usize>, output: Output) -> usize {
    // One less than the most, since a page reads one row more than it shows.
    given.unwrap_or(if output.json { usize::MAX - 1 } else { SHOWN })
}

/// For people: that there is more than is shown.
pub(super) fn more<T>(page: &Page<T>, what: &str) -> String {
    match (page.next, page.total) {
        (Some(_), Some(total)) => {
            format!("\nthe first {} of {total} {what}; more with --limit, all with --json", page.rows.len())
        }
        _ => String::new(),
    }
}

/// For people: how to see the next page.
pub(super) fn go_on<T>(page: &Page<T>) -> String {
    page.next.map(|next| format!("\nthe next ones: --after {next}")).unwrap_or_default()
}
