// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets a packet socket see nothing but well-formed DNS questions: the names
 * are walked label by label.
 */
#include "packet.h"

#define DNS_PORT 53
#define DNS_RESPONSE 0x8000
#define MAX_LABELS 32
#define MAX_LABEL 63
#define MAX_NAME 255

struct dns_header {
	__be16 id;
	__be16 flags;
	__be16 questions;
	__be16 answers;
	__be16 authorities;
	__be16 additional;
};

/* Whether a well-formed name starts at @offset. */
static __noinline int has_name(struct __sk_buff *skb, __u32 offset)
{
	__u32 start = offset;
	int i;

	for (i = 0; i < MAX_LABELS; i++) {
		__u8 length;

		if (bpf_skb_load_bytes(skb, offset, &length, sizeof(length)))
			return 0;
		if (length == 0)
			return 1;
		if (length > MAX_LABEL)
			return 0;
		offset += 1 + length;
		if (offset - start > MAX_NAME)
			return 0;
	}
	return 0;
}

SEC("socket")
int socket_dns(struct __sk_buff *skb)
{
	struct dns_header dns;
	struct udphdr udp;
	struct iphdr ip;
	__u32 offset = ETH_HLEN;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
		return 0;
	if (ip.protocol != IPPROTO_UDP || (ip.frag_off & bpf_htons(IP_MF | IP_OFFSET)))
		return 0;
	offset += ip.ihl * 4;
	if (bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)))
		return 0;
	if (udp.dest != bpf_htons(DNS_PORT))
		return 0;
	offset += sizeof(udp);
	if (bpf_skb_load_bytes(skb, offset, &dns, sizeof(dns)))
		return 0;
	if ((dns.flags & bpf_htons(DNS_RESPONSE)) || dns.questions != bpf_htons(1))
		return 0;
	return has_name(skb, offset + sizeof(dns)) ? skb->len : 0;
}

char _license[] SEC("license") = "GPL";
