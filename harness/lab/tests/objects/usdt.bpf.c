// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program's half of a statically defined tracepoint, as usdt.bpf.h has it, for one constant argument.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

struct spec {
	struct {
		__u64 value;
		__u32 type;
		__s16 reg;
		__u8 is_signed;
		__u8 shift;
	} args[12];
	__u64 cookie;
	__s16 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, int);
	__type(value, struct spec);
} __bpf_usdt_specs SEC(".maps");

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static __u64 (*cookie)(void *ctx) = (void *)BPF_FUNC_get_attach_cookie;

unsigned long long runs, counted, argument;

SEC("usdt")
int started(void *ctx)
{
	int id = cookie(ctx);
	struct spec *spec = lookup(&__bpf_usdt_specs, &id);

	__sync_fetch_and_add(&runs, 1);
	if (spec) {
		counted = spec->count;
		argument = spec->args[0].value;
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
