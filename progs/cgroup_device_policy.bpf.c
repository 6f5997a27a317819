// SPDX-License-Identifier: GPL-2.0-only
/*
 * The devices that a container runtime allows by default (OCI runtime
 * specification, "Default Devices"), and creating device nodes.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("cgroup/dev")
int cgroup_device(struct bpf_cgroup_dev_ctx *ctx)
{
	__u32 type = ctx->access_type & 0xffff;
	__u32 access = ctx->access_type >> 16;

	/* Creating a node gives no access to the device. */
	if (access == BPF_DEVCG_ACC_MKNOD)
		return 1;
	if (type != BPF_DEVCG_DEV_CHAR)
		return 0;
	switch (ctx->major) {
	case 1:	/* null, zero, full, random, urandom */
		return ctx->minor == 3 || ctx->minor == 5 || ctx->minor == 7 ||
		       ctx->minor == 8 || ctx->minor == 9;
	case 5:	/* tty, console, ptmx */
		return ctx->minor <= 2;
	case 136: /* pts */
		return 1;
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
