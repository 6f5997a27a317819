// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of programs for the loader to attach that the corpus does not have.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

unsigned long long executed;
unsigned long long removed;

SEC("raw_tp/sched_process_exec")
int raw_exec(void *ctx)
{
	__sync_fetch_and_add(&executed, 1);
	return 0;
}

SEC("kretprobe/filename_unlinkat")
int unlinked(void *ctx)
{
	__sync_fetch_and_add(&removed, 1);
	return 0;
}

SEC("?xdp")
int not_wanted(void *ctx)
{
	return 2;
}

char _license[] SEC("license") = "GPL";
