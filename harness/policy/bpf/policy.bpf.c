// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants unsigned loads that the policy below names, where signatures are
 * required. bpfsig writes the policy into the object, and signs it.
 */
#include "load.h"

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

#define MAX_PROGRAMS 4096
#define MAX_CLASSES 64

/* Any attach type */
#define ANY (~0U)

/* Attaches to another program: BPF_SIG_ATTACH_PROG of the kernel */
#define ATTACH_PROG 2

/*
 * What the kernel's enum bpf_load_grant says. A program that is granted blindly can't follow pointers into the kernel: its
 * loader may have written it.
 */
enum grant {
	REFUSE = 0,
	GRANT = 1,
	GRANT_BLIND = 2,
};

/* Programs that are granted by what they are able to do */
struct class {
	__u64 helpers[4];	/* no other helpers */
	__u64 map_types;	/* no other maps */
	__u32 prog_type;
	__u32 attach_type;
	__u32 max_insns;
	__u32 has_executable;
	__u64 executable[4];	/* loaded by this one alone: its fs-verity digest */
	__u64 attach_to[8];
};

const volatile struct {
	__u64 version;
	__u32 program_cnt;
	__u32 class_cnt;
	__u64 programs[MAX_PROGRAMS][4];	/* digests, in ascending order */
	struct class classes[MAX_CLASSES];
} policy;

/* Where the kernel writes a digest: several tasks may be loading */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct file_digest);
} executable_digest SEC(".maps");

/* A load, and what is known about the policy's word on it */
struct decision {
	const struct load_description *load;
	struct file_digest *executable;
	__u32 from;	/* the programs that are still to be searched */
	__u32 to;
	enum grant grant;
};

int bpf_prog_load_decide(struct bpf_prog *prog, __u64 version, __u32 grant) __ksym;

/* Halves the programs that are still to be searched */
static int halve(__u32 step, struct decision *decision)
{
	const __u64 *digest = (const __u64 *)decision->load->digest;
	__u32 middle = (decision->from + decision->to) / 2;
	__u64 there;
	int i;

	if (decision->from >= decision->to || middle >= MAX_PROGRAMS)
		return 1;
	for (i = 0; i < 4; i++) {
		there = policy.programs[middle][i];
		if (there < digest[i]) {
			decision->from = middle + 1;
			return 0;
		}
		if (there > digest[i]) {
			decision->to = middle;
			return 0;
		}
	}
	decision->grant = GRANT;
	return 1;
}

static bool has_digest(const struct load_description *load)
{
	const __u64 *digest = (const __u64 *)load->digest;

	return digest[0] | digest[1] | digest[2] | digest[3];
}

/* The digest of the executable, if fs-verity protects it */
static struct file_digest *executable_of(struct task_struct *task)
{
	struct file_digest *digest;
	struct bpf_dynptr buffer;
	struct file *executable;
	int error;

	digest = bpf_task_storage_get(&executable_digest, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!digest)
		return NULL;
	executable = bpf_get_task_exe_file(task);
	if (!executable)
		return NULL;
	error = bpf_dynptr_from_mem(digest, sizeof(*digest), 0, &buffer);
	if (!error)
		error = bpf_get_fsverity_digest(executable, &buffer);
	bpf_put_file(executable);
	if (error < 0 || digest->algorithm != FS_VERITY_SHA256)
		return NULL;
	return digest;
}

/* Grants a load that is in a class */
static int try_class(__u32 i, struct decision *decision)
{
	const struct load_description *load = decision->load;
	const volatile struct class *class;
	__u64 word;
	int j;

	if (i >= policy.class_cnt || i >= MAX_CLASSES)
		return 1;
	class = &policy.classes[i];
	if (class->prog_type != load->prog_type || load->insn_cnt > class->max_insns)
		return 0;
	if (class->attach_type != ANY && class->attach_type != load->expected_attach_type)
		return 0;
	for (j = 0; j < 4; j++) {
		if (load->helpers[j] & ~class->helpers[j])
			return 0;
	}
	if (load->map_types & ~class->map_types)
		return 0;
	/* A class names what is the kernel's, which a program's may have the name of */
	if (load->attach_kind == ATTACH_PROG && load->prog_type != BPF_PROG_TYPE_EXT)
		return 0;
	for (j = 0; j < 8; j++) {
		if (class->attach_to[j] != ((const __u64 *)load->attach_to)[j])
			return 0;
	}
	if (class->has_executable) {
		if (!decision->executable)
			return 0;
		for (j = 0; j < 4; j++) {
			__builtin_memcpy(&word, &decision->executable->digest[8 * j], sizeof(word));
			if (class->executable[j] != word)
				return 0;
		}
	}
	decision->grant = GRANT_BLIND;
	return 1;
}

static enum grant decide(const struct load_description *load)
{
	struct decision decision = { .load = load, .to = policy.program_cnt };

	if (has_digest(load)) {
		/* Twelve halvings leave one of 4096 */
		bpf_loop(13, halve, &decision, 0);
		if (decision.grant)
			return decision.grant;
	}
	/* What kernel functions and variables can do is not for a class to say */
	if (load->kfunc_cnt || load->ksym_cnt)
		return REFUSE;
	decision.executable = executable_of(bpf_get_current_task_btf());
	bpf_loop(MAX_CLASSES, try_class, &decision, 0);
	return decision.grant;
}

SEC("lsm.s/bpf_prog_load")
int BPF_PROG(decide_load, struct bpf_prog *prog)
{
	struct load_description load = {};
	enum grant grant = REFUSE;

	if (!bpf_prog_load_describe(prog, &load, sizeof(load)))
		grant = decide(&load);
	bpf_prog_load_decide(prog, policy.version, grant);
	return 0;
}

char _license[] SEC("license") = "GPL";
