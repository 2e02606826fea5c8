/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_owner.c -- owners begin and end, and faults are explained.
 *
 * An owner begins with a window: one page, its page table, which the front door gives
 * with GFP_KERNEL, so that it may be reclaimed from others.  When the owner ends, the
 * table is freed, and
 *
 *	pages that it owns		are scrubbed and parked
 *	pages on their way to it	return to the sender, at the old address;
 *					scrubbed and parked if it has ended too
 *	pages on their way from it	stay on their way to the receiver
 *
 * Which window?  With N windows in use, owner number n gets window n % N.  If a living
 * owner has that one, the number n is skipped for good, and the next is tried.  So
 *
 *	an address tells the owner	no two living owners have the same window
 *	so does a number		it is looked up at n % N
 *	an address stays dead		for N owners, when its owner has ended
 *
 * N is 512 at first and doubles when half of the windows are taken.  An owner keeps the
 * window that it has.  So a number is looked up for each N that there ever was: 7 at
 * most.  The new windows need a page for each 512 for the pointers to the owners, and
 * one for a directory on each CPU; they stay, as do page tables of vmalloc().  If there are none, the
 * windows that there are must do.
 *
 * A page that must be zeroed while it is mapped nowhere is mapped in the pool's
 * window, with interrupts off; an NMI closes that window like any other.
 *
 * A sender that ends drops its sent pages a few entries at a time.  Meanwhile a page
 * may be accepted, or return from a receiver that ends: then the sender owns it once
 * more, and it is scrubbed with its other pages.
 *
 * Locking: pool->lock, for one page or ENTRY_SLICE entries at a time; scrub_lock
 * while the scrub window is in use.  The two are never held together.
 */
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_alloc.h"
#include "mm/page_state.h"

/* Entries visited in one piece, with interrupts off. */
#define ENTRY_SLICE 32U

/* ---- Tables -------------------------------------------------------------- */

/*
 * One page of zeroes for a table, with GFP_KERNEL and GFP, which says how hard to try
 * without killing anybody; NULL.  The first two are asked for during boot, where nothing
 * can wait (Linux: gfp_allowed_mask).
 */
static void *exclusive_owner_take_table(gfp_t gfp)
{
	gfp_t base = may_sleep_here() ? GFP_KERNEL | gfp : GFP_NOWAIT;
	struct page *page = alloc_page(base | __GFP_ZERO);

	if (page == NULL)
		return NULL;
	/* The front door refuses to free it. */
	page->flags |= PAGE_TABLE;
	return page_address(page);
}

static void give_table(void *table)
{
	struct page *page = virt_to_page(table);

	kassert((uintptr_t)table % PAGE_SIZE == 0);
	kassert(page != NULL && (page->flags & PAGE_TABLE) != 0);
	page->flags &= (uint8_t)~PAGE_TABLE;
	__free_page(page);
}

/* ---- Windows and numbers ------------------------------------------------- */

static struct owner **window_owner_at(struct exclusive_pool *pool,
                                      unsigned int id)
{
	kassert(id < exclusive_windows(pool));
	return &pool->by_window[id / WINDOW_GROUP][id % WINDOW_GROUP];
}

/* The window for owner number ID. */
static unsigned int window_of_owner(const struct exclusive_pool *pool,
                                    uint64_t id)
{
	return (unsigned int)(id % exclusive_windows(pool));
}

/* DIRECTORY is for GROUP on a CPU that has none.  False: another thread was faster. */
static bool enter_directory(struct exclusive_pool *pool, unsigned int group,
                            void *directory)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool missing = !window_has_group(group);

	if (missing) {
		window_add_group(group, directory);
		pool->group_pages++;
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
	return missing;
}

/* OWNERS is for the owners of GROUP's windows.  False: another thread was faster. */
static bool enter_group(struct exclusive_pool *pool, unsigned int group,
                        void *owners)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool missing = pool->by_window[group] == NULL;

	kassert(window_has_group(group));
	if (missing) {
		pool->by_window[group] = owners;
		pool->group_pages++;
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
	return missing;
}

/* For more windows no effort is made: there are some. */
#define GROUP_GFP (__GFP_NORETRY | __GFP_NOWARN)

