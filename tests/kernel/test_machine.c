/* SPDX-License-Identifier: MIT */
/*
 * The machine under the allocator: mappings, faults, interrupts, threads.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/boot_memory.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/irq.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/semaphore.h"
#include "kernel/core/symbols.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/boot/memmap.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

/* A break code that no key has. */
#define SCAN_CODE_NOTHING 0xd9

SUITE(paging);
SUITE(fault);
SUITE(irq);
SUITE(thread);
SUITE(boot);

/* ---- Declared faults ----------------------------------------------------- */

struct declared {
	unsigned int vector;
	enum fault_kind kind;
	uintptr_t address;
	uint32_t error; /* bits that must be set */
	volatile void *target;
};

static bool match_declared(const struct fault *fault, void *data)
{
	const struct declared *declared = data;

	return fault->frame->vector == declared->vector &&
	       fault->kind == declared->kind &&
	       fault->address == declared->address &&
	       (fault->frame->error & declared->error) == declared->error;
}

static bool faults(struct declared *declared, void (*function)(void *))
{
	struct fault_expect expect = { .match = match_declared,
		                       .data = declared };

	return fault_catch(&expect, function, declared);
}

static void read_target(void *data)
{
	const struct declared *declared = data;

	(void)*(volatile uint8_t *)declared->target;
}

static void write_target(void *data)
{
	const struct declared *declared = data;

	*(volatile uint8_t *)declared->target = 0xc3;
}

static void call_target(void *data)
{
	const struct declared *declared = data;

	((void (*)(void))(uintptr_t)declared->target)();
}

static struct declared page_fault(const volatile void *address,
                                  enum fault_kind kind, uint32_t error)
{
	return (struct declared){
		.vector = VECTOR_PAGE_FAULT,
		.kind = kind,
		.address = (uintptr_t)address,
		.error = error,
		.target = (volatile void *)(uintptr_t)address,
	};
}

/* ---- Paging -------------------------------------------------------------- */

CASE(paging, no_page_is_both_writable_and_executable)
{
	struct paging_check check = paging_check();

	if (check.wrong != 0)
		return test_failure("%#lx is %s", (unsigned long)check.address,
		                    check.what);
	/* Four stacks, the image and the direct map, at the very least. */
	EXPECT(check.mappings >
	       (image_physical_end() - image_physical_start()) / PAGE_SIZE);
	return NULL;
}

#define PRIVATE_TABLES 3 /* below the root, down to 4 KiB */

/* A mapping of the test's own: PAGE at ADDRESS, which nothing maps. */
struct private_mapping {
	struct page *table[PRIVATE_TABLES];
	uint64_t *root_entry;
};

static void unmap_private(struct private_mapping *mapping)
{
	if (mapping->root_entry != NULL)
		WRITE_ONCE(*mapping->root_entry, 0);
	paging_flush_all();
	for (unsigned int i = 0; i < PRIVATE_TABLES; i++) {
		if (mapping->table[i] != NULL)
			__free_page(mapping->table[i]);
	}
}

