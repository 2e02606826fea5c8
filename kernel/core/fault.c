/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/fault.c -- what to do about an exception.
 *
 *	exception
 *	   |  what is known?  kind, address; for a page fault the resolvers
 *	   v
 *	it touched a caller's buffer (kernel/arch/copy.h)?
 *	   |        yes: an intrusion is reported; the copy returns -EFAULT
 *	   v no
 *	an enclosing fault_catch() of this context accepts it?
 *	   |        yes: fault_catch() returns true there
 *	   v no
 *	a thread touched an exclusive page of another?
 *	   |        yes: report, the thread ends
 *	   v no
 *	panic
 *
 * A stack that has run into its guard page has no room for the frame of the
 * page fault: the CPU turns that into a double fault, on a separate stack
 * (IST1), with CR2 at the guard page and the stack pointer beside it.  Such a
 * double fault is FAULT_GUARD and can be caught; any other cannot, nor can a
 * machine check, after which nothing that was computed is certain.
 *
 * A resolver that faults itself meets `resolving` set, and is not asked again.
 *
 * Source: Intel SDM vol. 3A, 6.13 "Error Code", 6.15 "Exception and Interrupt
 * Reference"; vol. 3B, 15.3.2 "Error-Reporting Register Banks".
 */
#include "kernel/core/fault.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/copy.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/stack_protector.h"
#include "kernel/arch/ubsan.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"

#define RESOLVERS 4
#define TEXT_SIZE 400
#define HELD_SIZE 160
#define KIND_SIZE 240

/* Exceptions whose error code is a selector: SDM vol. 3A, table 6-1. */
#define SELECTOR_EXCEPTIONS                                                    \
	(1U << 10 | 1U << 11 | 1U << 12 | 1U << VECTOR_PROTECTION)

#define SELECTOR_EXT (1U << 0) /* an event outside of the program */
#define SELECTOR_IDT (1U << 1)
#define SELECTOR_LDT (1U << 2)

static fault_resolver resolvers[RESOLVERS];
static unsigned int resolver_count;
static bool resolving[MAX_CPUS];
static bool in_double_fault[MAX_CPUS];

void fault_register_resolver(fault_resolver resolver)
{
	kassert(resolver_count < RESOLVERS);
	resolvers[resolver_count++] = resolver;
}

/* ---- What is known ------------------------------------------------------- */

static void ask_resolvers(struct fault *fault)
{
	unsigned int cpu = arch_cpu_id();

	if (resolving[cpu])
		return;
	resolving[cpu] = true;
	for (unsigned int i = 0; i < resolver_count; i++) {
		if (resolvers[i](fault))
			break;
	}
	resolving[cpu] = false;
}

/*
 * Is ADDRESS in a guard page: of a stack of the image, or of the one that the running
 * thread has?  The guards
 * of other threads' stacks are for the resolvers.
 */
static bool is_guard(uintptr_t address)
{
	const struct thread *thread = current_thread();
	uintptr_t bottom = thread == NULL ? 0 : (uintptr_t)thread->stack;

	return paging_is_guard(address) ||
	       (bottom != 0 && bottom - 1 - address < PAGE_SIZE);
}

/*
 * Did the stack of FRAME run into the guard page at CR2?  Otherwise CR2 is what
 * an earlier fault has left there.
 */
static bool is_overflow(const struct trap_frame *frame, uintptr_t cr2)
{
	uintptr_t rsp = frame->rsp;
	uintptr_t distance = rsp > cr2 ? rsp - cr2 : cr2 - rsp;

	return is_guard(cr2) && distance < PAGE_SIZE;
}

static struct fault fault_describe(struct trap_frame *frame)
{
	struct fault fault = { .frame = frame, .pfn = -1UL };
	uintptr_t cr2 = read_cr2();

	if (frame->vector == VECTOR_DOUBLE_FAULT && is_overflow(frame, cr2)) {
		fault.address = cr2;
		fault.kind = FAULT_GUARD;
	}
	if (frame->vector != VECTOR_PAGE_FAULT)
		return fault;
	fault.address = cr2;
	if (is_guard(cr2))
		fault.kind = FAULT_GUARD;
	else if (cr2 < PAGE_SIZE)
		fault.kind = FAULT_NULL;
	else
		ask_resolvers(&fault);
	return fault;
}

/* ---- In words ------------------------------------------------------------ */

static const char *access_of(uint64_t error)
{
	if (error & PF_FETCH)
		return "execution";
	return error & PF_WRITE ? "write" : "read";
}

