/* SPDX-License-Identifier: MIT */
/*
 * mm/page_internal.h -- shared by page_alloc.c, slow_path.c and page_free.c.
 */
#ifndef MM_PAGE_INTERNAL_H
#define MM_PAGE_INTERNAL_H

#include "kernel/core/owner.h"
#include "mm/page_alloc.h"

/*
 * One walk over the zones, from the highest the request may use downwards: a
 * block of the first that keeps MARK, less RIGHT, or NULL.  (An exclusive request,
 * which may sleep: one frame of the parked pool.)  Linux: get_page_from_freelist().
 */
__must_check struct page *page_pass(struct node *node,
                                    const struct alloc_request *request,
                                    enum watermark mark,
                                    enum reserve_right right);

/* Serve a request that the fast pass could not: a page, or NULL with a report.
 * Linux: __alloc_pages_slowpath(). */
__must_check struct page *alloc_slow_path(struct node *node,
                                          const struct alloc_request *request);

/* Make 2^order single pages, each with a reference, of a block in use, and free those from
 * KEEP on. */
void page_alloc_cut_block(struct node *node, struct page *page,
                          unsigned long keep, uintptr_t caller);

/* Drop a reference: __free_pages() (WHOLE) and put_page() (not). */
void page_drop(struct node *node, struct page *page, unsigned int order,
               uintptr_t caller, bool whole);

/* Report a refused free; PAGE may be NULL. */
void page_report_free(struct node *node, const struct page *page,
                      unsigned int order, uintptr_t caller, const char *why);

/* Report a get_page() that cannot be counted. */
void page_report_get(struct node *node, struct page *page, uintptr_t caller,
                     const char *why);

#endif
