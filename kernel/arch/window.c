/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/window.c -- windows: opening, closing, and what is in them.
 *
 *	struct cpu                 of group 0            a window's table
 *	+---------------------+    +---+                 +---+
 *	| window_directory[0] |--> | 7 | P RW ---------> | 0 | frame, RW NX
 *	|                 [1] |    | 8 | 0               | 1 | 0
 *	| open_window: 7      |    | 9 | 0               ...
 *	+---------------------+    ...
 *
 *	address of entry 1 of window 7 = WINDOW_BASE + 7 * 2 MiB + 1 * 4 KiB
 *
 * The tables of windows belong to owners and are the same for all CPUs; the
 * directories are the CPU's, and so is what is open.  Opening and closing is one write
 * of an entry, in which directory it may be.
 *
 * Invariants:
 *
 *  W1  At most one entry of a CPU's directories is not 0: that of open_window.
 *  W2  What the TLB holds of windows is of the one that is open.
 *  W3  open_window is 0 or the number of a window whose group exists.
 *
 * window_open() and window_close() are one function: close what is open (store
 * 0, reload CR3), write the number of another window, store its value.  An NMI may
 * come between any two of these steps and finds W1 and W3 true; W2 it makes true by
 * itself (trap.asm reloads CR3 in every NMI that finds no window, or closes one).
 *
 * Locking: numbers are taken and given with atomic operations.  A window's
 * table is changed by its owner's context, or, while the owner does not run, by
 * the holder of the lock that protects the owner's pages.
 *
 * Source: Intel SDM vol. 3A, 4.10.2.3 and 4.10.4.3: an entry that becomes
 * present needs no flush, one that ceases to be present does.
 */
#include "kernel/arch/window.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/mapping.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "lib/bitmap.h"
#include "lib/errno.h"

/* In an entry that is not present: its address is a note. */
#define ENTRY_NOTE (1UL << 9)

static_assert(WINDOW_SIZE == LARGE_PAGE_SIZE, "one directory entry");
static_assert(WINDOW_GROUP == TABLE_ENTRIES, "one directory");
static_assert(WINDOW_GROUPS <= TABLE_ENTRIES, "one table of directories");

static unsigned long numbers_taken[BITMAP_LONGS(WINDOW_COUNT)]; /* atomic */

/* ---- Numbers ------------------------------------------------------------- */

static bool window_take_number(unsigned int id)
{
	unsigned long bit = 1UL << (id % BITS_PER_LONG);
	unsigned long before = __atomic_fetch_or(
		&numbers_taken[id / BITS_PER_LONG], bit, __ATOMIC_ACQUIRE);

	return (before & bit) == 0;
}

static void give_number(unsigned int id)
{
	__atomic_fetch_and(&numbers_taken[id / BITS_PER_LONG],
	                   ~(1UL << (id % BITS_PER_LONG)), __ATOMIC_RELEASE);
}

unsigned int window_spare_number(void)
{
	unsigned int id = WINDOW_GROUP - 1;

	while (id > 0 && bitmap_test(numbers_taken, id))
		id--;
	return id;
}

/* ---- Directories --------------------------------------------------------- */

/* The first CPU that has a root and no directory for GROUP; MAX_CPUS: none. */
static unsigned int window_lacks_directory(unsigned int group)
{
	unsigned int cpu = 0;

	while (cpu < MAX_CPUS &&
	       (cpu_data[cpu].root == 0 ||
	        READ_ONCE(cpu_data[cpu].window_directory[group]) != NULL))
		cpu++;
	return cpu;
}

bool window_has_group(unsigned int group)
{
	return window_lacks_directory(group) == MAX_CPUS;
}

/* The entry for the directory of GROUP in the level 3 table of CPU's window slot. */
static uint64_t *window_group_entry(const struct cpu *cpu, unsigned int group)
{
	const uint64_t *root = page_table_of(cpu->root);
	uint64_t *table =
		page_table_of(root[level_index(WINDOW_BASE, ROOT_LEVEL)]);

	return &table[group];
}

/* Invalid to valid: no flush. */
void window_set_directory(unsigned int cpu, unsigned int group, void *table)
{
	WRITE_ONCE(*window_group_entry(&cpu_data[cpu], group),
	           virt_to_phys(table) | PTE_PRESENT | PTE_WRITABLE);
	WRITE_ONCE(cpu_data[cpu].window_directory[group], table);
}

void window_add_group(unsigned int group, void *table)
{
	window_set_directory(window_lacks_directory(group), group, table);
}

/* Valid to invalid: the processor may keep the entry, so it is flushed, if the CPU is
 * this one; another one does not run. */
void *window_remove_directory(unsigned int cpu, unsigned int group)
{
	void *table = cpu_data[cpu].window_directory[group];

	if (table == NULL)
		return NULL;
	WRITE_ONCE(*window_group_entry(&cpu_data[cpu], group), 0);
	WRITE_ONCE(cpu_data[cpu].window_directory[group], NULL);
	flush_local();
	return table;
}

/* ---- Windows ------------------------------------------------------------- */

int window_create(struct window *window, unsigned int id, void *table)
{
	if (!window_take_number(id))
		return -EBUSY;
	window->table = table;
	window->base = WINDOW_BASE + id * WINDOW_SIZE;
	window->id = id;
	return 0;
}

