// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps a cgroup from sending to private and link-local networks (RFC 1918,
 * RFC 3927, RFC 4193), as a workload that only talks to the Internet should.
 */
#include "packet.h"

#define ALLOW 1
#define REJECT 0

SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff *skb)
{
	struct cursor packet = skb_cursor(skb);

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = take(&packet, sizeof(*ip));
		__u32 destination;

		if (!ip)
			return REJECT;
		destination = bpf_ntohl(ip->daddr);
		if (destination >> 24 == 10 || destination >> 20 == 0xac1 ||
		    destination >> 16 == 0xc0a8 || destination >> 16 == 0xa9fe)
			return REJECT;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = take(&packet, sizeof(*ip6));

		if (!ip6)
			return REJECT;
		if ((ip6->daddr.s6_addr[0] & 0xfe) == 0xfc)
			return REJECT;
	}
	return ALLOW;
}

char _license[] SEC("license") = "GPL";
