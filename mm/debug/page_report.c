/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_report.c -- what is printed about a page that is not as it should be.
 *
 * A free or a reference that is refused is reported with the page, who asked, and who took
 * or gave it last.  Pages that were found corrupt under a lock were copied; they are
 * reported after it.  No lock is held.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "mm/page_internal.h"
#include "mm/page_prep.h"

void page_report_free(struct node *node, const struct page *page,
                      unsigned int order, uintptr_t caller, const char *why)
{
	const struct page *head;
	char now[PLACE_SIZE];
	char then[PLACE_SIZE];

	kassert(!in_nmi());
	kassert(why != NULL);
	count_vm_event(node, VMSTAT_free_refused);
	caller_format(now, sizeof(now), caller);
	if (page == NULL) {
		pr_err("BUG: free of order %u by %s at %s refused: %s\n", order,
		       context_name(), now, why);
		backtrace_print_from(caller);
		return;
	}
	head = page_head(node, page);
	caller_format(then, sizeof(then), page_caller(head));
	pr_err("BUG: free of pfn %#lx order %u by %s at %s refused: %s\n"
	       "  the page is %s, order %u, last touched by %s at %s\n",
	       node_pfn(node, page), order, context_name(), now, why,
	       page_state_name((enum page_state)head->state), head->order,
	       owner_name(head->taker), then);
	backtrace_print_from(caller);
}

void page_report_get(struct node *node, struct page *page, uintptr_t caller,
                     const char *why)
{
	char place[PLACE_SIZE];

	kassert(!in_nmi());
	kassert(why != NULL);
	caller_format(place, sizeof(place), caller);
	pr_err("BUG: get_page(pfn %#lx) by %s at %s: the page is %s and %s\n",
	       node_pfn(node, page), context_name(), place,
	       page_state_name((enum page_state)page->state), why);
	backtrace_print_from(caller);
	count_vm_event(node, VMSTAT_free_refused);
}

static void page_prep_print_bad(struct node *node, unsigned long pfn,
                                const struct page *page)
{
	char place[PLACE_SIZE];

	if (!ratelimit_pass(&node->bad_limit))
		return;
	pr_err("BUG: Bad page state: pfn %#lx refcount:%d mapcount:%u flags:%#x "
	       "bits:%#x mapping:%p; leaked\n"
	       "  last touched by %s at %s\n",
	       pfn, page->refcount, page->mapcount, page->flags, page->bits,
	       (void *)page->mapping, owner_name(page->taker),
	       caller_format(place, sizeof(place), page_caller(page)));
	if (page->mapcount > 0 && node->slab.report_mappings != NULL)
		node->slab.report_mappings(pfn, 1UL << page->order);
	backtrace_print_from(0);
}

void page_prep_report_noted(struct node *node, struct zone *zone)
{
	struct bad_pages bad;
	bool enabled;

	kassert(zone->node == node);
	enabled = spin_lock_irqsave(&zone->lock);
	bad = zone->bad;
	zone->bad.count = 0;
	spin_unlock_irqrestore(&zone->lock, enabled);
	for (unsigned int i = 0; i < min(bad.count, BAD_PAGES + 0U); i++)
		page_prep_print_bad(node, bad.pfn[i], &bad.page[i]);
	if (bad.count > BAD_PAGES)
		pr_err("BUG: %u more bad pages with them; leaked\n",
		       bad.count - BAD_PAGES);
}
