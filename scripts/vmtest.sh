#!/bin/bash
# Runs tests:
#
#     scripts/vmtest.sh                   all: first those that need no kernel of ours, then those of our kernels
#     scripts/vmtest.sh KERNEL...         those of these kernels: patched, unprotected, layout; baseline, which is not among all
#     scripts/vmtest.sh KERNEL TEST...    on this kernel, the tests whose names contain one of these words
#
# Tests of a kernel run as root of a virtual machine that boots it.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=()
source scripts/common.sh

# Builds a kernel, with signers whom its authority has issued.
prepare() {
	local variant=$1 image
	[[ ! -e $work/$variant ]] || return 0
	image=$(bpfsig kernel build --variant "$variant")
	mkdir -p target/vmtest "$work/$variant"
	ln -sfn "$image" "target/vmtest/$variant"
	cp "$(dirname "$image")"/ca.{key,pem} "$work"/portable.{key,pem} "$work/$variant"
	signers "$work/$variant" "$work/$variant"
}

# Boots a kernel with an addition to its command line and runs the tests that the other arguments select. They get
# more signatures wrong than any user is granted.
run_tests() {
	echo "== the $1 kernel${2:+ with $2}: ${*:3}"
	bpfsig vm --variant "$1" --append "sysctl.kernel.bpf_signature_failures_us=0 $2" -- \
		env BPFSIG_TEST_KEYS="$work/$1" BPFSIG_TEST_MODULES="$(dirname "$(readlink "target/vmtest/$1")")" \
		BPFSIG_TEST_COMMAND="$command" \
		"$tests" --ignored --test-threads=1 "${@:3}"
}

# Attests an object on one machine, for another machine to load: see attested_elsewhere.
attest() {
	cp "/usr/lib/$(uname -m)-linux-gnu/bpf/xdpfilt_dny_all.o" "$work/$1/attested.o"
	signer "$work/$1/attester" p-256 --purpose attestation --ca-key "$work/$1/ca.key" --ca-cert "$work/$1/ca.pem"
	bpfsig attest --kernel "$1" --module nf_conntrack \
		--key "$work/$1/attester.key" --cert "$work/$1/attester.pem" "$work/$1/attested.o"
}

# Nothing leads out of required mode, so its tests have machines of their own.
# So do those that are run for their output, or on another kernel.
elsewhere=(--skip policy_latch --skip policy_required --skip unprotected --skip portable --skip identical
	--skip not_for_this_kernel --skip faults --skip selftests)

test_patched() {
	attest patched
	run_tests patched "" "${elsewhere[@]}"
	run_tests patched "" --nocapture identical
	run_tests patched "" policy_latch
	run_tests patched bpf_signature=required policy_required
}

# Races that succeed on a kernel without the protection: they show that the tests above look for the right things.
test_unprotected() {
	run_tests unprotected "" unprotected
}

signatures() { cut -d' ' -f1-2 "$work/portable-$1"; }
offsets() { cut -d' ' -f3 "$work/portable-$1"; }

# One signature for kernels whose structures are laid out differently. This one also looks for mistakes in locking: not
# in tests of native code or of the command line, where that would only be slow.
test_layout() {
	prepare patched
	for variant in patched layout; do
		run_tests "$variant" "" --nocapture portable | tee "$work/output"
		sed -n 's/^portable //p' "$work/output" >"$work/portable-$variant"
	done
	cmp <(signatures patched) <(signatures layout)
	if cmp -s <(offsets patched) <(offsets layout); then
		fail "the kernels do not differ in any offset that a program reads at"
	fi
	echo "$(wc -l <"$work/portable-patched") signed programs load on both kernels;" \
		"the offsets of $(diff <(offsets patched) <(offsets layout) | grep -c '^<') differ"
	run_tests layout "" "${elsewhere[@]}" --skip xlated --skip command
}

# What mainline does, which the patched kernel has to do as well. This one has no sysctl of ours, and says so.
test_baseline() {
	run_tests baseline "" mainline
}

# The tests that somebody is working on.
run_some() {
	local append=
	if [[ ${*:2} == *policy_required* ]]; then append=bpf_signature=required; fi
	if [[ ${*:2} == *attested_elsewhere* ]]; then attest "$1"; fi
	"$tests" --ignored --list "${@:2}" | grep ': test$' >/dev/null || fail "no test has a name that contains ${*:2}"
	run_tests "$1" "$append" --nocapture "${@:2}"
}

kernels=()
while [[ $# -gt 0 && $(type -t "test_$1") == function ]]; do
	kernels+=("$1")
	shift
done
names=("$@")
if [[ ${#names[@]} -gt 0 && ${#kernels[@]} -ne 1 ]]; then
	fail "no tests of a kernel ${names[0]}: there are those of patched, unprotected, layout and baseline;" \
		"names of tests come after one kernel"
fi
if [[ ${#kernels[@]} -eq 0 ]]; then
	kernels=(patched unprotected layout)
	cargo test --workspace
fi

tests=$(test_program)
# The command that `bpfsig` below runs, for the tests in the virtual machines.
command=$(realpath "$(dirname "$tests")/..")/bpfsig
work=$(mktemp -d)
# What is still running when this ends is told to.
trap 'jobs -p | sed s/^/-/ | xargs --no-run-if-empty kill -- || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
signer "$work/portable" rsa-2048

for kernel in "${kernels[@]}"; do
	prepare "$kernel"
done
if [[ ${#names[@]} -gt 0 ]]; then
	run_some "${kernels[0]}" "${names[@]}"
	exit
fi

# Beside each other, as a virtual machine has one CPU; each in a process group of its own.
declare -A running
set -m
for kernel in "${kernels[@]}"; do
	{ "test_$kernel" 2>&1 </dev/null | sed --unbuffered "s/^/$kernel: /"; } &
	running[$kernel]=$!
done
failed=()
for kernel in "${kernels[@]}"; do
	wait "${running[$kernel]}" || failed+=("$kernel")
done
[[ ${#failed[@]} -eq 0 ]] || fail "tests failed on: ${failed[*]}"
