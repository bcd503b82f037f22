//! Which part of a list a command shows.

use super::door::print_json;
use super::output::Output;
use super::stream;
use entente::TenantError;
use entente::view::{Cursor, Page, PageRequest};
use serde::Serialize;

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

    /// Shows a list: a page of it, or all of it where nothing was said about a limit and a program reads.
    pub(super) async fn show<T: Serialize>(
        self,
        output: Output,
        mut read: impl AsyncFnMut(PageRequest) -> Result<Page<T>, TenantError>,
        table: impl FnOnce(&Page<T>) -> String,
    ) -> anyhow::Result<()> {
        let page = read(self.request(output)).await?;
        if !self.is_whole(output) {
            return output.show(&page, table);
        }
        stream::print_list(0, page, read).await?;
        print_json("\n");
        Ok(())
    }

    /// Whether the whole list is printed, however long.
    pub(super) fn is_whole(self, output: Output) -> bool {
        output.json && self.limit.is_none()
    }
}

/// How many rows are shown where so many were asked for, or nothing was said; of a list that is printed as a whole,
/// how many are read at once.
pub(super) fn limit(given: Option<usize>, output: Output) -> usize {
    given.unwrap_or(if output.json { stream::AT_ONCE } else { SHOWN })
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
