/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_owner.c -- who took each page, and who freed it.
 *
 * The record of a free survives it: it is overwritten by the next free of the frame only.
 * So a report about a page that was used too late can name three owners: the one that took
 * it, the one that freed it, and the one that has it now.
 *
 * Linux keeps each distinct backtrace once, in a depot with a hash table; here each frame
 * has its own copies, 2 x 8 calls of 4 bytes, which needs no lock.  A call is kept as
 * the distance from a function, as in page_set_caller().
 *
 * Locking: none.  A record is written by the holder of the block, read by anybody, and may be
 * half new then.
 */
#include "mm/debug/page_owner.h"

#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "mm/debug/page_guard.h"
#include "mm/node.h"

/* Calls inside the allocator, between the caller of alloc_pages() and a note. */
#define PAGE_OWNER_DEPTH 8

/* ---- One stamp ----------------------------------------------------------- */

static int32_t page_owner_pack(uintptr_t address)
{
	return (int32_t)(address - (uintptr_t)page_state_name);
}

uintptr_t page_owner_frame(const struct page_owner_stamp *stamp, unsigned int i)
{
	if (i >= PAGE_OWNER_FRAMES || stamp->frame[i] == 0)
		return 0;
	return (uintptr_t)page_state_name + (uintptr_t)stamp->frame[i];
}

struct page_owner_stamp page_owner_stamp_now(uint64_t who, uintptr_t caller)
{
	uintptr_t call[PAGE_OWNER_DEPTH + PAGE_OWNER_FRAMES];
	unsigned int count = backtrace_save(call, ARRAY_SIZE(call));
	struct page_owner_stamp stamp = {
		.time = max(clock_microseconds(), (uint64_t)1),
		.who = who,
		.frame = { page_owner_pack(caller) },
	};
	unsigned int from = 0;

	while (from < count && call[from] != caller)
		from++;
	for (unsigned int i = 1; i < PAGE_OWNER_FRAMES && from + i < count; i++)
		stamp.frame[i] = page_owner_pack(call[from + i]);
	return stamp;
}

/* ---- Notes --------------------------------------------------------------- */

static struct page_owner *page_owner_at(const struct node *node,
                                        const struct page *page)
{
	unsigned long index = node_pfn(node, page) - node->start_pfn;

	kassert(index < node->page_count);
	return &node->debug.owner[index];
}

void page_owner_note_taken(struct node *node, const struct page *page,
                           gfp_t gfp, uintptr_t caller)
{
	struct page_owner_stamp stamp;
	struct page_owner *owner;

	if (node->debug.owner == NULL)
		return;
	kassert(page->state == PAGE_USED);
	stamp = page_owner_stamp_now(current_owner_id(), caller);
	owner = page_owner_at(node, page);
	for (unsigned long i = 0; i < 1UL << page->order; i++) {
		owner[i].taken = stamp;
		owner[i].gfp = gfp;
		owner[i].order = page->order;
		owner[i].in_interrupt = in_interrupt();
	}
}

void page_owner_note_freed(struct node *node, const struct page *page)
{
	struct page_owner_stamp stamp;
	struct page_owner *owner;

	if (node->debug.owner == NULL)
		return;
	kassert(page->state == PAGE_LOOSE);
	stamp = page_owner_stamp_now(page->taker, page_caller(page));
	owner = page_owner_at(node, page);
	for (unsigned long i = 0; i < 1UL << page->order; i++)
		owner[i].freed = stamp;
}

void page_owner_move(struct node *node, const struct page *from,
                     const struct page *to)
{
	const struct page_owner *source;
	struct page_owner *target;

	if (node->debug.owner == NULL)
		return;
	kassert(from != to);
	source = page_owner_at(node, from);
	target = page_owner_at(node, to);
	target->taken = source->taken;
	target->gfp = source->gfp;
	target->in_interrupt = source->in_interrupt;
}

/* ---- Reports ------------------------------------------------------------- */

const struct page_owner *page_owner_of(const struct node *node,
                                       unsigned long pfn)
{
	const struct page *page = node_page(node, pfn);

	return page == NULL || node->debug.owner == NULL
	               ? NULL
	               : page_owner_at(node, page);
}

void page_owner_print_stamp(const struct page_owner_stamp *stamp)
{
	uintptr_t call[PAGE_OWNER_FRAMES];
	unsigned int count = 0;

	while (page_owner_frame(stamp, count) != 0) {
		call[count] = page_owner_frame(stamp, count);
		count++;
	}
	backtrace_print_saved(call, count);
}

