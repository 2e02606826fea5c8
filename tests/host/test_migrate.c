/* SPDX-License-Identifier: MIT */
/* tests/host/test_migrate.c -- pages that move, and pages that stay. */
#include <string.h>

#include "lib/random.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/filemap.h"
#include "tests/host/test_reclaim.h"
#include "tests/suite.h"

SUITE(migrate);

static struct list moving;
static unsigned int targets; /* pages asked for */
static unsigned int target_limit;

static struct page *take_target(void *data __unused)
{
	if (targets == target_limit)
		return NULL;
	targets++;
	return alloc_page(__GFP_MEMALLOC);
}

static void give_target(struct page *page, void *data __unused)
{
	__free_page(page);
}

static const struct migrate_target migrate_room = { take_target, give_target,
	                                            NULL };

/* Page INDEX of the file is isolated, to be moved. */
static struct page *migrate_isolate(struct space *space, unsigned long index)
{
	struct page *page = space->page[index];

	kassert(lru_isolate_page(zone, page));
	list_append(&moving, &page->link);
	return page;
}

static void migrate_start(enum space_kind kind, unsigned long pages)
{
	start_kind(kind);
	space_fill(&file_space, GFP_KERNEL, pages);
	list_init(&moving);
	targets = 0;
	target_limit = ~0U;
}

static unsigned long move_them(enum migrate_mode mode)
{
	return migrate_pages(node, &moving, &migrate_room, mode);
}

static const char *migrate_end(void)
{
	migrate_putback(node, &moving);
	machine_set_wait_hook(NULL);
	return test_reclaim_finish();
}

CASE(migrate, a_page_moves_with_its_contents_bits_and_place)
{
	struct page *from;
	struct page *to;

	migrate_start(SPACE_PLAIN, 3);
	from = file_space.page[1];
	memset(page_address(from), 0x5a, PAGE_SIZE);
	page_set(from, PG_uptodate);
	page_set(from, PG_referenced);
	set_page_dirty(from);
	lru_activate(node, from);
	migrate_isolate(&file_space, 1);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 0);
	EXPECT(list_empty(&moving));
	to = file_space.page[1];
	EXPECT(to != from && from->state == PAGE_FREE);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		EXPECT_EQUAL(((uint8_t *)page_address(to))[i], 0x5a);
	EXPECT(to->mapping == &file_space.mapping);
	EXPECT_EQUAL(to->index, 1);
	EXPECT(page_has(to, PG_uptodate) && page_has(to, PG_referenced) &&
	       page_has(to, PG_dirty) && page_has(to, PG_active));
	EXPECT_EQUAL(page_ref_count(to), 1);
	EXPECT_EQUAL(zone->lru.count[LRU_ACTIVE_FILE], 1);
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_FILE], 2);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	EXPECT_EQUAL(node_dirty(node), 1);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_success), 1);
	return migrate_end();
}

CASE(migrate, a_page_with_one_more_reference_stays_after_ten_attempts)
{
	struct page *page;

	migrate_start(SPACE_PLAIN, 1);
	page = migrate_isolate(&file_space, 0);
	get_page(page);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 1);
	EXPECT_EQUAL(targets, 10);
	EXPECT(file_space.page[0] == page);
	EXPECT_EQUAL(test_reclaim_stat(VMSTAT_pgmigrate_fail), 1);
	/* And it moves when the reference is gone. */
	put_page(page);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 0);
	EXPECT(file_space.page[0] != page);
	return migrate_end();
}

static unsigned int migrate_waits;

static bool end_the_write(struct wait_queue *queue __unused)
{
	migrate_waits++;
	return space_end_writes(&file_space, 1) > 0;
}

CASE(migrate, only_sync_waits_for_a_write)
{
	struct page *page;

	migrate_start(SPACE_PLAIN, 1);
	page = migrate_isolate(&file_space, 0);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	migrate_waits = 0;
	machine_set_wait_hook(end_the_write);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 1);
	EXPECT_EQUAL(targets, 1);
	EXPECT_EQUAL(move_them(MIGRATE_SYNC_LIGHT), 1);
	/* Without waiting first, then again in the mode asked for. */
	EXPECT_EQUAL(targets, 3);
	EXPECT_EQUAL(migrate_waits, 0);
	EXPECT_EQUAL(move_them(MIGRATE_SYNC), 0);
	EXPECT_EQUAL(migrate_waits, 1);
	EXPECT(file_space.page[0] != page);
	return migrate_end();
}

static bool unlock_it(struct wait_queue *queue __unused)
{
	migrate_waits++;
	unlock_page(file_space.page[0]);
	return true;
}

