//! The results of an attack, from its samples.

use super::job::{Attempts, Measured};
use super::prepare::Attack;
use crate::results::{AttackResult, AttemptCost, Harm};

/// The result of an attack; `none` is the harm without an attacker, under the same policy.
pub fn figures(attack: &Attack, measured: &Measured, none: &Harm, window: u64) -> AttackResult {
    let harm = &measured.harm;
    let of_periodic = |part| quantile(&harm.periodic.latencies, part);
    AttackResult {
        key: measured.key.clone(),
        class: attack.class,
        users: attack.users,
        threads: attack.threads,
        cost: measured.cost.as_ref().map(attempt_cost),
        victim_share: cpu(harm) as f64 / window as f64,
        victim_share_relative: cpu(harm) as f64 / cpu(none) as f64,
        victim_p50: of_periodic(0.5),
        victim_p99: of_periodic(0.99),
        victim_p99_relative: of_periodic(0.99) as f64 / quantile(&none.periodic.latencies, 0.99) as f64,
        load_p50: quantile(&harm.loader.latencies, 0.5),
        load_max: quantile(&harm.loader.latencies, 1.0),
        samples: harm.clone(),
    }
}

fn attempt_cost(measured: &Attempts) -> AttemptCost {
    let attempts = measured.attempts as f64;
    let all = (measured.attacker + measured.deferred) as f64;
    let kernel = all - measured.user as f64;
    AttemptCost {
        errno: measured.errno,
        attempts: measured.attempts,
        per_attempt: all / attempts,
        per_attempt_kernel: kernel / attempts,
        amplification: kernel / measured.user as f64,
        attempts_per_second: 1e9 * attempts / all,
        peak_memory: measured.peak_memory,
    }
}

/// CPU time of all victims.
fn cpu(harm: &Harm) -> u64 {
    harm.batch + harm.periodic.cpu + harm.loader.cpu
}

/// The smallest of `values` that a `part` of them does not exceed; 0 if there are none.
fn quantile(values: &[u64], part: f64) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let rank = (part * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values() {
        let values: Vec<u64> = (1..=400).rev().collect();
        assert_eq!([0.5, 0.99, 1.0].map(|part| quantile(&values, part)), [200, 396, 400]);
        assert_eq!(quantile(&[7], 0.5), 7);
        assert_eq!(quantile(&[], 0.99), 0);
    }

    #[test]
    fn what_the_kernel_puts_off_is_part_of_the_cost() {
        let cost = attempt_cost(&Attempts {
            first_errno: 0,
            errno: 0,
            attempts: 10,
            attacker: 900,
            user: 100,
            deferred: 200,
            peak_memory: 0,
        });
        assert_eq!((cost.per_attempt, cost.per_attempt_kernel, cost.amplification), (110.0, 100.0, 10.0));
    }
}
