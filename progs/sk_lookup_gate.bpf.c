// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hides administrative ports from everyone but the local network: to others
 * they look as if nobody listened there.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

static __always_inline int is_administrative(__u32 port)
{
	return port == 22 || port == 2379 || port == 6443 || (port >= 9090 && port <= 9100);
}

SEC("sk_lookup")
int sk_lookup_gate(struct bpf_sk_lookup *ctx)
{
	if (!is_administrative(ctx->local_port))
		return SK_PASS;
	if (ctx->family == AF_INET)
		return bpf_ntohl(ctx->remote_ip4) >> 16 == 0xc0a8 ? SK_PASS : SK_DROP;
	/* fe80::/10 */
	return (bpf_ntohl(ctx->remote_ip6[0]) & 0xffc00000) == 0xfe800000 ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
