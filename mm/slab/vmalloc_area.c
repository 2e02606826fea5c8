/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc_area.c -- which addresses are whose.
 *
 *	vm_begin() -> BUILT -> LIVE -> ENDING -> vm_retire() -> LAZY -> vmalloc_purge()
 *	   lowest gap that fits                  pages free, addresses not yet
 *
 * Freeing addresses needs a flush on every CPU, which is expensive; freeing pages does
 * not, because a correct program does not touch them any more.  So areas wait, lazy,
 * until there are more than 32 MiB of them for each doubling of the CPUs, or until
 * there are no addresses left; then one flush serves all.
 *
 * An area stays in the tree until its addresses are free, so that a second vfree() and
 * a fault in a freed area can be explained.
 *
 * Invariants, checked by vmalloc_check():
 *
 *  A1  The ranges are sound: lib/range.c.
 *  A2  Of a LIVE area the pages are mapped, each to its frame, and the guard is not.
 *  A3  Of a LAZY area nothing is mapped.
 *  A4  lazy_pages is the sum over LAZY areas, and `areas` the number of all.
 *
 * Locking: space->lock, for a few steps down the tree: an interrupt may free.  The
 * purge has a mutex, so that one that waits for addresses waits for the purge.
 *
 * Source: the behaviour of Linux 6.12, mm/vmalloc.c (lazy_max_pages()).
 */
#include "kernel/arch/vmap.h"
#include "kernel/core/context.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/vmalloc_internal.h"

#define LAZY_PAGES (32 * MIB / PAGE_SIZE)

static struct vmalloc_space *vmalloc_main;

struct vmalloc_space *main_vmalloc(void)
{
	return vmalloc_main;
}

void set_main_vmalloc(struct vmalloc_space *space)
{
	vmalloc_main = space;
	if (space != NULL)
		vmalloc_explain_faults();
}

/* The number of the highest bit of CPUS, from 1 on (Linux: fls()). */
static unsigned long vmalloc_doublings(unsigned int cpus)
{
	unsigned long doublings = 0;

	for (; cpus > 0; cpus >>= 1)
		doublings++;
	return doublings;
}

void vmalloc_space_init(struct vmalloc_space *space, struct node *node,
                        uintptr_t start, uintptr_t end, unsigned int cpus)
{
	kassert(cpus > 0);
	kassert(start % PAGE_SIZE == 0 && end % PAGE_SIZE == 0);
	kassert(start >= vmap_base && end - vmap_base <= vmap_size);
	*space = (struct vmalloc_space){
		.node = node,
		.lock = SPINLOCK_INIT("vmalloc"),
		.failure_limit = { .interval = 10000000, .burst = 1 },
		.lazy_max = vmalloc_doublings(cpus) * LAZY_PAGES,
	};
	range_tree_init(&space->ranges, start, end);
	list_init(&space->lazy);
	list_init(&space->deferred);
	mutex_init(&space->purge_mutex, "vmalloc purge");
	node->slab.report_mappings = vmalloc_report_mappings;
}

/* ---- Beginning ----------------------------------------------------------- */

static bool vm_place(struct vmalloc_space *space, struct vm_struct *area,
                     size_t size)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	bool placed = range_place(&space->ranges, &area->range, size);

	kassert(size % PAGE_SIZE == 0);
	kassert(area->state == VM_BUILT);
	if (placed) {
		space->areas++;
		space->changes++;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	return placed;
}

struct vm_struct *vm_begin(struct vmalloc_space *space, unsigned long pages,
                           enum vm_kind kind, gfp_t gfp, uintptr_t caller)
{
	struct vm_struct *area =
		kmalloc_on(space->node, sizeof(*area), gfp, caller);
	size_t size = (pages + 1) * PAGE_SIZE;

