/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc_map.c -- the pages of an area, in the page tables.
 *
 * A page that is mapped is counted as such (page_add_mapping()), before its entry is
 * written: so it cannot become free or exclusive by another owner's mistake.  The
 * opposite order takes it out again.  The TLB may know it longer; a frame that becomes
 * exclusive is flushed by direct_map_hide().
 *
 * Page tables are taken with GFP_KERNEL, whatever the caller may: it sets the scope.
 * RETRY_MAYFAIL is the one flag that they share with the pages.
 * They stay, as in Linux, for the next area at these addresses.
 *
 * Locking: the entries of an area belong to its thread; space->lock for tables, which
 * neighbours share.
 */
#include "kernel/arch/vmap.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/slab/vmalloc_internal.h"

/* Bytes that one table of level 1 maps. */
#define TABLE_SPAN (2 * MIB)

/* Add TABLE unless somebody has added one meanwhile: whether it is used. */
static bool vm_add_table(struct vmalloc_space *space, uintptr_t address,
                         unsigned int level, struct page *table)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	bool missing = vmap_missing_table(address) == level;

	kassert(level == 1 || level == 2);
	kassert(page_mapcount(table) == 0 && page_ref_count(table) == 1);
	if (missing) {
		/* The front door refuses to free it. */
		table->flags |= PAGE_TABLE;
		vmap_add_table(address, level, page_address(table));
		space->tables++;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	return missing;
}

/* Tables for the page at ADDRESS.  0, or -ENOMEM. */
static int vm_make_tables(struct vmalloc_space *space, uintptr_t address,
                          gfp_t gfp)
{
	unsigned int level;

	kassert(may_sleep_here());
	while ((level = vmap_missing_table(address)) != 0) {
		struct page *table = alloc_page(gfp | __GFP_ZERO);

		if (table == NULL)
			return -ENOMEM;
		if (!vm_add_table(space, address, level, table))
			__free_page(table);
	}
	return 0;
}

int vm_map(struct vmalloc_space *space, struct vm_struct *area,
           struct page **pages, bool writable, gfp_t table_gfp)
{
	kassert(area->state == VM_BUILT);
	kassert(area->mapped < vm_pages(area));
	for (; area->mapped < vm_pages(area); area->mapped++) {
		uintptr_t address = vm_address(area) + area->mapped * PAGE_SIZE;
		struct page *page = pages[area->mapped];
		int error = 0;

		if (area->mapped == 0 || address % TABLE_SPAN == 0)
			error = vm_make_tables(space, address, table_gfp);
		if (error == 0)
			error = page_add_mapping(page);
		if (error != 0)
			return error;
		vmap_set(address, node_pfn(space->node, page), writable);
	}
	return 0;
}

void vm_unmap(struct vmalloc_space *space, struct vm_struct *area)
{
	kassert(area->state != VM_LIVE && area->state != VM_LAZY);
	kassert(area->mapped <= vm_pages(area));
	while (area->mapped > 0) {
		uintptr_t address =
			vm_address(area) + --area->mapped * PAGE_SIZE;
		unsigned long pfn = vmap_clear(address);

		kassert(pfn != -1UL);
		page_remove_mapping(node_page(space->node, pfn));
	}
}
