#!/bin/bash
# What signing looks like, in seconds and without a kernel of ours: signs a program, changes one byte of it, and makes a
# package. Needs a Rust toolchain, a C compiler, libelf-dev, zlib1g-dev and pkgconf.
set -euo pipefail
cd "$(dirname "$0")/.."

# The test of the README has built the command already.
if [[ -n ${BPFSIG-} ]]; then
	PATH=$(dirname "$BPFSIG"):$PATH
else
	# Without the feature that builds, boots and measures kernels; in a directory of its own, beside the whole command.
	echo "compiling bpfsig, once: a minute or two on two idle cores" >&2
	cargo build --quiet --package bpfsig --no-default-features --target-dir target/demo
	PATH=$PWD/target/demo/debug:$PATH
fi
demo=$PWD/docs/demo
desk=$(mktemp -d)
trap 'rm -rf "$desk"' EXIT
cd "$desk"

say() { printf '\n# %s\n' "$@"; }
# Shows a command and runs it.
run() {
	echo "\$ $*"
	"$@" 2>&1
}

cp "$demo/cgroup_port_stats.bpf.o" ports.bpf.o

say "A key for an authority, and one for a signer whom it vouches for."
run bpfsig keygen ca --name CA --algorithm p-256 --key ca.key --cert ca.pem
run bpfsig keygen signer --name Me --algorithm p-256 --purpose program --purpose package --key me.key --cert me.pem \
	--ca-key ca.key --ca-cert ca.pem

say "Sign a program, as clang wrote it: which ports a workload may send to."
run bpfsig sign --key me.key --cert me.pem ports.bpf.o
run bpfsig verify --ca ca.pem --cert me.pem ports.bpf.o

say "The table of ports is a constant. Change one byte of it: port 25 is allowed now, and the workload can send spam."
offset=$(LC_ALL=C grep --only-matching --byte-offset --binary --text --perl-regexp '\x19\x00\x06\x00' ports.bpf.o | cut -d: -f1)
printf '\1' | dd of=ports.bpf.o bs=1 seek=$((offset + 3)) conv=notrunc status=none
if run bpfsig verify --ca ca.pem --cert me.pem ports.bpf.o; then
	echo "demo.sh: error: the change was not noticed" >&2
	exit 1
fi
cp "$demo/cgroup_port_stats.bpf.o" ports.bpf.o

say "The kernel is handed a signed list, the statement ..."
run bpfsig inspect ports.bpf.o.p7s
say "... builds this record of what it is asked to load, and looks for the record's digest in the list."
run bpfsig inspect ports.bpf.o

say "One signature can cover a package: programs for the kernel and for users together."
mkdir package
cp ports.bpf.o package
cp "$demo"/package/* package
run ls package
run bpfsig package create --key me.key --cert me.pem --platform any package
run bpfsig package verify --ca ca.pem ports.tar.gz
