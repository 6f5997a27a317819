#!/bin/bash
# Goes on with the tests that have no end, and stops at the first fault: scripts/fuzz.sh facts|races [LOADS [SEED]]
#
# facts: loads programs with made-up facts that a trusted attester has signed, on a kernel that finds its own wrong uses of
# memory. races: loads programs while what they refer to is changed and changed back at random. By default 100,000 and 10,000
# loads.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=(--release)
source scripts/common.sh

case ${1-} in
facts)
	loads=100000 test=made_up_facts
	machine=(--variant kasan --engine uml
		--append "sysctl.kernel.bpf_signature_failures_us=0 kasan.fault=panic panic_on_warn=1 loglevel=3")
	;;
races)
	loads=10000 test=at_random_nothing
	machine=(--variant patched --append sysctl.kernel.bpf_signature_failures_us=0)
	;;
*) fail "what is to be tried: facts, or races?" ;;
esac

tests=$(test_program)
kernel=$(dirname "$(bpfsig kernel build --variant "${machine[1]}")")
# The virtual machine has a /tmp of its own.
work=$(realpath "$(mktemp -d -p target)")
trap 'rm -rf "$work"' EXIT
signers "$work" "$kernel"
bpfsig vm "${machine[@]}" -- \
	env BPFSIG_FUZZ_LOADS="${2-$loads}" BPFSIG_FUZZ_SEED="${3-1}" BPFSIG_TEST_KEYS="$work" \
	"$tests" --ignored --nocapture "$test"
