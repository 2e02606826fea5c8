/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/panic.c -- the last words.
 *
 * In the order in which they help: the cause; where and in which context; the
 * locks that are held; the registers; for a page fault, the tables level by
 * level; how it came there (backtrace); what others have to report (memory, ...);
 * and the log lines from before the panic.  All of that is more than a screen of
 * 25 rows holds, so the last lines are again the cause, the place, the locks and
 * the innermost frames.
 *
 * Nothing can be trusted here.  So: interrupts are off; no lock is waited for
 * (panic_in_progress() tells the others); a pointer that was found in memory is
 * looked up in the page tables before it is followed; and a panic on top of the
 * panic is handled by depth:
 *
 *	1	everything
 *	2	its cause and the first one's, past the log, and the end
 *	3	the end, without a word: even that was too much
 *
 * A second CPU that panics meanwhile stops in silence.
 *
 * Backtrace.  Every function begins with `push rbp; mov rbp, rsp`, so rbp leads
 * from frame to frame:
 *
 *	rbp --> | caller's rbp | return address |
 *
 * A frame that returns into trap.asm has a struct trap_frame above it; the walk
 * continues with the registers in there, on the stack that was interrupted.
 */
#include "kernel/core/panic.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/switch.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/window.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"

#define REPORTERS        8
#define BACKTRACE_FRAMES 32
#define BRIEF_FRAMES     6
#define SUMMARY_LOCKS    4
#define LOG_LINES        16
#define POLL_PAUSE       10000

#define TEXT_SIZE        256

struct reporter {
	const char *name;
	void (*report)(void);
};

static struct reporter reporters[REPORTERS];
static unsigned int reporter_count;
static void (*end_machine)(void);
static void (*poll_machine)(void);

static uint32_t panicking; /* atomic: 0, or 1 + the CPU that panics */
static unsigned int depth; /* of that CPU */

/* Of the first panic: what, and in which context and where. */
static char cause[TEXT_SIZE];
static char scene[TEXT_SIZE];
static struct held_lock held[SUMMARY_LOCKS]; /* the innermost first */
static unsigned int held_count;              /* all of them */

/* In trap.asm: where trap_dispatch() returns to. */
extern const char trap_return[];

bool panic_in_progress(void)
{
	return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != 0;
}

void assertion_failed(const char *condition)
{
	char place[PLACE_SIZE];

	caller_format(place, sizeof(place), RETURN_ADDRESS());
	panic("%s: assertion failed: %s", place, condition);
}

void panic_register_reporter(const char *name, void (*report)(void))
{
	if (reporter_count == REPORTERS)
		panic("no room for panic reporter '%s'", name);
	reporters[reporter_count++] = (struct reporter){ name, report };
}

void panic_set_exit(void (*end)(void))
{
	end_machine = end;
}

void panic_set_poll(void (*poll)(void))
{
	poll_machine = poll;
}

/* ---- Backtrace ----------------------------------------------------------- */

/* A backtrace is a warning, unless it is part of the end. */
static enum log_level say_level(void)
{
	return panic_in_progress() ? LOG_EMERG : LOG_WARNING;
}

static void panic_say(const char *format, ...) __printf(1, 2);
static void panic_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintk(say_level(), format, arguments);
	va_end(arguments);
}

/* Can the 8 bytes at ADDRESS be read? */
static bool is_readable(uintptr_t address)
{
	unsigned int level;

	return address % sizeof(uint64_t) == 0 &&
	       paging_lookup(address, &level) != 0;
}

static void say_place(const char *place)
{
	panic_say("  %s\n", place);
}

static void print_place(uintptr_t address)
{
	char place[PLACE_SIZE];

	say_place(place_format(place, sizeof(place), address));
}

static void print_return(uintptr_t address)
{
	char place[PLACE_SIZE];

	say_place(caller_format(place, sizeof(place), address));
}

/* The frame at *RBP returns into trap.asm: go on where that came from. */
static bool print_trap(uintptr_t *rbp)
{
	uintptr_t at = *rbp + 2 * sizeof(uint64_t);
	const struct trap_frame *frame = (const struct trap_frame *)at;

	if (!is_readable(at) ||
	    !is_readable(at + sizeof(*frame) - sizeof(uint64_t)))
		return false;
	panic_say("  -- vector %llu, %s, at:\n",
	          (unsigned long long)frame->vector,
	          trap_name((unsigned int)frame->vector));
	print_place(frame->rip);
	*rbp = frame->rbp;
	return true;
}

/* One step up from the frame at *RBP, which becomes 0 at the last: the address that
 * the frame returns to, or 0 if there is none. */
