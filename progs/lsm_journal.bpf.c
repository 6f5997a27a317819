// SPDX-License-Identifier: GPL-2.0-only
/*
 * A journal of what matters for security: who removed, made, linked, renamed or
 * changed which file, started or signalled what, opened which way to the
 * network, mounted or unmounted. It forbids nothing.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define NAME_SIZE 64

enum journal_action {
	UNLINK, RMDIR, MKDIR, MKNOD, SYMLINK, LINK, RENAME, SETATTR, SETXATTR,
	EXEC, KILL, PTRACE, RLIMIT,
	SOCKET, BIND, CONNECT, LISTEN,
	MOUNT, UMOUNT, BPF,
};

struct journal_entry {
	__u64 nsec;			/* since boot */
	__u64 cgroup;
	__u32 action;
	__u32 pid;
	__u32 parent;
	__u32 uid;
	__u64 detail;			/* signal, family, command, … */
	char comm[16];
	char name[NAME_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} journal SEC(".maps");

/* By action */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BPF + 1);
	__type(key, __u32);
	__type(value, __u64);
} journal_lost SEC(".maps");

/* Users below this one are not written about */
const volatile __u32 first_uid = 0;

static __always_inline void lose(__u32 action)
{
	__u64 *lost = bpf_map_lookup_elem(&journal_lost, &action);

	if (lost)
		(*lost)++;
}

static __always_inline struct journal_entry *begin(enum journal_action action, __u64 detail)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 uid = bpf_get_current_uid_gid();
	struct journal_entry *entry;

	if (uid < first_uid)
		return NULL;
	entry = bpf_ringbuf_reserve(&journal, sizeof(*entry), 0);
	if (!entry) {
		lose(action);
		return NULL;
	}
	entry->nsec = bpf_ktime_get_boot_ns();
	entry->cgroup = bpf_get_current_cgroup_id();
	entry->action = action;
	entry->pid = task->tgid;
	entry->parent = task->real_parent->tgid;
	entry->uid = uid;
	entry->detail = detail;
	bpf_get_current_comm(entry->comm, sizeof(entry->comm));
	entry->name[0] = 0;
	return entry;
}

/* An action without a name */
static __always_inline int record(enum journal_action action, __u64 detail, int ret)
{
	struct journal_entry *entry;

	if (ret)
		return ret;
	entry = begin(action, detail);
	if (entry)
		bpf_ringbuf_submit(entry, 0);
	return 0;
}

static __always_inline int record_name(enum journal_action action, const void *name, __u64 detail,
				       int ret)
{
	struct journal_entry *entry;

	if (ret)
		return ret;
	entry = begin(action, detail);
	if (!entry)
		return 0;
	bpf_probe_read_kernel_str(entry->name, sizeof(entry->name), name);
	bpf_ringbuf_submit(entry, 0);
	return 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(journal_unlink, struct inode *dir, struct dentry *dentry, int ret)
{
	return record_name(UNLINK, dentry->d_name.name, dir->i_ino, ret);
}

SEC("lsm/inode_rmdir")
int BPF_PROG(journal_rmdir, struct inode *dir, struct dentry *dentry, int ret)
{
	return record_name(RMDIR, dentry->d_name.name, dir->i_ino, ret);
}

SEC("lsm/inode_mkdir")
int BPF_PROG(journal_mkdir, struct inode *dir, struct dentry *dentry, unsigned short mode, int ret)
{
	return record_name(MKDIR, dentry->d_name.name, mode, ret);
}

SEC("lsm/inode_mknod")
int BPF_PROG(journal_mknod, struct inode *dir, struct dentry *dentry, unsigned short mode,
	     unsigned int dev, int ret)
{
	return record_name(MKNOD, dentry->d_name.name, dev, ret);
}

SEC("lsm/inode_symlink")
int BPF_PROG(journal_symlink, struct inode *dir, struct dentry *dentry, const char *target, int ret)
{
	return record_name(SYMLINK, dentry->d_name.name, dir->i_ino, ret);
}

SEC("lsm/inode_link")
int BPF_PROG(journal_link, struct dentry *old, struct inode *dir, struct dentry *new, int ret)
{
	return record_name(LINK, new->d_name.name, dir->i_ino, ret);
}

SEC("lsm/inode_rename")
int BPF_PROG(journal_rename, struct inode *old_dir, struct dentry *old, struct inode *new_dir,
	     struct dentry *new, int ret)
{
	return record_name(RENAME, old->d_name.name, new_dir->i_ino, ret);
}

SEC("lsm/inode_setattr")
int BPF_PROG(journal_setattr, void *idmap, struct dentry *dentry, struct iattr *attr, int ret)
{
	return record_name(SETATTR, dentry->d_name.name, attr->ia_valid, ret);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(journal_setxattr, void *idmap, struct dentry *dentry, const char *name,
	     const void *value, __u64 size, int flags, int ret)
{
	return record_name(SETXATTR, name, size, ret);
}

SEC("lsm/bprm_committed_creds")
int BPF_PROG(journal_exec, struct linux_binprm *bprm)
{
	return record_name(EXEC, bprm->filename, bprm->file->f_inode->i_ino, 0);
}

SEC("lsm/task_kill")
int BPF_PROG(journal_kill, struct task_struct *target, void *info, int sig, const struct cred *cred,
	     int ret)
{
	/* Whether it exists is asked all the time */
	if (!sig)
		return ret;
	return record_name(KILL, target->comm, sig, ret);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(journal_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	return record_name(PTRACE, child->comm, mode, ret);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(journal_rlimit, struct task_struct *task, unsigned int resource, void *limit, int ret)
{
	return record_name(RLIMIT, task->comm, resource, ret);
}

SEC("lsm/socket_create")
int BPF_PROG(journal_socket, int family, int type, int protocol, int kern, int ret)
{
	if (kern)
		return ret;
	return record(SOCKET, family, ret);
}

SEC("lsm/socket_bind")
int BPF_PROG(journal_bind, struct socket *sock, struct sockaddr *address, int len, int ret)
{
	return record(BIND, address->sa_family, ret);
}

SEC("lsm/socket_connect")
int BPF_PROG(journal_connect, struct socket *sock, struct sockaddr *address, int len, int ret)
{
	return record(CONNECT, address->sa_family, ret);
}

SEC("lsm/socket_listen")
int BPF_PROG(journal_listen, struct socket *sock, int backlog, int ret)
{
	return record(LISTEN, backlog, ret);
}

SEC("lsm/sb_mount")
int BPF_PROG(journal_mount, const char *device, const struct path *path, const char *type,
	     unsigned long flags, void *data, int ret)
{
	return record_name(MOUNT, path->dentry->d_name.name, flags, ret);
}

SEC("lsm/sb_umount")
int BPF_PROG(journal_umount, struct vfsmount *mount, int flags, int ret)
{
	return record_name(UMOUNT, mount->mnt_root->d_name.name, flags, ret);
}

SEC("lsm/bpf")
int BPF_PROG(journal_bpf, int command, void *attr, unsigned int size, _Bool kernel, int ret)
{
	return record(BPF, command, ret);
}

char _license[] SEC("license") = "GPL";
