// SPDX-License-Identifier: GPL-2.0
/* What makes objects of some kinds special, as far as the kernel has something to do with it. */
#define SEC(name) __attribute__((section(name)))
#define NOINLINE __attribute__((noinline))

char _license[] SEC("license") = "GPL";

static void *(*lookup)(void *map, const void *key) = (void *)1;

/* Filled by the host. */
extern int LINUX_KERNEL_VERSION SEC(".kconfig");
extern _Bool LINUX_HAS_BPF_COOKIE SEC(".kconfig");
extern _Bool CONFIG_BPF_SYSCALL SEC(".kconfig");
extern _Bool CONFIG_MADE_UP_OPTION SEC(".kconfig") __attribute__((weak));

/* Global data. */
int version;
int others;

SEC("xdp_kinds") int reads_kconfig(void *context)
{
	version = LINUX_KERNEL_VERSION;
	others = LINUX_HAS_BPF_COOKIE + 2 * CONFIG_BPF_SYSCALL + 4 * CONFIG_MADE_UP_OPTION;
	/* For another kernel: to this one, it is a constant that this is never called. */
	if (CONFIG_MADE_UP_OPTION)
		others = ((int (*)(void))9999)();
	return 2;
}

int for_each_cpu[2] SEC(".percpu") = { 5, 11 };

/* The kernel does not take the BTF of a function whose parameter has no name. */
SEC("xdp_percpu") int reads_percpu(void *)
{
	return for_each_cpu[1];
}

struct {
	int (*type)[1];
	int (*max_entries)[8];
	int *key;
	long *value;
	/* BPF_F_NUMA_NODE */
	int (*map_flags)[4];
	int (*numa_node)[0];
} near SEC(".maps");

SEC("xdp_near") int looks_up(void *context)
{
	int key = 1;

	return lookup(&near, &key) ? 1 : 2;
}

struct {
	/* BPF_MAP_TYPE_ARENA */
	int (*type)[33];
	/* BPF_F_MMAPABLE */
	int (*map_flags)[1024];
	int (*max_entries)[2];
} arena SEC(".maps");

int in_arena SEC(".addr_space.1") = 7;

SEC("syscall") int reads_arena(void *context)
{
	int *address = &in_arena;

	asm volatile("r1 = %[arena] ll" :: [arena]"i"(&arena) : "r1");
	/* addr_space_cast(address, 0, 1): r0 = r0, offset 1. */
	asm volatile("r0 = %[address]\n"
		     ".byte 0xbf, 0x00\n.short 1\n.long 1\n"
		     "%[address] = r0" : [address]"+r"(address) :: "r0");
	return *address;
}

extern void bpf_throw(unsigned long long cookie) SEC(".ksyms");

NOINLINE int handler(unsigned long long cookie)
{
	return 3;
}

SEC("tc-throws") __attribute__((btf_decl_tag("exception_callback:handler")))
int throws(void *context)
{
	bpf_throw(1);
	return 0;
}
