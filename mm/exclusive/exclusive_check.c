/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_check.c -- checks X1..X6 of mm/exclusive/exclusive.c.
 *
 * Three walks, all in slices (mm/debug/check.h).  One over all pages compares the direct
 * map and the owner's window with the page's state; one covers all other mappings:
 * both are right at any time.  The third follows the lists and windows of all owners
 * and compares their lengths: right if nothing changed during the walk.  On a
 * machine that does not come to rest it is abandoned after CHECK_WALKS attempts.
 *
 * Locking: pool->lock for a slice at a time; pool->changes shows whether another
 * context changed something between two slices.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/arch/mapping.h"
#include "kernel/core/context.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/pageblock.h"

/* ---- One page by itself -------------------------------------------------- */

static const char *broken_at(char *buffer, size_t size, const char *invariant,
                             unsigned long pfn)
{
	scnprintf(buffer, size, "exclusive: invariant %s broken at pfn %#lx",
	          invariant, pfn);
	return buffer;
}

/* Taken from an owner that has ended, and not parked yet.  pool->lock held. */
static bool is_orphan(const struct exclusive_pool *pool,
                      const struct page *page)
{
	return pool->orphans > 0 && page->owner == NULL &&
	       page->receiver == NULL;
}

/* X3, X4 for one page, given its state. */
static const char *check_page_owner(const struct node *node,
                                    const struct page *page)
{
	unsigned long pfn = node_pfn(node, page);

	if (page->state != PAGE_PARKED && is_orphan(&node->pool, page))
		return NULL;
	if (page->state == PAGE_OWNED &&
	    (page->owner == NULL || page->receiver != NULL ||
	     window_frame(&page->owner->window, page->private) != pfn))
		return "X3";
	if (page->state == PAGE_HANDOVER &&
	    (page->receiver == NULL ||
	     (page->owner != NULL &&
	      (window_noted(&page->owner->window, page->private) != pfn ||
	       !bitmap_test(page->owner->entries, page->private)))))
		return "X4";
	return NULL;
}

/* A hidden page is compared with its owner, its window and the page tables, which takes
 * some 700 instructions: so fewer of them under one lock. */
#define HIDDEN_SLICE (CHECK_SLICE / 4)

/* Is PAGE the buddy's, and not in flight? */
static bool page_has_column(const struct node *node, const struct page *page)
{
	uint8_t state = READ_ONCE(page_head(node, page)->state);

	return state != PAGE_NONE && state != PAGE_LOOSE;
}

/* X1, X3, X4 for one page of a region that is split, or that should be. */
static const char *check_page(const struct node *node, const struct page *page)
{
	bool hidden = page_is_exclusive(page);

	if (!page_has_column(node, page))
		return NULL;
	if (direct_map_visible(node_pfn(node, page)) ==
	    (hidden || page_debug_hides(node, node_pfn(node, page))))
		return "X1";
	return hidden ? check_page_owner(node, page) : NULL;
}

/* The end of the frames from PFN on for which a look at PFN answers.  A region that is not
 * split is visible or hidden as a whole, and all pages of a block that is not exclusive
 * are in its head's state. */
static unsigned long exclusive_check_reach(const struct node *node,
                                           unsigned long pfn)
{
	const struct page *page = node_page(node, pfn);
	const struct page *head = page_head(node, page);
	unsigned long pages = 1UL << min(head->order, (uint8_t)MAX_ORDER);

	if (head->state == PAGE_NONE)
		return pfn +
		       check_pass_none(page, node->start_pfn +
		                                     node->page_count - pfn);
	if (head->order == 0 || page_is_exclusive(head) ||
	    direct_map_is_split(pfn))
		return pfn + 1;
	return min(node_pfn(node, head) + pages,
	           ALIGN_DOWN(pfn, REGION_FRAMES) + REGION_FRAMES);
}

/* HIDDEN_SLICE looks, at most, from *PFN on.  *PFN is the next frame to look at
 * afterwards, or one that is broken. */
static const char *check_slice(const struct node *node, unsigned long *pfn,
                               unsigned long end)
{
	for (unsigned int i = 0; i < HIDDEN_SLICE && *pfn < end; i++) {
		const char *broken = check_page(node, node_page(node, *pfn));

		if (broken != NULL)
			return broken;
		*pfn = exclusive_check_reach(node, *pfn);
	}
	return NULL;
}

