/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_step_move.c -- a page that moves to another frame, with an interrupt at
 * every instruction: tests/kernel/path_walk.c walks along migration, and along the isolation
 * of a page and its way back.
 *
 * The page has an index of one place.  Whatever the interrupts take meanwhile, afterwards
 * the index has the page with its bytes, in a frame that nobody else has.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "tests/kernel/path_walk.h"
#include "tests/suite.h"

SUITE(step_move);

#define PATTERN 0x6d

/* ---- The page's owner ---------------------------------------------------- */

static struct spinlock step_index_lock = SPINLOCK_INIT("step index");
static struct page *step_index;

static int step_index_migrate(struct page *from, struct page *to)
{
	bool enabled = spin_lock_irqsave(&step_index_lock);
	bool moves = step_index == from &&
	             page_ref_count(from) == RECLAIM_REFERENCES;

	if (moves) {
		migrate_replace(main_node(), from, to);
		step_index = to;
	}
	spin_unlock_irqrestore(&step_index_lock, enabled);
	if (moves)
		put_page(from);
	return moves ? 0 : -EAGAIN;
}

static bool step_index_release(struct page *page __unused)
{
	return false;
}

static const struct address_space_ops step_index_ops = {
	.name = "step",
	.release = step_index_release,
	.migrate = step_index_migrate,
};

static struct address_space step_space = { .ops = &step_index_ops };

/* PAGE, in use with one reference, belongs to the index, and its bytes to us. */
static void step_index_put(struct page *page)
{
	memset(page_address(page), PATTERN, PAGE_SIZE);
	lock_page(page);
	page->mapping = &step_space;
	page->index = 0;
	step_index = page;
	lru_add(main_node(), page);
	unlock_page(page);
}

static void step_index_clear(void)
{
	struct page *page = step_index;

	step_index = NULL;
	lock_page(page);
	page->mapping = NULL;
	unlock_page(page);
	lru_remove(main_node(), page);
	put_page(page);
}

/* The page is the thread's, and still has its bytes. */
static const char *step_index_check(void)
{
	const unsigned char *byte = page_address(step_index);

	walked.page = step_index;
	if (!page_has(step_index, PG_lru) || page_has(step_index, PG_locked))
		return "the page is not on the lists of reclaim";
	for (unsigned int i = 0; i < PAGE_SIZE; i++) {
		if (byte[i] != PATTERN)
			return "the page has other bytes";
	}
	return path_walk_check_plain();
}

/* ---- One page moves ------------------------------------------------------ */

static struct list isolated;
static struct page *target_page; /* not used yet */
static struct page *source_page;

static struct page *step_target_take(void *data __unused)
{
	struct page *page = target_page;

	target_page = NULL;
	return page;
}

static void step_target_give(struct page *page, void *data __unused)
{
	target_page = page;
}

static void prepare_isolated(void)
{
	target_page = alloc_page(GFP_KERNEL);
	source_page = alloc_page(GFP_KERNEL);
	step_index_put(source_page);
	list_init(&isolated);
	kassert(lru_isolate_page(page_zone(main_node(), source_page),
	                         source_page));
	list_append(&isolated, &source_page->link);
}

static void step_run_migrate(void *data __unused)
{
	const struct migrate_target target = { .take = step_target_take,
		                               .give = step_target_give };

	walked.done =
		migrate_pages(main_node(), &isolated, &target, MIGRATE_ASYNC);
}

static const char *check_migrated(void)
{
	if (walked.done != 0 || step_index == source_page)
		return "the page did not move";
	if (target_page != NULL || !list_empty(&isolated))
		return "a frame is left over";
	return step_index_check();
}

CASE(step_move, migrate_pages_with_an_interrupt_at_each_instruction)
{
	static const struct walk_path path = {
		.name = "migrate_pages",
		.prepare = prepare_isolated,
		.run = step_run_migrate,
		.check = check_migrated,
		.finish = step_index_clear,
		.errand = ERRAND_TAKE,
	};

	return path_walk_try(&path);
}

/* ---- One page is isolated, and comes back -------------------------------- */

static void prepare_listed(void)
{
	source_page = alloc_page(GFP_KERNEL);
	step_index_put(source_page);
	list_init(&isolated);
}

static void step_run_isolate(void *data __unused)
{
	struct zone *zone = page_zone(main_node(), source_page);

	if (!lru_isolate_page(zone, source_page))
		return;
	list_append(&isolated, &source_page->link);
	walked.done = migrate_putback(main_node(), &isolated);
}

static const char *check_put_back(void)
{
	if (walked.done != 1 || step_index != source_page)
		return "the page was not isolated";
	if (!list_empty(&isolated) || page_has(source_page, PG_isolated))
		return "the page is still isolated";
	return step_index_check();
}

CASE(step_move,
     a_page_isolated_and_put_back_with_an_interrupt_at_each_instruction)
{
	static const struct walk_path path = {
		.name = "lru_isolate_page",
		.prepare = prepare_listed,
		.run = step_run_isolate,
		.check = check_put_back,
		.finish = step_index_clear,
		.errand = ERRAND_TAKE,
	};

	return path_walk_try(&path);
}
