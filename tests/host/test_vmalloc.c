/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc.c -- Linux's rules of vmalloc(), one by one: taking, masks,
 * failures.
 *
 * Addresses of vmalloc() are real ones: guard pages fault.  A page that was unmapped
 * and not flushed can still be reached, as by a TLB that forgets nothing.
 */
#include "tests/host/test_vmalloc.h"

#include "kernel/arch/vmap.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/scope.h"
#include "mm/slab/slab.h"
#include "mm/task.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(vmalloc_rules);

/* More requests than any call makes. */
#define MANY 100000U

struct vmalloc_space *space;
unsigned int vmalloc_wakes;
static unsigned long idle_pages; /* of the slab allocator */

static void note_wake(void)
{
	vmalloc_wakes++;
}

unsigned long test_vmalloc_used_pages(void)
{
	slab_shrink_node(node);
	return node->zone[ZONE_NORMAL].used_pages - idle_pages;
}

void test_vmalloc_start(unsigned long frames)
{
	machine_start(frames);
	node = machine_one_zone(ZONE_NORMAL, frames);
	space = machine_start_vmalloc(node);
	space->wake = note_wake;
	vmalloc_wakes = 0;
	idle_pages = 0;
	idle_pages = test_vmalloc_used_pages();
}

void test_vmalloc_begin(void)
{
	test_vmalloc_start(VMALLOC_FRAMES);
}

unsigned long test_vmalloc_data_pages(void)
{
	return test_vmalloc_used_pages() - space->tables;
}

bool test_vmalloc_is_kind(const void *address, const char *kind)
{
	uintptr_t at = (uintptr_t)address;
	struct vmalloc_info info;

	return vmalloc_next(space, &at, &info) &&
	       info.start == (uintptr_t)address && strcmp(info.kind, kind) == 0;
}

struct page *test_vmalloc_a_table(void)
{
	for (unsigned long pfn = 0; pfn < VMALLOC_FRAMES; pfn++) {
		struct page *page = node_page(node, pfn);

		if (page->state == PAGE_USED && (page->flags & PAGE_TABLE))
			return page;
	}
	return NULL;
}

unsigned long test_vmalloc_refusals(void)
{
	return vmstat_read(&node->stat, VMSTAT_free_refused);
}

/* ---- Taking -------------------------------------------------------------- */

CASE(vmalloc_rules, bytes_in_a_row_are_pages_from_anywhere)
{
	struct page *every_second[256];
	char *memory;

	test_vmalloc_begin();
	/* No two neighbouring frames are free. */
	for (unsigned int i = 0; i < 4; i++) {
		void *block = alloc_pages_exact(256 * PAGE_SIZE, GFP_KERNEL);

		EXPECT(block != NULL);
		for (unsigned int at = 0; at < 256; at += 2) {
			every_second[at / 2] =
				virt_to_page((char *)block + at * PAGE_SIZE);
			__free_page(virt_to_page((char *)block +
			                         (at + 1) * PAGE_SIZE));
		}
		for (unsigned int at = 0; at < 128; at++)
			__free_page(every_second[at]);
	}
	memory = vmalloc(64 * PAGE_SIZE);
	EXPECT(memory != NULL);
	for (size_t i = 0; i < 64 * PAGE_SIZE; i++)
		memory[i] = (char)(i * 7);
	for (size_t i = 0; i < 64 * PAGE_SIZE; i += 512) {
		unsigned long pfn = vmalloc_to_pfn(memory + i);
		const char *seen = machine_physical(pfn);

		EXPECT(seen[i % PAGE_SIZE] == (char)(i * 7));
	}
	vfree(memory);
	return NULL;
}

CASE(vmalloc_rules, a_write_beyond_the_end_faults_in_the_guard_page)
{
	char *memory;
	char *second;
	struct fault fault;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	second = vmalloc(2 * PAGE_SIZE);
	EXPECT(memory != NULL && second == memory + 2 * PAGE_SIZE);
	memory[PAGE_SIZE - 1] = 1;
	EXPECT(machine_faults(memory + PAGE_SIZE, true, &fault));
	EXPECT(fault.kind == FAULT_VMALLOC);
	EXPECT(strcmp(fault.area.what, "the guard page behind the") == 0);
	EXPECT_EQUAL(fault.area.start, (uintptr_t)memory);
	EXPECT_EQUAL(fault.area.size, PAGE_SIZE);
	EXPECT(machine_faults(second - 1, true, NULL));
	EXPECT(machine_faults(second + 2 * PAGE_SIZE, false, NULL));
	vfree(memory);
	vfree(second);
	vmalloc_purge(space);
	EXPECT(machine_faults(second, false, &fault));
	EXPECT(fault.kind == FAULT_VMALLOC && fault.area.size == 0);
	return NULL;
}

