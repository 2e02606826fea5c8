/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_checks.c -- do the checks see what is corrupt?
 *
 * Each case spoils one field, expects a report, restores the field, and expects
 * no report.  One zone of 2048 pages with the marks 16/20/24, a pool of 8.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/debug/show_mem.h"
#include "mm/mm_check.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/filemap.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(checks);

#define PAGES 2048UL

static struct node *node;
static struct zone *zone;

/* Besides thread main: another thread, and two interrupt lines. */
static struct thread other;
static struct owner timer;
static struct owner keyboard;

static void test_checks_start(void)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	machine_set_marks(zone, 16, 20, 24);
	machine_start_exclusive(node, 4);
	machine_begin_thread(&other, "other");
	machine_begin_line(&timer, "irq 0 timer");
	machine_begin_line(&keyboard, "irq 1 keyboard");
	if (exclusive_refill(node, 8) != 8)
		panic("the pool was not filled");
}

static const char *test_checks_check(void)
{
	static char sentence[200];

	return node_check(node, NULL, false, sentence, sizeof(sentence));
}

/* WHAT has been spoiled: node_check() says something with PART in it. */
static const char *expect_found(const char *what, const char *part)
{
	const char *said = test_checks_check();
	size_t length = strlen(part);

	if (said == NULL)
		return test_failure("%s is not found", what);
	for (const char *at = said; *at != '\0'; at++) {
		if (strncmp(at, part, length) == 0)
			return NULL;
	}
	return test_failure("%s: got \"%s\", expected \"%s\"", what, said,
	                    part);
}