static uintptr_t step_up(uintptr_t *rbp)
{
	const uint64_t *frame = (const uint64_t *)*rbp;

	if (frame == NULL || !is_readable(*rbp) ||
	    !is_readable(*rbp + sizeof(uint64_t)))
		return 0;
	/* A stack grows down: callers are above. */
	*rbp = frame[0] > *rbp ? frame[0] : 0;
	return frame[1];
}

/* The caller of the frame at *RBP; false: that was the last. */
static bool print_caller(uintptr_t *rbp)
{
	uintptr_t frame = *rbp;
	uintptr_t address = step_up(rbp);

	if (address == (uintptr_t)trap_return) {
		*rbp = frame;
		return print_trap(rbp);
	}
	if (!image_is_text(address))
		return false;
	print_return(address);
	return *rbp != 0;
}

static void print_frames(uintptr_t rbp, unsigned int most)
{
	for (unsigned int i = 0; i < most; i++) {
		if (!print_caller(&rbp))
			return;
	}
	panic_say("  ...\n");
}

/* call with a distance: e8 and 4 bytes. */
#define CALL_OPCODE 0xe8
#define CALL_SIZE   5U

/*
 * Where the function returns to in which FRAME is, if that has no frame: it has
 * just begun, or the compiler has moved the pushes behind a part that needs none.  Then
 * rbp is its caller's, and the walk would leave that one out.  0: it has one.
 */
static uintptr_t frameless_caller(const struct trap_frame *frame)
{
	unsigned long offset;
	uintptr_t address;
	int32_t distance;
	char name[8];

	if (!is_readable(frame->rsp))
		return 0;
	address = *(const uintptr_t *)frame->rsp;
	if (!image_is_text(address - CALL_SIZE) || !image_is_text(address) ||
	    *(const uint8_t *)(address - CALL_SIZE) != CALL_OPCODE ||
	    symbol_name(name, sizeof(name), frame->rip, &offset) == NULL)
		return 0;
	memcpy(&distance, (const void *)(address - sizeof(distance)),
	       sizeof(distance));
	return address + (uintptr_t)(intptr_t)distance == frame->rip - offset
	               ? address
	               : 0;
}

/* From FRAME, or without one from RBP: at most MOST frames. */
static void print_backtrace(const struct trap_frame *frame, uintptr_t rbp,
                            unsigned int most)
{
	uintptr_t caller = frame == NULL ? 0 : frameless_caller(frame);

	panic_say("backtrace:\n");
	if (frame == NULL) {
		print_frames(rbp, most);
		return;
	}
	print_place(frame->rip);
	if (caller != 0)
		print_return(caller);
	print_frames(frame->rbp, most - 1 - (caller != 0));
}

void backtrace_print(const struct trap_frame *frame)
{
	print_backtrace(frame, (uintptr_t)__builtin_frame_address(0),
	                BACKTRACE_FRAMES);
}

void backtrace_print_brief(const struct trap_frame *frame)
{
	print_backtrace(frame, 0, BRIEF_FRAMES);
}

/* The frame that returns to CALLER, or RBP if there is none. */
static uintptr_t find_caller(uintptr_t rbp, uintptr_t caller)
{
	uintptr_t at = rbp;

	for (unsigned int i = 0; i < BACKTRACE_FRAMES; i++) {
		uintptr_t frame = at;
		uintptr_t address = step_up(&at);

		if (address == 0)
			break;
		if (address == caller)
			return frame;
	}
	return rbp;
}

void backtrace_print_from(uintptr_t caller)
{
	uintptr_t rbp = (uintptr_t)__builtin_frame_address(0);

	print_backtrace(NULL, find_caller(rbp, caller), BRIEF_FRAMES);
}

unsigned int backtrace_save(uintptr_t *callers, unsigned int most)
{
	uintptr_t rbp = (uintptr_t)__builtin_frame_address(0);
	unsigned int count = 0;

	while (count < most) {
		uintptr_t address = step_up(&rbp);

		if (!image_is_text(address) ||
		    address == (uintptr_t)trap_return)
			break;
		callers[count++] = address;
	}
	return count;
}

void backtrace_print_saved(const uintptr_t *callers, unsigned int count)
{
	panic_say("backtrace:\n");
	for (unsigned int i = 0; i < count; i++)
		print_return(callers[i]);
}

void backtrace_print_stack(uint64_t stack_pointer)
{
	print_backtrace(NULL, arch_switched_frame(stack_pointer),
	                BACKTRACE_FRAMES);
}

/* ---- Registers ----------------------------------------------------------- */

