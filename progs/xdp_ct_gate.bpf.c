// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stateful gate: who opens a connection to an allowed port is entered into
 * the kernel's connection tracking, and later packets pass only if they belong
 * to such a connection. Uses functions of the module nf_conntrack.
 */
#include "packet.h"

#define CURRENT_NETNS -1
#define TIMEOUT_MS 30000

/* Never looked into; the names are what the kernel compares. */
struct nf_conn {
	unsigned long status;
};

struct nf_conn___init {
	struct nf_conn ct;
};

/* What nf_conntrack takes and answers. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
				  __u32 tuple_size, struct bpf_ct_opts *opts,
				  __u32 opts_size) __ksym;
struct nf_conn___init *bpf_xdp_ct_alloc(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
					__u32 tuple_size, struct bpf_ct_opts *opts,
					__u32 opts_size) __ksym;
void bpf_ct_set_timeout(struct nf_conn___init *new, __u32 timeout) __ksym;
struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *new) __ksym;
void bpf_ct_release(struct nf_conn *connection) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be16);
	__type(value, __u64);		/* opened connections */
} gate_ports SEC(".maps");

static __always_inline int is_open(struct xdp_md *ctx, struct bpf_sock_tuple *tuple)
{
	struct bpf_ct_opts opts = { .netns_id = CURRENT_NETNS, .l4proto = IPPROTO_TCP };
	struct nf_conn *connection;

	connection = bpf_xdp_ct_lookup(ctx, tuple, sizeof(tuple->ipv4), &opts, sizeof(opts));
	if (!connection)
		return 0;
	bpf_ct_release(connection);
	return 1;
}

static __always_inline int open(struct xdp_md *ctx, struct bpf_sock_tuple *tuple)
{
	struct bpf_ct_opts opts = { .netns_id = CURRENT_NETNS, .l4proto = IPPROTO_TCP };
	struct nf_conn___init *new;
	struct nf_conn *connection;

	new = bpf_xdp_ct_alloc(ctx, tuple, sizeof(tuple->ipv4), &opts, sizeof(opts));
	if (!new)
		return 0;
	bpf_ct_set_timeout(new, TIMEOUT_MS);
	connection = bpf_ct_insert_entry(new);
	if (!connection)
		return 0;
	bpf_ct_release(connection);
	return 1;
}

SEC("xdp")
int xdp_ct_gate(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct bpf_sock_tuple tuple = {};
	struct tcphdr *tcp;
	struct iphdr *ip;
	__u64 *opened;
	__be16 port;
	int is_syn;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	if (!ip || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	tcp = take(&cursor, sizeof(*tcp));
	if (!tcp)
		return XDP_DROP;
	tuple.ipv4.saddr = ip->saddr;
	tuple.ipv4.daddr = ip->daddr;
	tuple.ipv4.sport = tcp->source;
	tuple.ipv4.dport = port = tcp->dest;
	is_syn = tcp->syn && !tcp->ack;

	if (is_open(ctx, &tuple))
		return XDP_PASS;
	opened = is_syn ? bpf_map_lookup_elem(&gate_ports, &port) : NULL;
	if (!opened || !open(ctx, &tuple))
		return XDP_DROP;
	__sync_fetch_and_add(opened, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
