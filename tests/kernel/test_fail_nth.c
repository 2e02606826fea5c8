/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the kernel that allocates, with its first, second, ...
 * allocation failing, once and forever, until none fails any more.
 *
 * An operation does something and undoes it.  It may fail, if it says so, and
 * must leave nothing behind: after each attempt as many pages are free as
 * before; after each case every page is counted, as after every other.  To have
 * another one tried, add a function and a CASE.
 */
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/demo/recorder.h"
#include "kernel/refiller.h"
#include "kernel/shell/shell.h"
#include "kernel/swap_device.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/contig/cma.h"
#include "mm/contig/contig.h"
#include "mm/contig/page_isolation.h"
#include "mm/debug/fault_inject.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_pool.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/slab/vmalloc.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "mm/user/anon.h"
#include "tests/kernel/bench.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(fail_nth);

/* A line that nobody has. */
#define FREE_LINE 10

/* More allocations than any operation makes. */
#define ALL       600U

/* Do it and undo it.  False: it failed, and said so. */
typedef bool (*operation)(void);

/* ---- The operations ------------------------------------------------------ */

static void test_fail_nth_do_nothing(void *data)
{
	(void)data;
}

/* More than fit into the slabs that have room: so new slabs are asked for, too. */
#define MANY_THREADS 8U

static bool run_threads(void)
{
	struct thread *thread[MANY_THREADS];
	bool done = true;

	for (unsigned int i = 0; i < MANY_THREADS; i++)
		thread[i] = thread_create("fail nth", test_fail_nth_do_nothing,
		                          NULL);
	for (unsigned int i = 0; i < MANY_THREADS; i++) {
		done = done && thread[i] != NULL;
		if (thread[i] != NULL)
			thread_join(thread[i]);
	}
	return done;
}

static void handle_nothing(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
}

static bool run_irq(void)
{
	static int id;

	if (request_irq(FREE_LINE, handle_nothing, "fail nth", &id) != 0)
		return false;
	return free_irq(FREE_LINE, &id) == 0;
}

static bool test_fail_nth_run_owner(void)
{
	static struct owner owner;

	if (owner_begin(&owner, OWNER_THREAD, "fail nth") != 0)
		return false;
	owner_end(&owner);
	return true;
}

/* The pool is emptied first, so that the request must refill it by itself. */
static bool test_fail_nth_run_exclusive(void)
{
	struct node *node = main_node();
	struct page *page;
	bool done;

	refiller_pause(true);
	exclusive_shrink(node, 0);
	page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_EXCLUSIVE);
	done = page != NULL && exclusive_release(exclusive_address(page)) == 0;
	refiller_pause(false);
	return done;
}

/* Do the refiller's work in this thread.  Half full is a failure. */
static bool test_fail_nth_run_refill(void)
{
	struct node *node = main_node();
	bool done;

	refiller_pause(true);
	exclusive_shrink(node, 0);
	exclusive_balance(node);
	done = exclusive_pool_parked(&node->pool) >= node->pool.high;
	refiller_pause(false);
	return done;
}

static bool run_exact(void)
{
	void *memory = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);

	if (memory == NULL)
		return false;
	free_pages_exact(memory, 5 * PAGE_SIZE);
	return true;
}

static bool run_bulk(void)
{
	struct page *page[20] = { 0 };
	unsigned long got =
		alloc_pages_bulk(GFP_KERNEL, ARRAY_SIZE(page), page);

	for (unsigned long i = 0; i < ARRAY_SIZE(page); i++) {
		if (page[i] != NULL)
			__free_page(page[i]);
	}
	return got == ARRAY_SIZE(page);
}

#define LISTED 20U

/* Refills and drains of the CPU's lists: pages of order ORDER. */
static bool run_lists_of(unsigned int order)
{
	struct page *page[LISTED] = { 0 };
	bool done = true;

	for (unsigned int i = 0; i < LISTED; i++) {
		page[i] = alloc_pages(GFP_KERNEL, order);
		done = done && page[i] != NULL;
	}
	for (unsigned int i = 0; i < LISTED; i++) {
		if (page[i] != NULL)
			__free_pages(page[i], order);
	}
	pcp_drain_node(main_node());
	return done;
}

static bool run_lists(void)
{
	bool single = run_lists_of(0);

	return run_lists_of(2) && single;
}

static bool run_vmalloc(void)
{
	void *memory = vmalloc(20 * PAGE_SIZE);

	vfree(memory);
	vmalloc_purge(main_vmalloc());
	return memory != NULL;
}

