#!/bin/bash
# The first process, before it becomes systemd: what has to be there before PID 1 loads a program.
set -uo pipefail

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t 9p -o trans=virtio,ro guest /srv/guest
mount -t 9p -o trans=virtio,cache=none results /srv/results
exec 3>&1 >/srv/results/first.txt 2>&1
if grep --quiet checks.policy /proc/cmdline; then
	/srv/guest/bpfsig trust add /srv/guest/policy.pem
	/srv/guest/bpfsig policy require --yes /srv/guest/policy.bpf.o
elif grep --quiet checks.report /proc/cmdline; then
	/srv/guest/bpfsig policy report --json >/srv/results/report.json &
	echo $! >/srv/results/report.pid
	until grep --quiet "watching what is loaded" /srv/results/first.txt; do sleep 1; done
fi
exec /usr/lib/systemd/systemd >&3 2>&3 3>&-
