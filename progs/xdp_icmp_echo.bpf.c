// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers pings in the driver, and only those whose checksum is right.
 *
 * The checksum is a global function, which the verifier checks once by
 * itself; its helpers are static functions, checked at each call.
 */
#include "packet.h"

#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8

struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 sequence;
};

/* The longest ICMP message that is answered, in 32-bit words. */
#define MAX_WORDS 64

static __noinline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __noinline void swap_addresses(struct ethhdr *eth, struct iphdr *ip)
{
	__u8 mac[ETH_ALEN];
	__be32 address = ip->saddr;

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	ip->saddr = ip->daddr;
	ip->daddr = address;
}

/* The Internet checksum from byte @offset to the end of the packet; -1 if the packet is too long. */
__noinline int checksum_from(struct xdp_md *ctx, __u32 offset)
{
	struct cursor packet = xdp_cursor(ctx);
	__u32 sum = 0;
	int i;

	if (offset > 128 || !take(&packet, offset))
		return -1;
	for (i = 0; i < MAX_WORDS; i++) {
		__u16 *half = take(&packet, 4);

		if (!half) {
			__u8 *rest;

			half = take(&packet, 2);
			if (half)
				sum += *half;
			rest = take(&packet, 1);
			if (rest)
				sum += bpf_htons(*rest << 8);
			return fold(sum);
		}
		sum += half[0] + half[1];
	}
	return -1;
}

SEC("xdp")
int xdp_icmp_echo(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct icmp_header *icmp;
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&packet);
	if (!ip || ip->ihl != 5 || ip->protocol != IPPROTO_ICMP)
		return XDP_PASS;
	icmp = take(&packet, sizeof(*icmp));
	if (!icmp || icmp->type != ICMP_ECHO || icmp->code != 0)
		return XDP_PASS;
	if (checksum_from(ctx, sizeof(*eth) + sizeof(*ip)) != 0)
		return XDP_PASS;

	/* RFC 1624: only the type changes, from 8 to 0. */
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = fold((__u16)~icmp->checksum + (__u16)~bpf_htons(ICMP_ECHO << 8));
	swap_addresses(eth, ip);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