/* ENTRY maps the page, each table above it allows everything. */
static bool map_private(struct private_mapping *mapping, uintptr_t address,
                        uint64_t entry)
{
	const uint64_t all = PTE_PRESENT | PTE_WRITABLE | PTE_USER;

	for (unsigned int i = 0; i < PRIVATE_TABLES; i++) {
		mapping->table[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (mapping->table[i] == NULL)
			return false;
	}
	for (unsigned int i = 0; i < PRIVATE_TABLES; i++) {
		uint64_t *table = page_address(mapping->table[i]);
		unsigned int level = PRIVATE_TABLES - i;
		uint64_t below = entry;

		if (level > 1)
			below = page_to_pfn(mapping->table[i + 1])
			                << PAGE_SHIFT |
			        all;
		table[level_index(address, level)] = below;
	}
	mapping->root_entry = page_table_entry(address, ROOT_LEVEL);
	if (*mapping->root_entry != 0) {
		mapping->root_entry = NULL;
		return false;
	}
	WRITE_ONCE(*mapping->root_entry,
	           page_to_pfn(mapping->table[0]) << PAGE_SHIFT | all);
	return true;
}

/* With an ENTRY of these FLAGS at ADDRESS the check finds just that. */
static const char *finds(uintptr_t address, uint64_t flags, const char *what)
{
	struct private_mapping mapping = { 0 };
	struct page *page = alloc_page(GFP_KERNEL);
	const unsigned long before = paging_check().mappings;
	struct paging_check check = { 0 };
	bool mapped;

	EXPECT(page != NULL);
	mapped = map_private(&mapping, address,
	                     page_to_pfn(page) << PAGE_SHIFT | PTE_PRESENT |
	                             flags);
	if (mapped)
		check = paging_check();
	unmap_private(&mapping);
	__free_page(page);
	EXPECT(mapped);
	EXPECT_EQUAL(check.mappings, before + 1);
	EXPECT_EQUAL(check.wrong, what == NULL ? 0 : 1);
	if (what != NULL) {
		EXPECT_EQUAL(check.address, address);
		EXPECT(strcmp(check.what, what) == 0);
	}
	EXPECT_EQUAL(paging_check().wrong, 0);
	return NULL;
}

CASE(paging, check_finds_and_names_what_is_wrong)
{
	const uintptr_t low = 0x7000;
	const uintptr_t high = 0xffff900000203000UL;
	const uint64_t nx = pte_nx();
	const char *sentence = finds(low, PTE_WRITABLE | nx, NULL);

	if (sentence == NULL)
		sentence = finds(low, 0, NULL);
	if (sentence == NULL && nx != 0)
		sentence = finds(low, PTE_WRITABLE, "writable and executable");
	if (sentence == NULL && nx != 0)
		sentence = finds(high, PTE_WRITABLE, "writable and executable");
	if (sentence == NULL)
		sentence = finds(high, PTE_USER | nx, "open to user mode");
	if (sentence == NULL)
		sentence = finds(0, nx, "page 0");
	return sentence;
}

CASE(paging, check_finds_a_mapped_guard_page)
{
	const uintptr_t guard = (uintptr_t)boot_stack_guard;
	uint64_t *entry = page_table_entry(guard, 1);
	struct page *page = alloc_page(GFP_KERNEL);
	struct paging_check check;

	EXPECT(page != NULL);
	EXPECT(entry != NULL);
	WRITE_ONCE(*entry, page_to_pfn(page) << PAGE_SHIFT | PTE_PRESENT |
	                           PTE_WRITABLE | pte_nx());
	check = paging_check();
	WRITE_ONCE(*entry, 0);
	paging_flush_all();
	__free_page(page);
	EXPECT_EQUAL(check.wrong, 1);
	EXPECT_EQUAL(check.address, guard);
	EXPECT(strcmp(check.what, "a guard page") == 0);
	EXPECT_EQUAL(paging_check().wrong, 0);
	return NULL;
}

CASE(paging, page_0_is_not_mapped)
{
	struct declared null = page_fault(NULL, FAULT_NULL, 0);

	EXPECT(faults(&null, read_target));
	null.error = PF_WRITE;
	EXPECT(faults(&null, write_target));
	return NULL;
}

CASE(paging, identity_map_is_gone)
{
	struct declared low = page_fault((void *)0x100000UL, FAULT_OTHER, 0);

	EXPECT(faults(&low, read_target));
	return NULL;
}

CASE(paging, text_and_rodata_cannot_be_written)
{
	static const char text[] = "read only";
	struct declared code = page_fault((void *)(uintptr_t)alloc_pages,
	                                  FAULT_OTHER, PF_WRITE | PF_PRESENT);
	struct declared constant =
		page_fault(text, FAULT_OTHER, PF_WRITE | PF_PRESENT);

	EXPECT(faults(&code, write_target));
	EXPECT(faults(&constant, write_target));
	return NULL;
}

CASE(paging, text_cannot_be_written_through_the_direct_map)
{
	uintptr_t alias = (uintptr_t)alloc_pages - KERNEL_BASE;
	struct declared code = page_fault(phys_to_virt(alias), FAULT_OTHER,
	                                  PF_WRITE | PF_PRESENT);

	EXPECT(faults(&code, write_target));
	return NULL;
}

CASE(paging, data_and_direct_map_cannot_be_executed)
{
	static uint8_t data[16];
	struct page *page = alloc_page(GFP_KERNEL);
	struct declared in_data = page_fault(data, FAULT_OTHER, PF_FETCH);
	struct declared in_map;
	bool caught;

	EXPECT(page != NULL);
	memset(page_address(page), 0xc3, PAGE_SIZE);
	memset(data, 0xc3, sizeof(data));
	in_map = page_fault(page_address(page), FAULT_OTHER, PF_FETCH);
	caught = faults(&in_map, call_target);
	__free_page(page);
	EXPECT(caught);
	EXPECT(faults(&in_data, call_target));
	return NULL;
}

CASE(paging, exclusive_page_cannot_be_executed)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	struct declared fetch =
		page_fault(page, FAULT_EXCLUSIVE, PF_FETCH | PF_PRESENT);
	bool caught;

	EXPECT(page != NULL);
	memset(page, 0xc3, PAGE_SIZE);
	caught = faults(&fetch, call_target);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(caught);
	return NULL;
}

