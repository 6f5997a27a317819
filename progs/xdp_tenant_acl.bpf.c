// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each tenant, told by VLAN, has a list of prefixes that may reach it: a map
 * of longest-prefix tries, which can be replaced as a whole.
 */
#include "packet.h"

struct vlan_tag {
	__be16 tci;
	__be16 proto;
};

struct prefix {
	__u32 length;
	__be32 addr;
};

struct acl {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	/* clang leaves out of the BTF what only an inner map's type names. */
	__uint(key_size, sizeof(struct prefix));
	__uint(value_size, sizeof(__u32));
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__array(values, struct acl);
} tenant_acls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} tenant_drops SEC(".maps");

static __always_inline int drop(__u32 tenant)
{
	__u64 *count = bpf_map_lookup_elem(&tenant_drops, &tenant), first = 1;

	if (count)
		(*count)++;
	else
		bpf_map_update_elem(&tenant_drops, &tenant, &first, BPF_NOEXIST);
	return XDP_DROP;
}

SEC("xdp")
int xdp_tenant_acl(struct xdp_md *ctx)
{
	struct cursor cursor = xdp_cursor(ctx);
	struct ethhdr *eth = take(&cursor, sizeof(*eth));
	struct prefix source = { .length = 32 };
	__u32 tenant, *verdict;
	struct vlan_tag *tag;
	struct iphdr *ip;
	void *acl;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	tag = take(&cursor, sizeof(*tag));
	if (!tag || tag->proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	tenant = bpf_ntohs(tag->tci) & 0xfff;
	ip = take_ipv4(&cursor);
	if (!ip)
		return drop(tenant);
	acl = bpf_map_lookup_elem(&tenant_acls, &tenant);
	if (!acl)
		return drop(tenant);
	source.addr = ip->saddr;
	verdict = bpf_map_lookup_elem(acl, &source);
	return verdict && *verdict ? XDP_PASS : drop(tenant);
}

char _license[] SEC("license") = "GPL";
