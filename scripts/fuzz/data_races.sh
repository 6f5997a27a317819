#!/bin/bash
# Runs in the virtual machine: a command, while KCSAN looks for data races. Fails if the command does, if the kernel warns of
# anything else, or if one of two functions that race has to do with eBPF or keys: mainline has data races in other places.
set -uo pipefail
echo on >/sys/kernel/debug/kcsan
code=0
"$@" || code=$?
grep -E '^(setup_watchpoints|data_races):' /sys/kernel/debug/kcsan
faults=$(dmesg | sed -nE 's/^\[[^]]*\] (BUG|WARNING): //p' | sort | uniq --count)
echo "${faults:-no data race}"
if grep -vE 'KCSAN: data-race in ' <<<"$faults" | grep . || grep -E 'bpf|btf|pkcs7|x509|key' <<<"$faults"; then
	echo "the kernel is at fault" >&2
	exit 1
fi
exit $code
