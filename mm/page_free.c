/* SPDX-License-Identifier: MIT */
/*
 * mm/page_free.c -- freeing, and references.
 *
 * Freeing checks everything before anything is changed: a double free, a wrong order,
 * the middle of a block, a reserved page, a page that was never allocated, a page
 * without a reference and an exclusive page are refused and reported with the taker
 * and the caller.
 *
 * A block that is not compound has its references on the first page.  If some
 * remain when it is freed, the other pages are freed immediately, the largest part
 * first, and the first one by its last put_page() (Linux: ___free_pages()).
 *
 * Locking: zone->lock, for one block.
 */
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_bits.h"
#include "mm/page_internal.h"
#include "mm/page_prep.h"
#include "mm/pcp_hot.h"

/* ---- Freeing ------------------------------------------------------------- */

/* Why a page may not be freed that is not a head. */
static const char *free_refusal_of_tail(struct node *node,
                                        const struct page *page)
{
	const struct page *head = page_head(node, page);

	if (head == page)
		return "it is reserved";
	return READ_ONCE(head->state) == PAGE_FREE ||
	                       READ_ONCE(head->state) == PAGE_PCP
	               ? "it is free already (double free, or never allocated)"
	               : "it is in the middle of a block";
}

/* NULL, or why the block may not be freed: the checks of all frees.  zone->lock held. */
static const char *free_refusal(struct node *node, const struct page *page,
                                unsigned int order)
{
	switch ((enum page_state)page->state) {
	case PAGE_NONE:
		return free_refusal_of_tail(node, page);
	case PAGE_USED:
		if (page->flags & PAGE_TABLE)
			return "it is a page table";
		if (page->flags & PAGE_GUARD)
			return "it is the guard behind a block";
		break;
	case PAGE_FREE:
	case PAGE_PCP:
		return "it is free already (double free, or never allocated)";
	case PAGE_PARKED:
	case PAGE_OWNED:
	case PAGE_HANDOVER:
		return "it is exclusive: exclusive_release() is for it";
	case PAGE_LOOSE:
		return "it is in flight";
	case PAGE_BAD:
	case PAGE_STATE_COUNT:
		return "it is bad";
	}
	if (page->order != order)
		return "wrong order";
	if (page->refcount <= 0)
		return "it has no reference";
	/* Another's reference may go, but not the reserve's. */
	if (page_has(page, PG_mempool) && page->refcount == 1)
		return "it is in the reserve of a mempool";
	if (page_has(page, PG_slab) && page->refcount == 1)
		return "it is the slab allocator's: kfree() is for it";
	return NULL;
}

/* References remain on the first page of a block that is not compound: free
 * the others, largest part first.  zone->lock held. */
static void give_all_but_first(struct node *node, struct zone *zone,
                               struct page *page, uintptr_t caller)
{
	kassert(spin_is_mine(&zone->lock));
	kassert((page->flags & PAGE_COMPOUND) == 0);
	kassert(page->refcount > 0);
	while (page->order > 0) {
		page_prep_halve(page);
		page_prep_give(node, zone, page + (1UL << page->order),
		               page->order, caller);
	}
}

/* Before there is a node, and in an NMI, which is counted, nothing is done. */
static bool page_free_is_closed(struct node *node)
{
	if (node != NULL && in_nmi())
		count_vm_event(node, VMSTAT_alloc_in_nmi);
	return node == NULL || in_nmi();
}

/* Drop one reference of a block that passed free_refusal().  zone->lock held. */
static void page_free_drop_reference(struct node *node, struct zone *zone,
                                     struct page *page, uintptr_t caller,
                                     bool whole)
{
	bool in_parts =
		whole && !(page->flags & (PAGE_COMPOUND | PAGE_SATURATED));

	kassert(spin_is_mine(&zone->lock));
	kassert(page->state == PAGE_USED);
	if (!page_prep_put(node, zone, page, caller) && in_parts)
		give_all_but_first(node, zone, page, caller);
}

/* All that does not go to this CPU's list. */
static void page_drop_to_zone(struct node *node, struct page *page,
                              unsigned int order, uintptr_t caller, bool whole)
{
	struct zone *zone;
	const char *why;
	bool enabled;

	if (page_free_is_closed(node))
		return;
	if (!page_is_of(node, page) || order > MAX_ORDER) {
		page_report_free(node, NULL, order, caller,
		                 order > MAX_ORDER ? "no such order"
		                                   : "no such page");
		return;
	}
	if (READ_ONCE(page->state) == PAGE_NONE) {
		page_report_free(node, page, order, caller,
		                 free_refusal_of_tail(node, page));
		return;
	}
	zone = page_zone(node, page);
	kassert(zone->node == node && page >= zone->pages);
	enabled = spin_lock_irqsave(&zone->lock);
	why = free_refusal(node, page, order);
	if (why == NULL)
		page_free_drop_reference(node, zone, page, caller, whole);
	spin_unlock_irqrestore(&zone->lock, enabled);
	page_prep_report_bad(node, zone);
	if (why != NULL)
		page_report_free(node, page, order, caller, why);
	else
		exclusive_memory_freed(node);
}

/* The long way of __free_pages() (WHOLE) and put_page() (not): the lists of NODE, found
 * through it, and else its zone. */
static __noinline void page_drop_slowly(struct node *node, struct page *page,
                                        unsigned int order, uintptr_t caller,
                                        bool whole)
{
	bool freed = false;

	if (node != NULL && node->pcp_cpus > 0 && pcp_trylock()) {
		freed = pcp_free_hot(node->pcp[arch_cpu_id()], page, order,
		                     caller);
		if (freed)
			trace_mm_page_free(&node->trace, node_pfn(node, page),
			                   order);
		pcp_unlock();
	}
	if (freed)
		exclusive_memory_freed(node);
	else
		page_drop_to_zone(node, page, order, caller, whole);
}

