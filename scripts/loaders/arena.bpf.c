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
	int *address = &counter;

	/* The verifier wants to see which arena it is. */
	asm volatile("r1 = %[arena] ll" :: [arena]"i"(&arena) : "r1");
	/* addr_space_cast(address, 0, 1): r0 = r0, offset 1. Compilers may not know address spaces. */
	asm volatile("r0 = %[address]\n"
		     ".byte 0xbf, 0x00\n.short 1\n.long 1\n"
		     "%[address] = r0" : [address]"+r"(address) :: "r0");
	return *address;
}

char _license[] SEC("license") = "GPL";