CASE(vmalloc_rules, zeroes_are_zeroes)
{
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(40 * PAGE_SIZE);
	EXPECT(memory != NULL);
	memset(memory, 0x5a, 40 * PAGE_SIZE);
	vfree(memory);
	memory = vzalloc(40 * PAGE_SIZE - 100);
	EXPECT(memory != NULL);
	for (size_t i = 0; i < 40 * PAGE_SIZE; i++)
		EXPECT(memory[i] == 0);
	vfree(memory);
	return NULL;
}

CASE(vmalloc_rules, size_0_is_reported_and_gets_null)
{
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	EXPECT(vmalloc(0) == NULL);
	EXPECT(log_contains_since(mark, "refused: size 0"));
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(vmalloc_rules, more_than_all_memory_gets_null)
{
	static const size_t sizes[] = { VMALLOC_FRAMES * PAGE_SIZE + 1,
		                        SIZE_MAX, SIZE_MAX - PAGE_SIZE,
		                        1UL << 40 };
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT(__vmalloc(sizes[i], GFP_KERNEL | __GFP_NOFAIL) == NULL);
	EXPECT(log_contains_since(mark, "exceeds total pages"));
	EXPECT_EQUAL(test_vmalloc_used_pages(), 0);
	return NULL;
}

CASE(vmalloc_rules, the_array_of_512_pages_is_a_page_and_of_513_an_area)
{
	void *memory;

	test_vmalloc_begin();
	memory = vmalloc(512 * PAGE_SIZE);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(space->areas, 1);
	vfree(memory);
	vmalloc_purge(space);
	memory = vmalloc(513 * PAGE_SIZE);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(space->areas, 2);
	EXPECT_EQUAL(space->pages, 515);
	vfree(memory);
	vmalloc_purge(space);
	EXPECT_EQUAL(space->areas, 0);
	EXPECT_EQUAL(test_vmalloc_data_pages(), 0);
	return NULL;
}

/* How many requests for pages FUNCTION makes. */
static unsigned int requests_of(void (*function)(void *), void *data)
{
	unsigned int left;

	fail_nth_set(machine_main(), MANY, false);
	function(data);
	left = machine_main()->mm->fail_nth;
	fail_nth_set(machine_main(), 0, false);
	return MANY - left;
}

static void take_area(void *data)
{
	*(void **)data = vmalloc(250 * PAGE_SIZE);
}

CASE(vmalloc_rules, pages_are_asked_for_a_hundred_at_a_time)
{
	void *memory;

	test_vmalloc_begin();
	/* Tables and slabs are there afterwards. */
	take_area(&memory);
	EXPECT(memory != NULL);
	vfree(memory);
	vmalloc_purge(space);
	EXPECT_EQUAL(space->tables, 2);
	/* The area's object and its array; 100, 100 and 50 pages. */
	EXPECT_EQUAL(requests_of(take_area, &memory), 5);
	vfree(memory);
	EXPECT_EQUAL(space->tables, 2);
	return NULL;
}

CASE(vmalloc_rules, bulk_gives_up_and_single_pages_follow)
{
	void *memory;

	test_vmalloc_begin();
	/* Bulk goes no deeper than the LOW mark. */
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, VMALLOC_FRAMES - 50,
	                  VMALLOC_FRAMES - 40);
	memory = vmalloc(600 * PAGE_SIZE);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(vmalloc_to_pfn((char *)memory + 599 * PAGE_SIZE) != -1UL,
	             true);
	vfree(memory);
	return NULL;
}

/* ---- Masks --------------------------------------------------------------- */

CASE(vmalloc_rules, pages_may_be_high_unless_the_mask_names_a_zone)
{
	static const unsigned long each[ZONE_COUNT] = { 64, 64, 512, 0 };
	static const struct {
		gfp_t gfp;
		gfp_t pages;
		enum zone_type zone;
	} rows[] = {
		{ GFP_KERNEL, GFP_KERNEL | __GFP_HIGHMEM, ZONE_NORMAL },
		{ GFP_KERNEL | __GFP_ZERO,
		  GFP_KERNEL | __GFP_ZERO | __GFP_HIGHMEM, ZONE_NORMAL },
		{ GFP_KERNEL | __GFP_DMA, GFP_KERNEL | __GFP_DMA, ZONE_DMA },
		{ GFP_KERNEL | __GFP_DMA32, GFP_KERNEL | __GFP_DMA32,
		  ZONE_DMA32 },
		{ GFP_ATOMIC, GFP_ATOMIC | __GFP_HIGHMEM, ZONE_NORMAL },
	};

	machine_start(VMALLOC_FRAMES);
	node = machine_zones(0, each);
	space = machine_start_vmalloc(node);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *memory = __vmalloc(3 * PAGE_SIZE, rows[i].gfp);
		const struct page *page;

		EXPECT(memory != NULL);
		page = vmalloc_to_page(memory);
		EXPECT_EQUAL(page->gfp, rows[i].pages | __GFP_NOWARN);
		EXPECT_EQUAL(page->zone, rows[i].zone);
		vfree(memory);
	}
	return NULL;
}

