// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two directions of an access port: what comes in untagged is put into
 * the port's VLAN, what is tagged otherwise is dropped; the tag is taken off
 * again on the way out.
 */
#include <linux/pkt_cls.h>

#include "packet.h"

#define PORT_VLAN 100
#define VOICE_VLAN 200

SEC("tcx/ingress")
int tc_vlan_ingress(struct __sk_buff *skb)
{
	__u32 vlan = skb->vlan_tci & 0xfff;

	if (!skb->vlan_present)
		return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), PORT_VLAN) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	return vlan == VOICE_VLAN ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tcx/egress")
int tc_vlan_egress(struct __sk_buff *skb)
{
	__u32 vlan = skb->vlan_tci & 0xfff;

	if (!skb->vlan_present)
		return TC_ACT_SHOT;
	if (vlan == VOICE_VLAN)
		return TC_ACT_UNSPEC;
	if (vlan != PORT_VLAN)
		return TC_ACT_SHOT;
	return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