/* As trap.asm pushes them: the first in the struct is the last here. */
static void print_general_registers(const struct trap_frame *frame)
{
	static const char *const names[] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8 ",
		"r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const uint64_t *rax = &frame->rax;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i += 3)
		pr_emerg("%s %016lx  %s %016lx  %s %016lx\n", names[i],
		         *(rax - i), names[i + 1], *(rax - i - 1), names[i + 2],
		         *(rax - i - 2));
	pr_emerg("rip %016lx  rsp %016lx  rflags %lx\n", frame->rip, frame->rsp,
	         frame->rflags);
	pr_emerg("cs %lx  ss %lx  vector %lu  error %lx\n", frame->cs,
	         frame->ss, frame->vector, frame->error);
}

static void print_control_registers(void)
{
	pr_emerg("cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx  efer %lx\n", read_cr0(),
	         read_cr2(), read_cr3(), read_cr4(), read_msr(MSR_EFER));
}

/* ENTRY, of LEVEL, with its bits in words. */
static void print_entry(unsigned int level, uint64_t entry)
{
	static const char *const names[] = { "", "PTE", "PDE", "PDPTE",
		                             "PML4E" };
	bool present = (entry & PTE_PRESENT) != 0;

	pr_emerg("  level %u %-5s %016llx%s%s%s%s%s\n", level, names[level],
	         (unsigned long long)entry,
	         present ? " present" : " not present",
	         present && (entry & PTE_WRITABLE) ? " writable" : "",
	         present && (entry & PTE_USER) ? " user" : "",
	         present && (entry & PTE_LARGE) && level > 1 ? " large" : "",
	         entry & PTE_NX ? " nx" : "");
}

void panic_print_walk(uintptr_t address)
{
	uint64_t entry[PAGING_LEVELS + 1];
	unsigned int last = paging_walk(address, entry);

	pr_emerg("page walk of %#lx:\n", (unsigned long)address);
	for (unsigned int level = PAGING_LEVELS; level >= last; level--)
		print_entry(level, entry[level]);
}

/* The level that the closed directory entry VALUE keeps from the walk. */
static void print_window_entry(uint64_t value, unsigned int index)
{
	const uint64_t *table = phys_to_virt(value & PTE_ADDRESS);

	if (is_readable((uintptr_t)&table[index]))
		print_entry(1, table[index]);
}

/*
 * An address in a window: the walk finds each window closed, because the entry
 * into the kernel has closed what was open.  FRAME has kept its number and its
 * directory entry.
 */
static void print_window(const struct trap_frame *frame, uintptr_t address)
{
	uint64_t value = frame->window_value;
	unsigned int index;
	unsigned int id = window_of_address(address, &index);

	if (id == 0)
		return;
	pr_emerg("that is entry %u of window %u\n", index, id);
	if (value == 0) {
		pr_emerg("no window was open\n");
		return;
	}
	pr_emerg(
		"window %llu was open; the exception closed it, its PDE was:\n",
		(unsigned long long)frame->window_number);
	print_entry(2, value);
	if (frame->window_number == id)
		print_window_entry(value, index);
}

/* ---- The log ------------------------------------------------------------- */

/* Which of the visited lines are from before the panic, and the last 16. */
struct log_view {
	unsigned int at;
	unsigned int begin;
	unsigned int end;
};

static void count_line(const char *line, void *data)
{
	struct log_view *view = data;

	(void)line;
	view->at++;
}

static void panic_print_line(const char *line, void *data)
{
	struct log_view *view = data;

	if (view->at >= view->begin && view->at < view->end)
		console_printf("  %s\n", line);
	view->at++;
}

/* The last lines with numbers below MARK; the panic's own are behind it. */
static void print_log(uint64_t mark)
{
	unsigned int own = (unsigned int)(log_mark() - mark);
	struct log_view view = { 0, 0, 0 };

	log_visit(own + LOG_LINES, count_line, &view);
	if (view.at <= own)
		return;
	view.end = view.at - own;
	view.begin = view.end > LOG_LINES ? view.end - LOG_LINES : 0;
	view.at = 0;
	console_printf("the last log lines before:\n");
	log_visit(own + LOG_LINES, panic_print_line, &view);
}

/* ---- The end ------------------------------------------------------------- */

static __noreturn void panic_end(void)
{
	if (end_machine != NULL)
		end_machine();
	while (poll_machine != NULL) {
		poll_machine();
		/* An emulator has other things to do than to answer a port. */
		for (unsigned int i = 0; i < POLL_PAUSE; i++)
			arch_relax();
	}
	arch_halt_forever();
}

/* Where it happened, in words. */
static void format_culprit(char *buffer, size_t size,
                           const struct trap_frame *frame, uintptr_t caller)
{
	if (frame != NULL)
		place_format(buffer, size, frame->rip);
	else
		caller_format(buffer, size, caller);
}

/*
 * A panic on top of the panic, at DEPTH.  Past the log, which may be what is
 * broken.
 */
