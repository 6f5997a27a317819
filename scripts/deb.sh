#!/bin/bash
# Makes a Debian package of the signer and the loader, with manual pages: target/debian/*.deb. Needs cargo-deb
# (`cargo install cargo-deb`).
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-deb >/dev/null || {
	echo "deb.sh: error: cargo-deb is not installed: cargo install cargo-deb" >&2
	exit 1
}
cargo build --quiet --release --package bpfsig --no-default-features --features policy
rm -rf target/deb
mkdir -p target/deb/completions
target/release/bpfsig man target/deb/man
target/release/bpfsig completions bash >target/deb/completions/bpfsig
cargo deb --package bpfsig --no-build
