// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tries to load an eBPF program of two instructions, says what came of it and
 * ends: when it is started, or, as a library, when any other program is.
 *
 * With PRETEND_TO_BE in the environment it first takes another executable's
 * place. All code of its own executable has to go for that: a library can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static void pretend_to_be(const char *executable)
{
	char own[4096] = "", line[4096 + 100];
	unsigned long start, end;
	int fd = open(executable, O_RDONLY);
	FILE *maps = fopen("/proc/self/maps", "r");

	readlink("/proc/self/exe", own, sizeof(own) - 1);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, own) && sscanf(line, "%lx-%lx", &start, &end) == 2)
			munmap((void *)start, end - start);
	if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0))
		_exit(errno);
}

__attribute__((constructor)) static void load(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (uintptr_t)insns,
		.license = (uintptr_t)"GPL",
	};
	const char *executable = getenv("PRETEND_TO_BE");
	int fd;

	if (executable)
		pretend_to_be(executable);
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	/* Not by way of stdout, which may have gone with the executable */
	dprintf(STDOUT_FILENO, "%s\n", fd < 0 ? strerror(errno) : "loaded");
	_exit(0);
}

int main(void)
{
	return 1;
}
