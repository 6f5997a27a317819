// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends a process that reaches into another user's, as process_vm_readv() and
 * pidfd_getfd() do, unless it is root's. Reads the kernel's structures with
 * bpf_probe_read_kernel().
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define SIGKILL 9
#define PF_KTHREAD 0x00200000
#define PTRACE_MODE_ATTACH 2

static __noinline int may_trace(struct task_struct *tracer, struct task_struct *task)
{
	__u32 uid = BPF_CORE_READ(tracer, cred, euid.val);

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	return uid == 0 || uid == BPF_CORE_READ(task, cred, uid.val);
}

SEC("kprobe/ptrace_may_access")
int BPF_KPROBE(kprobe_ptrace, struct task_struct *task, unsigned int mode)
{
	struct task_struct *tracer = (void *)bpf_get_current_task();

	if ((mode & PTRACE_MODE_ATTACH) && !may_trace(tracer, task))
		bpf_send_signal(SIGKILL);
	return 0;
}

char _license[] SEC("license") = "GPL";
