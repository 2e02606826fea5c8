/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/paging.c -- the kernel's page tables: made at boot, then walked.
 *
 *	root[273]  direct map   table -> table of 2 MiB entries, 512 a GiB
 *	root[402]  vmalloc    table -> nothing yet: kernel/arch/vmap.c
 *	root[416]  windows      table -> directories: 512 windows each; per CPU
 *	root[448]  framebuffer  table -> table -> entries of 4 KiB, if there is one
 *	root[511]  image        table -> table -> entries of 4 KiB
 *
 * Each CPU has a root.  Two roots share the table below an entry if they have the same
 * entry, so the entries must be the same: they are all made before the second root is,
 * and none changes afterwards.  The one for the windows is the CPU's own, with all that
 * is below down to the directories; whose tables they point to is kernel/arch/window.c's.
 *
 *	root of CPU 0   | 273 | 402 | 416 | 511 |    root of CPU 1   | 273 | 402 | 416 | 511 |
 *	                   |     |     |     |          its own <---------------- +     |
 *	                   +-----+-----|-----+-------- the same tables ---+-----+------+
 *	                               +--> level 3 --> directories of CPU 0
 *
 * A machine of 4 MB pays for this: the root; two tables above the direct map
 * and two of 4 KiB entries in it (the hole below 1 MiB and the image make both
 * regions uneven); one for vmalloc; two above the windows; two above the image and
 * one or two of entries: 11 or 12 frames.
 *
 * While the tables are made, the boot tables are in force, and a table's bytes
 * are at KERNEL_BASE + physical (so frames must lie below 1 GiB); afterwards
 * they are in the direct map.
 *
 * Invariants, which paging_check() walks for:
 *
 *  P1  No page is writable and executable.
 *  P2  No page is open to user mode.
 *  P3  Virtual page 0 is not mapped.
 *  P4  No guard page is mapped.
 *
 * and
 *
 *  P5  All roots have the same kernel half, but for the window slot, which no two share.
 *
 * paging_check() walks a slice of entries with interrupts off, and finds its way
 * down from the root again for each: a table below may be gone by then.
 *
 * Locking: none.  The tables change during boot; then only through the
 * functions of direct_map.h, vmap.h and window.h, each of which says who may call
 * it.  One CPU runs; what is unmapped is flushed there.
 *
 * Source: Intel SDM vol. 3A, 4.5 "4-Level Paging", 4.6 "Access Rights", 4.10
 * "Caching Translation Information".
 */
#include "kernel/arch/paging.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/image.h"
#include "kernel/arch/mapping.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/window.h"
#include "lib/errno.h"
#include "lib/string.h"

#define VGA_TEXT_START 0xb8000UL
#define VGA_TEXT_END   0xc0000UL

/* Tables above the last level allow everything; the last level decides. */
#define LINK           (PTE_PRESENT | PTE_WRITABLE)

/* Write-combining, as cpu_init() sets the page attribute table. */
#define COMBINING      (PTE_WRITABLE | PTE_PWT | PTE_GLOBAL)

/* The last GiB of addresses, which only the boot tables use. */
#define EARLY_PIXELS   0xffffffffc0000000UL

/* Of registers. */
#define UNCACHED       (PTE_WRITABLE | PTE_PCD | PTE_PWT | PTE_GLOBAL)

uintptr_t direct_map_base = DIRECT_MAP_BASE;

static uintptr_t table_base = KERNEL_BASE; /* where frames are seen */
static uint64_t small_from; /* from here to there RAM has no 2 MiB entry */
static uint64_t small_to;
static uint64_t (*take_frame)(void);

uint64_t pte_nx(void)
{
	return cpu_has(CPU_NX) ? PTE_NX : 0;
}

uint64_t *page_table_of(uint64_t entry)
{
	return (uint64_t *)(table_base + (entry & PTE_ADDRESS));
}

/* ---- Making -------------------------------------------------------------- */

static uint64_t paging_take_table(void)
{
	uint64_t frame = take_frame();

	memset(page_table_of(frame), 0, PAGE_SIZE);
	return frame;
}

