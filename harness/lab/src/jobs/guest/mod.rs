//! Code that several jobs need in the guest.

mod machine;
mod priority;
mod shared_objects;
mod verifier_log;

pub(super) use machine::{kernel_version, prepare_machine, trust};
pub(super) use priority::schedule;
pub(super) use shared_objects::SharedObjects;
pub(super) use verifier_log::{CheckTimes, check_times, reason, verifier_stats, verifier_time};
