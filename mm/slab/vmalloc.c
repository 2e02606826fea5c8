/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc.c -- taking and freeing memory in one piece of addresses.
 *
 *	vmalloc()	addresses, array, pages, mapping, LIVE
 *	vfree()		ENDING, mapping, pages, array, LAZY
 *
 * The array of an area's pages comes from kmalloc() up to a page, and beyond from
 * vmalloc(), which needs another array for that, a 512th of the size.
 *
 * Pages are asked for a hundred at a time, because that is cheap, and the rest one by
 * one, because that tries harder.  The thread may be killed meanwhile.
 *
 * Locking: none here.  An area that is BUILT or ENDING is its thread's.
 *
 * Source: the behaviour of Linux 6.12, mm/vmalloc.c.
 */
#include "mm/slab/vmalloc.h"

#include "kernel/arch/vmap.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/scope.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/vmalloc_internal.h"

/* Pages of one call of alloc_pages_bulk(). */
#define BULK_MOST 100UL

/* A request on its way. */
struct vm_request {
	struct vmalloc_space *space;
	size_t size;
	unsigned long pages;
	gfp_t gfp;
	bool never_fail;
	uintptr_t caller;
};

/* ---- May it be served at all? -------------------------------------------- */

/* Fill in the rest of REQUEST.  NULL, or why it is refused. */
static const char *vm_decode(struct vm_request *request, char *why, size_t size)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request decoded;

	if (!context.can_sleep)
		return "it may sleep, and the caller cannot";
	if (request->size == 0)
		return "size 0";
	if (gfp_decode(request->gfp, 0, &context, &decoded, why, size) !=
	    GFP_OK)
		return why;
	if (decoded.compound || decoded.exclusive)
		return "an area has no __GFP_COMP or __GFP_EXCLUSIVE pages";
	request->never_fail = decoded.never_fail;
	return NULL;
}

/* False: it is refused, and that is reported. */
static bool vm_may_serve(struct vm_request *request)
{
	struct node *node = request->space->node;
	const char *refusal;
	char why[160];

	if (in_nmi()) {
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return false;
	}
	refusal = vm_decode(request, why, sizeof(why));
	if (refusal != NULL) {
		vmalloc_report_refused(request->space, request->size,
		                       request->gfp, refusal, request->caller);
		return false;
	}
	request->pages =
		request->size / PAGE_SIZE + (request->size % PAGE_SIZE != 0);
	if (request->pages <= node_managed(node))
		return true;
	vmalloc_report_failure(request->space, request->size, request->gfp,
	                       "exceeds total pages");
	return false;
}

/* ---- Pages --------------------------------------------------------------- */

/* The mask for pages: any zone unless it names one, and failures are reported by the
 * area, not by each page. */
static gfp_t vm_page_mask(gfp_t gfp)
{
	bool bad;

	if (gfp_zone(gfp, &bad) >= ZONE_NORMAL)
		gfp |= __GFP_HIGHMEM;
	return gfp | __GFP_NOWARN;
}

static bool vm_is_killed(void)
{
	return thread_has_flags(current_thread(), THREAD_KILLED);
}

/* Take the pages of AREA; area->nr_pages says how many there are. */
static void vm_take_pages(const struct vm_request *request,
                          struct vm_struct *area)
{
	gfp_t gfp = vm_page_mask(request->gfp);
	unsigned long wanted = 0;
	unsigned long got = 0;

	kassert(area->pages != NULL && area->nr_pages == 0);
	while (got == wanted && area->nr_pages < request->pages) {
		wanted = min(request->pages - area->nr_pages, BULK_MOST);
		got = alloc_pages_bulk(gfp, wanted,
		                       area->pages + area->nr_pages);
		area->nr_pages += got;
	}
	while (area->nr_pages < request->pages &&
	       (request->never_fail || !vm_is_killed())) {
		struct page *page = alloc_page(gfp);

		if (page == NULL)
			break;
		area->pages[area->nr_pages++] = page;
	}
	kassert(area->nr_pages <= request->pages);
	kassert(!request->never_fail || area->nr_pages == request->pages);
	__atomic_fetch_add(&request->space->pages, area->nr_pages,
	                   __ATOMIC_RELAXED);
}

static void vm_give_pages(struct vmalloc_space *space, struct vm_struct *area)
{
	kassert(area->mapped == 0);
	kassert(area->kind != VM_KIND_MAP);
	if (area->kind == VM_KIND_ALLOC)
		__atomic_fetch_sub(&space->pages, area->nr_pages,
		                   __ATOMIC_RELAXED);
	while (area->nr_pages > 0)
		__free_page(area->pages[--area->nr_pages]);
}

