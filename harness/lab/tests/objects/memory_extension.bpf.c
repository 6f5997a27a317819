// SPDX-License-Identifier: GPL-2.0-only
/* Replaces that function, with an idea of its own of how much memory there is, and of what it is. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

#ifdef TAG
#define TAGGED __attribute__((btf_decl_tag(TAG)))
#else
#define TAGGED
#endif

struct data {
	long words[WORDS];
};

SEC("freplace/look") int take(struct data *data TAGGED)
{
	return data ? data->words[WORDS - 1] : 0;
}