static const char *owner_text(const struct fault *fault)
{
	if (fault->owner != NULL)
		return fault->owner->name;
	return fault->pfn == -1UL ? "nobody" : "the pool";
}

static const char *intruder_text(const struct fault *fault)
{
	return fault->intruder != NULL ? fault->intruder->name : "?";
}

static const char *format_area(char *text, size_t size,
                               const struct fault_area *area)
{
	char caller[64];

	if (area->size == 0)
		return ", where vmalloc() has nothing";
	scnprintf(text, size, ", %s %lu bytes at %#lx of %s, from %s",
	          area->what, (unsigned long)area->size,
	          (unsigned long)area->start, owner_name(area->taker),
	          symbol_format(caller, sizeof(caller), area->caller));
	return text;
}

/* The owner that freed the page, and the place: the mistake may be there, or at the access. */
static const char *format_freed(char *text, size_t size,
                                const struct fault_area *area)
{
	char place[PLACE_SIZE];

	if (area->caller == 0)
		return ", a free page: nobody has had it since the boot";
	scnprintf(text, size, ", a free page: freed by %s at %s",
	          owner_name(area->taker),
	          caller_format(place, sizeof(place), area->caller));
	return text;
}

/* The owner of the block in front of the guard. */
static const char *format_overrun(char *text, size_t size,
                                  const struct fault *fault)
{
	char place[PLACE_SIZE];

	scnprintf(text, size,
	          ", the guard behind %lu bytes at pfn %#lx, taken by %s at %s",
	          (unsigned long)fault->area.size, fault->pfn,
	          owner_name(fault->area.taker),
	          caller_format(place, sizeof(place), fault->area.caller));
	return text;
}

/* The owner that took the object or freed it: the mistake may be there, or at the access. */
static const char *format_object(char *text, size_t size,
                                 const struct fault *fault)
{
	char place[PLACE_SIZE];

	scnprintf(text, size, ", kfence: %s %lu bytes at %#lx, %s by %s at %s",
	          fault->area.what, (unsigned long)fault->area.size,
	          (unsigned long)fault->area.start,
	          fault->kind == FAULT_OBJECT_FREED ? "freed" : "taken",
	          owner_name(fault->area.taker),
	          caller_format(place, sizeof(place), fault->area.caller));
	return text;
}

static const char *format_kind(char *text, size_t size,
                               const struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_OTHER:
		break;
	case FAULT_EXCLUSIVE:
		scnprintf(text, size,
		          ", an exclusive page of %s, touched by %s",
		          owner_text(fault), intruder_text(fault));
		return text;
	case FAULT_GUARD:
		return ", a guard page: a stack has overflowed";
	case FAULT_NULL:
		return ", the page of NULL";
	case FAULT_VMALLOC:
		return format_area(text, size, &fault->area);
	case FAULT_FREED:
		return format_freed(text, size, &fault->area);
	case FAULT_OVERRUN:
		return format_overrun(text, size, fault);
	case FAULT_OBJECT_BOUNDS:
	case FAULT_OBJECT_FREED:
		return format_object(text, size, fault);
	}
	return "";
}

static void format_page_fault(char *text, size_t size,
                              const struct fault *fault)
{
	uint64_t error = fault->frame->error;
	char kind[KIND_SIZE];

	scnprintf(text, size, "page fault: %s of %#lx, %s%s%s%s",
	          access_of(error), (unsigned long)fault->address,
	          error & PF_PRESENT ? "forbidden" : "not mapped",
	          error & PF_USER ? ", in user mode" : "",
	          error & PF_RSVD ? ", a reserved bit is set" : "",
	          format_kind(kind, sizeof(kind), fault));
}

static void format_double_fault(char *text, size_t size,
                                const struct fault *fault)
{
	char kind[KIND_SIZE];

	scnprintf(text, size, "double fault: push at %#lx%s",
	          (unsigned long)fault->address,
	          format_kind(kind, sizeof(kind), fault));
}

static void format_machine_check(char *text, size_t size)
{
	struct machine_check error;

	if (!cpu_machine_check(&error))
		scnprintf(text, size,
		          "machine check, and no bank has a reason");
	else if (error.address == -1UL)
		scnprintf(text, size, "machine check: bank %u, status %#llx",
		          error.bank, (unsigned long long)error.status);
	else
		scnprintf(text, size,
		          "machine check: bank %u, status %#llx, memory at "
		          "%#llx",
		          error.bank, (unsigned long long)error.status,
		          (unsigned long long)error.address);
}

