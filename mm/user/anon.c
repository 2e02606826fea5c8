/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon.c -- anonymous memory: objects, and the words that they consist of.
 *
 * An object has a table of two levels, one word for each page, which is what a
 * page table entry will be for a process:
 *
 *	object -> leaf[0] -> word[0]   0               never touched: zeroes
 *	          leaf[1]    word[1]   page | accessed in memory
 *	          ...        word[2]   entry << 2 | 1  on swap
 *
 *	   anon_first_touch()       add_to_swap      writepage
 *	   0 ----------------> page, dirty ------> + slot -------> clean
 *	                          ^  |                  ^            |
 *	           anon_touched() |  | drop             | anon_      | release
 *	                          |  v                  | swap_in()  v
 *	                         clean <----------------+--------- entry
 *
 * A page that came back keeps its slot for as long as swap is not half full:
 * unless it is written to, it can leave again without being written out.
 *
 *	mm/user/anon_access.c	first touch, back from swap, copying, pins
 *	mm/user/anon_reclaim.c	what reclaim calls; swapping out on request
 *	mm/user/anon_drop.c	the end of an object: destroyed, or reaped
 *	mm/user/anon_unuse.c	swapoff: everything back from one area
 *	mm/user/anon_check.c	the invariants
 *
 * Invariants, checked by anon_check():
 *
 *  A1  A word with a page: the page's mapping and index lead back to the word,
 *      it is up to date, and it is dirty, or under writeback, or in the swap
 *      cache.
 *  A2  A word with an entry has a reference of the slot.
 *  A3  resident and swapped are the numbers of such words.
 *  A4  A page has one reference from its word.  With more, a thread copies, waits
 *      or reclaims, and the page stays.  Such threads are counted in anon.users,
 *      and reclaim in its in_hand, from before they take the reference until after
 *      they have dropped it.
 *
 * Locking: object->lock for the words, taken before swap's lock; held for a few
 * instructions, never while anything sleeps or allocates.  So reclaim can run on
 * top of an access, even of the same object: it meets no lock that the access
 * holds.  A page leaves the object with the page locked and object->lock held;
 * with either of them page->mapping stays as it is.  New references come from
 * words, under object->lock: there release() sees whether it is alone.  A copy
 * holds a reference and no lock; it marks the page dirty when it is done.
 * anon.lock, for the list of objects, is taken with no other lock held.
 *
 * Further reading: Gorman, Understanding the Linux Virtual Memory Manager,
 * 4.3 and 11.4; Cranor, Parulkar: The UVM Virtual Memory System (amaps).
 */
#include "mm/user/anon.h"

#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/page_alloc.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "mm/user/anon_internal.h"

struct anon_state anon;

void anon_start(void)
{
	anon.lock = (struct spinlock)SPINLOCK_INIT("anon");
	list_init(&anon.objects);
	anon.users = 0;
	swapoff_register(anon_unuse);
}

/* ---- Words --------------------------------------------------------------- */

/* Word INDEX, or NULL if its leaf was never needed. */
uintptr_t *anon_find_word(struct anon_object *object, unsigned long index)
{
	uintptr_t *leaf = object->leaf[index / ANON_LEAF_PAGES];

	kassert(index < object->pages);
	return leaf == NULL ? NULL : &leaf[index % ANON_LEAF_PAGES];
}

uintptr_t anon_read_word(struct anon_object *object, unsigned long index)
{
	const uintptr_t *word = anon_find_word(object, index);

	return word == NULL ? 0 : *word;
}

/* Give the word another value, and count.  object->lock held. */
void anon_set_word(struct anon_object *object, unsigned long index,
                   uintptr_t value)
{
	uintptr_t *word = anon_find_word(object, index);
	long pages = (anon_word_page(value) != NULL) -
	             (anon_word_page(*word) != NULL);
	long entries = (anon_word_entry(value).value != 0) -
	               (anon_word_entry(*word).value != 0);

	kassert(spin_is_mine(&object->lock));
	kassert(!object->dead || anon_word_page(value) == NULL);
	kassert(pages >= 0 || object->mapping.nrpages > 0);
	kassert(entries >= 0 || object->swapped > 0);
	*word = value;
	object->changes++;
	object->mapping.nrpages += (unsigned long)pages;
	object->swapped += (unsigned long)entries;
	if (object->owner == NULL)
		return;
	/* Other objects of the owner have other locks. */
	__atomic_fetch_add(&object->owner->mm->rss, (unsigned long)pages,
	                   __ATOMIC_RELAXED);
	__atomic_fetch_add(&object->owner->mm->swapents, (unsigned long)entries,
	                   __ATOMIC_RELAXED);
}

/* ---- Objects ------------------------------------------------------------- */

struct anon_object *anon_object_create(unsigned long pages)
{
	struct anon_object *object;
	bool enabled;

	if (pages == 0 || pages > ANON_MAX_PAGES)
		return NULL;
	object = (struct anon_object *)get_zeroed_page(GFP_KERNEL);
	if (object == NULL)
		return NULL;
	object->mapping.ops = &anon_ops;
	object->mapping.host = object;
	object->lock = (struct spinlock)SPINLOCK_INIT("anon object");
	object->references = 1;
	object->owner = current_thread();
	object->owner_id = thread_owner_id(object->owner);
	object->pages = pages;
	enabled = spin_lock_irqsave(&anon.lock);
	list_append(&anon.objects, &object->link);
	spin_unlock_irqrestore(&anon.lock, enabled);
	return object;
}

void anon_put_object(struct anon_object *object)
{
	bool enabled = spin_lock_irqsave(&anon.lock);
	bool last;

	kassert(object->references > 0);
	last = --object->references == 0;
	if (last)
		list_remove(&object->link);
	spin_unlock_irqrestore(&anon.lock, enabled);
	if (!last)
		return;
	kassert(object->mapping.nrpages == 0 && object->swapped == 0);
	for (unsigned long i = 0; i < ANON_LEAVES; i++)
		free_page((uintptr_t)object->leaf[i]);
	free_page((uintptr_t)object);
}

/* The object behind AT on the list (NULL: the first), with a reference; that of
 * AT goes.  NULL after the last. */
struct anon_object *anon_next_object(struct anon_object *at)
{
	bool enabled = spin_lock_irqsave(&anon.lock);
	struct list *link = at == NULL ? anon.objects.next : at->link.next;
	struct anon_object *next = NULL;

	kassert(at == NULL || at->references > 0);
	if (link != &anon.objects) {
		next = container_of(link, struct anon_object, link);
		next->references++;
	}
	spin_unlock_irqrestore(&anon.lock, enabled);
	if (at != NULL)
		anon_put_object(at);
	return next;
}

struct anon_usage anon_object_usage(struct anon_object *object)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	struct anon_usage usage = {
		.pages = object->pages,
		.resident = object->mapping.nrpages,
		.swapped = object->swapped,
	};

	spin_unlock_irqrestore(&object->lock, enabled);
	return usage;
}

void anon_disown(struct thread *owner)
{
	struct anon_object *object;

	for_each_anon_object(object)
	{
		bool enabled = spin_lock_irqsave(&object->lock);

		if (object->owner_id == thread_owner_id(owner)) {
			object->owner = NULL;
			object->owner_id = 0;
		}
		spin_unlock_irqrestore(&object->lock, enabled);
	}
}
