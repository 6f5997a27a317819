// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map that objects share by its name.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

#ifndef ENTRIES
#define ENTRIES 8
#endif

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, 1 /* LIBBPF_PIN_BY_NAME */);
} shared_by_name SEC(".maps");

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

SEC("xdp")
int user(struct xdp_md *ctx)
{
	__u32 key = 1;

	return lookup(&shared_by_name, &key) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
