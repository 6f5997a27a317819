// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts what a workload sends by service, and lets only known services
 * through. The table of services is constant, the counters are variables.
 */
#include "packet.h"

#define DENY 0
#define ALLOW 1
#define SERVICES 6

const volatile struct service_port {
	__u16 port;
	__u8 protocol;
	__u8 is_allowed;
} service_ports[SERVICES] = {
	{ 53, IPPROTO_UDP, 1 },
	{ 53, IPPROTO_TCP, 1 },
	{ 443, IPPROTO_TCP, 1 },
	{ 443, IPPROTO_UDP, 1 },
	{ 80, IPPROTO_TCP, 1 },
	{ 25, IPPROTO_TCP, 0 },
};

const volatile int default_verdict = DENY;

__u64 service_packets[SERVICES];
__u64 service_bytes[SERVICES];
static __u64 unknown_packets;

SEC("cgroup_skb/egress")
int cgroup_ports(struct __sk_buff *skb)
{
	struct cursor cursor = skb_cursor(skb);
	struct iphdr *ip = take_ipv4(&cursor);
	__be16 *ports = ip ? take(&cursor, 2 * sizeof(*ports)) : NULL;
	int i;

	if (!ports)
		return default_verdict;
	for (i = 0; i < SERVICES; i++) {
		if (bpf_htons(service_ports[i].port) != ports[1] ||
		    service_ports[i].protocol != ip->protocol)
			continue;
		__sync_fetch_and_add(&service_packets[i], 1);
		__sync_fetch_and_add(&service_bytes[i], skb->len);
		return service_ports[i].is_allowed ? ALLOW : DENY;
	}
	__sync_fetch_and_add(&unknown_packets, 1);
	return default_verdict;
}

char _license[] SEC("license") = "GPL";
