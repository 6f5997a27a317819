#!/bin/bash
# Runs in the virtual machine, in the directory of the kernel's tests: hands each name in RESULTS.todo to one of their
# programs, and leaves in RESULTS/NAME what it said and how it ended.
#
#     guest.sh PROGRAM MODULES RESULTS
set -u
program=$1 modules=$2 results=$3

# The tests take modules from the directory that they run in, where those of another kernel may lie.
for module in "$modules"/*.ko; do
	mount --bind "$module" "${module##*/}"
done
# This machine's is that of others, too.
mount -t tmpfs tmpfs /tmp
# A CPU that has nothing to do lets the clock jump to what is waited for, also while it waits for the disk.
chrt --idle 0 sh -c "while :; do :; done" >/dev/null 2>&1 &
trap "kill $!" EXIT
ip link set lo up
mountpoint --quiet /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf

# Theirs load the module themselves.
case $program in
test_verifier) command=(sh -c ./test_verifier) ;;
test_progs*) command=("./$program" --no-error-summary --allow) ;;
*) for module in bpf_testmod bpf_test_modorder_x bpf_test_modorder_y; do insmod "./$module.ko"; done ;;
esac
case $program in
veristat)
	command=(./veristat --quiet --output-format=csv)
	command+=(--emit=prog,verdict,insns,states,peak_states,prog_size,stack)
	;;
bpftool) command=(sh -c 'tools/sbin/bpftool prog loadall "$0" /sys/fs/bpf/loaded') ;;
xlated) command=(sh -c 'BPFSIG_TEST_OBJECT=$0 exec "$TESTS" --ignored --exact --nocapture selftests::object_is_the_same_signed') ;;
bpfsig)
	"$BPFSIG" trust add "$BPFSIG_CERT"
	command=("$BPFSIG" load --keyring bpf)
	;;
esac

while read -r name; do
	# In case the machine doesn't survive it.
	echo "stops the machine" >"$results/$name"
	timeout --kill-after=10 300 "${command[@]}" "$name" >/tmp/output 2>&1 </dev/null
	echo "exit status $?" >>/tmp/output
	cp /tmp/output "$results/$name"
	rm -rf /sys/fs/bpf/loaded
done <"$results.todo"
