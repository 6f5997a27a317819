#!/bin/bash
# Runs in the virtual machine: has a test load each object of PACKAGE/OBJECT in a folder, unsigned and signed, and compare
# what the kernel has made of it. What it said is left beside the object, in OBJECT.said.
#
#     guest.sh TESTS FOLDER
set -u
tests=$1
# A CPU that has nothing to do lets the clock jump to what is waited for, also while it waits for the disk.
chrt --idle 0 sh -c "while :; do :; done" >/dev/null 2>&1 &
trap "kill $!" EXIT
for object in "$2"/*/*; do
	cd "${object%/*}" || exit
	BPFSIG_TEST_OBJECT=${object##*/} timeout --kill-after=10 600 "$tests" --ignored --exact --nocapture \
		selftests::object_is_the_same_signed >/tmp/said 2>&1 </dev/null
	cp /tmp/said "$object.said"
done
