/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_access.c -- using a page of an object, wherever it is.
 *
 * anon_find_page() is the page fault of anonymous memory (Linux: do_anonymous_page()
 * and do_swap_page()).  It reads the word and takes the step that it needs: a
 * reference of the page, a new page of zeroes, or a page that is filled from
 * swap.  Memory is allocated and the device is read without a lock; then the page
 * is installed if the word is still the same.  If it is not, another thread was
 * faster: its work is done, and the word is read again.
 *
 * A page that is being read from swap is in the swap cache, locked, and in no
 * word; a second reader finds it by the slot and waits for its lock.
 *
 * Invariants: A1 to A4 (mm/user/anon.c) hold whenever object->lock is free and the
 * page is not locked.
 *
 * Locking: object->lock to read and to install a word.  A copy holds no lock, only
 * a reference, which is counted in anon.users.
 */
#include "kernel/arch/copy.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/anon_internal.h"

/* ---- Pages into and out of an object ------------------------------------- */

/* Word INDEX has a leaf from now on.  0 or -ENOMEM. */
static int anon_need_leaf(struct anon_object *object, unsigned long index)
{
	uintptr_t **leaf = &object->leaf[index / ANON_LEAF_PAGES];
	uintptr_t fresh;
	bool enabled;

	if (READ_ONCE(*leaf) != NULL)
		return 0;
	fresh = get_zeroed_page(GFP_KERNEL);
	if (fresh == 0)
		return -ENOMEM;
	enabled = spin_lock_irqsave(&object->lock);
	if (*leaf == NULL) {
		WRITE_ONCE(*leaf, (uintptr_t *)fresh);
		fresh = 0;
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	free_page(fresh);
	return 0;
}

/* PAGE, locked, will be page INDEX of OBJECT. */
static void anon_attach(struct anon_object *object, unsigned long index,
                        struct page *page)
{
	kassert(page_has(page, PG_locked) && !page_has(page, PG_lru));
	page->mapping = &object->mapping;
	page->index = index;
	page_set(page, PG_swapbacked);
	page_set(page, PG_uptodate);
}

/* PAGE, locked, leaves its object and is as it was when it was allocated. */
void anon_detach(struct page *page)
{
	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	clear_page_dirty_for_io(page);
	page_clear(page, PG_swapbacked);
	page_clear(page, PG_uptodate);
	page_clear(page, PG_error);
	page_clear(page, PG_referenced);
	page->mapping = NULL;
	page->index = 0;
}

/* Word INDEX becomes PAGE if it still is EXPECTED; a reference more, the
 * caller's.  0, -EAGAIN, or -EFAULT: the object is dead. */
static int anon_install(struct anon_object *object, unsigned long index,
                        uintptr_t expected, struct page *page)
{
	bool enabled;
	int error = 0;

	anon_attach(object, index, page);
	enabled = spin_lock_irqsave(&object->lock);
	if (object->dead)
		error = -EFAULT;
	else if (anon_read_word(object, index) != expected)
		error = -EAGAIN;
	else
		anon_set_word(object, index, anon_word_of_page(page));
	if (error == 0)
		get_page(page);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (error != 0)
		anon_detach(page);
	return error;
}

/* ---- First touch, and back from swap ------------------------------------- */

/* A new page of zeroes for word INDEX, pinned. */
static int anon_first_touch(struct anon_object *object, unsigned long index,
                            struct page **pinned)
{
	struct page *page;
	int error = anon_need_leaf(object, index);

	if (error != 0)
		return error;
	page = alloc_page(GFP_ANON | __GFP_ZERO);
	if (page == NULL)
		return -ENOMEM;
	lock_page(page);
	error = anon_install(object, index, 0, page);
	if (error == 0) {
		set_page_dirty(page);
		lru_add(main_node(), page);
	}
	unlock_page(page);
	if (error != 0) {
		put_page(page);
		page = NULL;
	} else {
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	}
	*pinned = page;
	return error;
}

/* Somebody else reads what is at the slot of PAGE: wait for it. */
static int anon_wait_for_reader(struct page *page)
{
	lock_page(page);
	unlock_page(page);
	put_page(page);
	return -EAGAIN;
}

/* PAGE, locked and not under writeback, is all there is; its slot is free. */
void anon_forget_slot(struct page *page)
{
	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	set_page_dirty(page);
	swap_cache_remove(page);
}

/* Fill PAGE, locked, with the contents at ENTRY, for word INDEX. */
static int anon_fill_from_swap(struct anon_object *object, unsigned long index,
                               swp_entry_t entry, struct page *page)
{
	int error;

	kassert(entry.value != 0 && page_has(page, PG_locked));
	error = swap_cache_add(entry, page);
	/* Another reader was quicker, or has it already: look again. */
	if (error == -EEXIST || error == -ENOENT)
		return -EAGAIN;
	if (error != 0)
		return error;
	error = swap_readpage(page);
	if (error == 0)
		error = anon_install(object, index, anon_word_of_entry(entry),
		                     page);
	if (error != 0) {
		swap_cache_remove(page);
		return error;
	}
	/* The reference of the word; the cache has another. */
	swap_free(entry);
	if (vm_swap_full())
		anon_forget_slot(page);
	return 0;
}

/* The page at ENTRY comes back to word INDEX, pinned. */
int anon_swap_in(struct anon_object *object, unsigned long index,
                 swp_entry_t entry, gfp_t gfp, struct page **pinned)
{
	struct page *page = swap_cache_get(entry);
	int error;

	if (page != NULL)
		return anon_wait_for_reader(page);
	page = alloc_page(gfp);
	if (page == NULL)
		return -ENOMEM;
	lock_page(page);
	error = anon_fill_from_swap(object, index, entry, page);
	if (error == 0)
		lru_add(main_node(), page);
	unlock_page(page);
	if (error != 0) {
		put_page(page);
		page = NULL;
	} else {
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	}
	*pinned = page;
	return error;
}

/* ---- Access -------------------------------------------------------------- */

/* Read word INDEX; a page is marked as used, and gets a reference.  0 or
 * -EFAULT. */
int anon_look(struct anon_object *object, unsigned long index, uintptr_t *word)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	int error = object->dead ? -EFAULT : 0;

	kassert(__atomic_load_n(&anon.users, __ATOMIC_SEQ_CST) > 0);
	*word = error == 0 ? anon_read_word(object, index) : 0;
	if (anon_word_page(*word) != NULL) {
		kassert(page_ref_count(anon_word_page(*word)) > 0);
		*anon_find_word(object, index) |= WORD_ACCESSED;
		get_page(anon_word_page(*word));
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	if (anon_word_page(*word) != NULL)
		held_take(HELD_PIN, anon_word_page(*word), RETURN_ADDRESS());
	return error;
}

/*
 * Page INDEX in memory, with a reference.  NULL: it was never touched, and CREATE is
 * false, or it is an error.  -EAGAIN from a step means that another thread was
 * quicker: its work is done, so the next round gets further.
 */
static int anon_find_page(struct anon_object *object, unsigned long index,
                          bool create, struct page **page)
{
	uintptr_t word;
	int error;

	do {
		error = anon_look(object, index, &word);
		*page = anon_word_page(word);
		if (error != 0 || *page != NULL)
			return error;
		if (word != 0)
			error = anon_swap_in(object, index,
			                     anon_word_entry(word), GFP_ANON,
			                     page);
		else if (create)
			error = anon_first_touch(object, index, page);
	} while (error == -EAGAIN);
	return error;
}

/* As anon_find_page(); the reference is counted until anon_object_unpin(). */
static int anon_pin_found(struct anon_object *object, unsigned long index,
                          bool create, struct page **page)
{
	int error;

	anon_use();
	error = anon_find_page(object, index, create, page);
	if (error != 0 || *page == NULL)
		anon_used();
	return error;
}

/* PAGE, pinned, was changed.  If slots are rare, the one with its old contents
 * is given back. */
static void anon_touched(struct page *page)
{
	set_page_dirty(page);
	if (!page_has(page, PG_swapcache) || !vm_swap_full() ||
	    !trylock_page(page))
		return;
	if (page_has(page, PG_swapcache) && !page_has(page, PG_writeback))
		anon_forget_slot(page);
	unlock_page(page);
}

int anon_object_pin(struct anon_object *object, unsigned long index,
                    struct page **page)
{
	/* While an error is still possible: later *page goes with a pin. */
	int error = clear_caller(page, sizeof(void *));

	might_sleep();
	if (error != 0)
		return error;
	if (index >= object->pages)
		return -EINVAL;
	return anon_pin_found(object, index, true, page);
}

void anon_object_unpin(struct page *page, bool written)
{
	if (written)
		anon_touched(page);
	put_page(page);
	anon_used();
}

static bool anon_is_inside(const struct anon_object *object,
                           unsigned long offset, unsigned long bytes)
{
	unsigned long size = object->pages * PAGE_SIZE;

	return offset <= size && bytes <= size - offset;
}

/* How many of BYTES bytes from OFFSET on are in one page. */
static unsigned long anon_bytes_in_page(unsigned long offset,
                                        unsigned long bytes)
{
	return min(bytes, PAGE_SIZE - offset % PAGE_SIZE);
}

static int anon_write(struct anon_object *object, unsigned long offset,
                      const void *from, unsigned long bytes)
{
	unsigned long done = 0;

	while (done < bytes) {
		unsigned long at = offset + done;
		unsigned long part = anon_bytes_in_page(at, bytes - done);
		struct page *page;
		int error = anon_pin_found(object, at / PAGE_SIZE, true, &page);

		if (error != 0)
			return error;
		error = copy_from_caller((char *)page_address(page) +
		                                 at % PAGE_SIZE,
		                         (const char *)from + done, part);
		anon_object_unpin(page, true);
		if (error != 0)
			return error;
		done += part;
	}
	return 0;
}

int anon_object_write(struct anon_object *object, unsigned long offset,
                      const void *from, unsigned long bytes)
{
	unsigned int held = held_total();
	int error = -EINVAL;

	might_sleep();
	if (anon_is_inside(object, offset, bytes))
		error = anon_write(object, offset, from, bytes);
	held_expect(held, __func__);
	return error;
}

static int anon_read(struct anon_object *object, unsigned long offset, void *to,
                     unsigned long bytes)
{
	unsigned long done = 0;

	while (done < bytes) {
		unsigned long at = offset + done;
		unsigned long part = anon_bytes_in_page(at, bytes - done);
		struct page *page;
		int error =
			anon_pin_found(object, at / PAGE_SIZE, false, &page);

		if (error != 0)
			return error;
		if (page == NULL) {
			error = clear_caller((char *)to + done, part);
		} else {
			error = copy_to_caller((char *)to + done,
			                       (char *)page_address(page) +
			                               at % PAGE_SIZE,
			                       part);
			anon_object_unpin(page, false);
		}
		if (error != 0)
			return error;
		done += part;
	}
	return 0;
}

int anon_object_read(struct anon_object *object, unsigned long offset, void *to,
                     unsigned long bytes)
{
	unsigned int held = held_total();
	int error = -EINVAL;

	might_sleep();
	if (anon_is_inside(object, offset, bytes))
		error = anon_read(object, offset, to, bytes);
	held_expect(held, __func__);
	return error;
}
