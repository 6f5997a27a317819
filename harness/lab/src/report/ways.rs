//! The ways to load programs, each beside the way without a proof of trust.

use super::document::{Column, Table};
use crate::analysis::{self, Run, added, ratio, times};
use crate::results::{Load, median};

/// A way a row.
pub(super) fn table(run: &Run) -> Table {
    let unit = run.unit();
    let mut table = Table::new(&[
        Column::text("way"),
        Column::number("programs"),
        Column::number("a load"),
        Column::text("next to"),
        Column::number("times"),
        Column::number("at most"),
        Column::number("more"),
        Column::number("bytes to send"),
    ]);
    let none = || "-".to_owned();
    for scenario in analysis::measured(run) {
        let loads: Vec<&Load> =
            run.results.figures.of_programs(scenario.clone()).filter(|load| load.is_accepted()).collect();
        let middle =
            |figures: Vec<f64>, show: &dyn Fn(f64) -> String| median(figures).map_or_else(none, show);
        let other = scenario.listed().and_then(|scenario| scenario.row().compared_with);
        let compared = other.and_then(|other| ratio(run, &scenario, other));
        table.push([
            format!("`{}`", scenario.as_str()),
            loads.len().to_string(),
            middle(loads.iter().filter_map(|load| load.cost()).collect(), &|cost| unit.short(cost)),
            other.filter(|_| compared.is_some()).map_or_else(none, |other| format!("`{}`", other.name())),
            compared.map_or_else(none, |compared| times(compared.median)),
            compared.map_or_else(none, |compared| times(compared.most)),
            added(run, &scenario).map_or_else(none, |added| unit.short(added.median)),
            middle(loads.iter().map(|load| load.sent_bytes as f64).collect(), &|bytes| format!("{bytes:.0}")),
        ]);
    }
    table
}
