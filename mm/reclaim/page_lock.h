/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/page_lock.h -- one at a time for a page, and waiting for the disk.
 *
 *	PG_locked	held by the thread that reads it in, writes it out or takes it away
 *	PG_writeback	on its way to the disk; the lock is free meanwhile
 *	PG_dirty	newer than the disk
 *
 * The caller has a reference of the page.  Linux's names and meanings
 * (include/linux/pagemap.h, mm/page-writeback.c).
 */
#ifndef MM_RECLAIM_PAGE_LOCK_H
#define MM_RECLAIM_PAGE_LOCK_H

#include "mm/page_bits.h"

/* Thread context; may sleep. */
void lock_page(struct page *page);

/* Any context but NMI: true: it is locked. */
__must_check bool trylock_page(struct page *page);

/* By the holder, in any context but NMI.  A page that is not locked: a
 * panic.  A thread that locks a page for another to unlock hands the lock on:
 * held_hand_on(HELD_PAGE_LOCK, page). */
void unlock_page(struct page *page);

/* Thread context; may sleep. */
void wait_on_page_locked(struct page *page);
void wait_on_page_writeback(struct page *page);

/* The page is locked, and not under writeback. */
void set_page_writeback(struct page *page);

/* It is on the disk, or PG_error is set.  Any context but NMI. */
void end_page_writeback(struct page *page);

/*
 * Set and clear PG_dirty, and keep the zone's count of dirty pages; both say
 * whether that changed anything.  Any context but NMI.
 */
bool set_page_dirty(struct page *page);
bool clear_page_dirty_for_io(struct page *page);

#endif
