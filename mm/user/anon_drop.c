/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_drop.c -- the end of an object's pages.
 *
 * An object ends twice.  Its creator destroys it: that waits for each page.  Or the
 * OOM reaper takes everything away from a thread that was killed: that waits for
 * nothing, and skips a page that is locked or under writeback; the reaper comes
 * back for it.  In both cases the object is dead first, so no word gets a page
 * after it was emptied.
 *
 * Invariants: A1 to A4 (mm/user/anon.c); a word of a dead object changes to 0 only,
 * or from a page to an entry.
 *
 * Locking: object->lock for each word; the page is locked where it leaves.
 */
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/anon_internal.h"

/* Take PAGE, locked, not under writeback, out of its object, whatever is in it.
 * The word's reference goes. */
static void anon_drop_page(struct anon_object *object, struct page *page)
{
	bool enabled = spin_lock_irqsave(&object->lock);

	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	kassert(object->dead && page->mapping == &object->mapping);
	kassert(anon_word_page(anon_read_word(object, page->index)) == page);
	anon_set_word(object, page->index, 0);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (page_has(page, PG_swapcache))
		swap_cache_remove(page);
	lru_remove(main_node(), page);
	anon_detach(page);
	put_kept_page(page);
}

/* Lock PAGE of OBJECT and see that it is not being written; without WAIT only
 * if nobody else is at it. */
static bool anon_lock_idle(struct page *page, bool wait)
{
	if (wait) {
		lock_page(page);
		wait_on_page_writeback(page);
		return true;
	}
	if (!trylock_page(page))
		return false;
	if (!page_has(page, PG_writeback))
		return true;
	unlock_page(page);
	return false;
}

/* Empty word INDEX.  False: the page is busy, and WAIT is false. */
static bool anon_drop_index(struct anon_object *object, unsigned long index,
                            bool wait)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	uintptr_t word = anon_read_word(object, index);
	struct page *page = anon_word_page(word);
	bool idle;

	kassert(index < object->pages && object->dead);
	if (page != NULL)
		get_page(page);
	else if (word != 0)
		anon_set_word(object, index, 0);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (page == NULL) {
		if (word != 0)
			swap_free(anon_word_entry(word));
		return true;
	}
	held_take(HELD_PIN, page, RETURN_ADDRESS());
	idle = anon_lock_idle(page, wait);
	/* It may have gone to swap meanwhile: the next round finds out. */
	if (idle && page->mapping == &object->mapping)
		anon_drop_page(object, page);
	if (idle)
		unlock_page(page);
	put_page(page);
	return idle && anon_read_word(object, index) == 0;
}

/* Empty all words; accesses fail from now on.  True: nothing is left. */
static bool anon_drop_all(struct anon_object *object, bool wait)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	bool empty = true;

	object->dead = true;
	spin_unlock_irqrestore(&object->lock, enabled);
	anon_use();
	for (unsigned long index = 0; index < object->pages; index++) {
		bool dropped = anon_drop_index(object, index, wait);

		while (!dropped && wait)
			dropped = anon_drop_index(object, index, wait);
		empty = empty && dropped;
	}
	anon_used();
	return empty;
}

void anon_object_destroy(struct anon_object *object)
{
	unsigned int held = held_total();

	might_sleep();
	anon_drop_all(object, true);
	anon_put_object(object);
	held_expect(held, __func__);
}

bool anon_reap(uint64_t owner)
{
	struct anon_object *object;
	bool empty = true;

	for_each_anon_object(object)
	{
		if (READ_ONCE(object->owner) != NULL &&
		    READ_ONCE(object->owner_id) == owner)
			empty = anon_drop_all(object, false) && empty;
	}
	return empty;
}
