/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_unuse.c -- swapoff: everything on one area comes back.
 *
 * All objects are walked, and all their words.  The area is going: no page gets a
 * slot there and no word an entry (swap_duplicate() refuses), so one walk is
 * enough.  A page in memory that still has a slot of the area loses it.
 * (Linux: try_to_unuse().)
 *
 * Invariants: A1 to A4 (mm/user/anon.c).  Nothing is lost if the walk ends early.
 *
 * Locking: none here; the walk keeps its current object by a reference.
 */
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/anon_internal.h"

/* Rather fail than make the OOM killer kill somebody for a swapoff. */
#define GFP_UNUSE (GFP_ANON | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* PAGE, pinned, keeps no slot of area TYPE. */
static void anon_forget_slot_on(struct page *page, unsigned int type)
{
	lock_page(page);
	wait_on_page_writeback(page);
	if (page_has(page, PG_swapcache) &&
	    swp_type(page_swap_entry(page)) == type)
		anon_forget_slot(page);
	unlock_page(page);
}

/* Word INDEX has nothing on area TYPE any more.  0 or -errno. */
static int anon_unuse_index(struct anon_object *object, unsigned long index,
                            unsigned int type)
{
	struct page *page;
	uintptr_t word;
	int error;

	do {
		/* -EFAULT: the reaper that made it dead empties it. */
		if (anon_look(object, index, &word) != 0)
			return 0;
		page = anon_word_page(word);
		error = 0;
		if (anon_word_entry(word).value != 0 &&
		    swp_type(anon_word_entry(word)) == type)
			error = anon_swap_in(object, index,
			                     anon_word_entry(word), GFP_UNUSE,
			                     &page);
	} while (error == -EAGAIN);
	if (error == -EFAULT)
		return 0;
	if (error != 0 || page == NULL)
		return error;
	anon_forget_slot_on(page, type);
	put_page(page);
	return 0;
}

static int anon_unuse_object(struct anon_object *object, unsigned int type)
{
	for (unsigned long index = 0; index < object->pages; index++) {
		int error = thread_has_flags(current_thread(), THREAD_KILLED)
		                    ? -EINTR
		                    : anon_unuse_index(object, index, type);

		if (error != 0)
			return error;
	}
	return 0;
}

int anon_unuse(unsigned int type)
{
	struct anon_object *object;
	int error = 0;

	might_sleep();
	kassert(type < MAX_SWAPFILES);
	anon_use();
	for_each_anon_object(object)
	{
		if (error == 0)
			error = anon_unuse_object(object, type);
	}
	anon_used();
	return error;
}
