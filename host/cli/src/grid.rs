//! Tables for people: a column is never narrower than its words, and where all of them together are wider than the terminal, each
//! row is a list of what its columns hold.

use super::door::shows_results;
use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use std::fmt;

/// The longest word that keeps a column wide: addresses and moments may be broken.
const LONGEST: usize = 16;

/// What a border and its padding take for each column.
const AROUND: usize = 3;

/// A table with a head.
pub(super) struct Grid {
    table: Table,
    /// The columns of the terminal; `None` where nobody looks, and no line is broken.
    width: Option<usize>,
}

impl Grid {
    /// An empty table with a head, for where results go.
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        let width = if shows_results() { Table::new().width().map(usize::from) } else { None };
        Self::of_width(head, width)
    }

    fn of_width<const N: usize>(head: [&str; N], width: Option<usize>) -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(head);
        Self { table, width }
    }

    /// Replaces the head.
    pub(super) fn set_header(&mut self, head: impl Into<Row>) {
        self.table.set_header(head);
    }

    /// Adds a row.
    pub(super) fn add_row(&mut self, row: impl Into<Row>) {
        self.table.add_row(row);
    }

    /// The length of the longest word of each column, its head included.
    fn words(&self) -> Vec<usize> {
        let mut words = Vec::new();
        for row in self.table.header().into_iter().chain(self.table.row_iter()) {
            for (column, cell) in row.cell_iter().enumerate() {
                let content = cell.content();
                let longest = content.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
                let longest = longest.min(LONGEST);
                match words.get_mut(column) {
                    Some(known) => *known = longest.max(*known),
                    None => words.push(longest),
                }
            }
        }
        words
    }

    /// Each row as a list: what its first column holds, and below it the others with their heads.
    fn lists(&self) -> String {
        let heads: Vec<String> =
            self.table.header().into_iter().flat_map(Row::cell_iter).map(|cell| cell.content()).collect();
        let mut lines = Vec::new();
        for row in self.table.row_iter() {
            let cells = row.cell_iter().map(|cell| cell.content()).zip(&heads);
            for (n, (content, head)) in cells.enumerate() {
                match content.as_str() {
                    // What counts nothing.
                    "" | "·" => {}
                    _ if n == 0 => lines.push(content),
                    _ if head.is_empty() => lines.push(format!("  {content}")),
                    _ => lines.push(format!("  {head}: {content}")),
                }
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(width) = self.width else {
            let mut table = self.table.clone();
            // Piped output is not wrapped: what is cut into lines cannot be searched.
            return write!(f, "{}", table.set_content_arrangement(ContentArrangement::Disabled));
        };
        let words = self.words();
        if words.iter().map(|word| word + AROUND).sum::<usize>() + 1 > width {
            return f.write_str(&self.lists());
        }
        let mut table = self.table.clone();
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        // With its padding.
        let least = words.into_iter().map(|word| {
            ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(word + 2).unwrap_or(u16::MAX)))
        });
        table.set_constraints(least.collect::<Vec<_>>());
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(width: Option<usize>) -> String {
        let mut grid = Grid::of_width(["side", "object", "reported", "created", "", "unchanged"], width);
        grid.add_row(["HelloWorld", "organisation", "12", "·", "", "12"]);
        grid.add_row(["hub", "company", "1200", "7", "what it says of that, in several words", "·"]);
        grid.to_string()
    }

    #[test]
    fn no_word_is_broken_where_its_row_can_be_a_list() {
        for width in [40, 60, 76, 80, 100, 200] {
            let text = counts(Some(width));
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}\n{text}");
            }
            for word in ["HelloWorld", "organisation", "reported", "unchanged", "company", "several"] {
                assert!(text.contains(word), "{width}: «{word}» is broken:\n{text}");
            }
        }
        insta::assert_snapshot!(counts(Some(50)), @r"
        HelloWorld
          object: organisation
          reported: 12
          unchanged: 12
        hub
          object: company
          reported: 1200
          created: 7
          what it says of that, in several words
        ");
    }

    #[test]
    fn what_nobody_looks_at_is_a_line_a_row() {
        assert_eq!(counts(None).lines().count(), 6, "{}", counts(None));
    }
}
