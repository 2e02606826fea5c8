/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_machine.c -- is the host's machine as strict as it claims?
 *
 * Each case commits a crime and expects the panic, or the leak to be found: a
 * machine that forgives would make every other suite worth less.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(machine);

static char said[256];

static bool test_machine_contains(const char *text, const char *part)
{
	size_t length = strlen(part);

	for (; *text != '\0'; text++) {
		if (strncmp(text, part, length) == 0)
			return true;
	}
	return false;
}

/* CRIME panics, and the text contains PART. */
static const char *expect_panic(void (*crime)(void *), const char *part)
{
	enum machine_end how = machine_try(crime, NULL, said, sizeof(said));

	machine_start(0);
	if (how != MACHINE_PANICKED)
		return "it was forgiven";
	if (!test_machine_contains(said, part))
		return test_failure("the panic says \"%s\"", said);
	return NULL;
}

static struct spinlock lock_a = SPINLOCK_INIT("a");
static struct spinlock lock_b = SPINLOCK_INIT("b");
static struct spinlock lock_c = SPINLOCK_INIT("c");

static void reset_locks(void)
{
	lock_a.held = 0;
	lock_b.held = 0;
}

static bool test_machine_take(struct spinlock *lock)
{
	return spin_lock_irqsave(lock);
}

static void take_twice(void *data)
{
	(void)data;
	reset_locks();
	test_machine_take(&lock_a);
	test_machine_take(&lock_a);
}

static void take_in_nmi(void *data)
{
	(void)data;
	reset_locks();
	machine_enter_nmi();
	test_machine_take(&lock_a);
}

static void unlock_free_lock(void *data)
{
	(void)data;
	reset_locks();
	spin_unlock_irqrestore(&lock_a, true);
}

static void take_in_two_orders(void *data)
{
	bool a;
	bool b;

	(void)data;
	reset_locks();
	a = spin_lock_irqsave(&lock_a);
	b = spin_lock_irqsave(&lock_b);
	spin_unlock_irqrestore(&lock_b, b);
	spin_unlock_irqrestore(&lock_a, a);
	b = spin_lock_irqsave(&lock_b);
	test_machine_take(&lock_a);
}

static void enable_under_lock(void *data)
{
	(void)data;
	reset_locks();
	test_machine_take(&lock_a);
	arch_irq_enable();
}

static void log_under_lock(void *data)
{
	bool enabled = spin_lock_irqsave(&lock_c);

	(void)data;
	pr_info("a line\n");
	spin_unlock_irqrestore(&lock_c, enabled);
}

CASE(machine, locks_are_strict)
{
	const char *wrong = expect_panic(take_twice, "taken twice");

	if (wrong == NULL)
		wrong = expect_panic(take_in_nmi, "in an NMI");
	if (wrong == NULL)
		wrong = expect_panic(unlock_free_lock, "does not hold");
	if (wrong == NULL)
		wrong = expect_panic(take_in_two_orders, "lock order");
	if (wrong == NULL)
		wrong = expect_panic(enable_under_lock, "interrupts enabled");
	if (wrong == NULL)
		wrong = expect_panic(log_under_lock, "logged while lock");
	return wrong;
}

static void sleep_in_interrupt(void *data)
{
	(void)data;
	machine_enter_irq(NULL);
	might_sleep();
}

static void interrupt_while_off(void *data)
{
	(void)data;
	arch_irq_disable();
	machine_enter_irq(NULL);
}

static void leave_what_was_not_entered(void *data)
{
	(void)data;
	machine_enter_irq(NULL);
	machine_leave_nmi();
}

static void unbalanced_handler(void *data)
{
	(void)data;
	machine_enter_irq(NULL);
	preempt_disable();
	machine_leave_irq();
}

static void preempt_below_zero(void *data)
{
	(void)data;
	preempt_enable();
}

