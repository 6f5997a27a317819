// SPDX-License-Identifier: GPL-2.0-only
/* Hands memory to a function that an extension can replace. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

struct data {
	long words[2];
};

__attribute__((noinline)) int look(struct data *data)
{
	return data ? data->words[0] : 0;
}

SEC("xdp") int target(struct xdp_md *context)
{
	struct data data = { { XDP_PASS, 0 } };

	return look(&data);
}
