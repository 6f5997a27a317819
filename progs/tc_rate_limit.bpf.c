// SPDX-License-Identifier: GPL-2.0-only
/*
 * A token bucket for each source address. Rates come from a configuration map;
 * what was passed and dropped is counted for each CPU.
 */
#include "packet.h"

#include <linux/pkt_cls.h>

#define NS_PER_SEC 1000000000ULL

struct rate {
	__u64 bytes_per_sec;
	__u64 burst;
};

struct bucket {
	__u64 tokens;
	__u64 filled_at;
};

enum { PASSED, DROPPED, VERDICTS };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);		/* the mark of the packet's class */
	__type(value, struct rate);
} rl_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __be32);
	__type(value, struct bucket);
} rl_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICTS);
	__type(key, __u32);
	__type(value, __u64);
} rl_verdicts SEC(".maps");

static __always_inline int count(__u32 verdict, int action)
{
	__u64 *counter = bpf_map_lookup_elem(&rl_verdicts, &verdict);

	if (counter)
		(*counter)++;
	return action;
}

SEC("tc")
int tc_rate_limit(struct __sk_buff *skb)
{
	struct cursor cursor = skb_cursor(skb);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	__u64 now = bpf_ktime_get_ns(), tokens, elapsed;
	struct bucket *bucket;
	__u32 class = skb->mark;
	struct rate *rate;
	struct iphdr *ip;
	__be32 source;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	ip = take_ipv4(&cursor);
	rate = bpf_map_lookup_elem(&rl_config, &class);
	if (!ip || !rate)
		return TC_ACT_OK;

	source = ip->saddr;
	bucket = bpf_map_lookup_elem(&rl_buckets, &source);
	if (!bucket) {
		struct bucket full = { .tokens = rate->burst, .filled_at = now };

		bpf_map_update_elem(&rl_buckets, &source, &full, BPF_NOEXIST);
		return count(PASSED, TC_ACT_OK);
	}

	elapsed = now - bucket->filled_at;
	if (elapsed > NS_PER_SEC)
		elapsed = NS_PER_SEC;
	tokens = bucket->tokens + elapsed * rate->bytes_per_sec / NS_PER_SEC;
	if (tokens > rate->burst)
		tokens = rate->burst;
	if (tokens < skb->len)
		return count(DROPPED, TC_ACT_SHOT);
	bucket->tokens = tokens - skb->len;
	bucket->filled_at = now;
	return count(PASSED, TC_ACT_OK);
}

char _license[] SEC("license") = "GPL";
