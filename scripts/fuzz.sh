#!/bin/bash
# Loads programs with made-up facts that a trusted attester has signed, on a kernel that finds its own wrong uses of
# memory, and stops at the first fault: scripts/fuzz.sh [LOADS [SEED]]
set -euo pipefail
cd "$(dirname "$0")/.."

profile=(--release)
source scripts/common.sh

tests=$(test_program)
image=$(bpfsig kernel build --variant kasan)
kernel=$(dirname "$image")
# The virtual machine has a /tmp of its own.
work=$(realpath "$(mktemp -d -p target)")
trap 'rm -rf "$work"' EXIT
signers "$work" "$kernel"
bpfsig vm --variant kasan --engine uml \
	--append "sysctl.kernel.bpf_signature_failures_us=0 kasan.fault=panic panic_on_warn=1 loglevel=3" -- \
	env BPFSIG_FUZZ_LOADS="${1-100000}" BPFSIG_FUZZ_SEED="${2-1}" BPFSIG_TEST_KEYS="$work" \
	"$tests" --ignored --nocapture made_up_facts