static const char *exclusive_check_pages(struct node *node, bool try_lock,
                                         char *buffer, size_t size)
{
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long pfn = node->start_pfn;

	while (pfn < end) {
		const char *broken;
		bool enabled = false;

		if (!try_lock)
			enabled = spin_lock_irqsave(&node->pool.lock);
		broken = check_slice(node, &pfn, end);
		if (!try_lock)
			spin_unlock_irqrestore(&node->pool.lock, enabled);
		if (broken != NULL)
			return broken_at(buffer, size, broken, pfn);
	}
	return NULL;
}

/* ---- X6: every mapping but these ----------------------------------------- */

/* May frame PFN be mapped once more?  Frames that the allocator does not manage may:
 * the image, devices. */
static bool may_be_mapped(const struct node *node, unsigned long pfn)
{
	const struct page *page = node_page(node, pfn);

	if (page == NULL)
		return true;
	page = page_head(node, page);
	if (page->state == PAGE_NONE)
		return true;
	return (page->state == PAGE_USED || page->state == PAGE_BAD) &&
	       READ_ONCE(page->mapcount) > 0;
}

/* CHECK_SLICE entries from *ADDRESS on; false: that was the last one.  *PFN is a
 * frame that may not be mapped, or -1UL. */
static bool check_some_mappings(const struct node *node, uintptr_t *address,
                                unsigned long *pfn)
{
	for (unsigned int i = 0; i < HIDDEN_SLICE; i++) {
		unsigned long mapped;

		if (!mapping_look(address, &mapped))
			return false;
		if (mapped != -1UL && !may_be_mapped(node, mapped)) {
			*pfn = mapped;
			return false;
		}
	}
	return true;
}

static const char *exclusive_check_mappings(struct node *node, bool try_lock,
                                            char *buffer, size_t size)
{
	unsigned long pfn = -1UL;
	uintptr_t address = 0;
	bool more = true;

	while (more) {
		bool enabled = false;

		if (!try_lock)
			enabled = spin_lock_irqsave(&node->pool.lock);
		more = check_some_mappings(node, &address, &pfn);
		if (!try_lock)
			spin_unlock_irqrestore(&node->pool.lock, enabled);
	}
	return pfn == -1UL ? NULL : broken_at(buffer, size, "X6", pfn);
}

/* ---- A walk along all lists ---------------------------------------------- */

struct exclusive_walk {
	struct node *node;
	bool try_lock;
	bool enabled;
	bool moved; /* something changed: all that was seen is void */
	unsigned long changes;
	unsigned int steps;
	char *buffer;
	size_t size;
};

static struct exclusive_pool *pool_of(const struct exclusive_walk *walk)
{
	return &walk->node->pool;
}

/* Of lists, owners, windows and stacks, ever. */
static unsigned long exclusive_check_changes(const struct exclusive_pool *pool)
{
	unsigned long changes = pool->changes;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		changes += READ_ONCE(pool->stack[cpu].changes);
	return changes;
}

/* One step more; false: something has changed, no pointer is good any more. */
static bool walk_goes_on(struct exclusive_walk *walk)
{
	struct spinlock *lock = &pool_of(walk)->lock;

	if (++walk->steps % CHECK_SLICE != 0 || walk->try_lock)
		return true;
	spin_unlock_irqrestore(lock, walk->enabled);
	walk->enabled = spin_lock_irqsave(lock);
	walk->moved = exclusive_check_changes(pool_of(walk)) != walk->changes;
	return !walk->moved;
}

/* The page whose link is AT, or NULL: it is none. */
static const struct page *
exclusive_check_page_at(const struct exclusive_walk *walk,
                        const struct list *at)
{
	const struct node *node = walk->node;

	return check_is_page(node->pages, node->page_count, at)
	               ? container_of(at, struct page, link)
	               : NULL;
}

/* ---- X2: the pool -------------------------------------------------------- */

/* The pageblock of PAGE, hidden as a whole or not. */
static const struct pageblock *
exclusive_check_block(const struct exclusive_walk *walk,
                      const struct page *page)
{
	return pageblock_of(page_zone(walk->node, page),
	                    node_pfn(walk->node, page));
}

/* Add the parked pages of one list to *PARKED.  Those of a pageblock that is hidden as a
 * whole are on the list of these. */
