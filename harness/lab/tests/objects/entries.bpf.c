// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps that hold other maps from the start.
 * Does nothing sensible, and is never loaded.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name
#define __array(name, type) __typeof__(type) *name[]

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 5);
	__uint(key_size, 4);
	__array(values, struct inner);
} array SEC(".maps") = {
	.values = { [1] = &second, [4] = &first },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, struct inner);
} hash SEC(".maps") = {
	.values = { [7] = &first },
};

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

SEC("xdp")
int program(struct xdp_md *ctx)
{
	__u32 key = 4;

	return lookup(&array, &key) && lookup(&hash, &key) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
