// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the length of each CPU's run queue from the scheduler's own variable,
 * for a load balancer that wants to know it now and not as an average.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

#define MAX_CPUS 64

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;

__u32 load_cpus;
/* Tasks that run or want to, for each CPU. */
__u32 load_running[MAX_CPUS];
/* Whether this CPU is in a program that must not be interrupted by another. */
__u32 load_in_program;

SEC("syscall")
int ksym_load(void *ctx)
{
	const int *active = bpf_this_cpu_ptr(&bpf_prog_active);
	const struct rq *rq;
	__u32 cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		rq = bpf_per_cpu_ptr(&runqueues, cpu);
		if (!rq)
			break;
		load_running[cpu] = rq->nr_running;
	}
	load_cpus = cpu;
	load_in_program = *active != 0;
	return 0;
}

char _license[] SEC("license") = "GPL";
