//! Whether the kernel gave the answers that it should.

use std::fmt::Write;

use anyhow::{Result, bail};
use nix::errno::Errno;

use super::attack::Attack;
use crate::guest::dos::{Measured, Policy};

/// Fails if the kernel accepted what it must refuse, or refused what it must accept, or gave another reason.
///
/// # Errors
/// Names each attack and both errnos.
pub(super) fn check<'a>(
    policy: Policy,
    measured: impl IntoIterator<Item = (&'a Attack, &'a Measured)>,
) -> Result<()> {
    let mut wrong = String::new();
    for (attack, measured) in measured {
        let Some(cost) = &measured.cost else { continue };
        for (errno, expected) in [cost.first_errno, cost.errno].into_iter().zip(attack.errnos(policy)) {
            if errno != expected {
                let (errno, expected) = (verdict(errno), verdict(expected));
                let _ = write!(wrong, "\n  {}: {errno} instead of {expected}", attack.name);
            }
        }
    }
    if !wrong.is_empty() {
        bail!("the kernel gave wrong verdicts under the policy {}:{wrong}", policy.name());
    }
    Ok(())
}

/// An errno in a word.
pub fn verdict(errno: i32) -> String {
    if errno == 0 { "accepted".to_owned() } else { format!("{:?}", Errno::from_raw(errno)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dos::attack::Class;
    use crate::guest::dos::{Action, Cost, Harm};

    fn attack(class: Class, errno: i32) -> Attack {
        Attack { name: "an-attack", class, action: Action::Nothing, errno, users: 1, threads: 1 }
    }

    fn measured(first_errno: i32, errno: i32) -> Measured {
        let cost =
            Cost { first_errno, errno, attempts: 1, attacker: 1, user: 1, deferred: 0, peak_memory: 0 };
        Measured { cost: Some(cost), harm: Harm::default() }
    }

    #[test]
    fn a_limit_must_take_effect_and_not_before_time() {
        let forged = attack(Class::Invalid, libc::EKEYREJECTED);
        let check = |policy, first, last| check(policy, [(&forged, &measured(first, last))]);
        check(Policy::Optional, libc::EKEYREJECTED, libc::EKEYREJECTED).unwrap();
        check(Policy::Limited, libc::EKEYREJECTED, libc::EDQUOT).unwrap();
        let early = check(Policy::Limited, libc::EDQUOT, libc::EDQUOT).unwrap_err().to_string();
        assert!(early.contains("an-attack: EDQUOT instead of EKEYREJECTED"), "{early}");
        check(Policy::Limited, libc::EKEYREJECTED, libc::EKEYREJECTED).unwrap_err();
        check(Policy::Required, 0, 0).unwrap_err();
    }

    #[test]
    fn unsigned_programs_are_refused_where_signatures_are_required() {
        let unsigned = attack(Class::Unsigned, 0);
        let check = |policy, errno| check(policy, [(&unsigned, &measured(errno, errno))]);
        check(Policy::Baseline, 0).unwrap();
        check(Policy::Required, libc::EKEYREJECTED).unwrap();
        check(Policy::Limited, 0).unwrap_err();
    }
}
