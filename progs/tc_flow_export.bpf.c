// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports flow records: a TCP connection when it ends, any flow when it has
 * grown by enough packets, through a ring buffer.
 */
#include "packet.h"

#include <linux/pkt_cls.h>

#define TCPHDR_FIN 0x01
#define TCPHDR_RST 0x04

struct flow_id {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u32 protocol;
};

struct flow_record {
	struct flow_id id;
	__u64 first_seen;
	__u64 last_seen;
	__u64 packets;
	__u64 bytes;
	__u32 tcp_flags;
	__u32 has_ended;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_id);
	__type(value, struct flow_record);
} flow_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} flow_export SEC(".maps");

/* The loader sets it before it freezes the constants. */
const volatile __u64 export_every = 1000;

__u64 flow_records_lost;

static __always_inline __u32 tcp_flags(const struct tcphdr *tcp)
{
	return ((const __u8 *)tcp)[13];
}

SEC("tcx/ingress")
int tc_flow_export(struct __sk_buff *skb)
{
	struct cursor cursor = skb_cursor(skb);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct flow_record *record, first = {};
	__u64 now = bpf_ktime_get_ns();
	__be16 *ports = NULL;
	struct tcphdr *tcp;
	struct iphdr *ip;
	__u32 flags = 0;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	ip = take_ipv4(&cursor);
	if (!ip || ip->frag_off & bpf_htons(IP_OFFSET))
		return TC_ACT_UNSPEC;
	first.id.saddr = ip->saddr;
	first.id.daddr = ip->daddr;
	first.id.protocol = ip->protocol;
	if (ip->protocol == IPPROTO_TCP) {
		tcp = take(&cursor, sizeof(*tcp));
		if (!tcp)
			return TC_ACT_UNSPEC;
		ports = (void *)tcp;
		flags = tcp_flags(tcp);
	} else if (ip->protocol == IPPROTO_UDP) {
		ports = take(&cursor, sizeof(struct udphdr));
	}
	if (ports) {
		first.id.sport = ports[0];
		first.id.dport = ports[1];
	}

	record = bpf_map_lookup_elem(&flow_table, &first.id);
	if (!record) {
		first.first_seen = now;
		bpf_map_update_elem(&flow_table, &first.id, &first, BPF_NOEXIST);
		record = bpf_map_lookup_elem(&flow_table, &first.id);
		if (!record)
			return TC_ACT_UNSPEC;
	}
	record->last_seen = now;
	record->packets++;
	record->bytes += skb->len;
	record->tcp_flags |= flags;
	record->has_ended = !!(flags & (TCPHDR_FIN | TCPHDR_RST));
	if (!record->has_ended && record->packets < export_every)
		return TC_ACT_UNSPEC;
	if (bpf_ringbuf_output(&flow_export, record, sizeof(*record), 0))
		__sync_fetch_and_add(&flow_records_lost, 1);
	bpf_map_delete_elem(&flow_table, &first.id);
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
