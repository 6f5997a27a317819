// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts connections that a module's congestion control takes on.
 */
#define SEC(name) __attribute__((section(name), used))

unsigned long long taken_on;
unsigned long long initialised_too;

SEC("fentry/tcp_dctcp:dctcp_init")
int init(unsigned long long *ctx)
{
	__sync_fetch_and_add(&taken_on, 1);
	return 0;
}

/* Where it is, it does not say. */
SEC("fexit/dctcp_init")
int initialised(unsigned long long *ctx)
{
	__sync_fetch_and_add(&initialised_too, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