/*
 * From here to vfree_in(), functions call each other in a ring: the array of a large
 * area is an area, too.  Each array is a 512th of its area, so the ring is run through
 * three times for 64 GB and never more than four.
 */
/* NOLINTBEGIN(misc-no-recursion) */
static struct page **vm_take_array(const struct vm_request *request)
{
	size_t size = request->pages * sizeof(struct page *);
	gfp_t gfp = vm_nested_mask(request->gfp);

	kassert(size < request->pages * PAGE_SIZE);
	if (size > PAGE_SIZE)
		return vmalloc_in(request->space, size, gfp, request->caller);
	return kmalloc_on(request->space->node, size, gfp, request->caller);
}

static void vm_give_array(struct vmalloc_space *space, struct page **array)
{
	if (is_vmalloc_addr(array))
		vfree_in(space, array, RETURN_ADDRESS());
	else
		kfree_on(space->node, array, RETURN_ADDRESS());
}

/* ---- Mapping ------------------------------------------------------------- */

/* vm_map() with what GFP does not allow forbidden to page tables, too. */
static int vm_map_in_scope(struct vmalloc_space *space, struct vm_struct *area,
                           struct page **pages, bool writable, gfp_t gfp)
{
	bool noio = !gfp_may_io(gfp) && !gfp_may_fs(gfp);
	bool nofs = gfp_may_io(gfp) && !gfp_may_fs(gfp);
	unsigned int scope = 0;
	int error;

	if (noio)
		scope = memalloc_noio_save();
	else if (nofs)
		scope = memalloc_nofs_save();
	error = vm_map(space, area, pages, writable, slab_gfp_table(gfp));
	if (noio)
		memalloc_noio_restore(scope);
	else if (nofs)
		memalloc_nofs_restore(scope);
	return error;
}

/* AREA as it is has no use: give back what it has. */
static void vm_undo(struct vmalloc_space *space, struct vm_struct *area)
{
	bool was_mapped = area->mapped > 0;

	kassert(may_sleep_here());
	kassert(area->state == VM_BUILT || area->state == VM_ENDING);
	vm_unmap(space, area);
	if (area->pages != NULL) {
		vm_give_pages(space, area);
		vm_give_array(space, area->pages);
		area->pages = NULL;
	}
	if (area->state == VM_BUILT && !was_mapped)
		vm_drop(space, area);
	else
		vm_retire(space, area);
}

/* ---- Taking -------------------------------------------------------------- */

static struct vm_struct *vm_begin_request(const struct vm_request *request)
{
	for (;;) {
		struct vm_struct *area =
			vm_begin(request->space, request->pages, VM_KIND_ALLOC,
		                 vm_nested_mask(request->gfp), request->caller);

		if (area != NULL || !request->never_fail)
			return area;
		thread_sleep(UNTIL_NEXT_TICK);
	}
}

/* Fill AREA with pages and map them.  NULL, or what could not be done. */
static const char *vm_build(const struct vm_request *request,
                            struct vm_struct *area)
{
	int error;

	kassert(area->kind == VM_KIND_ALLOC);
	kassert(vm_pages(area) == request->pages);
	area->pages = vm_take_array(request);
	if (area->pages == NULL)
		return "failed to allocate page array";
	vm_take_pages(request, area);
	if (area->nr_pages < request->pages)
		return "failed to allocate pages";
	do {
		error = vm_map_in_scope(request->space, area, area->pages, true,
		                        request->gfp);
		if (error != 0 && request->never_fail)
			thread_sleep(UNTIL_NEXT_TICK);
	} while (error != 0 && request->never_fail);
	return error == 0 ? NULL : "failed to map pages";
}

void *vmalloc_in(struct vmalloc_space *space, size_t size, gfp_t gfp,
                 uintptr_t caller)
{
	struct vm_request request = {
		.space = space,
		.size = size,
		.gfp = gfp,
		.caller = caller,
	};
	struct vm_struct *area;
	const char *why;

	if (space == NULL || !vm_may_serve(&request))
		return NULL;
	area = vm_begin_request(&request);
	why = area == NULL ? "failed to allocate area"
	                   : vm_build(&request, area);
	if (why == NULL) {
		vm_set_live(space, area);
		return (void *)vm_address(area);
	}
	if (area != NULL)
		vm_undo(space, area);
	if (!vm_is_killed())
		vmalloc_report_failure(space, size, gfp, why);
	return NULL;
}

