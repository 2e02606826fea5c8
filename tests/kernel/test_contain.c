/* SPDX-License-Identifier: MIT */
/*
 * Faults are contained: whatever a party does to itself ends where it is caught,
 * in a thread and in an interrupt handler, and the machine goes on.  Each of
 * these really happens; no handler is called by the test.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/provoke.h"
#include "kernel/arch/stack_protector.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/symbols.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(contain);

#define VECTOR_DIVIDE   0
#define VECTOR_OVERFLOW 4
#define VECTOR_NO_FPU   7
#define VECTOR_STACK    12
#define NON_CANONICAL   ((void *)0x8000000000001000UL)
#define RETURN_OPCODE   0xc3

struct provocation {
	const char *name;
	void (*function)(void *);
	void *argument;
	unsigned int vector;
	enum fault_kind kind;
	uint32_t error; /* bits that must be set */
	bool caught;
};

/* Entries of a list: an exception of VECTOR, a page fault. */
#define EXCEPTION(text, call, data, number)                                    \
	{                                                                      \
		.name = (text), .function = (call), .argument = (data),        \
		.vector = (number), .kind = FAULT_OTHER                        \
	}
#define PAGE_FAULT(text, call, data, what, bits)                               \
	{                                                                      \
		.name = (text), .function = (call), .argument = (data),        \
		.vector = VECTOR_PAGE_FAULT, .kind = (what), .error = (bits)   \
	}

/* QEMU calls a stack-segment fault a protection fault. */
static bool is_vector(uint64_t vector, unsigned int wanted)
{
	return vector == wanted ||
	       (wanted == VECTOR_STACK && vector == VECTOR_PROTECTION);
}

static bool match_provocation(const struct fault *fault, void *data)
{
	const struct provocation *wanted = data;

	return is_vector(fault->frame->vector, wanted->vector) &&
	       fault->kind == wanted->kind &&
	       (fault->frame->vector != VECTOR_PAGE_FAULT ||
	        fault->address == (uintptr_t)wanted->argument) &&
	       (fault->frame->error & wanted->error) == wanted->error;
}

static void provoke(void *data)
{
	struct provocation *provocation = data;
	struct fault_expect expect = { .match = match_provocation,
		                       .data = provocation };

	provocation->caught = fault_catch(&expect, provocation->function,
	                                  provocation->argument);
}

/* In this thread, and in a handler.  NULL, or what was not caught where. */
static const char *provoke_all(struct provocation *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		list[i].caught = false;
		provoke(&list[i]);
		if (!list[i].caught)
			return test_failure("%s: not caught in a thread",
			                    list[i].name);
		EXPECT(preempt_count() == 0 && arch_irq_enabled());
		list[i].caught = false;
		if (!in_timer_interrupt(provoke, &list[i]) || !list[i].caught)
			return test_failure("%s: not caught in a handler",
			                    list[i].name);
		EXPECT(preempt_count() == 0 && arch_irq_enabled());
	}
	return NULL;
}

static void read_byte(void *address)
{
	(void)*(volatile uint8_t *)address;
}

static void test_contain_write_byte(void *address)
{
	*(volatile uint8_t *)address = RETURN_OPCODE;
}

/* ---- Instructions -------------------------------------------------------- */

