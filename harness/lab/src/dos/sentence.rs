//! What follows from the figures, in words.

use std::fmt::Write;

use super::attack::Class;
use super::results::{Cell, Cost, Results};
use super::table::percent;
use crate::engine::Unit;
use crate::guest::dos::Policy;
use crate::report::quantity::number;

/// What the results say, as far as what they compare has been measured.
pub fn sentences(results: &Results) -> Vec<String> {
    let figures = Figures { cells: &results.dos, unit: results.environment.unit };
    [figures.shrinks(), figures.worse(), figures.limit(), figures.victims(), figures.valid()]
        .into_iter()
        .flatten()
        .collect()
}

struct Figures<'a> {
    cells: &'a [Cell],
    unit: Unit,
}

/// Attacks that signatures are meant to stop.
const STOPPED: [Class; 2] = [Class::Unsigned, Class::Invalid];

impl<'a> Figures<'a> {
    /// By how much the worst attack shrinks.
    fn shrinks(&self) -> Option<String> {
        let (before, after) = (Policy::Baseline, Policy::Limited);
        let by_cost = |policy| self.worst(policy, &STOPPED, |cost| cost.per_attempt);
        let by_amplification = |policy| self.worst(policy, &STOPPED, |cost| cost.amplification);
        let ((dear, dear_cost), (cheap, cheap_cost)) = (by_cost(before)?, by_cost(after)?);
        let ((loud, loud_cost), (quiet, quiet_cost)) = (by_amplification(before)?, by_amplification(after)?);
        let words = |cost: &Cost| self.unit.in_words(cost.per_attempt);
        Some(format!(
            "Checking the signature first and limiting failures shrinks the most that one attempt burns by a factor \
             of {}, from {} ({}) to {} ({}), and the largest amplification by a factor of {}, from {} ({}) to {} ({}).",
            number(dear_cost.per_attempt / cheap_cost.per_attempt),
            words(dear_cost),
            dear.attack,
            words(cheap_cost),
            cheap.attack,
            number(loud_cost.amplification / quiet_cost.amplification),
            number(loud_cost.amplification),
            loud.attack,
            number(quiet_cost.amplification),
            quiet.attack,
        ))
    }

    /// Where a check costs more than what it saves.
    fn worse(&self) -> Option<String> {
        let small = self.cost("unsigned-small", Policy::Baseline)?.per_attempt;
        let dearer: Vec<String> = self
            .of(Policy::Required, &[Class::Invalid])
            .filter(|(_, cost)| cost.per_attempt > small)
            .map(|(cell, cost)| format!("{} ({:.1})", cell.attack, cost.per_attempt / small))
            .collect();
        let what = format!(
            "than to load a program of two instructions without a signature ({})",
            self.unit.in_words(small)
        );
        (!dearer.is_empty()).then(|| {
            format!(
                "Without the limit, these cost more to refuse {what}, by a factor: {}.",
                dearer.join(", ")
            )
        })
    }

    /// What the limit does.
    fn limit(&self) -> Option<String> {
        let per_attempt = |cost: &Cost| cost.per_attempt;
        let (before, before_cost) = self.worst(Policy::Required, &[Class::Invalid], per_attempt)?;
        let (after, after_cost) = self.worst(Policy::Limited, &[Class::Invalid], per_attempt)?;
        Some(format!(
            "The limit takes the dearest invalid signature from {} ({}) to {} ({}).",
            self.unit.in_words(before_cost.per_attempt),
            before.attack,
            self.unit.in_words(after_cost.per_attempt),
            after.attack,
        ))
    }

    /// What victims have left of the worst attack that signatures are meant to stop.
    fn victims(&self) -> Option<String> {
        let stopped = || {
            self.cells.iter().filter(|cell| cell.policy == Policy::Limited && STOPPED.contains(&cell.class))
        };
        let share = stopped().min_by(|a, b| a.victim_share_relative.total_cmp(&b.victim_share_relative))?;
        let late = stopped().max_by(|a, b| a.victim_p99_relative.total_cmp(&b.victim_p99_relative))?;
        let mut text = format!(
            "Where signatures are required and failures limited, victims keep at least {} of their CPU time ({}), and \
             their p99 is at most {:.2} times what it is without an attacker ({}).",
            percent(share.victim_share_relative),
            share.attack,
            late.victim_p99_relative,
            late.attack,
        );
        let limited = |cell: &&Cell| cell.policy == Policy::Limited;
        let all = self.cells.iter().find(|cell| limited(cell) && cell.class == Class::Mixture);
        let waking = |all: &Cell| {
            let as_many = |cell: &&Cell| (cell.users, cell.threads) == (all.users, all.threads);
            self.cells.iter().find(|cell| limited(cell) && cell.class == Class::Reference && as_many(cell))
        };
        if let Some((all, waking)) = all.and_then(|all| Some((all, waking(all)?))) {
            text += &format!(
                " Under all attacks at once, by {} users with {} threads each, they keep {}; under system calls that \
                 fail at once, by as many, {}.",
                all.users,
                all.threads,
                percent(all.victim_share_relative),
                percent(waking.victim_share_relative),
            );
        }
        Some(text)
    }

