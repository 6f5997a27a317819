//! The finding, for the first screen.

use super::super::collection::Collection;
use super::super::document::{Block, Text};
use super::warnings::warnings;
use crate::analysis::{Headline, headlines};

pub(super) fn blocks(results: &Collection) -> Vec<Block> {
    let (run, attacks) = (results.runs.first(), results.attacks.first());
    let sentences = headlines(run.map(|run| &run.result), attacks.map(|attacks| &attacks.result));
    let finding = match &sentences[..] {
        [] => Block::Paragraph("Too little was measured.".into()),
        sentences => Block::List(sentences.iter().map(emphasized).collect()),
    };
    let mut blocks = vec![Block::Heading("The finding".to_owned()), finding];
    blocks.extend(results.partial().into_iter().map(|line| Block::Paragraph(line.into())));
    match warnings(results).len() {
        0 => {}
        1 => blocks.push(Block::Paragraph("There is a warning under \"Method\".".into())),
        count => {
            blocks.push(Block::Paragraph(format!("There are {count} warnings under \"Method\".").into()))
        }
    }
    blocks
}

/// A sentence whose number stands out.
fn emphasized(headline: &Headline) -> Text {
    Text::from(&*headline.before).then(Text::strong(&*headline.number)).then(&*headline.after)
}
