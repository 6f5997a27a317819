//! A check of the kernel's answers.

use std::fmt::Write;

use anyhow::{Result, bail};

use super::job::{AttackJob, Outcome};
use super::prepare::Attack;
use crate::results::{AttackKey, answer};

/// Fails if the guest has not carried out each attack under each policy once, or the kernel accepted what it must refuse,
/// refused what it must accept, or gave another reason.
///
/// # Errors
/// Names each attack, policy and both errnos.
pub fn check(job: &AttackJob, attacks: &[&Attack], outcome: &Outcome) -> Result<()> {
    let mut wrong = String::new();
    for policy in &job.policies {
        for attack in attacks {
            let key = AttackKey { attack: attack.name.to_owned(), policy: *policy };
            let mut measured = outcome.attacks.iter().filter(|measured| measured.key == key);
            let (Some(measured), None) = (measured.next(), measured.next()) else {
                bail!("the guest has not measured {} under the policy {} once", attack.name, policy.name());
            };
            let Some(cost) = &measured.cost else { continue };
            for (errno, expected) in [cost.first_errno, cost.errno].into_iter().zip(attack.errnos(*policy)) {
                if errno != expected {
                    let (errno, expected) = (answer(errno), answer(expected));
                    let _ = write!(
                        wrong,
                        "\n  {} ({}): {errno} instead of {expected}",
                        attack.name,
                        policy.name()
                    );
                }
            }
        }
    }
    if !wrong.is_empty() {
        bail!("the kernel gave wrong answers:{wrong}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::job::{Action, Attempt, Attempts, Measured};
    use super::*;
    use crate::results::{AttackClass, Harm, Policy};

    fn attack(class: AttackClass, errno: i32) -> Attack {
        Attack { name: "an-attack", class, action: Action::Nothing, errno, users: 1, threads: 1 }
    }

    fn checked(attack: &Attack, policy: Policy, first_errno: i32, errno: i32) -> Result<()> {
        let job = AttackJob {
            certificates: Vec::new(),
            attesters: Vec::new(),
            programs: Vec::new(),
            policies: vec![policy],
            attacks: Vec::new(),
            legitimate: Attempt { program: 0, signature: None, attested: None, trace: false },
            window: Duration::ZERO,
        };
        let cost =
            Attempts { first_errno, errno, attempts: 1, attacker: 1, user: 1, deferred: 0, peak_memory: 0 };
        let key = AttackKey { attack: attack.name.to_owned(), policy };
        let measured = Measured { key, cost: Some(cost), harm: Harm::default() };
        check(&job, &[attack], &Outcome { kernel: String::new(), attacks: vec![measured] })
    }

    #[test]
    fn a_limit_must_take_effect_and_not_before_time() {
        let forged = attack(AttackClass::Invalid, libc::EKEYREJECTED);
        let check = |policy, first, last| checked(&forged, policy, first, last);
        check(Policy::Optional, libc::EKEYREJECTED, libc::EKEYREJECTED).unwrap();
        check(Policy::Limited, libc::EKEYREJECTED, libc::EDQUOT).unwrap();
        let early = check(Policy::Limited, libc::EDQUOT, libc::EDQUOT).unwrap_err().to_string();
        assert!(early.contains("an-attack (required+limit): EDQUOT instead of EKEYREJECTED"), "{early}");
        check(Policy::Limited, libc::EKEYREJECTED, libc::EKEYREJECTED).unwrap_err();
        check(Policy::Required, 0, 0).unwrap_err();
    }

    #[test]
    fn unsigned_programs_are_refused_where_signatures_are_required() {
        let unsigned = attack(AttackClass::Unsigned, 0);
        let check = |policy, errno| checked(&unsigned, policy, errno, errno);
        check(Policy::Baseline, 0).unwrap();
        check(Policy::Required, libc::EKEYREJECTED).unwrap();
        check(Policy::Limited, 0).unwrap_err();
    }
}