CASE(vmalloc_rules, tables_are_asked_for_as_gfp_kernel_in_the_scope_of_the_mask)
{
	static const struct {
		gfp_t gfp;
		gfp_t table;
	} rows[] = {
		{ GFP_KERNEL, GFP_KERNEL },
		{ GFP_NOFS, GFP_NOFS },
		{ GFP_NOIO, GFP_NOIO },
		{ GFP_ATOMIC, GFP_NOIO },
		{ GFP_NOWAIT, GFP_NOIO },
		{ GFP_USER | __GFP_NORETRY, GFP_KERNEL },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL,
		  GFP_KERNEL | __GFP_RETRY_MAYFAIL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *memory;

		test_vmalloc_begin();
		memory = __vmalloc(PAGE_SIZE, rows[i].gfp);
		EXPECT(memory != NULL && test_vmalloc_a_table() != NULL);
		EXPECT_EQUAL(test_vmalloc_a_table()->gfp,
		             rows[i].table | __GFP_ZERO);
		EXPECT_EQUAL(machine_main()->flags, 0);
		vfree(memory);
	}
	return NULL;
}

CASE(vmalloc_rules, compound_and_exclusive_pages_are_refused_by_name)
{
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	EXPECT(__vmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_COMP) == NULL);
	EXPECT(__vmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_EXCLUSIVE) == NULL);
	EXPECT(__vmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_ACCOUNT) == NULL);
	EXPECT(log_contains_since(mark, "no __GFP_COMP or __GFP_EXCLUSIVE"));
	EXPECT(log_contains_since(mark, "__GFP_ACCOUNT: "));
	EXPECT_EQUAL(test_vmalloc_used_pages(), 0);
	return NULL;
}

/* ---- Where it may be called ---------------------------------------------- */

CASE(vmalloc_rules, where_the_caller_cannot_sleep_a_request_is_refused)
{
	uint64_t mark = log_mark();
	struct page *page;

	test_vmalloc_begin();
	page = alloc_page(GFP_KERNEL);
	machine_enter_irq(NULL);
	EXPECT(__vmalloc(PAGE_SIZE, GFP_ATOMIC) == NULL);
	EXPECT(vmap(&page, 1, VM_MAP, PAGE_KERNEL) == NULL);
	machine_leave_irq();
	EXPECT(log_contains_since(mark, "by irq of nobody"));
	arch_irq_disable();
	EXPECT(vmalloc(PAGE_SIZE) == NULL);
	arch_irq_enable();
	preempt_disable();
	EXPECT(vmalloc(PAGE_SIZE) == NULL);
	preempt_enable();
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_must_not_sleep), 4);
	EXPECT_EQUAL(space->areas, 0);
	__free_page(page);
	return NULL;
}

static void vfree_in_nmi(void *memory)
{
	machine_enter_nmi();
	vfree(memory);
}

CASE(vmalloc_rules, in_an_nmi_there_is_null_and_a_vfree_is_a_panic)
{
	char text[120];
	void *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	machine_enter_nmi();
	EXPECT(vmalloc(PAGE_SIZE) == NULL);
	machine_leave_nmi();
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_in_nmi), 1);
	EXPECT(machine_try(vfree_in_nmi, memory, text, sizeof(text)) ==
	       MACHINE_PANICKED);
	machine_start(0);
	return NULL;
}

/* ---- Failures ------------------------------------------------------------ */

CASE(vmalloc_rules, a_shortage_frees_all_that_was_taken_and_is_reported)
{
	uint64_t mark;
	void *most;

	test_vmalloc_begin();
	most = vmalloc(1500 * PAGE_SIZE);
	EXPECT(most != NULL);
	mark = log_mark();
	EXPECT(__vmalloc(1000 * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN) == NULL);
	EXPECT(!log_contains_since(mark, "vmalloc error"));
	EXPECT_EQUAL(space->pages, 1500 + 3);
	EXPECT(vmalloc(1000 * PAGE_SIZE) == NULL);
	EXPECT(log_contains_since(mark, "vmalloc error: size 4096000, failed "
	                                "to allocate pages"));
	EXPECT_EQUAL(space->pages, 1500 + 3);
	vfree(most);
	vmalloc_purge(space);
	EXPECT_EQUAL(test_vmalloc_data_pages(), 0);
	return NULL;
}

