// SPDX-License-Identifier: GPL-2.0-only
#define ENTRIES 16
#include "pinned.bpf.c"
