/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_system.c -- interrupts, threads, the log, and ends.
 */
#include "drivers/keyboard.h"
#include "drivers/power.h"
#include "drivers/serial.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/irq.h"
#include "kernel/core/nmi.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/files.h"
#include "kernel/shell/shell_command.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"

#define LOG_LINES 20 /* what `log` alone shows */

/* ---- irqs: /proc/interrupts ---------------------------------------------- */

static void print_lines(uint64_t *spurious, uint64_t *unhandled)
{
	console_printf("           CPU0\n");
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++) {
		struct irq_statistics line;

		irq_statistics(irq, &line);
		*spurious += line.spurious;
		*unhandled += line.unhandled;
		if (line.name == NULL && line.taken == 0)
			continue;
		console_printf("%3u: %10llu    XT-PIC  %2u-edge  %s\n", irq,
		               (unsigned long long)line.taken, irq,
		               line.name == NULL ? "-" : line.name);
	}
}

static void print_devices(void)
{
	struct keyboard_statistics keyboard = keyboard_statistics();
	struct serial_statistics serial = serial_statistics();

	/* No word here is the name of a line. */
	console_fold(2,
	             "scan codes: %llu, %llu overruns, %llu interrupts without "
	             "one, %llu bytes of a mouse",
	             (unsigned long long)keyboard.codes,
	             (unsigned long long)keyboard.overruns,
	             (unsigned long long)keyboard.empty,
	             (unsigned long long)keyboard.aux);
	console_fold(
		2, "COM1: %llu bytes in, %llu overruns, %llu bytes out dropped",
		(unsigned long long)serial.received,
		(unsigned long long)serial.overruns,
		(unsigned long long)serial.dropped);
	console_fold(2, "console dropped: %llu keys, %llu writes in NMIs",
	             (unsigned long long)console_input_dropped(),
	             (unsigned long long)console_write_dropped());
}

/* Both read at one moment, so that one can be divided by the other. */
static void print_uptime(void)
{
	bool enabled = arch_irq_save();
	uint64_t ticks = clock_ticks();
	uint64_t now = clock_microseconds();

	arch_irq_restore(enabled);
	console_printf("up %llu.%06llu s, %llu ticks\n",
	               (unsigned long long)(now / 1000000),
	               (unsigned long long)(now % 1000000),
	               (unsigned long long)ticks);
}

static int run_irqs(int argc, char **argv __unused)
{
	uint64_t spurious = 0;
	uint64_t unhandled = 0;
	char text[160];

	if (argc > 1)
		return -EINVAL;
	print_lines(&spurious, &unhandled);
	console_printf("NMI: %10llu   Non-maskable interrupts\n",
	               (unsigned long long)nmi_count());
	console_printf("WDT: %10llu   Watchdog's, one for each tick\n",
	               (unsigned long long)nmi_watch_ticks());
	console_printf("SPU: %10llu   Spurious interrupts\n",
	               (unsigned long long)spurious);
	console_printf("ERR: %10llu   Interrupts without a handler\n",
	               (unsigned long long)unhandled);
	for (unsigned int i = 0; irq_longest_off(text, sizeof(text), i) != NULL;
	     i++)
		console_printf("%s\n", text);
	console_printf("%s\n", irq_longest_report(text, sizeof(text)));
	print_devices();
	print_uptime();
	return 0;
}

/* ---- ps ------------------------------------------------------------------ */

static const char *state_name(enum thread_state state)
{
	switch (state) {
	case THREAD_RUNNABLE:
		return "runnable";
	case THREAD_WAITING:
		return "waiting";
	case THREAD_ENDED:
		return "ended";
	}
	return "?";
}

/* In the order of enum thread_priority. */
static const char *const priority_names[PRIORITY_COUNT] = { "low", "normal",
	                                                    "high" };

static const char *what_it_waits_for(const struct thread *thread)
{
	const struct wait_queue *waits_on = READ_ONCE(thread->waits_on);

	return waits_on == NULL ? "" : waits_on->name;
}

/* The object that it waits for says more than the state. */
static const char *what_it_does(const struct thread *thread, bool is_self)
{
	if (is_self)
		return "running";
	if (thread->state == THREAD_WAITING &&
	    *what_it_waits_for(thread) != '\0')
		return what_it_waits_for(thread);
	return state_name(thread->state);
}