/* ---- Commands of the shell ----------------------------------------------- */

static bool said_null;

/* Did a command report that it got no memory? */
static void test_fail_nth_listen(const char *text, size_t size)
{
	static const char *const words[] = { "NULL", "no exclusive page",
		                             "no memory" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t length = strlen(words[i]);

		for (size_t at = 0; at + length <= size; at++)
			said_null |= strncmp(text + at, words[i], length) == 0;
	}
}

/*
 * Run LINE at the shell, then free what it allocated.  A command that reports
 * no failure has not failed, or has logged the failure.
 */
static bool run_command(const char *line)
{
	char text[80];

	said_null = false;
	console_divert(test_fail_nth_listen);
	scnprintf(text, sizeof(text), "%s", line);
	shell_execute(text);
	scnprintf(text, sizeof(text), "free all");
	shell_execute(text);
	console_divert(NULL);
	return !said_null;
}

static bool test_fail_nth_run_alloc(void)
{
	return run_command("alloc GFP_KERNEL 2");
}

static bool run_alloc_exclusive(void)
{
	return run_command("alloc GFP_ATOMIC|__GFP_EXCLUSIVE");
}

static bool test_fail_nth_run_drain(void)
{
	run_command("drain GFP_NOWAIT");
	/* It ends with the first NULL, injected or not. */
	return true;
}

static bool run_benchmark(void)
{
	return run_command("bench");
}

static bool run_intruder(void)
{
	uint64_t mark = log_mark();

	return run_command("panic intrude") &&
	       !log_contains_since(mark, "cannot be created");
}

/* ---- Anonymous memory and swap ------------------------------------------- */

#define ANON_PAGES 4UL

SUITE_OBJECT(struct ram_swap, ram);
static struct swap_device *device; /* that of ram, or the disk's */
static struct anon_object *object;

/* The area is on, and the object has its pages in memory. */
static bool fill_object(struct swap_device *where)
{
	int error;

	device = where;
	object = anon_object_create(ANON_PAGES);
	error = object == NULL ? -ENOMEM : swapon(device, 32767, NULL);
	for (unsigned long i = 0; i < ANON_PAGES && error == 0; i++)
		error = anon_object_write(object, i * PAGE_SIZE, &i, sizeof(i));
	return error == 0;
}

static bool give_object_back(void)
{
	anon_object_destroy(object);
	return swapoff(device) == 0;
}

/* All that was written is there, and in memory again; the area is on. */
static const char *test_fail_nth_check_object(void)
{
	static char text[160];
	const char *broken;

	if (swap_area_find(device) < 0 && swapon(device, 32767, NULL) != 0)
		return "swap cannot be switched on again";
	for (unsigned long i = 0; i < ANON_PAGES; i++) {
		unsigned long word = ~0UL;

		if (anon_object_read(object, i * PAGE_SIZE, &word,
		                     sizeof(word)) != 0)
			return "a page cannot be read";
		if (word != i)
			return "a page is not what was written";
	}
	if (anon_object_usage(object).resident != ANON_PAGES)
		return "not all pages came back";
	broken = swap_check(text, sizeof(text));
	return broken != NULL ? broken : anon_check(text, sizeof(text));
}

static bool run_anon_object(void)
{
	struct anon_object *mine = anon_object_create(ANON_LEAF_PAGES + 1);
	int error;

	if (mine == NULL)
		return false;
	/* A page of each of the two tables. */
	error = anon_object_write(mine, 0, "a", 1);
	if (error == 0)
		error = anon_object_write(mine, ANON_LEAF_PAGES * PAGE_SIZE,
		                          "b", 1);
	anon_object_destroy(mine);
	return error == 0;
}

static bool swap_all_out(void)
{
	int error = 0;

	for (unsigned long i = 0; i < ANON_PAGES && error == 0; i++)
		error = anon_object_swap_out(object, i);
	return error == 0;
}

static bool never_failed;

/* To a disk, each with its own request: there is a reserve of requests. */
static bool run_swap_out(void)
{
	bool done = swap_all_out();

	never_failed &= done;
	return done;
}

static bool run_swap_in(void)
{
	char byte;
	int error = swap_all_out() ? 0 : -ENOSPC;

	for (unsigned long i = 0; i < ANON_PAGES && error == 0; i++)
		error = anon_object_read(object, i * PAGE_SIZE, &byte, 1);
	return error == 0;
}

