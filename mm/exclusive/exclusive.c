/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive.c -- pages that only their owner can reach.
 *
 * The frame of an exclusive page is not in the direct map.  It is mapped in its
 * owner's window, and that window is open only while the owner runs
 * (kernel/arch/window.h), so the MMU itself keeps all others out.
 *
 *	                 refill                  exclusive_take()
 *	  FREE (LOOSE) ----------> PARKED ------------------------> OWNED
 *	       ^                  |   ^                            |   ^ |
 *	       |      shrink      |   |     exclusive_release()    |   | |
 *	       +------------------+   +----------------------------+   | |
 *	                                                               | |
 *	                              exclusive_accept(), by receiver  | |
 *	                              exclusive_cancel(), by sender    | |
 *	                                                               | v
 *	                                                             HANDOVER
 *	                                                  exclusive_transfer()
 *
 * Taking a page must work in an interrupt handler at the worst moment, so a thread,
 * the refiller, does all slow work beforehand: it takes a frame from the buddy,
 * splits the 2 MiB entry that maps it, zeroes it, hides it and flushes.  The taker
 * pops a list and writes one page-table entry (invalid to valid: no flush).
 *
 * Invariants, checked by exclusive_check():
 *
 *  X1  A frame is absent from the direct map if and only if its page is PARKED,
 *      OWNED or HANDOVER.
 *  X2  A PARKED page is on pool->parked or pool->whole, and pool->count is the
 *      length of both.
 *  X3  An OWNED page is on owner->pages of a living owner and mapped at its
 *      entry of that owner's window; nothing else is mapped in any window.
 *  X4  A HANDOVER page is on receiver->incoming of a living owner and mapped
 *      nowhere; its sender, if it lives, keeps the entry, so that a cancel
 *      cannot fail, and this entry, not present, notes the frame.
 *  X5  The used entries of an owner are its OWNED pages and those it sent; no
 *      other entry is in use.
 *  X6  A frame that is mapped besides the direct map and the windows (a stack)
 *      is in use and counts its mappings.  So an exclusive one is not.
 *
 * Locking: pool->lock, with interrupts off, is a leaf and is held for a few
 * dozen instructions, however many owners and pages there are: a page that was
 * sent is found by its entry, an owner by its window or its number.  No page is
 * zeroed and no TLB of another CPU is flushed under it.  pool->busy admits one
 * refiller at a time.
 *
 * No protection from ring-0 code that edits page tables, nor from DMA.
 */
#include "mm/exclusive/exclusive.h"

#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_state.h"

/* ---- Entries and windows ------------------------------------------------- */

/* Mark a free entry of OWNER as used and return its index, or WINDOW_ENTRIES.  Round robin, so
 * that an address stays dead for long.  pool->lock held. */
static unsigned int claim_entry(struct owner *owner)
{
	unsigned int index = (unsigned int)bitmap_find_clear(
		owner->entries, WINDOW_ENTRIES, owner->next_entry);

	kassert(owner->next_entry < WINDOW_ENTRIES);
	if (index < WINDOW_ENTRIES) {
		kassert(window_frame(&owner->window, index) == -1UL);
		kassert(window_noted(&owner->window, index) == -1UL);
		bitmap_set(owner->entries, index);
		owner->next_entry = (index + 1) % WINDOW_ENTRIES;
	}
	return index;
}

static void *exclusive_entry_address(const struct owner *owner,
                                     unsigned int index)
{
	kassert(index < WINDOW_ENTRIES);
	kassert(owner->window.id != 0);
	return (void *)(owner->window.base + index * PAGE_SIZE);
}

void exclusive_make_owned(struct node *node, struct page *page,
                          struct owner *owner, unsigned int index)
{
	kassert(spin_is_mine(&node->pool.lock));
	kassert(index < WINDOW_ENTRIES && bitmap_test(owner->entries, index));
	kassert(page->refcount == 0 && page->mapcount == 0);
	kassert(owner->window.id != 0);
	page_set_state(page_zone(node, page), page,
	               (enum page_state)page->state, PAGE_OWNED);
	page->owner = owner;
	page->receiver = NULL;
	page->private = index;
	list_append(&owner->pages, &page->link);
	owner->owned++;
	node->pool.owned++;
	node->pool.changes++;
	window_map(&owner->window, index, node_pfn(node, page));
}

