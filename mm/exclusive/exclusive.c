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
 * pops its CPU's stack and writes one page-table entry (invalid to valid: no flush).
 *
 * Invariants, checked by exclusive_check():
 *
 *  X1  A frame is absent from the direct map if and only if its page is PARKED,
 *      OWNED or HANDOVER.
 *  X2  A PARKED page is on pool->parked or pool->whole, and pool->count is the
 *      length of both; or it is on the stack of one CPU.
 *  X3  An OWNED page is mapped at its entry of the window of a living owner;
 *      nothing else is mapped in any window.
 *  X4  A HANDOVER page is on receiver->incoming of a living owner and mapped
 *      nowhere; its sender, if it lives, keeps the entry, so that a cancel
 *      cannot fail, and this entry, not present, notes the frame.
 *  X5  The used entries of an owner are its OWNED pages and those it sent; no
 *      other entry is in use.
 *  X6  A frame that is mapped besides the direct map and the windows (a stack)
 *      is in use and counts its mappings.  So an exclusive one is not.
 *
 * Locking: a take and a release need no lock while the stack has a frame, or room: an
 * OWNED page, its entry and the bit of that are changed by their owner alone, on the CPU
 * where it runs, with interrupts off.  Everything that two owners may change is under
 * pool->lock: pages on their way, the entries that note them, the lists.  The lock, with
 * interrupts off, is a leaf and is held for a few
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

/* Mark a free entry of OWNER, the caller, as used and return its index, or
 * WINDOW_ENTRIES.  Round robin, so that an address stays dead for long.  Interrupts off. */
static unsigned int claim_entry(struct owner *owner)
{
	unsigned int index = owner->next_entry;

	kassert(index < WINDOW_ENTRIES);
	if (bitmap_test(owner->entries, index))
		index = (unsigned int)bitmap_find_clear(owner->entries,
		                                        WINDOW_ENTRIES, index);
	if (index == WINDOW_ENTRIES)
		return index;
	kassert(window_is_empty(&owner->window, index));
	exclusive_use_entry(owner, index);
	owner->next_entry = (index + 1) % WINDOW_ENTRIES;
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
	kassert(page->state == PAGE_PARKED || page->state == PAGE_HANDOVER);
	kassert(page->refcount == 0 && page->mapcount == 0);
	kassert(owner->window.id != 0);
	/* Neither way a column changes: exclusive_stack.c. */
	WRITE_ONCE(page->state, PAGE_OWNED);
	page->owner = owner;
	page->receiver = NULL;
	page->private = index;
	window_map(&owner->window, index, node_pfn(node, page));
}

void exclusive_unmake_owned(struct page *page)
{
	struct owner *owner = page->owner;

	kassert(page->state == PAGE_OWNED);
	kassert(bitmap_test(owner->entries, page->private));
	window_unmap(&owner->window, page->private);
	/* From here on its owner cannot touch it. */
	kassert(window_is_empty(&owner->window, page->private));
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

/* The result of a take. */
struct take {
	struct page *page; /* or NULL */
	bool empty;        /* no frame was within reach */
	bool low;          /* the refiller should know */
};

/* Pop, an entry, one write.  Interrupts off. */
static void exclusive_take_top(struct node *node, struct owner *owner,
                               struct take *take)
{
	struct exclusive_pool *pool = &node->pool;
	struct exclusive_stack *stack = &pool->stack[exclusive_stack_cpu()];
	struct page *page = stack->count > 0
	                            ? stack->frame[stack->count - 1]
	                            : exclusive_stack_fill_and_top(node, stack);
	unsigned int index = WINDOW_ENTRIES;
	unsigned long reach;

	take->page = NULL;
	take->empty = page == NULL;
	if (page != NULL)
		index = claim_entry(owner);
	if (index < WINDOW_ENTRIES) {
		kassert(page->state == PAGE_PARKED);
		WRITE_ONCE(stack->count, stack->count - 1);
		stack->changes++;
		page->taker = owner->id;
		exclusive_make_owned(node, page, owner, index);
		take->page = page;
	}
	reach = READ_ONCE(pool->count) + stack->count;
	take->low = reach < pool->low || reach == EXCLUSIVE_BLOCK_LOW - 1;
}

static void exclusive_take_wake(struct node *node)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled;
	bool wake;

	if (READ_ONCE(pool->wake_pending))
		return;
	enabled = spin_lock_irqsave(&pool->lock);
	wake = exclusive_pool_request_wake(pool);
	spin_unlock_irqrestore(&pool->lock, enabled);
	if (wake)
		exclusive_pool_wake(node);
}

/* Count and trace a page that was taken, and let the refiller know. */
static void exclusive_take_note(struct node *node, const struct take *take)
{
	kassert(take->page->state == PAGE_OWNED);
	count_vm_event(node, VMSTAT_exclusive_take);
	trace_mm_exclusive_take(&node->trace, node_pfn(node, take->page),
	                        take->page->private);
	if (take->low)
		exclusive_take_wake(node);
}

/* The same for NULL. */
static void exclusive_take_note_failure(struct node *node,
                                        const struct take *take)
{
	struct exclusive_pool *pool = &node->pool;

	kassert(take->page == NULL);
	if (take->empty) {
		count_vm_event(node, VMSTAT_exclusive_empty);
		if (exclusive_pool_stacked(pool) > 0)
			count_vm_event(node, VMSTAT_exclusive_elsewhere);
		trace_mm_exclusive_empty(&node->trace,
		                         exclusive_pool_parked(pool));
	} else {
		count_vm_event(node, VMSTAT_exclusive_window_full);
	}
	if (take->empty || take->low)
		exclusive_take_wake(node);
}

