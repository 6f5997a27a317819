// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits how many sockets of a workload are connected at the same time. A
 * socket carries a note of the cgroup that it was counted for, so that it is
 * counted once and given back when it is closed.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define DENY 0
#define ALLOW 1

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);		/* 0: no limit */
} conn_limit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);		/* the id of a cgroup */
	__type(value, __s32);
} conn_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} conn_owner SEC(".maps");

__u64 conn_refused;

static __always_inline int connect(struct bpf_sock_addr *ctx)
{
	__u64 cgroup = bpf_get_current_cgroup_id();
	__u32 zero = 0, *limit = bpf_map_lookup_elem(&conn_limit, &zero);
	__s32 none = 0, *count;

	if (!limit || !*limit || !ctx->sk)
		return ALLOW;
	/* UDP sockets may connect again and again. */
	if (bpf_sk_storage_get(&conn_owner, ctx->sk, NULL, 0))
		return ALLOW;
	bpf_map_update_elem(&conn_counts, &cgroup, &none, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&conn_counts, &cgroup);
	if (!count)
		return DENY;
	if (__sync_fetch_and_add(count, 1) >= *limit ||
	    !bpf_sk_storage_get(&conn_owner, ctx->sk, &cgroup, BPF_SK_STORAGE_GET_F_CREATE)) {
		__sync_fetch_and_add(count, -1);
		__sync_fetch_and_add(&conn_refused, 1);
		return DENY;
	}
	return ALLOW;
}

SEC("cgroup/connect4")
int conn_limit_v4(struct bpf_sock_addr *ctx)
{
	return connect(ctx);
}

SEC("cgroup/connect6")
int conn_limit_v6(struct bpf_sock_addr *ctx)
{
	return connect(ctx);
}

SEC("cgroup/sock_release")
int conn_release(struct bpf_sock *sk)
{
	__u64 *owner = bpf_sk_storage_get(&conn_owner, sk, NULL, 0);
	__s32 *count = owner ? bpf_map_lookup_elem(&conn_counts, owner) : NULL;

	if (count)
		__sync_fetch_and_add(count, -1);
	return ALLOW;
}

char _license[] SEC("license") = "GPL";
