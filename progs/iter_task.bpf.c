// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists the tasks of the system as fixed-size records, without /proc.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

struct record {
	__u32 pid;
	__u32 tgid;
	__u32 uid;
	__u32 parent;
	char comm[16];
};

SEC("iter/task")
int iter_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct record record = {};

	/* NULL at the end. */
	if (!task)
		return 0;
	record.pid = task->pid;
	record.tgid = task->tgid;
	record.uid = task->cred->uid.val;
	record.parent = task->real_parent->tgid;
	bpf_core_read_str(record.comm, sizeof(record.comm), &task->comm);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

char _license[] SEC("license") = "GPL";
