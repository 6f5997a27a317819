//! `bpfsig`: builds, boots and measures a kernel that checks the signature of eBPF programs.

fn main() {}
