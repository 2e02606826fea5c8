/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/paging.h -- the kernel's page tables.
 *
 *	address                 size     what
 *	ffff'8880'0000'0000     all RAM  direct map: 2 MiB entries, RW, NX, global
 *	ffff'c900'0000'0000     512 GiB  vmalloc (kernel/arch/vmap.h): RW or R, NX, global
 *	ffff'd000'0000'0000     64 GiB   windows (kernel/arch/window.h), per CPU
 *	ffff'e000'0000'0000     its size the framebuffer: RW, NX, write-combining
 *	ffff'ffff'8008'0000     64 KiB   registers of devices: RW, NX, uncached
 *	ffff'ffff'8000'0000     image    .text RX, .rodata R NX, .data RW NX, global
 *
 * A 2 MiB region that is not RAM throughout, or that the image touches, is
 * mapped by 4 KiB entries from the start: holes are not mapped at all, and
 * the image's text and read-only data are read-only in the direct map too.
 * The one thing there that is not RAM is the VGA's text, b8000..bffff, uncached.
 * Nothing else is mapped: no identity map, no page 0.
 *
 * Each CPU has its own root table.  They are alike but for the windows.
 *
 * Source: Intel SDM vol. 3A, 4.5 "4-Level Paging".
 */
#ifndef KERNEL_ARCH_PAGING_H
#define KERNEL_ARCH_PAGING_H

#include "lib/types.h"

#define DIRECT_MAP_BASE 0xffff888000000000UL
#define VMAP_BASE       0xffffc90000000000UL
#define VMAP_SIZE       (512 * GIB)
#define WINDOW_BASE     0xffffd00000000000UL
#define PIXELS_BASE     0xffffe00000000000UL
#define KERNEL_BASE     0xffffffff80000000UL

/* Registers of devices: below the image, whose first MiB is not used. */
#define DEVICE_BASE     (KERNEL_BASE + 512 * KIB)
#define DEVICE_PAGES    16

/*
 * The steps of boot, in order.  TAKE_FRAME gives the physical address of
 * one 4 KiB frame below 1 GiB that is the tables' from now on (it panics itself
 * if there is none).  paging_map_ram() takes each usable range (whole pages,
 * ascending); paging_switch() maps the rest, loads CR3, and the boot tables and
 * the identity map are gone.
 */
void paging_begin(uint64_t (*take_frame)(void));
/* Before paging_map_ram(), the last call counts: START..END get 4 KiB entries, for frames that
 * come and go, and so does the rest of their regions. */
void paging_use_small_pages(uint64_t start, uint64_t end);
void paging_map_ram(uint64_t start, uint64_t end);

/*
 * Map SIZE bytes of a framebuffer at PHYSICAL and return the address, once each: the
 * first in the boot tables, at most 1 GiB less 2 MiB, the second for good, between
 * paging_begin() and paging_switch(), which brings it into force.
 */
void *paging_map_pixels_early(uint64_t physical, uint64_t size);
void *paging_map_pixels(uint64_t physical, uint64_t size);

void paging_switch(void);

/*
 * Make the root table of CPU, which has none: the kernel's half is that of the first
 * CPU's root, except for the window slot, whose tables are new: one of level 3, and a
 * directory for each group of windows that there is.  TAKE gives the frames as in
 * paging_begin(), or 0; then those that it gave go to GIVE, and the answer is -ENOMEM.
 * Else 0, and the groups of windows that are added later have directories on CPU as
 * well.  Thread context; nobody adds a group meanwhile.
 */
__must_check int paging_make_root(unsigned int cpu, uint64_t (*take)(void),
                                  void (*give)(uint64_t frame));

/* The opposite, for a CPU that does not run and has no window open. */
void paging_unmake_root(unsigned int cpu, void (*give)(uint64_t frame));

/* Physical to direct-map address and back.  No check. */
static inline void *phys_to_virt(uint64_t physical)
{
	return (void *)(DIRECT_MAP_BASE + physical);
}

static inline uint64_t virt_to_phys(const void *address)
{
	return (uint64_t)(uintptr_t)address - DIRECT_MAP_BASE;
}

/*
 * The page of registers at PHYSICAL, mapped for good (RW, NX, uncached): its
 * address, or 0: there are DEVICE_PAGES already.  During boot.
 */
uintptr_t paging_map_device(uint64_t physical);

/*
 * Walk the tables for ADDRESS: ENTRY[4], ENTRY[3] ... are what the walk meets.
 * Returns the level at which it ends, because that entry maps memory or is not
 * present; the entries below are not set.  Any context.
 */
#define PAGING_LEVELS 4
unsigned int paging_walk(uintptr_t address, uint64_t entry[PAGING_LEVELS + 1]);

/*
 * The entry that maps ADDRESS and its level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), or
 * 0 if nothing maps it.  Any context.
 */
uint64_t paging_lookup(uintptr_t address, unsigned int *level);

/* Is ADDRESS in the guard page of a stack of the image (boot, IST)? */
bool paging_is_guard(uintptr_t address);

/*
 * Walk all tables, a slice at a time; others go on meanwhile, and what is counted
 * is what each slice finds.  A mapping is an entry that maps memory, whatever its size;
 * it is wrong if it is writable and executable, open to user mode, virtual page
 * 0, or a guard page.  0 wrong ones is the only good answer.  Thread context.
 */
struct paging_check {
	unsigned long mappings; /* that there are */
	unsigned long wrong;
	uintptr_t address; /* of the first that is wrong */
	const char *what;  /* and what it is: "writable and executable" ... */
};
struct paging_check paging_check(void);

/* Flush everything, global entries too, on this CPU. */
void paging_flush_all(void);

/* For reports: splits and joins of the direct map since boot. */
unsigned long direct_map_splits(void);
unsigned long direct_map_joins(void);

#endif
