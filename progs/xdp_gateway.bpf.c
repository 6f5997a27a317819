// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of a gateway that its owner signs: counts packets and asks a
 * policy, which lets everything pass until somebody replaces it with a
 * program of their own (see freplace_gateway_policy).
 */
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XDP_REDIRECT + 1);
	__type(key, __u32);
	__type(value, __u64);
} gateway_verdicts SEC(".maps");

/* Not known to be constant, or the compiler would do without the call. */
__noinline int gateway_policy(struct xdp_md *ctx)
{
	volatile int verdict = XDP_PASS;

	if (!ctx)
		return XDP_ABORTED;
	return verdict;
}

SEC("xdp")
int xdp_gateway(struct xdp_md *ctx)
{
	__u32 verdict = gateway_policy(ctx);
	__u64 *count;

	if (verdict > XDP_REDIRECT)
		verdict = XDP_ABORTED;
	count = bpf_map_lookup_elem(&gateway_verdicts, &verdict);
	if (count)
		(*count)++;
	return verdict;
}

char _license[] SEC("license") = "GPL";
