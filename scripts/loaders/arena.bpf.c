// SPDX-License-Identifier: GPL-2.0-only
/* A global variable of an arena: it depends on libbpf where it is. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA, which headers may lack */
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8);
} arena SEC(".maps");

int counter SEC(".addr_space.1") = 7;

SEC("syscall")
int count(void *ctx)
{
	/* The verifier wants to see that the arena is used. */
	asm volatile("" :: "r"(&arena));
	return counter;
}

char _license[] SEC("license") = "GPL";
