// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of programs that sections attach, or that say only in part where.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} listed SEC(".maps");

unsigned long long calls[8];

#define COUNT(kind) __sync_fetch_and_add(&calls[kind], 1)

SEC("kprobe.multi/filename_unlink[a]t*")
int kernel_functions_by_pattern(void *ctx)
{
	COUNT(0);
	return 0;
}

SEC("kprobe.session/filename_unlinkat")
int kernel_function_in_session(void *ctx)
{
	COUNT(1);
	return 0;
}

SEC("ksyscall/getppid")
int system_call(void *ctx)
{
	COUNT(2);
	return 0;
}

SEC("uprobe/libc.so.6:getppid")
int library_function_entry(void *ctx)
{
	COUNT(3);
	return 0;
}

SEC("uretprobe.multi/libc.so.6:getpp[i]d")
int library_function_return(void *ctx)
{
	COUNT(4);
	return 0;
}

SEC("perf_event")
int counter(void *ctx)
{
	COUNT(5);
	return 0;
}

SEC("netfilter")
int filter(void *ctx)
{
	COUNT(6);
	return 1;
}

SEC("iter/bpf_map_elem")
int elements(void *ctx)
{
	COUNT(7);
	return 0;
}

SEC("tcx/egress")
int leaving(struct __sk_buff *skb)
{
	return -1;
}

/* Only in loaders that say so. */
SEC("?uprobe")
int anywhere(void *ctx)
{
	__u32 key = 0;
	static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

	return !lookup(&listed, &key);
}

char _license[] SEC("license") = "GPL";
