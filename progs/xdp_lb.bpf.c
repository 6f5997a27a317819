// SPDX-License-Identifier: GPL-2.0-only
/*
 * A layer 4 load balancer: connections to a virtual address go to one of its
 * backends, and stay there. The packet is sent back out with the backend's
 * Ethernet address (direct server return), its addresses unchanged.
 */
#include "packet.h"

#define MAX_SERVICES 256
#define MAX_BACKENDS 4096
#define MAX_FLOWS 65536

struct service_key {
	__be32 addr;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct service {
	__u32 first_backend;
	__u32 backend_cnt;
};

struct backend {
	__u8 mac[ETH_ALEN];
	__u8 is_up;
	__u8 pad;
};

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u32 protocol;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct service_key);
	__type(value, struct service);
} lb_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} lb_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FLOWS);
	__type(key, struct flow);
	__type(value, __u32);
} lb_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_BACKENDS);
	__type(key, __u32);
	__type(value, struct traffic);
} lb_traffic SEC(".maps");

static __always_inline __u32 hash_flow(const struct flow *flow)
{
	__u32 hash = flow->saddr ^ flow->daddr * 0x9e3779b1;

	hash ^= ((__u32)flow->sport << 16 | flow->dport) * 0x85ebca6b;
	hash ^= hash >> 15;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 13;
}

/* The number of the flow's backend: the one that it had, or a new one. */
static __noinline int choose_backend(const struct flow *flow, const struct service *service)
{
	struct backend *backend;
	__u32 *known, number;

	if (!flow || !service || !service->backend_cnt)
		return -1;
	known = bpf_map_lookup_elem(&lb_flows, flow);
	if (known) {
		number = *known;
		backend = bpf_map_lookup_elem(&lb_backends, &number);
		if (backend && backend->is_up)
			return number;
	}
	number = service->first_backend + hash_flow(flow) % service->backend_cnt;
	bpf_map_update_elem(&lb_flows, flow, &number, BPF_ANY);
	return number;
}

SEC("xdp")
int xdp_lb(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct service_key key = {};
	struct service *service;
	struct backend *backend;
	struct traffic *traffic;
	struct flow flow = {};
	struct iphdr *ip;
	__u32 number;
	__be16 *ports;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	if (!ip || ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	ports = take(&cursor, 2 * sizeof(*ports));
	if (!ports)
		return XDP_PASS;

	key.addr = ip->daddr;
	key.port = ports[1];
	key.protocol = ip->protocol;
	service = bpf_map_lookup_elem(&lb_services, &key);
	if (!service)
		return XDP_PASS;

	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.sport = ports[0];
	flow.dport = ports[1];
	flow.protocol = ip->protocol;
	number = choose_backend(&flow, service);
	backend = bpf_map_lookup_elem(&lb_backends, &number);
	if (!backend || !backend->is_up)
		return XDP_DROP;

	traffic = bpf_map_lookup_elem(&lb_traffic, &number);
	if (traffic) {
		traffic->packets++;
		traffic->bytes += ctx->data_end - ctx->data;
	}
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
