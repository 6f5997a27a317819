// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends a program that was started in a container by a parent with another
 * effective user, as happens when someone breaks out of a service. A plain
 * tracepoint and the typed one (tp_btf) side by side.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define SIGKILL 9

static __noinline int is_escalation(struct task_struct *task)
{
	unsigned int level = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, level);
	__u32 parent = BPF_CORE_READ(task, real_parent, cred, euid.val);
	__u32 uid = BPF_CORE_READ(task, cred, euid.val);

	/* Some kernels are built without PID namespaces. */
	if (!bpf_core_field_exists(struct nsproxy, pid_ns_for_children))
		return 0;
	return level > 0 && uid == 0 && parent != 0;
}

SEC("tracepoint/sched/sched_process_exec")
int tp_exec(void *ctx)
{
	if (is_escalation((void *)bpf_get_current_task()))
		bpf_send_signal(SIGKILL);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_btf_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	unsigned short mode = bprm->file->f_inode->i_mode;

	/* Set-user-ID programs change their user by design. */
	if (!(mode & 04000) && is_escalation(task))
		bpf_send_signal(SIGKILL);
	return 0;
}

char _license[] SEC("license") = "GPL";
