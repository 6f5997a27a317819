// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends a container's requests to the cloud's metadata service
 * (169.254.169.254:80) to a local proxy, and hides that from the container.
 */
#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define METADATA bpf_htonl(0xa9fea9fe)
#define METADATA_PORT bpf_htons(80)
#define PROXY bpf_htonl(INADDR_LOOPBACK)
#define PROXY_PORT bpf_htons(8181)

#define ALLOW 1
#define REJECT 0

SEC("cgroup/connect4")
int cgroup_connect4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 != METADATA)
		return ALLOW;
	if (ctx->protocol != IPPROTO_TCP || ctx->user_port != METADATA_PORT)
		return REJECT;
	ctx->user_ip4 = PROXY;
	ctx->user_port = PROXY_PORT;
	return ALLOW;
}

/* The same address, mapped into IPv6 (::ffff:169.254.169.254). */
SEC("cgroup/connect6")
int cgroup_connect6(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip6[0] || ctx->user_ip6[1] || ctx->user_ip6[2] != bpf_htonl(0xffff))
		return ALLOW;
	if (ctx->user_ip6[3] != METADATA)
		return ALLOW;
	if (ctx->protocol != IPPROTO_TCP || ctx->user_port != METADATA_PORT)
		return REJECT;
	ctx->user_ip6[3] = PROXY;
	ctx->user_port = PROXY_PORT;
	return ALLOW;
}

SEC("cgroup/getpeername4")
int cgroup_peer4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == PROXY && ctx->user_port == PROXY_PORT) {
		ctx->user_ip4 = METADATA;
		ctx->user_port = METADATA_PORT;
	}
	return ALLOW;
}

char _license[] SEC("license") = "GPL";