/* __free_pages(): a block of the main node.  put_page() takes the long way. */
static __always_inline void page_free_hot(struct page *page, unsigned int order,
                                          uintptr_t caller)
{
	bool freed = false;

	if (likely(pcp_trylock())) {
		freed = pcp_free_hot(this_cpu_lists(), page, order, caller);
		pcp_unlock();
	}
	if (unlikely(!freed))
		page_drop_slowly(main_node(), page, order, caller, true);
}

/* Another function, so that a single page does not pay for its registers. */
static __noinline void page_free_larger(struct page *page, unsigned int order,
                                        uintptr_t caller)
{
	page_free_hot(page, order, caller);
}

void page_drop(struct node *node, struct page *page, unsigned int order,
               uintptr_t caller, bool whole)
{
	page_drop_slowly(node, page, order, caller, whole);
}

void free_pages_node(struct node *node, struct page *page, unsigned int order,
                     uintptr_t caller)
{
	page_drop(node, page, order, caller, true);
}

void __free_pages(struct page *page, unsigned int order)
{
	if (likely(order == 0))
		page_free_hot(page, 0, RETURN_ADDRESS());
	else
		page_free_larger(page, order, RETURN_ADDRESS());
}

void __free_page(struct page *page)
{
	page_free_hot(page, 0, RETURN_ADDRESS());
}

/* ---- By address ---- */

static void free_address(uintptr_t address, unsigned int order,
                         uintptr_t caller)
{
	if (address == 0)
		return;
	if (address % PAGE_SIZE != 0 && page_free_is_closed(main_node()))
		return;
	if (address % PAGE_SIZE != 0) {
		page_report_free(main_node(), NULL, order, caller,
		                 "the address is in the middle of a page");
		return;
	}
	/* For an address outside the map this is a page outside the array, which
	 * page_drop() refuses. */
	page_drop(main_node(), virt_to_page((void *)address), order, caller,
	          true);
}

void free_pages(uintptr_t address, unsigned int order)
{
	free_address(address, order, RETURN_ADDRESS());
}

void free_page(uintptr_t address)
{
	free_address(address, 0, RETURN_ADDRESS());
}

void free_pages_exact(void *address, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		free_address((uintptr_t)address + at, 0, RETURN_ADDRESS());
}

/* ---- References ---------------------------------------------------------- */

/* The page that holds the references: the head of a compound block.  The caller's
 * reference keeps the block as it is. */
static struct page *reference_head(struct node *node, struct page *page)
{
	struct page *head = page_head(node, page);

	return head->flags & PAGE_COMPOUND ? head : page;
}

/* The head whose references PAGE shares (Linux: compound_head()), or NULL: in an NMI,
 * or if it is not a page of the node, which is reported with CALLER. */
static struct page *open_page(struct page *page, uintptr_t caller)
{
	struct node *node = main_node();

	if (page_free_is_closed(node))
		return NULL;
	if (!page_is_of(node, page)) {
		page_report_free(node, NULL, 0, caller, "no such page");
		return NULL;
	}
	return reference_head(node, page);
}

bool try_get_page(struct page *page)
{
	struct page *head = open_page(page, RETURN_ADDRESS());

	return head != NULL && page_add_reference(head);
}

/*
 * HEAD has INT32_MAX references, and the caller of get_page() relies on one more.  From
 * here on the count is meaningless: puts do not lower it, the page is never free
 * again.  False: the count has dropped meanwhile.
 */
static bool page_saturate(struct page *head)
{
	struct zone *zone = page_zone(main_node(), head);
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool full = READ_ONCE(head->refcount) == INT32_MAX;

	kassert(head->state == PAGE_USED);
	if (full)
		head->flags |= PAGE_SATURATED;
	spin_unlock_irqrestore(&zone->lock, enabled);
	return full;
}

void get_page(struct page *page)
{
	struct page *head = open_page(page, RETURN_ADDRESS());

	if (head == NULL)
		return;
	while (!page_add_reference(head)) {
		if (READ_ONCE(head->refcount) <= 0) {
			page_report_get(main_node(), page, RETURN_ADDRESS(),
			                "has no reference");
			return;
		}
		if (head->flags & PAGE_SATURATED)
			return;
		if (page_saturate(head)) {
			page_report_get(
				main_node(), page, RETURN_ADDRESS(),
				"has too many references: it is leaked");
			return;
		}
	}
}

static void put_reference(struct page *page, uintptr_t caller)
{
	struct page *head = open_page(page, caller);

	if (head != NULL)
		page_drop(main_node(), head, head->order, caller, false);
}

/* The reference may be on the running thread's list. */
void put_page(struct page *page)
{
	held_drop(HELD_PIN, page);
	put_reference(page, RETURN_ADDRESS());
}

void put_kept_page(struct page *page)
{
	put_reference(page, RETURN_ADDRESS());
}

int page_ref_count(const struct page *page)
{
	return READ_ONCE(page->refcount);
}

int pin_page(struct page *page)
{
	struct page *head = open_page(page, RETURN_ADDRESS());

	if (head == NULL)
		return -EINVAL;
	if (page_is_exclusive(head)) {
		count_vm_event(main_node(), VMSTAT_exclusive_refused);
		return -EBUSY;
	}
	if (page_add_reference(head)) {
		held_take(HELD_PIN, page, RETURN_ADDRESS());
		return 0;
	}
	return READ_ONCE(head->refcount) > 0 ? -EOVERFLOW : -EINVAL;
}
