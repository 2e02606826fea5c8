/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_debug.c -- detectors: free pages that are unmapped, poisoned, zeroed.
 *
 *	taken:	map    check the poison    zero    note who took it
 *	freed:	note who freed it    zero    poison    unmap
 *
 * Each frame has a mark that says what was done to it when it was freed.  So a frame
 * that became free in another way (it was released at boot, or taken before the detectors
 * began) is not blamed for what it was never given.  A frame without a mark is mapped and
 * not poisoned.
 *
 * A free block is unmapped page by page: blocks are split and joined while they are
 * free, and the buddy does not touch their memory.  (Linux: mm/debug_page_alloc.c,
 * mm/page_poison.c; arch/x86/mm/pat/set_memory.c, __kernel_map_pages().)
 *
 * Locking: a frame's mark and mapping belong to the holder of the block: a free or a request
 * that is under way, or zone->lock while it is freed.  They change together with
 * interrupts off, so that a check sees both or none.
 */
#include "mm/debug/page_debug.h"

#include "kernel/arch/direct_map.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "mm/debug/page_guard.h"
#include "mm/debug/page_owner.h"
#include "mm/debug/page_table_check.h"
#include "mm/node.h"
#include "mm/pcp.h"

#define PAGE_POISON 0xaa /* Linux's */

enum page_mark {
	PAGE_MARK_HIDDEN = 1 << 0,   /* not in the direct map */
	PAGE_MARK_POISONED = 1 << 1, /* all bytes were PAGE_POISON */
};

static uint8_t *page_debug_mark(const struct node *node, unsigned long pfn)
{
	kassert(pfn - node->start_pfn < node->page_count);
	return &node->debug.mark[pfn - node->start_pfn];
}

/* Of a frame that may be exclusive next: page_memory() asks for the state. */
static uint8_t *page_debug_memory(unsigned long pfn)
{
	return (uint8_t *)(direct_map_base + (pfn << PAGE_SHIFT));
}

bool page_debug_hides(const struct node *node, unsigned long pfn)
{
	return page_debug_is_on(&node->debug) &&
	       pfn - node->start_pfn < node->page_count &&
	       (READ_ONCE(*page_debug_mark(node, pfn)) & PAGE_MARK_HIDDEN) != 0;
}

/* ---- Mapped or not ------------------------------------------------------- */

static void page_debug_set_hidden(struct node *node, unsigned long pfn,
                                  bool hidden)
{
	uint8_t *mark = page_debug_mark(node, pfn);
	bool enabled = arch_irq_save();

	kassert(direct_map_visible(pfn) == hidden);
	if (hidden)
		direct_map_hide(pfn);
	else
		direct_map_show(pfn);
	WRITE_ONCE(*mark, *mark ^ PAGE_MARK_HIDDEN);
	arch_irq_restore(enabled);
}

/* ---- Poison -------------------------------------------------------------- */

/* The first byte of the frame that is not poison, from offset FROM on; PAGE_SIZE: none. */
static size_t page_poison_find(const uint8_t *memory, size_t from)
{
	while (from < PAGE_SIZE && memory[from] == PAGE_POISON)
		from++;
	return from;
}

static void page_poison_report(struct node *node, const struct page *page,
                               size_t offset, uintptr_t caller)
{
	const uint8_t *memory = page_debug_memory(node_pfn(node, page));
	char then[PLACE_SIZE];
	char now[PLACE_SIZE];
	size_t last = PAGE_SIZE - 1;

	kassert(offset < PAGE_SIZE);
	while (memory[last] == PAGE_POISON)
		last--;
	if (!ratelimit_pass(&node->bad_limit))
		return;
	pr_err("BUG: page_poison: pfn %#lx was written to while it was free, "
	       "noticed by %s at %s\n"
	       "  0x%02x instead of 0x%02x at offset %zu, the last at %zu; "
	       "freed by %s at %s\n",
	       node_pfn(node, page), context_name(),
	       caller_format(now, sizeof(now), caller), memory[offset],
	       PAGE_POISON, offset, last, owner_name(page->taker),
	       caller_format(then, sizeof(then), page_caller(page)));
	page_owner_print(node, node_pfn(node, page));
}

/* ---- One frame ----------------------------------------------------------- */

static void page_debug_open_frame(struct node *node, struct page *page,
                                  uintptr_t caller)
{
	unsigned long pfn = node_pfn(node, page);
	uint8_t *mark = page_debug_mark(node, pfn);
	size_t wrong = PAGE_SIZE;

	kassert(!in_nmi());
	if (node->debug.entries != NULL)
		page_table_check_frame(node, pfn, "taken");
	if (*mark & PAGE_MARK_HIDDEN)
		page_debug_set_hidden(node, pfn, false);
	if (*mark & PAGE_MARK_POISONED)
		wrong = page_poison_find(page_debug_memory(pfn), 0);
	if (wrong < PAGE_SIZE)
		page_poison_report(node, page, wrong, caller);
	*mark = 0;
}