/* An owner that cannot begin is an answer. */
#define OWNER_GFP __GFP_RETRY_MAYFAIL

/* A directory of GROUP for each CPU.  False: no memory; those that were made stay. */
static bool make_directories(struct exclusive_pool *pool, unsigned int group)
{
	while (!window_has_group(group)) {
		void *directory = exclusive_owner_take_table(GROUP_GFP);

		if (directory == NULL)
			return false;
		if (!enter_directory(pool, group, directory))
			give_table(directory);
	}
	return true;
}

/* False: no memory. */
static bool make_group(struct exclusive_pool *pool, unsigned int group)
{
	void *owners = exclusive_owner_take_table(GROUP_GFP);

	if (owners != NULL && make_directories(pool, group) &&
	    enter_group(pool, group, owners))
		return true;
	if (owners != NULL)
		give_table(owners);
	return READ_ONCE(pool->by_window[group]) != NULL;
}

/* Twice as many windows as GROUPS have: 0, -ENOMEM, or -ENOSPC. */
static int double_windows(struct exclusive_pool *pool, unsigned int groups)
{
	bool enabled;

	if (groups == WINDOW_GROUPS)
		return -ENOSPC;
	for (unsigned int group = groups; group < 2 * groups; group++) {
		if (READ_ONCE(pool->by_window[group]) == NULL &&
		    !make_group(pool, group))
			return -ENOMEM;
	}
	enabled = spin_lock_irqsave(&pool->lock);
	if (pool->groups == groups)
		pool->groups = 2 * groups;
	spin_unlock_irqrestore(&pool->lock, enabled);
	return 0;
}

/* Is there a window for one more owner?  0, or as double_windows(). */
static int make_room(struct exclusive_pool *pool)
{
	unsigned int groups = READ_ONCE(pool->groups);
	unsigned int windows = groups * WINDOW_GROUP;
	unsigned int owners = READ_ONCE(pool->owner_count);
	int error = 0;

	if (2 * owners >= windows)
		error = double_windows(pool, groups);
	return owners < windows - WINDOWS_KEPT ? 0 : error;
}

/* Is the window of owner number ID free, as far as its owners are concerned? */
static bool number_has_window(struct exclusive_pool *pool, uint64_t id)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	unsigned int window = window_of_owner(pool, id);
	bool has_window = window != 0 && *window_owner_at(pool, window) == NULL;

	spin_unlock_irqrestore(&pool->lock, enabled);
	return has_window;
}

/* Give OWNER the window for its number, with TABLE.  0, or -EAGAIN: it is taken. */
static int enter_owner(struct exclusive_pool *pool, struct owner *owner,
                       void *table)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	unsigned int window = window_of_owner(pool, owner->id);
	int error = -EAGAIN;

	if (window != 0 && *window_owner_at(pool, window) == NULL &&
	    window_create(&owner->window, window, table) == 0) {
		error = 0;
		owner->alive = true;
		*window_owner_at(pool, window) = owner;
		list_append(&pool->owners, &owner->all);
		pool->owner_count++;
		pool->changes++;
	}
	kassert(pool->owner_count < exclusive_windows(pool));
	spin_unlock_irqrestore(&pool->lock, enabled);
	return error;
}

static void owner_has_nothing(struct owner *owner)
{
	memset(owner->entries, 0, sizeof(owner->entries));
	owner->next_entry = 0;
	owner->sent = 0;
	list_init(&owner->incoming);
	owner->incoming_count = 0;
}

static int exclusive_owner_begin(struct owner *owner)
{
	struct exclusive_pool *pool = &main_node()->pool;
	void *table;
	int error = make_room(pool);

	kassert(!owner->alive);
	if (error != 0)
		return error;
	/* Before a page is asked for in vain. */
	if (!number_has_window(pool, owner->id))
		return -EAGAIN;
	table = exclusive_owner_take_table(OWNER_GFP);
	if (table == NULL)
		return -ENOMEM;
	owner_has_nothing(owner);
	error = enter_owner(pool, owner, table);
	if (error != 0)
		give_table(table);
	return error;
}

