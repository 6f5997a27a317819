// SPDX-License-Identifier: GPL-2.0-only
/*
 * A firewall for workloads: longest-prefix tries say which networks may be
 * talked to, in which direction. What no prefix covers is decided by a
 * variable that can be changed while the firewall works.
 */
#include "packet.h"

#define DENY 0
#define ALLOW 1

#define MAY_RECEIVE 1
#define MAY_SEND 2

struct prefix4 {
	__u32 length;
	__be32 addr;
};

struct prefix6 {
	__u32 length;
	struct in6_addr addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix4);
	__type(value, __u32);		/* MAY_… */
} fw_prefixes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix6);
	__type(value, __u32);
} fw_prefixes6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);		/* the right that was missing */
	__type(value, __u64);
} fw_denied SEC(".maps");

__u32 fw_default = MAY_RECEIVE | MAY_SEND;

static __noinline __u32 rights4(__be32 addr)
{
	struct prefix4 key = { .length = 32, .addr = addr };
	__u32 *rights = bpf_map_lookup_elem(&fw_prefixes4, &key);

	return rights ? *rights : fw_default;
}

static __noinline __u32 rights6(const struct in6_addr *addr)
{
	struct prefix6 key = { .length = 128 };
	__u32 *rights;

	if (!addr)
		return 0;
	key.addr = *addr;
	rights = bpf_map_lookup_elem(&fw_prefixes6, &key);
	return rights ? *rights : fw_default;
}

static __always_inline int decide(struct __sk_buff *skb, __u32 needed)
{
	struct cursor cursor = skb_cursor(skb);
	__u64 first = 1, *count;
	struct in6_addr addr;
	struct ipv6hdr *ip6;
	struct iphdr *ip;
	__u32 rights;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		ip = take_ipv4(&cursor);
		if (!ip)
			return DENY;
		rights = rights4(needed == MAY_SEND ? ip->daddr : ip->saddr);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		ip6 = take(&cursor, sizeof(*ip6));
		if (!ip6)
			return DENY;
		addr = needed == MAY_SEND ? ip6->daddr : ip6->saddr;
		rights = rights6(&addr);
	} else {
		return ALLOW;
	}
	if (rights & needed)
		return ALLOW;
	count = bpf_map_lookup_elem(&fw_denied, &needed);
	if (count)
		(*count)++;
	else
		bpf_map_update_elem(&fw_denied, &needed, &first, BPF_NOEXIST);
	return DENY;
}

SEC("cgroup_skb/ingress")
int fw_ingress(struct __sk_buff *skb)
{
	return decide(skb, MAY_RECEIVE);
}

SEC("cgroup_skb/egress")
int fw_egress(struct __sk_buff *skb)
{
	return decide(skb, MAY_SEND);
}

char _license[] SEC("license") = "GPL";
