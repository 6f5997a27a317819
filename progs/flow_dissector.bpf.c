// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces the kernel's C flow dissector, so that a malformed packet meets
 * verified code: Ethernet, up to two VLAN tags, IPv4, IPv6, TCP and UDP.
 */
#include <stdbool.h>

#include "packet.h"

#define MAX_VLAN_TAGS 2
/* Headers that start later are not looked for in the linear part. */
#define MAX_OFFSET 512

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

/* Copies @size bytes at @offset, from the linear part if they are there. */
static __always_inline int read(struct __sk_buff *skb, __u64 offset, void *to, __u64 size)
{
	struct cursor cursor = skb_cursor(skb);
	void *at;

	/* What is compared must be what is added, for the verifier to know its limit. */
	barrier_var(offset);
	if (offset <= MAX_OFFSET && take(&cursor, offset)) {
		at = take(&cursor, size);
		if (at) {
			__builtin_memcpy(to, at, size);
			return 0;
		}
	}
	return bpf_skb_load_bytes(skb, offset, to, size);
}

static __always_inline int dissect_ports(struct __sk_buff *skb, struct bpf_flow_keys *keys)
{
	__be16 ports[2];

	if (keys->ip_proto != IPPROTO_TCP && keys->ip_proto != IPPROTO_UDP)
		return BPF_OK;
	if (read(skb, keys->thoff, ports, sizeof(ports)))
		return BPF_DROP;
	keys->sport = ports[0];
	keys->dport = ports[1];
	return BPF_OK;
}

static __always_inline int dissect_ipv4(struct __sk_buff *skb, struct bpf_flow_keys *keys)
{
	struct iphdr ip;

	if (read(skb, keys->nhoff, &ip, sizeof(ip)) || ip.ihl < 5)
		return BPF_DROP;
	keys->addr_proto = ETH_P_IP;
	keys->ipv4_src = ip.saddr;
	keys->ipv4_dst = ip.daddr;
	keys->ip_proto = ip.protocol;
	keys->thoff = keys->nhoff + ip.ihl * 4;
	if (ip.frag_off & bpf_htons(IP_MF | IP_OFFSET)) {
		keys->is_frag = true;
		/* Only the first fragment has ports. */
		keys->is_first_frag = !(ip.frag_off & bpf_htons(IP_OFFSET));
		if (!keys->is_first_frag)
			return BPF_OK;
	}
	return dissect_ports(skb, keys);
}

static __always_inline int dissect_ipv6(struct __sk_buff *skb, struct bpf_flow_keys *keys)
{
	struct ipv6hdr ip6;

	if (read(skb, keys->nhoff, &ip6, sizeof(ip6)))
		return BPF_DROP;
	keys->addr_proto = ETH_P_IPV6;
	__builtin_memcpy(keys->ipv6_src, &ip6.saddr, sizeof(ip6.saddr));
	__builtin_memcpy(keys->ipv6_dst, &ip6.daddr, sizeof(ip6.daddr));
	keys->ip_proto = ip6.nexthdr;
	keys->thoff = keys->nhoff + sizeof(ip6);
	return dissect_ports(skb, keys);
}

SEC("flow_dissector")
int flow_dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	__be16 protocol = keys->n_proto;
	int i;

	for (i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_header vlan;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (read(skb, keys->nhoff, &vlan, sizeof(vlan)))
			return BPF_DROP;
		protocol = vlan.protocol;
		keys->nhoff += sizeof(vlan);
	}
	keys->n_proto = protocol;
	if (protocol == bpf_htons(ETH_P_IP))
		return dissect_ipv4(skb, keys);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return dissect_ipv6(skb, keys);
	return BPF_DROP;
}

char _license[] SEC("license") = "GPL";
