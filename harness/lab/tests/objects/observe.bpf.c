// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts calls of a function of another program: progs/xdp_gateway.bpf.c.
 */
#define SEC(name) __attribute__((section(name), used))

unsigned long long entered;
unsigned long long left;

SEC("fentry/gateway_policy")
int before(unsigned long long *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("fexit/gateway_policy")
int after(unsigned long long *ctx)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
