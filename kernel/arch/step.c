/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/step.c -- running a function one instruction at a time.
 *
 *	#DB stub	as for every vector: registers saved, window closed
 *	step_trap()	is it a step?  the hook says what comes of it
 *	   STEP_ON		back, with TF set: the next instruction
 *	   STEP_INTERRUPT	the frame's vector becomes that of the line, and
 *			trap_dispatch() takes it from there
 *	stub		opens the window again
 */
#include "kernel/arch/step.h"

#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/trap.h"

#define OPCODE_STI 0xfb
#define PREFIX_REP 0xf3

/* In step.asm. */
void arch_step_call(void (*function)(void *), void *argument);
extern const char arch_step_again[];
extern const char arch_step_end[];
extern uint64_t step_return;

/* Where a function that is stepped over would have returned to. */
uint64_t step_return;

static struct {
	step_hook hook; /* NULL: nobody steps */
	void *data;
	unsigned int line;
	unsigned long number; /* of the last boundary */
	uint64_t rip;         /* there */
	bool enabled;         /* IF there */
} step;

static bool is_around(uint64_t rip)
{
	return rip >= (uint64_t)(uintptr_t)arch_step_call &&
	       rip < (uint64_t)(uintptr_t)arch_step_end;
}

/* Was the last instruction an STI that set IF? */
static bool is_behind_sti(void)
{
	return !step.enabled &&
	       *(const uint8_t *)(uintptr_t)step.rip == OPCODE_STI;
}

/* Number the boundary; is it behind such an STI?  An emulator that leaves that
 * trap out has passed a boundary, which counts as well. */
static bool number_boundary(const struct trap_frame *frame)
{
	bool behind_sti = (frame->rflags & RFLAGS_IF) != 0 && is_behind_sti();
	bool left_out = behind_sti && frame->rip != step.rip + 1;

	step.number += left_out ? 2 : 1;
	return behind_sti && !left_out;
}

/* A string instruction traps after each round.  An emulator that traps once more,
 * with nothing left to repeat, has passed no boundary by that. */
static bool is_spent_repeat(const struct trap_frame *frame)
{
	return frame->rip == step.rip && frame->rcx == 0 &&
	       *(const uint8_t *)(uintptr_t)frame->rip == PREFIX_REP;
}

static void take_interrupt(struct trap_frame *frame)
{
	frame->vector = VECTOR_IRQ_BASE + step.line;
	/* The stub counts what came by the line's own door. */
	this_cpu()->irq_taken[step.line]++; /* in a trap: interrupts are off */
}

bool step_trap(struct trap_frame *frame)
{
	struct step_boundary boundary = { .frame = frame };
	enum step_action action;
	bool enabled = (frame->rflags & RFLAGS_IF) != 0;

	if (step.hook == NULL || (read_dr6() & DR6_BS) == 0)
		return false;
	write_dr6(DR6_NONE);
	if (is_around(frame->rip) || is_spent_repeat(frame))
		return true;
	boundary.open = !number_boundary(frame) && enabled;
	boundary.number = step.number;
	step.rip = frame->rip;
	step.enabled = enabled;
	action = step.hook(&boundary, step.data);
	if (action == STEP_INTERRUPT)
		take_interrupt(frame);
	if (action == STEP_END)
		frame->rflags &= ~RFLAGS_TF;
	return action != STEP_INTERRUPT;
}

void step_over_call(const struct step_boundary *boundary, unsigned long number)
{
	uint64_t *top = (uint64_t *)(uintptr_t)boundary->frame->rsp;

	step_return = *top;
	*top = (uint64_t)(uintptr_t)arch_step_again;
	boundary->frame->rflags &= ~RFLAGS_TF;
	step.number = number - 1;
}

void step_run(void (*function)(void *), void *argument, unsigned int line,
              step_hook hook, void *data)
{
	step.data = data;
	step.line = line;
	step.number = 0;
	step.rip = (uint64_t)(uintptr_t)function;
	step.enabled = arch_irq_enabled();
	step.hook = hook;
	arch_step_call(function, argument);
	step.hook = NULL;
}
