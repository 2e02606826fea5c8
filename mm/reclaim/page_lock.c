/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/page_lock.c -- one at a time for a page, and waiting for the disk.
 *
 * A lock is a bit, so that 64 bytes are enough for a page; who waits for a bit
 * of any page waits on one of a few queues, by the page's address, is woken when
 * a bit of any page of that queue is cleared, and looks again:
 *
 *	page A --\
 *	page B ---+--> queue 3: thread 1 (lock of A), thread 2 (writeback of B)
 *	page C --/
 *
 * Locking: none; each bit changes in one instruction, and wait_event() looks at
 * it once more after the waiter is on its queue.
 *
 * Source: Linux mm/filemap.c, folio_wait_table.
 */
#include "mm/reclaim/page_lock.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/node.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_writeback.h"

#define QUEUES        8
#define PAGE_QUEUE(n) WAIT_QUEUE_INIT(page_queue[n])

static struct wait_queue page_queue[QUEUES] = {
	PAGE_QUEUE(0), PAGE_QUEUE(1), PAGE_QUEUE(2), PAGE_QUEUE(3),
	PAGE_QUEUE(4), PAGE_QUEUE(5), PAGE_QUEUE(6), PAGE_QUEUE(7),
};

static struct wait_queue *queue_of(const struct page *page)
{
	return &page_queue[(uintptr_t)page / sizeof(*page) % QUEUES];
}

/* ---- Conditions ---------------------------------------------------------- */

static bool try_to_lock(void *page)
{
	return !page_test_and_set(page, PG_locked);
}

static bool page_lock_is_unlocked(void *page)
{
	return !page_has(page, PG_locked);
}

static bool page_lock_is_written(void *page)
{
	return !page_has(page, PG_writeback);
}

/* ---- The lock ------------------------------------------------------------ */

bool trylock_page(struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	if (!try_to_lock(page))
		return false;
	held_take(HELD_PAGE_LOCK, page, RETURN_ADDRESS());
	return true;
}

void lock_page(struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	wait_event_checked(queue_of(page), try_to_lock, page, FOREVER,
	                   might_sleep());
	held_take(HELD_PAGE_LOCK, page, RETURN_ADDRESS());
}

void unlock_page(struct page *page)
{
	struct wait_queue *queue = queue_of(page);
	bool was_locked = page_test_and_clear(page, PG_locked);

	kassert(was_locked);
	held_drop(HELD_PAGE_LOCK, page);
	wake_up(queue);
}

void wait_on_page_locked(struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	wait_event_checked(queue_of(page), page_lock_is_unlocked, page, FOREVER,
	                   might_sleep());
}

/* ---- Dirty, and on its way to the disk ----------------------------------- */

bool set_page_dirty(struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	if (page_has(page, PG_dirty))
		return false;
	return !lru_change_bit(main_node(), page, PG_dirty, true);
}

bool clear_page_dirty_for_io(struct page *page)
{
	if (!page_has(page, PG_dirty))
		return false;
	return lru_change_bit(main_node(), page, PG_dirty, false);
}

void wait_on_page_writeback(struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	wait_event_checked(queue_of(page), page_lock_is_written, page, FOREVER,
	                   might_sleep());
}

void set_page_writeback(struct page *page)
{
	bool before = lru_change_bit(main_node(), page, PG_writeback, true);

	kassert(!before && page_has(page, PG_locked));
}

/* As soon as the bit is cleared the page may be gone: its reference may be the
 * index's, which reclaim is allowed to drop now. */
void end_page_writeback(struct page *page)
{
	struct node *node = main_node();
	struct wait_queue *queue = queue_of(page);
	bool wanted = page_test_and_clear(page, PG_reclaim);
	bool before;

	if (wanted)
		lru_rotate(node, page);
	before = lru_change_bit(node, page, PG_writeback, false);
	kassert(before);
	wake_up(queue);
	writeback_ended(node);
	if (wanted) {
		__atomic_fetch_add(&node->reclaim.written, 1, __ATOMIC_RELAXED);
		wake_up(&node->reclaim.writeback_wait);
	}
}
