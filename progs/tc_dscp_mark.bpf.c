// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks outgoing packets with a DSCP (RFC 4594) by what they carry:
 * voice, interactive and bulk traffic.
 */
#include <linux/pkt_cls.h>

#include "packet.h"

#define DSCP_EF 46
#define DSCP_AF21 18
#define DSCP_CS1 8

static __noinline int dscp_of(__u32 protocol, __u32 port)
{
	if (protocol == IPPROTO_UDP) {
		if (port == 5060 || (port >= 16384 && port <= 32767))
			return DSCP_EF;
		return 0;
	}
	switch (port) {
	case 22:
	case 5432:
		return DSCP_AF21;
	case 20:
	case 873:
		return DSCP_CS1;
	}
	return 0;
}

SEC("tc")
int tc_dscp_mark(struct __sk_buff *skb)
{
	struct cursor packet = skb_cursor(skb);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct udphdr *ports;
	struct iphdr *ip;
	__u8 old, new;
	int dscp;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	ip = take_ipv4(&packet);
	if (!ip || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return TC_ACT_OK;
	ports = take(&packet, sizeof(*ports));
	if (!ports)
		return TC_ACT_OK;

	dscp = dscp_of(ip->protocol, bpf_ntohs(ports->dest));
	old = ip->tos;
	new = dscp << 2 | (old & 3);
	if (!dscp || new == old)
		return TC_ACT_OK;
	bpf_l3_csum_replace(skb, sizeof(*eth) + offsetof(struct iphdr, check),
			    bpf_htons(old), bpf_htons(new), 2);
	bpf_skb_store_bytes(skb, sizeof(*eth) + offsetof(struct iphdr, tos), &new, sizeof(new), 0);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
