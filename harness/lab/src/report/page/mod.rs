//! What a report says, and in what order.

mod approaches;
mod attacks;
mod break_even;
mod claims;
mod method;
mod parts;
mod summary;
mod warnings;

use anyhow::Result;

use super::collection::{Collection, Named};
use super::document::{Block, Document, Text};

/// The report of these results, which the command `bpfsig COMMAND` has asked for.
///
/// # Errors
/// A figure can't be plotted.
pub(super) fn document(results: &Collection, command: &str) -> Result<Document> {
    let mut blocks = vec![Block::Paragraph(made_by(command))];
    let partial = results.partial();
    if !partial.is_empty() {
        blocks.push(Block::Heading("These results are not whole".to_owned()));
        blocks.push(Block::List(partial.into_iter().map(Text::from).collect()));
    }
    blocks.extend(summary::blocks(results));
    blocks.extend(break_even::blocks(&results.runs)?);
    blocks.extend(parts::blocks(&results.runs)?);
    blocks.extend(attacks::blocks(&results.attacks)?);
    blocks.extend(approaches::blocks(&results.runs));
    blocks.extend(method::blocks(results));
    Ok(Document { title: "What it costs to check the signature of eBPF programs".to_owned(), blocks })
}

/// How this project's commands are typed.
fn cargo(command: &str) -> String {
    format!("cargo run --release -- {command}")
}

fn made_by(command: &str) -> Text {
    format!("Made by `{}`.", cargo(&command.replace('`', "'"))).into()
}

/// What is said of one result of several: its name first.
fn of<T>(results: &[Named<T>], result: &Named<T>, what: &str) -> String {
    if results.len() > 1 { format!("{}: {what}", result.name) } else { what.to_owned() }
}