void exclusive_unmake_owned(struct node *node, struct page *page)
{
	struct owner *owner = page->owner;

	kassert(spin_is_mine(&node->pool.lock));
	kassert(page->state == PAGE_OWNED);
	kassert(owner->owned > 0 && node->pool.owned > 0);
	kassert(bitmap_test(owner->entries, page->private));
	window_unmap(&owner->window, page->private);
	/* From here on its owner cannot touch it. */
	kassert(window_frame(&owner->window, page->private) == -1UL);
	list_remove(&page->link);
	owner->owned--;
	node->pool.owned--;
}

/* ---- Taking -------------------------------------------------------------- */

/* Nothing is done before exclusive_start(), nor in an NMI, which is counted. */
static bool exclusive_is_closed(struct node *node)
{
	if (node != NULL && in_nmi())
		count_vm_event(node, VMSTAT_alloc_in_nmi);
	return node == NULL || node->pool.scrub.id == 0 || in_nmi();
}

/* Return the running owner if it can own pages of NODE, else NULL. */
static struct owner *asking_owner(const struct node *node)
{
	struct owner *owner = current_owner();

	if (owner == NULL || !owner->alive || node != main_node())
		return NULL;
	return owner;
}

bool exclusive_can_take(const struct node *node)
{
	const struct owner *owner = asking_owner(node);

	return owner != NULL &&
	       bitmap_weight(owner->entries, WINDOW_ENTRIES) < WINDOW_ENTRIES;
}

/* Take for OWNER under the lock; *EMPTY says whether the pool was. */
static struct page *take_locked(struct node *node, struct owner *owner,
                                bool *empty)
{
	struct exclusive_pool *pool = &node->pool;
	struct page *page = exclusive_pool_first(pool);
	unsigned int index;

	kassert(spin_is_mine(&pool->lock));
	kassert(page == NULL || page->state == PAGE_PARKED);
	*empty = page == NULL;
	if (page == NULL)
		return NULL;
	index = claim_entry(owner);
	if (index == WINDOW_ENTRIES)
		return NULL;
	exclusive_pool_unlink(node, page);
	page->taker = owner->id;
	exclusive_make_owned(node, page, owner, index);
	return page;
}

/* Count and trace the result of a take. */
static void note_take(struct node *node, const struct page *page, bool empty)
{
	kassert(page == NULL || !empty);
	if (page != NULL) {
		count_vm_event(node, VMSTAT_exclusive_take);
		trace_mm_exclusive_take(&node->trace, node_pfn(node, page),
		                        page->private);
	} else if (empty) {
		count_vm_event(node, VMSTAT_exclusive_empty);
		trace_mm_exclusive_empty(&node->trace,
		                         READ_ONCE(node->pool.count));
	} else {
		count_vm_event(node, VMSTAT_exclusive_window_full);
	}
}

struct page *exclusive_take(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	struct owner *owner =
		exclusive_is_closed(node) ? NULL : asking_owner(node);
	struct page *page;
	bool enabled;
	bool empty;
	bool wake = false;

	if (owner == NULL) {
		count_vm_event(node, VMSTAT_exclusive_refused);
		return NULL;
	}
	enabled = spin_lock_irqsave(&pool->lock);
	page = take_locked(node, owner, &empty);
	if (empty || pool->count < pool->low ||
	    pool->count == EXCLUSIVE_BLOCK_LOW - 1)
		wake = exclusive_pool_request_wake(pool);
	spin_unlock_irqrestore(&pool->lock, enabled);
	note_take(node, page, empty);
	if (wake)
		exclusive_pool_wake(node);
	return page;
}

