/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc.c -- Linux's rules of vmalloc(), one by one.
 *
 * A machine of 2048 frames, with all marks at 0.  Addresses of vmalloc() are real
 * ones: guard pages fault.  A page that was unmapped and not flushed can still be
 * reached, as by a TLB that forgets nothing.
 */
#include "kernel/arch/vmap.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/exclusive/exclusive.h"
#include "mm/scope.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc_internal.h"
#include "mm/task.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(vmalloc_rules);

#define FRAMES   2048UL
/* More requests than any call makes. */
#define MANY     100000U
/* Case 58: 32 MiB of addresses for one CPU. */
#define LAZY_ONE 8192UL

static struct node *node;
static struct vmalloc_space *space;
static unsigned int wakes;
static unsigned long idle_pages; /* of the slab allocator */

static void note_wake(void)
{
	wakes++;
}

static unsigned long used_pages(void)
{
	slab_shrink_node(node);
	return node->zone[ZONE_NORMAL].used_pages - idle_pages;
}

static void test_vmalloc_begin(void)
{
	machine_start(FRAMES);
	node = machine_one_zone(ZONE_NORMAL, FRAMES);
	space = machine_start_vmalloc(node);
	space->wake = note_wake;
	wakes = 0;
	idle_pages = 0;
	idle_pages = used_pages();
}

/* Pages that are in use and are no page tables. */
static unsigned long data_pages(void)
{
	return used_pages() - space->tables;
}

/* An area in kind is at ADDRESS. */
static bool is_kind(const void *address, const char *kind)
{
	uintptr_t at = (uintptr_t)address;
	struct vmalloc_info info;

	return vmalloc_next(space, &at, &info) &&
	       info.start == (uintptr_t)address && strcmp(info.kind, kind) == 0;
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
	static const size_t sizes[] = { FRAMES * PAGE_SIZE + 1, SIZE_MAX,
		                        SIZE_MAX - PAGE_SIZE, 1UL << 40 };
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT(__vmalloc(sizes[i], GFP_KERNEL | __GFP_NOFAIL) == NULL);
	EXPECT(log_contains_since(mark, "exceeds total pages"));
	EXPECT_EQUAL(used_pages(), 0);
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
	EXPECT_EQUAL(data_pages(), 0);
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
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, FRAMES - 50,
	                  FRAMES - 40);
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

	machine_start(FRAMES);
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

/* The first page table, or NULL. */
static struct page *a_table(void)
{
	for (unsigned long pfn = 0; pfn < FRAMES; pfn++) {
		struct page *page = node_page(node, pfn);

		if (page->state == PAGE_USED && (page->flags & PAGE_TABLE))
			return page;
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
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *memory;

		test_vmalloc_begin();
		memory = __vmalloc(PAGE_SIZE, rows[i].gfp);
		EXPECT(memory != NULL && a_table() != NULL);
		EXPECT_EQUAL(a_table()->gfp, rows[i].table | __GFP_ZERO);
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
	EXPECT_EQUAL(used_pages(), 0);
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
	EXPECT_EQUAL(data_pages(), 0);
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
                                         struct zone *zone)
{
	return zone->free_pages;
}

CASE(vmalloc_rules, a_killed_thread_gets_no_more_single_pages)
{
	uint64_t mark = log_mark();

	test_vmalloc_begin();
	/* Bulk gives one page at a time, so the rest is taken singly. */
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, FRAMES - 20,
	                  FRAMES - 10);
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
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, FRAMES - 20,
	                  FRAMES - 10);
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
		EXPECT_EQUAL(data_pages(), 0);
		if (failed == 0)
			return NULL;
		EXPECT(machine_finish() == NULL);
	}
}

/* ---- Freeing ------------------------------------------------------------- */

