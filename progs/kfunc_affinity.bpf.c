// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds out whether a process may run on CPUs that are set aside for others.
 * Something for a scheduler of workloads to ask, without /proc.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;
struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
bool bpf_cpumask_intersects(const struct cpumask *a, const struct cpumask *b) __ksym;
__u32 bpf_cpumask_weight(const struct cpumask *mask) __ksym;

struct question {
	__s32 pid;
	__u32 reserved_cpu;
	/* The answer. */
	__u32 cpus;
	__u32 may_disturb;
	__s32 parent;
};

SEC("syscall")
int kfunc_affinity(struct question *ctx)
{
	struct bpf_cpumask *reserved;
	struct task_struct *task;

	task = bpf_task_from_pid(ctx->pid);
	if (!task)
		return -1;
	reserved = bpf_cpumask_create();
	if (!reserved) {
		bpf_task_release(task);
		return -1;
	}
	bpf_cpumask_set_cpu(ctx->reserved_cpu, reserved);

	bpf_rcu_read_lock();
	ctx->cpus = bpf_cpumask_weight(task->cpus_ptr);
	ctx->may_disturb =
		bpf_cpumask_intersects(task->cpus_ptr, (const struct cpumask *)reserved);
	ctx->parent = task->real_parent->tgid;
	bpf_rcu_read_unlock();

	bpf_cpumask_release(reserved);
	bpf_task_release(task);
	return 0;
}

char _license[] SEC("license") = "GPL";
