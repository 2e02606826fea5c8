/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_reclaim.c -- pages of objects that leave memory for swap.
 *
 *	add_to_swap	the page gets a slot and is in the swap cache
 *	writepage	it is written there; a slot that is bad is replaced
 *	release		its word becomes the entry of the slot
 *	migrate		another page takes its place in memory
 *
 * The order of the checks in anon_may_leave() is what makes the last step safe.
 * Under object->lock the page gets no new references.  If reclaim has the only one
 * besides the word's, a writer that had another set PG_dirty before it dropped it: so
 * the references are read first, PG_dirty afterwards.
 *
 * Invariants: A1 to A3 (mm/user/anon.c).  From add_to_swap to the end of release
 * the page is locked, except while it is under writeback.
 *
 * Locking: the page is locked; object->lock to change the word, swap's lock inside.
 * Nothing here allocates, so reclaim can call it.
 */
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/anon_internal.h"

/* ---- What reclaim asks --------------------------------------------------- */

/* PAGE is locked. */
static int anon_add_to_swap(struct page *page)
{
	kassert(page_has(page, PG_locked));
	if (page_has(page, PG_swapcache))
		return 0;
	if (swap_slot_alloc(page).value == 0)
		return -ENOSPC;
	set_page_dirty(page);
	return 0;
}

/* PAGE, locked, has a slot that can be written. */
static int anon_need_good_slot(struct page *page)
{
	if (page_has(page, PG_swapcache) &&
	    swap_slot_is_bad(page_swap_entry(page)))
		swap_cache_remove(page);
	return anon_add_to_swap(page);
}

static int anon_writepage(struct page *page)
{
	int error = anon_need_good_slot(page);

	if (error == 0) {
		kassert(page_has(page, PG_locked) &&
		        !page_has(page, PG_writeback));
		page_clear(page, PG_error);
		clear_page_dirty_for_io(page);
		set_page_writeback(page);
		error = swap_writepage(page);
		if (error != 0)
			end_page_writeback(page);
	}
	if (error != 0)
		set_page_dirty(page);
	unlock_page(page);
	return error;
}

/* May PAGE, locked, leave?  object->lock held, so that it gets no more
 * references; a holder set PG_dirty before it dropped its reference. */
static bool anon_may_leave(const struct page *page)
{
	kassert(page_has(page, PG_locked));
	kassert(spin_is_mine(&anon_object_of(page)->lock));
	return page_ref_count(page) == RECLAIM_REFERENCES &&
	       !page_has(page, PG_dirty) && !page_has(page, PG_writeback) &&
	       page_has(page, PG_swapcache);
}

/* The word of PAGE, locked, becomes its entry, if it may.  The word's reference
 * is the caller's then. */
static bool anon_leave_for_swap(struct page *page)
{
	struct anon_object *object = anon_object_of(page);
	swp_entry_t entry = page_swap_entry(page);
	bool enabled = spin_lock_irqsave(&object->lock);
	bool leaves = anon_may_leave(page) && swap_duplicate(entry) == 0;

	if (leaves) {
		/* The slot has what the page has. */
		kassert(!page_has(page, PG_dirty));
		anon_set_word(object, page->index, anon_word_of_entry(entry));
		swap_cache_remove(page);
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	return leaves;
}

/* PAGE is locked and off the lru. */
static bool anon_release(struct page *page)
{
	if (!anon_leave_for_swap(page))
		return false;
	anon_detach(page);
	put_kept_page(page);
	return true;
}

/* FROM and TO are locked. */
static int anon_migrate(struct page *from, struct page *to)
{
	struct anon_object *object = anon_object_of(from);
	unsigned long index = from->index;
	bool enabled = spin_lock_irqsave(&object->lock);
	/* The reaper empties a dead object, and comes back for a page that is locked. */
	bool moves =
		page_ref_count(from) == RECLAIM_REFERENCES && !object->dead;

	kassert(page_has(from, PG_locked) && !page_has(from, PG_writeback));
	if (moves) {
		uintptr_t word = *anon_find_word(object, index);

		kassert(anon_word_page(word) == from);
		migrate_replace(main_node(), from, to);
		if (page_has(from, PG_swapcache))
			swap_cache_replace(from, to);
		anon_set_word(object, index,
		              (uintptr_t)to | (word & WORD_ACCESSED));
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	if (moves)
		put_kept_page(from);
	return moves ? 0 : -EAGAIN;
}

/* PAGE is locked. */
static bool anon_referenced(struct page *page)
{
	struct anon_object *object = anon_object_of(page);
	bool enabled = spin_lock_irqsave(&object->lock);
	uintptr_t *word = anon_find_word(object, page->index);
	bool accessed = (*word & WORD_ACCESSED) != 0;

	kassert(page_has(page, PG_locked));
	kassert(anon_word_page(*word) == page);
	*word &= ~WORD_ACCESSED;
	spin_unlock_irqrestore(&object->lock, enabled);
	return accessed;
}

const struct address_space_ops anon_ops = {
	.name = "anon",
	.needs_io = true,
	.writepage = anon_writepage,
	.add_to_swap = anon_add_to_swap,
	.release = anon_release,
	.migrate = anon_migrate,
	.referenced = anon_referenced,
};

/* ---- Swapping out by hand ------------------------------------------------ */

/* PAGE, locked, is written out if it must be.  0 or -errno; locked again. */
static int anon_clean(struct page *page)
{
	int error;

	kassert(page_has(page, PG_locked));
	wait_on_page_writeback(page);
	if (!page_has(page, PG_dirty) && page_has(page, PG_swapcache))
		return 0;
	error = anon_writepage(page);
	if (error == 0)
		wait_on_page_writeback(page);
	lock_page(page);
	if (error == 0 && page_has(page, PG_error))
		error = -EIO;
	return error;
}

/* PAGE, locked, goes to swap, as if it were taken away: reclaim may look at it
 * meanwhile.  0 or -errno. */
static int anon_push_out(struct page *page)
{
	int error = anon_clean(page);

	if (error != 0 || page->mapping == NULL)
		return error;
	if (!anon_leave_for_swap(page))
		return -EBUSY;
	lru_remove(main_node(), page);
	anon_detach(page);
	put_kept_page(page);
	return 0;
}

static int anon_swap_out_index(struct anon_object *object, unsigned long index)
{
	unsigned int held = held_total();
	struct page *page;
	uintptr_t word;
	int error;

	error = anon_look(object, index, &word);
	page = anon_word_page(word);
	if (error != 0 || page == NULL)
		return error;
	lock_page(page);
	if (page->mapping == &object->mapping)
		error = anon_push_out(page);
	unlock_page(page);
	put_page(page);
	held_expect(held, __func__);
	return error;
}

int anon_object_swap_out(struct anon_object *object, unsigned long index)
{
	int error;

	might_sleep();
	if (index >= object->pages)
		return -EINVAL;
	anon_use();
	error = anon_swap_out_index(object, index);
	anon_used();
	return error;
}
