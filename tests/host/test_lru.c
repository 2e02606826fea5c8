/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_lru.c -- the lists of used pages, and the lock of a page.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/filemap.h"
#include "tests/host/libmm.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(lru);
SUITE(page_lock);

static struct node *node;
static struct zone *zone;
static struct space file;
static struct space anon;

static void test_lru_start(void)
{
	machine_start(1024);
	node = machine_one_zone(ZONE_DMA32, 1024);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 16, 20, 24);
	space_init(&file, SPACE_PLAIN);
	space_init(&anon, SPACE_ANON);
}

static const char *test_lru_finish(void)
{
	char text[160];
	const char *broken = lru_check(node, text, sizeof(text));

	if (broken != NULL)
		return test_failure("%s", broken);
	space_clear(&file);
	space_clear(&anon);
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		EXPECT_EQUAL(zone->lru.count[list], 0);
	EXPECT_EQUAL(zone->lru.dirty, 0);
	EXPECT_EQUAL(zone->lru.writeback, 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	EXPECT_EQUAL(zone->lru.isolated[LRU_ANON], 0);
	return NULL;
}

/* The page at the back of LIST is the next that reclaim takes. */
static struct page *last_of(enum lru_list list)
{
	return container_of(zone->lru.pages[list].prev, struct page, link);
}

static struct page *first_of(enum lru_list list)
{
	return container_of(zone->lru.pages[list].next, struct page, link);
}

CASE(lru, new_pages_are_inactive_and_the_oldest_goes_first)
{
	struct page *old;
	struct page *new;

	test_lru_start();
	old = space_add(&file, GFP_KERNEL);
	new = space_add(&file, GFP_KERNEL);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 2);
	EXPECT(last_of(LRU_INACTIVE_FILE) == old);
	EXPECT(first_of(LRU_INACTIVE_FILE) == new);
	EXPECT(space_add(&anon, GFP_KERNEL) == last_of(LRU_INACTIVE_ANON));
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_ANON], 1);
	return test_lru_finish();
}

CASE(lru, first_use_is_noted_and_the_second_activates)
{
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	mark_page_accessed(page);
	EXPECT(page_has(page, PG_referenced) && !page_has(page, PG_active));
	mark_page_accessed(page);
	EXPECT(!page_has(page, PG_referenced) && page_has(page, PG_active));
	EXPECT(last_of(LRU_ACTIVE_FILE) == page);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 1);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 0);
	mark_page_accessed(page);
	EXPECT(page_has(page, PG_referenced) && page_has(page, PG_active));
	mark_page_accessed(page);
	EXPECT(page_has(page, PG_referenced));
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pgactivate), 1);
	return test_lru_finish();
}

CASE(lru, unevictable_pages_have_their_own_list)
{
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	lru_set_unevictable(node, page, true);
	EXPECT_EQUAL(zone->lru.count[LRU_UNEVICTABLE], 1);
	EXPECT(strcmp(lru_list_name(LRU_UNEVICTABLE), "unevictable") == 0);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 0);
	mark_page_accessed(page);
	mark_page_accessed(page);
	EXPECT_EQUAL(zone->lru.count[LRU_UNEVICTABLE], 1);
	lru_set_unevictable(node, page, false);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 1);
	lru_set_unevictable(node, page, true);
	return test_lru_finish();
}

CASE(lru, written_page_that_reclaim_wants_is_the_next_to_go)
{
	struct page *page;

	test_lru_start();
	space_fill(&file, GFP_KERNEL, 3);
	page = space_add(&file, GFP_KERNEL);
	lru_activate(node, page);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	page_set(page, PG_reclaim);
	machine_enter_irq(NULL);
	end_page_writeback(page);
	machine_leave_irq();
	EXPECT(last_of(LRU_INACTIVE_FILE) == page);
	EXPECT(!page_has(page, PG_active) && !page_has(page, PG_reclaim));
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pgrotated), 1);
	return test_lru_finish();
}

CASE(lru, page_that_is_dirty_again_stays_where_it_is)
{
	struct page *page;

	test_lru_start();
	space_fill(&file, GFP_KERNEL, 3);
	page = space_add(&file, GFP_KERNEL);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	page_set(page, PG_reclaim);
	set_page_dirty(page);
	end_page_writeback(page);
	EXPECT(first_of(LRU_INACTIVE_FILE) == page);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pgrotated), 0);
	return test_lru_finish();
}

