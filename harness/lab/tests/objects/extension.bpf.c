// SPDX-License-Identifier: GPL-2.0-only
/* Takes the place of another program's function. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

SEC("freplace/prog0") int drop(struct xdp_md *context)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
