/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/trap.c -- from the stubs to the handlers, and catching faults.
 *
 * cpu->expect is the chain of fault_catch() calls of the context that runs,
 * innermost first.  An interrupt and an NMI are separate contexts: they
 * begin with an empty chain, and the chain of the interrupted context is restored
 * when they end.  An exception belongs to the context that caused it.
 *
 *	thread   fault_catch A   fault_catch B        |         | end of B ...
 *	           expect: A       expect: B A        |         |
 *	interrupt                                     | expect: |
 */
#include "kernel/arch/trap.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/step.h"

#define VECTORS 256

static_assert(sizeof(struct trap_frame) == 24 * sizeof(uint64_t), "trap.asm");
static_assert(offsetof(struct trap_frame, vector) == 17 * sizeof(uint64_t),
              "trap.asm");

/* In trap.asm: where a caught fault goes on, and the halt of an idle CPU. */
extern const char fault_catch_resume[];
extern const char arch_halt[];

#define HALT_BYTES 1

/* Written during boot, before the vector in question can come. */
static trap_handler handlers[VECTORS];
static trap_handler unhandled;

/* In boot/early.asm: the sentence of a boot that died, and the end. */
extern __noreturn void early_end(uint64_t vector, uint64_t error, uint64_t ip);

trap_handler trap_set_handler(unsigned int vector, trap_handler handler)
{
	trap_handler former = handlers[vector % VECTORS];

	handlers[vector % VECTORS] = handler;
	return former;
}

void trap_set_unhandled(trap_handler handler)
{
	unhandled = handler;
}

static inline void trap_call_handler(struct trap_frame *frame)
{
	trap_handler handler = handlers[frame->vector % VECTORS];

	if (handler == NULL)
		handler = unhandled;
	if (handler == NULL)
		early_end(frame->vector, frame->error, frame->rip);
	handler(frame);
}

/* The interrupt that the halt is to wait for may come right behind this NMI. */
static void skip_halt(struct trap_frame *frame)
{
	if (frame->rip == (uint64_t)(uintptr_t)arch_halt)
		frame->rip += HALT_BYTES;
}

/* No thread changes its CPU while an interrupt is on top of it. */
static inline void dispatch_interrupt(struct trap_frame *frame)
{
	struct fault_expect *expect = this_cpu_read(expect);

	this_cpu_write(expect, NULL);
	trap_call_handler(frame);
	this_cpu_write(expect, expect);
}

/* An NMI may come in the middle of anything, and the time is not its victim's. */
static __noinline void dispatch_nmi(struct trap_frame *frame)
{
	uint64_t begin = arch_cycles();

	dispatch_interrupt(frame);
	skip_halt(frame);
	irqsoff_exclude(arch_cycles() - begin);
}

/* A trap that found interrupts on is a stretch with interrupts off. */
void trap_dispatch(struct trap_frame *frame)
{
	bool enabled = (frame->rflags & RFLAGS_IF) != 0;

	if (frame->vector == VECTOR_DEBUG && step_trap(frame)) {
		irqsoff_discard();
		return;
	}
	if (frame->vector == VECTOR_NMI) {
		dispatch_nmi(frame);
		return;
	}
	if (enabled && irqsoff_measures)
		irqsoff_begin(frame->rip + 1);
	if (frame->vector < VECTOR_IRQ_BASE)
		trap_call_handler(frame);
	else
		dispatch_interrupt(frame);
	if (enabled && irqsoff_measures)
		irqsoff_end();
}

const char *trap_name(unsigned int vector)
{
	static const char *const names[] = {
		"divide error",
		"debug",
		"NMI",
		"breakpoint",
		"overflow",
		"bound range exceeded",
		"invalid opcode",
		"device not available",
		"double fault",
		"coprocessor segment overrun",
		"invalid TSS",
		"segment not present",
		"stack-segment fault",
		"general protection",
		"page fault",
		"reserved vector 15",
		"x87 floating-point error",
		"alignment check",
		"machine check",
		"SIMD floating-point error",
		"virtualization",
		"control protection",
		"reserved vector 22",
		"reserved vector 23",
		"reserved vector 24",
		"reserved vector 25",
		"reserved vector 26",
		"reserved vector 27",
		"hypervisor injection",
		"VMM communication",
		"security",
		"reserved vector 31",
	};

	static_assert(ARRAY_SIZE(names) == VECTOR_IRQ_BASE, "one for each");
	return vector < ARRAY_SIZE(names) ? names[vector] : "interrupt";
}

/* ---- Catching ------------------------------------------------------------ */

void fault_catch_begin(struct fault_expect *expect, uint64_t resume_sp)
{
	expect->resume_sp = resume_sp;
	expect->preempt = this_cpu_read(preempt);
	expect->owner = this_cpu_read(owner);
	expect->outer = this_cpu_read(expect);
	this_cpu_write(expect, expect);
}

void fault_catch_end(struct fault_expect *expect)
{
	this_cpu_write(expect, expect->outer);
}

void fault_catch_resume_at(struct fault_expect *expect,
                           struct trap_frame *frame, uint64_t address)
{
	expect->frame = *frame;
	expect->address = address;
	this_cpu_write(expect, expect->outer);
	/* But for bit 0: a thread may have been woken meanwhile. */
	this_cpu_write(preempt,
	               (expect->preempt & ~PREEMPT_NO_RESCHED) |
	                       (this_cpu_read(preempt) & PREEMPT_NO_RESCHED));
	this_cpu_write(owner, expect->owner);
	frame->rip = (uint64_t)(uintptr_t)fault_catch_resume;
	frame->rsp = expect->resume_sp;
	frame->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC);
}
