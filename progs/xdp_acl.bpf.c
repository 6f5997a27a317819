// SPDX-License-Identifier: GPL-2.0-only
/*
 * An access list compiled into code: each rule is a comparison of prefix,
 * protocol and port range. No rule needs a map, and the verifier has to
 * follow every branch.
 */
#include "packet.h"

struct flow {
	__u32 source;
	__u32 destination;
	__u16 port;
	__u8 protocol;
};

#define PREFIX(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define MASK(bits) (~0U << (32 - (bits)))
#define RULE(address, prefix, bits, proto, low, high, verdict)			\
	do {									\
		if ((flow.address & MASK(bits)) == (prefix) &&			\
		    flow.protocol == (proto) &&					\
		    flow.port >= (low) && flow.port <= (high))			\
			return (verdict);					\
	} while (0)

SEC("xdp")
int xdp_acl(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct flow flow;
	struct udphdr *ports;
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&packet);
	if (!ip)
		return XDP_DROP;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return XDP_DROP;
	/* TCP and UDP have their ports in the same place. */
	ports = take(&packet, sizeof(*ports));
	if (!ports)
		return XDP_DROP;

	flow.source = bpf_ntohl(ip->saddr);
	flow.destination = bpf_ntohl(ip->daddr);
	flow.protocol = ip->protocol;
	flow.port = bpf_ntohs(ports->dest);

	/* Addresses that must not come from outside (RFC 6890). */
	RULE(source, PREFIX(0, 0, 0, 0), 8, IPPROTO_UDP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(127, 0, 0, 0), 8, IPPROTO_TCP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(127, 0, 0, 0), 8, IPPROTO_UDP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(169, 254, 0, 0), 16, IPPROTO_TCP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(192, 0, 2, 0), 24, IPPROTO_TCP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(198, 51, 100, 0), 24, IPPROTO_TCP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(203, 0, 113, 0), 24, IPPROTO_TCP, 0, 65535, XDP_DROP);
	RULE(source, PREFIX(240, 0, 0, 0), 4, IPPROTO_UDP, 0, 65535, XDP_DROP);

	/* Management, from the internal network only. */
	RULE(source, PREFIX(10, 0, 0, 0), 8, IPPROTO_TCP, 22, 22, XDP_PASS);
	RULE(source, PREFIX(10, 0, 0, 0), 8, IPPROTO_UDP, 161, 162, XDP_PASS);
	RULE(source, PREFIX(10, 0, 0, 0), 8, IPPROTO_TCP, 9090, 9100, XDP_PASS);
	RULE(source, PREFIX(172, 16, 0, 0), 12, IPPROTO_TCP, 22, 22, XDP_PASS);
	RULE(source, PREFIX(172, 16, 0, 0), 12, IPPROTO_TCP, 6443, 6443, XDP_PASS);

	/* Amplifiers. */
	RULE(destination, PREFIX(0, 0, 0, 0), 1, IPPROTO_UDP, 19, 19, XDP_DROP);
	RULE(destination, PREFIX(128, 0, 0, 0), 1, IPPROTO_UDP, 19, 19, XDP_DROP);
	RULE(destination, PREFIX(0, 0, 0, 0), 1, IPPROTO_UDP, 1900, 1900, XDP_DROP);
	RULE(destination, PREFIX(128, 0, 0, 0), 1, IPPROTO_UDP, 1900, 1900, XDP_DROP);
	RULE(destination, PREFIX(0, 0, 0, 0), 1, IPPROTO_UDP, 11211, 11211, XDP_DROP);
	RULE(destination, PREFIX(128, 0, 0, 0), 1, IPPROTO_UDP, 11211, 11211, XDP_DROP);

	/* Services. */
	RULE(destination, PREFIX(192, 168, 10, 0), 24, IPPROTO_TCP, 80, 80, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 10, 0), 24, IPPROTO_TCP, 443, 443, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 10, 0), 24, IPPROTO_UDP, 443, 443, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 11, 0), 24, IPPROTO_TCP, 25, 25, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 11, 0), 24, IPPROTO_TCP, 465, 465, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 11, 0), 24, IPPROTO_TCP, 587, 587, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 12, 0), 24, IPPROTO_UDP, 53, 53, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 12, 0), 24, IPPROTO_TCP, 53, 53, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 12, 0), 24, IPPROTO_TCP, 853, 853, XDP_PASS);
	RULE(destination, PREFIX(192, 168, 13, 0), 24, IPPROTO_UDP, 123, 123, XDP_PASS);

	/* Answers to connections that were opened from inside. */
	if (flow.port >= 32768)
		return XDP_PASS;
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
