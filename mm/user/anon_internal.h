/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_internal.h -- what the files of anonymous memory share.
 *
 * The theory, the invariants and the locks are in mm/user/anon.c.
 */
#ifndef MM_USER_ANON_INTERNAL_H
#define MM_USER_ANON_INTERNAL_H

#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "mm/gfp.h"
#include "mm/reclaim/address_space.h"
#include "mm/user/anon.h"

/* The mask for anonymous pages: GFP_HIGHUSER_MOVABLE without HARDWALL,
 * which is for user processes and cpusets. */
#define GFP_ANON      (GFP_KERNEL | __GFP_HIGHMEM | __GFP_MOVABLE)

/* Bits of a word beside the page. */
#define WORD_ENTRY    1UL /* it is a swap entry */
#define WORD_ACCESSED 2UL /* the page was used since reclaim last asked */

/* Field locks: (o) object->lock, (a) anon.lock, (c) constant. */
struct anon_object {
	struct address_space
		mapping; /* mapping.nrpages: (o) words with a page */
	struct spinlock lock;
	struct list link;             /* (a) among all objects */
	unsigned int references;      /* (a) its maker's, and of visitors */
	struct thread *owner;         /* (o) for its counters; or NULL */
	uint64_t owner_id;            /* (o) its number, or 0 */
	unsigned long pages;          /* (c) */
	unsigned long swapped;        /* (o) words with an entry */
	unsigned long changes;        /* (o) words that were set, ever */
	bool dead;                    /* (o) reaped or destroyed */
	uintptr_t *leaf[ANON_LEAVES]; /* (o) set once */
};
static_assert(sizeof(struct anon_object) <= PAGE_SIZE, "one page");

/* One for the kernel.  Field locks as above. */
struct anon_state {
	struct spinlock lock;
	struct list objects; /* (a) */
	unsigned long users; /* atomic: calls and pins with a reference */
};
extern struct anon_state anon;

/* The caller may have references of pages from here on, or no more. */
static inline void anon_use(void)
{
	__atomic_fetch_add(&anon.users, 1, __ATOMIC_SEQ_CST);
}

static inline void anon_used(void)
{
	unsigned long before =
		__atomic_fetch_sub(&anon.users, 1, __ATOMIC_SEQ_CST);

	kassert(before > 0);
}

/* ---- Words; object->lock is held ----------------------------------------- */

static inline struct page *anon_word_page(uintptr_t word)
{
	if (word & WORD_ENTRY)
		return NULL;
	return (struct page *)(word & ~WORD_ACCESSED);
}

static inline swp_entry_t anon_word_entry(uintptr_t word)
{
	return (swp_entry_t){ word & WORD_ENTRY ? (uint32_t)(word >> 2) : 0 };
}

static inline uintptr_t anon_word_of_entry(swp_entry_t entry)
{
	kassert(entry.value != 0);
	return (uintptr_t)entry.value << 2 | WORD_ENTRY;
}

static inline uintptr_t anon_word_of_page(struct page *page)
{
	kassert(((uintptr_t)page & (WORD_ENTRY | WORD_ACCESSED)) == 0);
	return (uintptr_t)page | WORD_ACCESSED;
}

/* Word INDEX, or NULL if its leaf was never needed. */
uintptr_t *anon_find_word(struct anon_object *object, unsigned long index);

/* The value of word INDEX; 0 if its leaf was never needed. */
uintptr_t anon_read_word(struct anon_object *object, unsigned long index);

/* Give the word, which has a leaf, another value, and count. */
void anon_set_word(struct anon_object *object, unsigned long index,
                   uintptr_t value);

/* ---- Objects ------------------------------------------------------------- */

static inline struct anon_object *anon_object_of(const struct page *page)
{
	kassert(page->mapping != NULL);
	return page->mapping->host;
}

/* Drop a reference of the object; the last one frees it. */
void anon_put_object(struct anon_object *object);

/* The object after AT on the list (NULL: the first), with a reference; that of
 * AT is dropped.  NULL after the last. */
struct anon_object *anon_next_object(struct anon_object *at);

#define for_each_anon_object(object)                                           \
	for ((object) = anon_next_object(NULL); (object) != NULL;              \
	     (object) = anon_next_object(object))

/* ---- Pages --------------------------------------------------------------- */

/* The operations of reclaim on pages of objects: mm/user/anon_reclaim.c. */
extern const struct address_space_ops anon_ops;

/* PAGE, locked, has left its object: as it was when it was allocated. */
void anon_detach(struct page *page);

/* Read word INDEX; a page is marked as used, and gets a reference.  0 or
 * -EFAULT. */
int anon_look(struct anon_object *object, unsigned long index, uintptr_t *word);

/* The page at ENTRY comes back to word INDEX, pinned.  0, -EAGAIN: another thread
 * was faster, or the error. */
int anon_swap_in(struct anon_object *object, unsigned long index,
                 swp_entry_t entry, gfp_t gfp, struct page **pinned);

/* PAGE, locked and not under writeback, is all there is; its slot is free. */
void anon_forget_slot(struct page *page);

#endif