/* The entry for ADDRESS at LEVEL of the tables to be, making those above. */
static uint64_t *paging_make_entry(uintptr_t address, unsigned int level)
{
	uint64_t *table = page_table_of(cpu_data[0].root);

	for (unsigned int at = ROOT_LEVEL; at > level; at--) {
		uint64_t *entry = &table[level_index(address, at)];

		if (*entry == 0)
			*entry = paging_take_table() | LINK;
		table = page_table_of(*entry);
	}
	return &table[level_index(address, level)];
}

static void map_range(uintptr_t address, uint64_t start, uint64_t end,
                      uint64_t flags)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE)
		*paging_make_entry(address + (at - start), 1) =
			at | flags | PTE_PRESENT;
}

/* ---- One root a CPU ------------------------------------------------------ */

/* The kernel's half, and its slot for windows. */
#define KERNEL_HALF (TABLE_ENTRIES / 2)
#define WINDOW_SLOT level_index(WINDOW_BASE, ROOT_LEVEL)

/* A frame of zeroes, or 0. */
static uint64_t paging_take_zeroed(uint64_t (*take)(void))
{
	uint64_t frame = take();

	if (frame != 0)
		memset(page_table_of(frame), 0, PAGE_SIZE);
	return frame;
}

/* Group 0 is made with the first root; a later root has all groups that there are. */
static bool paging_has_group(unsigned int group)
{
	return group == 0 || cpu_data[0].window_directory[group] != NULL;
}

/* False: no memory. */
static bool paging_make_window_slot(unsigned int cpu, uint64_t (*take)(void))
{
	uint64_t table = paging_take_zeroed(take);

	if (table == 0)
		return false;
	page_table_of(cpu_data[cpu].root)[WINDOW_SLOT] = table | LINK;
	for (unsigned int group = 0; group < WINDOW_GROUPS; group++) {
		uint64_t directory;

		if (!paging_has_group(group))
			continue;
		directory = paging_take_zeroed(take);
		if (directory == 0)
			return false;
		window_set_directory(cpu, group, phys_to_virt(directory));
	}
	return true;
}

/* False: no memory.  Then CPU may have a part of a root. */
static bool paging_fill_root(unsigned int cpu, uint64_t (*take)(void))
{
	uint64_t frame = paging_take_zeroed(take);
	uint64_t *root = page_table_of(frame);

	if (frame == 0)
		return false;
	if (cpu != 0)
		memcpy(root + KERNEL_HALF,
		       page_table_of(cpu_data[0].root) + KERNEL_HALF,
		       KERNEL_HALF * sizeof(*root));
	root[WINDOW_SLOT] = 0;
	WRITE_ONCE(cpu_data[cpu].root, frame);
	return paging_make_window_slot(cpu, take);
}

int paging_make_root(unsigned int cpu, uint64_t (*take)(void),
                     void (*give)(uint64_t frame))
{
	if (paging_fill_root(cpu, take))
		return 0;
	if (cpu_data[cpu].root != 0)
		paging_unmake_root(cpu, give);
	return -ENOMEM;
}

void paging_unmake_root(unsigned int cpu, void (*give)(uint64_t frame))
{
	uint64_t frame = cpu_data[cpu].root;
	uint64_t slot = page_table_of(frame)[WINDOW_SLOT];

	for (unsigned int group = 0; slot != 0 && group < WINDOW_GROUPS;
	     group++) {
		const void *table = window_remove_directory(cpu, group);

		if (table != NULL)
			give(virt_to_phys(table));
	}
	WRITE_ONCE(cpu_data[cpu].root, 0);
	if (slot != 0)
		give(slot & PTE_ADDRESS);
	give(frame);
}

/* ---- The boot's ---------------------------------------------------------- */

/* TAKE never fails, so nothing is given back. */
void paging_begin(uint64_t (*take)(void))
{
	take_frame = take;
	(void)paging_fill_root(0, take);
}

static bool paging_overlaps(uint64_t start, uint64_t end, uint64_t from,
                            uint64_t to)
{
	return start < to && from < end;
}

