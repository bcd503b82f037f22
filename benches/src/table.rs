//! Output: the table for people, and JSON lines for programs.

use crate::line::Line;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// All lines as a table.
pub fn as_table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["what", "figure", "beside", "comparison", "ratio", "goal", "holds"]);
    for column in [1, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in lines {
        let text = |text: Option<String>| text.unwrap_or_default();
        table.add_row([
            match &line.note {
                Some(note) => format!("{}\n  ({note})", line.what),
                None => line.what.clone(),
            },
            line.figure.map_or_else(|| "–".to_owned(), |figure| figure.to_string()),
            text(line.beside.clone()),
            text(line.comparison.map(|comparison| comparison.to_string())),
            text(line.ratio.map(|ratio| format!("{ratio:.2} ×"))),
            text(line.goal.clone()),
            line.holds.word().to_owned(),
        ]);
    }
    table.to_string()
}

/// A line as JSON.
///
/// # Errors
/// Where a figure is no number.
pub fn as_json(line: &Line) -> serde_json::Result<String> {
    serde_json::to_string(line)
}
