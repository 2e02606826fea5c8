/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive_check.c -- the invariants X1..X5 of mm/exclusive.c, checked.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/core/context.h"
#include "lib/format.h"
#include "mm/exclusive.h"

/* ---- Proof ------------------------------------------------------------------------ */

static const char *broken_at(char *buffer, size_t size, const char *invariant,
                             unsigned long pfn)
{
	scnprintf(buffer, size, "exclusive: invariant %s broken at pfn %#lx",
	          invariant, pfn);
	return buffer;
}

/* X3, X4 for one page, given its state. */
static const char *check_page_owner(const struct node *node,
                                    const struct page *page)
{
	unsigned long pfn = node_pfn(node, page);

	if (page->state == PAGE_OWNED &&
	    (page->owner == NULL ||
	     window_frame(&page->owner->window, page->slot) != pfn))
		return "X3";
	if (page->state == PAGE_HANDOVER &&
	    (page->receiver == NULL ||
	     (page->owner != NULL &&
	      (window_frame(&page->owner->window, page->slot) != -1UL ||
	       !bitmap_test(page->owner->slots, page->slot)))))
		return "X4";
	return NULL;
}

/* X1, X3, X4 for one page of a region that is split, or that should be. */
static const char *check_page(const struct node *node, const struct page *page)
{
	bool hidden = page_is_exclusive(page);

	if (page->state == PAGE_RESERVED || page->state == PAGE_LOOSE)
		return NULL;
	if (direct_map_visible(node_pfn(node, page)) == hidden)
		return "X1";
	return hidden ? check_page_owner(node, page) : NULL;
}

/* Is one of the pages the allocator's? */
static bool any_managed(const struct page *page, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (page[i].state != PAGE_RESERVED)
			return true;
	}
	return false;
}

/* Is one of the pages exclusive? */
static bool any_exclusive(const struct page *page, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (page_is_exclusive(&page[i]))
			return true;
	}
	return false;
}

/*
 * X1, X3, X4 for all pages, region by region.  A region that is not split and
 * holds no exclusive page is all visible, so one look at its entry answers for
 * 512 frames.
 */
static const char *check_pages(struct node *node, char *buffer, size_t size)
{
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long next;

	for (unsigned long pfn = node->start_pfn; pfn < end; pfn = next) {
		struct page *page = node_page(node, pfn);
		unsigned long pages;

		next = min(ALIGN_DOWN(pfn, REGION_FRAMES) + REGION_FRAMES, end);
		pages = next - pfn;
		if (!direct_map_is_split(pfn) && !any_exclusive(page, pages)) {
			if (any_managed(page, pages) &&
			    !direct_map_visible(pfn))
				return broken_at(buffer, size, "X1", pfn);
			continue;
		}
		for (unsigned long i = 0; i < pages; i++) {
			const char *broken = check_page(node, &page[i]);

			if (broken != NULL)
				return broken_at(buffer, size, broken, pfn + i);
		}
	}
	return NULL;
}

/* ---- X2: the pool --------------------------------------------------------- */

static const char *check_pool(struct node *node, char *buffer, size_t size)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long by_zones = 0;
	unsigned long parked = 0;
	struct list *at;

	list_for_each(at, &pool->parked) {
		const struct page *page = container_of(at, struct page, link);

		if (page->state != PAGE_PARKED || page->owner != NULL)
			return broken_at(buffer, size, "X2",
			                 node_pfn(node, page));
		parked++;
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		by_zones += node->zone[type].parked_pages;
	if (parked != pool->count || parked != by_zones) {
		scnprintf(buffer, size,
		          "exclusive: invariant X2 broken: %lu parked, %lu "
		          "counted, %lu by the zones",
		          parked, pool->count, by_zones);
		return buffer;
	}
	if (pool->tables_left + pool->regions - pool->boot_regions !=
	            pool->tables_total &&
	    !pool->busy) {
		scnprintf(buffer, size,
		          "exclusive: %lu tables left and %u regions split of "
		          "%lu",
		          pool->tables_left, pool->regions - pool->boot_regions,
		          pool->tables_total);
		return buffer;
	}
	return NULL;
}

/* ---- X3, X4, X5: one owner -------------------------------------------------- */

/* Every mapped slot is an OWNED page of the owner; how many, or -1UL. */
static unsigned long count_mapped(const struct node *node,
                                  const struct owner *owner)
{
	unsigned long mapped = 0;

	for (unsigned int slot = 0; slot < WINDOW_SLOTS; slot++) {
		unsigned long pfn = window_frame(&owner->window, slot);
		const struct page *page;

		if (pfn == -1UL)
			continue;
		page = node_page(node, pfn);
		if (page == NULL || page->state != PAGE_OWNED ||
		    page->owner != owner || page->slot != slot)
			return -1UL;
		mapped++;
	}
	return mapped;
}

/* Every listed page is OWNED by the owner; how many, or -1UL. */
static unsigned long count_owned(const struct owner *owner)
{
	unsigned long owned = 0;
	const struct list *at;

	list_for_each(at, &owner->pages) {
		const struct page *page = container_of(at, struct page, link);

		if (page->state != PAGE_OWNED || page->owner != owner ||
		    page->receiver != NULL)
			return -1UL;
		owned++;
	}
	return owned;
}