/* Text and read-only data are written nowhere, by no address. */
static uint64_t ram_protection(uint64_t frame)
{
	bool read_only = frame >= image_to_phys(text_begin) &&
	                 frame < image_to_phys(rodata_end);

	return PTE_GLOBAL | pte_nx() | (read_only ? 0 : PTE_WRITABLE);
}

void paging_use_small_pages(uint64_t start, uint64_t end)
{
	small_from = start;
	small_to = end;
}

void paging_map_ram(uint64_t start, uint64_t end)
{
	uint64_t at = start;

	while (at < end) {
		uint64_t next = at + LARGE_PAGE_SIZE;
		bool large = at % LARGE_PAGE_SIZE == 0 && next <= end &&
		             !paging_overlaps(at, next, small_from, small_to) &&
		             !paging_overlaps(at, next, image_physical_start(),
		                              image_physical_end());

		if (large) {
			*paging_make_entry(DIRECT_MAP_BASE + at, 2) =
				at | ram_protection(at) | PTE_LARGE |
				PTE_PRESENT;
		} else {
			next = at + PAGE_SIZE;
			map_range(DIRECT_MAP_BASE + at, at, next,
			          ram_protection(at));
		}
		at = next;
	}
}

static void map_part(const char *start, const char *end, uint64_t flags)
{
	map_range((uintptr_t)start, image_to_phys(start), image_to_phys(end),
	          flags | PTE_GLOBAL);
}

static void unmap_guard(const char *guard)
{
	*paging_make_entry((uintptr_t)guard, 1) = 0;
}

static void map_image(void)
{
	map_part(text_begin, text_end, 0);
	map_part(rodata_begin, rodata_end, pte_nx());
	map_part(data_begin, data_end, PTE_WRITABLE | pte_nx());
	unmap_guard(boot_stack_guard);
	unmap_guard(double_fault_stack_guard);
	unmap_guard(nmi_stack_guard);
}

void *paging_map_pixels_early(uint64_t physical, uint64_t size)
{
	uint64_t start = ALIGN_DOWN(physical, LARGE_PAGE_SIZE);
	uint64_t *table = (uint64_t *)(KERNEL_BASE + (uintptr_t)boot_pixels);

	for (uint64_t at = start; at < physical + size; at += LARGE_PAGE_SIZE)
		*table++ = at | PTE_LARGE | PTE_WRITABLE | PTE_PRESENT;
	return (void *)(EARLY_PIXELS + (physical - start));
}

void *paging_map_pixels(uint64_t physical, uint64_t size)
{
	uint64_t start = ALIGN_DOWN(physical, PAGE_SIZE);

	map_range(PIXELS_BASE, start, physical + size, COMBINING | pte_nx());
	return (void *)(PIXELS_BASE + (physical - start));
}

/* For vmalloc and for registers: the tables, and nothing in them yet. */
static void make_regions(void)
{
	paging_make_entry(VMAP_BASE, 3);
	paging_make_entry(DEVICE_BASE, 1);
}

void paging_switch(void)
{
	map_range(DIRECT_MAP_BASE + VGA_TEXT_START, VGA_TEXT_START,
	          VGA_TEXT_END, UNCACHED | pte_nx());
	map_image();
	make_regions();
	write_cr3(cpu_data[0].root);
	paging_flush_all();
	table_base = DIRECT_MAP_BASE;
}

void paging_flush_all(void)
{
	uint64_t cr4 = read_cr4();

	/* A change of PGE flushes everything; without PGE, CR3 does. */
	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		flush_local();
	}
}

/* ---- Walking ------------------------------------------------------------- */

static bool leads_on(uint64_t entry)
{
	return (entry & PTE_PRESENT) != 0 && (entry & PTE_LARGE) == 0;
}

uint64_t *page_table_entry(uintptr_t address, unsigned int level)
{
	uint64_t *table = page_table_of(read_cr3());

	for (unsigned int at = ROOT_LEVEL; at > level; at--) {
		uint64_t entry = READ_ONCE(table[level_index(address, at)]);

		if (!leads_on(entry))
			return NULL;
		table = page_table_of(entry);
	}
	return &table[level_index(address, level)];
}