CASE(vmalloc_rules, pages_are_free_immediately_and_addresses_after_a_purge)
{
	unsigned long flushes;
	char *first;
	char *second;

	test_vmalloc_begin();
	first = vmalloc(3 * PAGE_SIZE);
	EXPECT(first != NULL);
	flushes = vmap_flushes();
	vfree(first);
	EXPECT_EQUAL(space->pages, 0);
	EXPECT_EQUAL(space->lazy_pages, 4);
	EXPECT(vmalloc_to_page(first) == NULL);
	EXPECT(is_kind(first, "lazy"));
	second = vmalloc(3 * PAGE_SIZE);
	EXPECT(second == first + 4 * PAGE_SIZE);
	EXPECT_EQUAL(vmap_flushes(), flushes);
	EXPECT_EQUAL(vmalloc_purge(space), 1);
	EXPECT_EQUAL(vmap_flushes(), flushes + 1);
	EXPECT_EQUAL(space->lazy_pages, 0);
	EXPECT(machine_faults(first, false, NULL));
	vfree(second);
	second = vmalloc(3 * PAGE_SIZE);
	EXPECT(second == first);
	vfree(second);
	return NULL;
}

/* Free areas of one page until the worker is called; how many. */
static unsigned long areas_until_wake(void)
{
	unsigned long areas = 0;

	while (wakes == 0 && areas < 20000) {
		void *memory = vmalloc(100);

		if (memory == NULL)
			break;
		vfree(memory);
		areas++;
	}
	return areas;
}

/* The frames of the areas' objects are the limit here. */
CASE(vmalloc_rules, more_than_32_mib_of_lazy_addresses_are_purged)
{
	machine_start(3 * LAZY_ONE);
	node = machine_one_zone(ZONE_NORMAL, 3 * LAZY_ONE);
	space = machine_start_vmalloc(node);
	space->wake = note_wake;
	wakes = 0;
	EXPECT_EQUAL(space->lazy_max, LAZY_ONE);
	EXPECT_EQUAL(areas_until_wake(), LAZY_ONE / 2 + 1);
	EXPECT_EQUAL(wakes, 1);
	EXPECT(vmalloc_has_work(space));
	vmalloc_work(space);
	EXPECT(!vmalloc_has_work(space));
	EXPECT_EQUAL(space->purges, 1);
	EXPECT_EQUAL(space->areas, 0);
	EXPECT_EQUAL(vmap_flushes(), 1);
	return NULL;
}

CASE(vmalloc_rules, lazy_addresses_grow_with_the_doublings_of_cpus)
{
	static struct vmalloc_space four;

	test_vmalloc_begin();
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 4);
	EXPECT_EQUAL(four.lazy_max, 24576);
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 2);
	EXPECT_EQUAL(four.lazy_max, 16384);
	vmalloc_space_init(&four, node, vmap_base, vmap_base + vmap_size, 8);
	EXPECT_EQUAL(four.lazy_max, 32768);
	return NULL;
}

CASE(vmalloc_rules, without_addresses_the_lazy_ones_are_purged)
{
	static struct vmalloc_space small;
	void *memory[4];

	test_vmalloc_begin();
	vmalloc_space_init(&small, node, vmap_base, vmap_base + 8 * PAGE_SIZE,
	                   1);
	for (unsigned int i = 0; i < 4; i++) {
		memory[i] = vmalloc_in(&small, PAGE_SIZE, GFP_KERNEL, 0);
		EXPECT(memory[i] != NULL);
	}
	EXPECT(vmalloc_in(&small, PAGE_SIZE, GFP_KERNEL, 0) == NULL);
	vfree_in(&small, memory[1], 0);
	machine_enter_irq(NULL);
	vfree_in(&small, memory[2], 0);
	machine_leave_irq();
	/* The area that an interrupt has freed counts, too. */
	memory[1] = vmalloc_in(&small, 3 * PAGE_SIZE, GFP_KERNEL, 0);
	EXPECT(memory[1] == (char *)memory[0] + 2 * PAGE_SIZE);
	vfree_in(&small, memory[0], 0);
	vfree_in(&small, memory[1], 0);
	vfree_in(&small, memory[3], 0);
	vmalloc_purge(&small);
	EXPECT_EQUAL(small.areas, 0);
	return NULL;
}

