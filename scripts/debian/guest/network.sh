# XDP and tc, by the tools of the distribution.

check_network() {
	local objects=/srv/guest/objects
	ip link add first type veth peer name second
	ip link set first up
	ip link set second up
	try "ip link set xdp obj" ip link set dev first xdp obj $objects/xdp_drop_fragments.bpf.o sec xdp
	ip link set dev first xdp off
	try "tc qdisc add clsact" tc qdisc add dev first clsact
	try "tc filter add bpf obj" tc filter add dev first egress bpf direct-action obj $objects/tc_dscp_mark.bpf.o sec tc
	try "xdp-filter load, first interface" xdp-filter load --features tcp,udp first
	try "xdp-filter load, second interface" xdp-filter load --features ethernet second
	try "xdp-filter unload" xdp-filter unload --all
	try "xdp-loader load" xdp-loader load first $objects/xdp_drop_fragments.bpf.o
	try "xdp-loader unload" xdp-loader unload first --all
	try "bpftool prog load" bpftool prog load $objects/xdp_drop_fragments.bpf.o /sys/fs/bpf/one
	try "bpftool prog loadall" bpftool prog loadall $objects/cgroup_bind_ports.bpf.o /sys/fs/bpf/all
	try "bpftool prog loadall, CO-RE" bpftool prog loadall $objects/trace_files.bpf.o /sys/fs/bpf/core
	try "bpftool feature probe" bash -c 'bpftool feature probe kernel | grep "program_type xdp is available"'
}
