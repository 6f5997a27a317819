// SPDX-License-Identifier: GPL-2.0-only
/* For LD_PRELOAD: loads a program in the name of the executable that is about to run. With BEYOND, one that its class lacks. */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"

__attribute__((constructor)) static void load(void)
{
	union bpf_attr attr = LOAD_ATTR(within);

	if (getenv("BEYOND"))
		attr = LOAD_ATTR(beyond);
	if (syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)) < 0)
		err(1, "loading a program from within");
	_exit(0);
}