CASE(vmalloc_rules, in_an_interrupt_vfree_leaves_the_area_until_the_worker_runs)
{
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(2 * PAGE_SIZE);
	EXPECT(memory != NULL);
	machine_enter_irq(NULL);
	vfree(memory);
	EXPECT_EQUAL(wakes, 1);
	machine_leave_irq();
	EXPECT_EQUAL(space->pages, 2);
	EXPECT(vmalloc_to_page(memory) != NULL);
	EXPECT(!machine_faults(memory, true, NULL));
	EXPECT(is_kind(memory, "deferred"));
	EXPECT(vmalloc_has_work(space));
	vmalloc_work(space);
	EXPECT(!vmalloc_has_work(space));
	EXPECT_EQUAL(space->pages, 0);
	EXPECT(vmalloc_to_page(memory) == NULL);
	EXPECT_EQUAL(space->purges, 0);
	return NULL;
}

CASE(vmalloc_rules, vfree_atomic_is_for_threads_that_cannot_sleep)
{
	uint64_t mark = log_mark();
	char *memory;
	char *wrong;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	wrong = vmalloc(PAGE_SIZE);
	preempt_disable();
	vfree_atomic(memory);
	EXPECT(!log_contains_since(mark, "BUG"));
	vfree(wrong);
	EXPECT(log_contains_since(mark, "vfree_atomic() is for it"));
	preempt_enable();
	EXPECT_EQUAL(space->pages, 2);
	vmalloc_work(space);
	EXPECT_EQUAL(space->pages, 0);
	return NULL;
}

/* ---- Wrong frees --------------------------------------------------------- */

static unsigned long refusals(void)
{
	return vmstat_read(&node->stat, VMSTAT_free_refused);
}

CASE(vmalloc_rules, wrong_frees_are_refused_with_the_reason_and_change_nothing)
{
	uint64_t mark;
	unsigned long free;
	struct page *page;
	char *memory;
	char *mapped;

	test_vmalloc_begin();
	memory = vmalloc(2 * PAGE_SIZE);
	page = alloc_page(GFP_KERNEL);
	mapped = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL && mapped != NULL);
	free = node_free(node);
	mark = log_mark();
	vfree(NULL);
	vunmap(NULL);
	EXPECT_EQUAL(refusals(), 0);
	vfree(memory + 1);
	vfree(memory + PAGE_SIZE);
	EXPECT(log_contains_since(mark, "it is in the middle of an area"));
	EXPECT(log_contains_since(mark, "is vmalloc, made by"));
	vfree(page_address(page));
	vfree((void *)vmap_base + vmap_size);
	EXPECT(log_contains_since(mark, "nothing is allocated there"));
	vfree(mapped);
	EXPECT(log_contains_since(mark, "vunmap() is for it"));
	vunmap(memory);
	EXPECT(log_contains_since(mark, "vfree() is for it"));
	EXPECT_EQUAL(refusals(), 6);
	EXPECT_EQUAL(node_free(node), free);
	memory[0] = 1;
	mapped[0] = 1;
	vfree(memory);
	vunmap(mapped);
	__free_page(page);
	EXPECT_EQUAL(refusals(), 6);
	return NULL;
}

CASE(vmalloc_rules,
     the_second_vfree_is_refused_as_long_as_the_address_is_not_reused)
{
	uint64_t mark = log_mark();
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	machine_enter_irq(NULL);
	vfree(memory);
	vfree(memory);
	machine_leave_irq();
	EXPECT(log_contains_since(mark, "it is free already"));
	vfree_atomic(memory);
	EXPECT_EQUAL(refusals(), 2);
	vmalloc_work(space);
	vfree(memory);
	EXPECT_EQUAL(refusals(), 3);
	vmalloc_purge(space);
	vfree(memory);
	EXPECT_EQUAL(refusals(), 4);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(vmalloc_rules, a_page_of_an_area_cannot_be_freed_behind_its_back)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	page = vmalloc_to_page(memory);
	EXPECT_EQUAL(page_mapcount(page), 1);
	__free_page(page);
	EXPECT(page->state == PAGE_USED);
	memory[0] = 1;
	/* The area's own reference is missing now, and that is reported. */
	vfree(memory);
	EXPECT_EQUAL(refusals(), 1);
	return NULL;
}

