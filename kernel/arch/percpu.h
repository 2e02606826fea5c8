/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/percpu.h -- what each CPU has for itself.
 *
 * GS.base points at the struct cpu of the CPU that runs; nothing runs in user
 * mode, so it always does.  The first fields are read and written by
 * kernel/arch/trap.asm: their offsets are fixed and asserted below.
 *
 * One instruction.  Between two instructions an interrupt or an NMI may come, and a
 * thread with preemption on may move to another CPU.  Inside one it may not.  So each
 * access below is one instruction relative to GS: it finds the CPU and its field in
 * one step, and none of it needs a lock prefix, for no other CPU writes the field.
 *
 *	this_cpu_read(thread)		mov %gs:728, %rax
 *	this_cpu_add(nmi_count, 1)	addq $1, %gs:760
 *
 * The value is true of the CPU that the caller was on at that instruction.  It is
 * of use where preemption is off, or where it is the same on all CPUs that the caller
 * can be on, as the thread that runs.
 *
 * tests/lint/percpu.py disassembles each accessor.
 *
 * Source: Linux 6.12 arch/x86/include/asm/percpu.h, this_cpu_*().
 */
#ifndef KERNEL_ARCH_PERCPU_H
#define KERNEL_ARCH_PERCPU_H

#include "kernel/arch/arch.h"
#include "kernel/arch/window.h"
#include "lib/types.h"

struct fault_expect;
struct thread;
struct owner;
struct pcp_cpu;

#define IRQ_LINES          16
#define LOCKS_MOST         16

/* Bit 0 of cpu->preempt: no other thread should run. */
#define PREEMPT_NO_RESCHED 1U

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
	unsigned int preempt;        /* see kernel/core/context.h */
	struct fault_expect *expect; /* see kernel/arch/trap.h */
	struct thread *thread;       /* that runs here */
	struct pcp_cpu *page_lists;  /* this_cpu_lists() */
	bool irr_hidden; /* the 8259 shows another register than its IRR */
	/* The innermost interrupt line that runs, else the thread; NULL: there is none, or
	 * an NMI runs. */
	struct owner *owner;
	uint64_t irq_rip;   /* where the innermost interrupt came */
	uint64_t nmi_count; /* of NMIs that are not ticks */
	/* The spinlocks it holds, the outermost in [1]: kernel/core/lock_watch.h. */
	uint32_t locks_held;
	uint32_t lock[1 + LOCKS_MOST];
} __aligned(COUNTER_STRIDE);

static_assert(sizeof(struct cpu) == COUNTER_STRIDE, "kernel/arch/counter.h");

static_assert(offsetof(struct cpu, self) == 0, "trap.asm");
static_assert(offsetof(struct cpu, open_window) == 8, "trap.asm");
static_assert(offsetof(struct cpu, irq_taken) == 16, "trap.asm");
static_assert(offsetof(struct cpu, nmi_watch) == 144, "trap.asm");
static_assert(offsetof(struct cpu, nmi_seen) == 152, "trap.asm");
static_assert(offsetof(struct cpu, nmi_ticks) == 160, "trap.asm");
static_assert(offsetof(struct cpu, window_directory) == 176, "trap.asm");

extern struct cpu cpu_data[MAX_CPUS];

#define CPU_FIELD(field) __typeof__(((struct cpu *)NULL)->field)

/* The value of FIELD.  Like READ_ONCE(), it is read where it is written down, and other
 * memory may be read and written around it. */
#define this_cpu_read(field)                                                   \
	({                                                                     \
		CPU_FIELD(field) value_;                                       \
		__asm__ volatile("mov %%gs:%c1, %0"                            \
		                 : "=q"(value_)                                \
		                 : "i"(offsetof(struct cpu, field)));          \
		value_;                                                        \
	})

/* Barriers for the compiler from here on. */
#define this_cpu_write(field, value)                                           \
	do {                                                                   \
		CPU_FIELD(field) written_ = (value);                           \
		__asm__ volatile("mov %0, %%gs:%c1"                            \
		                 :                                             \
		                 : "q"(written_),                              \
		                   "i"(offsetof(struct cpu, field))            \
		                 : "memory");                                  \
	} while (0)

