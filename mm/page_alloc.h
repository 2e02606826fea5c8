/* SPDX-License-Identifier: MIT */
/*
 * mm/page_alloc.h -- the front door of mm/.  Linux's names and meanings.
 *
 * mm/ is the page allocator, the spine of this kernel.  In reading order:
 *
 *	page.h gfp.h zone.h node.h	vocabulary: pages, flags, zones, the node
 *	boot/				who has memory before the buddy
 *	buddy watermark zone page_prep	mechanisms of one zone
 *	pageblock pcp			mobility, and lists for each CPU
 *	page_alloc slow_path page_free	the front door: this header
 *	exclusive/			pages that only their owner can reach
 *	reclaim/ swap/ user/ slab/	memory that can be taken back, and its users
 *	debug/				counters, traces, failures on request, reports
 *
 * Contexts: any context may call any function.  In an NMI every call is refused:
 * NULL (or nothing), counted, nothing printed, no lock touched.  A mask with
 * __GFP_DIRECT_RECLAIM where the caller cannot sleep is reported with its place and
 * gets NULL, always, not only when memory is short (Linux only warns).
 *
 * The functions that name a node work on that node; the others on main_node().
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/debug/show_mem.h"
#include "mm/node.h"

/* 2^ORDER pages, or NULL.  Without __GFP_COMP a block is 2^ORDER pages with one
 * reference on the first.  With __GFP_EXCLUSIVE: one page, at exclusive_address(). */
__must_check struct page *alloc_pages_node(struct node *node, gfp_t gfp,
                                           unsigned int order);
__must_check struct page *alloc_pages(gfp_t gfp, unsigned int order);
__must_check struct page *alloc_page(gfp_t gfp);

/*
 * Drop one reference; the last one frees the block.  If references remain on a
 * block that is not compound, its other pages are freed immediately and the first
 * one by the last put_page().  An illegal free (double, wrong order,
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

/* SIZE bytes in whole pages; the pages that the order has too many are freed.  COMP
 * and HIGHMEM are taken away, with a report. */
__must_check void *alloc_pages_exact(size_t size, gfp_t gfp);
void free_pages_exact(void *address, size_t size);

/*
 * Linux's alloc_pages_bulk() with an array: fill the NULL entries of ARRAY (of ENTRIES),
 * from the first on, with single pages.  Returns a number of entries: all below it are
 * full, the later ones unchanged.  If a zone has more than its LOW mark + ENTRIES pages
 * free (filled entries count too), all are filled.  Otherwise the first empty entry gets
 * a page as from alloc_page(), or none; so does an only empty one.  Pages are taken 4
 * at a time, with interrupts on in between: if others bring the zone to its LOW mark,
 * the rest stays empty.  COMP and EXCLUSIVE are refused.
 */
unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long entries,
                               struct page **array);

/*
 * References.  get_page() of a page without one is a reported bug.  A count that has
 * reached INT32_MAX no longer grows: get_page() reports it, and the page is leaked
 * (puts do not change its count); try_get_page() and pin_page() refuse.
 */
void get_page(struct page *page);
void put_page(struct page *page);

/* put_page() for a reference of an index, an inode or a mapping, not of a thread: the
 * thread's list of held objects (kernel/core/held.h) does not change. */
void put_kept_page(struct page *page);
int page_ref_count(const struct page *page);
/* A reference unless there is none, or INT32_MAX: false for free and exclusive pages. */
__must_check bool try_get_page(struct page *page);
/* Pin for a device or a second mapping: 0, or -EBUSY for an exclusive page,
 * -EINVAL for one that is not allocated, -EOVERFLOW with INT32_MAX references.
 * Undone by put_page().  The running thread holds it (kernel/core/held.h) until it is
 * passed on. */
__must_check int pin_page(struct page *page);

/*
 * Call before PAGE is mapped at one more address, and after that mapping was removed
 * and flushed.  A mapping has a reference, and is counted: meanwhile the page cannot
 * become free or exclusive.  If it is put too often, it is reported, leaked, and
 * counted as bad.  0, or the error of pin_page(),
 * -EOVERFLOW also for the 256th mapping: nothing is changed then.  Any context.
 */
__must_check int page_add_mapping(struct page *page);
void page_remove_mapping(struct page *page);

/* Mappings of PAGE besides the direct map's. */
unsigned int page_mapcount(const struct page *page);

/*
 * Frame numbers and addresses of the kernel's node.  An exclusive page has no
 * direct-map address: page_address() returns NULL, and so does
 * virt_to_page() of an address in a window or of a hidden frame.
 */
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
void *page_address(const struct page *page);
struct page *virt_to_page(const void *address);

#endif