/* Reclaim that frees nothing, and during which the thread is killed. */
static unsigned long killing_reclaim(struct node *of __unused,
                                     const struct alloc_request *r __unused)
{
	thread_kill(machine_main());
	return 0;
}

static unsigned long nothing_reclaimable(struct node *of __unused,
                                         struct zone *of_it)
{
	return of_it->free_pages;
}

CASE(vmalloc_rules, a_killed_thread_gets_no_more_single_pages)
{
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	/* Bulk gives one page at a time, so the rest is taken singly. */
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, VMALLOC_FRAMES - 20,
	                  VMALLOC_FRAMES - 10);
	machine_set_reclaim_hook(node, killing_reclaim, nothing_reclaimable);
	thread_kill(machine_main());
	EXPECT(vmalloc(300 * PAGE_SIZE) == NULL);
	EXPECT(!log_contains_since(mark, "vmalloc error"));
	EXPECT_EQUAL(space->pages, 0);
	thread_clear_flags(machine_main(), THREAD_KILLED);
	return NULL;
}

CASE(vmalloc_rules, a_killed_thread_gets_all_of_a_nofail_request)
{
	void *memory;

	test_vmalloc_begin();
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, VMALLOC_FRAMES - 20,
	                  VMALLOC_FRAMES - 10);
	thread_kill(machine_main());
	memory = __vmalloc(300 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(space->pages, 300);
	thread_clear_flags(machine_main(), THREAD_KILLED);
	vfree(memory);
	return NULL;
}

/* A thread that sleeps finds FREED_MEANWHILE freed. */
static void *freed_meanwhile;
static unsigned int slept;

static bool free_meanwhile(struct wait_queue *queue __unused)
{
	if (++slept < 3 || freed_meanwhile == NULL)
		return false;
	vfree_in(main_vmalloc(), freed_meanwhile, 0);
	freed_meanwhile = NULL;
	return true;
}

CASE(vmalloc_rules, nofail_asks_for_addresses_again_each_tick)
{
	static struct vmalloc_space small;
	void *memory;

	test_vmalloc_begin();
	vmalloc_space_init(&small, node, vmap_base, vmap_base + 6 * PAGE_SIZE,
	                   1);
	set_main_vmalloc(&small);
	freed_meanwhile = vmalloc(3 * PAGE_SIZE);
	slept = 0;
	EXPECT(freed_meanwhile != NULL);
	EXPECT(vmalloc(3 * PAGE_SIZE) == NULL);
	machine_set_wait_hook(free_meanwhile);
	memory = __vmalloc(3 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	machine_set_wait_hook(NULL);
	EXPECT(memory != NULL);
	EXPECT(freed_meanwhile == NULL);
	vfree(memory);
	return NULL;
}

static unsigned int sleeps_left;

static bool stop_failing(struct wait_queue *queue __unused)
{
	if (--sleeps_left == 0)
		fail_nth_set(machine_main(), 0, false);
	return false;
}

CASE(vmalloc_rules, nofail_asks_for_page_tables_again_each_tick)
{
	void *memory;

	test_vmalloc_begin();
	/* Injected failures spare a NOFAIL mask, so they hit the tables alone. */
	fail_nth_set(machine_main(), 1, true);
	sleeps_left = 4;
	machine_set_wait_hook(stop_failing);
	memory = __vmalloc(5 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	machine_set_wait_hook(NULL);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(sleeps_left, 0);
	vfree(memory);
	return NULL;
}

CASE(vmalloc_rules, each_allocation_fails_in_turn_and_nothing_is_lost)
{
	unsigned int failed = 0;

	for (unsigned int nth = 1;; nth++) {
		void *memory;

		test_vmalloc_begin();
		fail_nth_set(machine_main(), nth, false);
		memory = __vmalloc(600 * PAGE_SIZE, GFP_KERNEL | __GFP_NOWARN);
		failed = fail_nth_failed(machine_main());
		fail_nth_set(machine_main(), 0, false);
		if (memory == NULL)
			EXPECT_EQUAL(failed, 1);
		vfree(memory);
		vmalloc_purge(space);
		EXPECT_EQUAL(space->areas, 0);
		EXPECT_EQUAL(space->pages, 0);
		EXPECT_EQUAL(test_vmalloc_data_pages(), 0);
		if (failed == 0)
			return NULL;
		EXPECT(machine_finish() == NULL);
	}
}
