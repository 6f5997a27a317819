// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs an executable, and makes it load a program with ptrace: traced EXECUTABLE. With BEYOND in the environment, one that its
 * class lacks. The executable is stopped before its first instruction; program and attributes go to its stack, a system call
 * to where it stands.
 */
#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

/* What is written to the stack of the executable */
struct load {
	union bpf_attr attr;
	struct bpf_insn insns[8];
	char license[4];
};

static void write_load(pid_t child, unsigned long to)
{
	struct load load = { .license = "GPL" };
	unsigned long words[sizeof(load) / sizeof(long) + 1] = {};
	size_t i;

	load.attr = LOAD_ATTR(within);
	if (getenv("BEYOND"))
		load.attr = LOAD_ATTR(beyond);
	memcpy(load.insns, (void *)load.attr.insns, load.attr.insn_cnt * sizeof(*load.insns));
	load.attr.insns = to + offsetof(struct load, insns);
	load.attr.license = to + offsetof(struct load, license);
	memcpy(words, &load, sizeof(load));
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (ptrace(PTRACE_POKEDATA, child, to + i * sizeof(*words), words[i]))
			err(1, "writing to the stack");
}

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	unsigned long stack;
	pid_t child;

	if (argc != 2)
		errx(2, "usage: traced EXECUTABLE");
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(argv[1], argv[1], NULL);
		err(1, "%s", argv[1]);
	}
	if (waitpid(child, NULL, 0) != child || ptrace(PTRACE_GETREGS, child, 0, &regs))
		err(1, "tracing it");

	stack = (regs.rsp - sizeof(struct load) - 256) & ~15UL;
	write_load(child, stack);
	/* syscall */
	if (ptrace(PTRACE_POKETEXT, child, regs.rip, 0x050f))
		err(1, "writing the system call");
	regs.rax = SYS_bpf;
	regs.rdi = BPF_PROG_LOAD;
	regs.rsi = stack;
	regs.rdx = sizeof(union bpf_attr);
	if (ptrace(PTRACE_SETREGS, child, 0, &regs) || ptrace(PTRACE_SINGLESTEP, child, 0, 0) ||
	    waitpid(child, NULL, 0) != child || ptrace(PTRACE_GETREGS, child, 0, &regs))
		err(1, "making the system call");
	ptrace(PTRACE_KILL, child, 0, 0);
	if ((long)regs.rax < 0) {
		errno = -(long)regs.rax;
		err(1, "loading a program with ptrace");
	}
	return 0;
}