/* FIELD has 4 or 8 bytes. */
#define this_cpu_add(field, amount)                                            \
	do {                                                                   \
		static_assert(sizeof(CPU_FIELD(field)) == 4 ||                 \
		                      sizeof(CPU_FIELD(field)) == 8,           \
		              "the suffix of the instruction");                \
		if (sizeof(CPU_FIELD(field)) == 4)                             \
			__asm__ volatile("addl %0, %%gs:%c1"                   \
			                 :                                     \
			                 : "ri"((uint32_t)(amount)),           \
			                   "i"(offsetof(struct cpu, field))    \
			                 : "cc", "memory");                    \
		else                                                           \
			__asm__ volatile("addq %0, %%gs:%c1"                   \
			                 :                                     \
			                 : "re"((uint64_t)(amount)),           \
			                   "i"(offsetof(struct cpu, field))    \
			                 : "cc", "memory");                    \
	} while (0)

#define this_cpu_inc(field) this_cpu_add(field, 1)

/* Has FIELD one of the bits in MASK?  It has 4 bytes, as in the two that follow. */
#define this_cpu_test(field, mask)                                             \
	({                                                                     \
		bool some_;                                                    \
		static_assert(sizeof(CPU_FIELD(field)) == 4,                   \
		              "the suffix of the instruction");                \
		__asm__ volatile("testl %1, %%gs:%c2"                          \
		                 : "=@ccnz"(some_)                             \
		                 : "ri"((uint32_t)(mask)),                     \
		                   "i"(offsetof(struct cpu, field)));          \
		some_;                                                         \
	})

#define this_cpu_and(field, mask)                                              \
	do {                                                                   \
		static_assert(sizeof(CPU_FIELD(field)) == 4,                   \
		              "the suffix of the instruction");                \
		__asm__ volatile("andl %0, %%gs:%c1"                           \
		                 :                                             \
		                 : "ri"((uint32_t)(mask)),                     \
		                   "i"(offsetof(struct cpu, field))            \
		                 : "cc", "memory");                            \
	} while (0)

#define this_cpu_or(field, mask)                                               \
	do {                                                                   \
		static_assert(sizeof(CPU_FIELD(field)) == 4,                   \
		              "the suffix of the instruction");                \
		__asm__ volatile("orl %0, %%gs:%c1"                            \
		                 :                                             \
		                 : "ri"((uint32_t)(mask)),                     \
		                   "i"(offsetof(struct cpu, field))            \
		                 : "cc", "memory");                            \
	} while (0)

/* The answer of this_cpu_sub() about FIELD, from the flags of the same instruction. */
struct cpu_difference {
	bool borrow; /* it was lower than AMOUNT, and has wrapped */
	bool zero;   /* it is 0 now */
};

/* FIELD has 4 bytes. */
#define this_cpu_sub(field, amount)                                            \
	({                                                                     \
		struct cpu_difference left_;                                   \
		static_assert(sizeof(CPU_FIELD(field)) == 4,                   \
		              "the suffix of the instruction");                \
		__asm__ volatile("subl %2, %%gs:%c3"                           \
		                 : "=@ccc"(left_.borrow), "=@ccz"(left_.zero)  \
		                 : "ri"((uint32_t)(amount)),                   \
		                   "i"(offsetof(struct cpu, field))            \
		                 : "memory");                                  \
		left_;                                                         \
	})

static inline unsigned int arch_cpu_id(void)
{
	return this_cpu_read(id);
}

/*
 * AMOUNT less in the word of preemption.  If it wraps, or is 0 now, preempt_enable_slow()
 * is called, in a way that changes no register (kernel/arch/preempt.asm): so the callers
 * keep theirs.
 */
#define this_cpu_preempt_end(amount)                                           \
	__asm__ volatile("subl %0, %%gs:%c1\n\t"                               \
	                 "ja 1f\n\t"                                           \
	                 "call preempt_enable_thunk\n"                         \
	                 "1:"                                                  \
	                 :                                                     \
	                 : "i"(amount), "i"(offsetof(struct cpu, preempt))     \
	                 : "cc", "memory")

/*
 * The CPU that runs, as a pointer.  Only where it stays so: interrupts or preemption are
 * off for as long as the pointer is used.  A field that another context of
 * the CPU may change meanwhile is accessed with READ_ONCE() and WRITE_ONCE().
 */
static inline struct cpu *this_cpu(void)
{
	return this_cpu_read(self);
}

#endif
