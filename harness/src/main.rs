//! `bpfsig`: builds, boots and measures a kernel that checks the signature of eBPF programs.

#[allow(dead_code)]
mod corpus;

fn main() {}