unsigned int paging_walk(uintptr_t address, uint64_t entry[PAGING_LEVELS + 1])
{
	uint64_t *table = page_table_of(read_cr3());
	unsigned int level = ROOT_LEVEL;

	for (;;) {
		entry[level] = READ_ONCE(table[level_index(address, level)]);
		if (level == 1 || !leads_on(entry[level]))
			return level;
		table = page_table_of(entry[level]);
		level--;
	}
}

/* Bits 47 to 63 are all the same: the only addresses there are. */
static bool is_canonical(uintptr_t address)
{
	uintptr_t high = address >> 47;

	return high == 0 || high == 0x1ffff;
}

uint64_t paging_lookup(uintptr_t address, unsigned int *level)
{
	uint64_t entry[PAGING_LEVELS + 1];

	*level = 0;
	if (!is_canonical(address))
		return 0;
	*level = paging_walk(address, entry);
	return entry[*level] & PTE_PRESENT ? entry[*level] : 0;
}

static bool is_in_page(uintptr_t address, const char *page)
{
	return address - (uintptr_t)page < PAGE_SIZE;
}

bool paging_is_guard(uintptr_t address)
{
	return is_in_page(address, boot_stack_guard) ||
	       is_in_page(address, double_fault_stack_guard) ||
	       is_in_page(address, nmi_stack_guard);
}

/* ---- Registers ----------------------------------------------------------- */

uintptr_t paging_map_device(uint64_t physical)
{
	static unsigned int mapped;
	uintptr_t address = DEVICE_BASE + mapped * PAGE_SIZE;

	if (mapped == DEVICE_PAGES)
		return 0;
	mapped++;
	WRITE_ONCE(*page_table_entry(address, 1),
	           physical | PTE_PRESENT | UNCACHED | pte_nx());
	return address;
}

/* ---- Every mapping but the direct map's and the windows' ----------------- */

#define ABSENT_MOST 16U

/* Names of ranges, for addresses that are not in the direct map or a window. */
static const struct {
	uintptr_t start;
	uintptr_t end;
} mapping_gaps[] = {
	{ 1UL << 47, ~0UL << 47 }, /* not canonical */
	{ DIRECT_MAP_BASE, VMAP_BASE },
	{ WINDOW_BASE, WINDOW_BASE + WINDOW_SPACE },
};

/* The table that has the last entry on the way to ADDRESS, and its level. */
static uint64_t *walk_to_last(uintptr_t address, unsigned int *level)
{
	uint64_t *table = page_table_of(read_cr3());
	uint64_t entry = READ_ONCE(table[level_index(address, ROOT_LEVEL)]);

	for (*level = ROOT_LEVEL; *level > 1 && leads_on(entry); --*level) {
		table = page_table_of(entry);
		entry = READ_ONCE(table[level_index(address, *level - 1)]);
	}
	return table;
}

/* How many entries of TABLE from AT on are absent: up to the next multiple of ABSENT_MOST. */
static unsigned int count_absent(const uint64_t *table, unsigned int at)
{
	unsigned int count = 0;

	while ((at + count) % ABSENT_MOST != 0 &&
	       (READ_ONCE(table[at + count]) & PTE_PRESENT) == 0)
		count++;
	return count;
}

void (*mapping_watch)(unsigned long pfn, enum mapping_kind kind, bool mapped);

bool mapping_look(uintptr_t *address, unsigned long *pfn)
{
	unsigned int level;
	uint64_t *table;
	unsigned int at;
	uintptr_t size;

	for (size_t i = 0; i < ARRAY_SIZE(mapping_gaps); i++) {
		if (*address >= mapping_gaps[i].start &&
		    *address < mapping_gaps[i].end)
			*address = mapping_gaps[i].end;
	}
	/* Behind the last page there is none. */
	if (*address == ~0UL)
		return false;
	table = walk_to_last(*address, &level);
	size = PAGE_SIZE << (9 * (level - 1));
	at = level_index(*address, level);
	*address = ALIGN_DOWN(*address, size) + size;
	*pfn = -1UL;
	if (READ_ONCE(table[at]) & PTE_PRESENT)
		*pfn = (READ_ONCE(table[at]) & PTE_ADDRESS) >> PAGE_SHIFT;
	else
		*address += size * count_absent(table, at + 1);
	if (*address == 0)
		*address = ~0UL;
	return true;
}

