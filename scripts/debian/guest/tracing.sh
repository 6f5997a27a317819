# Tools that trace the kernel.

# A tool that runs until it is stopped works once it has printed what it begins with: says PATTERN COMMAND...
says() {
	local pattern=$1 status=0
	shift
	coproc stdbuf --output=L "$@" 2>&1
	grep --max-count=1 "$pattern" <&"${COPROC[0]}" || status=1
	kill -INT "$COPROC_PID" 2>/dev/null
	return $status
}
export -f says

check_tracing() {
	try "biolatency" biolatency-libbpf 1 1
	try "cachestat" cachestat-libbpf 1 1
	try "cpudist" cpudist-libbpf 1 1
	try "execsnoop -u" bash -c 'says PCOMM execsnoop-libbpf -u 0'
	try "exitsnoop -x" bash -c 'says PCOMM exitsnoop-libbpf -x'
	try "funclatency -d" funclatency-libbpf -d 1 vfs_read
	try "hardirqs" hardirqs-libbpf 1 1
	try "opensnoop -p" bash -c 'says PATH opensnoop-libbpf -p 1'
	try "runqlat -P" runqlat-libbpf -P 1 1
	try "tcpconnect -P" bash -c 'says DADDR tcpconnect-libbpf -P 443'
	try "vfsstat" vfsstat-libbpf 1 1
	try "bpftrace: hello" bpftrace -e 'BEGIN { printf("hello\n"); exit(); }'
	try "bpftrace: tracepoint" bpftrace -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); } interval:s:1 { exit(); }'
	try "bpftrace: kprobe" bpftrace -e 'kprobe:vfs_read { @ = count(); } interval:s:1 { exit(); }'
	try "bpftrace: fentry" bpftrace -e 'fentry:vfs_read { @ = hist(args.count); } interval:s:1 { exit(); }'
}