static const char *check_pool_list(struct exclusive_walk *walk,
                                   const struct list *list,
                                   unsigned long *parked)
{
	const struct exclusive_pool *pool = pool_of(walk);
	const struct list *at;

	list_for_each(at, list) {
		const struct page *page = exclusive_check_page_at(walk, at);

		if (page == NULL || page->state != PAGE_PARKED ||
		    page->owner != NULL || page->private != 0 ||
		    (list == &pool->parked &&
		     exclusive_check_block(walk, page)->hidden > 0))
			return broken_at(
				walk->buffer, walk->size, "X2",
				page == NULL ? 0 : node_pfn(walk->node, page));
		if (++*parked > pool->count)
			break;
		if (!walk_goes_on(walk))
			return NULL;
	}
	return NULL;
}

static const char *check_pool_lists(struct exclusive_walk *walk)
{
	const struct exclusive_pool *pool = pool_of(walk);
	unsigned long parked = 0;
	const char *broken = check_pool_list(walk, &pool->whole, &parked);

	if (broken == NULL && !walk->moved)
		broken = check_pool_list(walk, &pool->parked, &parked);
	if (broken != NULL || walk->moved || parked == pool->count)
		return broken;
	scnprintf(walk->buffer, walk->size,
	          "exclusive: invariant X2 broken: %lu parked, %lu counted",
	          parked, pool->count);
	return walk->buffer;
}

/* Is PAGE, on a stack, one of the node's pages and marked as being there? */
static bool exclusive_check_is_stacked(const struct node *node,
                                       const struct page *page)
{
	return page >= node->pages && page < node->pages + node->page_count &&
	       ((uintptr_t)page - (uintptr_t)node->pages) % sizeof(*page) ==
	               0 &&
	       page->state == PAGE_PARKED && page->owner == NULL &&
	       page->private == EXCLUSIVE_STACKED;
}

/* The frames that CPUs have at hand, none of them twice. */
static const char *check_pool_stack(struct exclusive_walk *walk,
                                    const struct exclusive_stack *stack)
{
	unsigned int count = READ_ONCE(stack->count);

	for (unsigned int i = 0; i < min(count, EXCLUSIVE_STACK); i++) {
		const struct page *page = stack->frame[i];
		bool sound = exclusive_check_is_stacked(walk->node, page);

		for (unsigned int other = 0; other < i; other++)
			sound = sound && stack->frame[other] != page;
		if (!sound) {
			scnprintf(walk->buffer, walk->size,
			          "exclusive: invariant X2 broken: frame %u of "
			          "a CPU's stack",
			          i);
			return walk->buffer;
		}
	}
	if (count <= EXCLUSIVE_STACK)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "exclusive: invariant X2 broken: %u frames on a stack",
	          count);
	return walk->buffer;
}

static const char *check_pool_stacks(struct exclusive_walk *walk)
{
	const char *broken = NULL;

	for (unsigned int cpu = 0; cpu < MAX_CPUS && broken == NULL; cpu++) {
		broken = check_pool_stack(walk, &pool_of(walk)->stack[cpu]);
		if (!walk_goes_on(walk))
			return NULL;
	}
	return broken;
}

/* The pageblocks that are hidden as a whole, and those of their frames that are on the
 * list. */
static const char *check_pool_blocks(struct exclusive_walk *walk)
{
	const struct exclusive_pool *pool = pool_of(walk);
	unsigned long frames = 0;
	unsigned long blocks = 0;
	unsigned long full = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &walk->node->zone[type];

		for (unsigned long i = 0; i < pageblock_count(zone); i++) {
			unsigned long hidden = zone->blocks[i].hidden;

			blocks += hidden > 0;
			frames += hidden > 0 ? hidden - 1 : 0;
			full += hidden == 1 + PAGEBLOCK_PAGES;
			if (!walk_goes_on(walk))
				return NULL;
		}
	}
	if (blocks == pool->blocks && frames == pool->in_whole &&
	    full == pool->full)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "exclusive: invariant X2 broken: %lu pageblocks hidden, %lu "
	          "frames of them parked, %lu full; counted %lu, %lu, %lu",
	          blocks, frames, full, pool->blocks, pool->in_whole,
	          pool->full);
	return walk->buffer;
}