/* Spoil LVALUE, expect a report, restore it. */
#define EXPECT_SEEN(lvalue, spoilt, part)                                      \
	do {                                                                   \
		__typeof__(lvalue) seen_before = (lvalue);                     \
		const char *seen_wrong;                                        \
		(lvalue) = (spoilt);                                           \
		seen_wrong = expect_found(#lvalue " = " #spoilt, part);        \
		(lvalue) = seen_before;                                        \
		if (seen_wrong != NULL)                                        \
			return seen_wrong;                                     \
		EXPECT(test_checks_check() == NULL);                           \
	} while (0)

static struct page *first_free_block(void)
{
	struct page *page = node->pages;

	while (page->state != PAGE_FREE)
		page++;
	return page;
}

static struct page *test_checks_take(void)
{
	return alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
}

/* A page of thread main on its way to TO. */
static struct page *test_checks_send(struct owner *to)
{
	struct page *page = test_checks_take();

	if (page == NULL ||
	    exclusive_transfer(exclusive_address(page), to->id) != 0)
		panic("nothing could be sent");
	return page;
}

/* ---- The zone and its used blocks ---------------------------------------- */

CASE(checks, present_lies_between_managed_and_spanned)
{
	test_checks_start();
	EXPECT_SEEN(zone->present, zone->managed - 1, "zone");
	EXPECT_SEEN(zone->present, zone->spanned + 1, "zone");
	return NULL;
}

CASE(checks, the_pages_that_the_next_splits_make_heads_are_none)
{
	struct page likeness;
	struct page *page;

	test_checks_start();
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT(page != NULL);
	EXPECT_SEEN(page[1].state, PAGE_USED, "B4");
	EXPECT_SEEN(page[2].state, PAGE_FREE, "B4");
	/* A good likeness: a single page inside the block. */
	likeness = page[4];
	likeness.state = PAGE_USED;
	likeness.order = 0;
	likeness.refcount = 1;
	EXPECT_SEEN(page[4], likeness, "B4");
	__free_pages(page, 3);
	return test_checks_check();
}

CASE(checks, a_head_that_forgot_that_it_is_one_is_missed)
{
	struct page *block;
	struct page *single;

	test_checks_start();
	block = alloc_pages(GFP_KERNEL, 3);
	single = alloc_page(GFP_KERNEL);
	EXPECT(block != NULL && single != NULL);
	EXPECT_SEEN(block->state, PAGE_NONE, "used");
	EXPECT_SEEN(single->state, PAGE_NONE, "used");
	__free_pages(block, 3);
	__free_page(single);
	return test_checks_check();
}

CASE(checks, the_order_of_a_used_block_is_its_size)
{
	struct page *page;

	test_checks_start();
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT(page != NULL);
	EXPECT_SEEN(page->order, 2, "used");
	EXPECT_SEEN(page->order, 4, "corrupt");
	EXPECT_SEEN(page->order, 11, "corrupt");
	EXPECT_SEEN(page->order, 0xff, "corrupt");
	__free_pages(page, 3);
	return test_checks_check();
}

CASE(checks, a_used_block_has_a_reference)
{
	struct page *page;

	test_checks_start();
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT(page != NULL);
	EXPECT_SEEN(page->refcount, 0, "corrupt");
	EXPECT_SEEN(page->refcount, -5, "corrupt");
	__free_pages(page, 3);
	return test_checks_check();
}

CASE(checks, a_single_page_has_one_too)
{
	struct page *page;

	test_checks_start();
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT_SEEN(page->refcount, 0, "corrupt");
	EXPECT_SEEN(page->order, 1, "corrupt");
	__free_page(page);
	return test_checks_check();
}

CASE(checks, every_head_knows_its_zone)
{
	struct page *page;

	test_checks_start();
	page = alloc_pages(GFP_KERNEL, 1);
	EXPECT(page != NULL);
	EXPECT_SEEN(page->zone, ZONE_DMA, "corrupt");
	__free_pages(page, 1);
	page = first_free_block();
	EXPECT_SEEN(page->zone, ZONE_MOVABLE, "corrupt");
	page = list_first(&node->pool.parked, struct page, link);
	EXPECT_SEEN(page->zone, ZONE_DMA, "corrupt");
	return test_checks_check();
}

CASE(checks, a_free_page_has_no_reference_flag_or_owner)
{
	struct page *page;

	test_checks_start();
	page = first_free_block();
	EXPECT_SEEN(page->refcount, 1, "corrupt");
	EXPECT_SEEN(page->refcount, -1, "corrupt");
	EXPECT_SEEN(page->mapcount, 1, "corrupt");
	EXPECT_SEEN(page->flags, PAGE_COMPOUND, "corrupt");
	EXPECT_SEEN(page->flags, PAGE_TABLE, "corrupt");
	EXPECT_SEEN(page->owner, &timer, "corrupt");
	EXPECT_SEEN(page->receiver, &timer, "corrupt");
	return test_checks_check();
}

/* ---- The pool ------------------------------------------------------------ */

CASE(checks, a_parked_page_is_on_the_list)
{
	struct exclusive_pool *pool;
	struct page *page;
	const char *wrong;

	test_checks_start();
	pool = &node->pool;
	page = list_first(&pool->parked, struct page, link);
	list_remove(&page->link);
	pool->count--;
	wrong = expect_found("a parked page off the list", "X2");
	list_push(&pool->parked, &page->link);
	pool->count++;
	return wrong != NULL ? wrong : test_checks_check();
}

CASE(checks, a_parked_page_has_no_reference_flag_or_owner)
{
	struct page *page;

	test_checks_start();
	page = list_first(&node->pool.parked, struct page, link);
	EXPECT_SEEN(page->refcount, 1, "corrupt");
	EXPECT_SEEN(page->flags, PAGE_PFMEMALLOC, "corrupt");
	EXPECT_SEEN(page->owner, &timer, "X2");
	return test_checks_check();
}

CASE(checks, tables_are_left_or_split_a_region)
{
	test_checks_start();
	EXPECT_SEEN(node->pool.tables_left, node->pool.tables_left + 1,
	            "tables");
	EXPECT_SEEN(node->pool.tables_left, node->pool.tables_left - 1,
	            "tables");
	return test_checks_check();
}

CASE(checks, the_scrub_window_is_empty_between_two_uses)
{
	static const unsigned int entries[] = { 0, 1, WINDOW_ENTRIES - 1 };

	test_checks_start();
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const char *wrong;

		window_map(&node->pool.scrub, entries[i], 700);
		wrong = expect_found("a frame in the scrub window", "scrub");
		window_unmap(&node->pool.scrub, entries[i]);
		if (wrong != NULL)
			return wrong;
	}
	return test_checks_check();
}

/* ---- Owners -------------------------------------------------------------- */

/* Map frame PFN at an entry of ME's window that is free, as if ME owned it. */
static const char *expect_mapping_found(struct owner *me, unsigned long pfn)
{
	const unsigned int index = WINDOW_ENTRIES - 1;
	const char *wrong;

	window_map(&me->window, index, pfn);
	bitmap_set(me->entries, index);
	wrong = expect_found("a frame in the window of another", "X3");
	bitmap_clear(me->entries, index);
	window_unmap(&me->window, index);
	return wrong;
}