void *__vmalloc(size_t size, gfp_t gfp)
{
	return vmalloc_in(main_vmalloc(), size, gfp, RETURN_ADDRESS());
}

void *vmalloc(size_t size)
{
	return vmalloc_in(main_vmalloc(), size, GFP_KERNEL, RETURN_ADDRESS());
}

void *vzalloc(size_t size)
{
	return vmalloc_in(main_vmalloc(), size, GFP_KERNEL | __GFP_ZERO,
	                  RETURN_ADDRESS());
}

/* ---- Freeing ------------------------------------------------------------- */

#define VFREE_KINDS  (1U << VM_KIND_ALLOC | 1U << VM_KIND_PUT)
#define VUNMAP_KINDS (1U << VM_KIND_MAP | 1U << VM_KIND_PUT)

/* End the area at ADDRESS, or leave it to the worker: NULL then, and if it is
 * refused. */
static struct vm_struct *vm_end_call(struct vmalloc_space *space,
                                     const char *what, const void *address,
                                     unsigned int kinds, bool later,
                                     uintptr_t caller)
{
	struct vmalloc_info found;
	struct vm_struct *area;
	const char *why;

	kassert(address != NULL && kinds != 0);
	area = vm_end(space, (uintptr_t)address, kinds,
	              later ? VM_DEFERRED : VM_ENDING, &found, &why);
	if (area == NULL)
		vmalloc_report_free(space, what, (uintptr_t)address, &found,
		                    why, caller);
	else if (later && space->wake != NULL)
		space->wake();
	return later ? NULL : area;
}

/* A thread that cannot sleep: the area is freed, but later. */
static void vfree_report_atomic(const struct vmalloc_space *space,
                                const void *address, uintptr_t caller)
{
	const struct vmalloc_info unknown = { .start = 0 };

	vmalloc_report_free(space, "vfree", (uintptr_t)address, &unknown,
	                    "the caller cannot sleep, so it is done later: "
	                    "vfree_atomic() is for it",
	                    caller);
}

void vfree_in(struct vmalloc_space *space, const void *address,
              uintptr_t caller)
{
	struct vm_struct *area;

	kassert(!in_nmi());
	if (address == NULL)
		return;
	if (!in_interrupt() && !may_sleep_here())
		vfree_report_atomic(space, address, caller);
	area = vm_end_call(space, "vfree", address, VFREE_KINDS,
	                   !may_sleep_here(), caller);
	if (area != NULL)
		vm_undo(space, area);
}
/* NOLINTEND(misc-no-recursion) */

void vfree(const void *address)
{
	vfree_in(main_vmalloc(), address, RETURN_ADDRESS());
}

void vfree_atomic(const void *address)
{
	kassert(!in_nmi());
	if (address != NULL)
		(void)vm_end_call(main_vmalloc(), "vfree_atomic", address,
		                  VFREE_KINDS, true, RETURN_ADDRESS());
}

void vmalloc_work(struct vmalloc_space *space)
{
	struct vm_struct *area;

	kassert(may_sleep_here());
	while ((area = vm_next_deferred(space)) != NULL)
		vm_undo(space, area);
	if (vmalloc_is_too_lazy(space))
		vmalloc_purge(space);
}

/* ---- Another size -------------------------------------------------------- */

void *vrealloc(const void *address, size_t size, gfp_t gfp)
{
	struct vmalloc_space *space = main_vmalloc();
	const struct vmalloc_info unknown = { .start = 0 };
	size_t old = 0;
	void *larger;

	if (size == 0) {
		vfree_in(space, address, RETURN_ADDRESS());
		return NULL;
	}
	if (address != NULL) {
		old = vm_live_size(space, (uintptr_t)address);
		if (old == 0) {
			vmalloc_report_free(
				space, "vrealloc", (uintptr_t)address, &unknown,
				"vmalloc() has not made it", RETURN_ADDRESS());
			return NULL;
		}
	}
	if (size <= old) {
		if (slab_gfp_wants_zero(gfp))
			memset((char *)address + size, 0, old - size);
		return (void *)address;
	}
	larger = vmalloc_in(space, size, gfp, RETURN_ADDRESS());
	if (larger != NULL && address != NULL) {
		memcpy(larger, address, old);
		vfree_in(space, address, RETURN_ADDRESS());
	}
	return larger;
}

