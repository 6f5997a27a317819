//! What came of the attacks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attack::{Attack, Class};
use crate::bench::Environment;
use crate::guest::dos::{self, ATTEMPTS_PER_SECOND, Harm, Measured, Policy};

/// Everything that a run has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where it was measured.
    pub environment: Environment,
    /// For how long victims were watched, in the unit of all figures.
    pub window: u64,
    /// How often each thread of an attacker attempted a load meanwhile, if it could.
    pub attempts_per_second: u32,
    /// Each attack under each policy.
    pub dos: Vec<Cell>,
}

impl Results {
    /// Nothing yet.
    pub fn new(environment: Environment, window: Duration) -> Results {
        Results {
            environment,
            window: window.as_nanos() as u64,
            attempts_per_second: ATTEMPTS_PER_SECOND,
            dos: Vec::new(),
        }
    }

    /// An attack under a policy.
    pub fn cell(&self, attack: &str, policy: Policy) -> Option<&Cell> {
        self.dos.iter().find(|cell| cell.attack == attack && cell.policy == policy)
    }

    /// The attacks, each once.
    pub fn attacks(&self) -> Vec<&str> {
        let mut attacks: Vec<&str> = Vec::new();
        // The last kernel knows them all.
        for cell in self.dos.iter().rev() {
            if !attacks.contains(&&*cell.attack) {
                attacks.push(&cell.attack);
            }
        }
        attacks.reverse();
        attacks
    }
}

/// An attack under a policy. Times are in the unit of the environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The attack.
    pub attack: String,
    /// What kind it is.
    pub class: Class,
    /// The policy.
    pub policy: Policy,
    /// How many users attacked.
    pub users: u32,
    /// How many threads each of them had.
    pub threads: u32,
    /// What one attempt costs; none if the attackers attempt nothing, or more than one thing.
    #[serde(flatten)]
    pub cost: Option<Cost>,
    /// The part of the window that the victims had the CPU.
    pub victim_share: f64,
    /// The same as a part of what they have without an attacker.
    pub victim_share_relative: f64,
    /// How long the periodic victim took from when it was due until it was done: the middle one,
    pub victim_p50: u64,
    /// the one that 99 of 100 don't exceed,
    pub victim_p99: u64,
    /// and the longest.
    pub victim_max: u64,
    /// The 99th percentile in terms of the one without an attacker.
    pub victim_p99_relative: f64,
    /// How long the loading victim took: the middle one,
    pub load_p50: u64,
    /// and the longest.
    pub load_max: u64,
    /// What victims had, as measured.
    pub samples: Harm,
}

/// What one attempt costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// What the kernel says when a limit has taken effect: 0 or an errno.
    pub errno: i32,
    /// How many attempts have been measured.
    pub attempts: u64,
    /// All that one costs, the attacker's own work and what the kernel puts off included.
    pub per_attempt: f64,
    /// What the kernel does for one.
    pub per_attempt_kernel: f64,
    /// What the kernel does for each unit of the attacker's own work.
    pub amplification: f64,
    /// How many attempts an attacker gets done in a second who has the machine for himself.
    pub attempts_per_second: f64,
    /// Bytes of memory that are in use at the same time.
    pub peak_memory: u64,
}

impl Cell {
    /// What the figures come to; `none` is what victims had without an attacker under the same policy.
    pub fn new(attack: &Attack, policy: Policy, measured: &Measured, none: &Harm, window: u64) -> Cell {
        let harm = &measured.harm;
        let of_periodic = |part| quantile(&harm.periodic.latencies, part);
        Cell {
            attack: attack.name.to_owned(),
            class: attack.class,
            policy,
            users: attack.users,
            threads: attack.threads,
            cost: measured.cost.as_ref().map(Cost::new),
            victim_share: cpu(harm) as f64 / window as f64,
            victim_share_relative: cpu(harm) as f64 / cpu(none) as f64,
            victim_p50: of_periodic(0.5),
            victim_p99: of_periodic(0.99),
            victim_max: of_periodic(1.0),
            victim_p99_relative: of_periodic(0.99) as f64 / quantile(&none.periodic.latencies, 0.99) as f64,
            load_p50: quantile(&harm.loader.latencies, 0.5),
            load_max: quantile(&harm.loader.latencies, 1.0),
            samples: measured.harm.clone(),
        }
    }
}

impl Cost {
    fn new(cost: &dos::Cost) -> Cost {
        let attempts = cost.attempts as f64;
        let all = (cost.attacker + cost.deferred) as f64;
        let kernel = all - cost.user as f64;
        Cost {
            errno: cost.errno,
            attempts: cost.attempts,
            per_attempt: all / attempts,
            per_attempt_kernel: kernel / attempts,
            amplification: kernel / cost.user as f64,
            attempts_per_second: 1e9 * attempts / all,
            peak_memory: cost.peak_memory,
        }
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
        let cost = Cost::new(&dos::Cost {
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
