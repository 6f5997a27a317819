//! The parts of a report, in their order.

mod approaches;
mod attacks;
mod break_even;
mod claims;
mod fleet;
mod mainline;
mod method;
mod parts;
mod summary;
mod warnings;

use anyhow::Result;

use super::collection::{Collection, Named};
use super::document::{Block, Document, Text};

/// The report of these results; `command` is the command `bpfsig COMMAND` that has asked for it.
///
/// # Errors
/// A figure can't be plotted.
pub(super) fn document(results: &Collection, command: &str) -> Result<Document> {
    let mut blocks = summary::blocks(results);
    blocks.extend(break_even::blocks(&results.runs)?);
    blocks.extend(attacks::blocks(&results.attacks)?);
    blocks.extend(mainline::blocks(&results.runs));
    blocks.extend(fleet::blocks(&results.runs));
    blocks.extend(parts::blocks(&results.runs)?);
    blocks.extend(approaches::blocks(&results.runs));
    blocks.extend(method::blocks(results));
    blocks.push(Block::Paragraph(made_by(command)));
    Ok(Document { title: "The cost of signed eBPF programs".to_owned(), blocks })
}

/// How this project's commands are typed.
fn cargo(command: &str) -> String {
    format!("cargo run --release -- {command}")
}

fn made_by(command: &str) -> Text {
    format!("Made by `{}`.", cargo(&command.replace('`', "'"))).into()
}

/// A sentence on one result of several: its name first.
fn of<T>(results: &[Named<T>], result: &Named<T>, what: &str) -> String {
    if results.len() > 1 { format!("{}: {what}", result.name) } else { what.to_owned() }
}
