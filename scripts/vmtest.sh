#!/bin/bash
# Runs all tests: first those that need no kernel of ours, then the others, as root of a virtual machine that boots it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace

# Such as `Executable tests/vm/main.rs (target/debug/deps/vm-0123456789abcdef)`.
tests=$(cargo test --package bpfsig --test vm --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[[ -x $tests ]] || {
	echo "vmtest.sh: error: cargo did not say where it built the test program" >&2
	exit 1
}
cargo run -- kernel build
cargo run -- vm -- "$PWD/$tests" --ignored --test-threads=1
