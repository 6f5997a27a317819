//! Conclusions from attacks, in words.

use std::fmt::Write;

use super::quantity::{number, percent};
use crate::results::{AttackClass as Class, AttackResult, Attacks, AttemptCost, Policy, Results, Unit};

/// The sentences for which enough was measured.
pub fn sentences(results: &Results<Attacks>) -> Vec<String> {
    let figures = Figures::in_results(results);
    [figures.shrinks(), figures.worse(), figures.limit(), figures.victims(), figures.valid()]
        .into_iter()
        .flatten()
        .collect()
}

/// The factor by which the dearest attempt shrinks, of the attacks that signatures are meant to stop.
pub(super) fn shrinks_by(results: &Results<Attacks>) -> Option<f64> {
    let figures = Figures::in_results(results);
    let dearest = |policy| Some(figures.dearest(policy)?.1.per_attempt);
    Some(dearest(Policy::Baseline)? / dearest(Policy::Limited)?)
}

/// The dearest attempt of those that signatures are meant to stop, where failures are limited.
pub(super) fn dearest_refused(results: &Results<Attacks>) -> Option<f64> {
    Some(Figures::in_results(results).dearest(Policy::Limited)?.1.per_attempt)
}

/// The part of their CPU time that victims keep under the worst of these attacks.
pub(super) fn least_share(results: &Results<Attacks>) -> Option<f64> {
    Some(Figures::in_results(results).most_harmful()?.victim_share_relative)
}

/// The part that they keep under all attacks at once.
pub(super) fn at_once(results: &Results<Attacks>) -> Option<f64> {
    Some(Figures::in_results(results).mixture()?.victim_share_relative)
}

struct Figures<'a> {
    attacks: &'a [AttackResult],
    unit: Unit,
}

/// Attacks that signatures are meant to stop.
const STOPPED: [Class; 2] = [Class::Unsigned, Class::Invalid];

impl<'a> Figures<'a> {
    fn in_results(results: &'a Results<Attacks>) -> Figures<'a> {
        Figures { attacks: &results.figures.attacks, unit: results.environment.unit }
    }

    /// The attack whose attempt costs most.
    fn dearest(&self, policy: Policy) -> Option<(&'a AttackResult, &'a AttemptCost)> {
        self.worst(policy, &STOPPED, |cost| cost.per_attempt)
    }

    /// Attacks that signatures are meant to stop, where failures are limited.
    fn stopped(&self) -> impl Iterator<Item = &'a AttackResult> {
        let attacks = self.attacks.iter();
        attacks.filter(|result| result.key.policy == Policy::Limited && STOPPED.contains(&result.class))
    }

