//! Tables in a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table of columns as wide as they have to be. Those that are `text` are aligned to the left, numbers to the right.
pub fn table(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = Vec<String>>,
    text: impl Fn(usize) -> bool,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header)
        .add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if text(index) { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.trim_fmt()
}
