//! Attacks: their cost, and the CPU time that others keep.

use anyhow::Result;

use super::super::collection::Named;
use super::super::document::{Block, Figure, Figures, Text};
use super::super::plot::{Colour, Dots, dots};
use super::super::{attack_table, policies};
use super::of;
use crate::analysis;
use crate::results::{Attacks, Policy, Results};

/// In the order in which the dots of an attack stand below each other.
const POLICIES: [(Policy, Colour, &str); 4] = [
    (Policy::Baseline, Colour::Grey, "baseline: without the patches"),
    (Policy::Optional, Colour::Orange, "optional: unsigned programs are taken, too"),
    (Policy::Required, Colour::Blue, "required: every program must be signed"),
    (Policy::Limited, Colour::Green, "required+limit: and failures are limited"),
];

pub(super) fn blocks(attacks: &[Named<Results<Attacks>>]) -> Result<Vec<Block>> {
    if attacks.is_empty() {
        return Ok(Vec::new());
    }
    let mut blocks = vec![
        Block::Heading("Denial of service".to_owned()),
        Block::Paragraph(
            "A row is an attack: somebody loads programs again and again. A dot is the CPU time that other work keeps, under one \
             policy each. `spin` computes and loads nothing."
                .into(),
        ),
    ];
    let plot = |named: &Named<Results<Attacks>>| -> Result<Figure> {
        Ok(Figure { title: of(attacks, named, "CPU time that other work keeps"), svg: plot(&named.result)? })
    };
    let legend = POLICIES.iter().map(|(_, colour, label)| (*colour, (*label).to_owned())).collect();
    blocks
        .push(Block::Figures(Figures { legend, figures: attacks.iter().map(plot).collect::<Result<_>>()? }));
    for named in attacks {
        blocks.push(Block::Details {
            summary: of(attacks, named, "The attacks in figures"),
            blocks: figures(&named.result),
        });
    }
    Ok(blocks)
}

/// Sentences, a short table and the whole one.
fn figures(results: &Results<Attacks>) -> Vec<Block> {
    let unit = results.environment.unit;
    vec![
        Block::List(analysis::sentences(results).into_iter().map(Text::from).collect()),
        Block::Paragraph(
            format!("The cost of an attempt, in {}, and the CPU time that victims keep.", unit.plural())
                .into(),
        ),
        Block::Table(policies::table(results)),
        Block::Paragraph(attack_table::caption(results).into()),
        Block::Table(attack_table::table(results)),
    ]
}

fn plot(results: &Results<Attacks>) -> Result<String> {
    let row = |attack: &str| Dots {
        label: attack.to_owned(),
        parts: POLICIES
            .iter()
            .map(|(policy, colour, _)| {
                (*colour, results.figures.get(attack, *policy).map(|result| result.victim_share_relative))
            })
            .collect(),
    };
    let rows: Vec<Dots> = results.figures.names().into_iter().map(row).collect();
    dots("of the CPU time without an attacker", &rows)
}