CASE(machine, contexts_are_strict)
{
	const char *wrong = expect_panic(sleep_in_interrupt, "may sleep");

	if (wrong == NULL)
		wrong = expect_panic(interrupt_while_off, "interrupts are off");
	if (wrong == NULL)
		wrong = expect_panic(leave_what_was_not_entered, "innermost");
	if (wrong == NULL)
		wrong = expect_panic(unbalanced_handler, "preempt_count");
	if (wrong == NULL)
		wrong = expect_panic(preempt_below_zero, "unknown context");
	return wrong;
}

static void *table_at(unsigned long pfn)
{
	return (void *)(direct_map_base + pfn * PAGE_SIZE);
}

static void hide_unsplit(void *data)
{
	(void)data;
	machine_start(1024);
	direct_map_hide(3);
}

static void hide_twice(void *data)
{
	(void)data;
	machine_start(1024);
	direct_map_split(3, table_at(600));
	direct_map_hide(3);
	direct_map_hide(3);
}

static void show_visible(void *data)
{
	(void)data;
	machine_start(1024);
	direct_map_show(3);
}

static void split_twice(void *data)
{
	(void)data;
	machine_start(1024);
	direct_map_split(3, table_at(600));
	direct_map_split(4, table_at(601));
}

static void split_in_interrupt(void *data)
{
	(void)data;
	machine_start(1024);
	machine_enter_irq(NULL);
	direct_map_split(3, table_at(600));
}

CASE(machine, direct_map_is_strict)
{
	const char *wrong = expect_panic(hide_unsplit, "not split");

	if (wrong == NULL)
		wrong = expect_panic(hide_twice, "hidden twice");
	if (wrong == NULL)
		wrong = expect_panic(show_visible, "shown twice");
	if (wrong == NULL)
		wrong = expect_panic(split_twice, "split twice");
	if (wrong == NULL)
		wrong = expect_panic(split_in_interrupt, "cannot be done");
	return wrong;
}

static struct window window;

static void make_window(void)
{
	machine_start(1024);
	memset(table_at(600), 0, PAGE_SIZE);
	if (window_create(&window, 7, table_at(600)) != 0)
		panic("no window");
}

static void map_twice(void *data)
{
	(void)data;
	make_window();
	window_map(&window, 5, 1);
	window_map(&window, 5, 2);
}

static void unmap_twice(void *data)
{
	(void)data;
	make_window();
	window_map(&window, 5, 1);
	window_unmap(&window, 5);
	window_unmap(&window, 5);
}

static void close_in_wrong_order(void *data)
{
	struct window_state first;

	(void)data;
	make_window();
	arch_irq_disable();
	first = window_open(&window);
	window_open(NULL);
	window_close(first);
}

static void open_with_interrupts_on(void *data)
{
	(void)data;
	make_window();
	window_open(&window);
}

CASE(machine, windows_are_strict)
{
	const char *wrong = expect_panic(map_twice, "filled twice");

	if (wrong == NULL)
		wrong = expect_panic(unmap_twice, "emptied twice");
	if (wrong == NULL)
		wrong = expect_panic(close_in_wrong_order, "another order");
	if (wrong == NULL)
		wrong = expect_panic(open_with_interrupts_on, "interrupts on");
	return wrong;
}

CASE(machine, a_hidden_frame_cannot_be_touched_until_it_is_shown)
{
	char *frame;

	machine_start(1024);
	frame = table_at(3);
	*frame = 5;
	EXPECT(!machine_faults(frame, true, NULL));
	direct_map_split(3, table_at(600));
	direct_map_hide(3);
	EXPECT(machine_faults(frame, false, NULL));
	EXPECT(!machine_faults(frame - 1, false, NULL));
	EXPECT(!machine_faults(frame + PAGE_SIZE, false, NULL));
	EXPECT(direct_map_join(3) == NULL);
	direct_map_show(3);
	EXPECT(!machine_faults(frame, true, NULL));
	EXPECT_EQUAL(*frame, 5);
	EXPECT(direct_map_join(3) == table_at(600));
	return NULL;
}

