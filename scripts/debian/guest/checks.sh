#!/bin/bash
# Runs all checks, in the state that the kernel's command line names: with `checks.switch`, signatures become required
# while the services run; with `checks.boot`, there is nothing to check but what it took to come here.
set -uo pipefail
cd "$(dirname "$0")"
export HOME=/root
if grep --quiet checks.boot /proc/cmdline; then
	# Seconds since the kernel started, without the idle ones.
	perl -ane 'printf "%.2f\n", $F[0] - $F[1]' /proc/uptime >/srv/results/busy
	touch /srv/results/complete
	exit
fi
source record.sh
source systemd.sh
source containers.sh
source network.sh
source tracing.sh
source abuse.sh

check_systemd_at_boot
if grep --quiet checks.switch /proc/cmdline; then
	echo 1 >/proc/sys/kernel/bpf_signature
	check_confined "after the switch"
fi
systemctl daemon-reload
check_confined "after daemon-reload"
check_systemd_later
check_containers
check_network
check_tracing
if grep --quiet checks.policy /proc/cmdline; then check_abuse; fi

# The report ends, and is written.
[[ -e /srv/results/report.pid ]] && kill -INT "$(cat /srv/results/report.pid)" && sleep 5
{
	systemctl --failed --no-legend --plain
	# Microseconds since the kernel started.
	systemctl show --property ActiveEnterTimestampMonotonic multi-user.target
	bpftool prog show 2>&1
	dmesg
} >/srv/results/machine.txt
echo complete >/srv/results/complete