	kassert(pages > 0);
	if (area == NULL)
		return NULL;
	list_init(&area->link);
	area->state = VM_BUILT;
	area->kind = kind;
	area->caller = caller;
	area->taker = current_owner_id();
	if (vm_place(space, area, size))
		return area;
	/* Also free the areas that interrupts have freed. */
	vmalloc_work(space);
	vmalloc_purge(space);
	if (vm_place(space, area, size))
		return area;
	kfree_on(space->node, area, caller);
	return NULL;
}

void vm_set_live(struct vmalloc_space *space, struct vm_struct *area)
{
	bool enabled = spin_lock_irqsave(&space->lock);

	kassert(area->state == VM_BUILT);
	kassert(area->mapped == vm_pages(area));
	area->state = VM_LIVE;
	space->changes++;
	spin_unlock_irqrestore(&space->lock, enabled);
}

/* ---- Ending -------------------------------------------------------------- */

/* space->lock held. */
static void vm_set_state(struct vmalloc_space *space, struct vm_struct *area,
                         enum vm_state state)
{
	kassert(spin_is_mine(&space->lock));
	kassert(!list_is_linked(&area->link));
	area->state = state;
	space->changes++;
	if (state == VM_DEFERRED)
		list_append(&space->deferred, &area->link);
	if (state == VM_LAZY) {
		list_append(&space->lazy, &area->link);
		space->lazy_pages += vm_pages(area) + 1;
	}
}

/* NULL, or why AREA, which is at ADDRESS or NULL, cannot be freed. */
static const char *vm_refusal(const struct vm_struct *area, uintptr_t address,
                              unsigned int kinds)
{
	if (area == NULL || area->state == VM_BUILT)
		return "nothing is allocated there";
	if (area->state != VM_LIVE)
		return "it is free already";
	if (address != vm_address(area))
		return "it is in the middle of an area";
	if (kinds & (1U << area->kind))
		return NULL;
	return area->kind == VM_KIND_ALLOC
	               ? "vmalloc() made it, so vfree() is for it"
	               : "vmap() made it, so vunmap() is for it";
}

static const char *vm_kind_name(const struct vm_struct *area)
{
	if (area->state == VM_LAZY || area->state == VM_ENDING)
		return "lazy";
	if (area->state == VM_DEFERRED)
		return "deferred";
	return area->kind == VM_KIND_ALLOC ? "vmalloc" : "vmap";
}

/* space->lock held. */
static void vm_describe(const struct vm_struct *area, struct vmalloc_info *info)
{
	kassert(area->range.end > area->range.start);
	*info = (struct vmalloc_info){
		.start = area->range.start,
		.end = area->range.end,
		.caller = area->caller,
		.taker = area->taker,
		.pages = area->nr_pages,
		.kind = vm_kind_name(area),
	};
}

struct vm_struct *vm_end(struct vmalloc_space *space, uintptr_t address,
                         unsigned int kinds, enum vm_state state,
                         struct vmalloc_info *found, const char **why)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct vm_struct *area = vm_of(range_find(&space->ranges, address));

	kassert(!in_nmi());
	kassert(state == VM_ENDING || state == VM_DEFERRED);
	found->start = 0;
	*why = vm_refusal(area, address, kinds);
	kassert(*why != NULL || vm_address(area) == address);
	if (*why == NULL)
		vm_set_state(space, area, state);
	else if (area != NULL)
		vm_describe(area, found);
	spin_unlock_irqrestore(&space->lock, enabled);
	return *why == NULL ? area : NULL;
}

struct vm_struct *vm_next_deferred(struct vmalloc_space *space)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct vm_struct *area =
		list_first(&space->deferred, struct vm_struct, link);

	if (area != NULL) {
		kassert(area->state == VM_DEFERRED);
		list_remove(&area->link);
		vm_set_state(space, area, VM_ENDING);
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	return area;
}

