// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody but root opens a set-user-ID file of root for writing, and nobody
 * executes a file that everyone may write to.
 */
#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define FMODE_WRITE 2
#define S_ISUID 04000
#define S_IWOTH 00002

SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file, int ret)
{
	struct inode *inode = file->f_inode;

	if (ret || !(file->f_mode & FMODE_WRITE))
		return ret;
	if ((inode->i_mode & S_ISUID) && inode->i_uid.val == 0 &&
	    (__u32)bpf_get_current_uid_gid() != 0)
		return -EPERM;
	return 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(lsm_exec, struct linux_binprm *bprm, int ret)
{
	if (ret)
		return ret;
	return bprm->file->f_inode->i_mode & S_IWOTH ? -EACCES : 0;
}

char _license[] SEC("license") = "GPL";