static void format_selector(char *text, size_t size, uint64_t error)
{
	const char *table = "GDT";

	if (error & SELECTOR_IDT)
		table = "IDT";
	else if (error & SELECTOR_LDT)
		table = "LDT";
	scnprintf(text, size, "%s entry %llu%s", table,
	          (unsigned long long)(error & 0xffff) >> 3,
	          error & SELECTOR_EXT ? ", external event" : "");
}

static bool code_is_ud2(uintptr_t rip)
{
	static const uint8_t ud2[] = { 0x0f, 0x0b };

	return image_is_text(rip) && image_is_text(rip + 1) &&
	       memcmp((const void *)rip, ud2, sizeof(ud2)) == 0;
}

static void format_opcode(char *text, size_t size, const struct fault *fault)
{
	const char *behaviour = ubsan_trapped(fault->frame);
	char place[PLACE_SIZE];
	uintptr_t caller;

	if (stack_protector_trapped(fault->frame, &caller))
		scnprintf(text, size,
		          "stack smashed: the guard in the frame of %s has "
		          "changed",
		          caller_format(place, sizeof(place), caller));
	else if (behaviour != NULL)
		scnprintf(text, size, "undefined behaviour: %s", behaviour);
	else
		scnprintf(text, size, "%s (vector %u)%s",
		          trap_name(VECTOR_INVALID_OP), VECTOR_INVALID_OP,
		          code_is_ud2(fault->frame->rip)
		                  ? ": ud2, __builtin_trap()"
		                  : "");
}

static void format_fault(char *text, size_t size, const struct fault *fault)
{
	unsigned int vector = (unsigned int)fault->frame->vector;
	uint64_t error = fault->frame->error;
	char selector[48];

	if (vector == VECTOR_PAGE_FAULT) {
		format_page_fault(text, size, fault);
	} else if (fault->kind == FAULT_GUARD) {
		format_double_fault(text, size, fault);
	} else if (vector == VECTOR_INVALID_OP) {
		format_opcode(text, size, fault);
	} else if (vector == VECTOR_MACHINE_CHECK) {
		format_machine_check(text, size);
	} else if ((SELECTOR_EXCEPTIONS >> vector & 1) && error != 0) {
		format_selector(selector, sizeof(selector), error);
		scnprintf(text, size, "%s: %s (error %#llx)", trap_name(vector),
		          selector, (unsigned long long)error);
	} else {
		scnprintf(text, size, "%s (vector %u, error %#llx)",
		          trap_name(vector), vector, (unsigned long long)error);
	}
}

/* Report the intruder, the address, and the owner of the page. */
static void report_intrusion(const struct fault *fault)
{
	char place[PLACE_SIZE];
	char page[32] = "an empty entry of a window";

	if (fault->pfn != -1UL)
		scnprintf(page, sizeof(page), "page %#lx", fault->pfn);
	pr_err("intrusion: %s, owned by %s, touched by %s:\n"
	       "  %s of %#lx at %s\n",
	       page, owner_text(fault), intruder_text(fault),
	       access_of(fault->frame->error), (unsigned long)fault->address,
	       place_format(place, sizeof(place), fault->frame->rip));
	if (fault->loss.caller != 0)
		pr_err("  %s%s by %s at %s\n",
		       fault->loss.to == 0 ? "released" : "handed to ",
		       fault->loss.to == 0 ? "" : owner_name(fault->loss.to),
		       owner_text(fault),
		       caller_format(place, sizeof(place), fault->loss.caller));
}

/* ---- What to do ---------------------------------------------------------- */

/* The innermost fault_catch() that wants it, or NULL. */
static struct fault_expect *find_catch(struct fault_expect *expect,
                                       const struct fault *fault)
{
	while (expect != NULL && !expect->match(fault, expect->data))
		expect = expect->outer;
	return expect;
}

static bool can_be_caught(const struct fault *fault)
{
	return !in_nmi() && !panic_in_progress() &&
	       fault->frame->vector != VECTOR_MACHINE_CHECK &&
	       (fault->frame->vector != VECTOR_DOUBLE_FAULT ||
	        fault->kind == FAULT_GUARD);
}

