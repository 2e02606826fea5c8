/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/percpu.h -- what each CPU has for itself.
 *
 * GS.base points at the struct cpu of the CPU that runs; nothing runs in user
 * mode, so it always does.  The first fields are read and written by
 * kernel/arch/trap.asm: their offsets are fixed and asserted below.
 */
#ifndef KERNEL_ARCH_PERCPU_H
#define KERNEL_ARCH_PERCPU_H

#include "kernel/arch/arch.h"
#include "kernel/arch/window.h"
#include "lib/types.h"

struct fault_expect;
struct thread;
struct owner;

#define IRQ_LINES 16

struct cpu {
	struct cpu *self;     /* 0: so that gs:0 is its address */
	uint64_t open_window; /* 8: see kernel/arch/window.h; 0: none is open */
	/* 16: interrupts that entered on each line, counted by the stub. */
	uint64_t irq_taken[IRQ_LINES];
	/* 144, 152, 160: kernel/core/nmi_watch.h. */
	uint64_t nmi_watch; /* 1: each tick brings an NMI as well */
	uint64_t nmi_seen;  /* irq_taken[0] at the last of them */
	uint64_t nmi_ticks; /* how many there were */

	uint64_t root; /* physical, see kernel/arch/paging.h; 0: it has none */
	/* 176: by group; NULL: none. */
	uint64_t *window_directory[WINDOW_GROUPS];
	unsigned int id;
	unsigned int preempt_count;  /* see kernel/core/context.h */
	struct fault_expect *expect; /* see kernel/arch/trap.h */
	struct thread *thread;       /* that runs here */
	bool need_resched;           /* another thread should run soon */
	bool irr_hidden; /* the 8259 shows another register than its IRR */
	struct owner *irq_owner; /* innermost interrupt line that runs */
	uint64_t irq_rip;        /* where the innermost interrupt came */
	uint64_t nmi_count;      /* of NMIs that are not ticks */
};

static_assert(offsetof(struct cpu, self) == 0, "trap.asm");
static_assert(offsetof(struct cpu, open_window) == 8, "trap.asm");
static_assert(offsetof(struct cpu, irq_taken) == 16, "trap.asm");
static_assert(offsetof(struct cpu, nmi_watch) == 144, "trap.asm");
static_assert(offsetof(struct cpu, nmi_seen) == 152, "trap.asm");
static_assert(offsetof(struct cpu, nmi_ticks) == 160, "trap.asm");
static_assert(offsetof(struct cpu, window_directory) == 176, "trap.asm");

extern struct cpu cpus[MAX_CPUS];

/* The CPU that runs.  Stays true while preemption or interrupts are off. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

#endif