/* ---- Pages of others ----------------------------------------------------- */

/* NULL, or why vmap() is refused. */
static const char *vmap_refusal(const struct vmalloc_space *space,
                                unsigned int count, unsigned int flags)
{
	if (!may_sleep_here())
		return "it may sleep, and the caller cannot";
	if (count == 0)
		return "size 0";
	if (flags & ~(unsigned int)(VM_MAP | VM_MAP_PUT_PAGES))
		return "it has an unknown flag";
	if (count > node_managed(space->node))
		return "exceeds total pages";
	return NULL;
}

/* AREA, whose pages are mapped, is the caller's.  PAGES: the array that it owns. */
static void *vm_finish_map(struct vmalloc_space *space, struct vm_struct *area,
                           struct page **pages)
{
	area->pages = pages;
	area->nr_pages = pages == NULL ? 0 : vm_pages(area);
	vm_set_live(space, area);
	return (void *)vm_address(area);
}

int vmap_in(struct vmalloc_space *space, const struct vm_row *row,
            unsigned int flags, enum vmap_protection protection,
            uintptr_t caller, void **address)
{
	unsigned int count = row->count;
	bool put = (flags & VM_MAP_PUT_PAGES) != 0;
	const char *why = vmap_refusal(space, count, flags);
	struct vm_struct *area;
	int error;

	if (why != NULL) {
		vmalloc_report_refused(space, (size_t)count * PAGE_SIZE,
		                       GFP_KERNEL, why, caller);
		return -EINVAL;
	}
	area = vm_begin(space, count, put ? VM_KIND_PUT : VM_KIND_MAP,
	                vm_nested_mask(GFP_KERNEL), caller);
	if (area == NULL)
		return -ENOMEM;
	error = vm_map(space, area, row->pages, protection == PAGE_KERNEL,
	               GFP_KERNEL);
	if (error != 0)
		vm_undo(space, area);
	else
		*address = vm_finish_map(space, area, put ? row->pages : NULL);
	return error;
}

void *vmap(struct page **pages, unsigned int count, unsigned int flags,
           enum vmap_protection protection)
{
	const struct vm_row row = { pages, count };
	struct vmalloc_space *space = main_vmalloc();
	void *address = NULL;
	int error;

	if (space == NULL)
		return NULL;
	if (in_nmi()) {
		count_vm_event(space->node, VMSTAT_alloc_in_nmi);
		return NULL;
	}
	error = vmap_in(space, &row, flags, protection, RETURN_ADDRESS(),
	                &address);
	if (error == -ENOMEM)
		vmalloc_report_failure(space, (size_t)count * PAGE_SIZE,
		                       GFP_KERNEL, "failed to map pages");
	else if (error == -EBUSY)
		vmalloc_report_refused(
			space, (size_t)count * PAGE_SIZE, GFP_KERNEL,
			"an exclusive page has one mapping, its owner's",
			RETURN_ADDRESS());
	return error == 0 ? address : NULL;
}

void vunmap(const void *address)
{
	struct vmalloc_space *space = main_vmalloc();
	const struct vmalloc_info unknown = { .start = 0 };
	struct vm_struct *area;

	kassert(!in_nmi());
	if (address == NULL)
		return;
	if (!may_sleep_here()) {
		vmalloc_report_free(space, "vunmap", (uintptr_t)address,
		                    &unknown, "the caller cannot sleep",
		                    RETURN_ADDRESS());
		return;
	}
	area = vm_end_call(space, "vunmap", address, VUNMAP_KINDS, false,
	                   RETURN_ADDRESS());
	if (area == NULL)
		return;
	/* The pages are the caller's, or were not put yet. */
	area->pages = NULL;
	area->nr_pages = 0;
	vm_undo(space, area);
}

/* ---- By address ---------------------------------------------------------- */

bool is_vmalloc_addr(const void *address)
{
	return (uintptr_t)address - vmap_base < vmap_size;
}

unsigned long vmalloc_to_pfn(const void *address)
{
	return is_vmalloc_addr(address)
	               ? vmap_frame(ALIGN_DOWN((uintptr_t)address, PAGE_SIZE))
	               : -1UL;
}

struct page *vmalloc_to_page(const void *address)
{
	unsigned long pfn = vmalloc_to_pfn(address);

	return pfn == -1UL ? NULL : node_page(main_vmalloc()->node, pfn);
}