size_t vm_live_size(struct vmalloc_space *space, uintptr_t address)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	const struct vm_struct *area =
		vm_of(range_find(&space->ranges, address));
	size_t size = 0;

	if (area != NULL && area->state == VM_LIVE &&
	    area->kind == VM_KIND_ALLOC && vm_address(area) == address)
		size = vm_pages(area) * PAGE_SIZE;
	spin_unlock_irqrestore(&space->lock, enabled);
	return size;
}

bool vmalloc_is_too_lazy(const struct vmalloc_space *space)
{
	return READ_ONCE(space->lazy_pages) > space->lazy_max;
}

void vm_retire(struct vmalloc_space *space, struct vm_struct *area)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	bool too_lazy;

	kassert(area->mapped == 0);
	kassert(area->state == VM_ENDING || area->state == VM_BUILT);
	vm_set_state(space, area, VM_LAZY);
	too_lazy = vmalloc_is_too_lazy(space);
	spin_unlock_irqrestore(&space->lock, enabled);
	if (too_lazy && space->wake != NULL)
		space->wake();
}

/* AREA leaves the tree: its addresses can be used again. */
static void vm_forget(struct vmalloc_space *space, struct vm_struct *area)
{
	bool enabled = spin_lock_irqsave(&space->lock);

	kassert(space->areas > 0);
	kassert(area->mapped == 0 && area->nr_pages == 0);
	kassert(area->state == VM_LAZY || area->state == VM_BUILT);
	list_remove(&area->link);
	if (area->state == VM_LAZY)
		space->lazy_pages -= vm_pages(area) + 1;
	range_remove(&space->ranges, &area->range);
	space->areas--;
	space->changes++;
	spin_unlock_irqrestore(&space->lock, enabled);
	kfree_on(space->node, area, 0);
}

void vm_drop(struct vmalloc_space *space, struct vm_struct *area)
{
	kassert(area->state == VM_BUILT && area->mapped == 0);
	vm_forget(space, area);
}

/* ---- Purging ------------------------------------------------------------- */

/* The last area that is lazy now, or NULL. */
static struct vm_struct *vmalloc_last_lazy(struct vmalloc_space *space)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct vm_struct *area = NULL;

	if (!list_empty(&space->lazy))
		area = container_of(space->lazy.prev, struct vm_struct, link);
	spin_unlock_irqrestore(&space->lock, enabled);
	return area;
}

static struct vm_struct *vmalloc_first_lazy(struct vmalloc_space *space)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct vm_struct *area =
		list_first(&space->lazy, struct vm_struct, link);

	kassert(area != NULL && area->state == VM_LAZY);
	spin_unlock_irqrestore(&space->lock, enabled);
	return area;
}

/* Areas up to LAST were lazy before the flush.  Others come behind it meanwhile and
 * wait for the next one.  Only the holder of the mutex takes areas off the list. */
unsigned long vmalloc_purge(struct vmalloc_space *space)
{
	unsigned long purged = 0;
	struct vm_struct *area = NULL;
	struct vm_struct *last;

	kassert(may_sleep_here());
	mutex_lock(&space->purge_mutex);
	last = vmalloc_last_lazy(space);
	if (last != NULL) {
		vmap_flush();
		__atomic_fetch_add(&space->purges, 1, __ATOMIC_RELAXED);
	}
	while (last != NULL && area != last) {
		area = vmalloc_first_lazy(space);
		vm_forget(space, area);
		purged++;
	}
	mutex_unlock(&space->purge_mutex);
	return purged;
}

bool vmalloc_has_work(const struct vmalloc_space *space)
{
	return vmalloc_is_too_lazy(space) ||
	       READ_ONCE(space->deferred.next) != &space->deferred;
}

/* ---- Looking ------------------------------------------------------------- */

bool vmalloc_next(struct vmalloc_space *space, uintptr_t *at,
                  struct vmalloc_info *info)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct vm_struct *area = vm_of(range_from(&space->ranges, *at));

	kassert(!in_nmi());
	if (area != NULL) {
		kassert(area->range.end > *at);
		vm_describe(area, info);
		*at = area->range.end;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	return area != NULL;
}
