// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists who holds eBPF programs, maps and links open, as an inventory of a
 * host needs it. Files are told by their operations, which are kernel symbols.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

extern const void bpf_map_fops __ksym;
extern const void bpf_prog_fops __ksym;
extern const void bpf_link_fops __ksym;

enum { HOLDS_MAP, HOLDS_PROGRAM, HOLDS_LINK };

struct holder {
	__u32 pid;
	__u32 fd;
	__u32 kind;
	__u32 id;
	char comm[16];
};

SEC("iter/task_file")
int iter_bpf_holder(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct holder holder = {};
	const void *operations;

	/* NULL at the end. */
	if (!task || !file)
		return 0;
	operations = file->f_op;
	if (operations == &bpf_map_fops) {
		holder.kind = HOLDS_MAP;
		holder.id = BPF_CORE_READ((struct bpf_map *)file->private_data, id);
	} else if (operations == &bpf_prog_fops) {
		holder.kind = HOLDS_PROGRAM;
		holder.id = BPF_CORE_READ((struct bpf_prog *)file->private_data, aux, id);
	} else if (operations == &bpf_link_fops) {
		holder.kind = HOLDS_LINK;
		holder.id = BPF_CORE_READ((struct bpf_link *)file->private_data, id);
	} else {
		return 0;
	}
	holder.pid = task->tgid;
	holder.fd = ctx->fd;
	bpf_core_read_str(holder.comm, sizeof(holder.comm), &task->comm);
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
	return 0;
}

char _license[] SEC("license") = "GPL";
