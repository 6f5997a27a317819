//! The sysctls that only the patched kernel has.

/// Whether every program has to be signed (`kernel.bpf_signature`).
pub const SIGNATURE: &str = "/proc/sys/kernel/bpf_signature";

/// What refused signatures may cost a user, in microseconds of each second; 0: any time
/// (`kernel.bpf_signature_failures_us`).
pub const FAILURES: &str = "/proc/sys/kernel/bpf_signature_failures_us";

/// Whether attested facts may take the place of verification (`kernel.bpf_attestation`).
pub const ATTESTATION: &str = "/proc/sys/kernel/bpf_attestation";