/* Why the intruding thread cannot be ended, in BUFFER; NULL: it can. */
static const char *format_why_not(char *buffer, size_t size)
{
	const unsigned int services = THREAD_SERVICE | THREAD_KSWAPD;
	char text[HELD_SIZE];
	struct held_lock spinlock;
	bool locked = lock_order_held(NULL, &spinlock, 1) > 0;
	const char *lock = locked ? spinlock.name : NULL;

	if (held_total() > 0)
		scnprintf(buffer, size, "it holds %s%s%s%s",
		          lock != NULL ? "spinlock " : "",
		          lock != NULL ? lock : "", lock != NULL ? ": " : "",
		          held_format(text, sizeof(text)));
	else if (thread_has_flags(current_thread(), services))
		scnprintf(buffer, size, "others wait for what it does");
	else
		return NULL;
	return buffer;
}

/* A thread that holds nothing ends here; all others cannot. */
static void end_intruder(const struct fault *fault)
{
	char why[HELD_SIZE];

	if (current_thread() == NULL || in_interrupt() || panic_in_progress())
		return;
	if (format_why_not(why, sizeof(why)) == NULL) {
		backtrace_print_brief(fault->frame);
		thread_exit(THREAD_END_INTRUDED);
	}
	panic_at(fault->frame,
	         "exclusive page of %s, touched by %s, which cannot be ended: "
	         "%s",
	         owner_text(fault), intruder_text(fault), why);
}

/*
 * The error code of a #DF is always 0.  An interrupt with the firmware's vector
 * for line 0 pushes none: what looks like the error code is the address where
 * it came, and all that follows is one word lower.
 */
static __noreturn void panic_of_stray_interrupt(const struct trap_frame *frame)
{
	struct trap_frame shifted;

	/* There is no frame->ss: the stack ends before it. */
	memcpy(&shifted, frame, offsetof(struct trap_frame, ss));
	shifted.error = 0;
	shifted.rip = frame->error;
	shifted.cs = frame->rip;
	shifted.rflags = frame->cs;
	shifted.rsp = frame->rflags;
	shifted.ss = frame->rsp;
	panic_at(&shifted, "irq 0 as vector 8: the 8259 is not remapped");
}

/*
 * Each #DF begins at the top of the same stack: one that comes before the last
 * one's end overwrites it.  Unless a thread beneath has declared it, there would
 * be no end of them.  Returns whether this is such a one.
 */
static bool begin_double_fault(const struct trap_frame *frame)
{
	bool again = in_double_fault[arch_cpu_id()];

	if (frame->error != 0)
		panic_of_stray_interrupt(frame);
	in_double_fault[arch_cpu_id()] = true;
	return again;
}

/* Has a copy met a buffer that is not its caller's?  Then that is its answer. */
static bool is_copy(const struct fault *fault)
{
	struct fault seen = *fault;
	struct trap_frame before = *fault->frame;

	if (fault->kind == FAULT_GUARD || !can_be_caught(fault) ||
	    !copy_fix_up(fault->frame))
		return false;
	seen.frame = &before;
	if (fault->kind == FAULT_EXCLUSIVE)
		report_intrusion(&seen);
	return true;
}

static void exception(struct trap_frame *frame)
{
	struct fault_expect *expect = this_cpu_read(expect);
	struct fault fault;
	char text[TEXT_SIZE];
	bool again = frame->vector == VECTOR_DOUBLE_FAULT &&
	             begin_double_fault(frame);

	/* A fault from here on is not the context's. */
	this_cpu_write(expect, NULL);
	fault = fault_describe(frame);
	if (is_copy(&fault)) {
		this_cpu_write(expect, expect);
		return;
	}
	if (can_be_caught(&fault)) {
		struct fault_expect *found = find_catch(expect, &fault);

		if (found != NULL) {
			in_double_fault[arch_cpu_id()] = false;
			fault_catch_resume_at(found, frame, fault.address);
			return;
		}
	}
	if (again)
		panic_at(frame, "a double fault within a double fault");
	if (fault.kind == FAULT_EXCLUSIVE) {
		report_intrusion(&fault);
		end_intruder(&fault);
	}
	format_fault(text, sizeof(text), &fault);
	panic_at(frame, "%s", text);
}

static void unexpected(struct trap_frame *frame)
{
	panic_at(frame, "unexpected interrupt, vector %llu",
	         (unsigned long long)frame->vector);
}

void fault_init(void)
{
	for (unsigned int vector = 0; vector < VECTOR_IRQ_BASE; vector++)
		trap_set_handler(vector, exception);
	trap_set_unhandled(unexpected);
}