static const char *check_pool(struct exclusive_walk *walk)
{
	const struct exclusive_pool *pool = pool_of(walk);
	unsigned long by_zones = 0;
	const char *broken;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		by_zones += walk->node->zone[type].parked_pages;
	if (pool->count != by_zones) {
		scnprintf(walk->buffer, walk->size,
		          "exclusive: invariant X2 broken: %lu counted, %lu by "
		          "the zones",
		          pool->count, by_zones);
		return walk->buffer;
	}
	if (pool->tables_left + pool->regions - pool->boot_regions !=
	            pool->tables_total &&
	    !pool->busy) {
		scnprintf(walk->buffer, walk->size,
		          "exclusive: %lu tables left and %u regions split of "
		          "%lu",
		          pool->tables_left, pool->regions - pool->boot_regions,
		          pool->tables_total);
		return walk->buffer;
	}
	broken = check_pool_lists(walk);
	if (broken == NULL && !walk->moved)
		broken = check_pool_stacks(walk);
	return broken != NULL || walk->moved ? broken : check_pool_blocks(walk);
}

/* ---- X3, X4, X5: one owner ----------------------------------------------- */

/* Every mapped entry is an OWNED page of the owner; how many, or -1UL. */
static unsigned long count_mapped(struct exclusive_walk *walk,
                                  const struct owner *owner)
{
	unsigned long mapped = 0;

	for (unsigned int index = window_pass_empty(&owner->window, 0);
	     index < WINDOW_ENTRIES;
	     index = window_pass_empty(&owner->window, index + 1)) {
		unsigned long pfn = window_frame(&owner->window, index);
		const struct page *page;

		if (pfn != -1UL) {
			page = node_page(walk->node, pfn);
			if (page == NULL || page->state != PAGE_OWNED ||
			    page->owner != owner || page->private != index)
				return -1UL;
			mapped++;
		}
		if (!walk_goes_on(walk))
			return 0;
	}
	return mapped;
}

/* Every incoming page is on its way to the owner; how many, or -1UL. */
static unsigned long count_incoming(struct exclusive_walk *walk,
                                    const struct owner *owner)
{
	unsigned long incoming = 0;
	const struct list *at;

	list_for_each(at, &owner->incoming) {
		const struct page *page = exclusive_check_page_at(walk, at);

		if (page == NULL || page->state != PAGE_HANDOVER ||
		    page->receiver != owner ||
		    ++incoming > walk->node->page_count)
			return -1UL;
		if (!walk_goes_on(walk))
			return 0;
	}
	return incoming;
}

/* Every note in an entry of SENDER is of a page on its way; how many, or -1UL. */
static unsigned long count_sent(struct exclusive_walk *walk,
                                const struct owner *sender)
{
	unsigned long sent = 0;

	for (unsigned int index = window_pass_empty(&sender->window, 0);
	     index < WINDOW_ENTRIES;
	     index = window_pass_empty(&sender->window, index + 1)) {
		unsigned long pfn = window_noted(&sender->window, index);
		const struct page *page;

		if (pfn != -1UL) {
			page = node_page(walk->node, pfn);
			if (page == NULL || page->state != PAGE_HANDOVER ||
			    page->owner != sender || page->private != index)
				return -1UL;
			sent++;
		}
		if (!walk_goes_on(walk))
			return 0;
	}
	return sent;
}

/* The invariant that OWNER breaks, or NULL; its pages are added to SUM. */
static const char *check_owner(struct exclusive_walk *walk,
                               const struct owner *owner,
                               struct exclusive_counts *sum)
{
	unsigned long owned = count_mapped(walk, owner);
	unsigned long incoming = walk->moved ? 0 : count_incoming(walk, owner);
	unsigned long sent;

	if (walk->moved)
		return NULL;
	if (exclusive_window_owner(pool_of(walk), owner->window.id) != owner ||
	    owned == -1UL)
		return "X3";
	if (incoming == -1UL || incoming != owner->incoming_count)
		return "X4";
	sent = count_sent(walk, owner);
	if (walk->moved)
		return NULL;
	if (owner->sent != sent || owner_pages(owner) != owned)
		return "X5";
	sum->owned += owned;
	sum->handover += incoming;
	return NULL;
}