void page_owner_print(const struct node *node, unsigned long pfn)
{
	const struct page_owner *owner = page_owner_of(node, pfn);
	char mask[160];

	if (owner == NULL)
		return;
	kassert(!in_nmi());
	if (owner->taken.time == 0)
		pr_err("page_owner: pfn %#lx: not taken since the boot\n", pfn);
	else
		pr_err("page_owner: pfn %#lx: taken at %llu.%06llu s by %s, in "
		       "%s, order %u, %s\n",
		       pfn, (unsigned long long)(owner->taken.time / 1000000),
		       (unsigned long long)(owner->taken.time % 1000000),
		       owner_name(owner->taken.who),
		       owner->in_interrupt ? "an interrupt" : "a thread",
		       owner->order,
		       gfp_format(mask, sizeof(mask), owner->gfp));
	if (owner->taken.time != 0)
		page_owner_print_stamp(&owner->taken);
	if (owner->freed.time == 0)
		return;
	pr_err("page_owner: pfn %#lx: freed at %llu.%06llu s by %s\n", pfn,
	       (unsigned long long)(owner->freed.time / 1000000),
	       (unsigned long long)(owner->freed.time % 1000000),
	       owner_name(owner->freed.who));
	page_owner_print_stamp(&owner->freed);
}

/* ---- Sums ---------------------------------------------------------------- */

static bool page_owner_same_calls(const struct page_owner_stamp *one,
                                  const struct page_owner_stamp *other)
{
	for (unsigned int i = 0; i < PAGE_OWNER_FRAMES; i++) {
		if (one->frame[i] != other->frame[i])
			return false;
	}
	return true;
}

/* The site of OWNER's calls, or a new one, or NULL: there is no room. */
static struct page_owner_site *
page_owner_find_site(const struct node *node, const struct page_owner *owner,
                     struct page_owner_sites *sites)
{
	struct page_owner_site *site = sites->site;
	const struct page_owner_site *end = site + sites->count;

	kassert(sites->count <= sites->room);
	for (; site < end; site++) {
		if (page_owner_same_calls(
			    &owner->taken,
			    &page_owner_of(node, site->pfn)->taken))
			return site;
	}
	if (sites->count == sites->room)
		return NULL;
	sites->count++;
	*site = (struct page_owner_site){ .oldest = UINT64_MAX };
	return site;
}

static void page_owner_add(const struct node *node, unsigned long pfn,
                           const struct page_owner *owner, unsigned int order,
                           struct page_owner_sites *sites)
{
	struct page_owner_site *site = page_owner_find_site(node, owner, sites);

	kassert(order <= MAX_ORDER);
	if (site == NULL) {
		sites->others += 1UL << order;
		return;
	}
	if (owner->taken.time < site->oldest) {
		site->oldest = owner->taken.time;
		site->pfn = pfn;
	}
	site->blocks++;
	site->pages += 1UL << order;
}

static void page_owner_sort(struct page_owner_sites *sites)
{
	kassert(sites->count <= sites->room);
	for (unsigned int i = 1; i < sites->count; i++) {
		struct page_owner_site moved = sites->site[i];
		unsigned int at = i;

		for (; at > 0 && sites->site[at - 1].pages < moved.pages; at--)
			sites->site[at] = sites->site[at - 1];
		sites->site[at] = moved;
	}
}

/* Is the block nothing but pages of its taker: not a slab, a page table, a page of a cache or
 * of an area of vmalloc()? */
static bool page_owner_is_plain(const struct page *page)
{
	return READ_ONCE(page->bits) == 0 && READ_ONCE(page->mapcount) == 0 &&
	       READ_ONCE(page->mapping) == NULL &&
	       (READ_ONCE(page->flags) & PAGE_TABLE) == 0;
}

void page_owner_sum(struct node *node, uint64_t since, uint64_t who,
                    struct page_owner_sites *sites)
{
	unsigned long pfn = node->start_pfn;
	unsigned long end = pfn + node->page_count;

	kassert(sites->site != NULL && sites->room > 0);
	sites->count = 0;
	sites->others = 0;
	if (node->debug.owner == NULL)
		return;
	for (; pfn < end; pfn++) {
		const struct page *page = node_page(node, pfn);
		const struct page_owner *owner = page_owner_at(node, page);
		unsigned int order = READ_ONCE(page->order);

		if (READ_ONCE(page->state) == PAGE_USED &&
		    !page_is_guard(page) && order <= MAX_ORDER &&
		    owner->taken.time != 0 && owner->taken.time >= since &&
		    (who == 0 ||
		     (owner->taken.who == who && page_owner_is_plain(page))))
			page_owner_add(node, pfn, owner, order, sites);
	}
	page_owner_sort(sites);
}
