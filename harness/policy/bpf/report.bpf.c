// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports every load of a program, and who makes it. Refuses none.
 */
#include "load.h"

/* How many cgroups are named, from the task's upwards */
#define CGROUPS 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	const char *name;
	struct kernfs_node *__parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	int tgid;
	const struct cred *cred;
	struct css_set *cgroups;
	char comm[16];
};

#pragma clang attribute pop

struct load {
	struct load_description description;
	__s32 described;	/* 0, or why the kernel could not describe it */
	__u32 pid;
	__u32 uid;
	char comm[16];
	char cgroups[CGROUPS][64];
	char executable[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} loads SEC(".maps");

/* Loads that there was no room for */
__u64 lost;

int bpf_path_d_path(const struct path *path, char *buf, __kernel_size_t buf__sz) __ksym;

SEC("lsm.s/bpf_prog_load")
int BPF_PROG(report_load, struct bpf_prog *prog)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kernfs_node *node;
	struct file *executable;
	struct load *load;
	int i;

	load = bpf_ringbuf_reserve(&loads, sizeof(*load), 0);
	if (!load) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	__builtin_memset(load, 0, sizeof(*load));
	load->described = bpf_prog_load_describe(prog, &load->description, sizeof(load->description));
	load->pid = task->tgid;
	load->uid = task->cred->uid.val;
	bpf_probe_read_kernel(load->comm, sizeof(load->comm), task->comm);
	node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	for (i = 0; i < CGROUPS && node; i++) {
		bpf_probe_read_kernel_str(load->cgroups[i], sizeof(load->cgroups[i]), BPF_CORE_READ(node, name));
		node = BPF_CORE_READ(node, __parent);
	}
	executable = bpf_get_task_exe_file(task);
	if (executable) {
		bpf_path_d_path(&executable->f_path, load->executable, sizeof(load->executable));
		bpf_put_file(executable);
	}
	bpf_ringbuf_submit(load, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
