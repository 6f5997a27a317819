// SPDX-License-Identifier: GPL-2.0-only
/*
 * A layer 4 load balancer in stages that call each other through a program
 * array, so that a stage can be replaced while traffic flows. Packets for a
 * virtual address reach a backend in an IP-in-IP tunnel, chosen by a ring that
 * the control plane fills.
 */
#include "packet.h"

#define MAX_VIPS 512
#define MAX_BACKENDS 4096
#define RING_SIZE 1024
#define TUNNEL_TTL 64

enum { STAGE_TUNNEL, STAGE_REJECT, STAGES };

enum { COUNT_TUNNELED, COUNT_REJECTED, COUNT_STAGE_MISSING, COUNTS };

struct vip {
	__be32 addr;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

/* What one stage leaves for the next. */
struct work {
	__be32 client;
	__be32 backend;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct vip);
	__type(value, __u32);		/* where its part of the ring starts */
} lbs_vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VIPS * RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);		/* number of a backend */
} lbs_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, __u32);
	__type(value, __be32);		/* 0: down */
} lbs_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} lbs_work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, struct counter);
} lbs_counters SEC(".maps");

int xdp_lbs_tunnel(struct xdp_md *ctx);
int xdp_lbs_reject(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int (struct xdp_md *));
} lbs_stages SEC(".maps") = {
	.values = {
		[STAGE_TUNNEL] = (void *)&xdp_lbs_tunnel,
		[STAGE_REJECT] = (void *)&xdp_lbs_reject,
	},
};

static __always_inline void count(struct xdp_md *ctx, __u32 what)
{
	struct counter *counter = bpf_map_lookup_elem(&lbs_counters, &what);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += ctx->data_end - ctx->data;
}

static __always_inline struct work *work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lbs_work, &zero);
}

static __always_inline __u32 hash_ports(__be32 client, __u32 ports)
{
	__u32 hash = (client ^ ports * 0x85ebca6b) * 0x9e3779b1;

	return hash ^ hash >> 16;
}

SEC("xdp")
int xdp_lbs_parse(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct work *next = work();
	__u32 *start, *number, at;
	struct vip vip = {};
	struct iphdr *ip;
	__be32 *backend;
	__be16 *ports;

	if (!next || !eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	if (!ip || ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	ports = take(&cursor, 2 * sizeof(*ports));
	if (!ports)
		return XDP_PASS;

	vip.addr = ip->daddr;
	vip.port = ports[1];
	vip.protocol = ip->protocol;
	start = bpf_map_lookup_elem(&lbs_vips, &vip);
	if (!start)
		return XDP_PASS;
	next->client = ip->saddr;
	next->backend = 0;
	at = *start + hash_ports(ip->saddr, ports[0]) % RING_SIZE;
	number = bpf_map_lookup_elem(&lbs_ring, &at);
	backend = number ? bpf_map_lookup_elem(&lbs_backends, number) : NULL;
	if (backend)
		next->backend = *backend;
	bpf_tail_call(ctx, &lbs_stages, next->backend ? STAGE_TUNNEL : STAGE_REJECT);
	count(ctx, COUNT_STAGE_MISSING);
	return XDP_ABORTED;
}

static __always_inline __u16 checksum(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < sizeof(*ip) / sizeof(*word); i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

SEC("xdp")
int xdp_lbs_tunnel(struct xdp_md *ctx)
{
	struct ethhdr *eth, *old;
	struct iphdr *outer, *inner;
	struct cursor cursor;
	struct work *this = work();

	if (!this || bpf_xdp_adjust_head(ctx, -(int)sizeof(*outer)))
		return XDP_ABORTED;
	cursor = xdp_cursor(ctx);
	eth = take(&cursor, sizeof(*eth));
	outer = take(&cursor, sizeof(*outer));
	inner = take(&cursor, sizeof(*inner));
	if (!eth || !outer || !inner)
		return XDP_ABORTED;
	old = (void *)outer + sizeof(*outer) - sizeof(*old);

	/* Back to the router that it came from. */
	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, old->h_source, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	__builtin_memset(outer, 0, sizeof(*outer));
	outer->version = 4;
	outer->ihl = 5;
	outer->tot_len = bpf_htons(bpf_ntohs(inner->tot_len) + sizeof(*outer));
	outer->ttl = TUNNEL_TTL;
	outer->protocol = IPPROTO_IPIP;
	/* A source for each client, so that the backend's receive queues share the load. */
	outer->saddr = bpf_htonl(0xac100000 | (bpf_ntohl(this->client) & 0xffff));
	outer->daddr = this->backend;
	outer->check = checksum(outer);
	count(ctx, COUNT_TUNNELED);
	return XDP_TX;
}

SEC("xdp")
int xdp_lbs_reject(struct xdp_md *ctx)
{
	count(ctx, COUNT_REJECTED);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