CASE(checks, a_window_holds_its_owners_pages_only)
{
	const char *wrong;
	struct page *page;

	test_checks_start();
	page = test_checks_take();
	EXPECT(page != NULL);
	wrong = expect_mapping_found(&other.owner, page_to_pfn(page));
	return wrong != NULL ? wrong : test_checks_check();
}

CASE(checks, a_window_holds_no_used_and_no_parked_page)
{
	struct owner *me;
	struct page *used;
	const char *wrong;

	test_checks_start();
	me = &machine_main()->owner;
	used = alloc_page(GFP_KERNEL);
	EXPECT(used != NULL);
	wrong = expect_mapping_found(me, page_to_pfn(used));
	__free_page(used);
	if (wrong == NULL)
		wrong = expect_mapping_found(
			me, node_pfn(node, list_first(&node->pool.parked,
		                                      struct page, link)));
	return wrong != NULL ? wrong : test_checks_check();
}

/* The last page to be released is the top of the stack. */
CASE(checks, a_frame_on_a_stack_is_parked_marked_and_there_once)
{
	struct exclusive_stack *stack;
	struct page *page;
	struct page *below;
	const char *wrong;

	test_checks_start();
	page = test_checks_take();
	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(exclusive_address(page)), 0);
	stack = &node->pool.stack[0];
	EXPECT(stack->count >= 2 && stack->frame[stack->count - 1] == page);
	EXPECT_SEEN(page->owner, &timer, "X2");
	EXPECT_SEEN(page->private, 0, "X2");
	EXPECT_SEEN(page->refcount, 1, "corrupt");
	EXPECT_SEEN(stack->count, stack->count - 1, "exclusive");
	below = stack->frame[0];
	stack->frame[0] = page;
	wrong = expect_found("a frame twice on a stack", "X2");
	stack->frame[0] = first_free_block();
	if (wrong == NULL)
		wrong = expect_found("a free page on a stack", "X2");
	stack->frame[0] = below;
	return wrong != NULL ? wrong : test_checks_check();
}

CASE(checks, an_owned_page_has_no_receiver_reference_or_other_owner)
{
	struct page *page;

	test_checks_start();
	page = test_checks_take();
	EXPECT(page != NULL);
	EXPECT_SEEN(page->receiver, &timer, "X3");
	EXPECT_SEEN(page->refcount, 1, "corrupt");
	EXPECT_SEEN(page->flags, PAGE_COMPOUND, "corrupt");
	EXPECT_SEEN(page->owner, &timer, "X3");
	EXPECT_SEEN(page->owner, NULL, "X3");
	return test_checks_check();
}

CASE(checks, windows_are_found_by_their_number)
{
	struct owner **by_window;

	test_checks_start();
	by_window = node->pool.first_windows;
	EXPECT_SEEN(by_window[timer.window.id], &keyboard, "X3");
	EXPECT_SEEN(by_window[timer.window.id], NULL, "X3");
	return test_checks_check();
}

CASE(checks, a_page_on_its_way_is_on_its_receivers_list)
{
	struct page *page;
	const char *wrong;

	test_checks_start();
	page = test_checks_send(&timer);
	list_remove(&page->link);
	list_append(&keyboard.incoming, &page->link);
	wrong = expect_found("a hand-over on a stranger's list", "X4");
	list_remove(&page->link);
	list_append(&timer.incoming, &page->link);
	return wrong != NULL ? wrong : test_checks_check();
}

CASE(checks, a_page_on_its_way_keeps_its_receiver_and_sender)
{
	struct page *page;

	test_checks_start();
	page = test_checks_send(&timer);
	EXPECT_SEEN(page->receiver, &keyboard, "X4");
	EXPECT_SEEN(page->receiver, NULL, "X4");
	EXPECT_SEEN(page->owner, NULL, "X5");
	EXPECT_SEEN(page->owner, &keyboard, "X5");
	EXPECT_SEEN(page->refcount, 1, "corrupt");
	return test_checks_check();
}

CASE(checks, what_was_sent_is_counted)
{
	struct owner *me;

	test_checks_start();
	me = &machine_main()->owner;
	EXPECT_SEEN(me->sent, 1, "X5");
	test_checks_send(&timer);
	EXPECT_SEEN(me->sent, 0, "X5");
	EXPECT_SEEN(me->sent, 2, "X5");
	return test_checks_check();
}

/* ---- Others that look ---------------------------------------------------- */

