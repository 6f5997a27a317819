// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes sysctls read-only for a cgroup, but for net/ipv4/tcp_*, where only
 * small numbers may be written.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define MAX_VALUE 65536
/* Of "net/ipv4/tcp_". */
#define PREFIX_SIZE 13

static __always_inline int is_tcp(const char *name)
{
	return name[0] == 'n' && name[1] == 'e' && name[2] == 't' && name[3] == '/' &&
	       name[4] == 'i' && name[5] == 'p' && name[6] == 'v' && name[7] == '4' &&
	       name[8] == '/' && name[9] == 't' && name[10] == 'c' && name[11] == 'p' &&
	       name[12] == '_';
}

SEC("cgroup/sysctl")
int cgroup_sysctl(struct bpf_sysctl *ctx)
{
	unsigned long value;
	char name[64] = {};
	char text[16] = {};

	if (!ctx->write)
		return 1;
	if (bpf_sysctl_get_name(ctx, name, sizeof(name), 0) < PREFIX_SIZE || !is_tcp(name))
		return 0;
	if (bpf_sysctl_get_new_value(ctx, text, sizeof(text)) < 0)
		return 0;
	if (bpf_strtoul(text, sizeof(text), 0, &value) < 0)
		return 0;
	return value <= MAX_VALUE;
}

char _license[] SEC("license") = "GPL";