CASE(paging, frames_of_a_split_region_cannot_be_executed)
{
	struct node *node = main_node();
	unsigned long wrong;

	/* Hidden and shown again, so that the entries are rewritten. */
	exclusive_shrink(node, 0);
	wrong = paging_check().wrong;
	exclusive_balance(node);
	EXPECT_EQUAL(wrong, 0);
	return NULL;
}

/* ---- Faults -------------------------------------------------------------- */

static volatile int dividend = 1;
static volatile int divisor; /* 0 */

static void divide(void *data)
{
	(void)data;
	dividend = dividend / divisor;
}

static void test_machine_bad_opcode(void *data)
{
	(void)data;
	__builtin_trap();
}

CASE(fault, divide_error_and_invalid_opcode_are_caught)
{
	struct declared by_zero = { .vector = 0, .kind = FAULT_OTHER };
	struct declared opcode = { .vector = VECTOR_INVALID_OP,
		                   .kind = FAULT_OTHER };

	EXPECT(faults(&by_zero, divide));
	EXPECT(faults(&opcode, test_machine_bad_opcode));
	return NULL;
}

CASE(fault, non_canonical_address_is_a_protection_fault)
{
	struct declared hole = { .vector = VECTOR_PROTECTION,
		                 .kind = FAULT_OTHER,
		                 .target = (void *)0x8000000000000000UL };

	EXPECT(faults(&hole, read_target));
	return NULL;
}

/* Touch the page below its own stack. */
static void touch_own_guard(void *data)
{
	uintptr_t guard = (uintptr_t)current_thread()->stack - 8;
	struct declared below = page_fault((void *)guard, FAULT_GUARD, 0);

	*(bool *)data = faults(&below, read_target);
}

/* The page below another thread's stack is memory of vmalloc() that is not mapped. */
static void touch_guard_of(void *data)
{
	struct thread *thread = data;
	uintptr_t guard = (uintptr_t)thread->stack - 8;
	struct declared below = page_fault((void *)guard, FAULT_VMALLOC, 0);

	thread->argument = faults(&below, read_target) ? NULL : data;
}

static void fault_wait_for_end(void *data)
{
	wait_for_completion(data);
}

CASE(fault, guard_page_below_a_threads_stack_faults)
{
	struct completion may_end;
	struct thread *thread;
	bool named = false;
	bool foreign;

	thread = thread_create("guarded", touch_own_guard, &named);
	EXPECT(thread != NULL);
	thread_join(thread);
	EXPECT(named);
	init_completion(&may_end);
	thread = thread_create("guarded", fault_wait_for_end, &may_end);
	EXPECT(thread != NULL);
	thread_yield();
	touch_guard_of(thread);
	foreign = thread->argument == NULL;
	complete(&may_end);
	thread_join(thread);
	EXPECT(foreign);
	return NULL;
}

struct nested {
	struct declared inner;
	bool inner_caught;
};

static void catch_inner_then_fault(void *data)
{
	struct nested *nested = data;

	nested->inner_caught = faults(&nested->inner, read_target);
	__builtin_trap();
}

static bool match_opcode(const struct fault *fault, void *data)
{
	(void)data;
	return fault->frame->vector == VECTOR_INVALID_OP;
}

CASE(fault, catches_nest)
{
	struct nested nested = { .inner = page_fault(NULL, FAULT_NULL, 0) };
	struct fault_expect outer = { .match = match_opcode };

	EXPECT(fault_catch(&outer, catch_inner_then_fault, &nested));
	EXPECT(nested.inner_caught);
	return NULL;
}

static void fault_where_nobody_may_sleep(void *data)
{
	(void)data;
	preempt_disable();
	__builtin_trap();
}