    /// The one of them that leaves victims least.
    fn most_harmful(&self) -> Option<&'a AttackResult> {
        self.stopped().min_by(|a, b| a.victim_share_relative.total_cmp(&b.victim_share_relative))
    }

    /// All of them at once.
    fn mixture(&self) -> Option<&'a AttackResult> {
        let is_it =
            |result: &&AttackResult| result.key.policy == Policy::Limited && result.class == Class::Mixture;
        self.attacks.iter().find(is_it)
    }

    /// By how much the worst attack shrinks.
    fn shrinks(&self) -> Option<String> {
        let (before, after) = (Policy::Baseline, Policy::Limited);
        let by_amplification = |policy| self.worst(policy, &STOPPED, |cost| cost.amplification);
        let ((dear, dear_cost), (cheap, cheap_cost)) = (self.dearest(before)?, self.dearest(after)?);
        let ((loud, loud_cost), (quiet, quiet_cost)) = (by_amplification(before)?, by_amplification(after)?);
        let words = |cost: &AttemptCost| self.unit.in_words(cost.per_attempt);
        Some(format!(
            "Checking the signature first and limiting failures shrinks the most that one attempt burns by a factor \
             of {}, from {} ({}) to {} ({}), and the largest amplification by a factor of {}, from {} ({}) to {} ({}).",
            number(dear_cost.per_attempt / cheap_cost.per_attempt),
            words(dear_cost),
            dear.key.attack,
            words(cheap_cost),
            cheap.key.attack,
            number(loud_cost.amplification / quiet_cost.amplification),
            number(loud_cost.amplification),
            loud.key.attack,
            number(quiet_cost.amplification),
            quiet.key.attack,
        ))
    }

    /// Checks that cost more than they save.
    fn worse(&self) -> Option<String> {
        let small = self.cost("unsigned-small", Policy::Baseline)?.per_attempt;
        let dearer: Vec<String> = self
            .of(Policy::Required, &[Class::Invalid])
            .filter(|(_, cost)| cost.per_attempt > small)
            .map(|(result, cost)| format!("{} ({:.1})", result.key.attack, cost.per_attempt / small))
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
        let per_attempt = |cost: &AttemptCost| cost.per_attempt;
        let (before, before_cost) = self.worst(Policy::Required, &[Class::Invalid], per_attempt)?;
        let (after, after_cost) = self.worst(Policy::Limited, &[Class::Invalid], per_attempt)?;
        Some(format!(
            "The limit takes the dearest invalid signature from {} ({}) to {} ({}).",
            self.unit.in_words(before_cost.per_attempt),
            before.key.attack,
            self.unit.in_words(after_cost.per_attempt),
            after.key.attack,
        ))
    }

    /// What victims have left of the worst attack that signatures are meant to stop.
    fn victims(&self) -> Option<String> {
        let share = self.most_harmful()?;
        let late = self.stopped().max_by(|a, b| a.victim_p99_relative.total_cmp(&b.victim_p99_relative))?;
        let mut text = format!(
            "Where signatures are required and failures limited, victims keep at least {} of their CPU time ({}), and \
             their p99 is at most {:.2} times what it is without an attacker ({}).",
            percent(share.victim_share_relative),
            share.key.attack,
            late.victim_p99_relative,
            late.key.attack,
        );
        let limited = |result: &&AttackResult| result.key.policy == Policy::Limited;
        let waking = |all: &AttackResult| {
            let as_many = |result: &&AttackResult| (result.users, result.threads) == (all.users, all.threads);
            self.attacks
                .iter()
                .find(|result| limited(result) && result.class == Class::Reference && as_many(result))
        };
        if let Some((all, waking)) = self.mixture().and_then(|all| Some((all, waking(all)?))) {
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
        let (result, cost) = self.worst(Policy::Limited, &[Class::Valid], |cost| cost.per_attempt)?;
        let mut text = format!(
            "A valid signature lets the verifier run: {} burns {} an attempt and leaves victims {} of their CPU time.",
            result.key.attack,
            self.unit.in_words(cost.per_attempt),
            percent(result.victim_share_relative),
        );
        for (attested, cost) in self.of(Policy::Limited, &[Class::Attested]) {
            let _ = write!(
                text,
                " With attested facts, {} burns {} and leaves them {}.",
                attested.key.attack,
                self.unit.in_words(cost.per_attempt),
                percent(attested.victim_share_relative),
            );
        }
        Some(text)
    }

    fn of(
        &self,
        policy: Policy,
        classes: &'a [Class],
    ) -> impl Iterator<Item = (&'a AttackResult, &'a AttemptCost)> {
        let attacks = self.attacks.iter();
        attacks
            .filter(move |result| result.key.policy == policy && classes.contains(&result.class))
            .filter_map(|result| Some((result, result.cost.as_ref()?)))
    }

    fn worst(
        &self,
        policy: Policy,
        classes: &'a [Class],
        by: impl Fn(&AttemptCost) -> f64,
    ) -> Option<(&'a AttackResult, &'a AttemptCost)> {
        self.of(policy, classes).max_by(|(_, a), (_, b)| by(a).total_cmp(&by(b)))
    }

    fn cost(&self, attack: &str, policy: Policy) -> Option<&'a AttemptCost> {
        self.attacks
            .iter()
            .find(|result| result.key.attack == attack && result.key.policy == policy)?
            .cost
            .as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{AttackKey, Harm};

    fn result(attack: &str, class: Class, policy: Policy, per_attempt: f64, share: f64) -> AttackResult {
        let cost = AttemptCost {
            errno: 0,
            attempts: 1,
            per_attempt,
            per_attempt_kernel: per_attempt,
            amplification: per_attempt / 10.0,
            attempts_per_second: 1e9 / per_attempt,
            peak_memory: 0,
        };
        AttackResult {
            key: AttackKey { attack: attack.to_owned(), policy },
            class,
            users: 1,
            threads: 1,
            cost: Some(cost),
            victim_share: share,
            victim_share_relative: share,
            victim_p50: 0,
            victim_p99: 0,
            victim_p99_relative: 1.0 / share,
            load_p50: 0,
            load_max: 0,
            samples: Harm::default(),
        }
    }

    fn figures(attacks: &[AttackResult]) -> Figures<'_> {
        Figures { attacks, unit: Unit::Instructions }
    }

    fn attacks() -> Vec<AttackResult> {
        use Class::{Attested, Invalid, Unsigned, Valid};
        use Policy::{Baseline, Limited, Required};
        vec![
            result("unsigned-small", Unsigned, Baseline, 80_000.0, 0.9),
            result("unsigned-loop", Unsigned, Baseline, 4e9, 0.5),
            result("unknown-signer", Invalid, Required, 20_000.0, 0.9),
            result("forged-p-384", Invalid, Required, 28e6, 0.5),
            result("unsigned-loop", Unsigned, Limited, 1_000.0, 0.99),
            result("forged-p-384", Invalid, Limited, 2_000.0, 0.98),
            result("signed-heavy", Valid, Limited, 3e9, 0.5),
            result("attested-heavy", Attested, Limited, 140e3, 0.85),
        ]
    }

    #[test]
    fn factors_are_those_of_the_worst_attacks() {
        let attacks = attacks();
        let text = figures(&attacks).shrinks().unwrap();
        let part = "2.00 M, from 4.00 G instructions (unsigned-loop) to 2.00 k instructions (forged-p-384)";
        assert!(text.contains(part), "{text}");
        let text = figures(&attacks).worse().unwrap();
        assert!(text.contains("forged-p-384 (350.0)") && !text.contains("unknown-signer"), "{text}");
        let text = figures(&attacks).limit().unwrap();
        assert!(text.contains("from 28.0 M instructions") && text.contains("to 2.00 k"), "{text}");
        let text = figures(&attacks).victims().unwrap();
        assert!(text.contains("98.0 %") && text.contains("1.02 times"), "{text}");
        let text = figures(&attacks).valid().unwrap();
        assert!(text.contains("3.00 G") && text.contains("50.0 %"), "{text}");
        assert!(text.contains("attested-heavy burns 140 k") && text.contains("85.0 %"), "{text}");
    }

    #[test]
    fn nothing_is_said_of_what_was_not_measured() {
        let attacks: Vec<_> =
            attacks().into_iter().filter(|result| result.key.policy == Policy::Baseline).collect();
        let figures = figures(&attacks);
        assert_eq!(
            (figures.shrinks(), figures.limit(), figures.victims(), figures.valid()),
            (None, None, None, None)
        );
    }
}
