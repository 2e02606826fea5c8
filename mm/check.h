/* SPDX-License-Identifier: MIT */
/*
 * mm/check.h -- how a check looks at what does not stand still.
 *
 * A check of all pages takes long, and no lock may be held for so long.  So a
 * check works in slices of CHECK_SLICE steps, and between two of them it drops
 * its lock and everybody goes on.  What it may say then is of three kinds:
 *
 *	one thing by itself	(a page and what it names) is right whenever the
 *				lock is held: a slice tells
 *	a sum over all pages	is kept while it is counted: who moves a page that
 *				is counted already corrects the count
 *				(mm/zone.h#audit, mm/lru_state.h#lru_audit)
 *	the length of a list	is compared if the list did not change during the
 *				walk.  If it did, the walk begins again, and after
 *				CHECK_WALKS times nothing is said about it
 *
 * So a check never accuses what is sound, and finds all damage on a machine at
 * rest; on a busy one it finds all but lists of a wrong length.
 *
 * In a panic (TRY_LOCK) nobody else runs and no lock is waited for; if the lock
 * is held by who panicked, what is read may be half changed, and the sentence
 * says "unlocked".  A pointer is followed only where it leads to a page.
 */
#ifndef MM_CHECK_H
#define MM_CHECK_H

#include "kernel/core/lock.h"
#include "lib/list.h"
#include "mm/page.h"

/* Steps under a lock: a few dozen instructions each. */
#define CHECK_SLICE 16

/* How often a walk begins again. */
#define CHECK_WALKS 8

/*
 * A walk along LIST, which LOCK guards, with CHANGES counting each change to it.
 * LOOK is told of each element: NULL, or what is wrong with it, and must not
 * follow a pointer before it has seen where it leads.  LOCK is NULL if nobody
 * else can run, or the caller holds it and the list is short.
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

/* Walk; true: all is well, or the list does not stand still.  Any context. */
bool check_walk_list(struct check_walk *walk);

/*
 * What a check has to say goes to BUFFER, while it holds locks.  So BUFFER is
 * cleared before it takes any: NULL, or a sentence for the caller, whose memory it
 * is not.
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
