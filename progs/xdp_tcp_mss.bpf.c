// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops TCP SYN packets that ask for a tiny segment size, the way to provoke
 * "SACK panic" (CVE-2019-11477). The options are scanned with bpf_loop(), so
 * that the verifier looks at the body once.
 */
#include "packet.h"

#define MAX_OPTIONS 40
#define MIN_MSS 500

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2

struct scan {
	struct xdp_md *ctx;
	__u32 offset;
	__u32 end;
	__u16 mss;
};

/* Looks at one option. Returns 1 at the last one. */
static long next_option(__u32 index, struct scan *scan)
{
	__u8 option[4] = {};

	if (scan->offset + 2 > scan->end)
		return 1;
	if (bpf_xdp_load_bytes(scan->ctx, scan->offset, option, 2))
		return 1;
	switch (option[0]) {
	case TCPOPT_EOL:
		return 1;
	case TCPOPT_NOP:
		scan->offset++;
		return 0;
	case TCPOPT_MSS:
		if (bpf_xdp_load_bytes(scan->ctx, scan->offset, option, 4))
			return 1;
		scan->mss = option[2] << 8 | option[3];
		return 1;
	}
	if (option[1] < 2)
		return 1;
	scan->offset += option[1];
	return 0;
}

SEC("xdp")
int xdp_tcp_mss(struct xdp_md *ctx)
{
	struct cursor packet = xdp_cursor(ctx);
	struct ethhdr *eth = take(&packet, sizeof(*eth));
	struct scan scan = { .ctx = ctx };
	struct tcphdr *tcp;
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&packet);
	if (!ip || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	tcp = take(&packet, sizeof(*tcp));
	if (!tcp || !tcp->syn)
		return XDP_PASS;

	scan.offset = sizeof(*eth) + ip->ihl * 4 + sizeof(*tcp);
	scan.end = sizeof(*eth) + ip->ihl * 4 + tcp->doff * 4;
	bpf_loop(MAX_OPTIONS, next_option, &scan, 0);
	if (scan.mss && scan.mss < MIN_MSS)
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
