# Tools that trace the kernel.

# A tool that runs until it is stopped has worked if it has not ended by itself.
until_stopped() {
	local status=0
	timeout --signal=INT --kill-after=20 "$@" || status=$?
	[[ $status -eq 0 || $status -eq 124 ]]
}
export -f until_stopped

check_tracing() {
	try "biolatency" biolatency-libbpf 1 1
	try "cachestat" cachestat-libbpf 1 1
	try "cpudist" cpudist-libbpf 1 1
	try "execsnoop -u" bash -c 'until_stopped 20 execsnoop-libbpf -u 0'
	try "exitsnoop -x" bash -c 'until_stopped 20 exitsnoop-libbpf -x'
	try "funclatency -d" funclatency-libbpf -d 1 vfs_read
	try "hardirqs" hardirqs-libbpf 1 1
	try "opensnoop -p" bash -c 'until_stopped 20 opensnoop-libbpf -p 1'
	try "runqlat -P" runqlat-libbpf -P 1 1
	try "tcpconnect -P" bash -c 'until_stopped 20 tcpconnect-libbpf -P 443'
	try "vfsstat" vfsstat-libbpf 1 1
	try "bpftrace: hello" bpftrace -e 'BEGIN { printf("hello\n"); exit(); }'
	try "bpftrace: tracepoint" bpftrace -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); } interval:s:1 { exit(); }'
	try "bpftrace: kprobe" bpftrace -e 'kprobe:vfs_read { @ = count(); } interval:s:1 { exit(); }'
	try "bpftrace: fentry" bpftrace -e 'fentry:vfs_read { @ = hist(args.count); } interval:s:1 { exit(); }'
}
