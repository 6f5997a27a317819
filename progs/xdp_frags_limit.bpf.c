// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops UDP packets whose length field disagrees with the packet's own
 * length. Takes packets of several fragments (jumbo frames, GRO).
 */
#include "packet.h"

SEC("xdp.frags")
int xdp_frags_limit(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct udphdr *udp;
	struct iphdr *ip;
	__u64 headers;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&packet);
	if (!ip || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	udp = take(&packet, sizeof(*udp));
	if (!udp)
		return XDP_DROP;

	headers = sizeof(*eth) + ip->ihl * 4;
	if (bpf_ntohs(udp->len) < sizeof(*udp))
		return XDP_DROP;
	if (headers + bpf_ntohs(udp->len) > bpf_xdp_get_buff_len(ctx))
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