void *window_destroy(struct window *window)
{
	void *table = window->table;
	unsigned int id = window->id;
	bool enabled = arch_irq_save();

	if (window_is_open(window))
		window_open(NULL);
	arch_irq_restore(enabled);
	*window = (struct window){ .id = 0 };
	give_number(id);
	return table;
}

/* ---- Entries ------------------------------------------------------------- */

static uintptr_t window_entry_address(const struct window *window,
                                      unsigned int index)
{
	return window->base + index * PAGE_SIZE;
}

void *window_map(struct window *window, unsigned int index, unsigned long pfn)
{
	mapping_tell(pfn, MAPPING_WINDOW, true);
	WRITE_ONCE(window->table[index], (uint64_t)pfn << PAGE_SHIFT |
	                                         PTE_PRESENT | PTE_WRITABLE |
	                                         pte_nx());
	return (void *)window_entry_address(window, index);
}

void window_unmap(struct window *window, unsigned int index)
{
	uint64_t entry = window->table[index];

	WRITE_ONCE(window->table[index], 0);
	flush_address(window_entry_address(window, index));
	mapping_tell((entry & PTE_ADDRESS) >> PAGE_SHIFT, MAPPING_WINDOW,
	             false);
}

bool window_is_empty(const struct window *window, unsigned int index)
{
	return READ_ONCE(window->table[index]) == 0;
}

unsigned int window_pass_empty(const struct window *window, unsigned int index)
{
	unsigned int end =
		min((unsigned int)WINDOW_ENTRIES,
	            ALIGN_DOWN(index, WINDOW_PASSES) + WINDOW_PASSES);

	if (window->table == NULL)
		return WINDOW_ENTRIES;
	while (index < end && READ_ONCE(window->table[index]) == 0)
		index++;
	return index;
}

unsigned long window_frame(const struct window *window, unsigned int index)
{
	uint64_t entry;

	if (window->table == NULL || index >= WINDOW_ENTRIES)
		return -1UL;
	entry = READ_ONCE(window->table[index]);
	return entry & PTE_PRESENT ? (entry & PTE_ADDRESS) >> PAGE_SHIFT : -1UL;
}

void window_note(struct window *window, unsigned int index, unsigned long pfn)
{
	WRITE_ONCE(window->table[index],
	           pfn == -1UL ? 0 : (uint64_t)pfn << PAGE_SHIFT | ENTRY_NOTE);
}

unsigned long window_noted(const struct window *window, unsigned int index)
{
	uint64_t entry;

	if (window->table == NULL || index >= WINDOW_ENTRIES)
		return -1UL;
	entry = READ_ONCE(window->table[index]);
	if ((entry & PTE_PRESENT) || !(entry & ENTRY_NOTE))
		return -1UL;
	return (entry & PTE_ADDRESS) >> PAGE_SHIFT;
}

unsigned int window_of_address(uintptr_t address, unsigned int *index)
{
	uintptr_t offset = address - WINDOW_BASE;

	if (offset >= WINDOW_COUNT * WINDOW_SIZE)
		return 0;
	*index = (offset % WINDOW_SIZE) / PAGE_SIZE;
	return (unsigned int)(offset / WINDOW_SIZE);
}

/* ---- Open and closed ----------------------------------------------------- */

/* Number NUMBER's entry in the directories of CPU. */
static uint64_t *window_number_entry(struct cpu *cpu, uint64_t number)
{
	return &cpu->window_directory[number / WINDOW_GROUP]
	                             [number % WINDOW_GROUP];
}

static void set_open(struct cpu *cpu, struct window_state next)
{
	if (cpu->open_window != 0) {
		WRITE_ONCE(*window_number_entry(cpu, cpu->open_window), 0);
		flush_local();
	}
	WRITE_ONCE(cpu->open_window, next.number);
	if (next.number != 0)
		WRITE_ONCE(*window_number_entry(cpu, next.number), next.value);
}

static struct window_state state_of(const struct window *window)
{
	if (window == NULL || window->id == 0)
		return (struct window_state){ 0, 0 };
	return (struct window_state){
		.number = window->id,
		.value = virt_to_phys(window->table) | PTE_PRESENT |
		         PTE_WRITABLE,
	};
}

/* The window that is open on CPU. */
static struct window_state open_on(struct cpu *cpu)
{
	uint64_t number = cpu->open_window;

	return (struct window_state){
		.number = number,
		.value = number == 0 ? 0 : *window_number_entry(cpu, number),
	};
}

struct window_state window_open(struct window *window)
{
	struct cpu *cpu = this_cpu();
	struct window_state previous = open_on(cpu);
	struct window_state next = state_of(window);

	/* A thread that goes on as itself keeps what the TLB knows. */
	if (next.number != previous.number || next.value != previous.value)
		set_open(cpu, next);
	return previous;
}

void window_close(struct window_state previous)
{
	set_open(this_cpu(), previous);
}

bool window_is_open(const struct window *window)
{
	struct window_state state = open_on(this_cpu());

	return window->id != 0 && state.number == window->id &&
	       state.value != 0;
}
