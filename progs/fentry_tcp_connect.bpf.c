// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends a process that opens a connection to an SMTP server while it is no
 * mail server (uid 0 or 8), the way runtime security agents do.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.h"

#define AF_INET 2
#define AF_INET6 10
#define SIGKILL 9
#define SMTP_PORT bpf_htons(25)
#define MAIL_UID 8

SEC("fentry/tcp_connect")
int BPF_PROG(fentry_connect, struct sock *sk)
{
	__u32 uid = (__u32)bpf_get_current_uid_gid();

	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return 0;
	if (sk->__sk_common.skc_dport != SMTP_PORT || uid == 0 || uid == MAIL_UID)
		return 0;
	bpf_send_signal(SIGKILL);
	return 0;
}

char _license[] SEC("license") = "GPL";