/* ---- Owners end ---------------------------------------------------------- */

/* Zero a frame that is mapped nowhere, through the pool's own window. */
static void scrub_hidden(struct node *node, struct page *page)
{
	struct window *scrub = &node->pool.scrub;
	bool enabled = spin_lock_irqsave(&node->pool.scrub_lock);
	struct window_state before = window_open(scrub);
	void *address = window_map(scrub, 0, node_pfn(node, page));

	kassert(page_is_exclusive(page));
	kassert(scrub->id != 0);
	arch_clear_page(address);
	window_unmap(scrub, 0);
	window_close(before);
	spin_unlock_irqrestore(&node->pool.scrub_lock, enabled);
}

/* Scrub and park a page that has been taken off its list and unmapped. */
static void scrub_and_park(struct node *node, struct page *page)
{
	bool enabled;
	bool wake;

	kassert(page->owner == NULL && page->receiver == NULL);
	scrub_hidden(node, page);
	enabled = spin_lock_irqsave(&node->pool.lock);
	wake = exclusive_pool_park(node, page);
	kassert(node->pool.orphans > 0);
	node->pool.orphans--;
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	if (wake)
		exclusive_pool_wake(node);
}

/* PAGE, OWNED or HANDOVER and on no list, has no owner until it is parked.
 * pool->lock held. */
static void make_orphan(struct exclusive_pool *pool, struct page *page)
{
	kassert(spin_is_mine(&pool->lock));
	kassert(page->state == PAGE_OWNED || page->state == PAGE_HANDOVER);
	page->owner = NULL;
	page->receiver = NULL;
	pool->orphans++;
	pool->changes++;
}

/* The OWNED page of an owner that ends at INDEX, out of its window; NULL: there is
 * none. */
static struct page *orphan_owned(struct node *node, struct owner *owner,
                                 unsigned int index)
{
	bool enabled = spin_lock_irqsave(&node->pool.lock);
	unsigned long pfn = window_frame(&owner->window, index);
	struct page *page = pfn == -1UL ? NULL : node_page(node, pfn);

	kassert(!owner->alive);
	if (page != NULL) {
		kassert(page->owner == owner && page->private == index);
		exclusive_unmake_owned(page);
		exclusive_free_entry(owner, index);
		make_orphan(&node->pool, page);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return page;
}

/* All of them are scrubbed and parked. */
static void scrub_owned(struct node *node, struct owner *owner)
{
	for (unsigned int i = 0; i < WINDOW_ENTRIES && owner_pages(owner) > 0;
	     i++) {
		struct page *page = orphan_owned(node, owner, i);

		if (page != NULL)
			scrub_and_park(node, page);
	}
}

/* Return one page on its way to OWNER to its sender; if that has ended, the page is
 * *ORPHAN, off its list.  False: none is left. */
static bool refuse_incoming(struct node *node, struct owner *owner,
                            struct page **orphan)
{
	bool enabled = spin_lock_irqsave(&node->pool.lock);
	struct page *page = list_first(&owner->incoming, struct page, link);

	kassert(!owner->alive);
	*orphan = NULL;
	kassert(page == NULL || page->receiver == owner);
	if (page != NULL && page->owner != NULL) {
		exclusive_return_to_sender(node, page);
	} else if (page != NULL) {
		exclusive_unqueue(node, page);
		make_orphan(&node->pool, page);
		*orphan = page;
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return page != NULL;
}

/* Drop OWNER as the sender of its pages from INDEX and the next entries. */
static void forget_entries(struct node *node, struct owner *owner,
                           unsigned int index)
{
	unsigned int end = min(index + ENTRY_SLICE, WINDOW_ENTRIES + 0U);
	bool enabled = spin_lock_irqsave(&node->pool.lock);

	kassert(!owner->alive);
	kassert(index < WINDOW_ENTRIES);
	for (; index < end; index++) {
		struct page *page = exclusive_find_sent(node, owner, index);

		if (page != NULL)
			exclusive_drop_sender(page);
	}
	node->pool.changes++;
	spin_unlock_irqrestore(&node->pool.lock, enabled);
}

/* OWNER is no longer alive, so it sends no more pages. */
static void forget_sender(struct node *node, struct owner *owner)
{
	kassert(!owner->alive);
	for (unsigned int index = 0;
	     index < WINDOW_ENTRIES && READ_ONCE(owner->sent) > 0;
	     index += ENTRY_SLICE)
		forget_entries(node, owner, index);
}

static void end_owner(struct owner *owner)
{
	struct node *node = main_node();
	struct exclusive_pool *pool = &node->pool;
	struct page *page;
	bool enabled = spin_lock_irqsave(&pool->lock);

	kassert(owner->alive);
	/* Not alive: no more pages are sent to it; still on the list, because it
	 * has pages. */
	owner->alive = false;
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, enabled);

	forget_sender(node, owner);
	while (refuse_incoming(node, owner, &page)) {
		if (page != NULL)
			scrub_and_park(node, page);
	}
	scrub_owned(node, owner);

	enabled = spin_lock_irqsave(&pool->lock);
	kassert(owner_pages(owner) == 0 && owner->sent == 0);
	kassert(owner->incoming_count == 0);
	kassert(*window_owner_at(pool, owner->window.id) == owner);
	kassert(pool->owner_count > 0);
	list_remove(&owner->all);
	*window_owner_at(pool, owner->window.id) = NULL;
	pool->owner_count--;
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, enabled);
	give_table(window_destroy(&owner->window));
}

