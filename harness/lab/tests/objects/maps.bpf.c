// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and global data of every shape, and references to them from everywhere.
 * Does nothing sensible, and is never loaded.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __hidden __attribute__((visibility("hidden")))
#define __noinline __attribute__((noinline))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name
#define __array(name, type) type *name[]
#define __ulong(name, value) enum { name##_value = value } name

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static void (*tail_call)(void *context, void *map, __u32 index) = (void *)BPF_FUNC_tail_call;

typedef const volatile __u32 key_t;

enum place { HERE, THERE };

struct prefix {
	__u32 length;
	__u8 bytes[4];
};

struct value {
	__u64 counts[3];
	char name[5];
};

typedef struct value pair[2];

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__uint(map_flags, BPF_F_INNER_MAP);
	__type(key, __u32);
	__type(value, struct value);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, 1);
	__type(key, struct value);
	__type(value, pair);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 10);
	__type(key, key_t);
	__type(value, struct value);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 5);
	__uint(key_size, 4);
	__array(values, struct inner);
} nested SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 12289);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__ulong(map_extra, 3);
	__type(value, __u64);
} bloom SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, int);
	__type(value, int);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, enum place);
} trie SEC(".maps");

int counter;
static __u64 hidden_counter;
__hidden long visible_here = 7;
struct value initialised[2] = { { { 1, 2, 3 }, "one" }, { { 4 }, "two" } };
const volatile __u32 limits[4] = { 10, 20, 30, 40 };
static const volatile __u8 constant = 9;
long custom SEC(".data.custom") = 11;
static volatile const char string[] SEC(".rodata.strings") = "a string";

static __noinline void *shared(__u32 key)
{
	hidden_counter++;
	return lookup(&percpu, &key);
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	__u32 key = limits[3] + constant;
	void *inner = lookup(&nested, &key);
	struct value *value = inner ? lookup(inner, &key) : 0;

	counter += visible_here + initialised[1].counts[0];
	tail_call(ctx, &calls, limits[1]);
	return (long)lookup(&hash, &initialised[1]) + (long)value + (long)shared(key);
}

/* Other maps, so that they have other slots. */
SEC("xdp")
int second(struct xdp_md *ctx)
{
	__u32 key = string[3];

	custom++;
	return (long)shared(key) + (long)lookup(&trie, &key) + (long)lookup(&ring, &key) +
	       (long)lookup(&bloom, &key) + (long)lookup(&devices, &key) + (long)lookup(&perf, &key);
}

SEC("xdp")
int without(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
