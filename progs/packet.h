/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs that look at packets have in common. */
#ifndef PACKET_H
#define PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

/* The unread part of a packet. */
struct cursor {
	void *pos;
	void *end;
};

/* The next @size bytes, or NULL if the packet is shorter. */
static __always_inline void *take(struct cursor *cursor, __u64 size)
{
	void *at = cursor->pos;

	if (at + size > cursor->end)
		return NULL;
	cursor->pos = at + size;
	return at;
}

static __always_inline struct cursor xdp_cursor(const struct xdp_md *ctx)
{
	return (struct cursor){
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
}

static __always_inline struct cursor skb_cursor(const struct __sk_buff *skb)
{
	return (struct cursor){
		.pos = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
	};
}

/* An IPv4 header with its options, or NULL. */
static __always_inline struct iphdr *take_ipv4(struct cursor *cursor)
{
	struct iphdr *ip = take(cursor, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return NULL;
	if (!take(cursor, (ip->ihl - 5) * 4))
		return NULL;
	return ip;
}

#endif /* PACKET_H */
