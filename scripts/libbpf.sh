#!/bin/bash
# Builds libbpf.so.1 and bpftool from a kernel source that kernel-patch/linux-7.3/ has been applied to, out of tree.
#
#	scripts/libbpf.sh SOURCE [OUTPUT]
#
# OUTPUT is target/libbpf by default. Programs that are linked with libbpf use the library with
# LD_LIBRARY_PATH=OUTPUT/lib; bpftool has its own, in OUTPUT/bpftool/bpftool. Headers to compile programs with are in
# OUTPUT/include.

set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -lt 1 || $# -gt 2 ]]; then
	echo "usage: ${0##*/} SOURCE [OUTPUT]" >&2
	exit 2
fi
source=$(realpath "$1")
output=$(realpath --canonicalize-missing "${2:-target/libbpf}")
if ! grep -q bpf_program__sig_verdict "$source/tools/lib/bpf/libbpf.map" 2>/dev/null; then
	echo "${0##*/}: error: $source is not a kernel source with kernel-patch/linux-7.3/libbpf/" >&2
	exit 1
fi

mkdir -p "$output/lib" "$output/bpftool"
make --silent --directory="$source/tools/lib/bpf" --jobs="$(nproc)" O="$output/lib"
make --silent --directory="$source/tools/lib/bpf" O="$output/lib" DESTDIR="$output" prefix= install_headers
install -D --mode=644 --target-directory="$output/include/linux" "$source"/tools/include/uapi/linux/{bpf,btf}.h
# What runs in the kernel for `bpftool prog profile` is left out: it needs the BTF of a kernel.
make --silent --directory="$source/tools/bpf/bpftool" --jobs="$(nproc)" O="$output/bpftool/" VMLINUX_H= VMLINUX_BTF=
echo "$output/lib/libbpf.so.1"
echo "$output/bpftool/bpftool"