CASE(vmalloc_rules, a_page_table_cannot_be_freed)
{
	struct page *table;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(PAGE_SIZE);
	table = a_table();
	EXPECT(table != NULL);
	__free_page(table);
	EXPECT_EQUAL(refusals(), 1);
	memory[0] = 1;
	vfree(memory);
	return NULL;
}

/* ---- Mapping pages of others --------------------------------------------- */

CASE(vmalloc_rules, vmap_shows_the_same_pages_in_the_order_asked_for)
{
	struct page *page[3];
	char *memory;

	test_vmalloc_begin();
	for (unsigned int i = 0; i < 3; i++) {
		page[i] = alloc_page(GFP_KERNEL);
		memset(page_address(page[i]), 'a' + (int)i, PAGE_SIZE);
	}
	page[1] = page[2];
	memory = vmap(page, 3, VM_MAP, PAGE_KERNEL);
	EXPECT(memory != NULL);
	EXPECT(memory[0] == 'a' && memory[PAGE_SIZE] == 'c' &&
	       memory[2 * PAGE_SIZE] == 'c');
	memory[PAGE_SIZE + 5] = 'x';
	EXPECT(((char *)page_address(page[2]))[5] == 'x');
	EXPECT(memory[2 * PAGE_SIZE + 5] == 'x');
	EXPECT_EQUAL(page_mapcount(page[2]), 2);
	EXPECT_EQUAL(page_ref_count(page[2]), 3);
	EXPECT(machine_faults(memory + 3 * PAGE_SIZE, false, NULL));
	EXPECT_EQUAL(space->pages, 0);
	vunmap(memory);
	EXPECT_EQUAL(page_mapcount(page[2]), 0);
	EXPECT_EQUAL(page_ref_count(page[2]), 1);
	__free_page(page[0]);
	__free_page(page[2]);
	/* The page that was overwritten in the array. */
	for (unsigned long pfn = 0; pfn < FRAMES; pfn++) {
		struct page *at = node_page(node, pfn);

		if (at->state == PAGE_USED && !(at->flags & PAGE_TABLE) &&
		    *(char *)page_address(at) == 'b')
			__free_page(at);
	}
	return NULL;
}

CASE(vmalloc_rules, a_read_only_mapping_cannot_be_written)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	memory = vmap(&page, 1, VM_MAP, PAGE_KERNEL_RO);
	EXPECT(memory != NULL);
	EXPECT(!machine_faults(memory, false, NULL));
	EXPECT(machine_faults(memory, true, NULL));
	vunmap(memory);
	__free_page(page);
	return NULL;
}

