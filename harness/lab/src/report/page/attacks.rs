//! What attackers get, and what others have left.

use anyhow::Result;

use super::super::attack_table;
use super::super::collection::Named;
use super::super::document::{Block, Column, Figure, Figures, Table, Text};
use super::super::plot::{Colour, Dots, dots};
use super::of;
use crate::analysis::{self, percent};
use crate::results::{Attacks, Policy, Results};

/// In the order in which the dots of an attack stand below each other.
const POLICIES: [(Policy, Colour, &str); 4] = [
    (Policy::Baseline, Colour::Grey, "baseline: without the patches"),
    (Policy::Optional, Colour::Orange, "optional: signatures are checked where there are any"),
    (Policy::Required, Colour::Blue, "required: every program must be signed"),
    (Policy::Limited, Colour::Green, "required+limit: and what failures cost is limited"),
];

pub(super) fn blocks(attacks: &[Named<Results<Attacks>>]) -> Result<Vec<Block>> {
    if attacks.is_empty() {
        return Ok(Vec::new());
    }
    let mut blocks = vec![Block::Heading("Denial of service".to_owned())];
    let sentences = attacks.iter().flat_map(|named| {
        analysis::sentences(&named.result)
            .into_iter()
            .map(|sentence| Text::from(of(attacks, named, &sentence)))
    });
    blocks.push(Block::List(sentences.collect()));
    let plot = |named: &Named<Results<Attacks>>| -> Result<Figure> {
        Ok(Figure {
            title: of(attacks, named, "What victims have left of their CPU time"),
            svg: plot(&named.result)?,
        })
    };
    blocks.push(Block::Paragraph(
        "Each row is an attack; its dots stand for the policies, in the legend's order from the top. 100 % is what the same \
         victims have without an attacker: the further to the left, the worse the attack. An attacker who only computes \
         is `spin`."
            .into(),
    ));
    let legend = POLICIES.iter().map(|(_, colour, label)| (*colour, (*label).to_owned())).collect();
    blocks
        .push(Block::Figures(Figures { legend, figures: attacks.iter().map(plot).collect::<Result<_>>()? }));
    for named in attacks {
        let unit = named.result.environment.unit;
        let caption = format!("What an attempt costs, in {}, and what victims have left.", unit.plural());
        blocks.push(Block::Paragraph(of(attacks, named, &caption).into()));
        blocks.push(Block::Table(short(&named.result)));
        blocks.push(Block::Details {
            summary: of(attacks, named, "All figures of the attacks"),
            blocks: vec![
                Block::Paragraph(attack_table::caption(&named.result).into()),
                Block::Table(attack_table::table(&named.result)),
            ],
        });
    }
    Ok(blocks)
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
    dots("of what they have without an attacker", &rows)
}

/// An attack a row, a policy a column.
fn short(results: &Results<Attacks>) -> Table {
    let policies = POLICIES.iter().map(|(policy, ..)| Column::number(policy.name()));
    let mut table =
        Table { columns: [Column::text("attack")].into_iter().chain(policies).collect(), rows: Vec::new() };
    for attack in results.figures.names() {
        let cell = |policy| match results.figures.get(attack, policy) {
            None => "-".to_owned(),
            Some(result) => {
                let share = percent(result.victim_share_relative);
                let cost = result.cost.map(|cost| results.environment.unit.short(cost.per_attempt));
                cost.map_or(share.clone(), |cost| format!("{cost}, {share}"))
            }
        };
        let cells = POLICIES.iter().map(|(policy, ..)| cell(*policy));
        table.push([attack.to_owned()].into_iter().chain(cells));
    }
    table
}
