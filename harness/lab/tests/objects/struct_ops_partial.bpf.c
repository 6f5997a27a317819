// SPDX-License-Identifier: GPL-2.0-only
/*
 * A congestion control without the functions that the kernel insists on, and one that no link attaches.
 */
#define SEC(name) __attribute__((section(name), used))

struct tcp_congestion_ops {
	unsigned int (*ssthresh)(void *sk);
	void (*cong_avoid)(void *sk, unsigned int ack, unsigned int acked);
	unsigned int (*undo_cwnd)(void *sk);
	void (*init)(void *sk);
	char name[16];
};

SEC("struct_ops")
unsigned int window(unsigned long long *ctx)
{
	return 2;
}

#ifdef UNLINKED
SEC("struct_ops")
unsigned int undo(unsigned long long *ctx)
{
	return 2;
}
#endif

SEC("struct_ops")
void avoid(unsigned long long *ctx)
{
}

SEC("struct_ops")
void start(unsigned long long *ctx)
{
}

#ifdef UNLINKED
SEC(".struct_ops")
struct tcp_congestion_ops unlinked = {
	.ssthresh = (void *)window,
	.cong_avoid = (void *)avoid,
	.undo_cwnd = (void *)undo,
	.init = (void *)start,
	.name = "bpf_unlinked",
};
#else
SEC(".struct_ops.link")
struct tcp_congestion_ops partial = {
	.ssthresh = (void *)window,
	.cong_avoid = (void *)avoid,
	.init = (void *)start,
	.name = "bpf_partial",
};
#endif

char _license[] SEC("license") = "GPL";
