/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fields of kernel structures that these programs read.
 *
 * Every access is recorded as a CO-RE relocation, so that neither the order
 * nor the position of the fields matters here.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
};

struct tcp_sock {
	__u32 snd_cwnd;
	__u32 snd_cwnd_cnt;
	__u32 snd_cwnd_clamp;
	__u32 snd_ssthresh;
	__u32 prior_cwnd;
};

struct sockaddr {
	unsigned short sa_family;
};

struct rq {
	unsigned int nr_running;
};

struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	__u32 id;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
	kuid_t euid;
};

struct cpumask {
	unsigned long bits[1];
};

struct bpf_cpumask {
	struct cpumask cpumask;
};

struct pid_namespace {
	unsigned int level;
};

struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
};

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags;
	const struct cred *cred;
	struct task_struct *real_parent;
	struct nsproxy *nsproxy;
	const struct cpumask *cpus_ptr;
	char comm[16];
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct iattr {
	unsigned int ia_valid;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct filename {
	const char *name;
};

struct file_operations;

struct file {
	unsigned int f_mode;
	unsigned int f_flags;
	struct inode *f_inode;
	const struct file_operations *f_op;
	void *private_data;
};

struct linux_binprm {
	struct file *file;
	const struct cred *cred;
	const char *filename;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif /* KERNEL_TYPES_H */
