/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/check.h -- how a check reads data that others change.
 *
 * A check of all pages takes long, and no lock may be held for so long.  So a check
 * works in slices of CHECK_SLICE steps, and between two of them it drops its lock and
 * others continue.  So there are three kinds of results:
 *
 *	one object by itself	(a page and its owner) is right whenever the lock
 *				is held: within a slice
 *	a sum over all pages	is maintained while it is counted: code that moves
 *				a page that was already counted corrects the sum
 *				(mm/zone.h#audit, mm/reclaim/lru_state.h#lru_audit)
 *	the length of a list	is compared if the list did not change during the
 *				walk.  If it did, the walk begins again; after
 *				CHECK_WALKS attempts the length is not compared
 *
 * So a check never reports sound data, and finds all damage on a machine at rest; on
 * a busy one it finds all but lists of a wrong length.
 *
 * In a panic (TRY_LOCK) no other code runs and no lock is waited for; if the code that
 * panicked held the lock, the data may be half changed, and the message says
 * "unlocked".  A pointer is followed only where it leads to a page.
 */
#ifndef MM_DEBUG_CHECK_H
#define MM_DEBUG_CHECK_H

#include "kernel/core/lock.h"
#include "lib/list.h"
#include "mm/page.h"

struct zone;

/* Steps under a lock: a few dozen instructions each. */
#define CHECK_SLICE 16

/* How often a walk begins again. */
#define CHECK_WALKS 8

/*
 * A walk along LIST, which LOCK guards, with CHANGES counting each change to it.
 * LOOK gets each element and returns NULL, or its defect; it must not follow a pointer
 * before it has checked where it leads.  LOCK is NULL if no other code can run, or
 * if the caller holds it and the list is short.
 */
struct check_walk {
	struct spinlock *lock;
	const unsigned long *changes;
	const struct list *list;
	const unsigned long *length; /* how many there should be */
	const char *(*look)(const struct list *at, void *data);
	void *data;

	/* Out: what is wrong, where, and how many were seen. */
	const char *broken; /* NULL: nothing; check_length: the length */
	const struct list *at;
	unsigned long seen;
};

extern const char check_length[];

/* Walk; true: all is well, or the list keeps changing.  Any context. */
bool check_walk_list(struct check_walk *walk);

/*
 * PAGE is in no block.  How many pages from it on are not, and have the same word, flags
 * and all: at least 1, at most MOST, and few enough for one look.  A block that has the
 * page behind PAGE, but not PAGE, begins there, and its head's word says so.
 */
unsigned long check_pass_none(const struct page *page, unsigned long most);

/*
 * The head of the block that PAGE of ZONE is in, or NULL: it is in none.  *REST: the pages
 * from PAGE on to the end of the block, or those of check_pass_none(); at least 1, at most
 * to the end of the zone.  A look at the head, or at PAGE, answers for all of them.
 * Whatever guards what the check counts is held: then no page of a block that is free can
 * begin to count.
 */
const struct page *check_next_block(const struct zone *zone,
                                    const struct page *page,
                                    unsigned long *rest);

/*
 * A check writes its message to BUFFER while it holds locks.  So BUFFER is cleared
 * before it takes any: NULL, or an error message if BUFFER is not the caller's
 * memory.
 */
const char *check_buffer(char *buffer, size_t size);

/* Is AT, an element of a list of pages, the link of one of COUNT PAGES?  Follows
 * nothing. */
static inline bool check_is_page(const struct page *pages, unsigned long count,
                                 const struct list *at)
{
	uintptr_t offset = (uintptr_t)container_of(at, struct page, link) -
	                   (uintptr_t)pages;

	return offset / sizeof(*pages) < count && offset % sizeof(*pages) == 0;
}

#endif
