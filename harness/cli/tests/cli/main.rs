//! The command line as a user meets it: what it does, what independent tools say of it, and what goes wrong.

mod bench;
mod generate;
mod keygen;
mod keys;
mod mistakes;
mod package;
#[cfg(feature = "policy")]
mod policy;
mod report;
mod scratch;
mod sign;
mod timestamp;
