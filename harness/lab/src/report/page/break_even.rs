//! The program size above which a check is cheaper than verification.

use anyhow::Result;
use bpfsig_signing::key::Algorithm;

use super::super::collection::Named;
use super::super::document::{Block, Column, Figure, Figures, Table};
use super::super::plot::{Axes, Colour, Curve, curves};
use super::of;
use crate::analysis::{BreakEven, Finding, Run, number};
use crate::results::Load;
use crate::scenario::Scenario;

const ALGORITHMS: [Colour; Algorithm::ALL.len()] = [
    Colour::Green,
    Colour::Sky,
    Colour::Blue,
    Colour::Orange,
    Colour::Vermillion,
    Colour::Yellow,
    Colour::Purple,
    Colour::Brown,
];

/// One view of it.
struct View {
    title: &'static str,
    axis: &'static str,
    /// The prefix of the generated programs that differ in nothing else.
    ladder: &'static str,
    x: fn(&Load) -> Option<u64>,
    break_even: fn(&Finding) -> BreakEven,
}

const VIEWS: [View; 2] = [
    View {
        title: "By size",
        axis: "size of the program, instructions",
        ladder: "straight-",
        x: |load| Some(load.insns.into()),
        break_even: |finding| finding.break_even_insns,
    },
    View {
        title: "By the verifier's effort",
        axis: "instructions processed by the verifier",
        ladder: "loop-",
        x: |load| Some(load.verifier_stats?.total_insns),
        break_even: |finding| finding.break_even_processed,
    },
];

pub(super) fn blocks(runs: &[Named<Run>]) -> Result<Vec<Block>> {
    let mut figures = Vec::new();
    let mut algorithms = Vec::new();
    for run in runs {
        for view in &VIEWS {
            if let Some(svg) = plot(&run.result, view)? {
                figures.push(Figure { title: of(runs, run, view.title), svg });
            }
        }
        for algorithm in run.result.findings.iter().map(|finding| finding.algorithm) {
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
    }
    if figures.is_empty() {
        return Ok(Vec::new());
    }
    let checks =
        algorithms.iter().zip(ALGORITHMS).map(|(algorithm, colour)| (colour, format!("check, {algorithm}")));
    let legend = [(Colour::Ink, "verification".to_owned())].into_iter().chain(checks);
    let legend = legend.chain([(Colour::Grey, "verification, real programs".to_owned())]).collect();
    Ok(vec![
        Block::Heading("Check and verification".to_owned()),
        Block::Paragraph(
            "The cost of verifying a program, and of checking its signature. A circle marks where the check becomes cheaper. A \
             dot is one real program. Both scales are logarithmic."
                .into(),
        ),
        Block::Figures(Figures { legend, figures }),
        Block::Details {
            summary: "The algorithms in figures".to_owned(),
            blocks: vec![
                Block::Paragraph(
                    "By size: straight-line programs. By effort: a loop of four instructions, which the verifier follows more \
                     and more often."
                        .into(),
                ),
                Block::Table(table(runs).compact()),
            ],
        },
    ])
}

/// None if too little was measured for a line.
fn plot(run: &Run, view: &View) -> Result<Option<String>> {
    let x = |load: &Load| (view.x)(load).map(|x| x as f64);
    let signed = || run.results.figures.of_programs(Scenario::Signed.into());
    let mut ladder: Vec<(f64, &Load)> = signed()
        .filter(|load| load.key.program.starts_with(view.ladder))
        .filter_map(|load| Some((x(load)?, load)))
        .collect();
    ladder.sort_by(|a, b| a.0.total_cmp(&b.0));
    let verification = |load: &Load| load.verifier.as_ref().map(|verifier| verifier.median);
    let manifest = |load: &Load| load.check.as_ref().map(|check| check.manifest.median);
    let points = |height: &dyn Fn(&Load) -> Option<f64>| -> Vec<(f64, f64)> {
        ladder.iter().filter_map(|(x, load)| Some((*x, height(load)?))).collect()
    };
    let verifications = points(&verification);
    if verifications.len() < 2 {
        return Ok(None);
    }
    let check = |(finding, colour): (&Finding, Colour)| Curve {
        colour,
        points: points(&|load| Some(finding.message + finding.public_key + manifest(load)?)),
        mark: match (view.break_even)(finding) {
            BreakEven::From(x) => Some(x),
            _ => None,
        },
    };
    let lines = [Curve { colour: Colour::Ink, points: verifications, mark: None }];
    let lines: Vec<Curve> = lines.into_iter().chain(run.findings.iter().zip(ALGORITHMS).map(check)).collect();
    let real = signed().filter(|load| load.is_real());
    let cloud: Vec<(f64, f64)> = real.filter_map(|load| Some((x(load)?, verification(load)?))).collect();
    let unit = run.unit();
    let axes = Axes { x: view.axis, y: unit.plural(), show: &|value| unit.short(value) };
    curves(&axes, &lines, &cloud).map(Some)
}

/// The finding of each algorithm, by run.
fn table(runs: &[Named<Run>]) -> Table {
    let mut table = Table::new(&[
        Column::text("algorithm"),
        Column::number("message, key"),
        Column::number("public key"),
        Column::number("hash, each insn"),
        Column::number("forged"),
        Column::number("unknown signer"),
        Column::number("cheaper from, insns"),
        Column::number("from, processed"),
        Column::number("real programs"),
    ]);
    for run in runs {
        let unit = run.result.unit();
        let show = |cost: Option<f64>| cost.map_or("-".to_owned(), |cost| unit.short(cost));
        for finding in &run.result.findings {
            table.push([
                of(runs, run, &finding.algorithm.to_string()),
                unit.short(finding.message),
                unit.short(finding.public_key),
                show(finding.manifest_per_insn),
                show(finding.forged),
                show(finding.unknown_signer),
                from(finding.break_even_insns),
                from(finding.break_even_processed),
                format!("{} of {}", finding.real_programs_cheaper, finding.real_programs),
            ]);
        }
    }
    table
}

fn from(break_even: BreakEven) -> String {
    match break_even {
        BreakEven::Unknown => "-".to_owned(),
        BreakEven::From(x) => number(x),
        BreakEven::BelowSmallest(x) => format!("< {}", number(x)),
        BreakEven::AboveLargest(x) => format!("> {}", number(x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    #[test]
    fn a_line_takes_two_points() {
        let program = |name: &str, insns: u32, verifier: u64| {
            let mut load = fixture::load(name, "signed", 1000);
            load.insns = insns;
            load.verifier = Some(fixture::summary(verifier));
            load.check = Some(fixture::check([10, 100, insns.into()]));
            load
        };
        let svg = |loads| plot(&fixture::run("tcg", loads), &VIEWS[0]).unwrap();
        let real = program("xdp_acl", 20, 70);
        assert_eq!(svg(vec![program("straight-2", 2, 4), real.clone()]), None);
        let svg = svg(vec![program("straight-200", 200, 900), real, program("straight-2", 2, 4)]).unwrap();
        // Verification and check; the real program and the break-even.
        assert_eq!(
            (svg.matches(r#"stroke-width="5""#).count(), svg.matches("<circle").count()),
            (2, 2),
            "{svg}"
        );
    }
}
