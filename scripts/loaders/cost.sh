#!/bin/bash
# Runs in the virtual machine, whose clock counts instructions: prints what the system calls of loads cost, medians of SAMPLES
# after the first. It is the first that checks the public key's signature.
#
#     cost.sh DIRECTORY SAMPLES
set -eu
directory=$1 samples=$2
mountpoint --quiet /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mountpoint --quiet /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmpfs /run
"$directory/bpfsig" trust add "$directory/signer.pem" >/dev/null

# The calls and the time of a command, which pins what it loads below /sys/fs/bpf/cost.
once() {
	LD_PRELOAD=$directory/lib/count.so "$@" 2>&1 >/dev/null | sed -n 's/^bpf(2): \(.*\) calls, \(.*\) ns$/\1 \2/p' | tail -n 1
	rm -rf /sys/fs/bpf/cost
}

measure() {
	local what=$1 first rest
	shift
	first=$(once "$@")
	rest=$(for ((i = 0; i < samples; i++)); do once "$@"; done | sort -n -k 2 | sed -n "$(((samples + 1) / 2))p")
	echo "| $what | ${first% *} | ${first#* } | ${rest#* } |"
}

echo "| | calls | first | then |"
echo "| --- | --- | --- | --- |"
for object in xdp_drop_fragments trace_files; do
	signed=$directory/signed/$object.bpf.o unsigned=$directory/unsigned/$object.bpf.o
	measure "$object, unsigned, libbpf without the patches" "$directory/bin/bpftool-unpatched" prog loadall "$unsigned" /sys/fs/bpf/cost
	measure "$object, unsigned, libbpf" "$directory/bin/bpftool" prog loadall "$unsigned" /sys/fs/bpf/cost
	measure "$object, signed, libbpf" "$directory/bin/bpftool" prog loadall "$signed" /sys/fs/bpf/cost
	measure "$object, signed, bpfsig load" "$directory/bpfsig" load --keyring bpf --pin /sys/fs/bpf/cost "$signed"
done
