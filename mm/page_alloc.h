/* SPDX-License-Identifier: MIT */
/*
 * mm/page_alloc.h -- the front door.  Linux's names and meanings.
 *
 * Contexts: any context may call any function.  In an NMI every call is
 * refused: NULL (or nothing), counted, nothing printed, no lock touched.  A
 * mask with __GFP_DIRECT_RECLAIM where the caller cannot sleep is reported with
 * its place and answered NULL, always, not only when memory is short (Linux
 * only warns).
 *
 * The functions that name a node work on that node; the others on main_node().
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/debug/show_mem.h"
#include "mm/node.h"

/*
 * 2^ORDER pages, or NULL.  Without __GFP_COMP a block is 2^ORDER pages with one
 * reference on the first.  With __GFP_EXCLUSIVE: one page, in the caller's
 * window (exclusive_address() tells where).
 */
__must_check struct page *alloc_pages_node(struct node *node, gfp_t gfp,
                                           unsigned int order);
__must_check struct page *alloc_pages(gfp_t gfp, unsigned int order);
__must_check struct page *alloc_page(gfp_t gfp);

/*
 * Drop one reference; the last one frees the block.  If references remain on a
 * block that is not compound, its other pages are freed at once and the first
 * one by the last put_page().  A free that must not be (double, wrong order,
 * middle of a block, reserved, out of range, never allocated, exclusive) is
 * refused, reported with owner and caller, and changes nothing.
 */
void free_pages_node(struct node *node, struct page *page, unsigned int order,
                     uintptr_t caller);
void __free_pages(struct page *page, unsigned int order);
void __free_page(struct page *page);

/*
 * As alloc_pages(), by address in the direct map; 0 for none.  HIGHMEM is taken
 * away, as Linux does; EXCLUSIVE is refused: such a page has no address there.
 */
__must_check uintptr_t __get_free_pages(gfp_t gfp, unsigned int order);
__must_check uintptr_t get_zeroed_page(gfp_t gfp);
void free_pages(uintptr_t address, unsigned int order);
void free_page(uintptr_t address);

/* SIZE bytes in whole pages; what the order has too much is given back.  COMP
 * and HIGHMEM are taken away, with a report. */
__must_check void *alloc_pages_exact(size_t size, gfp_t gfp);
void free_pages_exact(void *address, size_t size);

/*
 * Linux's alloc_pages_bulk() with an array: fill the NULL slots of ARRAY (of
 * SLOTS), from the first on, with single pages.  Returns a number of slots, and
 * all slots below it are full; those behind it are as they were.
 *
 * If a zone has more than its LOW mark + SLOTS pages free (all slots count, filled
 * ones too), all are filled.  Otherwise the first empty slot gets a page in the
 * ordinary way, as alloc_page() would get it, or none; and so does the only
 * empty one.  Pages are taken 4 at a time, and between two such slices
 * interrupts are on: if others bring the zone to its LOW mark meanwhile, the
 * rest stays empty.  COMP and EXCLUSIVE are refused.
 */
unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long slots,
                               struct page **array);

/*
 * References.  get_page() of a page without one is a reported bug.  A count that
 * has come to INT32_MAX does not go on: get_page() reports it, and the page is
 * leaked (its count stays as it is, whoever puts it); the two that can refuse do.
 */
void get_page(struct page *page);
void put_page(struct page *page);

/* put_page() for a reference that is no thread's: an index has it, an inode, a
 * mapping.  What a thread holds (kernel/core/held.h) is not touched. */
void put_kept_page(struct page *page);
int page_ref_count(const struct page *page);
/* A reference unless there is none, or INT32_MAX: false for free and exclusive
 * pages. */
__must_check bool try_get_page(struct page *page);
/* Pin for a device or a second mapping: 0, or -EBUSY for an exclusive page,
 * -EINVAL for one that is not allocated, -EOVERFLOW with INT32_MAX references.
 * Undone by put_page().  The running thread holds it (kernel/core/held.h) until it is
 * handed on. */
__must_check int pin_page(struct page *page);

/*
 * PAGE is about to be mapped at one more address, and is mapped there no more,
 * its address flushed.  A mapping has a reference, and is counted: while there is
 * one, the page cannot become free, nor exclusive, whoever puts it too often: it
 * is reported, leaked, and counted as bad.  0, or the error of pin_page(),
 * -EOVERFLOW also for the 256th mapping: nothing is changed then.  Any context.
 */
__must_check int page_add_mapping(struct page *page);
void page_remove_mapping(struct page *page);

/* Mappings of PAGE besides the direct map's. */
unsigned int page_mapcount(const struct page *page);

/*
 * Frame numbers and addresses of the kernel's node.  An exclusive page has no
 * direct-map address: page_address() gives NULL, and virt_to_page() of an
 * address in a window or of a hidden frame gives NULL.
 */
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
void *page_address(const struct page *page);
struct page *virt_to_page(const void *address);

/*
 * What an order-ORDER request would be told now, without making it: the zone
 * that would serve it, or NULL.  The same functions decide as in alloc_pages():
 * both passes, all rights.  The answer may be old when it arrives.
 */
struct zone *alloc_would_take_from(struct node *node,
                                   const struct alloc_request *request);

#endif
