// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions and variables of the kernel that its BTF describes, from everywhere.
 * Does nothing sensible, and is never loaded.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
#define __ksym __attribute__((section(".ksyms")))

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct percpu;

extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int missing_function___flavor(int, ...) __ksym __weak;
extern const struct percpu runqueues __ksym;
extern const int missing_variable __ksym __weak;

long counter;

static __noinline int subprogram(struct task_struct *task)
{
	bpf_task_release(task);
	return task->pid + (long)&runqueues;
}

SEC("fentry/tcp_connect")
int calls(unsigned long long *ctx)
{
	struct task_struct *task = bpf_task_acquire((void *)ctx[0]);

	if (!task)
		return 0;
	counter += task->pid;
	if (missing_function___flavor)
		counter += missing_function___flavor(1);
	return subprogram(task);
}

SEC("fentry/tcp_close")
int addresses(unsigned long long *ctx)
{
	counter += (long)&runqueues;
	if (&missing_variable)
		counter += missing_variable;
	return subprogram((void *)ctx[0]);
}

SEC("fentry/tcp_sendmsg")
int without(unsigned long long *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
