/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/page_table.h -- entries of page tables, for this floor and for
 * reports.
 *
 * A table is 512 entries of 8 bytes in one frame.  Level 4 is the root, level 1
 * maps 4 KiB an entry, level 2 can map 2 MiB, level 3 1 GiB.
 *
 * Source: Intel SDM vol. 3A, 4.5, tables 4-14 to 4-20.
 */
#ifndef KERNEL_ARCH_PAGE_TABLE_H
#define KERNEL_ARCH_PAGE_TABLE_H

#include "lib/types.h"

#define PTE_PRESENT     (1UL << 0)
#define PTE_WRITABLE    (1UL << 1)
#define PTE_USER        (1UL << 2)
#define PTE_PWT         (1UL << 3)
#define PTE_PCD         (1UL << 4)
#define PTE_LARGE       (1UL << 7) /* levels 2 and 3: maps memory itself */
#define PTE_GLOBAL      (1UL << 8)
#define PTE_NX          (1UL << 63)

/* A bit that the CPU ignores: the table is direct_map_split()'s. */
#define PTE_SPLIT       (1UL << 9)

#define PTE_ADDRESS     0x000ffffffffff000UL

#define TABLE_ENTRIES   512U
#define LARGE_PAGE_SIZE (2 * MIB)
#define ROOT_LEVEL      4U

/* PTE_NX, or 0 if the CPU has no such bit. */
uint64_t pte_nx(void);

/* The table that ENTRY, present and not large, leads to. */
uint64_t *page_table_of(uint64_t entry);

/* Bytes that one entry of LEVEL stands for. */
static inline uint64_t level_size(unsigned int level)
{
	return 1UL << (PAGE_SHIFT + 9 * (level - 1));
}

/* Which entry of its table ADDRESS uses at LEVEL. */
static inline unsigned int level_index(uintptr_t address, unsigned int level)
{
	return (address >> (PAGE_SHIFT + 9 * (level - 1))) &
	       (TABLE_ENTRIES - 1);
}

/*
 * Where this CPU's tables have the entry for ADDRESS at LEVEL, present or not;
 * NULL if no table of that level is reached.  Any context.
 */
uint64_t *page_table_entry(uintptr_t address, unsigned int level);

#endif