static void shell_system_print_thread(struct thread *thread, void *data)
{
	const struct thread *shown = data;
	struct thread *self = current_thread();

	if (thread == shown || shell_interrupted())
		return;
	console_printf("%6llu %-12.12s %-6s %6llu %8llu %7llu %5u %5lu  %s\n",
	               (unsigned long long)thread->owner.id, thread->owner.name,
	               priority_names[thread->priority],
	               (unsigned long long)(thread->sampled / 1000),
	               (unsigned long long)thread->switches,
	               (unsigned long long)thread->preempted,
	               owner_pages(&thread->owner), thread_stack_used(thread),
	               what_it_does(thread, thread == self));
}

static void sample_thread(struct thread *thread, void *data)
{
	const struct sched_times *times = data;

	thread->sampled = thread_runtime(thread, times->now);
}

/* All times at one moment, so that they add up. */
static void sample_times(struct sched_times *times)
{
	preempt_disable();
	sched_times(times);
	sample_thread(current_thread(), times);
	thread_visit(sample_thread, times);
	preempt_enable();
}

static int run_ps(int argc, char **argv __unused)
{
	struct thread *self = current_thread();
	struct sched_times times;

	if (argc > 1)
		return -EINVAL;
	sample_times(&times);
	console_printf("%6s %-12s %-6s %6s %8s %7s %5s %5s  %s\n", "number",
	               "thread", "prio", "ms", "switches", "preempt", "owned",
	               "stack", "state or wait");
	/* The first thread was not created, and is not visited. */
	shell_system_print_thread(self, NULL);
	thread_visit(shell_system_print_thread, self);
	console_fold(
		2,
		"idle: %llu ms; threads that have ended: %llu ms; all since "
		"boot: %llu ms",
		(unsigned long long)(times.idle / 1000),
		(unsigned long long)(times.ended / 1000),
		(unsigned long long)(times.now / 1000));
	console_fold(
		2,
		"stack: bytes written at the deepest, of %lu; double fault "
		"%lu, NMI %lu",
		STACK_SIZE, double_fault_stack_used(), nmi_stack_used());
	return 0;
}

/* ---- stacks -------------------------------------------------------------- */

static void print_stack(struct thread *thread, void *data)
{
	const struct thread *self = data;

	if (thread == self || shell_interrupted())
		return;
	pr_warn("%s, %s%s%s:\n", thread->title, state_name(thread->state),
	        *what_it_waits_for(thread) == '\0' ? "" : " for ",
	        what_it_waits_for(thread));
	/* This thread runs; the others have left their stacks. */
	backtrace_print_stack(thread->stack_pointer);
}

static int run_stacks(int argc, char **argv __unused)
{
	struct thread *self = current_thread();

	if (argc > 1)
		return -EINVAL;
	thread_visit(print_stack, self);
	return 0;
}

/* ---- log ----------------------------------------------------------------- */

static void shell_system_print_line(const char *line, void *data __unused)
{
	if (!shell_interrupted())
		console_fold(15, "%s", line);
}

static int run_log(int argc, char **argv)
{
	uint64_t count = LOG_LINES;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && shell_number(argv[1], "log", 1, LOG_SIZE, &count) != 0)
		return 0;
	log_visit((unsigned int)count, shell_system_print_line, NULL);
	return 0;
}

/* ---- Ends ---------------------------------------------------------------- */

static int run_reboot(int argc, char **argv __unused)
{
	if (argc > 1)
		return -EINVAL;
	files_end();
	machine_reboot();
}

static int run_poweroff(int argc, char **argv __unused)
{
	if (argc > 1)
		return -EINVAL;
	files_end();
	machine_poweroff();
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("irqs", "", run_irqs, NULL, "interrupts by line"),
	SHELL_COMMAND("ps", "", run_ps, NULL, "threads"),
	SHELL_COMMAND("stacks", "", run_stacks, NULL,
	              "where each thread waits (into the log)"),
	SHELL_COMMAND("log", "[LINES]", run_log, NULL,
	              "the end of the kernel log"),
	SHELL_COMMAND("reboot", "", run_reboot, NULL, "start again"),
	SHELL_COMMAND("poweroff", "", run_poweroff, NULL,
	              "switch the machine off"),
};

SHELL_TABLE(shell_system_commands, "system",
            "threads, interrupts, the log, the machine", commands);