/* Take the last page of the inactive file list, as reclaim does. */
static struct page *isolate(struct list *pages)
{
	list_init(pages);
	if (lru_isolate(zone, LRU_INACTIVE_FILE, 1, pages) != 1)
		return NULL;
	return list_first(pages, struct page, link);
}

static void test_lru_put_back(struct page *page)
{
	list_remove(&page->link);
	lru_putback(zone, page, LRU_FILE, true);
	put_page(page);
}

CASE(lru, isolated_pages_are_counted_and_held)
{
	struct list pages;
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	EXPECT(isolate(&pages) == page);
	EXPECT_EQUAL(page_ref_count(page), 2);
	EXPECT(!page_has(page, PG_lru) && page_has(page, PG_isolated));
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 1);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 0);
	test_lru_put_back(page);
	EXPECT(page_has(page, PG_lru) && !page_has(page, PG_isolated));
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	return test_lru_finish();
}

CASE(lru, page_that_its_owner_took_back_is_not_put_on_a_list)
{
	struct list pages;
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	EXPECT(isolate(&pages) == page);
	space_truncate(&file, 0);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(zone->used_pages, 1);
	test_lru_put_back(page);
	EXPECT_EQUAL(zone->used_pages, 0);
	EXPECT_EQUAL(zone->bad_pages, 0);
	return test_lru_finish();
}

CASE(lru, use_while_isolated_counts_when_it_is_put_back)
{
	struct list pages;
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	EXPECT(isolate(&pages) == page);
	mark_page_accessed(page);
	mark_page_accessed(page);
	test_lru_put_back(page);
	EXPECT(last_of(LRU_ACTIVE_FILE) == page);
	return test_lru_finish();
}

/* Spoil LVALUE, expect that lru_check() names INVARIANT, mend it. */
#define EXPECT_BROKEN(lvalue, spoilt, invariant)                               \
	do {                                                                   \
		__typeof__(lvalue) broken_before = (lvalue);                   \
		const char *broken_said;                                       \
		(lvalue) = (spoilt);                                           \
		broken_said = lru_check(node, text, sizeof(text));             \
		(lvalue) = broken_before;                                      \
		EXPECT(broken_said != NULL);                                   \
		EXPECT(strcmp(text, "zone DMA32: invariant " invariant         \
		                    " of the lru") == 0);                      \
		EXPECT(lru_check(node, text, sizeof(text)) == NULL);           \
	} while (0)

CASE(lru, check_sees_each_broken_invariant)
{
	char text[160];
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	space_add(&file, GFP_KERNEL);
	EXPECT(lru_check(node, text, sizeof(text)) == NULL);
	EXPECT_BROKEN(page->bits, 0, "L1");
	EXPECT_BROKEN(page->lru, LRU_ACTIVE_FILE, "L1");
	EXPECT_BROKEN(zone_block_head(zone, 900)->bits, 1 << PG_lru, "L1");
	EXPECT_BROKEN(page->bits, (uint16_t)(page->bits | 1 << PG_isolated),
	              "L2");
	EXPECT_BROKEN(page->refcount, 0, "L2");
	EXPECT_BROKEN(page->order, 1, "L2");
	EXPECT_BROKEN(page->bits, (uint16_t)(page->bits | 1 << PG_active),
	              "L3");
	EXPECT_BROKEN(zone->lru.count[LRU_INACTIVE_FILE], 1, "L4");
	EXPECT_BROKEN(zone->lru.count[LRU_INACTIVE_FILE], 3, "L4");
	EXPECT_BROKEN(zone->lru.dirty, 1, "L4");
	EXPECT_BROKEN(zone->lru.writeback, 1, "L4");
	return test_lru_finish();
}

/* ---- Against a model: arrays of indices, the newest first ---------------- */

#define MODEL_PAGES 64

static struct {
	unsigned int at[2][MODEL_PAGES]; /* 0: inactive, 1: active */
	unsigned int count[2];
	bool referenced[MODEL_PAGES];
} model;

static void test_lru_model_insert(unsigned int list, unsigned int index)
{
	memmove(&model.at[list][1], &model.at[list][0],
	        model.count[list] * sizeof(unsigned int));
	model.at[list][0] = index;
	model.count[list]++;
}