CASE(fault, catch_puts_preempt_count_back)
{
	struct declared opcode = { .vector = VECTOR_INVALID_OP,
		                   .kind = FAULT_OTHER };
	bool caught = faults(&opcode, fault_where_nobody_may_sleep);
	unsigned int count = preempt_count();

	if (count != 0)
		preempt_count_sub(count);
	EXPECT(caught);
	EXPECT_EQUAL(count, 0);
	return NULL;
}

/* With preemption off, so that no tick acts on it before the end. */
static void fault_where_another_should_run(void *data)
{
	set_need_resched();
	fault_where_nobody_may_sleep(data);
}

CASE(fault, catch_keeps_who_should_run_next)
{
	struct declared opcode = { .vector = VECTOR_INVALID_OP,
		                   .kind = FAULT_OTHER };
	bool enabled = arch_irq_save();
	bool caught;
	bool due;

	clear_need_resched();
	caught = faults(&opcode, fault_where_another_should_run);
	due = preempt_is_due();
	clear_need_resched();
	arch_irq_restore(enabled);
	EXPECT(caught);
	EXPECT(due);
	return NULL;
}

static void catch_null_in_interrupt(void *data)
{
	struct declared null = page_fault(NULL, FAULT_NULL, 0);

	*(bool *)data = faults(&null, read_target);
}

CASE(fault, handler_catches_its_own_faults)
{
	bool caught = false;

	EXPECT(in_timer_interrupt(catch_null_in_interrupt, &caught));
	EXPECT(caught);
	return NULL;
}

/* ---- Interrupts ---------------------------------------------------------- */

struct context_seen {
	unsigned int count;
	bool in_interrupt;
	bool in_nmi;
	bool may_sleep;
	bool enabled;
	const struct owner *owner;
};

static void see_context(void *data)
{
	struct context_seen *seen = data;

	seen->count = preempt_count();
	seen->in_interrupt = in_interrupt();
	seen->in_nmi = in_nmi();
	seen->may_sleep = might_sleep();
	seen->enabled = arch_irq_enabled();
	seen->owner = current_owner();
}

CASE(irq, handler_knows_that_it_is_in_an_interrupt)
{
	struct context_seen seen = { 0 };
	unsigned long violations = might_sleep_violations();

	EXPECT(!in_interrupt() && !in_nmi() && might_sleep());
	EXPECT(in_timer_interrupt(see_context, &seen));
	EXPECT(seen.in_interrupt && !seen.in_nmi && !seen.may_sleep);
	EXPECT(!seen.enabled);
	EXPECT_EQUAL(seen.count & HARDIRQ_MASK, HARDIRQ_ONE);
	EXPECT(seen.owner == timer_owner());
	EXPECT_EQUAL(might_sleep_violations(), violations + 1);
	return NULL;
}

CASE(irq, after_a_handler_the_thread_is_the_owner_again)
{
	struct context_seen seen = { 0 };

	EXPECT(in_timer_interrupt(see_context, &seen));
	EXPECT(seen.owner == timer_owner());
	EXPECT(current_owner() == &current_thread()->owner);
	return NULL;
}

struct nesting {
	unsigned int depth;
};

static void test_machine_do_nothing(void *data)
{
	(void)data;
}

static void see_depth(void *data)
{
	struct nesting *nesting = data;

	nesting->depth = (preempt_count() & HARDIRQ_MASK) / HARDIRQ_ONE;
}

CASE(irq, lines_nest_both_ways)
{
	struct nesting nesting = { 0 };

	NEEDS_I8042();
	EXPECT(keyboard_on_timer(test_machine_do_nothing, see_depth, &nesting));
	EXPECT_EQUAL(nesting.depth, 2);
	nesting.depth = 0;
	EXPECT(timer_on_keyboard(test_machine_do_nothing, see_depth, &nesting));
	EXPECT_EQUAL(nesting.depth, 2);
	EXPECT_EQUAL(preempt_count(), 0);
	return NULL;
}

static void no_handler(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
}

CASE(irq, request_and_free_refuse_what_is_wrong)
{
	int cookie;

	EXPECT_EQUAL(request_irq(16, no_handler, "none", NULL), -EINVAL);
	EXPECT_EQUAL(request_irq(5, NULL, "none", NULL), -EINVAL);
	EXPECT_EQUAL(request_irq(0, no_handler, "second", NULL), -EBUSY);
	EXPECT_EQUAL(free_irq(5, NULL), -ENOENT);
	EXPECT_EQUAL(request_irq(5, no_handler, "five", &cookie), 0);
	EXPECT_EQUAL(free_irq(5, NULL), -ENOENT);
	EXPECT_EQUAL(free_irq(5, &cookie), 0);
	return NULL;
}

