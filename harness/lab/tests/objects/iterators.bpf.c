// SPDX-License-Identifier: GPL-2.0-only
// Iterators over the elements of a map, which differ in what they access.

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_iter__bpf_map_elem {
	union {
		void *meta;
	} __attribute__((aligned(8)));
	union {
		void *map;
	} __attribute__((aligned(8)));
	union {
		void *key;
	} __attribute__((aligned(8)));
	union {
		void *value;
	} __attribute__((aligned(8)));
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} constants SEC(".maps");

__u64 seen;

SEC("iter/bpf_map_elem")
int reader(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *value = ctx->value;

	if (value)
		seen = value[0];
	return 0;
}

SEC("iter/bpf_map_elem")
int writer(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *value = ctx->value;

	if (value)
		value[0] = 7;
	return 0;
}

SEC("iter/bpf_map_elem")
int reader_beyond(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *value = ctx->value;

	if (value)
		seen = value[1];
	return 0;
}

char _license[] SEC("license") = "GPL";
