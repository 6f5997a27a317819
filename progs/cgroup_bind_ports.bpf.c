// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restricts the ports that a cgroup's processes may bind to: none below 1024
 * but 80 and 443, and none of the ephemeral range, which belongs to outgoing
 * connections.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EPHEMERAL_START 32768

static __noinline int may_bind(__u32 port)
{
	if (port == 0 || port == 80 || port == 443)
		return 1;
	return port >= 1024 && port < EPHEMERAL_START;
}

SEC("cgroup/bind4")
int cgroup_bind4(struct bpf_sock_addr *ctx)
{
	return may_bind(bpf_ntohs(ctx->user_port));
}

SEC("cgroup/bind6")
int cgroup_bind6(struct bpf_sock_addr *ctx)
{
	return may_bind(bpf_ntohs(ctx->user_port));
}

char _license[] SEC("license") = "GPL";
