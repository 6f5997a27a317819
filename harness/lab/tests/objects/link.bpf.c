// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that refer to each other in every way that there is. Does nothing
 * sensible, and is never loaded.
 */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __hidden __attribute__((visibility("hidden")))
#define __weak __attribute__((weak))
#define __noinline __attribute__((noinline))

static long (*bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)BPF_FUNC_loop;

struct kernel_struct {
	int field;
} __attribute__((preserve_access_index));

static __noinline int leaf(struct __sk_buff *skb)
{
	return skb->len * 3;
}

/* Global: relocated against its own symbol. */
__noinline int shared(struct __sk_buff *skb)
{
	return leaf(skb) + skb->mark;
}

/* Hidden: its BTF becomes static. */
__hidden __noinline int hidden(struct __sk_buff *skb)
{
	return shared(skb) ^ skb->priority;
}

static long callback(__u32 index, void *context)
{
	*(int *)context += index;
	return 0;
}

__noinline long global_callback(__u32 index, void *context)
{
	return index > 3;
}

__weak __noinline int unused(struct __sk_buff *skb)
{
	return skb->len;
}

static __noinline int relocated(struct __sk_buff *skb)
{
	struct kernel_struct *kernel = (void *)(long)skb->mark;

	return kernel->field;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	int sum = shared(skb);

	bpf_loop(10, callback, &sum, 0);
	return sum + hidden(skb);
}

/* A second program of the section, with other subprograms in another order. */
SEC("tc")
int second(struct __sk_buff *skb)
{
	int sum = hidden(skb) + relocated(skb);

	bpf_loop(10, global_callback, &sum, 0);
	bpf_loop(20, callback, &sum, 0);
	return sum + leaf(skb);
}

SEC("xdp")
int third(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
