// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's translator that counts the instructions of a kernel: at the end of the run, it writes a line for each
 * block of them that was executed, with its address and how many instructions that was, to the file $PROFILE.
 *
 * Version 1 of the interface, which QEMU has had since 4.2; Debian does not package its header (qemu-plugin.h).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef uint64_t plugin_id;
struct block;

enum { ADD_U64 = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct block *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct block *block, int op, void *counter, uint64_t add);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*end)(plugin_id, void *), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct block *block);
extern uint64_t qemu_plugin_tb_vaddr(const struct block *block);

int qemu_plugin_version = 1;

/* The text of a kernel without KASLR, and its modules */
#define KERNEL 0xffffffff80000000

/* More blocks than a kernel has */
#define SLOTS (1 << 22)

struct count {
	uint64_t address;
	uint64_t insns;
};

static struct count *counts;

static struct count *find(uint64_t address)
{
	/* Fibonacci hashing */
	uint64_t slot = (address * 0x9e3779b97f4a7c15) >> 42;

	while (counts[slot].address && counts[slot].address != address)
		slot = (slot + 1) % SLOTS;
	counts[slot].address = address;
	return &counts[slot];
}

static void translated(plugin_id id, struct block *block)
{
	uint64_t address = qemu_plugin_tb_vaddr(block);

	(void)id;
	if (address >= KERNEL)
		qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &find(address)->insns,
							 qemu_plugin_tb_n_insns(block));
}

static void end(plugin_id id, void *data)
{
	FILE *file = fopen(getenv("PROFILE"), "w");

	(void)id;
	(void)data;
	if (!file)
		return;
	for (size_t slot = 0; slot < SLOTS; slot++)
		if (counts[slot].insns)
			fprintf(file, "%016lx %lu\n", counts[slot].address, counts[slot].insns);
	fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	counts = calloc(SLOTS, sizeof(*counts));
	if (!counts || !getenv("PROFILE"))
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, end, NULL);
	return 0;
}
