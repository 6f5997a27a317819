#!/bin/bash
# Runs in the virtual machine: tests beside each other, again and again for some seconds, as they are not made for, so that what
# one loads, revokes, trusts or limits is in the way of the others. How they end doesn't count: the kernel has to come through.
#
#     crowd.sh TESTS SECONDS SEED
set -euo pipefail
tests=$1 end=$((SECONDS + $2)) seed=$3

# Tests whose names contain one of these words, or for --skip don't.
keep_running() {
	local times=0 left
	while left=$((end - SECONDS)) && [[ $left -gt 0 ]]; do
		times=$((times + 1))
		BPFSIG_FUZZ_LOADS=100 BPFSIG_FUZZ_SEED=$seed$times timeout "$left" \
			"$tests" --ignored --test-threads=1 "$@" >/dev/null 2>&1 || true
	done
	echo "$times times: $*"
}

change_the_limit() {
	while [[ $SECONDS -lt $end ]]; do
		for limit in 0 5000 100; do
			echo "$limit" >/proc/sys/kernel/bpf_signature_failures_us
			sleep 0.05
		done
	done
}

change_the_limit &
keep_running at_random_nothing &
keep_running at_random_nothing &
keep_running refused_ accepted known_statements &
keep_running policy_denylist policy_failures policy_keyring policy_record audit &
keep_running attested::refused maps &
wait