CASE(machine, a_window_can_be_touched_only_while_it_is_open)
{
	struct window_state before;
	char *page;

	make_window();
	page = window_map(&window, 7, 30);
	EXPECT_EQUAL(window_frame(&window, 7), 30);
	EXPECT(machine_faults(page, false, NULL));
	arch_irq_disable();
	before = window_open(&window);
	EXPECT(window_is_open(&window));
	EXPECT(!machine_faults(page, true, NULL));
	*page = 9;
	EXPECT(machine_faults(page + PAGE_SIZE, false, NULL));
	window_close(before);
	EXPECT(machine_faults(page, false, NULL));
	arch_irq_enable();
	EXPECT_EQUAL(*(char *)machine_physical(30), 9);
	window_unmap(&window, 7);
	EXPECT(window_destroy(&window) == table_at(600));
	return NULL;
}

CASE(machine, an_nmi_closes_the_window_and_its_return_opens_it)
{
	struct window_state before;
	char *page;

	make_window();
	page = window_map(&window, 0, 30);
	arch_irq_disable();
	before = window_open(&window);
	machine_enter_nmi();
	EXPECT(!window_is_open(&window));
	EXPECT(machine_faults(page, false, NULL));
	machine_leave_nmi();
	EXPECT(window_is_open(&window));
	EXPECT(!machine_faults(page, false, NULL));
	window_close(before);
	arch_irq_enable();
	return NULL;
}

static void touch_nothing(void *data)
{
	*(volatile char *)data = 1;
}

CASE(machine, an_undeclared_fault_is_an_outcome)
{
	EXPECT_EQUAL(machine_try(touch_nothing, (void *)8, said, sizeof(said)),
	             MACHINE_FAULTED);
	EXPECT(test_machine_contains(said, "fault at 0x8"));
	machine_start(0);
	return NULL;
}

static void assert_false(void *data)
{
	kassert(data != NULL);
}

CASE(machine, a_failed_assertion_is_an_outcome_with_its_text)
{
	return expect_panic(assert_false, "assertion failed: data != NULL");
}

/* mm/debug/vmstat.h: each CPU adds to its own row, and the sum misses none. */
CASE(machine, counts_of_several_cpus_are_one_sum)
{
	struct node *node;

	machine_start(64);
	node = machine_one_zone(ZONE_NORMAL, 64);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		machine_be_cpu(cpu);
		vmstat_add(&node->stat, VMSTAT_pgfree, cpu + 1);
	}
	machine_be_cpu(0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pgfree),
	             MAX_CPUS * (MAX_CPUS + 1) / 2);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		EXPECT_EQUAL(node->stat.row[cpu].count[VMSTAT_pgfree], cpu + 1);
	return NULL;
}

CASE(machine, finish_finds_a_leaked_page)
{
	struct node *node;
	struct page *page;

	machine_start(64);
	node = machine_one_zone(ZONE_NORMAL, 64);
	page = alloc_pages_node(node, GFP_KERNEL, 2);
	EXPECT(page != NULL);
	EXPECT(machine_finish() != NULL);
	free_pages_node(node, page, 2, RETURN_ADDRESS());
	EXPECT(machine_finish() == NULL);
	return NULL;
}

CASE(machine, finish_finds_a_context_that_was_not_left)
{
	preempt_disable();
	EXPECT(machine_finish() != NULL);
	preempt_enable();
	arch_irq_disable();
	EXPECT(machine_finish() != NULL);
	arch_irq_enable();
	machine_set_memalloc(true);
	EXPECT(machine_finish() != NULL);
	machine_set_memalloc(false);
	return NULL;
}

static void end_soft_work_that_has_not_begun(void *data)
{
	(void)data;
	machine_enter_irq(NULL);
	machine_leave_softirq();
}

static void leave_an_interrupt_in_its_soft_work(void *data)
{
	(void)data;
	machine_enter_irq(NULL);
	machine_enter_softirq();
	machine_leave_irq();
}

