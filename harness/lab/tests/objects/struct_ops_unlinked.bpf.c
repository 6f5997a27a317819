// SPDX-License-Identifier: GPL-2.0-only
#define UNLINKED
#include "struct_ops_partial.bpf.c"
