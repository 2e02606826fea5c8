/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/direct_map.c -- single frames in and out of the direct map.
 *
 *	joined   level 2: | region, RW NX G, 2 MiB |
 *	                        |  direct_map_split(table)
 *	split    level 2: | table, SPLIT |
 *	         level 1:    +--> | frame 0 | frame 1 |    0    | ... | frame 511 |
 *	                                                 hidden
 *	hidden   level 2: | 0 |
 *
 * A region that paging_map_ram() mapped by 4 KiB entries is split, too, but
 * without the SPLIT mark: its holes and its read-only frames are there to stay,
 * and it is never joined.
 *
 * Flushing.  When the size of the mapping changes, the translation and its
 * rights do not; still the TLB must not hold both sizes, so all of it
 * is flushed, global entries too (Intel SDM vol. 3A, 4.10.2.3 and 4.10.4.2).
 * Hiding flushes one address (all, for a region), and what vmap.c has not flushed yet: the frame may have
 * been mapped there, and nobody may reach it now.  Showing makes an entry present: no
 * flush.
 *
 * One CPU runs.  A second one would have to be told (an interprocessor
 * interrupt, and waiting for its answer) where flush_address() and
 * paging_flush_all() stand here.
 */
#include "kernel/arch/direct_map.h"

#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/vmap.h"

#define RIGHTS_RAM (PTE_PRESENT | PTE_WRITABLE | PTE_GLOBAL)

static unsigned long splits;
static unsigned long joins;

static uintptr_t direct_map_address_of(unsigned long pfn)
{
	return DIRECT_MAP_BASE + (pfn << PAGE_SHIFT);
}

static uint64_t entry_of(unsigned long pfn)
{
	return (uint64_t)pfn << PAGE_SHIFT | RIGHTS_RAM | pte_nx();
}

static unsigned long direct_map_region_of(unsigned long pfn)
{
	return ALIGN_DOWN(pfn, REGION_FRAMES);
}

/* The level 2 entry of the region of PFN, or 0 if nothing maps it. */
static uint64_t region_entry(unsigned long pfn)
{
	uint64_t *entry = page_table_entry(direct_map_address_of(pfn), 2);

	return entry == NULL ? 0 : READ_ONCE(*entry);
}

bool direct_map_is_split(unsigned long pfn)
{
	uint64_t entry = region_entry(pfn);

	return (entry & PTE_PRESENT) != 0 && (entry & PTE_LARGE) == 0;
}

void direct_map_split(unsigned long pfn, void *table)
{
	unsigned long first = direct_map_region_of(pfn);
	bool visible = region_entry(first) != 0;
	uint64_t *entries = table;

	for (unsigned long i = 0; i < REGION_FRAMES; i++)
		entries[i] = visible ? entry_of(first + i) : 0;
	WRITE_ONCE(*page_table_entry(direct_map_address_of(first), 2),
	           virt_to_phys(table) | PTE_PRESENT | PTE_WRITABLE |
	                   PTE_SPLIT);
	paging_flush_all();
	splits++;
}

/* Does the table map all frames of the region that begins at FIRST? */
static bool direct_map_is_complete(const uint64_t *entries, unsigned long first)
{
	for (unsigned long i = 0; i < REGION_FRAMES; i++) {
		uint64_t entry = READ_ONCE(entries[i]);

		if ((entry & PTE_PRESENT) == 0 ||
		    (entry & PTE_ADDRESS) >> PAGE_SHIFT != first + i)
			return false;
	}
	return true;
}

void *direct_map_join(unsigned long pfn)
{
	unsigned long first = direct_map_region_of(pfn);
	uint64_t entry = region_entry(first);
	uint64_t *table;

	if (!direct_map_is_split(first) || (entry & PTE_SPLIT) == 0)
		return NULL;
	table = page_table_of(entry);
	if (!direct_map_is_complete(table, first))
		return NULL;
	WRITE_ONCE(*page_table_entry(direct_map_address_of(first), 2),
	           entry_of(first) | PTE_LARGE);
	paging_flush_all();
	joins++;
	return table;
}

void direct_map_hide(unsigned long pfn)
{
	vmap_flush();
	WRITE_ONCE(*page_table_entry(direct_map_address_of(pfn), 1), 0);
	flush_address(direct_map_address_of(pfn));
}

void direct_map_show(unsigned long pfn)
{
	WRITE_ONCE(*page_table_entry(direct_map_address_of(pfn), 1),
	           entry_of(pfn));
}

void direct_map_hide_region(unsigned long pfn)
{
	vmap_flush();
	WRITE_ONCE(*page_table_entry(direct_map_address_of(pfn), 2), 0);
	paging_flush_all();
}

void direct_map_show_region(unsigned long pfn)
{
	WRITE_ONCE(*page_table_entry(direct_map_address_of(pfn), 2),
	           entry_of(pfn) | PTE_LARGE);
}

bool direct_map_visible(unsigned long pfn)
{
	unsigned int level;

	return paging_lookup(direct_map_address_of(pfn), &level) != 0;
}

unsigned long direct_map_splits(void)
{
	return splits;
}

unsigned long direct_map_joins(void)
{
	return joins;
}