CASE(vmalloc_rules, vfree_of_pages_that_were_put_into_an_area_frees_them)
{
	struct page **pages;
	char *memory;

	test_vmalloc_begin();
	for (unsigned int round = 0; round < 2; round++) {
		pages = kmalloc(2 * sizeof(*pages), GFP_KERNEL);
		pages[0] = alloc_page(GFP_KERNEL);
		pages[1] = alloc_page(GFP_KERNEL);
		memory = vmap(pages, 2, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
		EXPECT(memory != NULL);
		if (round == 0) {
			vfree(memory);
			continue;
		}
		/* As in Linux, vunmap() leaves them to the caller. */
		vunmap(memory);
		__free_page(pages[0]);
		__free_page(pages[1]);
		kfree(pages);
	}
	vmalloc_purge(space);
	EXPECT_EQUAL(data_pages(), 0);
	return NULL;
}

CASE(vmalloc_rules, vmap_of_a_page_that_may_not_be_mapped_changes_nothing)
{
	uint64_t mark = log_mark();
	struct page *page[3];
	void *address = NULL;

	test_vmalloc_begin();
	machine_start_exclusive(node, 4);
	exclusive_balance(node);
	page[0] = alloc_page(GFP_KERNEL);
	page[1] = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	page[2] = alloc_page(GFP_KERNEL);
	EXPECT(page[0] != NULL && page[1] != NULL && page[2] != NULL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 3 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EBUSY);
	EXPECT(vmap(page, 3, VM_MAP, PAGE_KERNEL) == NULL);
	EXPECT(log_contains_since(mark, "an exclusive page has one mapping"));
	EXPECT_EQUAL(page_mapcount(page[0]), 0);
	EXPECT_EQUAL(page_ref_count(page[0]), 1);
	EXPECT(exclusive_release(exclusive_address(page[1])) == 0);
	__free_page(page[2]);
	page[1] = node_page(node, FRAMES - 1);
	EXPECT(page_head(main_node(), page[1])->state == PAGE_FREE);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 2 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 1 }, 4, PAGE_KERNEL, 0,
	               &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, 0 }, VM_MAP, PAGE_KERNEL,
	               0, &address) == -EINVAL);
	EXPECT(vmap_in(space, &(struct vm_row){ page, FRAMES + 1 }, VM_MAP,
	               PAGE_KERNEL, 0, &address) == -EINVAL);
	EXPECT(address == NULL);
	__free_page(page[0]);
	vmalloc_purge(space);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(vmalloc_rules, each_allocation_of_vmap_fails_in_turn_and_nothing_is_lost)
{
	struct page *page[2];
	unsigned int failed = 1;

	for (unsigned int nth = 1; failed > 0; nth++) {
		void *memory;

		test_vmalloc_begin();
		page[0] = alloc_page(GFP_KERNEL);
		page[1] = page[0];
		fail_nth_set(machine_main(), nth, false);
		memory = vmap(page, 2, VM_MAP, PAGE_KERNEL);
		failed = fail_nth_failed(machine_main());
		fail_nth_set(machine_main(), 0, false);
		/* A slab may be made of fewer pages than were asked for first. */
		EXPECT(memory != NULL || failed > 0);
		vunmap(memory);
		EXPECT_EQUAL(page_ref_count(page[0]), 1);
		__free_page(page[0]);
		vmalloc_purge(space);
		EXPECT_EQUAL(data_pages(), 0);
		EXPECT(nth < 10);
		EXPECT(machine_finish() == NULL);
	}
	test_vmalloc_begin();
	return NULL;
}

CASE(vmalloc_rules,
     a_frame_that_becomes_exclusive_is_not_reached_by_its_old_address)
{
	struct page *page;
	char *memory;
	unsigned long pfn;

	test_vmalloc_begin();
	machine_start_exclusive(node, 4);
	memory = vmalloc(PAGE_SIZE);
	pfn = vmalloc_to_pfn(memory);
	vfree(memory);
	/* The TLB still knows it. */
	EXPECT(!machine_faults(memory, true, NULL));
	while ((page = alloc_page(GFP_KERNEL | __GFP_NORETRY |
	                          __GFP_EXCLUSIVE)) != NULL &&
	       page_to_pfn(page) != pfn)
		;
	EXPECT(page != NULL);
	EXPECT(machine_faults(memory, true, NULL));
	return NULL;
}

/* ---- By address ---------------------------------------------------------- */

CASE(vmalloc_rules, addresses_lead_to_pages_and_only_those_of_the_region)
{
	struct page *page;
	char *memory;

	test_vmalloc_begin();
	memory = vmalloc(3 * PAGE_SIZE);
	page = alloc_page(GFP_KERNEL);
	for (size_t at = 0; at < 3 * PAGE_SIZE; at += 1000) {
		memory[at] = (char)at;
		EXPECT(is_vmalloc_addr(memory + at));
		EXPECT(*(char *)(page_address(vmalloc_to_page(memory + at)) +
		                 at % PAGE_SIZE) == (char)at);
	}
	EXPECT(vmalloc_to_page(memory + 3 * PAGE_SIZE) == NULL);
	EXPECT(is_vmalloc_addr(memory + 3 * PAGE_SIZE));
	EXPECT(!is_vmalloc_addr(page_address(page)));
	EXPECT(!is_vmalloc_addr(NULL));
	EXPECT(!is_vmalloc_addr((void *)(vmap_base - 1)));
	EXPECT(!is_vmalloc_addr((void *)(vmap_base + vmap_size)));
	EXPECT(vmalloc_to_page(page_address(page)) == NULL);
	EXPECT_EQUAL(vmalloc_to_pfn(NULL), -1UL);
	vfree(memory);
	__free_page(page);
	return NULL;
}

