#!/bin/bash
# Runs all tests: first those that need no kernel of ours, then those of the patched kernel, as root of a virtual machine
# that boots it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace

bpfsig() {
	cargo run --quiet -- "$@"
}

# The kernels that vmtest.toml names.
mkdir -p target/vmtest
image=$(bpfsig kernel build)
ln -sfn "$image" target/vmtest/patched

# Signers of each algorithm, issued by the authority that this kernel trusts.
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
cp "$(dirname "$image")"/ca.{key,pem} "$keys"
for algorithm in rsa-2048 rsa-3072 rsa-4096 p-256 p-384; do
	bpfsig keygen signer --algorithm "$algorithm" --name "test $algorithm" \
		--key "$keys/$algorithm.key" --cert "$keys/$algorithm.pem" \
		--ca-key "$keys/ca.key" --ca-cert "$keys/ca.pem"
done

# Such as `Executable tests/vm/main.rs (target/debug/deps/vm-0123456789abcdef)`.
tests=$(cargo test --package bpfsig --test vm --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[[ -x $tests ]] || {
	echo "vmtest.sh: error: cargo did not say where it built the test program" >&2
	exit 1
}

# Boots with an addition to the kernel's command line and runs the tests that the other arguments select.
run_tests() {
	bpfsig vm --append "$1" -- \
		env BPFSIG_TEST_KEYS="$keys" "$(realpath "$tests")" --ignored --test-threads=1 "${@:2}"
}
run_tests "" --skip policy_latch --skip policy_required
# Nothing leads out of required mode, so these have machines of their own.
run_tests "" policy_latch
run_tests bpf_signature=required policy_required
