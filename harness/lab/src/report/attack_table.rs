//! Attacks as a table.

use super::document::{Column, Table, Text};
use crate::analysis::{number, percent};
use crate::results::{AttackResult, Attacks, Results, Unit, answer};

const COLUMNS: [Column; 13] = [
    Column::text("attack"),
    Column::text("policy"),
    Column::text("answer"),
    Column::number("an attempt"),
    Column::number("amplification"),
    Column::number("attempts/s"),
    Column::number("peak memory"),
    Column::number("victims' share"),
    Column::number("of alone"),
    Column::number("p50"),
    Column::number("p99"),
    Column::number("load p50"),
    Column::number("load max"),
];

/// One row per attack and policy.
pub(super) fn table(results: &Results<Attacks>) -> Table {
    let unit = results.environment.unit;
    let rows = results.figures.names().into_iter().flat_map(|attack| {
        let of_attack = results.figures.attacks.iter().filter(move |result| result.key.attack == attack);
        of_attack.enumerate().map(|(index, result)| row(result, unit, index == 0).map(Text::from).into())
    });
    Table { columns: COLUMNS.into(), rows: rows.collect() }
}

fn row(result: &AttackResult, unit: Unit, is_first: bool) -> [String; 13] {
    let none = || "-".to_owned();
    let cost = result.cost.as_ref();
    [
        if is_first { result.key.attack.clone() } else { String::new() },
        result.key.policy.name().to_owned(),
        cost.map_or_else(none, |cost| answer(cost.errno)),
        cost.map_or_else(none, |cost| unit.short(cost.per_attempt)),
        cost.map_or_else(none, |cost| number(cost.amplification)),
        cost.map_or_else(none, |cost| per_second(cost.attempts_per_second)),
        cost.map_or_else(none, |cost| bytes(cost.peak_memory)),
        percent(result.victim_share),
        percent(result.victim_share_relative),
        unit.short(result.victim_p50 as f64),
        unit.short(result.victim_p99 as f64),
        unit.short(result.load_p50 as f64),
        unit.short(result.load_max as f64),
    ]
}

/// How the figures came about.
pub(super) fn caption(results: &Results<Attacks>) -> String {
    let unit = results.environment.unit;
    format!(
        "In {}. `an attempt`: all that one costs the machine; `amplification`: what the kernel does for each \
         instruction of the attacker's own. The victims are watched for {} while each thread of the attackers \
         attempts {} loads a second; `of alone`: their share of the CPU as a part of what they have without an \
         attacker; p50, p99: from when the periodic one is due until it is done.",
        unit.plural(),
        unit.short(results.figures.window as f64),
        results.figures.attempts_per_second,
    )
}

fn per_second(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.2}") } else { number(rate) }
}

/// Three digits would be more than the sampler knows.
fn bytes(bytes: u64) -> String {
    const MIB: f64 = (1 << 20) as f64;
    match bytes as f64 / MIB {
        small if small < 1.0 => "< 1 MiB".to_owned(),
        mib => format!("{mib:.0} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!([0.22, 12_345.0].map(per_second), ["0.22", "12.3 k"]);
        assert_eq!([4096, 3 << 19, 1300 << 20].map(bytes), ["< 1 MiB", "2 MiB", "1300 MiB"]);
    }
}