CASE(checks, mm_check_looks_at_the_node_that_was_started)
{
	char mine[160];
	char other_ones[160];

	test_checks_start();
	EXPECT(mm_check(mine, sizeof(mine)) == NULL);
	zone->free_pages++;
	EXPECT(mm_check(mine, sizeof(mine)) == mine);
	zone->free_pages--;
	zone->used_pages++;
	EXPECT(mm_check(other_ones, sizeof(other_ones)) == other_ones);
	zone->used_pages--;
	/* Each of the two callers got its own report. */
	EXPECT(strcmp(mine, other_ones) != 0);
	EXPECT(mm_check(mine, sizeof(mine)) == NULL);
	return NULL;
}

CASE(checks, a_lost_free_page_breaks_b5)
{
	char said[200];

	test_checks_start();
	EXPECT(buddy_check(zone, false, said, sizeof(said)) == NULL);
	zone->free_pages--;
	EXPECT(buddy_check(zone, false, said, sizeof(said)) == said);
	zone->free_pages++;
	EXPECT(strncmp(said, "zone Normal: invariant B5 broken: ", 34) == 0);
	return test_checks_check();
}

/* A panic may come while somebody holds the lock. */
CASE(checks, who_only_tries_the_lock_says_so_when_it_is_held)
{
	struct page_columns columns;
	char said[200] = "";
	const char *answer;
	bool enabled;

	test_checks_start();
	EXPECT(zone_check(zone, &columns, true, said, sizeof(said)) == NULL);
	EXPECT_EQUAL(columns.free, zone->free_pages);
	enabled = spin_lock_irqsave(&zone->lock);
	answer = zone_check(zone, &columns, true, said, sizeof(said));
	spin_unlock_irqrestore(&zone->lock, enabled);
	EXPECT(answer == NULL);
	EXPECT_EQUAL(columns.free, zone->free_pages);
	enabled = spin_lock_irqsave(&zone->lock);
	zone->free_pages++;
	answer = zone_check(zone, &columns, true, said, sizeof(said));
	zone->free_pages--;
	spin_unlock_irqrestore(&zone->lock, enabled);
	EXPECT(answer == said);
	EXPECT(strncmp(said, "unlocked: zone Normal: ", 23) == 0);
	return test_checks_check();
}

/* ---- The report ---------------------------------------------------------- */

CASE(checks, copy_of_the_report_keeps_its_numbers)
{
	static struct mem_copy copy;
	struct page *page;
	unsigned long free;

	test_checks_start();
	free = zone->free_pages;
	show_mem_copy(node, &copy);
	page = alloc_pages(GFP_KERNEL, 3);
	EXPECT(page != NULL && zone->free_pages < free);
	EXPECT(copy.report.zone == copy.zone);
	EXPECT_EQUAL(copy.report.zone[ZONE_NORMAL].free_pages, free);
	EXPECT_EQUAL(copy.report.parked, 8);
	__free_pages(page, 3);
	return test_checks_check();
}

/* ---- While pages come and go --------------------------------------------- */

#define BUSY_BLOCKS 64U

static struct {
	struct random dice;
	struct page *block[BUSY_BLOCKS];
	unsigned int order[BUSY_BLOCKS];
	unsigned long moves;
} other_side;

/* One block is taken, or given back; or the pool gets more frames, or fewer. */
static void move_something(void)
{
	unsigned int i =
		(unsigned int)random_below(&other_side.dice, BUSY_BLOCKS);

	other_side.moves++;
	if (random_below(&other_side.dice, 8) == 0) {
		exclusive_shrink(node, random_below(&other_side.dice, 9));
		exclusive_refill(node, random_below(&other_side.dice, 9));
	} else if (other_side.block[i] != NULL) {
		__free_pages(other_side.block[i], other_side.order[i]);
		other_side.block[i] = NULL;
	} else {
		other_side.order[i] =
			(unsigned int)random_below(&other_side.dice, 6);
		other_side.block[i] = alloc_pages(GFP_ATOMIC | __GFP_NOWARN,
		                                  other_side.order[i]);
	}
}

static void move_at_each_pause(const struct spinlock *unused __unused)
{
	unsigned int count = (unsigned int)random_below(&other_side.dice, 12);

	for (unsigned int i = 0; i < count; i++)
		move_something();
}