static __noreturn void end_nested(const struct trap_frame *frame,
                                  uintptr_t caller, const char *format,
                                  va_list arguments)
{
	static char text[TEXT_SIZE];
	static char lines[3 * TEXT_SIZE];
	char place[PLACE_SIZE];
	int length;

	if (depth > 2)
		arch_halt_forever();
	vscnprintf(text, sizeof(text), format, arguments);
	format_culprit(place, sizeof(place), frame, caller);
	length = scnprintf(lines, sizeof(lines),
	                   "\npanic within the panic: %s at %s\n"
	                   "the first one: %s\n%s\n",
	                   text, place, cause, scene);
	console_write(lines, (size_t)length);
	panic_end();
}

/* Make this CPU the one that panics.  Does not return to a second one. */
static void panic_begin(void)
{
	uint32_t me = arch_cpu_id() + 1;
	uint32_t nobody = 0;

	irqsoff_stop();
	arch_irq_disable();
	if (!__atomic_compare_exchange_n(&panicking, &nobody, me, false,
	                                 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    nobody != me)
		arch_halt_forever();
	depth++;
}

static void report_others(void)
{
	for (unsigned int i = 0; i < reporter_count; i++) {
		pr_emerg("-- %s:\n", reporters[i].name);
		reporters[i].report();
	}
}

/* The code that panics: the frame of its exception, or of panic() itself. */
struct culprit {
	const struct trap_frame *frame;
	uintptr_t rbp;
};

static void print_culprit(struct culprit culprit)
{
	const struct trap_frame *frame = culprit.frame;

	if (frame != NULL && frame->vector == VECTOR_PAGE_FAULT) {
		uintptr_t address = read_cr2();

		panic_print_walk(address);
		print_window(frame, address);
	}
	print_backtrace(frame, culprit.rbp, BACKTRACE_FRAMES);
}

/* In which context, where, and with which locks? */
static void set_scene(const struct trap_frame *frame, uintptr_t caller)
{
	const struct thread *thread = this_cpu_read(thread);
	unsigned int count = preempt_count();
	char place[PLACE_SIZE];

	format_culprit(place, sizeof(place), frame, caller);
	/* Now: what the reports below release is told apart by its class. */
	held_count = lock_order_held(thread == NULL ? NULL : &thread->mutexes,
	                             held, SUMMARY_LOCKS);
	scnprintf(scene, sizeof(scene),
	          "in %s, CPU %u, preempt_count %#x, at %s", context_name(),
	          arch_cpu_id(), count, place);
	/* The consoles refuse to speak in an NMI; this one does not end. */
	preempt_count_set(count & ~NMI_MASK);
}

static void print_cause(void)
{
	char place[PLACE_SIZE];

	pr_emerg("PANIC: %s\n", cause);
	pr_emerg("%s\n", scene);
	for (unsigned int i = 0; i < min(held_count, SUMMARY_LOCKS + 0U); i++)
		pr_emerg("holding %s %s since %s\n",
		         held[i].is_mutex ? "mutex" : "spinlock", held[i].name,
		         caller_format(place, sizeof(place), held[i].place));
	if (held_count > SUMMARY_LOCKS)
		pr_emerg("and %u locks more\n", held_count - SUMMARY_LOCKS);
}

/* Print the last lines, which stay on the screen. */
static void print_summary(struct culprit culprit)
{
	pr_emerg("-- in short:\n");
	print_cause();
	print_backtrace(culprit.frame, culprit.rbp, BRIEF_FRAMES);
	pr_emerg("The machine has stopped.\n");
}

static __noreturn void vpanic(struct culprit culprit, uintptr_t caller,
                              const char *format, va_list arguments)
{
	uint64_t mark;

	panic_begin();
	if (depth > 1)
		end_nested(culprit.frame, caller, format, arguments);
	vscnprintf(cause, sizeof(cause), format, arguments);
	set_scene(culprit.frame, caller);
	mark = log_mark();
	print_cause();
	if (culprit.frame != NULL)
		print_general_registers(culprit.frame);
	else
		pr_emerg("rip %016lx  rbp %016lx\n", caller, culprit.rbp);
	print_control_registers();
	print_culprit(culprit);
	report_others();
	print_log(mark);
	print_summary(culprit);
	panic_end();
}

void panic(const char *format, ...)
{
	struct culprit culprit = {
		.rbp = (uintptr_t)__builtin_frame_address(0),
	};
	va_list arguments;

	va_start(arguments, format);
	vpanic(culprit, RETURN_ADDRESS(), format, arguments);
}

void panic_at(const struct trap_frame *frame, const char *format, ...)
{
	struct culprit culprit = { .frame = frame };
	va_list arguments;

	va_start(arguments, format);
	vpanic(culprit, RETURN_ADDRESS(), format, arguments);
}