CASE(irq, a_registration_has_its_own_number_and_only_for_its_dev_id)
{
	int cookie = 0;
	uint64_t first;
	uint64_t second;

	EXPECT_EQUAL(irq_owner_id(5, &cookie), 0);
	EXPECT_EQUAL(irq_owner_id(16, NULL), 0);
	EXPECT_EQUAL(request_irq(5, no_handler, "five", &cookie), 0);
	first = irq_owner_id(5, &cookie);
	EXPECT_EQUAL(irq_owner_id(5, NULL), 0);
	EXPECT_EQUAL(free_irq(5, &cookie), 0);
	EXPECT_EQUAL(irq_owner_id(5, &cookie), 0);
	EXPECT_EQUAL(request_irq(5, no_handler, "five", &cookie), 0);
	second = irq_owner_id(5, &cookie);
	EXPECT_EQUAL(free_irq(5, &cookie), 0);
	EXPECT(first != 0 && second > first);
	return NULL;
}

CASE(irq, line_of_the_second_controller_cannot_be_requested)
{
	struct irq_statistics before;
	struct irq_statistics after;

	irq_statistics(IRQ_CASCADE, &before);
	EXPECT_EQUAL(request_irq(IRQ_CASCADE, no_handler, "two", NULL), -EBUSY);
	EXPECT(irq_owner(IRQ_CASCADE) == NULL);
	EXPECT_EQUAL(free_irq(IRQ_CASCADE, NULL), -ENOENT);
	irq_statistics(IRQ_CASCADE, &after);
	EXPECT_EQUAL(after.taken, before.taken);
	return NULL;
}

static int freed_with;

static void free_line_5(void *data)
{
	freed_with = free_irq(5, data);
}

CASE(irq, line_is_not_freed_where_sleeping_is_impossible)
{
	unsigned long violations = might_sleep_violations();
	int cookie;
	bool ran;

	EXPECT_EQUAL(request_irq(5, no_handler, "five", &cookie), 0);
	freed_with = 0;
	ran = in_timer_interrupt(free_line_5, &cookie);
	if (!ran || freed_with != -EBUSY || irq_owner(5) == NULL) {
		free_irq(5, &cookie);
		return "it was freed in an interrupt";
	}
	preempt_disable();
	freed_with = free_irq(5, &cookie);
	preempt_enable();
	EXPECT_EQUAL(free_irq(5, &cookie), 0);
	EXPECT_EQUAL(freed_with, -EBUSY);
	EXPECT_EQUAL(might_sleep_violations(), violations + 2);
	EXPECT(irq_owner(5) == NULL);
	return NULL;
}

CASE(irq, spurious_interrupts_of_both_controllers_are_counted)
{
	struct irq_statistics before[2];
	struct irq_statistics after[2];
	uint64_t ticks;

	irq_statistics(7, &before[0]);
	irq_statistics(15, &before[1]);
	arch_raise_irq_vector(7);
	arch_raise_irq_vector(15);
	irq_statistics(7, &after[0]);
	irq_statistics(15, &after[1]);
	EXPECT_EQUAL(after[0].spurious, before[0].spurious + 1);
	EXPECT_EQUAL(after[1].spurious, before[1].spurious + 1);
	/* No end of interrupt was lost: the timer goes on. */
	ticks = clock_ticks();
	while (clock_ticks() < ticks + 3)
		thread_yield();
	return NULL;
}

CASE(irq, raise_gives_up_while_a_byte_waits)
{
	int first;
	int second;

	NEEDS_I8042();
	/* Nobody fetches the first byte while the line is masked. */
	irq_mask(1);
	first = i8042_raise(SCAN_CODE_NOTHING);
	second = i8042_raise(SCAN_CODE_NOTHING);
	irq_unmask(1);
	EXPECT_EQUAL(first, 0);
	EXPECT_EQUAL(second, -EBUSY);
	return NULL;
}

/*
 * The console may hold the line while a command to the keyboard masks it, too.
 */
