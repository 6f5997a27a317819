// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bans a source that sends more packets in a window than it may. A timer ends
 * the window, or the ban. A second program, for the control plane to run,
 * counts who is banned.
 */
#include "packet.h"

#define CLOCK_MONOTONIC 1
#define NS_PER_MS 1000000ULL

struct source {
	struct bpf_timer timer;
	__u64 packets;
	__u32 is_banned;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, struct source);
} ban_sources SEC(".maps");

/* The loader sets them before it freezes the constants. */
const volatile __u64 ban_limit = 100;
const volatile __u64 ban_window_ms = 50;
const volatile __u64 ban_ms = 200;

__u64 ban_dropped;
__u64 ban_lifted;

static int end(void *map, __be32 *addr, struct source *source)
{
	if (source->is_banned)
		__sync_fetch_and_add(&ban_lifted, 1);
	bpf_map_delete_elem(map, addr);
	return 0;
}

static __always_inline struct source *find(__be32 addr)
{
	struct source *source = bpf_map_lookup_elem(&ban_sources, &addr);
	struct source new = {};

	if (source)
		return source;
	if (bpf_map_update_elem(&ban_sources, &addr, &new, BPF_NOEXIST))
		return NULL;
	source = bpf_map_lookup_elem(&ban_sources, &addr);
	if (!source || bpf_timer_init(&source->timer, &ban_sources, CLOCK_MONOTONIC))
		return NULL;
	bpf_timer_set_callback(&source->timer, end);
	bpf_timer_start(&source->timer, ban_window_ms * NS_PER_MS, 0);
	return source;
}

SEC("xdp")
int xdp_ban(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct source *source;
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&cursor);
	source = ip ? find(ip->saddr) : NULL;
	if (!source)
		return XDP_PASS;
	if (!source->is_banned && __sync_fetch_and_add(&source->packets, 1) >= ban_limit) {
		source->is_banned = 1;
		bpf_timer_start(&source->timer, ban_ms * NS_PER_MS, 0);
	}
	if (!source->is_banned)
		return XDP_PASS;
	__sync_fetch_and_add(&ban_dropped, 1);
	return XDP_DROP;
}

struct ban_report {
	__u32 sources;
	__u32 banned;
};

static long add_source(void *map, __be32 *addr, struct source *source, struct ban_report *report)
{
	report->sources++;
	report->banned += source->is_banned;
	return 0;
}

SEC("syscall")
int xdp_ban_report(struct ban_report *ctx)
{
	struct ban_report report = {};

	bpf_for_each_map_elem(&ban_sources, add_source, &report, 0);
	*ctx = report;
	return 0;
}

char _license[] SEC("license") = "GPL";