/* Take movable pages until the next one will come from a free pageblock, in which there is
 * no page of the kernel, and not from a CPU's list. */
static void take_pieces(struct list *pieces)
{
	const unsigned int small = (1U << PAGEBLOCK_ORDER) - 1;
	struct page *page;

	do {
		page = alloc_page(GFP_HIGHUSER_MOVABLE);
		list_append(pieces, &page->link);
		pcp_drain_node(main_node());
	} while (page_zone(main_node(), page)->nonempty[MIGRATE_MOVABLE] &
	         small);
}

static void give_pieces(struct list *pieces)
{
	struct page *page;

	while ((page = list_first(pieces, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
	}
	pcp_drain_node(main_node());
}

/* The frame of the first page of the object, or 0. */
static unsigned long frame_of_page(void)
{
	struct page *page;
	unsigned long pfn;

	if (anon_object_pin(object, 0, &page) != 0)
		return 0;
	pfn = page_to_pfn(page);
	anon_object_unpin(page, false);
	return pfn;
}

/* Is everything in the pageblock of frame PFN free, or a page that can move? */
static bool can_be_emptied(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	const struct zone *zone = page_zone(main_node(), page);
	const struct pageblock *pageblock = pageblock_of(zone, pfn);

	pcp_drain_node(main_node());
	return pageblock->type == MIGRATE_MOVABLE &&
	       pageblock->free + READ_ONCE(pageblock->movable) ==
	               PAGEBLOCK_PAGES;
}

/* The first page of the object goes to swap and comes back to a pageblock that can be
 * emptied.  Nothing fails meanwhile. */
static bool bring_page_to_pageblock(void)
{
	struct mm_task *task = current_thread()->mm;
	unsigned int nth = task->fail_nth;
	bool forever = task->fail_forever;
	bool clean = false;

	fail_nth_set(current_thread(), 0, false);
	for (unsigned int i = 0; i < 50 && !clean; i++) {
		struct list pieces = LIST_INIT(pieces);
		unsigned long pfn = frame_of_page();

		clean = pfn != 0 && can_be_emptied(pfn);
		if (clean)
			break;
		(void)anon_object_swap_out(object, 0);
		/* Also its own frame, if it is free now. */
		take_pieces(&pieces);
		(void)frame_of_page();
		give_pieces(&pieces);
		thread_yield();
	}
	fail_nth_set(current_thread(), nth, forever);
	return clean;
}

static int take_frame_of_page(void)
{
	unsigned long pfn = frame_of_page();
	int error;

	if (pfn == 0)
		return -ENOMEM;
	error = alloc_contig_range(pfn, pfn + 1, MIGRATE_MOVABLE,
	                           GFP_KERNEL | __GFP_NOWARN);
	if (error == 0)
		free_contig_range(pfn, 1);
	return error;
}

static bool contig_is_busy(int error)
{
	return error == -EBUSY && fail_nth_failed(current_thread()) == 0;
}

static bool contig_failed; /* an allocation, and so the call */

/* The first page of the object must leave its frame.  Other threads compact and can have
 * the page for a moment. */
static bool test_fail_nth_run_contig(void)
{
	int error = bring_page_to_pageblock() ? take_frame_of_page() : -EIO;

	for (unsigned int i = 0; i < 20 && contig_is_busy(error); i++) {
		thread_yield();
		error = take_frame_of_page();
	}
	contig_failed |=
		fail_nth_failed(current_thread()) > 0 && error == -ENOMEM;
	return error == 0;
}

/* The pageblock of the object's first page, as an area. */
static struct cma cma_area_of_page;
static bool cma_failed; /* an allocation, and so the call */
static bool cma_left;   /* a bit, or an isolated pageblock, after a failure */

/* The pageblock of AREA, in which all can move, becomes one of TYPE, from a type that it may
 * be isolated from. */
static bool cma_change_type(const struct cma *area, enum migratetype from,
                            enum migratetype type)
{
	struct zone *zone = page_zone(area->node, pfn_to_page(area->base_pfn));
	unsigned long end = area->base_pfn + area->count;
	int error = -EBUSY;
	bool enabled;

	/* Other threads can have a page of it for a moment. */
	for (unsigned int i = 0; i < 20 && error != 0; i++) {
		error = start_isolate_page_range(zone, area->base_pfn, end,
		                                 from);
		if (error != 0)
			thread_yield();
	}
	if (error != 0)
		return false;
	undo_isolate_page_range(zone, area->base_pfn, end, type);
	enabled = spin_lock_irqsave(&zone->lock);
	if (type == MIGRATE_CMA)
		zone->nr_cma += area->count;
	else
		zone->nr_cma -= area->count;
	spin_unlock_irqrestore(&zone->lock, enabled);
	return true;
}

/* The first page of the object lies in an area, and has been lent its frame. */
static bool cma_make_around_page(void)
{
	static unsigned long bits[CMA_LONGS(PAGEBLOCK_PAGES)];
	struct cma *area = &cma_area_of_page;
	bool clean = bring_page_to_pageblock();
	unsigned long pfn = frame_of_page();

	if (!clean || pfn == 0)
		return false;
	memset(bits, 0, sizeof(bits));
	*area = (struct cma){ .node = main_node(),
		              .base_pfn = ALIGN_DOWN(pfn, PAGEBLOCK_PAGES),
		              .count = PAGEBLOCK_PAGES,
		              .taken = bits };
	mutex_init(&area->lock, "fail nth");
	return cma_change_type(area, MIGRATE_MOVABLE, MIGRATE_CMA);
}

static bool cma_take_and_release(void)
{
	struct cma *area = &cma_area_of_page;
	struct page *pages =
		cma_alloc(area, PAGEBLOCK_PAGES, PAGEBLOCK_ORDER, true);

	if (pages != NULL)
		return cma_release(area, pages, PAGEBLOCK_PAGES);
	cma_left |= cma_taken(area) != 0 ||
	            page_zone(area->node, pfn_to_page(area->base_pfn))
	                            ->isolated_pages != 0;
	return false;
}

/* The pages that have been lent must leave the area. */
static bool test_fail_nth_run_cma(void)
{
	struct mm_task *task = current_thread()->mm;
	unsigned int nth = task->fail_nth;
	bool forever = task->fail_forever;
	bool made;
	bool done = false;

	fail_nth_set(current_thread(), 0, false);
	made = cma_make_around_page();
	fail_nth_set(current_thread(), nth, forever);
	if (!made)
		return false;
	for (unsigned int i = 0; i < 20 && !done; i++) {
		done = cma_take_and_release();
		if (fail_nth_failed(current_thread()) > 0)
			break;
		thread_yield();
	}
	cma_failed |= fail_nth_failed(current_thread()) > 0 && !done;
	return cma_change_type(&cma_area_of_page, MIGRATE_CMA,
	                       MIGRATE_MOVABLE) &&
	       done;
}

static bool compact_asked; /* for memory */
static bool test_fail_nth_run_compact(void)
{
	bool done = run_command("compact");

	compact_asked |= fail_nth_failed(current_thread()) > 0;
	return done;
}

static bool test_fail_nth_run_swapon(void)
{
	return swapoff(device) == 0 && swapon(device, 32767, NULL) == 0;
}

static bool area_stayed_on;

/* With pages that must come back. */
static bool test_fail_nth_run_swapoff(void)
{
	if (!swap_all_out())
		return false;
	if (swapoff(device) == 0)
		return true;
	area_stayed_on &= swap_area_find(device) >= 0;
	return false;
}

/* ---- Trying -------------------------------------------------------------- */

/* Checks the state after each attempt, when nothing fails any more; or NULL. */
static const char *(*check_afterwards)(void);

/* Does run() with the NTH allocation failing; *HIT: one did fail. */
static const char *test_fail_nth_attempt(operation run, unsigned int nth,
                                         bool forever, bool *hit)
{
	const char *broken = NULL;
	struct thread *self = current_thread();
	unsigned long before = pages_not_free();
	bool done;

	fail_nth_set(self, nth, forever);
	done = run();
	*hit = fail_nth_failed(self) > 0;
	fail_nth_set(self, 0, false);
	if (check_afterwards != NULL)
		broken = check_afterwards();
	if (broken != NULL)
		return test_failure("allocation %u fails%s: %s", nth,
		                    forever ? " forever" : "", broken);
	if (!*hit && !done)
		return test_failure("it fails although no allocation did");
	if (pages_not_free() != before)
		return test_failure("allocation %u fails%s: %lu pages not free "
		                    "before, %lu afterwards",
		                    nth, forever ? " forever" : "", before,
		                    pages_not_free());
	return NULL;
}

/* Until none fails, or MOST have.  *COUNT: how many allocations could fail. */
static const char *test_fail_nth_sweep(operation run, unsigned int most,
                                       bool forever, unsigned int *count)
{
	bool hit = true;

	for (*count = 0; *count < most; (*count)++) {
		const char *broken =
			test_fail_nth_attempt(run, *count + 1, forever, &hit);

		if (broken != NULL)
			return broken;
		if (!hit)
			return NULL;
	}
	return most == ALL ? "it allocates without end" : NULL;
}

/* At least LEAST allocations of run() can be made to fail, and it survives. */
static const char *test_fail_nth_try(operation run, unsigned int least,
                                     unsigned int most)
{
	struct fault_attr *attr = &main_node()->fail_page_alloc;
	unsigned int verbose = attr->verbose;
	unsigned int count[2];
	const char *broken;

	attr->verbose = 0;
	broken = test_fail_nth_sweep(run, most, false, &count[0]);
	if (broken == NULL)
		broken = test_fail_nth_sweep(run, most, true, &count[1]);
	attr->verbose = verbose;
	if (broken != NULL)
		return broken;
	if (count[0] < least)
		return test_failure("%u allocations failed, expected %u",
		                    count[0], least);
	return NULL;
}

/* For each a stack of four pages and the table of a window; slabs for the objects of
 * threads and of areas. */
CASE(fail_nth, thread_create_survives)
{
	return test_fail_nth_try(run_threads, 5 * MANY_THREADS + 1, ALL);
}

CASE(fail_nth, request_irq_survives)
{
	return test_fail_nth_try(run_irq, 1, ALL);
}

CASE(fail_nth, owner_begin_survives)
{
	return test_fail_nth_try(test_fail_nth_run_owner, 1, ALL);
}

CASE(fail_nth, exclusive_refill_by_a_waiter_survives)
{
	return test_fail_nth_try(test_fail_nth_run_exclusive, 2, ALL);
}

CASE(fail_nth, refiller_survives)
{
	bool whole = false;

	/* A zone of this size gives a whole pageblock for one request. */
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		whole |=
			main_node()->zone[type].managed >= EXCLUSIVE_BLOCK_ZONE;
	return test_fail_nth_try(test_fail_nth_run_refill, whole ? 1 : 8, 16);
}

CASE(fail_nth, alloc_pages_exact_survives)
{
	return test_fail_nth_try(run_exact, 1, ALL);
}

/* Its object, its array, and the pages. */
CASE(fail_nth, vmalloc_survives)
{
	return test_fail_nth_try(run_vmalloc, 3, ALL);
}

CASE(fail_nth, alloc_pages_bulk_survives)
{
	return test_fail_nth_try(run_bulk, 1, ALL);
}

CASE(fail_nth, lists_that_are_refilled_and_drained_survive)
{
	return test_fail_nth_try(run_lists, 2 * LISTED, ALL);
}

CASE(fail_nth, shell_alloc_survives)
{
	return test_fail_nth_try(test_fail_nth_run_alloc, 1, ALL);
}

CASE(fail_nth, shell_alloc_exclusive_survives)
{
	return test_fail_nth_try(run_alloc_exclusive, 1, ALL);
}

CASE(fail_nth, shell_drain_survives)
{
	return test_fail_nth_try(test_fail_nth_run_drain, 8, 8);
}

CASE(fail_nth, shell_bench_survives)
{
	return test_fail_nth_try(run_benchmark, 3, 3);
}

CASE(fail_nth, shell_panic_intrude_survives)
{
	return test_fail_nth_try(run_intruder, 6, ALL);
}

CASE(fail_nth, anonymous_object_survives)
{
	/* Itself, two tables, two pages. */
	return test_fail_nth_try(run_anon_object, 5, ALL);
}

/* test_fail_nth_try() with an object whose pages can go to DEVICE. */
static const char *try_with_swap(struct swap_device *where, operation run,
                                 unsigned int least)
{
	const char *broken = "there is no memory for the test";

	check_afterwards = test_fail_nth_check_object;
	if (fill_object(where))
		broken = test_fail_nth_try(run, least, ALL);
	check_afterwards = NULL;
	if (!give_object_back() && broken == NULL)
		broken = "slots are still in use";
	return broken;
}

static const char *try_with_ram(operation run, unsigned int least)
{
	const char *broken;

	EXPECT(ram_swap_make(ram, "testram", 2 * ANON_PAGES + 1));
	broken = try_with_swap(&ram->device, run, least);
	ram_swap_end(ram);
	return broken;
}

CASE(fail_nth, swap_in_survives_and_loses_nothing)
{
	return try_with_ram(run_swap_in, ANON_PAGES);
}

CASE(fail_nth, alloc_contig_range_survives_and_loses_nothing)
{
	const char *broken;

	if (main_node()->no_mobility)
		SKIP("pages are not grouped on this machine");
	contig_failed = false;
	/* The page that the first one moves to. */
	broken = try_with_ram(test_fail_nth_run_contig, 1);
	if (broken == NULL)
		EXPECT(contig_failed);
	return broken;
}

CASE(fail_nth, cma_alloc_survives_and_loses_nothing)
{
	const char *broken;

	if (main_node()->no_mobility)
		SKIP("pages are not grouped on this machine");
	cma_failed = false;
	cma_left = false;
	broken = try_with_ram(test_fail_nth_run_cma, 1);
	if (broken == NULL) {
		EXPECT(cma_failed);
		EXPECT(!cma_left);
	}
	return broken;
}

/* Compaction has the frames to move to, and asks for none. */
CASE(fail_nth, compact_needs_no_memory_and_loses_nothing)
{
	const char *broken;

	compact_asked = false;
	broken = try_with_ram(test_fail_nth_run_compact, 0);
	if (broken == NULL)
		EXPECT(!compact_asked);
	return broken;
}

/* A page for the header, one for the row of clusters, a cluster. */
CASE(fail_nth, swapon_survives)
{
	return try_with_ram(test_fail_nth_run_swapon, 3);
}

CASE(fail_nth, swapoff_without_memory_leaves_the_area_on_and_loses_nothing)
{
	const char *broken;

	area_stayed_on = true;
	broken = try_with_ram(test_fail_nth_run_swapoff, ANON_PAGES);
	if (broken != NULL)
		return broken;
	EXPECT(area_stayed_on);
	return NULL;
}

CASE(fail_nth, swap_out_to_a_disk_needs_no_memory)
{
	struct swap_device *disk = swap_device_find("hda2");
	const char *broken;

	if (disk == NULL)
		SKIP("disk");
	never_failed = true;
	broken = try_with_swap(disk, run_swap_out, 0);
	if (broken != NULL)
		return broken;
	EXPECT(never_failed);
	return NULL;
}

/* ---- Interrupts ---------------------------------------------------------- */

static void test_fail_nth_take_and_give(void *data)
{
	struct page *page = alloc_page(GFP_ATOMIC);

	*(bool *)data = page != NULL;
	if (page != NULL)
		__free_page(page);
}

CASE(fail_nth, what_an_interrupt_asks_for_is_not_counted)
{
	struct thread *self = current_thread();
	bool got = false;
	unsigned int left;
	bool came;

	fail_nth_set(self, 1, true);
	came = in_timer_interrupt(test_fail_nth_take_and_give, &got);
	left = fail_nth_failed(self);
	fail_nth_set(self, 0, false);
	EXPECT(came);
	EXPECT(got);
	EXPECT_EQUAL(left, 0);
	return NULL;
}

/* Each take of an interrupt fails: its samples are dropped, and counted. */
CASE(fail_nth, recorder_counts_what_injected_failures_cost)
{
	struct fault_attr *attr = &main_node()->fail_page_alloc;
	struct recorder_statistics timer;
	uint64_t end = clock_ticks() + 30;
	int stopped;

	NEEDS_I8042();
	fault_attr_init(attr);
	attr->verbose = 0;
	attr->min_order = 0;
	attr->times = FAULT_TIMES_ALL;
	attr->probability = 100;
	pcp_shortcut_update();
	recorder_start();
	while (clock_ticks() < end)
		thread_yield();
	stopped = recorder_stop();
	fault_attr_init(attr);
	pcp_shortcut_update();
	recorder_statistics(RECORDER_TIMER, &timer);
	EXPECT_EQUAL(stopped, 0);
	EXPECT(timer.taken >= 30);
	EXPECT_EQUAL(timer.dropped, timer.taken);
	EXPECT_EQUAL(timer.errors, 0);
	return NULL;
}

static void end_with_fail_nth(void *unused __unused)
{
	fail_nth_set(current_thread(), 1000, false);
}

CASE(fail_nth, a_thread_that_ends_with_it_is_no_longer_counted)
{
	unsigned int before = READ_ONCE(fail_nth_threads);
	struct thread *thread =
		thread_create("ends with fail_nth", end_with_fail_nth, NULL);

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(READ_ONCE(fail_nth_threads), before);
	return NULL;
}
