// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports each program that is started, with what started it, to a ring
 * buffer. Counts the reports that found it full.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

struct exec_event {
	__u64 when;
	__u64 cgroup;
	__u32 pid;
	__u32 parent;
	__u32 uid;
	__u32 pid_ns_level;
	char comm[16];
	char parent_comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} exec_events SEC(".maps");

/* The loader sets it before it freezes the constants; -1: everyone. */
const volatile __u32 only_uid = -1;

__u64 exec_lost;

SEC("tracepoint/sched/sched_process_exec")
int tp_exec_export(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 uid = BPF_CORE_READ(task, cred, uid.val);
	struct task_struct *parent;
	struct exec_event *event;

	if (only_uid != -1 && uid != only_uid)
		return 0;
	event = bpf_ringbuf_reserve(&exec_events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&exec_lost, 1);
		return 0;
	}
	parent = BPF_CORE_READ(task, real_parent);
	event->when = bpf_ktime_get_ns();
	event->cgroup = bpf_get_current_cgroup_id();
	event->pid = BPF_CORE_READ(task, tgid);
	event->parent = BPF_CORE_READ(parent, tgid);
	event->uid = uid;
	event->pid_ns_level = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, level);
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	BPF_CORE_READ_STR_INTO(&event->parent_comm, parent, comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
