// SPDX-License-Identifier: GPL-2.0-only
/* The executable that the policy lists: loads a program of its class. */
#include <err.h>
#include <unistd.h>

#include "load.h"

int main(void)
{
	union bpf_attr attr = LOAD_ATTR(within);

	if (syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)) < 0)
		err(1, "loading a program of the class");
	return 0;
}