struct zone *exclusive_would_take_from(struct node *node,
                                       const struct alloc_request *request)
{
	struct exclusive_pool *pool = &node->pool;
	struct zone *zone = NULL;
	const struct page *page;
	bool enabled;

	kassert(request->exclusive);
	if (!exclusive_can_take(node))
		return NULL;
	enabled = spin_lock_irqsave(&pool->lock);
	page = exclusive_pool_first(pool);
	if (page != NULL)
		zone = page_zone(node, page);
	spin_unlock_irqrestore(&pool->lock, enabled);
	if (zone != NULL || !request->may_sleep)
		return zone;
	for (int type = ZONE_NORMAL; type >= ZONE_DMA; type--) {
		zone = &node->zone[type];
		if (exclusive_refill_would_find(node, zone,
		                                request->last_right))
			return zone;
	}
	return NULL;
}

void *exclusive_address(const struct page *page)
{
	if (page == NULL || page->state != PAGE_OWNED)
		return NULL;
	return exclusive_entry_address(page->owner, page->private);
}

/* ---- From an address to its page ----------------------------------------- */

struct page *exclusive_find_sent(struct node *node, const struct owner *sender,
                                 unsigned int index)
{
	unsigned long pfn = window_noted(&sender->window, index);
	struct page *page;

	kassert(spin_is_mine(&node->pool.lock));
	kassert(index < WINDOW_ENTRIES);
	if (pfn == -1UL)
		return NULL;
	page = node_page(node, pfn);
	kassert(page != NULL && page->state == PAGE_HANDOVER);
	kassert(page->owner == sender && page->private == index);
	return page;
}

/*
 * Find the page that the running owner has at ADDRESS: 0 and *PAGE, or the error of
 * exclusive_release() and in *HOLDER the page's owner or receiver, or NULL.
 * pool->lock held.
 */
static int find_mine(struct node *node, uintptr_t address, struct page **page,
                     const struct owner **holder)
{
	struct owner *me = asking_owner(node);
	unsigned int index;
	unsigned int id = window_of_address(address, &index);
	unsigned long pfn;

	kassert(spin_is_mine(&node->pool.lock));
	kassert(id < WINDOW_COUNT);
	*holder = NULL;
	if (id == 0 || address % PAGE_SIZE != 0)
		return -EINVAL;
	*holder = exclusive_window_owner(&node->pool, id);
	if (me == NULL || *holder != me)
		return -EPERM;
	pfn = window_frame(&me->window, index);
	if (pfn == -1UL) {
		const struct page *sent = exclusive_find_sent(node, me, index);

		if (sent == NULL)
			return -ENOENT;
		*holder = sent->receiver;
		return -EBUSY;
	}
	*page = node_page(node, pfn);
	kassert(*page != NULL && (*page)->owner == me);
	return 0;
}

static const char *refusal_text(int error)
{
	kassert(error < 0);
	switch (error) {
	case -EINVAL:
		return "no exclusive page can be there";
	case -EPERM:
		return "it is not the caller's";
	case -EBUSY:
		return "it is the caller's, but on its way";
	case -ENOENT:
		return "nothing is there: released, handed over or never taken";
	case -ENXIO:
		return "the receiver has ended, or never was";
	default:
		return "the receiver is the sender";
	}
}

/* Report a refused call; returns ERROR. */
static int exclusive_refuse(struct node *node, const char *call,
                            const void *address, const char *holder,
                            uintptr_t caller, int error)
{
	char place[PLACE_SIZE];

	kassert(!in_nmi());
	count_vm_event(node, VMSTAT_exclusive_refused);
	caller_format(place, sizeof(place), caller);
	pr_warn("%s(%p) by %s at %s refused: %s (%s: %s)\n", call, address,
	        context_name(), place, refusal_text(error),
	        error == -EBUSY ? "receiver" : "owner", holder);
	backtrace_print_from(caller);
	return error;
}

/* Copies the holder's name while the lock is held. */
static void copy_name(char *to, const struct owner *owner)
{
	scnprintf(to, OWNER_NAME_SIZE, "%s", owner ? owner->name : "nobody");
}

struct page *exclusive_page(void *address)
{
	struct node *node = main_node();
	const struct owner *holder;
	struct page *page = NULL;
	bool enabled;

	if (exclusive_is_closed(node))
		return NULL;
	enabled = spin_lock_irqsave(&node->pool.lock);
	if (find_mine(node, (uintptr_t)address, &page, &holder) != 0)
		page = NULL;
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return page;
}