struct page *exclusive_take(struct node *node)
{
	struct owner *owner =
		exclusive_is_closed(node) ? NULL : asking_owner(node);
	struct take take;
	bool enabled;

	if (owner == NULL) {
		count_vm_event(node, VMSTAT_exclusive_refused);
		return NULL;
	}
	enabled = arch_irq_save();
	exclusive_take_top(node, owner, &take);
	arch_irq_restore(enabled);
	if (take.page != NULL)
		exclusive_take_note(node, &take);
	else
		exclusive_take_note_failure(node, &take);
	return take.page;
}

void *exclusive_take_parked(uintptr_t caller)
{
	struct node *node = main_node();
	/* In an NMI there is none. */
	struct owner *owner = current_owner();
	struct take take;
	bool enabled;

	if (node == NULL || owner == NULL || !owner->alive ||
	    fault_inject_is_on(&node->fail_page_alloc))
		return NULL;
	enabled = arch_irq_save();
	exclusive_take_top(node, owner, &take);
	arch_irq_restore(enabled);
	if (take.page == NULL)
		return NULL;
	take.page->gfp = GFP_ATOMIC | __GFP_EXCLUSIVE;
	page_set_caller(take.page, caller);
	exclusive_take_note(node, &take);
	return exclusive_entry_address(owner, take.page->private);
}

/* The page that is taken next here, or NULL. */
static const struct page *exclusive_take_next(const struct exclusive_pool *pool)
{
	const struct exclusive_stack *stack =
		&pool->stack[exclusive_stack_cpu()];

	kassert(spin_is_mine(&pool->lock));
	return stack->count > 0 ? stack->frame[stack->count - 1]
	                        : exclusive_pool_first(pool);
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
	page = exclusive_take_next(pool);
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

/* The OWNED page at ADDRESS of the window of ME, the caller, or NULL.  No lock: nobody
 * else takes it away, nor maps one there. */
static struct page *exclusive_own_page(const struct node *node,
                                       const struct owner *me,
                                       uintptr_t address)
{
	uintptr_t offset = address - me->window.base;
	unsigned long pfn;

	if (!me->alive || offset >= WINDOW_SIZE || offset % PAGE_SIZE != 0)
		return NULL;
	pfn = window_frame(&me->window, (unsigned int)(offset / PAGE_SIZE));
	return pfn == -1UL ? NULL : node_page(node, pfn);
}

/* The caller's OWNED page, zeroed, goes to the pool. */
static void exclusive_release_page(struct node *node, struct page *page,
                                   uintptr_t caller)
{
	struct owner *owner = page->owner;
	unsigned int index = page->private;
	bool enabled = arch_irq_save();
	bool wake;

	kassert(owner->alive && page->state == PAGE_OWNED);
	note_loss(owner, index, 0, caller);
	exclusive_unmake_owned(page);
	exclusive_free_entry(owner, index);
	wake = exclusive_stack_push(node, page);
	arch_irq_restore(enabled);
	count_vm_event(node, VMSTAT_exclusive_release);
	trace_mm_exclusive_release(&node->trace, node_pfn(node, page));
	if (wake)
		exclusive_pool_wake(node);
}

/* Why the caller cannot give up what is at ADDRESS: reported.  0: now it can. */
static int exclusive_release_refuse(struct node *node, const void *address,
                                    uintptr_t caller)
{
	char name[OWNER_NAME_SIZE];
	const struct owner *holder;
	struct page *page;
	bool enabled = spin_lock_irqsave(&node->pool.lock);
	int error = find_mine(node, (uintptr_t)address, &page, &holder);

	if (error != 0)
		copy_name(name, holder);
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return error == 0 ? 0
	                  : exclusive_refuse(node, "exclusive_release", address,
	                                     name, caller, error);
}

int exclusive_release(void *address)
{
	struct node *node = main_node();
	const struct owner *me;
	int error;

	if (exclusive_is_closed(node))
		return -EPERM;
	me = current_owner();
	do {
		struct page *page =
			me == NULL ? NULL
				   : exclusive_own_page(node, me,
		                                        (uintptr_t)address);

		if (page != NULL) {
			arch_clear_page(address);
			exclusive_release_page(node, page, RETURN_ADDRESS());
			return 0;
		}
		error = exclusive_release_refuse(node, address,
		                                 RETURN_ADDRESS());
	} while (error == 0);
	return error;
}

unsigned int exclusive_release_all(void)
{
	const struct owner *me = current_owner();
	unsigned int released = 0;

	kassert(!in_nmi());
	for (unsigned int i = 0; me != NULL && i < WINDOW_ENTRIES; i++) {
		if (window_frame(&me->window, i) == -1UL)
			continue;
		released +=
			exclusive_release(exclusive_entry_address(me, i)) == 0;
	}
	return released;
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
	exclusive_unmake_owned(page);
	window_note(&sender->window, page->private, node_pfn(node, page));
	sender->sent++;
	WRITE_ONCE(page->state, PAGE_HANDOVER);
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
	if (error != 0) {
		copy_name(name, holder);
	} else {
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
	node->pool.changes++;
}

void exclusive_drop_sender(struct page *page)
{
	struct owner *sender = page->owner;

	kassert(page->state == PAGE_HANDOVER);
	kassert(sender == NULL || sender->sent > 0);
	if (sender == NULL)
		return;
	window_note(&sender->window, page->private, -1UL);
	exclusive_free_entry(sender, page->private);
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
	if (page == NULL) {
		copy_name(name,
		          id == 0 ? NULL
		                  : exclusive_window_owner(&node->pool, id));
	} else {
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
