/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/step.h -- running a function one instruction at a time.
 *
 * With RFLAGS.TF set the CPU raises #DB after each instruction, with DR6.BS set; a REP
 * instruction traps after each iteration.  Entering a handler clears TF, so that
 * handlers run at full speed.  There is no trap after a load of SS.  After an STI no
 * interrupt is taken yet; Bochs traps there, QEMU does not: the boundary is counted in
 * both.  Source: Intel SDM vol. 3B, 17.3.1.4 "Single-Step Exception Condition"; vol.
 * 3A, 6.8 "Enabling and Disabling Interrupts"; vol. 2B, STI.
 *
 * For tests.  One CPU steps at a time.
 */
#ifndef KERNEL_ARCH_STEP_H
#define KERNEL_ARCH_STEP_H

#include "lib/types.h"

struct trap_frame;

/* An instruction boundary: the instruction at frame->rip comes next. */
struct step_boundary {
	struct trap_frame *frame;
	unsigned long number; /* from 1 */
	/* Would an interrupt be taken here?  The saved IF is 1, and the
	 * instruction before was no STI that has just set it. */
	bool open;
};

/* A hook's choice: continue to the next boundary; stop stepping and run at full
 * speed; or take an interrupt on the line here, and then continue. */
enum step_action {
	STEP_ON,
	STEP_END,
	STEP_INTERRUPT,
};

/* Called with interrupts off. */
typedef enum step_action (*step_hook)(const struct step_boundary *boundary,
                                      void *data);

/*
 * Call FUNCTION(ARGUMENT) with the trap flag set; HOOK(BOUNDARY, DATA) is called
 * at each boundary from FUNCTION's first instruction on, up to its return.
 * STEP_INTERRUPT goes the way of an interrupt on LINE from the entry stub on:
 * only the instruction that brought the CPU there is another one.
 * Thread context.
 */
void step_run(void (*function)(void *), void *argument, unsigned int line,
              step_hook hook, void *data);

/*
 * For a hook at the first instruction of a function: run the function at full
 * speed and go on stepping where it returns to, as boundary NUMBER.
 */
void step_over_call(const struct step_boundary *boundary, unsigned long number);

/* Called by trap_dispatch() for #DB: true if it is done with.  It may also have
 * become the interrupt of a line. */
bool step_trap(struct trap_frame *frame);

#endif