    /// What a signature can't stop, and what attested facts do about it.
    fn valid(&self) -> Option<String> {
        let (cell, cost) = self.worst(Policy::Limited, &[Class::Valid], |cost| cost.per_attempt)?;
        let mut text = format!(
            "A valid signature lets the verifier run: {} burns {} an attempt and leaves victims {} of their CPU time.",
            cell.attack,
            self.unit.in_words(cost.per_attempt),
            percent(cell.victim_share_relative),
        );
        for (attested, cost) in self.of(Policy::Limited, &[Class::Attested]) {
            let _ = write!(
                text,
                " With attested facts, {} burns {} and leaves them {}.",
                attested.attack,
                self.unit.in_words(cost.per_attempt),
                percent(attested.victim_share_relative),
            );
        }
        Some(text)
    }

    fn of(&self, policy: Policy, classes: &'a [Class]) -> impl Iterator<Item = (&'a Cell, &'a Cost)> {
        let cells = self.cells.iter();
        cells
            .filter(move |cell| cell.policy == policy && classes.contains(&cell.class))
            .filter_map(|cell| Some((cell, cell.cost.as_ref()?)))
    }

    fn worst(
        &self,
        policy: Policy,
        classes: &'a [Class],
        by: impl Fn(&Cost) -> f64,
    ) -> Option<(&'a Cell, &'a Cost)> {
        self.of(policy, classes).max_by(|(_, a), (_, b)| by(a).total_cmp(&by(b)))
    }

    fn cost(&self, attack: &str, policy: Policy) -> Option<&'a Cost> {
        self.cells.iter().find(|cell| cell.attack == attack && cell.policy == policy)?.cost.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::dos::Harm;

    fn cell(attack: &str, class: Class, policy: Policy, per_attempt: f64, share: f64) -> Cell {
        let cost = Cost {
            errno: 0,
            attempts: 1,
            per_attempt,
            per_attempt_kernel: per_attempt,
            amplification: per_attempt / 10.0,
            attempts_per_second: 1e9 / per_attempt,
            peak_memory: 0,
        };
        Cell {
            attack: attack.to_owned(),
            class,
            policy,
            users: 1,
            threads: 1,
            cost: Some(cost),
            victim_share: share,
            victim_share_relative: share,
            victim_p50: 0,
            victim_p99: 0,
            victim_max: 0,
            victim_p99_relative: 1.0 / share,
            load_p50: 0,
            load_max: 0,
            samples: Harm::default(),
        }
    }

    fn figures(cells: &[Cell]) -> Figures<'_> {
        Figures { cells, unit: Unit::Instructions }
    }

    fn cells() -> Vec<Cell> {
        use Class::{Attested, Invalid, Unsigned, Valid};
        use Policy::{Baseline, Limited, Required};
        vec![
            cell("unsigned-small", Unsigned, Baseline, 80_000.0, 0.9),
            cell("unsigned-loop", Unsigned, Baseline, 4e9, 0.5),
            cell("unknown-signer", Invalid, Required, 20_000.0, 0.9),
            cell("forged-p-384", Invalid, Required, 28e6, 0.5),
            cell("unsigned-loop", Unsigned, Limited, 1_000.0, 0.99),
            cell("forged-p-384", Invalid, Limited, 2_000.0, 0.98),
            cell("signed-heavy", Valid, Limited, 3e9, 0.5),
            cell("attested-heavy", Attested, Limited, 140e3, 0.85),
        ]
    }

    #[test]
    fn factors_are_those_of_the_worst_attacks() {
        let cells = cells();
        let text = figures(&cells).shrinks().unwrap();
        let part = "2.00 M, from 4.00 G instructions (unsigned-loop) to 2.00 k instructions (forged-p-384)";
        assert!(text.contains(part), "{text}");
        let text = figures(&cells).worse().unwrap();
        assert!(text.contains("forged-p-384 (350.0)") && !text.contains("unknown-signer"), "{text}");
        let text = figures(&cells).limit().unwrap();
        assert!(text.contains("from 28.0 M instructions") && text.contains("to 2.00 k"), "{text}");
        let text = figures(&cells).victims().unwrap();
        assert!(text.contains("98.0 %") && text.contains("1.02 times"), "{text}");
        let text = figures(&cells).valid().unwrap();
        assert!(text.contains("3.00 G") && text.contains("50.0 %"), "{text}");
        assert!(text.contains("attested-heavy burns 140 k") && text.contains("85.0 %"), "{text}");
    }

    #[test]
    fn nothing_is_said_of_what_was_not_measured() {
        let cells: Vec<_> = cells().into_iter().filter(|cell| cell.policy == Policy::Baseline).collect();
        let figures = figures(&cells);
        assert_eq!(
            (figures.shrinks(), figures.limit(), figures.victims(), figures.valid()),
            (None, None, None, None)
        );
    }
}
