//! Tests of the patched kernel. They need it, and root: `scripts/vmtest.sh` runs them in a virtual machine.
//!
//! `BPFSIG_TEST_KEYS` names a directory with the CA of the running kernel (`ca.key`, `ca.pem`) and a signer for each
//! algorithm (`rsa-2048.key`, `rsa-2048.pem`, …); `BPFSIG_TEST_MODULES` one with the modules of the running kernel
//! (`lib/modules`); `BPFSIG_TEST_COMMAND` the `bpfsig` command.

mod accepted;
mod approve_list;
mod approve_list_evaded;
mod approve_list_machine;
mod attested;
mod audit;
mod behaviour;
mod bound;
mod dearest;
mod embedded;
mod faults;
mod iterators;
mod jited;
mod keys;
mod kinds;
mod known_statements;
mod load;
mod load_command;
mod loaded;
mod loaded_object;
mod loader;
mod machine;
mod mainline;
mod maps;
mod package;
mod packet;
mod parameters;
mod policy_commands;
mod policy_denylist;
mod policy_failures;
mod policy_granted;
mod policy_keyring;
mod policy_latch;
mod policy_record;
mod policy_required;
mod policy_verdict;
mod portable;
mod races;
mod races_at_random;
mod refused_message;
mod refused_program;
mod refused_signer;
mod sandbox;
mod selftests;
mod syzkaller;
mod token;
mod window;
mod xdp_tools;
mod xlated;