CASE(irq, a_line_masked_twice_is_unmasked_by_the_second_unmask)
{
	struct irq_statistics before;
	struct irq_statistics between;
	struct irq_statistics after;
	uint64_t limit;

	NEEDS_I8042();
	irq_statistics(1, &before);
	irq_mask(1);
	irq_mask(1);
	EXPECT_EQUAL(i8042_raise(SCAN_CODE_NOTHING), 0);
	irq_unmask(1);
	irq_statistics(1, &between);
	irq_unmask(1);
	limit = clock_microseconds() + 1000000;
	do
		irq_statistics(1, &after);
	while (after.handled == before.handled && clock_microseconds() < limit);
	EXPECT_EQUAL(between.handled, before.handled);
	EXPECT_EQUAL(after.handled, before.handled + 1);
	return NULL;
}

/* ---- Threads ------------------------------------------------------------- */

static void add_one(void *data)
{
	(*(unsigned int *)data)++;
}

CASE(thread, stacks_are_used_again_one_thread_after_the_other)
{
	unsigned int runs = 0;

	for (int i = 0; i < 72; i++) {
		struct thread *thread =
			thread_create("one of many", add_one, &runs);

		EXPECT(thread != NULL);
		EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	}
	EXPECT_EQUAL(runs, 72);
	return NULL;
}

/* The registers that a C function may change: rax, rcx, rdx, rsi, rdi, r8 to r11. */
#define SCRATCH 9

/* Call the slow end of preempt_enable() with FILL + 0, FILL + 1 ... in these; what they
 * are afterwards. */
static void call_thunk(uint64_t fill, uint64_t (*found)[SCRATCH])
{
	__asm__ volatile("lea 1(%%rax), %%rcx\n\t"
	                 "lea 2(%%rax), %%rdx\n\t"
	                 "lea 3(%%rax), %%rsi\n\t"
	                 "lea 4(%%rax), %%rdi\n\t"
	                 "lea 5(%%rax), %%r8\n\t"
	                 "lea 6(%%rax), %%r9\n\t"
	                 "lea 7(%%rax), %%r10\n\t"
	                 "lea 8(%%rax), %%r11\n\t"
	                 "call preempt_enable_thunk\n\t"
	                 "mov %%rax, (%%rbx)\n\t"
	                 "mov %%rcx, 8(%%rbx)\n\t"
	                 "mov %%rdx, 16(%%rbx)\n\t"
	                 "mov %%rsi, 24(%%rbx)\n\t"
	                 "mov %%rdi, 32(%%rbx)\n\t"
	                 "mov %%r8, 40(%%rbx)\n\t"
	                 "mov %%r9, 48(%%rbx)\n\t"
	                 "mov %%r10, 56(%%rbx)\n\t"
	                 "mov %%r11, 64(%%rbx)"
	                 : "+a"(fill), "=m"(*found)
	                 : "b"(found)
	                 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
	                   "cc", "memory");
}

CASE(thread, the_slow_end_of_preempt_enable_changes_no_register)
{
	const uint64_t fill = 0x5a5a5a5a5a5a5a00ULL;
	uint64_t found[SCRATCH] = { 0 };

	set_need_resched();
	call_thunk(fill, &found);
	for (unsigned int i = 0; i < SCRATCH; i++)
		EXPECT_EQUAL(found[i], fill + i);
	EXPECT(!preempt_is_due());
	return NULL;
}

static void take_turns(void *data)
{
	for (int i = 0; i < 10; i++) {
		(*(unsigned int *)data)++;
		thread_yield();
	}
}

CASE(thread, yielding_threads_take_turns)
{
	unsigned int a = 0;
	unsigned int b = 0;
	struct thread *first = thread_create("a", take_turns, &a);
	struct thread *second = thread_create("b", take_turns, &b);

	EXPECT(first != NULL && second != NULL);
	for (int i = 0; i < 5; i++)
		thread_yield();
	EXPECT(a > 0 && b > 0 && a < 10 && b < 10);
	EXPECT(a - b + 1 <= 2);
	EXPECT(thread_join(first) == THREAD_END_RETURNED);
	EXPECT(thread_join(second) == THREAD_END_RETURNED);
	EXPECT_EQUAL(a + b, 20);
	return NULL;
}

CASE(thread, sleep_lasts_as_long_as_asked)
{
	uint64_t begin = clock_microseconds();

	thread_sleep(20000);
	EXPECT(clock_microseconds() - begin >= 20000);
	return NULL;
}

/* ---- Boot ---------------------------------------------------------------- */

/* Did the boot memory map leave the frame at physical AT to the buddy? */
static bool was_left_free(uint64_t at)
{
	struct boot_range range;

	return memmap_next_free(boot_memmap(), at, &range) && range.start <= at;
}

