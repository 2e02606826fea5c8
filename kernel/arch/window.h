/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/window.h -- windows: stretches of addresses that only one party
 * can see, and only while it runs.
 *
 * A window is 2 MiB of addresses: one page table of 512 entries.  Window number
 * ID occupies the addresses from WINDOW_BASE + ID * 2 MiB, which no other
 * window ever shares, so an address alone identifies its owner.  512 windows make a
 * group, which has one page directory on each CPU (kernel/arch/paging.h: one root a
 * CPU); at most one entry of all directories of a CPU is non-zero: the window that is
 * open there.
 *
 *	open	the CPU's directory entry for the window points to its table
 *	closed	the entry is zero and the TLB has no translation of the window
 *
 * struct cpu::open_window is the number of the window in question, 0 if there is none;
 * the entry's value says whether it is open.  The entry stubs of interrupts, NMIs and
 * exceptions (trap.asm) save the pair (number, value) on the stack, clear the entry and
 * flush before any C code runs, and on return they open the same window in the
 * directories of the CPU where they return: strictly last in, first out.  Nothing that
 * is saved belongs to a CPU, so what was interrupted may go on at another one.  Because
 * the *value* is what is saved, an NMI between any two instructions of the functions
 * below leaves them as it found them.
 *
 * Window entries are never global: reloading CR3 flushes windows and nothing
 * else (Intel SDM vol. 3A, 4.10.4.1).
 *
 * On the host a window is a mapping of the memory file (tests/host/).
 */
#ifndef KERNEL_ARCH_WINDOW_H
#define KERNEL_ARCH_WINDOW_H

#include "lib/types.h"

/*
 * 512 entries: one page table.  A bigger window would need a second table for
 * each owner (4 KiB each; a 4 MB machine has about ten owners and 600 free
 * pages), a smaller one would save nothing.
 */
#define WINDOW_ENTRIES 512
/*
 * A group is what one page directory holds.  Group 0 is made at boot, others when
 * they are needed; with all of them there are as many windows as Linux has process
 * numbers by default (32,768).  Number 0 is never given out.
 */
#define WINDOW_GROUP   512
#define WINDOW_GROUPS  64
#define WINDOW_COUNT   32768
static_assert(WINDOW_COUNT == WINDOW_GROUPS * WINDOW_GROUP, "all groups");

/* Bytes of addresses. */
#define WINDOW_SIZE  (WINDOW_ENTRIES * PAGE_SIZE)
#define WINDOW_SPACE (WINDOW_COUNT * WINDOW_SIZE)

struct window {
	uint64_t *table; /* its page table, 4 KiB, by its direct-map address */
	uintptr_t base;  /* address of entry 0 */
	unsigned int id; /* 1 .. WINDOW_COUNT-1; 0: no window */
};

/* The window that was open before; only window_close() uses the fields.  It may do so
 * on another CPU. */
struct window_state {
	uint64_t number; /* 0: none */
	uint64_t value;  /* of its directory entry */
};

/*
 * Make window number ID, 1 .. WINDOW_COUNT - 1, whose group exists.  TABLE is one page
 * of zeroes, visible in the direct map, that belongs to the window until
 * window_destroy() gives it back.  Returns 0 or -EBUSY (the number is taken; TABLE is
 * untouched).  Thread context.
 */
__must_check int window_create(struct window *window, unsigned int id,
                               void *table);

/* The highest number of group 0 that is not taken, for a window that no owner has;
 * 0: none. */
unsigned int window_spare_number(void);

/* Does GROUP exist: has each CPU that has a root a directory for it? */
bool window_has_group(unsigned int group);

/* TABLE, one page of zeroes that is visible in the direct map, becomes the directory of
 * GROUP, which does not exist yet, on one of the CPUs that have none.  Call it until
 * window_has_group().  One caller at a time. */
void window_add_group(unsigned int group, void *table);

/* The opposite: take the directory of GROUP from CPU and return it; NULL: it has none.
 * No window of GROUP will be opened there. */
void *window_remove_directory(unsigned int cpu, unsigned int group);

/* For kernel/arch/paging.c, which makes roots: as window_add_group(), on CPU. */
void window_set_directory(unsigned int cpu, unsigned int group, void *table);

/* The opposite: the window is closed everywhere and empty.  Returns TABLE. */
void *window_destroy(struct window *window);

/*
 * Map frame PFN, writable and not executable, at entry INDEX, which is empty.
 * One page-table write, no flush (invalid to valid needs none), no lock.
 * Thread or interrupt.  Returns the address.
 */
void *window_map(struct window *window, unsigned int index, unsigned long pfn);

/*
 * Empty entry INDEX and flush its address on this CPU.  That is enough: the
 * window is open on no other CPU, and closing flushed there.
 */
void window_unmap(struct window *window, unsigned int index);

/* Is entry INDEX empty: nothing mapped, nothing noted? */
bool window_is_empty(const struct window *window, unsigned int index);

/* The first entry from INDEX on that is not empty, or the next multiple of
 * WINDOW_PASSES: a loop over all entries looks at few of them, and goes on soon.  Any
 * context. */
#define WINDOW_PASSES 16U
unsigned int window_pass_empty(const struct window *window, unsigned int index);

/* The frame mapped at INDEX, or -1UL.  Reads the page table itself. */
unsigned long window_frame(const struct window *window, unsigned int index);

/*
 * Note in entry INDEX, where nothing is mapped, which frame its owner has sent away
 * from there; -1UL: none, the entry is empty.  The entry is not present, so the
 * processor does not look at the rest of it.
 */
void window_note(struct window *window, unsigned int index, unsigned long pfn);

/* The frame that is noted at INDEX, or -1UL. */
unsigned long window_noted(const struct window *window, unsigned int index);

/*
 * Open WINDOW (NULL: none) on this CPU and close what was open.  Returns what
 * window_close() needs to put the former state back.  Interrupts off.
 */
struct window_state window_open(struct window *window);
void window_close(struct window_state previous);

/* Is the window open on this CPU? */
bool window_is_open(const struct window *window);

/*
 * Which window and entry an address belongs to: the window's number, or 0 if
 * the address is in no window.
 */
unsigned int window_of_address(uintptr_t address, unsigned int *index);

#endif
