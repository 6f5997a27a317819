//! The cost of each program, and its parts.

use anyhow::Result;

use super::super::collection::Named;
use super::super::document::{Block, Column, Figure, Figures, Table, Text};
use super::super::plot::{Bar, Colour, Group, bars};
use super::super::{side_by_side, table, ways};
use super::of;
use crate::analysis::{self, Run};
use crate::results::{Load, answer, median};
use crate::scenario::ScenarioName;

/// The parts of a load, from the left.
const PARTS: [(Colour, &str); 7] = [
    (Colour::Purple, "signature: message, signer's key"),
    (Colour::Vermillion, "signature: public-key operation"),
    (Colour::Orange, "signature: manifest and hash"),
    (Colour::Blue, "verifier"),
    (Colour::Sky, "JIT and rest of BPF_PROG_LOAD"),
    (Colour::Green, "signature, loader and JIT together"),
    (Colour::Grey, "other system calls"),
];

pub(super) fn blocks(runs: &[Named<Run>]) -> Result<Vec<Block>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut blocks = vec![Block::Heading("Cost of a load".to_owned())];
    for run in runs {
        blocks.extend(of_run(runs, run)?);
    }
    if runs.len() > 1 {
        let blocks_of_all = vec![
            Block::Paragraph(Text::from(side_by_side::caption(runs))),
            Block::Table(side_by_side::table(runs)),
        ];
        blocks.push(Block::Details { summary: "All runs side by side".to_owned(), blocks: blocks_of_all });
    }
    Ok(blocks)
}

fn of_run(runs: &[Named<Run>], named: &Named<Run>) -> Result<Vec<Block>> {
    let run = &named.result;
    let scenarios = analysis::measured(run);
    let mut blocks = pictures(runs, named, &scenarios)?;
    let caption = format!(
        "All system calls of a load, in {}: medians of all programs. `times`, `at most` and `more` compare each program with \
         itself. Where a program was signed with several algorithms, the first counts.",
        run.unit().plural()
    );
    let words = run.overhead.in_words(run.unit());
    blocks.push(Block::Details {
        summary: of(runs, named, "The ways to load in figures"),
        blocks: vec![
            Block::Paragraph(caption.into()),
            Block::Table(ways::table(run)),
            Block::Table(refusals(run)),
            Block::List(words.into_iter().map(Text::from).collect()),
        ],
    });
    blocks.push(Block::Details {
        summary: of(runs, named, "All programs and objects in figures"),
        blocks: vec![Block::Paragraph(table::caption(run).into()), Block::Table(table::table(run).compact())],
    });
    Ok(blocks)
}

/// Real programs: some, and folded away all.
fn pictures(runs: &[Named<Run>], named: &Named<Run>, scenarios: &[ScenarioName]) -> Result<Vec<Block>> {
    let run = &named.result;
    let unit = run.unit();
    let mut programs = real_programs(run, scenarios);
    programs.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    let group = |program: &RealProgram<'_>| group(run, scenarios, program.name);
    let figure = |title: String, groups: &[Group]| -> Result<Figure> {
        Ok(Figure { title, svg: bars(groups, &|value| unit.short(value))? })
    };
    let example = |program: RealProgram<'_>| {
        figure(program.name.to_owned(), &[Group { title: String::new(), ..group(&program) }])
    };
    let class = |class: &[RealProgram<'_>]| {
        let bounds = [class.first(), class.last()].into_iter().flatten();
        let mut bounds: Vec<String> = bounds.map(|program| unit.short(program.cost)).collect();
        bounds.dedup();
        let title = format!("Unsigned: {}", bounds.join(" to "));
        figure(title, &class.iter().map(group).collect::<Vec<_>>())
    };
    let examples = examples(&programs).into_iter().map(example).collect::<Result<_>>()?;
    let classes = programs.chunk_by(|a, b| a.cost.log10().floor() == b.cost.log10().floor());
    let all = classes.map(class).collect::<Result<_>>()?;
    let legend = legend(&programs.iter().map(group).collect::<Vec<_>>());
    let caption = format!(
        "Five of the {} real programs, from the cheapest to the dearest. A bar is a way to load the program; its colours are \
         the parts of the cost. Each picture has its own scale.",
        programs.len()
    );
    Ok(vec![
        Block::Paragraph(of(runs, named, &caption).into()),
        Block::Figures(Figures { legend: legend.clone(), figures: examples }),
        Block::Details {
            summary: of(runs, named, "All real programs"),
            blocks: vec![Block::Figures(Figures { legend, figures: all })],
        },
    ])
}

/// The parts that occur.
fn legend(groups: &[Group]) -> Vec<(Colour, String)> {
    let occurs = |colour: Colour| {
        let mut parts = groups.iter().flat_map(|group| &group.bars).flat_map(|bar| &bar.parts);
        parts.any(|(of, part)| *of == colour && *part > 0.0)
    };
    let parts = PARTS.into_iter().filter(|(colour, _)| occurs(*colour));
    parts.map(|(colour, label)| (colour, label.to_owned())).collect()
}

