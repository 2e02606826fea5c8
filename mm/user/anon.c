/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon.c -- anonymous memory: from an index to a page, through swap if need
 * be.
 *
 * An object has a table of two levels, one word for each page, which is what a
 * page table entry will be for a process:
 *
 *	object -> leaf[0] -> word[0]   0               never touched: zeroes
 *	          leaf[1]    word[1]   page | accessed in memory
 *	          ...        word[2]   entry << 2 | 1  on swap
 *
 *	         first_touch()           add_to_swap      writepage
 *	   0 ----------------> page, dirty ------> + slot -------> clean
 *	                          ^  |                  ^            |
 *	           anon_touched() |  | drop             |            | release
 *	                          |  v                  |  swap_in() v
 *	                         clean <----------------+--------- entry
 *
 * A page that came back keeps its slot for as long as swap is not half full:
 * unless it is written to, it can leave again without being written out.
 *
 * Invariants, checked by anon_check():
 *
 *  A1  A word with a page: the page's mapping and index lead back to the word,
 *      it is up to date, and it is dirty, or under writeback, or in the swap
 *      cache.
 *  A2  A word with an entry has a reference of the slot.
 *  A3  resident and swapped are the numbers of such words.
 *  A4  A page has one reference from its word.  More: somebody copies, waits or
 *      reclaims, and the page stays; who does is counted in anon.users, and
 *      reclaim in its in_hand, before they have the reference and until they
 *      have it no more.
 *
 * Locking: object->lock for the words, taken before swap's lock; held for a few
 * instructions, never while anything sleeps or allocates.  So reclaim can run on
 * top of an access, of the same object, too: it meets no lock that the access
 * holds.  A page leaves the object with the page locked and object->lock held;
 * with either of them page->mapping stays as it is.  New references come from
 * words, under object->lock: there release() sees whether it is alone.  A copy
 * holds a reference and no lock; it marks the page dirty when it is done.
 *
 * A page that is being read from swap is in the swap cache, locked, and in no
 * word; a second reader finds it by the slot and waits for its lock.
 *
 * Further reading: Gorman, Understanding the Linux Virtual Memory Manager,
 * 4.3 and 11.4; Cranor, Parulkar: The UVM Virtual Memory System (amaps).
 */
#include "mm/user/anon.h"

#include "kernel/arch/copy.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/address_space.h"
#include "mm/check.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"

/* What anonymous pages are taken with: GFP_HIGHUSER_MOVABLE without HARDWALL,
 * which is for user processes and cpusets. */
#define GFP_ANON      (GFP_KERNEL | __GFP_HIGHMEM | __GFP_MOVABLE)

/* What a word says besides the page. */
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

static struct {
	struct spinlock lock;
	struct list objects; /* (a) */
	unsigned long users; /* atomic: calls and pins with a reference */
} anon;

/* The caller may have references of pages from here on, or no more. */
static void anon_use(void)
{
	__atomic_fetch_add(&anon.users, 1, __ATOMIC_SEQ_CST);
}

static void anon_used(void)
{
	__atomic_fetch_sub(&anon.users, 1, __ATOMIC_SEQ_CST);
}

void anon_start(void)
{
	anon.lock = (struct spinlock)SPINLOCK_INIT("anon");
	list_init(&anon.objects);
	anon.users = 0;
	swapoff_register(anon_unuse);
}

/* ---- Words ------------------------------------------------------------------- */

static struct page *word_page(uintptr_t word)
{
	if (word & WORD_ENTRY)
		return NULL;
	return (struct page *)(word & ~WORD_ACCESSED);
}

static swp_entry_t word_entry(uintptr_t word)
{
	return (swp_entry_t){ word & WORD_ENTRY ? (uint32_t)(word >> 2) : 0 };
}

static uintptr_t word_of_entry(swp_entry_t entry)
{
	return (uintptr_t)entry.value << 2 | WORD_ENTRY;
}

static uintptr_t word_of_page(struct page *page)
{
	return (uintptr_t)page | WORD_ACCESSED;
}

/* Word INDEX, or NULL if its leaf was never needed. */
static uintptr_t *find_word(struct anon_object *object, unsigned long index)
{
	uintptr_t *leaf = object->leaf[index / ANON_LEAF_PAGES];

	return leaf == NULL ? NULL : &leaf[index % ANON_LEAF_PAGES];
}