static void page_debug_close_frame(struct node *node, unsigned long pfn)
{
	uint8_t *mark = page_debug_mark(node, pfn);

	kassert(*mark == 0);
	if (node->debug.entries != NULL)
		page_table_check_frame(node, pfn, "freed");
	if (node->debug.init_on_free)
		memset(page_debug_memory(pfn), 0, PAGE_SIZE);
	if (node->debug.poison) {
		memset(page_debug_memory(pfn), PAGE_POISON, PAGE_SIZE);
		*mark = PAGE_MARK_POISONED;
	}
	if (node->debug.unmap)
		page_debug_set_hidden(node, pfn, true);
}

/* ---- Taken and freed ----------------------------------------------------- */

static struct node *page_debug_node(struct page_debug *debug)
{
	kassert(page_debug_is_on(debug));
	return container_of(debug, struct node, debug);
}

void page_debug_take_on(struct page_debug *debug, struct page *page, gfp_t gfp,
                        uintptr_t caller)
{
	struct node *node = page_debug_node(debug);
	unsigned long pages = 1UL << page->order;

	if (page_is_exclusive(page))
		return;
	kassert(page->state == PAGE_USED);
	for (unsigned long i = 0; i < pages; i++)
		page_debug_open_frame(node, page + i, caller);
	if (debug->init_on_alloc)
		memset(page_memory(node, page), 0, pages * PAGE_SIZE);
	page->flags |= PAGE_WATCHED;
	page_owner_note_taken(node, page, gfp, caller);
}

void page_debug_open_on(struct page_debug *debug, struct page *page,
                        uintptr_t caller)
{
	kassert(page->state == PAGE_LOOSE && page->order == 0);
	page_debug_open_frame(page_debug_node(debug), page, caller);
}

void page_debug_give_on(struct page_debug *debug, struct page *page)
{
	struct node *node = page_debug_node(debug);
	unsigned long pfn = node_pfn(node, page);

	kassert(page->state == PAGE_LOOSE && page->order <= MAX_ORDER);
	page_owner_note_freed(node, page);
	page_guard_give(node, page);
	for (unsigned long i = 0; i < 1UL << page->order; i++) {
		/* A fault in the middle of the block asks for them. */
		page[i].taker = page->taker;
		page[i].caller = page->caller;
		page_debug_close_frame(node, pfn + i);
	}
}

void page_debug_close_on(struct page_debug *debug, struct page *page)
{
	struct node *node = page_debug_node(debug);

	kassert(page->state == PAGE_LOOSE && page->order == 0);
	page_debug_close_frame(node, node_pfn(node, page));
}

/* ---- Beginning ----------------------------------------------------------- */

void page_debug_start(struct node *node, const struct page_debug *wanted)
{
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long pfn = node->start_pfn;

	kassert(wanted->mark != NULL && !page_debug_is_on(&node->debug));
	kassert(wanted->unmap || !wanted->guard);
	node->debug = *wanted;
	pcp_shortcut_update();
	if (node->debug.entries != NULL)
		page_table_check_start(node);
	while (pfn < end) {
		const struct page *page = node_page(node, pfn);
		unsigned long pages = 1;

		if (page->state == PAGE_FREE)
			pages = 1UL << page->order;
		for (unsigned long i = 0; page->state == PAGE_FREE && i < pages;
		     i++)
			page_debug_close_frame(node, pfn + i);
		pfn += pages;
	}
}

/* ---- Faults -------------------------------------------------------------- */

static unsigned long page_debug_fault = -1UL;

unsigned long page_debug_last_fault(void)
{
	return READ_ONCE(page_debug_fault);
}

/* Any context; no lock. */
static bool page_debug_resolve(struct fault *fault)
{
	const struct node *node = main_node();
	unsigned long pfn = (fault->address - direct_map_base) >> PAGE_SHIFT;
	const struct page *page;

	if (node == NULL || fault->address < direct_map_base ||
	    !page_debug_hides(node, pfn))
		return false;
	page = node_page(node, pfn);
	kassert(page != NULL);
	if (page_is_guard(page)) {
		page_guard_explain(node, page, fault);
		WRITE_ONCE(page_debug_fault, fault->pfn);
		return true;
	}
	WRITE_ONCE(page_debug_fault, pfn);
	fault->kind = FAULT_FREED;
	fault->pfn = pfn;
	fault->area = (struct fault_area){
		.start = ALIGN_DOWN(fault->address, PAGE_SIZE),
		.size = PAGE_SIZE,
		.taker = page->taker,
		.caller = page_caller(page),
	};
	return true;
}

void page_debug_explain_faults(void)
{
	fault_register_resolver(page_debug_resolve);
}
