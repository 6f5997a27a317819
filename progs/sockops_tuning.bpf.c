// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tunes TCP within a data centre: connections between 10/8 addresses start
 * with a larger window and a short retransmission timeout.
 */
#include <linux/bpf.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define IPPROTO_TCP 6
#define INITIAL_WINDOW 40
/* In jiffies at 1000 Hz. */
#define SYN_TIMEOUT 10

static __always_inline int is_internal(__u32 address)
{
	return bpf_ntohl(address) >> 24 == 10;
}

SEC("sockops")
int sockops_tuning(struct bpf_sock_ops *ctx)
{
	int window = INITIAL_WINDOW;

	if (ctx->family != AF_INET ||
	    !is_internal(ctx->local_ip4) || !is_internal(ctx->remote_ip4)) {
		ctx->reply = -1;
		return 1;
	}

	switch (ctx->op) {
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		ctx->reply = SYN_TIMEOUT;
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		ctx->reply = bpf_setsockopt(ctx, IPPROTO_TCP, TCP_BPF_IW, &window, sizeof(window));
		break;
	default:
		ctx->reply = -1;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