CASE(contain, breakpoint_and_overflow_interrupt)
{
	struct provocation list[] = {
		EXCEPTION("int3", provoke_int3, NULL, VECTOR_BREAKPOINT),
		EXCEPTION("int 4", provoke_int_4, NULL, VECTOR_OVERFLOW),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

CASE(contain, opcodes_that_long_mode_does_not_have)
{
	struct provocation list[] = {
		EXCEPTION("daa", provoke_daa, NULL, VECTOR_INVALID_OP),
		EXCEPTION("bound", provoke_bound, NULL, VECTOR_INVALID_OP),
		EXCEPTION("ud1", provoke_ud1, NULL, VECTOR_INVALID_OP),
		EXCEPTION("ud2", provoke_ud2, NULL, VECTOR_INVALID_OP),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

CASE(contain, division_by_zero_and_quotients_that_do_not_fit)
{
	struct provocation list[] = {
		EXCEPTION("1 / 0", provoke_div_zero, NULL, VECTOR_DIVIDE),
		EXCEPTION("2^64 / 1", provoke_div_big, NULL, VECTOR_DIVIDE),
		EXCEPTION("-2^63 / -1", provoke_idiv_minimum, NULL,
		          VECTOR_DIVIDE),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

CASE(contain, instruction_of_the_fpu)
{
	struct provocation list[] = {
		EXCEPTION("fninit", provoke_fninit, NULL, VECTOR_NO_FPU),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

/* ---- Addresses ----------------------------------------------------------- */

CASE(contain, non_canonical_addresses)
{
	struct provocation list[] = {
		EXCEPTION("read", read_byte, NON_CANONICAL, VECTOR_PROTECTION),
		EXCEPTION("write", test_contain_write_byte, NON_CANONICAL,
		          VECTOR_PROTECTION),
		EXCEPTION("jump", provoke_jump, NON_CANONICAL,
		          VECTOR_PROTECTION),
		EXCEPTION("return", provoke_return, NON_CANONICAL,
		          VECTOR_PROTECTION),
		EXCEPTION("stack", provoke_stack_read, NON_CANONICAL,
		          VECTOR_STACK),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

CASE(contain, null_read_written_and_executed)
{
	struct provocation list[] = {
		PAGE_FAULT("read", read_byte, NULL, FAULT_NULL, 0),
		PAGE_FAULT("write", test_contain_write_byte, NULL, FAULT_NULL,
		           PF_WRITE),
		PAGE_FAULT("jump", provoke_jump, NULL, FAULT_NULL, PF_FETCH),
	};

	return provoke_all(list, ARRAY_SIZE(list));
}

CASE(contain, writes_to_text_and_rodata)
{
	static const char constant[] = "read only";
	void *code = (void *)(uintptr_t)alloc_pages;
	const uint8_t first = *(const uint8_t *)code;
	struct provocation list[] = {
		PAGE_FAULT(".text", test_contain_write_byte, code, FAULT_OTHER,
		           PF_WRITE | PF_PRESENT),
		PAGE_FAULT(".rodata", test_contain_write_byte,
		           (void *)(uintptr_t)constant, FAULT_OTHER,
		           PF_WRITE | PF_PRESENT),
	};
	const char *sentence = provoke_all(list, ARRAY_SIZE(list));

	EXPECT(*(volatile uint8_t *)code == first);
	EXPECT(strcmp(constant, "read only") == 0);
	return sentence;
}

CASE(contain, execution_of_data_stack_and_direct_map)
{
	static uint8_t data[16];
	uint8_t stack[16];
	struct page *page = alloc_page(GFP_KERNEL);
	struct provocation list[] = {
		PAGE_FAULT(".data", provoke_jump, data, FAULT_OTHER,
		           PF_FETCH | PF_PRESENT),
		PAGE_FAULT("stack", provoke_jump, stack, FAULT_OTHER,
		           PF_FETCH | PF_PRESENT),
		PAGE_FAULT("direct map", provoke_jump, NULL, FAULT_OTHER,
		           PF_FETCH | PF_PRESENT),
	};
	const char *sentence;

	EXPECT(page != NULL);
	list[2].argument = page_address(page);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		memset(list[i].argument, RETURN_OPCODE, sizeof(data));
	sentence = provoke_all(list, ARRAY_SIZE(list));
	__free_page(page);
	return sentence;
}

/* ---- Stacks -------------------------------------------------------------- */

#define OVERFLOWS 8

struct overflow {
	bool caught;
	uintptr_t address;
	unsigned int vector;
};

static bool match_overflow(const struct fault *fault, void *data)
{
	(void)data;
	return fault->frame->vector == VECTOR_DOUBLE_FAULT &&
	       fault->kind == FAULT_GUARD;
}

/*
 * With interrupts off: one that came near the end would overflow the stack in
 * its own frames, and be lost with them.
 */
static void overflow_stack(void *unused __unused)
{
	arch_irq_disable();
	provoke_stack_overflow(NULL);
}

static void overflow_here(void *data)
{
	struct overflow *overflow = data;
	struct fault_expect expect = { .match = match_overflow };

	overflow->caught = fault_catch(&expect, overflow_stack, NULL);
	overflow->address = expect.address;
}

/* Is ADDRESS in the page below a stack that ends at BOTTOM? */
static bool is_below(uintptr_t address, uintptr_t bottom)
{
	return bottom - address <= PAGE_SIZE;
}

CASE(contain, thread_that_overflows_its_stack)
{
	for (unsigned int i = 0; i < OVERFLOWS; i++) {
		struct overflow overflow = { 0 };
		struct thread *thread =
			thread_create("too deep", overflow_here, &overflow);
		uintptr_t bottom;

		EXPECT(thread != NULL);
		bottom = (uintptr_t)thread->stack;
		EXPECT(thread_join(thread) == THREAD_END_RETURNED);
		EXPECT(overflow.caught);
		EXPECT(is_below(overflow.address, bottom));
	}
	return NULL;
}

CASE(contain, handler_that_overflows_the_stack_it_interrupted)
{
	const uintptr_t bottom = (uintptr_t)boot_stack_guard + PAGE_SIZE;

	for (unsigned int i = 0; i < OVERFLOWS; i++) {
		struct overflow overflow = { 0 };

		EXPECT(in_timer_interrupt(overflow_here, &overflow));
		EXPECT(overflow.caught);
		EXPECT(is_below(overflow.address, bottom));
	}
	return NULL;
}

/*
 * The double fault's handler is on its own stack when it asks this; it answers
 * by overflowing that one too.  The CPU begins the second double fault at the
 * top of the same stack again, over the frames of the first: there is no way
 * back into this function, only into the catch around it.
 */
static bool overflow_again(const struct fault *fault, void *data)
{
	struct fault_expect *outer = data;

	if (!match_overflow(fault, NULL))
		return false;
	this_cpu_write(expect, outer);
	provoke_stack_overflow(NULL);
	return false;
}

static void overflow_twice(void *data)
{
	struct fault_expect expect = { .match = overflow_again, .data = data };

	fault_catch(&expect, overflow_stack, NULL);
}

static void catch_second_overflow(void *data)
{
	struct overflow *overflow = data;
	struct fault_expect expect = { .match = match_overflow };

	overflow->caught = fault_catch(&expect, overflow_twice, &expect);
	overflow->address = expect.address;
	overflow->vector = (unsigned int)expect.frame.vector;
}

CASE(contain, double_fault_handler_that_overflows_its_stack)
{
	const uintptr_t bottom =
		(uintptr_t)double_fault_stack_guard + PAGE_SIZE;

	for (unsigned int i = 0; i < OVERFLOWS; i++) {
		struct overflow overflow = { 0 };
		/* A separate thread: its window stays closed. */
		struct thread *thread = thread_create(
			"twice too deep", catch_second_overflow, &overflow);

		EXPECT(thread != NULL);
		EXPECT(thread_join(thread) == THREAD_END_RETURNED);
		EXPECT(overflow.caught);
		EXPECT_EQUAL(overflow.vector, VECTOR_DOUBLE_FAULT);
		EXPECT(is_below(overflow.address, bottom));
	}
	return NULL;
}

#define DEEP 8000

/* Write LENGTH bytes; the caller knows how many there are. */
static __noinline void test_contain_fill(volatile uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = RETURN_OPCODE;
}

static void write_deep(void *data)
{
	volatile uint8_t deep[DEEP];

	test_contain_fill(deep, sizeof(deep));
	*(unsigned long *)data = thread_stack_used(current_thread());
}

static void stay_shallow(void *data)
{
	*(unsigned long *)data = thread_stack_used(current_thread());
}

CASE(contain, deepest_use_of_a_stack_is_seen)
{
	unsigned long deep = 0;
	unsigned long shallow = 0;
	struct thread *thread = thread_create("deep", write_deep, &deep);

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	thread = thread_create("shallow", stay_shallow, &shallow);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(deep >= DEEP && deep < STACK_SIZE);
	EXPECT(shallow > 0 && shallow < DEEP);
	/* By the cases above. */
	EXPECT_EQUAL(double_fault_stack_used(),
	             (uintptr_t)double_fault_stack_top -
	                     (uintptr_t)double_fault_stack_guard - PAGE_SIZE);
	return NULL;
}

/* ---- What the compiler watches ------------------------------------------- */

/* DATA: how many bytes too many. */
static __noinline void write_past_an_array(void *data)
{
	uint8_t array[24];

	test_contain_fill(array, sizeof(array) + *(volatile size_t *)data);
}

struct smash {
	bool caught;
	bool named;
};

static bool match_smash(const struct fault *fault, void *data)
{
	struct smash *smash = data;
	unsigned long offset;
	uintptr_t caller;
	const char *name;
	char text[SYMBOL_NAME_SIZE];

	if (!stack_protector_trapped(fault->frame, &caller))
		return false;
	name = symbol_name(text, sizeof(text), caller, &offset);
	smash->named = name != NULL && strcmp(name, "write_past_an_array") == 0;
	return true;
}

static void smash_stack(void *data)
{
	struct smash *smash = data;
	struct fault_expect expect = { .match = match_smash, .data = smash };
	size_t excess = 16;

	smash->caught = fault_catch(&expect, write_past_an_array, &excess);
}

CASE(contain, smashed_stack_traps_and_names_the_function)
{
	struct smash in_thread = { 0 };
	struct smash in_handler = { 0 };
	size_t excess = 0;

	write_past_an_array(&excess);
	smash_stack(&in_thread);
	EXPECT(in_thread.caught && in_thread.named);
	EXPECT(in_timer_interrupt(smash_stack, &in_handler));
	EXPECT(in_handler.caught && in_handler.named);
	return NULL;
}

CASE(contain, guard_of_the_stack_is_chosen_and_ends_strings)
{
	EXPECT(__stack_chk_guard != 0);
	EXPECT((__stack_chk_guard & 0xff) == 0);
	return NULL;
}

CASE(contain, machine_goes_on)
{
	uint64_t ticks = clock_ticks();

	while (clock_ticks() < ticks + 3)
		thread_yield();
	EXPECT(might_sleep());
	return NULL;
}