/* The loader may have put its information where the boot code was. */
CASE(boot, kernel_image_is_reserved_and_boot_code_is_not)
{
	unsigned int released = 0;

	for (uint64_t at = image_physical_start(); at < image_physical_end();
	     at += PAGE_SIZE) {
		struct page *page = pfn_to_page(at >> PAGE_SHIFT);
		bool boot =
			at >= boot_physical_start() && at < boot_physical_end();
		bool reserved;

		EXPECT(page != NULL);
		reserved = page_head(main_node(), page)->state == PAGE_NONE;
		EXPECT(reserved == !was_left_free(at));
		EXPECT(boot || reserved);
		released += !reserved;
	}
	EXPECT(released > 0);
	return NULL;
}

CASE(boot, present_is_managed_plus_reserved_in_every_zone)
{
	struct node *node = main_node();

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];
		struct page_columns columns;
		char sentence[240];

		EXPECT(zone_check(&node->zone[type], &columns, false, sentence,
		                  sizeof(sentence)) == NULL);
		EXPECT_EQUAL(columns.free + columns.pcp + columns.parked +
		                     columns.used + columns.exclusive +
		                     columns.bad + columns.loose +
		                     columns.reserved,
		             zone->present);
	}
	return NULL;
}

CASE(boot, symbols_name_functions)
{
	char text[SYMBOL_NAME_SIZE];
	unsigned long offset = 1;
	const char *name = symbol_name(text, sizeof(text),
	                               (uintptr_t)alloc_pages + 1, &offset);

	EXPECT(name != NULL && strcmp(name, "alloc_pages") == 0);
	EXPECT_EQUAL(offset, 1);
	EXPECT(symbol_name(text, sizeof(text), 0x1000, &offset) == NULL);
	EXPECT(symbol_name(text, 6, (uintptr_t)alloc_pages, &offset) != NULL);
	EXPECT(strcmp(text, "alloc") == 0);
	return NULL;
}

CASE(boot, every_symbol_has_a_name_that_fits)
{
	char text[SYMBOL_NAME_SIZE];
	unsigned long offset;

	for (uint32_t i = 0; i < symbol_count; i++) {
		const uintptr_t address =
			0xffffffff00000000UL | symbol_address[i];

		EXPECT(symbol_name(text, sizeof(text), address, &offset) !=
		       NULL);
		EXPECT_EQUAL(offset, 0);
		EXPECT(text[0] != '\0' && strlen(text) + 1 < sizeof(text));
	}
	return NULL;
}

CASE(boot, symbols_are_written_with_an_offset_also_at_the_first_byte)
{
	const uintptr_t start = (uintptr_t)alloc_pages;
	char text[64];

	symbol_format(text, sizeof(text), start);
	EXPECT(strcmp(text, "alloc_pages+0x0") == 0);
	symbol_format(text, sizeof(text), start + 31);
	EXPECT(strcmp(text, "alloc_pages+0x1f") == 0);
	symbol_format(text, sizeof(text), 0x1000);
	EXPECT(strcmp(text, "0x1000") == 0);
	return NULL;
}

/* Frames as a compiler makes them, one above the other: the next one's place,
 * and where its call returns to. */
#define FAKE_FRAMES 64UL

static uint64_t fake_frame[FAKE_FRAMES + 1][2];

static unsigned int count_backtrace(const uint64_t *begin)
{
	const struct trap_frame at = { .rip = (uintptr_t)alloc_pages,
		                       .rbp = (uintptr_t)begin };
	enum log_level level = log_console_level();
	uint64_t mark = log_mark();

	log_set_console_level(LOG_ERR);
	backtrace_print(&at);
	log_set_console_level(level);
	return log_count_since(mark, " alloc_pages+0x");
}

CASE(boot, backtraces_end_after_32_frames_and_in_a_circle)
{
	for (unsigned long i = 0; i < FAKE_FRAMES; i++) {
		fake_frame[i][0] = (uintptr_t)fake_frame[i + 1];
		fake_frame[i][1] = (uintptr_t)alloc_pages + 1;
	}
	EXPECT_EQUAL(count_backtrace(fake_frame[0]), 32);
	fake_frame[4][0] = (uintptr_t)fake_frame[0];
	EXPECT_EQUAL(count_backtrace(fake_frame[0]), 1 + 5);
	return NULL;
}