static const char *check_owners(struct exclusive_walk *walk)
{
	const struct exclusive_pool *pool = pool_of(walk);
	struct exclusive_counts sum = { 0 };
	unsigned long by_zones = 0;
	unsigned long stacked = exclusive_pool_stacked(pool);
	struct list *at;

	list_for_each(at, &pool->owners) {
		const struct owner *owner = container_of(at, struct owner, all);
		const char *broken = check_owner(walk, owner, &sum);

		if (walk->moved)
			return NULL;
		if (broken != NULL) {
			scnprintf(walk->buffer, walk->size,
			          "exclusive: invariant %s broken for owner %s",
			          broken, owner->name);
			return walk->buffer;
		}
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		by_zones += walk->node->zone[type].exclusive_pages;
	if (sum.handover == pool->handover &&
	    sum.owned + sum.handover + pool->orphans + stacked == by_zones)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "exclusive: %lu and %lu pages of owners, %lu on their way "
	          "counted, %lu of the dead, %lu on stacks, %lu by the zones",
	          sum.owned, sum.handover, pool->handover, pool->orphans,
	          stacked, by_zones);
	return walk->buffer;
}

static const char *check_scrub_window(struct exclusive_walk *walk)
{
	const struct window *scrub = &pool_of(walk)->scrub;

	/* In use while orphans are scrubbed. */
	if (scrub->id == 0 || pool_of(walk)->orphans > 0)
		return NULL;
	for (unsigned int index = 0; index < WINDOW_ENTRIES; index++) {
		if (window_frame(scrub, index) != -1UL) {
			scnprintf(walk->buffer, walk->size,
			          "exclusive: the scrub window is not empty");
			return walk->buffer;
		}
		if (!walk_goes_on(walk))
			return NULL;
	}
	return NULL;
}

/* Begins again as long as something changes; the lock is held. */
static const char *check_lists(struct exclusive_walk *walk)
{
	const char *broken = NULL;

	walk->moved = true;
	for (unsigned int i = 0; i < CHECK_WALKS && walk->moved; i++) {
		walk->moved = false;
		walk->changes = exclusive_check_changes(pool_of(walk));
		broken = check_pool(walk);
		if (broken == NULL && !walk->moved)
			broken = check_scrub_window(walk);
		if (broken == NULL && !walk->moved)
			broken = check_owners(walk);
	}
	return broken;
}

const char *exclusive_check(struct node *node, bool try_lock, char *buffer,
                            size_t size)
{
	struct exclusive_walk walk = {
		.node = node,
		.try_lock = try_lock,
		.buffer = buffer,
		.size = size,
	};
	struct spinlock *lock = &node->pool.lock;
	const char *broken = check_buffer(buffer, size);

	if (broken != NULL)
		return broken;
	if (try_lock && !spin_trylock_irqsave(lock, &walk.enabled)) {
		scnprintf(buffer, size,
		          "exclusive pool: locked by somebody, not checked");
		return buffer;
	}
	if (!try_lock)
		walk.enabled = spin_lock_irqsave(lock);
	broken = check_lists(&walk);
	spin_unlock_irqrestore(lock, walk.enabled);
	if (broken != NULL)
		return broken;
	if (exclusive_check_pages(node, try_lock, buffer, size) != NULL)
		return buffer;
	/* The addresses are the machine's, and so its one node's. */
	if (node != main_node())
		return NULL;
	return exclusive_check_mappings(node, try_lock, buffer, size);
}

void exclusive_counts(struct node *node, struct exclusive_counts *counts)
{
	struct exclusive_counts now = { 0 };
	bool enabled;

	if (!in_nmi()) {
		enabled = spin_lock_irqsave(&node->pool.lock);
		now.parked = exclusive_pool_parked(&node->pool);
		now.handover = node->pool.handover;
		for (unsigned int type = 0; type < ZONE_COUNT; type++)
			now.owned += exclusive_zone_owned(&node->zone[type]);
		now.owned -= now.handover + node->pool.orphans;
		spin_unlock_irqrestore(&node->pool.lock, enabled);
	}
	*counts = now;
}

void exclusive_visit_owners(struct node *node,
                            void (*visit)(const struct owner *owner,
                                          void *data),
                            void *data)
{
	if (in_nmi())
		return;
	for (unsigned int id = 1; id < exclusive_windows(&node->pool); id++) {
		bool enabled = spin_lock_irqsave(&node->pool.lock);
		const struct owner *owner =
			exclusive_window_owner(&node->pool, id);

		if (owner != NULL)
			visit(owner, data);
		spin_unlock_irqrestore(&node->pool.lock, enabled);
	}
}
