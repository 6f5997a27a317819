//! Tables in a terminal.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::document::{Column, Table, Text};

/// A table of columns as wide as they have to be.
pub fn table(table: &Table) -> String {
    let mut plain = comfy_table::Table::new();
    plain
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(table.columns.iter().map(|column| &*column.title))
        .add_rows(table.rows.iter().map(|row| row.iter().map(Text::words)));
    for (column, Column { is_number, .. }) in plain.column_iter_mut().zip(&table.columns) {
        column.set_cell_alignment(if *is_number { CellAlignment::Right } else { CellAlignment::Left });
    }
    plain.trim_fmt()
}
