// SPDX-License-Identifier: GPL-2.0-only
/*
 * Constants and a map's size that whoever loads the object may choose.
 * Returns their sum; what lies in the map counts a thousand.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define PARAM(min, max) __attribute__((btf_decl_tag("bpf_param:" #min ":" #max)))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

const volatile int limit PARAM(-5, 100) = 7;
const volatile __u16 port PARAM(1, 60000) = 80;
static const volatile _Bool doubled PARAM(0, 1);
const volatile __u64 large PARAM(1, 18446744073709551615) = 1;
const volatile int fixed = 3;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps") PARAM(1, 64);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

static __attribute__((always_inline)) int sum(void)
{
	__u32 key = 20;
	int sum = limit + port + fixed + (large > 1 ? 100000 : 0);

	if (doubled)
		sum *= 2;
	lookup(&flows, &key);
	return lookup(&table, &key) ? sum + 1000 : sum;
}

SEC("xdp")
int of_frame(struct xdp_md *ctx)
{
	return sum();
}

SEC("tc")
int of_packet(struct __sk_buff *skb)
{
	return sum();
}

char _license[] SEC("license") = "GPL";
