// SPDX-License-Identifier: GPL-2.0-only
/*
 * A congestion control for links that lose packets without being congested:
 * Reno that gives up less of its window at a loss.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define MIN_WINDOW 2U
#define KEPT_PERCENT 80

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	void (*release)(struct sock *sk);
	char name[16];
};

__u64 gentle_connections;
__u64 gentle_released;
__u64 gentle_acks;
__u64 gentle_losses;

SEC("struct_ops")
void BPF_PROG(gentle_init, struct sock *sk)
{
	__sync_fetch_and_add(&gentle_connections, 1);
}

SEC("struct_ops")
void BPF_PROG(gentle_release, struct sock *sk)
{
	__sync_fetch_and_add(&gentle_released, 1);
}

SEC("struct_ops")
__u32 BPF_PROG(gentle_ssthresh, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	__sync_fetch_and_add(&gentle_losses, 1);
	return max(tp->snd_cwnd * KEPT_PERCENT / 100, MIN_WINDOW);
}

SEC("struct_ops")
void BPF_PROG(gentle_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 window = tp->snd_cwnd, counted;

	__sync_fetch_and_add(&gentle_acks, 1);
	if (window < tp->snd_ssthresh) {
		tp->snd_cwnd = min(window + acked, tp->snd_cwnd_clamp);
		return;
	}
	counted = tp->snd_cwnd_cnt + acked;
	if (counted >= window) {
		counted = 0;
		tp->snd_cwnd = min(window + 1, tp->snd_cwnd_clamp);
	}
	tp->snd_cwnd_cnt = counted;
}

SEC("struct_ops")
__u32 BPF_PROG(gentle_undo_cwnd, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	return max(tp->snd_cwnd, tp->prior_cwnd);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops gentle = {
	.init = (void *)gentle_init,
	.release = (void *)gentle_release,
	.ssthresh = (void *)gentle_ssthresh,
	.cong_avoid = (void *)gentle_cong_avoid,
	.undo_cwnd = (void *)gentle_undo_cwnd,
	.name = "bpf_gentle",
};

char _license[] SEC("license") = "GPL";
