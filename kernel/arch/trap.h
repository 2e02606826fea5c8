/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/trap.h -- exceptions, interrupts and NMIs on their way into C.
 *
 * trap.asm has one stub for each of the 256 vectors.  A stub saves every
 * register and the open window (kernel/arch/window.h), closes the window,
 * counts vectors 32..47 in struct cpu::irq_taken, and calls trap_dispatch();
 * on the way back it restores all of it, the window on the CPU where it returns.  #DF and #MC run on a separate
 * stack (IST 1), and so does the NMI (IST 2).
 */
#ifndef KERNEL_ARCH_TRAP_H
#define KERNEL_ARCH_TRAP_H

#include "lib/types.h"

#define VECTOR_DEBUG         1
#define VECTOR_NMI           2
#define VECTOR_BREAKPOINT    3
#define VECTOR_INVALID_OP    6
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PROTECTION    13
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_IRQ_BASE      32 /* the two 8259s: 32..47 */

/* The page-fault error code: Intel SDM vol. 3A, 4.7. */
#define PF_PRESENT           (1U << 0)
#define PF_WRITE             (1U << 1)
#define PF_USER              (1U << 2)
#define PF_RSVD              (1U << 3)
#define PF_FETCH             (1U << 4)

/* The stack as the stub leaves it, lowest address first. */
struct trap_frame {
	uint64_t window_number; /* the pair of struct window_state */
	uint64_t window_value;
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error; /* 0 where the CPU pushes none */
	/* Pushed by the CPU: */
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*trap_handler)(struct trap_frame *frame);

/*
 * HANDLER handles VECTOR from now on.  A vector without one is handled by the
 * handler of trap_set_unhandled() (kernel/core/fault.c's); as long as there
 * is none, by a line on COM1 and the end.  Returns the former handler, or NULL.  Not in
 * interrupts.
 */
trap_handler trap_set_handler(unsigned int vector, trap_handler handler);
void trap_set_unhandled(trap_handler handler);

/* Called by the stubs. */
void trap_dispatch(struct trap_frame *frame);

/* "page fault", "general protection" ...: the name of a vector below 32. */
const char *trap_name(unsigned int vector);

/*
 * Catching a fault on purpose.
 *
 * fault_catch() calls FUNCTION(ARGUMENT).  If that raises an exception which
 * MATCH accepts, the call ends there and fault_catch() returns true with the
 * frame, CR2 and what the page-fault resolver said in EXPECT; otherwise it
 * returns false when FUNCTION returns.  Calls nest; each context (thread or
 * interrupt) catches its own.  RFLAGS.IF, preempt_count and the innermost
 * interrupt owner are put back to what they were at the call.  Thread or
 * interrupt context.
 */
struct fault;
struct fault_expect {
	bool (*match)(const struct fault *fault, void *data);
	void *data;
	/* Filled in when it matched: */
	struct trap_frame frame;
	uint64_t address; /* CR2; 0 if not a page fault */
	/* Private: */
	uint64_t resume_sp;
	struct fault_expect *outer;
	unsigned int preempt;
	struct owner *owner;
};

bool fault_catch(struct fault_expect *expect, void (*function)(void *),
                 void *argument);

/*
 * For the handlers of exceptions: the fault of FRAME is the one that EXPECT
 * waits for.  When the handler returns, so does its fault_catch(), with true.
 */
void fault_catch_resume_at(struct fault_expect *expect,
                           struct trap_frame *frame, uint64_t address);

/* Called by fault_catch(). */
void fault_catch_begin(struct fault_expect *expect, uint64_t resume_sp);
void fault_catch_end(struct fault_expect *expect);

#endif
