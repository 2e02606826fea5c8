/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc_internal.h -- areas, shared by the files of vmalloc.
 */
#ifndef MM_SLAB_VMALLOC_INTERNAL_H
#define MM_SLAB_VMALLOC_INTERNAL_H

#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "mm/page_alloc.h"
#include "mm/slab/vmalloc.h"

/*
 *	        vmalloc(), vmap()        vfree()              purge
 *	BUILT ------------------> LIVE ---------> ENDING -> LAZY -> (gone)
 *	                            \             /
 *	                             -> DEFERRED -
 *	                     in an interrupt     the worker
 *
 * LIVE and LAZY areas are at rest, and the check looks at them; the others are their
 * thread's, or wait for it.
 */
enum vm_state {
	VM_BUILT,
	VM_LIVE,
	VM_DEFERRED,
	VM_ENDING,
	VM_LAZY,
};

enum vm_kind {
	VM_KIND_ALLOC, /* vmalloc() */
	VM_KIND_MAP,   /* vmap() */
	VM_KIND_PUT,   /* vmap() with VM_MAP_PUT_PAGES */
};

/* An area.  Field locks: (v) the space's lock, (c) constant once it is LIVE; before
 * and after that they are its thread's. */
struct vm_struct {
	struct range range;     /* (v) with the guard page */
	struct list link;       /* (v) deferred, or lazy */
	enum vm_state state;    /* (v) */
	enum vm_kind kind;      /* (c) */
	struct page **pages;    /* (c) its array; NULL for VM_KIND_MAP */
	unsigned long nr_pages; /* (c) that it has to free */
	unsigned long mapped;   /* (c) pages, from the first on */
	uintptr_t caller;       /* (c) */
	uint64_t taker;         /* (c) */
};

static inline uintptr_t vm_address(const struct vm_struct *area)
{
	return area->range.start;
}

/* Without the guard page. */
static inline unsigned long vm_pages(const struct vm_struct *area)
{
	kassert(area->range.end - area->range.start > PAGE_SIZE);
	return (area->range.end - area->range.start) / PAGE_SIZE - 1;
}

static inline struct vm_struct *vm_of(struct range *range)
{
	return range == NULL ? NULL
	                     : container_of(range, struct vm_struct, range);
}

/* Flags of a request that are about its pages.  The others, Linux's GFP_RECLAIM_MASK,
 * are inherited by the other allocations of a request. */
#define VM_PAGE_FLAGS                                                          \
	(__GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE |             \
	 __GFP_RECLAIMABLE | __GFP_ZERO | __GFP_WRITE | __GFP_COMP |           \
	 __GFP_HARDWALL | __GFP_THISNODE | __GFP_ACCOUNT)

/* The mask for an area's object and its array, zeroed. */
static inline gfp_t vm_nested_mask(gfp_t gfp)
{
	return (gfp & ~(gfp_t)VM_PAGE_FLAGS) | __GFP_ZERO;
}

/* ---- vmalloc.c: the calls, in any space ---------------------------------- */

/* The functions of Linux in SPACE, for CALLER. */
__must_check void *vmalloc_in(struct vmalloc_space *space, size_t size,
                              gfp_t gfp, uintptr_t caller);
void vfree_in(struct vmalloc_space *space, const void *address,
              uintptr_t caller);

/* Pages that are to lie in a row. */
struct vm_row {
	struct page **pages;
	unsigned int count;
};

/* vmap(); 0, or -ENOMEM, -EBUSY (an exclusive page), -EINVAL (no such page, or flag). */
__must_check int vmap_in(struct vmalloc_space *space, const struct vm_row *row,
                         unsigned int flags, enum vmap_protection protection,
                         uintptr_t caller, void **address);

/* ---- vmalloc_area.c: addresses ------------------------------------------- */

/* A new area of PAGES pages and a guard, BUILT, or NULL: no memory for it, or no
 * addresses, even after a purge.  May sleep. */
__must_check struct vm_struct *vm_begin(struct vmalloc_space *space,
                                        unsigned long pages, enum vm_kind kind,
                                        gfp_t gfp, uintptr_t caller);

/* The area is complete. */
void vm_set_live(struct vmalloc_space *space, struct vm_struct *area);

/*
 * The area that begins at ADDRESS and is of a kind in KINDS (1 << enum vm_kind): LIVE
 * before, STATE (ENDING or DEFERRED) from now on.  NULL, with the reason in *WHY and,
 * if it is known, a copy of what lies there in *FOUND.
 */
struct vm_struct *vm_end(struct vmalloc_space *space, uintptr_t address,
                         unsigned int kinds, enum vm_state state,
                         struct vmalloc_info *found, const char **why);

/* The first area that an interrupt has freed: ENDING now; or NULL. */
struct vm_struct *vm_next_deferred(struct vmalloc_space *space);

/* The bytes of the LIVE area of vmalloc() that begins at ADDRESS, or 0. */
size_t vm_live_size(struct vmalloc_space *space, uintptr_t address);

/* Is so much lazy that a thread should purge? */
bool vmalloc_is_too_lazy(const struct vmalloc_space *space);

/* Nothing of AREA is mapped any more.  Its addresses are free after the next purge. */
void vm_retire(struct vmalloc_space *space, struct vm_struct *area);

/* Nothing of AREA was ever mapped: its addresses are free immediately. */
void vm_drop(struct vmalloc_space *space, struct vm_struct *area);

/* ---- vmalloc_map.c: page tables ------------------------------------------ */

/* Map PAGES, area->mapped .. vm_pages(AREA) - 1 of it, with page tables of TABLE_GFP.
 * 0, -ENOMEM (no table), or the error of page_add_mapping(); area->mapped says how far
 * it came. */
__must_check int vm_map(struct vmalloc_space *space, struct vm_struct *area,
                        struct page **pages, bool writable, gfp_t table_gfp);
void vm_unmap(struct vmalloc_space *space, struct vm_struct *area);

/* ---- vmalloc_report.c ---------------------------------------------------- */

/* WHAT(ADDRESS) is refused: WHY.  FOUND is what lies there, start 0: not known. */
void vmalloc_report_free(const struct vmalloc_space *space, const char *what,
                         uintptr_t address, const struct vmalloc_info *found,
                         const char *why, uintptr_t caller);

/* A request is refused by name. */
void vmalloc_report_refused(const struct vmalloc_space *space, size_t size,
                            gfp_t gfp, const char *why, uintptr_t caller);

/* A request has failed for lack of something. */
void vmalloc_report_failure(struct vmalloc_space *space, size_t size, gfp_t gfp,
                            const char *why);

/* Faults in the region are explained by the main space from now on. */
void vmalloc_explain_faults(void);

/* vmalloc_report.c, for the node: slab_state.report_mappings. */
void vmalloc_report_mappings(unsigned long pfn, unsigned long count);

#endif
