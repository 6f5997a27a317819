//! Lists, as tables for people or as JSON for programs.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Prints a row for each item under `header`, or the items themselves as JSON.
pub fn print<T: Serialize, const N: usize>(
    json: bool,
    items: &[T],
    header: [&str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(items)?);
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header)
        .add_rows(items.iter().map(row));
    println!("{}", table.trim_fmt());
    Ok(())
}
