// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map whose size user space is to set.
 */
#define ENTRIES 0
#include "pinned.bpf.c"
