/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/cpu.h -- what this CPU can do, and making it do it.
 */
#ifndef KERNEL_ARCH_CPU_H
#define KERNEL_ARCH_CPU_H

#include "lib/types.h"

enum cpu_feature {
	CPU_NX,   /* no-execute pages */
	CPU_PGE,  /* global pages */
	CPU_MCE,  /* an error of the hardware is an exception */
	CPU_SMEP, /* no execution of user pages by the kernel */
	CPU_SMAP, /* no access to user pages by the kernel */
	CPU_UMIP, /* no SGDT, SIDT, SLDT, SMSW, STR in user mode */
	CPU_FEATURES,
};

/*
 * Descriptor tables, interrupt stacks, this CPU's struct cpu, and every
 * protection of the list above that the CPU has.  The first thing in kmain();
 * interrupts stay off.  Until others register handlers, an exception is the
 * sentence of boot/early.asm and the end.
 */
void cpu_init(void);

/*
 * The processor goes on as CPU number ID, which has a root (paging_make_root()): CR3
 * and GS.base are that CPU's from now on, and so is what is open in its windows.
 * Descriptor tables and stacks stay.  Interrupts off.
 */
void cpu_become(unsigned int id);

/* Any context. */
bool cpu_has(enum cpu_feature feature);
const char *cpu_feature_name(enum cpu_feature feature);

/*
 * For the log: the brand, what is on, and what the CPU lacks:
 * "QEMU Virtual CPU version 2.5+: nx pge mce, without smep smap umip".
 */
const char *cpu_description(void);

/*
 * Read the record of a hardware failure: the first bank that holds an error.  False:
 * none does, or the CPU keeps no records.  Any context.
 */
struct machine_check {
	unsigned int bank;
	uint64_t status;  /* Intel SDM vol. 3B, 15.3.2.2 */
	uint64_t address; /* of memory that is concerned; -1: not known */
};
bool cpu_machine_check(struct machine_check *error);

/* Start the machine again through a triple fault: the last resort. */
__noreturn void arch_reboot(void);

#endif