/* ---- Checking ------------------------------------------------------------ */

/* Bit 47 of an address, counted in pages. */
#define HIGH_HALF_PAGE (1UL << (47 - PAGE_SHIFT))

/* The rights that all entries on the way to a page grant. */
struct rights {
	bool writable;
	bool executable;
	bool user;
};

/* A walk over all of memory.  PAGE is the next one to be looked at, a number of
 * 48 - 12 bits; everything else is found again for each slice. */
struct walk {
	uint64_t page;
	unsigned int level; /* of the table we are in */
	uint64_t *table;
	struct rights rights; /* of what leads to it */
};

#define ADDRESS_PAGES (1UL << (9 * ROOT_LEVEL))

/* Entries that are looked at before others may go on. */
#define PAGING_SLICE  32

static struct rights less(struct rights rights, uint64_t entry)
{
	return (struct rights){
		.writable = rights.writable && (entry & PTE_WRITABLE),
		.executable = rights.executable &&
		              (pte_nx() == 0 || (entry & PTE_NX) == 0),
		.user = rights.user && (entry & PTE_USER),
	};
}

/*
 * Return what is wrong with a mapping at ADDRESS, or NULL.  Without NX every
 * page is executable: P1 cannot be kept.
 */
static const char *wrong_with(struct rights rights, uintptr_t address)
{
	if (rights.writable && rights.executable && pte_nx() != 0)
		return "writable and executable";
	if (rights.user)
		return "open to user mode";
	if (address == 0)
		return "page 0";
	return paging_is_guard(address) ? "a guard page" : NULL;
}

/* Return the address of PAGE, with bit 47 copied to the bits above it. */
static uintptr_t paging_address_of(uint64_t page)
{
	if (page & HIGH_HALF_PAGE)
		page |= ~(2 * HIGH_HALF_PAGE - 1);
	return page << PAGE_SHIFT;
}

static uint64_t walk_entry(const struct walk *walk)
{
	return READ_ONCE(walk->table[level_index(paging_address_of(walk->page),
	                                         walk->level)]);
}

/* From the root down to the table that the next entry is in. */
static void walk_down(struct walk *walk)
{
	uint64_t entry;

	walk->level = ROOT_LEVEL;
	walk->table = page_table_of(read_cr3());
	walk->rights = (struct rights){ true, true, true };
	entry = walk_entry(walk);
	while (walk->level > 1 && leads_on(entry)) {
		walk->rights = less(walk->rights, entry);
		walk->level--;
		walk->table = page_table_of(entry);
		entry = walk_entry(walk);
	}
}

static void check_mapping(const struct walk *walk, struct rights rights,
                          struct paging_check *check)
{
	uintptr_t address = paging_address_of(walk->page);
	const char *what = wrong_with(rights, address);

	check->mappings++;
	if (what == NULL)
		return;
	if (check->wrong == 0) {
		check->address = address;
		check->what = what;
	}
	check->wrong++;
}

/* Look at one entry that leads no further, and go behind what it maps; true: the
 * table ends there. */
static bool paging_step(struct walk *walk, struct paging_check *check)
{
	uint64_t pages = 1UL << (9 * (walk->level - 1));
	uint64_t entry = walk_entry(walk);

	if (entry & PTE_PRESENT)
		check_mapping(walk, less(walk->rights, entry), check);
	walk->page = ALIGN_DOWN(walk->page, pages) + pages;
	return walk->page % (pages * TABLE_ENTRIES) == 0;
}

struct paging_check paging_check(void)
{
	struct paging_check check = { 0 };
	struct walk walk = { .page = 0 };

	while (walk.page < ADDRESS_PAGES) {
		bool enabled = arch_irq_save();
		unsigned int looked = 0;
		bool ends = false;

		walk_down(&walk);
		while (!ends && looked++ < PAGING_SLICE &&
		       (walk.level == 1 || !leads_on(walk_entry(&walk))))
			ends = paging_step(&walk, &check);
		arch_irq_restore(enabled);
	}
	return check;
}
