#!/bin/bash
# Runs in the virtual machine: loads signed and unsigned objects with everything that loads, and leaves in
# STATE-signed/table.tsv and STATE-unsigned/table.tsv what became of it.
#
#     guest.sh DIRECTORY STATE
#
# DIRECTORY has what scripts/loaders.sh has put there.
set -u
directory=$1 state=$2
RESULTS=
source "$directory/record.sh"
export LD_LIBRARY_PATH=$directory/lib
PATH=$directory/bin:$PATH

# Fails as it has to: refuses NAME PATTERN COMMAND..., where PATTERN is what it has to say.
refuses() {
	local name=$1 pattern=$2 output
	shift 2
	if output=$("$@" 2>&1 </dev/null); then
		record "$name" fails "works: $output"
	elif grep --quiet "$pattern" <<<"$output"; then
		record "$name" works ""
	else
		record "$name" fails "$output"
	fi
}

# Whether a packet gets through the programs on the first interface, and the answer back: that nobody listens there.
arrives() {
	# A CPU that has nothing to do lets the clock jump to what is waited for, also while it waits for the disk.
	chrt --idle 0 sh -c 'while :; do :; done' >/dev/null 2>&1 &
	trap "kill $!" RETURN
	ip netns exec other timeout 10 bash -c ': >/dev/tcp/10.0.0.1/9' 2>&1 | grep refused
}

# Whether xdpdump sees a packet.
dump() {
	timeout --signal=INT 12 "$tools/xdpdump" -i first -w /run/packets --rx-capture entry,exit &
	sleep 6
	arrives
	wait
	[[ $(stat --format=%s /run/packets) -gt 500 ]]
}

# Whether an application in Rust attaches an object and reads its map.
rust() {
	timeout 5 "$directory/load" "$objects/xdp_ban.bpf.o" first "$1" >/run/rust 2>&1
	cat /run/rust
	grep --quiet ' entries$' /run/rust
}
export -f arrives dump rust

# Programs of several owners on an interface, by libxdp's dispatcher.
dispatch() {
	local PATH=$tools:$PATH
	try "xdp-filter load, first interface" xdp-filter load --features tcp,udp first
	try "xdp-filter load, second interface, other features" xdp-filter load --features ethernet second
	if [[ $(xdp-filter status) == *first* ]]; then
		try "a packet passes" bash -c arrives
		try "xdp-filter port" xdp-filter port 9
		try "a packet is dropped" bash -c '! arrives'
		try "xdpdump on the dispatcher" bash -c dump
		try "xdp-filter unload" xdp-filter unload --all
	fi
	try "xdp-loader load, two programs at once" xdp-loader load first "$objects/xdp_drop_fragments.bpf.o" "$objects/xdpfilt_alw_all.o"
	try "they are behind the dispatcher" bash -c 'xdp-loader status first | grep -c "=>" | grep --quiet 2'
	xdp-loader unload first --all >/dev/null 2>&1
	xdp-loader load first "$objects/xdp_drop_fragments.bpf.o" >/dev/null 2>&1
	try "xdp-loader load, one more program" xdp-loader load first "$objects/xdpfilt_alw_all.o"
	xdp-loader unload first --all >/dev/null 2>&1
}

mountpoint --quiet /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
mountpoint --quiet /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs tmpfs /run
mkdir /run/netns
# On a kernel without the series there is no such keyring.
"$directory/bpfsig" trust add "$directory/signer.pem" >/dev/null 2>&1

ip link set lo up
ip netns add other
for name in first second; do
	ip link add "$name" type veth peer name "$name.peer" netns other
	ip link set "$name" up
	ip -n other link set "$name.peer" up
done
ip addr add 10.0.0.1/24 dev first
ip -n other addr add 10.0.0.2/24 dev first.peer

for kind in signed unsigned; do
	export directory objects=$directory/$kind tools=$directory/tools/$kind
	RESULTS=$directory/$state-$kind
	# Where libxdp looks for objects before it does elsewhere.
	export LIBXDP_OBJECT_PATH=$objects

	try "ip link set xdp obj" ip link set dev first xdp obj "$objects/xdp_drop_fragments.bpf.o" sec xdp
	ip link set dev first xdp off
	tc qdisc add dev first clsact
	try "tc filter add bpf obj" tc filter add dev first egress bpf direct-action obj "$objects/tc_dscp_mark.bpf.o" sec tc
	tc qdisc del dev first clsact

	try "xdp-loader load, Debian's as it is" xdp-loader load first "$objects/xdp_drop_fragments.bpf.o"
	if ip link show first | grep --quiet prog/xdp; then try "xdpdump on it" bash -c dump; fi
	xdp-loader unload first --all >/dev/null 2>&1

	dispatch

	try "bpftool prog loadall" bpftool prog loadall "$objects/cgroup_bind_ports.bpf.o" /sys/fs/bpf/all
	try "bpftool prog loadall, CO-RE" bpftool prog loadall "$objects/trace_files.bpf.o" /sys/fs/bpf/core
	try "bpftool prog loadall, globals of an arena" bpftool prog loadall "$objects/arena.bpf.o" /sys/fs/bpf/arena
	rm -rf /sys/fs/bpf/{all,core,arena}

	try "an application in Rust, by the crate" bash -c 'rust ban_sources'

	while IFS='|' read -r name parameters chosen outside; do
		[[ -e $directory/tools/$kind/$name ]] || continue
		# shellcheck disable=SC2086
		try "$name${chosen:+: $chosen}" "$tools/$name" $chosen
		[[ $kind == signed && $state == required && -n $outside ]] || continue
		refuses "$name: $outside" "parameter '${outside%=*}' is ${outside#*=}, not in" "$tools/$name" "$outside"
	done <"$directory/tools/list"
done
echo complete >"$directory/complete"
