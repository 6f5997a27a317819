// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of functions for the kernel.
 * Does nothing sensible, and is never loaded.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

struct tcp_congestion_ops___here {
	__u32 flags;
	__u32 (*ssthresh)(void *sk);
	void (*init)(void *sk);
	void (*release)(void *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 ssthresh(unsigned long long *ctx)
{
	return 2;
}

SEC("struct_ops/init")
void init(unsigned long long *ctx)
{
}

SEC(".struct_ops.link")
struct tcp_congestion_ops___here linked = {
	.ssthresh = (void *)ssthresh,
	.init = (void *)init,
	.name = "linked",
};

SEC(".struct_ops")
struct tcp_congestion_ops___here unlinked = {
	.flags = 1,
	.ssthresh = (void *)ssthresh,
	.name = "unlinked",
};

char _license[] SEC("license") = "GPL";
