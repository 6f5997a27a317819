// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses in the kernel that its BTF does not describe.
 * Does nothing sensible, and is never loaded.
 */
#define SEC(name) __attribute__((section(name), used))
#define __weak __attribute__((weak))
#define __ksym __attribute__((section(".ksyms")))

extern const void _stext __ksym;
extern void _etext __ksym __weak;

SEC("fentry/tcp_connect")
long distance(unsigned long long *ctx)
{
	return (long)&_etext - (long)&_stext;
}

char _license[] SEC("license") = "GPL";