CASE(vmalloc_rules, an_area_may_lie_across_two_tables_of_each_level)
{
	static struct vmalloc_space at_border;
	char *memory;

	test_vmalloc_begin();
	vmalloc_space_init(&at_border, node, vmap_base + GIB - 2 * PAGE_SIZE,
	                   vmap_base + GIB + 4 * PAGE_SIZE, 1);
	memory = vmalloc_in(&at_border, 5 * PAGE_SIZE, GFP_KERNEL, 0);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(at_border.tables, 4);
	memset(memory, 0x77, 5 * PAGE_SIZE);
	vfree_in(&at_border, memory, 0);
	vmalloc_purge(&at_border);
	EXPECT_EQUAL(at_border.areas, 0);
	return NULL;
}

/* ---- vrealloc() ---------------------------------------------------------- */

CASE(vmalloc_rules,
     vrealloc_keeps_the_address_within_the_area_and_copies_beyond)
{
	char *memory;
	char *same;
	char *larger;

	test_vmalloc_begin();
	memory = vrealloc(NULL, 5000, GFP_KERNEL);
	EXPECT(memory != NULL);
	memset(memory, 0x33, 2 * PAGE_SIZE);
	same = vrealloc(memory, 2 * PAGE_SIZE, GFP_KERNEL);
	EXPECT(same == memory);
	same = vrealloc(memory, 100, GFP_KERNEL | __GFP_ZERO);
	EXPECT(same == memory);
	EXPECT(memory[99] == 0x33 && memory[100] == 0 &&
	       memory[2 * PAGE_SIZE - 1] == 0);
	larger = vrealloc(memory, 2 * PAGE_SIZE + 1, GFP_KERNEL | __GFP_ZERO);
	EXPECT(larger != NULL && larger != memory);
	EXPECT(larger[99] == 0x33 && larger[100] == 0);
	EXPECT(larger[3 * PAGE_SIZE - 1] == 0);
	EXPECT(is_kind(memory, "lazy"));
	EXPECT(vrealloc(larger, FRAMES * PAGE_SIZE,
	                GFP_KERNEL | __GFP_NOWARN) == NULL);
	EXPECT(larger[99] == 0x33);
	EXPECT(vrealloc(larger + PAGE_SIZE, 10, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(refusals(), 1);
	EXPECT(vrealloc(larger, 0, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(space->pages, 0);
	return NULL;
}

/* ---- The check ----------------------------------------------------------- */

static bool check_says(const char *invariant)
{
	char buffer[100];
	const char *broken = vmalloc_check(space, buffer, sizeof(buffer));

	if (invariant == NULL)
		return broken == NULL;
	return broken != NULL &&
	       strncmp(broken, "vmalloc: invariant ", 19) == 0 &&
	       strncmp(broken + 19, invariant, 2) == 0;
}

CASE(vmalloc_rules, the_check_sees_each_invariant_that_is_broken)
{
	struct vm_struct *area;
	struct page *page;
	char *memory;
	char *lazy;

	test_vmalloc_begin();
	memory = vmalloc(40 * PAGE_SIZE);
	lazy = vmalloc(2 * PAGE_SIZE);
	vfree(lazy);
	EXPECT(check_says(NULL));
	area = vm_of(range_find(&space->ranges, (uintptr_t)memory));
	area->range.widest++;
	EXPECT(check_says("A1"));
	area->range.widest--;
	page = area->pages[39];
	area->pages[39] = area->pages[0];
	EXPECT(check_says("A2"));
	area->pages[39] = page;
	space->lazy_pages++;
	EXPECT(check_says("A4"));
	space->lazy_pages--;
	space->areas--;
	EXPECT(check_says("A4"));
	space->areas++;
	vmap_flush();
	vmap_set((uintptr_t)memory + 40 * PAGE_SIZE, page_to_pfn(page), true);
	EXPECT(check_says("A2"));
	vmap_clear((uintptr_t)memory + 40 * PAGE_SIZE);
	vmap_set((uintptr_t)lazy, page_to_pfn(page), true);
	EXPECT(check_says("A3"));
	vmap_clear((uintptr_t)lazy);
	EXPECT(check_says(NULL));
	vfree(memory);
	return NULL;
}
