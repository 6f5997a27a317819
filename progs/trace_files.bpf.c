// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records which files are opened for writing, which are removed, and by what
 * program: three ways to attach in one object, one ring buffer for all.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define O_ACCMODE 3
#define NAME_SIZE 64

enum { OPENED, REMOVED };

struct file_event {
	__u32 kind;
	__u32 pid;
	__u64 execs;			/* of this process, since the tracer runs */
	char comm[16];
	char name[NAME_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} file_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} exec_counts SEC(".maps");

/* The loader sets it before it freezes the constants; 0: everyone. */
const volatile __u32 only_pid;

static __noinline struct file_event *start(__u32 kind)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct file_event *event;
	__u64 *execs;

	if (only_pid && pid != only_pid)
		return NULL;
	event = bpf_ringbuf_reserve(&file_events, sizeof(*event), 0);
	if (!event)
		return NULL;
	execs = bpf_map_lookup_elem(&exec_counts, &pid);
	event->kind = kind;
	event->pid = pid;
	event->execs = execs ? *execs : 0;
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	return event;
}

SEC("fentry/vfs_open")
int BPF_PROG(trace_open, const struct path *path, struct file *file)
{
	struct file_event *event;

	/* f_mode is not set yet. */
	if (!(BPF_CORE_READ(file, f_flags) & O_ACCMODE))
		return 0;
	event = start(OPENED);
	if (!event)
		return 0;
	bpf_core_read_str(event->name, sizeof(event->name), path->dentry->d_name.name);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("kprobe/filename_unlinkat")
int BPF_KPROBE(trace_unlink, int dfd, struct filename *name)
{
	struct file_event *event = start(REMOVED);

	if (!event)
		return 0;
	bpf_probe_read_kernel_str(event->name, sizeof(event->name), BPF_CORE_READ(name, name));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tracepoint/sched/sched_process_exec")
int trace_exec(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 first = 1, *execs = bpf_map_lookup_elem(&exec_counts, &pid);

	if (execs)
		__sync_fetch_and_add(execs, 1);
	else
		bpf_map_update_elem(&exec_counts, &pid, &first, BPF_NOEXIST);
	return 0;
}

char _license[] SEC("license") = "GPL";