/* Record that OWNER gave up the page at INDEX, at CALLER, to owner number TO (0: to
 * the pool).  pool->lock held. */
static void note_loss(struct owner *owner, unsigned int index, uint64_t to,
                      uintptr_t caller)
{
	kassert(index < WINDOW_ENTRIES);
	owner->loss[owner->losses++ % OWNER_LOSSES] = (struct owner_loss){
		.index = index,
		.caller = caller,
		.to = to,
	};
}

/* ---- Release ------------------------------------------------------------- */

int exclusive_release(void *address)
{
	struct node *node = main_node();
	char name[OWNER_NAME_SIZE];
	const struct owner *holder;
	struct page *page = NULL;
	bool enabled;
	bool wake = false;
	int error;

	if (exclusive_is_closed(node))
		return -EPERM;
	/* No other context can take the caller's page while the caller runs, so
	 * it may be scrubbed before the lock is taken. */
	if (exclusive_page(address) != NULL)
		memset(address, 0, PAGE_SIZE);
	enabled = spin_lock_irqsave(&node->pool.lock);
	error = find_mine(node, (uintptr_t)address, &page, &holder);
	copy_name(name, holder);
	if (error == 0) {
		struct owner *owner = page->owner;

		note_loss(owner, page->private, 0, RETURN_ADDRESS());
		exclusive_unmake_owned(node, page);
		bitmap_clear(owner->entries, page->private);
		wake = exclusive_pool_park(node, page);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	if (error != 0)
		return exclusive_refuse(node, "exclusive_release", address,
		                        name, RETURN_ADDRESS(), error);
	count_vm_event(node, VMSTAT_exclusive_release);
	trace_mm_exclusive_release(&node->trace, node_pfn(node, page));
	if (wake)
		exclusive_pool_wake(node);
	return 0;
}

/* ---- Hand-over ----------------------------------------------------------- */

/* May the running owner hand the page at ADDRESS over to owner number TO
 * (*RECEIVER)?  pool->lock held. */
static int check_transfer(struct node *node, void *address, uint64_t to,
                          struct page **page, struct owner **receiver,
                          const struct owner **holder)
{
	int error = find_mine(node, (uintptr_t)address, page, holder);

	kassert(spin_is_mine(&node->pool.lock));
	if (error != 0)
		return error;
	*receiver = exclusive_find_owner(&node->pool, to);
	if (*receiver == NULL)
		return -ENXIO;
	return *receiver == (*page)->owner ? -E2BIG : 0;
}

/* Send the running owner's page to RECEIVER.  pool->lock held. */
static void send_page(struct node *node, struct page *page,
                      struct owner *receiver)
{
	struct owner *sender = page->owner;

	kassert(spin_is_mine(&node->pool.lock));
	kassert(receiver->alive);
	kassert(receiver != sender);
	/* The old owner's access ends before the new one's begins. */
	exclusive_unmake_owned(node, page);
	window_note(&sender->window, page->private, node_pfn(node, page));
	sender->sent++;
	page_set_state(page_zone(node, page), page, PAGE_OWNED, PAGE_HANDOVER);
	page->receiver = receiver;
	list_append(&receiver->incoming, &page->link);
	receiver->incoming_count++;
	node->pool.handover++;
	node->pool.changes++;
	trace_mm_exclusive_transfer(&node->trace, node_pfn(node, page),
	                            sender->id, receiver->id);
}

int exclusive_transfer(void *address, uint64_t to)
{
	struct node *node = main_node();
	char name[OWNER_NAME_SIZE];
	const struct owner *holder;
	struct owner *receiver = NULL;
	struct page *page = NULL;
	bool enabled;
	int error;

	if (exclusive_is_closed(node))
		return -EPERM;
	enabled = spin_lock_irqsave(&node->pool.lock);
	error = check_transfer(node, address, to, &page, &receiver, &holder);
	copy_name(name, holder);
	if (error == 0) {
		note_loss(page->owner, page->private, to, RETURN_ADDRESS());
		send_page(node, page, receiver);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	if (error != 0) {
		exclusive_refuse(node, "exclusive_transfer", address, name,
		                 RETURN_ADDRESS(), error);
		return error == -E2BIG ? -EINVAL : error;
	}
	count_vm_event(node, VMSTAT_exclusive_transfer);
	return 0;
}

void exclusive_unqueue(struct node *node, struct page *page)
{
	kassert(spin_is_mine(&node->pool.lock));
	kassert(page->state == PAGE_HANDOVER);
	kassert(page->receiver != NULL);
	kassert(page->receiver->incoming_count > 0);
	kassert(node->pool.handover > 0);
	list_remove(&page->link);
	page->receiver->incoming_count--;
	node->pool.handover--;
}

void exclusive_drop_sender(struct page *page)
{
	struct owner *sender = page->owner;

	kassert(page->state == PAGE_HANDOVER);
	kassert(sender == NULL || sender->sent > 0);
	if (sender == NULL)
		return;
	window_note(&sender->window, page->private, -1UL);
	bitmap_clear(sender->entries, page->private);
	sender->sent--;
	page->owner = NULL;
}

void *exclusive_accept(void)
{
	struct node *node = main_node();
	struct owner *me;
	struct page *page;
	unsigned int index = WINDOW_ENTRIES;
	bool enabled;

	if (exclusive_is_closed(node))
		return NULL;
	me = asking_owner(node);
	if (me == NULL)
		return NULL;
	enabled = spin_lock_irqsave(&node->pool.lock);
	page = list_first(&me->incoming, struct page, link);
	if (page != NULL)
		index = claim_entry(me);
	if (index < WINDOW_ENTRIES) {
		kassert(page->receiver == me);
		exclusive_drop_sender(page);
		exclusive_unqueue(node, page);
		page->taker = me->id;
		exclusive_make_owned(node, page, me, index);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	if (page == NULL)
		return NULL;
	if (index == WINDOW_ENTRIES) {
		count_vm_event(node, VMSTAT_exclusive_window_full);
		return NULL;
	}
	count_vm_event(node, VMSTAT_exclusive_accept);
	trace_mm_exclusive_accept(&node->trace, node_pfn(node, page), index);
	return exclusive_entry_address(me, index);
}

void exclusive_return_to_sender(struct node *node, struct page *page)
{
	struct owner *sender = page->owner;

	kassert(spin_is_mine(&node->pool.lock));
	kassert(sender != NULL && sender->sent > 0);
	exclusive_unqueue(node, page);
	window_note(&sender->window, page->private, -1UL);
	sender->sent--;
	exclusive_make_owned(node, page, sender, page->private);
}

int exclusive_cancel(void *address)
{
	struct node *node = main_node();
	struct page *page = NULL;
	char name[OWNER_NAME_SIZE];
	struct owner *me;
	unsigned int index;
	unsigned int id;
	bool enabled;

	if (exclusive_is_closed(node))
		return -EPERM;
	me = asking_owner(node);
	id = window_of_address((uintptr_t)address, &index);
	enabled = spin_lock_irqsave(&node->pool.lock);
	if (me != NULL && id != 0 &&
	    exclusive_window_owner(&node->pool, id) == me &&
	    (uintptr_t)address % PAGE_SIZE == 0)
		page = exclusive_find_sent(node, me, index);
	copy_name(name,
	          id == 0 ? NULL : exclusive_window_owner(&node->pool, id));
	if (page != NULL) {
		kassert(page->owner == me);
		exclusive_return_to_sender(node, page);
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	if (page == NULL)
		return exclusive_refuse(node, "exclusive_cancel", address, name,
		                        RETURN_ADDRESS(), -ENOENT);
	count_vm_event(node, VMSTAT_exclusive_cancel);
	trace_mm_exclusive_cancel(&node->trace, node_pfn(node, page), index);
	return 0;
}

unsigned long exclusive_incoming(uint64_t id)
{
	struct node *node = main_node();
	const struct owner *owner;
	unsigned long incoming = 0;
	bool enabled;

	if (exclusive_is_closed(node))
		return 0;
	enabled = spin_lock_irqsave(&node->pool.lock);
	owner = exclusive_find_owner(&node->pool, id);
	if (owner != NULL)
		incoming = owner->incoming_count;
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return incoming;
}