/* Which list INDEX is on (2: none); it is taken off. */
static unsigned int test_lru_model_remove(unsigned int index)
{
	for (unsigned int list = 0; list < 2; list++) {
		for (unsigned int i = 0; i < model.count[list]; i++) {
			if (model.at[list][i] != index)
				continue;
			model.count[list]--;
			memmove(&model.at[list][i], &model.at[list][i + 1],
			        (model.count[list] - i) * sizeof(unsigned int));
			return list;
		}
	}
	return 2;
}

/* The second use of an inactive page. */
static void model_activate(unsigned int index)
{
	test_lru_model_remove(index);
	test_lru_model_insert(1, index);
	model.referenced[index] = false;
}

/* Does a use of INDEX leave it where it is? */
static bool stays(unsigned int index)
{
	struct page *page = file.page[index];

	return !page_has(page, PG_referenced) || page_has(page, PG_active);
}

static bool list_is_models(enum lru_list list, unsigned int number)
{
	unsigned int i = 0;
	struct list *at;

	list_for_each(at, &zone->lru.pages[list]) {
		struct page *page = container_of(at, struct page, link);

		if (i == model.count[number] ||
		    page->index != model.at[number][i++])
			return false;
	}
	return i == model.count[number];
}

/* One random thing that happens to page INDEX. */
static void happen(struct random *random, unsigned int index)
{
	struct page *page = file.page[index];

	if (page == NULL) {
		/* The first free place is the index it gets. */
		page = space_add(&file, GFP_KERNEL);
		model.referenced[page->index] = false;
		test_lru_model_insert(0, (unsigned int)page->index);
		return;
	}
	if (random_below(random, 4) == 0) {
		space_truncate(&file, index);
		test_lru_model_remove(index);
	} else if (stays(index)) {
		mark_page_accessed(page);
		model.referenced[index] = true;
	} else {
		mark_page_accessed(page);
		model_activate(index);
	}
}

CASE(lru, random_uses_do_what_two_arrays_do)
{
	struct random random = { test_seed() };
	char text[160];

	test_lru_start();
	memset(&model, 0, sizeof(model));
	for (unsigned int i = 0; i < 3000; i++) {
		happen(&random,
		       (unsigned int)random_below(&random, MODEL_PAGES));
		EXPECT(list_is_models(LRU_INACTIVE_FILE, 0));
		EXPECT(list_is_models(LRU_ACTIVE_FILE, 1));
	}
	EXPECT(lru_check(node, text, sizeof(text)) == NULL);
	return test_lru_finish();
}

/* ---- While pages are used ------------------------------------------------ */

static struct {
	struct random dice;
	unsigned long uses;
} busy;

/* A page comes, goes, is used, or becomes dirty or clean. */
static void use_something(void)
{
	unsigned int index = (unsigned int)random_below(&busy.dice, 200);
	struct space *space = random_below(&busy.dice, 2) > 0 ? &file : &anon;
	struct page *page = space->page[index];

	busy.uses++;
	if (page == NULL)
		(void)space_add(space, GFP_ATOMIC | __GFP_NOWARN);
	else if (random_below(&busy.dice, 8) == 0)
		space_truncate(space, index);
	else if (random_below(&busy.dice, 2) == 0)
		mark_page_accessed(page);
	else if (!set_page_dirty(page))
		(void)clear_page_dirty_for_io(page);
}

static void use_at_each_pause(const struct spinlock *unused __unused)
{
	for (uint64_t i = random_below(&busy.dice, 12); i > 0; i--)
		use_something();
}

CASE(lru, uses_during_a_check_are_not_accused)
{
	const char *accused = NULL;
	char text[160];

	test_lru_start();
	busy.dice.state = test_seed();
	busy.uses = 0;
	machine_set_unlock_hook(use_at_each_pause);
	for (unsigned int i = 0; i < 30 && accused == NULL; i++)
		accused = lru_check(node, text, sizeof(text));
	machine_set_unlock_hook(NULL);
	if (accused != NULL)
		return test_failure("it says: %s", accused);
	EXPECT(busy.uses > 3000);
	return test_lru_finish();
}

/* ---- The lock of a page -------------------------------------------------- */

static struct page *waited_for;
static unsigned int rounds;

/* Another thread unlocks the page, at the third call. */
static bool unlock_later(struct wait_queue *queue)
{
	(void)queue;
	if (++rounds == 3)
		unlock_page(waited_for);
	return rounds <= 3;
}