static uintptr_t read_word(struct anon_object *object, unsigned long index)
{
	const uintptr_t *word = find_word(object, index);

	return word == NULL ? 0 : *word;
}

/* Give the word another value, and count.  object->lock held. */
static void set_word(struct anon_object *object, unsigned long index,
                     uintptr_t value)
{
	uintptr_t *word = find_word(object, index);
	long pages = (word_page(value) != NULL) - (word_page(*word) != NULL);
	long entries =
		(word_entry(value).value != 0) - (word_entry(*word).value != 0);

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

/* Word INDEX has a leaf from now on.  0 or -ENOMEM. */
static int need_leaf(struct anon_object *object, unsigned long index)
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

/* ---- Pages into and out of an object ------------------------------------------ */

static struct anon_object *object_of(const struct page *page)
{
	return page->mapping->host;
}

static const struct address_space_ops anon_ops;

/* PAGE, locked, will be page INDEX of OBJECT. */
static void attach(struct anon_object *object, unsigned long index,
                   struct page *page)
{
	page->mapping = &object->mapping;
	page->index = index;
	page_set(page, PG_swapbacked);
	page_set(page, PG_uptodate);
}

/* PAGE, locked, is nobody's: as it was when it was allocated. */
static void anon_detach(struct page *page)
{
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
static int install(struct anon_object *object, unsigned long index,
                   uintptr_t expected, struct page *page)
{
	bool enabled;
	int error = 0;

	attach(object, index, page);
	enabled = spin_lock_irqsave(&object->lock);
	if (object->dead)
		error = -EFAULT;
	else if (read_word(object, index) != expected)
		error = -EAGAIN;
	else
		set_word(object, index, word_of_page(page));
	if (error == 0)
		get_page(page);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (error != 0)
		anon_detach(page);
	return error;
}

/* ---- First touch, and back from swap --------------------------------------------- */

/* A new page of zeroes for word INDEX, pinned. */
static int first_touch(struct anon_object *object, unsigned long index,
                       struct page **pinned)
{
	struct page *page;
	int error = need_leaf(object, index);

	if (error != 0)
		return error;
	page = alloc_page(GFP_ANON | __GFP_ZERO);
	if (page == NULL)
		return -ENOMEM;
	lock_page(page);
	error = install(object, index, 0, page);
	if (error == 0) {
		set_page_dirty(page);
		lru_add(page_alloc_node(), page);
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
static int wait_for_reader(struct page *page)
{
	lock_page(page);
	unlock_page(page);
	put_page(page);
	return -EAGAIN;
}

/* PAGE, locked and not under writeback, is all there is; its slot is free. */
static void forget_slot(struct page *page)
{
	set_page_dirty(page);
	swap_cache_remove(page);
}

/* Fill PAGE, locked, with what is at ENTRY, for word INDEX. */
static int fill_from_swap(struct anon_object *object, unsigned long index,
                          swp_entry_t entry, struct page *page)
{
	int error = swap_cache_add(entry, page);

	/* Another reader was quicker, or has it already: look again. */
	if (error == -EEXIST || error == -ENOENT)
		return -EAGAIN;
	if (error != 0)
		return error;
	error = swap_readpage(page);
	if (error == 0)
		error = install(object, index, word_of_entry(entry), page);
	if (error != 0) {
		swap_cache_remove(page);
		return error;
	}
	/* What the word had; the cache has its own. */
	swap_free(entry);
	if (vm_swap_full())
		forget_slot(page);
	return 0;
}

/* What is at ENTRY comes back to word INDEX, pinned. */
static int swap_in(struct anon_object *object, unsigned long index,
                   swp_entry_t entry, gfp_t gfp, struct page **pinned)
{
	struct page *page = swap_cache_get(entry);
	int error;

	if (page != NULL)
		return wait_for_reader(page);
	page = alloc_page(gfp);
	if (page == NULL)
		return -ENOMEM;
	lock_page(page);
	error = fill_from_swap(object, index, entry, page);
	if (error == 0)
		lru_add(page_alloc_node(), page);
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

/* ---- Access ------------------------------------------------------------------------ */

/* What word INDEX says; a page is marked as used, and gets a reference.  0 or
 * -EFAULT. */
static int anon_look(struct anon_object *object, unsigned long index,
                     uintptr_t *word)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	int error = object->dead ? -EFAULT : 0;

	*word = error == 0 ? read_word(object, index) : 0;
	if (word_page(*word) != NULL) {
		*find_word(object, index) |= WORD_ACCESSED;
		get_page(word_page(*word));
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	if (word_page(*word) != NULL)
		held_take(HELD_PIN, word_page(*word), RETURN_ADDRESS());
	return error;
}

/*
 * Page INDEX in memory, with a reference.  NULL: it was never touched, and
 * CREATE is false, or it is an error.  -EAGAIN from a step means that another thread was quicker:
 * its work is done, so the next round gets further.
 */
static int anon_find_page(struct anon_object *object, unsigned long index,
                          bool create, struct page **page)
{
	uintptr_t word;
	int error;

	do {
		error = anon_look(object, index, &word);
		*page = word_page(word);
		if (error != 0 || *page != NULL)
			return error;
		if (word != 0)
			error = swap_in(object, index, word_entry(word),
			                GFP_ANON, page);
		else if (create)
			error = first_touch(object, index, page);
	} while (error == -EAGAIN);
	return error;
}

/* As anon_find_page(); the reference is counted until anon_object_unpin(). */
static int pin_found(struct anon_object *object, unsigned long index,
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
		forget_slot(page);
	unlock_page(page);
}

int anon_object_pin(struct anon_object *object, unsigned long index,
                    struct page **page)
{
	/* While it can be answered: later *page goes with a pin. */
	int error = clear_caller(page, sizeof(*page));

	might_sleep();
	if (error != 0)
		return error;
	if (index >= object->pages)
		return -EINVAL;
	return pin_found(object, index, true, page);
}

void anon_object_unpin(struct page *page, bool written)
{
	if (written)
		anon_touched(page);
	put_page(page);
	anon_used();
}

static bool is_inside(const struct anon_object *object, unsigned long offset,
                      unsigned long bytes)
{
	unsigned long size = object->pages * PAGE_SIZE;

	return offset <= size && bytes <= size - offset;
}

/* How many of BYTES bytes from OFFSET on are in one page. */
static unsigned long in_page(unsigned long offset, unsigned long bytes)
{
	return min(bytes, PAGE_SIZE - offset % PAGE_SIZE);
}

static int anon_write(struct anon_object *object, unsigned long offset,
                      const void *from, unsigned long bytes)
{
	unsigned long done = 0;

	while (done < bytes) {
		unsigned long at = offset + done;
		unsigned long part = in_page(at, bytes - done);
		struct page *page;
		int error = pin_found(object, at / PAGE_SIZE, true, &page);

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
	if (is_inside(object, offset, bytes))
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
		unsigned long part = in_page(at, bytes - done);
		struct page *page;
		int error = pin_found(object, at / PAGE_SIZE, false, &page);

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
	if (is_inside(object, offset, bytes))
		error = anon_read(object, offset, to, bytes);
	held_expect(held, __func__);
	return error;
}

/* ---- What reclaim asks ---------------------------------------------------------------- */

/* PAGE is locked. */
static int anon_add_to_swap(struct page *page)
{
	if (page_has(page, PG_swapcache))
		return 0;
	if (swap_slot_alloc(page).value == 0)
		return -ENOSPC;
	set_page_dirty(page);
	return 0;
}

/* PAGE, locked, has a slot that can be written. */
static int need_good_slot(struct page *page)
{
	if (page_has(page, PG_swapcache) &&
	    swap_slot_is_bad(page_swap_entry(page)))
		swap_cache_remove(page);
	return anon_add_to_swap(page);
}

static int anon_writepage(struct page *page)
{
	int error = need_good_slot(page);

	if (error == 0) {
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
 * references; who had one set PG_dirty before it was given back. */
static bool may_leave(const struct page *page)
{
	return page_ref_count(page) == RECLAIM_REFERENCES &&
	       !page_has(page, PG_dirty) && !page_has(page, PG_writeback) &&
	       page_has(page, PG_swapcache);
}

/* The word of PAGE, locked, becomes its entry, if it may.  The word's reference
 * is the caller's then. */
static bool leave_for_swap(struct page *page)
{
	struct anon_object *object = object_of(page);
	swp_entry_t entry = page_swap_entry(page);
	bool enabled = spin_lock_irqsave(&object->lock);
	bool leaves = may_leave(page) && swap_duplicate(entry) == 0;

	if (leaves) {
		set_word(object, page->index, word_of_entry(entry));
		swap_cache_remove(page);
	}
	spin_unlock_irqrestore(&object->lock, enabled);
	return leaves;
}

/* PAGE is locked and off the lru. */
static bool anon_release(struct page *page)
{
	if (!leave_for_swap(page))
		return false;
	anon_detach(page);
	put_kept_page(page);
	return true;
}

/* PAGE is locked. */
static bool anon_referenced(struct page *page)
{
	struct anon_object *object = object_of(page);
	bool enabled = spin_lock_irqsave(&object->lock);
	uintptr_t *word = find_word(object, page->index);
	bool accessed = (*word & WORD_ACCESSED) != 0;

	*word &= ~WORD_ACCESSED;
	spin_unlock_irqrestore(&object->lock, enabled);
	return accessed;
}

static const struct address_space_ops anon_ops = {
	.name = "anon",
	.needs_io = true,
	.writepage = anon_writepage,
	.add_to_swap = anon_add_to_swap,
	.release = anon_release,
	.referenced = anon_referenced,
};

/* ---- Swapping out by hand ---------------------------------------------------------------- */

/* PAGE, locked, is written out if it must be.  0 or -errno; locked again. */
static int clean(struct page *page)
{
	int error;

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
static int push_out(struct page *page)
{
	int error = clean(page);

	if (error != 0 || page->mapping == NULL)
		return error;
	if (!leave_for_swap(page))
		return -EBUSY;
	lru_remove(page_alloc_node(), page);
	anon_detach(page);
	put_kept_page(page);
	return 0;
}

static int swap_out_index(struct anon_object *object, unsigned long index)
{
	unsigned int held = held_total();
	struct page *page;
	uintptr_t word;
	int error;

	error = anon_look(object, index, &word);
	page = word_page(word);
	if (error != 0 || page == NULL)
		return error;
	lock_page(page);
	if (page->mapping == &object->mapping)
		error = push_out(page);
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
	error = swap_out_index(object, index);
	anon_used();
	return error;
}

/* ---- The end of pages ------------------------------------------------------------------------ */

/* Take PAGE, locked, not under writeback, out of its object, whatever is in it.
 * The word's reference goes. */
static void drop_page(struct anon_object *object, struct page *page)
{
	bool enabled = spin_lock_irqsave(&object->lock);

	set_word(object, page->index, 0);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (page_has(page, PG_swapcache))
		swap_cache_remove(page);
	lru_remove(page_alloc_node(), page);
	anon_detach(page);
	put_kept_page(page);
}

/* Lock PAGE of OBJECT and see that it is not being written; without WAIT only
 * if nobody else is at it. */
static bool lock_idle(struct page *page, bool wait)
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
static bool drop_index(struct anon_object *object, unsigned long index,
                       bool wait)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	uintptr_t word = read_word(object, index);
	struct page *page = word_page(word);
	bool idle;

	if (page != NULL)
		get_page(page);
	else if (word != 0)
		set_word(object, index, 0);
	spin_unlock_irqrestore(&object->lock, enabled);
	if (page == NULL) {
		if (word != 0)
			swap_free(word_entry(word));
		return true;
	}
	held_take(HELD_PIN, page, RETURN_ADDRESS());
	idle = lock_idle(page, wait);
	/* It may have gone to swap meanwhile: the next round finds out. */
	if (idle && page->mapping == &object->mapping)
		drop_page(object, page);
	if (idle)
		unlock_page(page);
	put_page(page);
	return idle && read_word(object, index) == 0;
}

/* Empty all words; accesses fail from now on.  True: nothing is left. */
static bool drop_all(struct anon_object *object, bool wait)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	bool empty = true;

	object->dead = true;
	spin_unlock_irqrestore(&object->lock, enabled);
	anon_use();
	for (unsigned long index = 0; index < object->pages; index++) {
		bool dropped = drop_index(object, index, wait);

		while (!dropped && wait)
			dropped = drop_index(object, index, wait);
		empty = empty && dropped;
	}
	anon_used();
	return empty;
}

/* ---- Objects ------------------------------------------------------------------------------------- */

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

static void put_object(struct anon_object *object)
{
	bool enabled = spin_lock_irqsave(&anon.lock);
	bool last = --object->references == 0;

	if (last)
		list_remove(&object->link);
	spin_unlock_irqrestore(&anon.lock, enabled);
	if (!last)
		return;
	for (unsigned long i = 0; i < ANON_LEAVES; i++)
		free_page((uintptr_t)object->leaf[i]);
	free_page((uintptr_t)object);
}

/* The object behind AT on the list (NULL: the first), with a reference; that of
 * AT goes.  NULL behind the last. */
static struct anon_object *next_object(struct anon_object *at)
{
	bool enabled = spin_lock_irqsave(&anon.lock);
	struct list *link = at == NULL ? anon.objects.next : at->link.next;
	struct anon_object *next = NULL;

	if (link != &anon.objects) {
		next = container_of(link, struct anon_object, link);
		next->references++;
	}
	spin_unlock_irqrestore(&anon.lock, enabled);
	if (at != NULL)
		put_object(at);
	return next;
}

#define for_each_object(object)                                                \
	for ((object) = next_object(NULL); (object) != NULL;                   \
	     (object) = next_object(object))

void anon_object_destroy(struct anon_object *object)
{
	unsigned int held = held_total();

	might_sleep();
	drop_all(object, true);
	put_object(object);
	held_expect(held, __func__);
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

bool anon_reap(uint64_t owner)
{
	struct anon_object *object;
	bool empty = true;

	for_each_object(object)
	{
		if (READ_ONCE(object->owner) != NULL &&
		    READ_ONCE(object->owner_id) == owner)
			empty = drop_all(object, false) && empty;
	}
	return empty;
}

void anon_disown(struct thread *owner)
{
	struct anon_object *object;

	for_each_object(object)
	{
		bool enabled = spin_lock_irqsave(&object->lock);

		if (object->owner_id == thread_owner_id(owner)) {
			object->owner = NULL;
			object->owner_id = 0;
		}
		spin_unlock_irqrestore(&object->lock, enabled);
	}
}

/* ---- swapoff -------------------------------------------------------------------------------------- */

/* Rather fail than make the OOM killer kill somebody for a swapoff. */
#define GFP_UNUSE (GFP_ANON | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* PAGE, pinned, keeps no slot of area TYPE. */
static void forget_slot_on(struct page *page, unsigned int type)
{
	lock_page(page);
	wait_on_page_writeback(page);
	if (page_has(page, PG_swapcache) &&
	    swp_type(page_swap_entry(page)) == type)
		forget_slot(page);
	unlock_page(page);
}

/* Word INDEX has nothing on area TYPE any more.  0 or -errno. */
static int unuse_index(struct anon_object *object, unsigned long index,
                       unsigned int type)
{
	struct page *page;
	uintptr_t word;
	int error;

	do {
		/* -EFAULT: whoever made it dead empties it. */
		if (anon_look(object, index, &word) != 0)
			return 0;
		page = word_page(word);
		error = 0;
		if (word_entry(word).value != 0 &&
		    swp_type(word_entry(word)) == type)
			error = swap_in(object, index, word_entry(word),
			                GFP_UNUSE, &page);
	} while (error == -EAGAIN);
	if (error == -EFAULT)
		return 0;
	if (error != 0 || page == NULL)
		return error;
	forget_slot_on(page, type);
	put_page(page);
	return 0;
}

static int unuse_object(struct anon_object *object, unsigned int type)
{
	for (unsigned long index = 0; index < object->pages; index++) {
		int error = thread_has_flags(current_thread(), THREAD_KILLED)
		                    ? -EINTR
		                    : unuse_index(object, index, type);

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
	anon_use();
	for_each_object(object)
	{
		if (error == 0)
			error = unuse_object(object, type);
	}
	anon_used();
	return error;
}

/* ---- Checks ------------------------------------------------------------------------------------------ */

static bool page_is_right(const struct anon_object *object, unsigned long index,
                          const struct page *page)
{
	return page->mapping == &object->mapping && page->index == index &&
	       page_has(page, PG_uptodate) && page_has(page, PG_swapbacked) &&
	       (page_has(page, PG_dirty) || page_has(page, PG_writeback) ||
	        page_has(page, PG_swapcache)); /* A1 */
}

/* Reclaim, or a thread that reads it in, is at work on PAGE. */
static bool is_in_work(const struct page *page)
{
	return page_has(page, PG_locked) || page_has(page, PG_isolated);
}

/* A4.  object->lock held: the word and its reference stay. */
static bool references_are_right(const struct page *page)
{
	int references = page_ref_count(page);

	return references == 1 ||
	       (references > 1 &&
	        (__atomic_load_n(&anon.users, __ATOMIC_SEQ_CST) > 0 ||
	         READ_ONCE(page_alloc_node()->reclaim.in_hand) > 0));
}

/* NULL, or which invariant word INDEX violates.  object->lock held. */
static const char *anon_check_word(struct anon_object *object,
                                   unsigned long index)
{
	uintptr_t word = read_word(object, index);
	struct page *page = word_page(word);

	if (page != NULL && is_in_work(page))
		return NULL;
	if (page != NULL && !page_is_right(object, index, page))
		return "A1: the page is not as it should be";
	if (page != NULL && !references_are_right(page))
		return "A4: the page has other references";
	if (page == NULL && word != 0 && swap_count(word_entry(word)) == 0)
		return "A2: the slot is free";
	return NULL;
}

struct anon_sums {
	unsigned long resident;
	unsigned long swapped;
	unsigned long changes;
};

/* CHECK_SLICE words from INDEX on, added to SUMS.  object->lock held. */
static const char *anon_check_words(struct anon_object *object,
                                    unsigned long index, struct anon_sums *sums,
                                    char *buffer, size_t size)
{
	unsigned long end = min(index + CHECK_SLICE, object->pages);

	for (; index < end; index++) {
		const char *wrong = anon_check_word(object, index);
		uintptr_t word = read_word(object, index);

		sums->resident += word_page(word) != NULL;
		sums->swapped += word_entry(word).value != 0;
		if (wrong == NULL)
			continue;
		scnprintf(buffer, size, "anonymous page %lu: %s", index, wrong);
		return buffer;
	}
	return NULL;
}

/* A3, if no word was set since the walk began; *MOVED says so.  object->lock
 * held. */
static const char *check_usage(const struct anon_object *object,
                               const struct anon_sums *sums, bool *moved,
                               char *buffer, size_t size)
{
	*moved = object->changes != sums->changes;
	if (*moved || (sums->resident == object->mapping.nrpages &&
	               sums->swapped == object->swapped))
		return NULL;
	scnprintf(buffer, size,
	          "A3: an object has %lu pages in memory and %lu on swap, "
	          "counted %lu and %lu",
	          object->mapping.nrpages, object->swapped, sums->resident,
	          sums->swapped);
	return buffer;
}

/* All of an object, a slice at a time. */
static const char *anon_check_object(struct anon_object *object, bool *moved,
                                     char *buffer, size_t size)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	struct anon_sums sums = { .changes = object->changes };
	const char *broken = NULL;

	for (unsigned long index = 0; index < object->pages && broken == NULL;
	     index += CHECK_SLICE) {
		spin_unlock_irqrestore(&object->lock, enabled);
		enabled = spin_lock_irqsave(&object->lock);
		broken = anon_check_words(object, index, &sums, buffer, size);
	}
	if (broken == NULL)
		broken = check_usage(object, &sums, moved, buffer, size);
	spin_unlock_irqrestore(&object->lock, enabled);
	return broken;
}

const char *anon_check(char *buffer, size_t size)
{
	const char *broken = check_buffer(buffer, size);
	struct anon_object *object;

	if (broken != NULL)
		return broken;
	for_each_object(object)
	{
		bool moved = true;

		for (unsigned int i = 0;
		     i < CHECK_WALKS && moved && broken == NULL; i++)
			broken =
				anon_check_object(object, &moved, buffer, size);
	}
	return broken;
}
