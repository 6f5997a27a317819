// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks the chain of IPv6 extension headers and drops what RFC 5095 and
 * RFC 7045 advise to drop: type 0 routing headers, hop-by-hop options that
 * are not first, and chains that are suspiciously long.
 */
#include "packet.h"

#define MAX_EXTENSION_HEADERS 8

SEC("xdp")
int xdp_ipv6_ext(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct ipv6hdr *ip6;
	__u8 next;
	int i;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	ip6 = take(&packet, sizeof(*ip6));
	if (!ip6)
		return XDP_DROP;

	next = ip6->nexthdr;
	for (i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		struct ipv6_opt_hdr *header;
		__u64 size;

		switch (next) {
		case IPPROTO_HOPOPTS:
			if (i)
				return XDP_DROP;
			break;
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_FRAGMENT:
		case IPPROTO_AH:
			break;
		default:
			return XDP_PASS;
		}

		header = take(&packet, 8);
		if (!header)
			return XDP_DROP;
		if (next == IPPROTO_ROUTING && ((struct ipv6_rt_hdr *)header)->type == 0)
			return XDP_DROP;

		if (next == IPPROTO_FRAGMENT)
			size = 0;
		else if (next == IPPROTO_AH)
			size = header->hdrlen * 4;
		else
			size = header->hdrlen * 8;
		if (!take(&packet, size))
			return XDP_DROP;
		next = header->nexthdr;
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
