/* SPDX-License-Identifier: MIT */
/*
 * mm/page_internal.h -- what page_alloc.c and page_free.c share.
 */
#ifndef MM_PAGE_INTERNAL_H
#define MM_PAGE_INTERNAL_H

#include "kernel/arch/arch.h"
#include "kernel/core/owner.h"
#include "mm/page_alloc.h"

static inline uint32_t current_owner_id(void)
{
	const struct owner *owner = current_owner();

	return owner == NULL ? 0 : owner->id;
}

static inline void *page_memory(struct node *node, const struct page *page)
{
	return (void *)(direct_map_base + (node_pfn(node, page) << PAGE_SHIFT));
}

/* Drop a reference: __free_pages() (WHOLE) and put_page() (not). */
void page_drop(struct node *node, struct page *page, unsigned int order,
               uintptr_t caller, bool whole);

/* Is PAGE one of NODE's struct pages?  Reads nothing of it. */
bool page_is_of(const struct node *node, const struct page *page);

/* Report a refused free; PAGE may be NULL. */
void page_report_free(struct node *node, const struct page *page,
                      unsigned int order, uintptr_t caller, const char *why);

#endif
