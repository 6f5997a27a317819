//! Attacks under each policy, side by side: the cost of an attempt, and the CPU time that victims keep.

use super::document::{Column, Table};
use crate::analysis::percent;
use crate::results::{Attacks, Policy, Results};

/// From the laxest on.
const POLICIES: [Policy; 4] = [Policy::Baseline, Policy::Optional, Policy::Required, Policy::Limited];

/// An attack a row, a policy a column.
pub(super) fn table(results: &Results<Attacks>) -> Table {
    let policies = POLICIES.iter().map(|policy| Column::number(policy.name()));
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
        let cells = POLICIES.iter().map(|policy| cell(*policy));
        table.push([attack.to_owned()].into_iter().chain(cells));
    }
    table
}
