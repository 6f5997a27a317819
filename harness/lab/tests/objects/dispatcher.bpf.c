// SPDX-License-Identifier: GPL-2.0-only
/* Calls two functions that extensions can replace, as libxdp's dispatcher does. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

__attribute__((noinline)) int prog0(struct xdp_md *context)
{
	volatile int verdict = XDP_PASS;

	return context ? verdict : XDP_ABORTED;
}

__attribute__((noinline)) int prog1(struct xdp_md *context)
{
	volatile int verdict = XDP_PASS;

	return context ? verdict : XDP_ABORTED;
}

SEC("xdp") int dispatcher(struct xdp_md *context)
{
	int verdict = prog0(context);

	return verdict == XDP_PASS ? prog1(context) : verdict;
}