/// The cost of refusals.
fn refusals(run: &Run) -> Table {
    let unit = run.unit();
    let mut table = Table::new(&[
        Column::text("refused"),
        Column::text("with"),
        Column::number("programs"),
        Column::number("median"),
        Column::number("most"),
    ]);
    let mut scenarios: Vec<(&ScenarioName, i32)> = Vec::new();
    for load in run.loads().iter().filter(|load| !load.is_accepted()) {
        if !scenarios.iter().any(|(scenario, _)| **scenario == load.key.scenario) {
            scenarios.push((&load.key.scenario, load.errno));
        }
    }
    for (scenario, errno) in scenarios {
        let refused = run.results.figures.of_programs(scenario.clone()).filter(|load| !load.is_accepted());
        let figures: Vec<f64> = refused.filter_map(Load::cost).collect();
        let most = figures.iter().copied().fold(0.0, f64::max);
        let programs = figures.len();
        let Some(median) = median(figures) else { continue };
        table.push([
            format!("`{}`", scenario.as_str()),
            format!("`{}`", answer(errno)),
            programs.to_string(),
            unit.short(median),
            unit.short(most),
        ]);
    }
    table
}

/// A program that somebody wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
struct RealProgram<'a> {
    name: &'a str,
    /// In the first scenario that carries it.
    cost: f64,
}

fn real_programs<'a>(run: &'a Run, scenarios: &[ScenarioName]) -> Vec<RealProgram<'a>> {
    let mut programs: Vec<RealProgram<'_>> = Vec::new();
    for scenario in scenarios {
        let loads = run.results.figures.of_programs(scenario.clone());
        for load in loads.filter(|load| load.is_real() && load.is_accepted()) {
            let name = &*load.key.program;
            if let Some(cost) = load.cost().filter(|_| !programs.iter().any(|other| other.name == name)) {
                programs.push(RealProgram { name, cost });
            }
        }
    }
    programs
}

/// The first, the last and those at even distances between them.
fn examples<T: Copy>(programs: &[T]) -> Vec<T> {
    let last = programs.len().saturating_sub(1);
    let mut indexes: Vec<usize> = (0..5).map(|quarter| quarter * last / 4).collect();
    indexes.dedup();
    indexes.into_iter().filter_map(|index| programs.get(index).copied()).collect()
}

/// A program in each scenario.
fn group(run: &Run, scenarios: &[ScenarioName], program: &str) -> Group {
    let bar = |scenario: &ScenarioName| {
        let mut loads = run.results.figures.of_programs(scenario.clone());
        let load = loads.find(|load| load.key.program == program && load.is_accepted())?;
        let cost = load.cost()?;
        let parts = PARTS.iter().zip(parts(load, cost)).map(|((colour, _), part)| (*colour, part));
        Some(Bar {
            label: scenario.as_str().to_owned(),
            parts: parts.collect(),
            value: run.unit().short(cost),
        })
    };
    Group { title: program.to_owned(), bars: scenarios.iter().filter_map(bar).collect() }
}

/// The share of a load of each of [`PARTS`]. Medians of parts may come to a little more than the median of the whole.
fn parts(load: &Load, cost: f64) -> [f64; PARTS.len()] {
    let [message, public_key, manifest] = load.check.as_ref().map_or([0.0; 3], |check| {
        [&check.message, &check.public_key, &check.manifest].map(|part| part.median)
    });
    let verifier = load.verifier.as_ref().map_or(0.0, |verifier| verifier.median);
    let prog_load = load.prog_load_cost().unwrap_or(cost);
    let rest = (prog_load - message - public_key - manifest - verifier).max(0.0);
    let is_told_apart = load.verifier.is_some() && (load.key.algorithm.is_none() || load.check.is_some());
    let (rest, mixed) = if is_told_apart { (rest, 0.0) } else { (0.0, rest) };
    [message, public_key, manifest, verifier, rest, mixed, (cost - prog_load).max(0.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{self, check, load, summary};

    #[test]
    fn parts_come_to_the_whole() {
        let parts = |load: &Load| parts(load, load.cost().unwrap());
        let mut signed = load("one", "signed", 100);
        signed.verifier = Some(summary(40));
        signed.all_syscalls = Some(summary(130));
        // It has a signature, but nothing is known of its check.
        assert_eq!(parts(&signed), [0.0, 0.0, 0.0, 40.0, 0.0, 60.0, 30.0]);
        signed.check = Some(check([10, 20, 5]));
        assert_eq!(parts(&signed), [10.0, 20.0, 5.0, 40.0, 25.0, 0.0, 30.0]);
        // Parts that come to more than the whole.
        let mut unsigned = load("one", "unsigned", 100);
        unsigned.verifier = Some(summary(101));
        assert_eq!(parts(&unsigned), [0.0, 0.0, 0.0, 101.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn examples_are_spread_evenly() {
        assert_eq!(examples(&(0..81).collect::<Vec<_>>()), [0, 20, 40, 60, 80]);
        assert_eq!(examples(&[7, 8]), [7, 8]);
        assert!(examples::<u8>(&[]).is_empty());
    }

    #[test]
    fn what_was_not_measured_has_no_bar() {
        let loads = vec![load("one", "unsigned", 5), load("one", "signed", 9), load("two", "unsigned", 6)];
        let run = fixture::run("tcg", loads);
        let scenarios = analysis::measured(&run);
        let labels = |program| -> Vec<String> {
            group(&run, &scenarios, program).bars.into_iter().map(|bar| bar.label).collect()
        };
        assert_eq!(
            (labels("one"), labels("two")),
            (vec!["unsigned".to_owned(), "signed".to_owned()], vec!["unsigned".to_owned()])
        );
        let real = [RealProgram { name: "one", cost: 5.0 }, RealProgram { name: "two", cost: 6.0 }];
        assert_eq!(real_programs(&run, &scenarios), real);
    }
}
