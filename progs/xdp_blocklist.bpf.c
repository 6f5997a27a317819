// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops what comes from a list of addresses. There are two lists: while one
 * is in use, the other is filled, and then takes its place in one step.
 */
#include "packet.h"

struct blocklist {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(__be32));
	__uint(value_size, sizeof(__u64));	/* dropped packets */
} blocklist_a SEC(".maps"), blocklist_b SEC(".maps");

enum { IN_USE, TO_FILL };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct blocklist);
} blocklists SEC(".maps") = {
	.values = {
		[IN_USE] = &blocklist_a,
		[TO_FILL] = &blocklist_b,
	},
};

SEC("xdp")
int xdp_blocklist(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	__u32 in_use = IN_USE;
	struct iphdr *ip;
	__be32 source;
	__u64 *drops;
	void *list;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	list = bpf_map_lookup_elem(&blocklists, &in_use);
	if (!ip || !list)
		return XDP_PASS;
	source = ip->saddr;
	drops = bpf_map_lookup_elem(list, &source);
	if (!drops)
		return XDP_PASS;
	__sync_fetch_and_add(drops, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
