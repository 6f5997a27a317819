/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads a program on reads of sysctls, of the class that the policy has for one executable, or one that goes beyond it. */
#ifndef LOAD_H
#define LOAD_H

#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#define EXIT { .code = BPF_JMP | BPF_EXIT }
#define MOV(dst, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst, .imm = value }

/* What the class has: programs without helpers */
static const struct bpf_insn within[] = { MOV(BPF_REG_0, 1), EXIT };
static const struct bpf_insn beyond[] = {
	{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns },
	MOV(BPF_REG_0, 1),
	EXIT,
};

static inline union bpf_attr load_attr(const struct bpf_insn *insns, __u32 insn_cnt, const char *license)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_SYSCTL;
	attr.expected_attach_type = BPF_CGROUP_SYSCTL;
	attr.insns = (unsigned long)insns;
	attr.insn_cnt = insn_cnt;
	attr.license = (unsigned long)license;
	return attr;
}

#define LOAD_ATTR(insns) load_attr(insns, sizeof(insns) / sizeof(*(insns)), "GPL")

#endif
