// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant's policy for xdp_gateway, in the place of the one that passes
 * everything: nothing of SSDP, a protocol that amplifies attacks.
 */
#include "packet.h"

#define SSDP_PORT bpf_htons(1900)

__u64 policy_dropped;

SEC("freplace/gateway_policy")
int gateway_no_ssdp(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct udphdr *udp;
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	if (!ip || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	udp = take(&cursor, sizeof(*udp));
	if (!udp || (udp->source != SSDP_PORT && udp->dest != SSDP_PORT))
		return XDP_PASS;
	__sync_fetch_and_add(&policy_dropped, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
