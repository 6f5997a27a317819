// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets nobody load eBPF programs but those programs whose executable, by its
 * fs-verity digest, is on a list. Who fills the list freezes it, and then
 * attaches this.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

/*
 * struct fsverity_digest with room for SHA-256. A longer digest does not fit,
 * and its file is none that is listed.
 */
struct digest {
	__u16 algorithm;
	__u16 size;
	__u8 digest[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_RDONLY_PROG);	/* frozen, it can't be changed at all */
	__type(key, struct digest);
	__type(value, __u8);
} approved_loader SEC(".maps");

/* Where the kernel writes a digest: several tasks may be loading */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct digest);
} loader_digest SEC(".maps");

struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
void bpf_put_file(struct file *file) __ksym;
int bpf_get_fsverity_digest(struct file *file, struct bpf_dynptr *digest) __ksym;

static __always_inline bool is_approved(struct task_struct *task)
{
	struct digest *digest;
	struct bpf_dynptr buffer;
	struct file *executable;
	bool approved = false;

	digest = bpf_task_storage_get(&loader_digest, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!digest)
		return false;
	executable = bpf_get_task_exe_file(task);
	if (!executable)
		return false;
	if (!bpf_dynptr_from_mem(digest, sizeof(*digest), 0, &buffer) &&
	    !bpf_get_fsverity_digest(executable, &buffer))
		approved = bpf_map_lookup_elem(&approved_loader, digest);
	bpf_put_file(executable);
	return approved;
}

/*
 * Not bpf_prog_load: that hook comes when the kernel has allocated the program
 * and copied its instructions. Sleepable, to wait for memory for the storage
 * rather than refuse a load for want of it. What other programs on the hook
 * said is not looked at: once one has refused, the next is not called; and
 * later kernels have it elsewhere (6.15 added an argument).
 */
SEC("lsm.s/bpf")
int BPF_PROG(lsm_approve_list, int command)
{
	if (command != BPF_PROG_LOAD)
		return 0;
	return is_approved(bpf_get_current_task_btf()) ? 0 : -EPERM;
}

char _license[] SEC("license") = "GPL";