CASE(checks, what_comes_and_goes_during_a_check_is_not_accused)
{
	const char *accused = NULL;

	test_checks_start();
	memset(&other_side, 0, sizeof(other_side));
	other_side.dice.state = test_seed();
	machine_set_unlock_hook(move_at_each_pause);
	for (unsigned int round = 0; round < 30 && accused == NULL; round++)
		accused = test_checks_check();
	if (accused != NULL)
		return test_failure("it says: %s", accused);
	EXPECT(other_side.moves > 3000);
	/* And what is lost meanwhile is found. */
	zone->used_pages++;
	accused = test_checks_check();
	zone->used_pages--;
	machine_set_unlock_hook(NULL);
	EXPECT(accused != NULL);
	for (unsigned int i = 0; i < BUSY_BLOCKS; i++) {
		if (other_side.block[i] != NULL)
			__free_pages(other_side.block[i], other_side.order[i]);
	}
	return test_checks_check();
}

/* ---- The page cache ------------------------------------------------------ */

static const struct address_space_ops cache_ops = {
	.name = "cache",
	.release = filemap_release,
	.migrate = filemap_migrate,
};

static const char *test_checks_check_map(struct filemap *map)
{
	static char sentence[200];

	return filemap_check(map, sentence, sizeof(sentence));
}

/* Spoil PLACE of the map, expect a report, and restore it. */
#define EXPECT_SEEN_IN(map, place, spoiled)                                    \
	do {                                                                   \
		typeof(place) seen_was = (place);                              \
		(place) = (spoiled);                                           \
		EXPECT(test_checks_check_map(map) != NULL);                    \
		(place) = seen_was;                                            \
		EXPECT(test_checks_check_map(map) == NULL);                    \
	} while (0)

static struct {
	struct filemap map;
	unsigned long asked;
	char said[200];
	bool accused;
} growing;

/* Somebody checks the map while a node for it is being allocated. */
static void check_while_it_grows(struct node *unused __unused,
                                 unsigned int order __unused,
                                 enum zone_type highest __unused,
                                 bool may_sleep __unused)
{
	growing.asked++;
	if (filemap_check(&growing.map, growing.said, sizeof(growing.said)) !=
	    NULL)
		growing.accused = true;
}

CASE(checks, a_node_without_a_page_is_sound_while_a_page_is_being_added)
{
	struct page *page;

	test_checks_start();
	memset(&growing, 0, sizeof(growing));
	filemap_init(&growing.map, &cache_ops, NULL);
	machine_set_kswapd_hook(node, check_while_it_grows);
	zone->watermark[WMARK_LOW] = PAGES;
	EXPECT_EQUAL(filemap_grab(&growing.map, 512UL * 512, GFP_KERNEL, &page),
	             0);
	machine_set_marks(zone, 16, 20, 24);
	unlock_page(page);
	put_page(page);
	/* The page itself, and three nodes above it. */
	EXPECT(growing.asked >= 4);
	if (growing.accused)
		return test_failure("it says: %s", growing.said);
	filemap_cut(&growing.map, 0);
	return test_checks_check();
}

/* A tree of two levels: pages 3 and 600 are in different nodes. */
CASE(checks, an_index_holds_its_own_pages_and_counts_them)
{
	struct filemap map;
	struct page *page;
	unsigned long *used;

	test_checks_start();
	filemap_init(&map, &cache_ops, NULL);
	EXPECT(test_checks_check_map(&map) == NULL);
	EXPECT_EQUAL(filemap_grab(&map, 600, GFP_KERNEL, &page), 0);
	unlock_page(page);
	put_page(page);
	EXPECT_EQUAL(filemap_grab(&map, 3, GFP_KERNEL, &page), 0);
	unlock_page(page);
	EXPECT(test_checks_check_map(&map) == NULL);

	EXPECT_SEEN_IN(&map, map.space.nrpages, 1);
	EXPECT_SEEN_IN(&map, map.space.nrpages, 3);
	EXPECT_SEEN_IN(&map, page->index, 4);
	EXPECT_SEEN_IN(&map, page->mapping, NULL);
	EXPECT_SEEN_IN(&map, page->refcount, 0);
	used = &virt_to_page(map.tree.root)->index;
	EXPECT_EQUAL(*used, 2);
	EXPECT_SEEN_IN(&map, *used, 1);
	used = &virt_to_page(((void **)map.tree.root)[0])->index;
	EXPECT_EQUAL(*used, 1);
	EXPECT_SEEN_IN(&map, *used, 0);

	put_page(page);
	filemap_cut(&map, 0);
	EXPECT(map.tree.root == NULL && test_checks_check_map(&map) == NULL);
	return test_checks_check();
}
