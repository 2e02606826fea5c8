/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc_check.c -- the invariants A1 to A4 of mm/slab/vmalloc_area.c.
 *
 * A walk over all areas by their addresses, CHECK_SLICE pages at a time; it finds its
 * place again after each slice.  Its result for one area is right, because the area
 * is at rest while the lock is held.  The sums are compared if no area has changed
 * during the walk; otherwise it begins again, CHECK_WALKS times.
 *
 * Locking: space->lock, for a slice.
 */
#include "kernel/arch/vmap.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/slab/vmalloc_internal.h"

struct vmalloc_walk {
	uintptr_t at; /* the next address */
	unsigned long changes;
	unsigned long areas;
	unsigned long lazy_pages;
};

/* A2 and A3 for the page at ADDRESS of AREA, which is at rest. */
static bool vm_check_page(const struct vmalloc_space *space,
                          const struct vm_struct *area, uintptr_t address)
{
	unsigned long i = (address - vm_address(area)) / PAGE_SIZE;
	unsigned long pfn = vmap_frame(address);

	if (area->state == VM_LAZY || i == vm_pages(area))
		return pfn == -1UL;
	if (area->kind == VM_KIND_MAP)
		return pfn != -1UL;
	return pfn == node_pfn(space->node, area->pages[i]);
}

/* A slice of the area at walk->at, or the walk goes to the next one.  space->lock
 * held. */
static const char *vm_check_slice(const struct vmalloc_space *space,
                                  struct vmalloc_walk *walk,
                                  const struct vm_struct *area)
{
	bool at_rest = area->state == VM_LIVE || area->state == VM_LAZY;

	if (walk->at <= vm_address(area)) {
		walk->at = vm_address(area);
		walk->areas++;
		if (area->state == VM_LAZY)
			walk->lazy_pages += vm_pages(area) + 1;
		if (!range_is_sound(&space->ranges, &area->range))
			return "A1";
	}
	if (!at_rest)
		walk->at = area->range.end;
	for (unsigned int i = 0; i < CHECK_SLICE && walk->at < area->range.end;
	     i++) {
		if (!vm_check_page(space, area, walk->at))
			return area->state == VM_LIVE ? "A2" : "A3";
		walk->at += PAGE_SIZE;
	}
	return NULL;
}

/* One slice; *MORE: there are others.  NULL, or the invariant that is broken. */
static const char *vmalloc_check_some(struct vmalloc_space *space,
                                      struct vmalloc_walk *walk, bool *more)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	const struct vm_struct *area =
		vm_of(range_from(&space->ranges, walk->at));
	const char *broken = NULL;

	*more = area != NULL;
	if (area != NULL)
		broken = vm_check_slice(space, walk, area);
	else if (walk->changes == space->changes &&
	         (walk->areas != space->areas ||
	          walk->lazy_pages != space->lazy_pages))
		broken = "A4";
	spin_unlock_irqrestore(&space->lock, enabled);
	return broken;
}

const char *vmalloc_check(struct vmalloc_space *space, char *buffer,
                          size_t size)
{
	const char *broken = check_buffer(buffer, size);
	struct vmalloc_walk walk = { 0 };
	bool moved = true;

	for (unsigned int i = 0; i < CHECK_WALKS && moved && broken == NULL;
	     i++) {
		bool more = true;

		walk = (struct vmalloc_walk){
			.changes = READ_ONCE(space->changes),
		};
		while (more && broken == NULL)
			broken = vmalloc_check_some(space, &walk, &more);
		moved = walk.changes != READ_ONCE(space->changes);
	}
	if (broken == NULL || broken == buffer)
		return broken;
	scnprintf(buffer, size, "vmalloc: invariant %s broken at %#lx", broken,
	          (unsigned long)walk.at);
	return buffer;
}
