// SPDX-License-Identifier: GPL-2.0-only
/*
 * Confines programs that a map lists by file: they, and what they start, may
 * not open network connections. That a process is confined is kept with it.
 */
#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define AF_UNIX 1

struct file_id {
	__u64 inode;
	__u64 device;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct file_id);
	__type(value, __u32);		/* number of the rule, for the report */
} confined_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} confined_tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} confine_denials SEC(".maps");

SEC("lsm/bprm_committed_creds")
int BPF_PROG(confine_exec, struct linux_binprm *bprm)
{
	struct inode *inode = bprm->file->f_inode;
	struct file_id id = { .inode = inode->i_ino, .device = inode->i_sb->s_dev };
	__u32 *rule = bpf_map_lookup_elem(&confined_files, &id);

	if (rule)
		bpf_task_storage_get(&confined_tasks, bpf_get_current_task_btf(), rule,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("lsm/task_alloc")
int BPF_PROG(confine_fork, struct task_struct *child, unsigned long flags, int ret)
{
	__u32 *rule;

	if (ret)
		return ret;
	rule = bpf_task_storage_get(&confined_tasks, bpf_get_current_task_btf(), NULL, 0);
	if (rule && !bpf_task_storage_get(&confined_tasks, child, rule, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return -ENOMEM;
	return 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(confine_connect, struct socket *sock, struct sockaddr *address, int len, int ret)
{
	__u64 first = 1, *count;
	__u32 *rule;

	if (ret || address->sa_family == AF_UNIX)
		return ret;
	rule = bpf_task_storage_get(&confined_tasks, bpf_get_current_task_btf(), NULL, 0);
	if (!rule)
		return 0;
	count = bpf_map_lookup_elem(&confine_denials, rule);
	if (count)
		(*count)++;
	else
		bpf_map_update_elem(&confine_denials, rule, &first, BPF_NOEXIST);
	return -EPERM;
}

char _license[] SEC("license") = "GPL";