/* ---- Faults -------------------------------------------------------------- */

/* The page that OWNER gave up last at INDEX, which is empty. */
static struct owner_loss last_loss(const struct owner *owner,
                                   unsigned int index)
{
	unsigned int next = owner->losses;

	kassert(index < WINDOW_ENTRIES);
	for (unsigned int i = 1; i <= OWNER_LOSSES; i++) {
		const struct owner_loss *loss =
			&owner->loss[(next - i) % OWNER_LOSSES];

		if (loss->caller != 0 && loss->index == index)
			return *loss;
	}
	return (struct owner_loss){ 0 };
}

/* Describe a fault at an address of a window. */
static bool resolve_window(struct node *node, struct fault *fault)
{
	unsigned int index;
	unsigned int id = window_of_address(fault->address, &index);
	const struct owner *owner;

	if (id == 0)
		return false;
	fault->kind = FAULT_EXCLUSIVE;
	fault->pfn = -1UL;
	owner = exclusive_window_owner(&node->pool, id);
	fault->owner = owner;
	if (owner != NULL)
		fault->pfn = window_frame(&owner->window, index);
	if (owner != NULL && fault->pfn == -1UL)
		fault->loss = last_loss(owner, index);
	return true;
}

static bool resolve_direct(struct node *node, struct fault *fault)
{
	const struct page *page = node_page(
		node, (fault->address - direct_map_base) >> PAGE_SHIFT);

	if (fault->address < direct_map_base || page == NULL ||
	    !page_is_exclusive(page))
		return false;
	fault->kind = FAULT_EXCLUSIVE;
	fault->pfn = node_pfn(node, page);
	fault->owner = page->owner;
	return true;
}

/* Any context; no lock. */
static bool resolve_fault(struct fault *fault)
{
	struct node *node = main_node();

	if (node == NULL ||
	    (!resolve_window(node, fault) && !resolve_direct(node, fault)))
		return false;
	fault->intruder = current_owner();
	count_vm_event(node, VMSTAT_exclusive_fault);
	return true;
}

void exclusive_make_scrub_window(struct node *node)
{
	void *table;
	int error;

	if (node->pool.scrub.id != 0)
		return;
	kassert(node == main_node());
	table = exclusive_owner_take_table(OWNER_GFP);
	if (table == NULL)
		panic("not enough memory for the scrub window");
	error = window_create(&node->pool.scrub, window_spare_number(), table);
	kassert(error == 0);
}

void exclusive_start(struct node *node)
{
	static const struct owner_provider provider = {
		.begin = exclusive_owner_begin,
		.end = end_owner,
	};

	kassert(node == main_node());
	exclusive_make_scrub_window(node);
	owner_register_provider(&provider);
	fault_register_resolver(resolve_fault);
}
