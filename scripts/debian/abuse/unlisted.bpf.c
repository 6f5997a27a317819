// SPDX-License-Identifier: GPL-2.0-only
/* A rule for devices that depends on the user: other than those of systemd, runc and crun, it calls a helper. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("cgroup/dev")
int unlisted(struct bpf_cgroup_dev_ctx *ctx)
{
	return (__u32)bpf_get_current_uid_gid() == 0;
}

char _license[] SEC("license") = "GPL";
