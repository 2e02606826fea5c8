/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_owner.c -- owners begin and end, and faults are explained.
 *
 * An owner begins with a window: one page, its page table.  When it ends:
 *
 *	pages that it owns		are scrubbed and parked
 *	pages on their way to it	return to the sender, at the old address;
 *					scrubbed and parked if it has ended too
 *	pages on their way from it	stay on their way to the receiver
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
#include "kernel/core/fault.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_prep.h"
#include "mm/page_state.h"
#include "mm/watermark.h"

/* Entries visited in one piece, with interrupts off. */
#define ENTRY_SLICE 32U

/* ---- Owners begin and end ------------------------------------------------ */

/* One page for a window's table, with the right of GFP_KERNEL; NULL. */
static void *exclusive_owner_take_table(struct node *node)
{
	if (should_fail_alloc_page(node, GFP_KERNEL, 0))
		return NULL;
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		struct zone *zone = &node->zone[type];
		bool enabled = spin_lock_irqsave(&zone->lock);
		struct page *page = NULL;

		if (watermark_ok(zone, 0, wmark_pages(zone, WMARK_MIN),
		                 ZONE_NORMAL, RESERVE_NONE))
			page = page_prep_take(node, zone, 0, MIGRATE_UNMOVABLE,
			                      0);
		if (page != NULL) {
			page_set_state(zone, page, PAGE_LOOSE, PAGE_USED);
			page->flags = PAGE_TABLE;
			page->refcount = 1;
			page_set_caller(page, RETURN_ADDRESS());
		}
		spin_unlock_irqrestore(&zone->lock, enabled);
		page_prep_report_bad(node, zone);
		if (page != NULL)
			return frame_address(node_pfn(node, page));
	}
	return NULL;
}

static void give_table(struct node *node, void *table)
{
	unsigned long pfn = ((uintptr_t)table - direct_map_base) >> PAGE_SHIFT;
	struct page *page = node_page(node, pfn);
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert((uintptr_t)table % PAGE_SIZE == 0);
	kassert(page->flags == PAGE_TABLE);
	page->refcount = 0;
	page->flags = 0;
	page_set_state(zone, page, PAGE_USED, PAGE_LOOSE);
	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
	exclusive_memory_freed(node);
}

/* Only living owners are on the lists, so an outdated number finds none, even if a
 * new owner uses the same memory.  pool->lock held. */
struct owner *exclusive_find_owner(struct exclusive_pool *pool, uint64_t id)
{
	struct list *bucket = &pool->by_id[id % OWNER_BUCKETS];
	struct list *at;

	kassert(spin_is_mine(&pool->lock));
	list_for_each(at, bucket) {
		struct owner *owner = container_of(at, struct owner, same_hash);

		if (owner->id == id)
			return owner;
	}
	return NULL;
}

/* Enter OWNER into the lists.  False: its bucket is full. */
static bool enter_owner(struct exclusive_pool *pool, struct owner *owner)
{
	unsigned int bucket = owner->id % OWNER_BUCKETS;
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool room = pool->in_bucket[bucket] < OWNER_BUCKET_MOST;

	kassert(owner->window.id > 0 && owner->window.id < WINDOW_COUNT);
	kassert(pool->by_window[owner->window.id] == NULL);
	if (room) {
		owner->alive = true;
		pool->by_window[owner->window.id] = owner;
		pool->in_bucket[bucket]++;
		list_append(&pool->by_id[bucket], &owner->same_hash);
		list_append(&pool->owners, &owner->all);
		pool->changes++;
	}
	/* The bound of exclusive_find_owner()'s loop. */
	kassert(pool->in_bucket[bucket] <= OWNER_BUCKET_MOST);
	spin_unlock_irqrestore(&pool->lock, enabled);
	return room;
}

static int exclusive_owner_begin(struct owner *owner)
{
	struct node *node = main_node();
	struct exclusive_pool *pool = &node->pool;
	void *table = exclusive_owner_take_table(node);
	int error;

	kassert(!owner->alive);
	if (table == NULL)
		return -ENOMEM;
	error = window_create(&owner->window, table);
	if (error != 0) {
		give_table(node, table);
		return error;
	}
	memset(owner->entries, 0, sizeof(owner->entries));
	owner->next_entry = 0;
	owner->owned = 0;
	owner->sent = 0;
	list_init(&owner->pages);
	list_init(&owner->incoming);
	owner->incoming_count = 0;
	if (enter_owner(pool, owner))
		return 0;
	give_table(node, window_destroy(&owner->window));
	return -EAGAIN;
}

/* Zero a frame that is mapped nowhere, through the pool's own window. */
static void scrub_hidden(struct node *node, struct page *page)
{
	struct window *scrub = &node->pool.scrub;
	bool enabled = spin_lock_irqsave(&node->pool.scrub_lock);
	struct window_state before = window_open(scrub);
	void *address = window_map(scrub, 0, node_pfn(node, page));

	kassert(page_is_exclusive(page));
	kassert(scrub->id != 0);
	memset(address, 0, PAGE_SIZE);
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

/* One OWNED page of an owner that ends, off its list; NULL: none is left. */
static struct page *orphan_owned(struct node *node, struct owner *owner)
{
	bool enabled = spin_lock_irqsave(&node->pool.lock);
	struct page *page = list_first(&owner->pages, struct page, link);

	kassert(!owner->alive);
	if (page != NULL) {
		kassert(page->owner == owner);
		exclusive_unmake_owned(node, page);
		bitmap_clear(owner->entries, page->slot);
		make_orphan(&node->pool, page);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return page;
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
	list_remove(&owner->same_hash);
	kassert(pool->in_bucket[owner->id % OWNER_BUCKETS] > 0);
	pool->in_bucket[owner->id % OWNER_BUCKETS]--;
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, enabled);

	forget_sender(node, owner);
	while (refuse_incoming(node, owner, &page)) {
		if (page != NULL)
			scrub_and_park(node, page);
	}
	while ((page = orphan_owned(node, owner)) != NULL)
		scrub_and_park(node, page);

	enabled = spin_lock_irqsave(&pool->lock);
	kassert(owner->owned == 0 && owner->sent == 0);
	kassert(owner->incoming_count == 0);
	kassert(pool->by_window[owner->window.id] == owner);
	list_remove(&owner->all);
	pool->by_window[owner->window.id] = NULL;
	pool->changes++;
	spin_unlock_irqrestore(&pool->lock, enabled);
	give_table(node, window_destroy(&owner->window));
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
	owner = node->pool.by_window[id];
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
	table = exclusive_owner_take_table(node);
	if (table == NULL)
		panic("not enough memory for the scrub window");
	error = window_create(&node->pool.scrub, table);
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
