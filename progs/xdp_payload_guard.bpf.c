// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drops UDP packets whose payload begins with a known pattern, wherever in the
 * packet's fragments it lies.
 */
#include "packet.h"

#define PATTERN_SIZE 8

int bpf_dynptr_from_xdp(struct xdp_md *ctx, __u64 flags, struct bpf_dynptr *packet) __ksym;
void *bpf_dynptr_slice(const struct bpf_dynptr *packet, __u32 offset, void *buffer,
		       __u32 size) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);		/* the first bytes of the payload */
	__type(value, __u64);		/* dropped packets */
} payload_patterns SEC(".maps");

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

SEC("xdp.frags")
int xdp_payload_guard(struct xdp_md *ctx)
{
	__u8 header_buffer[sizeof(struct headers)], payload_buffer[PATTERN_SIZE];
	struct bpf_dynptr packet;
	struct headers *headers;
	__u64 *payload, *drops;
	__u64 pattern;

	if (bpf_dynptr_from_xdp(ctx, 0, &packet))
		return XDP_PASS;
	headers = bpf_dynptr_slice(&packet, 0, header_buffer, sizeof(header_buffer));
	if (!headers || headers->eth.h_proto != bpf_htons(ETH_P_IP) || headers->ip.ihl != 5 ||
	    headers->ip.protocol != IPPROTO_UDP)
		return XDP_PASS;
	payload = bpf_dynptr_slice(&packet, sizeof(*headers), payload_buffer,
				   sizeof(payload_buffer));
	if (!payload)
		return XDP_PASS;
	__builtin_memcpy(&pattern, payload, sizeof(pattern));
	drops = bpf_map_lookup_elem(&payload_patterns, &pattern);
	if (!drops)
		return XDP_PASS;
	__sync_fetch_and_add(drops, 1);
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
