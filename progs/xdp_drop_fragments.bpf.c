// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops IPv4 and IPv6 fragments, for services that never send any: fragments
 * carry no ports to filter by and are a common way around a firewall.
 */
#include "packet.h"

SEC("xdp")
int xdp_drop_fragments(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));

	if (!eth)
		return XDP_DROP;

	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = take_ipv4(&packet);

		if (!ip)
			return XDP_DROP;
		if (ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
			return XDP_DROP;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = take(&packet, sizeof(*ip6));

		if (!ip6 || ip6->nexthdr == IPPROTO_FRAGMENT)
			return XDP_DROP;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
