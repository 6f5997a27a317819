#!/bin/bash
# Loads programs with made-up facts that a trusted attester has signed, on a kernel that finds its own wrong uses of
# memory, and stops at the first fault: scripts/fuzz.sh [LOADS [SEED]]
set -euo pipefail
cd "$(dirname "$0")/.."

bpfsig() {
	cargo run --release --quiet -- "$@"
}

tests=$(cargo test --release --package bpfsig --test vm --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[[ -x $tests ]] || {
	echo "fuzz.sh: error: cargo did not say where it built the test program" >&2
	exit 1
}
image=$(bpfsig kernel build --variant kasan)
kernel=$(dirname "$image")
# The virtual machine has a /tmp of its own.
work=$(realpath "$(mktemp -d -p target)")
trap 'rm -rf "$work"' EXIT
for algorithm in rsa-2048 rsa-3072 rsa-4096 p-256 p-384; do
	bpfsig keygen signer --algorithm "$algorithm" --name "test $algorithm" \
		--key "$work/$algorithm.key" --cert "$work/$algorithm.pem" \
		--ca-key "$kernel/ca.key" --ca-cert "$kernel/ca.pem" >/dev/null
done
bpfsig vm --variant kasan --engine uml \
	--append "sysctl.kernel.bpf_signature_failures_us=0 kasan.fault=panic panic_on_warn=1 loglevel=3" -- \
	env BPFSIG_FUZZ_LOADS="${1-100000}" BPFSIG_FUZZ_SEED="${2-1}" BPFSIG_TEST_KEYS="$work" \
	"$(realpath "$tests")" --ignored --nocapture made_up_facts