CASE(machine, soft_work_is_a_separate_context)
{
	const char *wrong;

	machine_enter_softirq();
	EXPECT(in_interrupt() && !in_hardirq() && !in_nmi());
	EXPECT(!may_sleep_here() && arch_irq_enabled());
	EXPECT(current_owner() == &machine_main()->owner);
	EXPECT(machine_finish() != NULL);
	machine_enter_irq(NULL);
	EXPECT(in_hardirq() && current_owner() == NULL);
	machine_leave_irq();
	machine_leave_softirq();
	EXPECT(may_sleep_here());
	wrong = expect_panic(end_soft_work_that_has_not_begun, "not begun");
	if (wrong == NULL)
		wrong = expect_panic(leave_an_interrupt_in_its_soft_work,
		                     "preempt_count");
	return wrong;
}

CASE(machine, the_first_node_is_the_one_that_is_started)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 64, 0 };
	struct node *first;

	machine_start(128);
	EXPECT(main_node() == NULL);
	first = machine_one_zone(ZONE_NORMAL, 64);
	EXPECT(main_node() == first);
	EXPECT(machine_zones(64, pages) != NULL);
	EXPECT(main_node() == first);
	machine_start(64);
	EXPECT(main_node() == NULL);
	return NULL;
}

static unsigned long kswapd_calls;
static unsigned long refiller_calls;

static void on_kswapd(struct node *node, unsigned int order,
                      enum zone_type highest, bool may_sleep __unused)
{
	kswapd_calls += node != NULL && order == 0 && highest == ZONE_NORMAL;
}

static void on_refiller(void)
{
	refiller_calls++;
}

CASE(machine, hooks_stay_when_exclusive_pages_start)
{
	struct node *node;

	machine_start(1024);
	node = machine_one_zone(ZONE_NORMAL, 1024);
	kswapd_calls = 0;
	refiller_calls = 0;
	machine_set_kswapd_hook(node, on_kswapd);
	machine_set_refiller_hook(node, on_refiller);
	machine_start_exclusive(node, 2);
	EXPECT(labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL);
	EXPECT_EQUAL(refiller_calls, 1);
	machine_set_marks(&node->zone[ZONE_NORMAL], 2000, 2000, 2000);
	EXPECT(alloc_page(GFP_NOWAIT) == NULL);
	EXPECT_EQUAL(kswapd_calls, 2);
	return NULL;
}

CASE(machine, a_lowmem_reserve_is_kept_from_higher_requests)
{
	static const unsigned long pages[ZONE_COUNT] = { 64, 0, 0, 0 };
	struct node *node;
	struct page *page;

	machine_start(64);
	node = machine_zones(0, pages);
	machine_set_lowmem_reserve(&node->zone[ZONE_DMA], ZONE_NORMAL, 64);
	EXPECT(alloc_page(GFP_NOWAIT) == NULL);
	page = alloc_page(GFP_NOWAIT | __GFP_DMA);
	EXPECT(page != NULL);
	__free_page(page);
	return NULL;
}

CASE(machine, log_lines_are_counted_from_a_mark)
{
	uint64_t mark = log_mark();

	pr_info("one\ntwo\n");
	pr_info("three");
	EXPECT_EQUAL(log_mark(), mark + 3);
	EXPECT(log_contains_since(mark, "two"));
	EXPECT(!log_contains_since(mark + 2, "two"));
	EXPECT_EQUAL(log_count_since(mark, "o"), 2);
	return NULL;
}

CASE(machine, a_rate_limit_passes_its_burst_in_each_interval)
{
	struct ratelimit limit = { .interval = 100, .burst = 2 };

	EXPECT(ratelimit_pass(&limit) && ratelimit_pass(&limit));
	EXPECT(!ratelimit_pass(&limit));
	machine_advance(99);
	EXPECT(!ratelimit_pass(&limit));
	machine_advance(1);
	EXPECT(ratelimit_pass(&limit));
	EXPECT(log_contains_since(log_mark() - 1, "2 reports suppressed"));
	return NULL;
}
