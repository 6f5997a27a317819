// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies the traffic of chosen ports to another interface, where a capture
 * runs. The original goes on untouched.
 */
#include "packet.h"

#include <linux/pkt_cls.h>

struct target {
	__u32 ifindex;
	__u32 max_bytes;		/* copy no longer packets; 0: all */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be16);
	__type(value, struct target);
} mirror_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);		/* copied; could not be copied */
} mirror_counts SEC(".maps");

static __noinline int mirror(struct __sk_buff *skb, struct target *target)
{
	__u64 *count;
	__u32 failed;

	if (!target || (target->max_bytes && skb->len > target->max_bytes))
		return 0;
	failed = bpf_clone_redirect(skb, target->ifindex, 0) != 0;
	count = bpf_map_lookup_elem(&mirror_counts, &failed);
	if (count)
		(*count)++;
	return 0;
}

SEC("tc")
int tc_mirror(struct __sk_buff *skb)
{
	struct cursor cursor = skb_cursor(skb);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct target *target;
	struct iphdr *ip;
	__be16 *ports;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	ip = take_ipv4(&cursor);
	if (!ip || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return TC_ACT_UNSPEC;
	ports = take(&cursor, 2 * sizeof(*ports));
	if (!ports)
		return TC_ACT_UNSPEC;
	target = bpf_map_lookup_elem(&mirror_ports, &ports[1]);
	if (!target)
		target = bpf_map_lookup_elem(&mirror_ports, &ports[0]);
	if (target)
		mirror(skb, target);
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
