// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that says where it attaches, but the loader can't attach it.
 */
#define SEC(name) __attribute__((section(name), used))

SEC("raw_tp/sched_process_exec")
int raw_exec(void *ctx)
{
	return 0;
}

SEC("uprobe//bin/true:no_such_function")
int uprobe(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
