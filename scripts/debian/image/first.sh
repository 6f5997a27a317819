#!/bin/bash
# The first process where something has to be there before systemd loads a program, a report of it; or where an initramfs is all
# that is wanted.
set -uo pipefail

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t 9p -o trans=virtio,ro guest /srv/guest
mount -t 9p -o trans=virtio,cache=none results /srv/results
exec 3>&1 >/srv/results/first.txt 2>&1
if grep --quiet checks.initramfs /proc/cmdline; then
	mount -t 9p -o trans=virtio,ro modules /usr/lib/modules
	/srv/guest/initramfs.sh && touch /srv/results/complete
	sync
	busybox poweroff -f
fi
/srv/guest/bpfsig policy report --json >/srv/results/report.json &
echo $! >/srv/results/report.pid
until grep --quiet "watching what is loaded" /srv/results/first.txt; do sleep 1; done
exec /usr/lib/systemd/systemd >&3 2>&3 3>&-
