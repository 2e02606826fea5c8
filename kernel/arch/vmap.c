/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/vmap.c -- the page tables of the vmap region, and its lazy flush.
 *
 *	root[402] -> level 3, made at boot -> level 2 -> level 1 -> frames
 *	                                      both from the caller, for good
 *
 * Invariants:
 *
 *  K1  An address that is mapped was flushed since it was last cleared.
 *  K2  An address that was cleared and not flushed is in start .. end below.
 *
 * Locking: none for entries; one caller has an address.  Adding a table is serialised
 * by the caller.  The range that waits for a flush is changed with interrupts off,
 * together with the entry that is cleared, because a flush may come in between.
 *
 * One CPU runs, as in direct_map.c: where this CPU flushes, a second one would have to
 * flush, too.
 *
 * Source: Intel SDM vol. 3A, 4.10.4.3: an entry that becomes present needs no flush.
 * The flush of single pages up to a limit of 33 is Linux's
 * tlb_single_page_flush_ceiling.
 */
#include "kernel/arch/vmap.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/mapping.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/registers.h"

#define SINGLE_PAGES 33UL

uintptr_t vmap_base = VMAP_BASE;
size_t vmap_size = VMAP_SIZE;

/* Cleared and not flushed; start == end: nothing. */
static struct {
	uintptr_t start;
	uintptr_t end;
	unsigned long flushes;
} vmap_stale;

unsigned int vmap_missing_table(uintptr_t address)
{
	for (unsigned int level = 2; level > 0; level--) {
		if (page_table_entry(address, level) == NULL)
			return level;
	}
	return 0;
}

/* The entry for a table of LEVEL is in the table above. */
void vmap_add_table(uintptr_t address, unsigned int level, void *table)
{
	uint64_t *entry = page_table_entry(address, level + 1);

	WRITE_ONCE(*entry, virt_to_phys(table) | PTE_PRESENT | PTE_WRITABLE);
}

void vmap_set(uintptr_t address, unsigned long pfn, bool writable)
{
	uint64_t *entry = page_table_entry(address, 1);

	mapping_tell(pfn, MAPPING_VMAP, true);
	WRITE_ONCE(*entry, (uint64_t)pfn << PAGE_SHIFT | PTE_PRESENT |
	                           (writable ? PTE_WRITABLE : 0) | PTE_GLOBAL |
	                           pte_nx());
}

/* Interrupts are off. */
static void vmap_note_stale(uintptr_t address)
{
	bool none = vmap_stale.start == vmap_stale.end;

	if (none || address < vmap_stale.start)
		vmap_stale.start = address;
	if (none || address + PAGE_SIZE > vmap_stale.end)
		vmap_stale.end = address + PAGE_SIZE;
}

unsigned long vmap_clear(uintptr_t address)
{
	uint64_t *entry = page_table_entry(address, 1);
	unsigned long pfn = vmap_frame(address);
	bool enabled;

	if (pfn == -1UL)
		return pfn;
	enabled = arch_irq_save();
	WRITE_ONCE(*entry, 0);
	vmap_note_stale(address);
	arch_irq_restore(enabled);
	mapping_tell(pfn, MAPPING_VMAP, false);
	return pfn;
}

unsigned long vmap_frame(uintptr_t address)
{
	uint64_t *entry = page_table_entry(address, 1);
	uint64_t value = entry == NULL ? 0 : READ_ONCE(*entry);

	return value & PTE_PRESENT ? (value & PTE_ADDRESS) >> PAGE_SHIFT : -1UL;
}

bool vmap_flush(void)
{
	bool enabled = arch_irq_save();
	uintptr_t start = vmap_stale.start;
	uintptr_t end = vmap_stale.end;

	vmap_stale.start = vmap_stale.end;
	if (end - start > SINGLE_PAGES * PAGE_SIZE) {
		paging_flush_all();
	} else {
		for (uintptr_t at = start; at < end; at += PAGE_SIZE)
			flush_address(at);
	}
	if (start != end)
		vmap_stale.flushes++;
	arch_irq_restore(enabled);
	return start != end;
}

unsigned long vmap_flushes(void)
{
	return READ_ONCE(vmap_stale.flushes);
}
