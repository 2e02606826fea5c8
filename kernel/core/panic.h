/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/panic.h -- the end, told well.
 */
#ifndef KERNEL_CORE_PANIC_H
#define KERNEL_CORE_PANIC_H

#include "lib/types.h"

struct trap_frame;

/*
 * Print cause, held locks, registers, a backtrace with names and source lines, every
 * registered reporter's report and the last log lines, on the screen and the serial
 * port, and in the end the cause once more; then, in self-test mode, end the machine
 * with EXIT 18, otherwise stop with the screen kept.  Any context, NMI included;
 * nothing here waits for a lock.  A fault during the panic prints its cause and the
 * first one's, and stops.
 */
__noreturn void panic(const char *format, ...) __printf(1, 2);

/* As panic(), about the context in FRAME (with the page walk of CR2 if it is a
 * page fault). */
__noreturn void panic_at(const struct trap_frame *frame, const char *format,
                         ...) __printf(2, 3);

/* True from the first panic on. */
bool panic_in_progress(void);

/*
 * Reporters print into panics (memory report, owner of a page ...).  They take
 * no lock that another context could hold (trylock at most), and check every
 * pointer.  At most 8.
 */
void panic_register_reporter(const char *name, void (*report)(void));

/*
 * END ends the machine after a panic, instead of stopping with the screen kept.
 * It does not return.
 */
void panic_set_exit(void (*end)(void));

/*
 * POLL is called again and again after a panic that has stopped the machine,
 * with interrupts off: a keyboard can still be read, and the screen scrolled.
 * It takes no lock that another context could hold.
 */
void panic_set_poll(void (*poll)(void));

/* Walk the page tables for ADDRESS and printk each level. */
void panic_print_walk(uintptr_t address);

/* Print the backtrace of the caller (or from FRAME), one line a frame, each with
 * the line of the source. */
void backtrace_print(const struct trap_frame *frame);

/* The same from FRAME, at most 6 frames: for a report. */
void backtrace_print_brief(const struct trap_frame *frame);

/*
 * The short one that belongs to a report: at most 6 frames, from the one on that
 * returns to CALLER, RETURN_ADDRESS() of the function whose misuse is reported.
 * 0: from the reporting function on.
 */
void backtrace_print_from(uintptr_t caller);

/*
 * For a report that is printed later: at most MOST return addresses into CALLERS, up
 * to where the interrupt came that the caller handles; how many they are.  Prints
 * nothing.  Any context.  And the backtrace that these are.
 */
unsigned int backtrace_save(uintptr_t *callers, unsigned int most);
void backtrace_print_saved(const uintptr_t *callers, unsigned int count);

/* As backtrace_print(), of a stack that was left by a switch, with its STACK_POINTER. */
void backtrace_print_stack(uint64_t stack_pointer);

/*
 * The code relies on CONDITION here: if it is false, panic with its text and place.
 * Stays on: it costs a comparison, and in the image the text and a call, because
 * the place is found in the table of lines by the call's return address.
 */
#if __STDC_HOSTED__
#define kassert(condition)                                                     \
	do {                                                                   \
		if (__builtin_expect(!(condition), 0))                         \
			panic("%s:%d: assertion failed: %s", __FILE__,         \
			      __LINE__, #condition);                           \
	} while (0)
#else
#define kassert(condition)                                                     \
	do {                                                                   \
		if (__builtin_expect(!(condition), 0))                         \
			assertion_failed(#condition);                          \
	} while (0)
#endif

__noreturn __cold void assertion_failed(const char *condition);

#endif