/* Every incoming page is on its way to the owner; how many, or -1UL. */
static unsigned long count_incoming(const struct owner *owner)
{
	unsigned long incoming = 0;
	const struct list *at;

	list_for_each(at, &owner->incoming) {
		const struct page *page = container_of(at, struct page, link);

		if (page->state != PAGE_HANDOVER || page->receiver != owner)
			return -1UL;
		incoming++;
	}
	return incoming;
}

/* Pages on their way from SENDER to anybody. */
static unsigned long count_sent(const struct exclusive_pool *pool,
                                const struct owner *sender)
{
	const struct list *owner_at;
	const struct list *page_at;
	unsigned long sent = 0;

	list_for_each(owner_at, &pool->owners) {
		const struct owner *owner =
			container_of(owner_at, struct owner, all);

		list_for_each(page_at, &owner->incoming) {
			sent += container_of(page_at, struct page, link)
			                ->owner == sender;
		}
	}
	return sent;
}

/* The invariant that OWNER breaks, or NULL. */
static const char *check_owner(const struct node *node,
                               const struct owner *owner)
{
	const struct exclusive_pool *pool = &node->pool;
	unsigned long owned = count_owned(owner);

	if (pool->by_window[owner->window.id] != owner || owned == -1UL ||
	    owned != owner->owned || owned != count_mapped(node, owner))
		return "X3";
	if (count_incoming(owner) == -1UL)
		return "X4";
	if (owner->sent != count_sent(pool, owner) ||
	    bitmap_weight(owner->slots, WINDOW_SLOTS) !=
	            owner->owned + owner->sent)
		return "X5";
	return NULL;
}

static const char *check_owners(struct node *node, char *buffer, size_t size)
{
	struct exclusive_pool *pool = &node->pool;
	unsigned long by_owners = 0;
	unsigned long by_zones = 0;
	struct list *at;

	list_for_each(at, &pool->owners) {
		const struct owner *owner = container_of(at, struct owner, all);
		const char *broken = check_owner(node, owner);

		if (broken != NULL) {
			scnprintf(buffer, size,
			          "exclusive: invariant %s broken for owner %s",
			          broken, owner->name);
			return buffer;
		}
		by_owners += owner->owned + count_incoming(owner);
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		by_zones += node->zone[type].exclusive_pages;
	if (by_owners != by_zones) {
		scnprintf(buffer, size,
		          "exclusive: %lu pages on the owners' lists, %lu by "
		          "the zones",
		          by_owners, by_zones);
		return buffer;
	}
	return NULL;
}

static bool window_is_empty(const struct window *window)
{
	for (unsigned int slot = 0; slot < WINDOW_SLOTS; slot++) {
		if (window_frame(window, slot) != -1UL)
			return false;
	}
	return true;
}

static const char *check_lists(struct node *node, char *buffer, size_t size)
{
	const struct window *scrub = &node->pool.scrub;

	if (check_pool(node, buffer, size) != NULL)
		return buffer;
	if (scrub->id != 0 && !window_is_empty(scrub)) {
		scnprintf(buffer, size,
		          "exclusive: the scrub window is not "
		          "empty");
		return buffer;
	}
	return check_owners(node, buffer, size);
}

const char *exclusive_check(struct node *node, bool try_lock, char *buffer,
                            size_t size)
{
	struct spinlock *lock = &node->pool.lock;
	const char *broken;
	bool enabled = false;

	if (try_lock && !spin_trylock_irqsave(lock, &enabled)) {
		scnprintf(buffer, size,
		          "exclusive pool: locked by somebody, "
		          "not checked");
		return buffer;
	}
	if (!try_lock)
		enabled = spin_lock_irqsave(lock);
	broken = check_lists(node, buffer, size);
	spin_unlock_irqrestore(lock, enabled);
	if (broken != NULL)
		return broken;
	if (!try_lock)
		enabled = spin_lock_irqsave(lock);
	broken = check_pages(node, buffer, size);
	if (!try_lock)
		spin_unlock_irqrestore(lock, enabled);
	return broken;
}

void exclusive_counts(struct node *node, struct exclusive_counts *counts)
{
	struct list *at;
	bool enabled;

	*counts = (struct exclusive_counts){ 0 };
	if (in_nmi())
		return;
	enabled = spin_lock_irqsave(&node->pool.lock);
	counts->parked = node->pool.count;
	list_for_each(at, &node->pool.owners) {
		const struct owner *owner = container_of(at, struct owner, all);
		const struct list *page;

		counts->owned += owner->owned;
		list_for_each(page, &owner->incoming)
			counts->handover++;
	}
	spin_unlock_irqrestore(&node->pool.lock, enabled);
}

void exclusive_visit_owners(struct node *node,
                            void (*visit)(const struct owner *owner,
                                          void *data),
                            void *data)
{
	struct list *at;
	bool enabled;

	if (in_nmi())
		return;
	enabled = spin_lock_irqsave(&node->pool.lock);
	list_for_each(at, &node->pool.owners)
		visit(container_of(at, struct owner, all), data);
	spin_unlock_irqrestore(&node->pool.lock, enabled);
}
