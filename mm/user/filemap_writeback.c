// SPDX-License-Identifier: MIT
/*
 * mm/user/filemap_writeback.c -- the page cache: what was changed goes to the disk.
 *
 * A map knows since when it is dirty (map->dirtied).  A scan of its pages takes that
 * back before it begins, so a thread that dirties a page behind it notes it again.
 *
 *	filemap_writeback()	writes every dirty page, waits, and returns the error
 *	filemap_flush()		begins what needs no waiting; for the flusher
 *
 * Locking: a page's lock.
 */
#include "kernel/core/clock.h"
#include "kernel/core/panic.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/filemap_internal.h"

/* Dirty from now on, if it was not before. */
static void note_dirty(struct filemap *map)
{
	uint64_t clean = 0;

	__atomic_compare_exchange_n(&map->dirtied, &clean,
	                            max(clock_microseconds(), 1ULL), false,
	                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void filemap_dirty(struct page *page)
{
	if (page->mapping == NULL)
		return;
	set_page_dirty(page);
	note_dirty(filemap_of(page));
}

void filemap_write_failed(struct page *page, int error)
{
	struct filemap *map = filemap_of(page);

	page_set(page, PG_error);
	set_page_dirty(page);
	note_dirty(map);
	__atomic_store_n(&map->error, error, __ATOMIC_RELAXED);
}

/* PAGE is locked and not under writeback: it goes to the disk if it is dirty.
 * Unlocked afterwards.  True: it was. */
static bool write_locked(struct filemap *map, struct page *page)
{
	int error;

	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	if (!clear_page_dirty_for_io(page)) {
		unlock_page(page);
		return false;
	}
	page_clear(page, PG_error);
	error = map->space.ops->writepage(page);
	kassert(error <= 0);
	if (error != 0)
		__atomic_store_n(&map->error, error, __ATOMIC_RELAXED);
	return true;
}

/* Has PAGE something to write, or is somebody about to write it?  Reclaim takes
 * the dirty bit away before PG_writeback is set, and has it locked meanwhile: so
 * the lock is looked at last. */
static bool may_need_write(const struct page *page)
{
	return page_has(page, PG_dirty) || page_has(page, PG_locked);
}

/* PAGE, found in MAP, goes to the disk if it is dirty. */
static void write_one(struct filemap *map, struct page *page)
{
	kassert(page_ref_count(page) > 0);
	if (!may_need_write(page)) {
		put_page(page);
		return;
	}
	if (!filemap_lock_found(map, page))
		return;
	wait_on_page_writeback(page);
	write_locked(map, page);
	put_page(page);
}

/* A dirty page that is not clean afterwards comes later. */
enum flush_result {
	CLEAN,
	BEGUN,
	LATER,
};

static enum flush_result flush_one(struct filemap *map, struct page *page)
{
	if (!page_has(page, PG_dirty))
		return CLEAN;
	if (!trylock_page(page))
		return LATER;
	if (page->mapping != &map->space || page_has(page, PG_writeback)) {
		unlock_page(page);
		return LATER;
	}
	return write_locked(map, page) ? BEGUN : CLEAN;
}

unsigned long filemap_flush(struct filemap *map, uint64_t before)
{
	uint64_t dirtied = __atomic_load_n(&map->dirtied, __ATOMIC_SEQ_CST);
	unsigned long begun = 0;
	bool later = false;
	struct page *page;

	if (dirtied == 0 || dirtied > before)
		return 0;
	/* Before the scan: a thread that dirties a page behind it sets this. */
	__atomic_store_n(&map->dirtied, 0, __ATOMIC_SEQ_CST);
	for (unsigned long i = 0; (page = filemap_find_from(map, &i)) != NULL;
	     i++) {
		enum flush_result result = flush_one(map, page);

		begun += result == BEGUN;
		later |= result == LATER;
		put_page(page);
	}
	if (later)
		__atomic_store_n(&map->dirtied, dirtied, __ATOMIC_SEQ_CST);
	return begun;
}

int filemap_writeback(struct filemap *map)
{
	struct page *page;

	__atomic_store_n(&map->dirtied, 0, __ATOMIC_SEQ_CST);
	for (unsigned long i = 0; (page = filemap_find_from(map, &i)) != NULL;
	     i++)
		write_one(map, page);
	for (unsigned long i = 0; (page = filemap_find_from(map, &i)) != NULL;
	     i++) {
		wait_on_page_writeback(page);
		put_page(page);
	}
	return __atomic_exchange_n(&map->error, 0, __ATOMIC_RELAXED);
}