CASE(page_lock, a_second_locker_waits_until_the_first_unlocks)
{
	test_lru_start();
	waited_for = space_add(&file, GFP_KERNEL);
	EXPECT(trylock_page(waited_for));
	EXPECT(!trylock_page(waited_for));
	rounds = 0;
	machine_set_wait_hook(unlock_later);
	lock_page(waited_for);
	EXPECT_EQUAL(rounds, 3);
	EXPECT_EQUAL(machine_waits(), 1);
	EXPECT(page_has(waited_for, PG_locked));
	/* A thread that only waits does not get it. */
	rounds = 0;
	wait_on_page_locked(waited_for);
	EXPECT_EQUAL(rounds, 3);
	EXPECT(!page_has(waited_for, PG_locked));
	return test_lru_finish();
}

static struct filemap cut_map;

/* The holder of the lock takes the page out of its file. */
static bool cut_off_by_the_holder(struct wait_queue *queue)
{
	(void)queue;
	filemap_remove(waited_for);
	unlock_page(waited_for);
	return true;
}

CASE(page_lock, who_waits_for_a_page_that_is_then_cut_off_lets_it_go)
{
	static const struct address_space_ops ops = { .name = "cut file" };

	test_lru_start();
	filemap_init(&cut_map, &ops, NULL);
	EXPECT_EQUAL(filemap_grab(&cut_map, 7, GFP_KERNEL, &waited_for), 0);
	machine_set_wait_hook(cut_off_by_the_holder);
	filemap_cut(&cut_map, 0);
	machine_set_wait_hook(NULL);
	EXPECT_EQUAL(machine_waits(), 1);
	EXPECT(!page_has(waited_for, PG_locked));
	EXPECT_EQUAL(page_ref_count(waited_for), 1);
	put_page(waited_for);
	EXPECT_EQUAL(waited_for->state, PAGE_FREE);
	return test_lru_finish();
}

static bool write_ends_in_an_interrupt(struct wait_queue *queue)
{
	(void)queue;
	machine_enter_irq(NULL);
	end_page_writeback(waited_for);
	machine_leave_irq();
	return true;
}

CASE(page_lock, who_waits_for_a_write_goes_on_when_an_interrupt_ends_it)
{
	test_lru_start();
	waited_for = space_add(&file, GFP_KERNEL);
	wait_on_page_writeback(waited_for);
	EXPECT_EQUAL(machine_waits(), 0);
	lock_page(waited_for);
	set_page_writeback(waited_for);
	unlock_page(waited_for);
	EXPECT_EQUAL(node_writeback(node), 1);
	machine_set_wait_hook(write_ends_in_an_interrupt);
	wait_on_page_writeback(waited_for);
	EXPECT_EQUAL(machine_waits(), 1);
	EXPECT_EQUAL(node_writeback(node), 0);
	return test_lru_finish();
}

static void lock_twice(void *page)
{
	lock_page(page);
	lock_page(page);
}

static void unlock_unlocked(void *page)
{
	unlock_page(page);
}

static void write_unlocked(void *page)
{
	set_page_writeback(page);
}

static void end_what_has_not_begun(void *page)
{
	end_page_writeback(page);
}

CASE(page_lock, misuse_is_a_panic_and_nobody_sleeps_forever)
{
	static const struct {
		void (*function)(void *page);
		const char *said;
	} misuse[] = {
		{ lock_twice, "everybody sleeps" },
		{ unlock_unlocked, "assertion failed: was_locked" },
		{ write_unlocked, "assertion failed" },
		{ end_what_has_not_begun, "assertion failed: before" },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_SIZE(misuse); i++) {
		test_lru_start();
		EXPECT(machine_try(misuse[i].function,
		                   space_add(&file, GFP_KERNEL), text,
		                   sizeof(text)) == MACHINE_PANICKED);
		for (const char *at = text;; at++) {
			EXPECT(*at != '\0');
			if (strncmp(at, misuse[i].said,
			            strlen(misuse[i].said)) == 0)
				break;
		}
	}
	test_lru_start();
	return test_lru_finish();
}

CASE(page_lock, dirty_pages_are_counted_once)
{
	struct page *page;

	test_lru_start();
	page = space_add(&file, GFP_KERNEL);
	EXPECT(set_page_dirty(page));
	EXPECT(!set_page_dirty(page));
	EXPECT_EQUAL(node_dirty(node), 1);
	EXPECT(clear_page_dirty_for_io(page));
	EXPECT(!clear_page_dirty_for_io(page));
	EXPECT_EQUAL(node_dirty(node), 0);
	return test_lru_finish();
}
