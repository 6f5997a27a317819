/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel tells of a load, on the LSM hook bpf_prog_load.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The kernel's struct bpf_load_desc */
struct load_description {
	__u8 digest[32];
	__u64 helpers[4];
	__u64 map_types;
	__u32 prog_type;
	__u32 expected_attach_type;
	__u32 insn_cnt;
	__u32 map_cnt;
	__u32 kfunc_cnt;
	__u32 ksym_cnt;
	__u32 core_relo_cnt;
	__u32 verdict;
	__u32 attach_kind;
	__u32 reserved;
	char prog_name[16];
	char attach_to[64];
};

/* struct fsverity_digest with room for SHA-256. A longer digest does not fit */
struct file_digest {
	__u16 algorithm;
	__u16 size;
	__u8 digest[32];
};

#define FS_VERITY_SHA256 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct path {
	void *mnt;
};

struct file {
	struct path f_path;
};

/* Not only declared: else the prototypes below are not the kernel's */
struct bpf_prog {
	__u16 pages;
};

#pragma clang attribute pop

/* For each program to define, with what it reads of it */
struct task_struct;

int bpf_prog_load_describe(struct bpf_prog *prog, void *description, __u32 description__sz) __ksym;
struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
void bpf_put_file(struct file *file) __ksym;
int bpf_get_fsverity_digest(struct file *file, struct bpf_dynptr *digest) __ksym;

#endif /* LOAD_H */