static const char *move_locked(enum migrate_mode mode, bool uptodate,
                               bool memalloc, bool moves)
{
	struct page *page;

	migrate_start(SPACE_PLAIN, 1);
	page = migrate_isolate(&file_space, 0);
	if (uptodate)
		page_set(page, PG_uptodate);
	lock_page(page);
	migrate_waits = 0;
	machine_set_wait_hook(unlock_it);
	machine_set_memalloc(memalloc);
	EXPECT_EQUAL(move_them(mode), moves ? 0 : 1);
	machine_set_memalloc(false);
	EXPECT_EQUAL(migrate_waits, moves ? 1 : 0);
	/* Three attempts do not wait; the fourth may. */
	EXPECT_EQUAL(targets, moves ? 4 : 10);
	if (!moves)
		unlock_page(page);
	return migrate_end();
}

CASE(migrate, async_does_not_wait_for_a_lock)
{
	return move_locked(MIGRATE_ASYNC, true, false, false);
}

CASE(migrate, sync_light_waits_for_a_lock_but_not_for_a_read)
{
	const char *wrong = move_locked(MIGRATE_SYNC_LIGHT, true, false, true);

	if (wrong != NULL)
		return wrong;
	return move_locked(MIGRATE_SYNC_LIGHT, false, false, false);
}

CASE(migrate, sync_waits_for_a_read_too)
{
	return move_locked(MIGRATE_SYNC, false, false, true);
}

CASE(migrate, a_thread_that_reclaims_waits_for_no_lock)
{
	return move_locked(MIGRATE_SYNC_LIGHT, true, true, false);
}

CASE(migrate, a_page_that_was_cut_off_leaves_the_list)
{
	struct page *page;

	migrate_start(SPACE_PLAIN, 1);
	page = migrate_isolate(&file_space, 0);
	space_truncate(&file_space, 0);
	EXPECT_EQUAL(page_ref_count(page), 1);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 0);
	EXPECT_EQUAL(page->state, PAGE_FREE);
	return migrate_end();
}

CASE(migrate, without_room_the_rest_stays_isolated)
{
	migrate_start(SPACE_PLAIN, 5);
	for (unsigned long i = 0; i < 5; i++)
		migrate_isolate(&file_space, i);
	target_limit = 2;
	EXPECT_EQUAL(move_them(MIGRATE_SYNC_LIGHT), 3);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 3);
	EXPECT_EQUAL(migrate_putback(node, &moving), 3);
	EXPECT_EQUAL(zone->lru.isolated[LRU_FILE], 0);
	return migrate_end();
}

CASE(migrate, an_anonymous_page_keeps_its_place_on_swap)
{
	struct page *page;

	migrate_start(SPACE_PLAIN, 0);
	swap_on(4);
	space_fill(&anon_space, GFP_KERNEL, 1);
	page = anon_space.page[0];
	page_set(page, PG_swapcache);
	migrate_isolate(&anon_space, 0);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 0);
	EXPECT(page_has(anon_space.page[0], PG_swapcache));
	EXPECT(page_has(anon_space.page[0], PG_swapbacked));
	EXPECT_EQUAL(zone->lru.count[LRU_INACTIVE_ANON], 1);
	EXPECT_EQUAL(page->state, PAGE_FREE);
	return migrate_end();
}

CASE(migrate, a_page_of_a_file_keeps_its_number)
{
	static const struct address_space_ops ops = {
		.name = "moving file",
		.release = filemap_release,
		.migrate = filemap_migrate,
	};
	static char said[200];
	struct filemap map;
	struct page *page;
	struct page *found;

	migrate_start(SPACE_PLAIN, 0);
	filemap_init(&map, &ops, NULL);
	EXPECT_EQUAL(filemap_grab(&map, 700, GFP_KERNEL, &page), 0);
	memset(page_address(page), 0x77, PAGE_SIZE);
	unlock_page(page);
	kassert(lru_isolate_page(zone, page));
	list_append(&moving, &page->link);
	/* Somebody has it. */
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 1);
	put_page(page);
	EXPECT_EQUAL(move_them(MIGRATE_ASYNC), 0);
	EXPECT_EQUAL(page->state, PAGE_FREE);
	found = find_get_page(&map, 700);
	EXPECT(found != NULL && found != page);
	EXPECT_EQUAL(found->index, 700);
	EXPECT_EQUAL(((uint8_t *)page_address(found))[4095], 0x77);
	put_page(found);
	EXPECT(filemap_check(&map, said, sizeof(said)) == NULL);
	filemap_cut(&map, 0);
	return migrate_end();
}
