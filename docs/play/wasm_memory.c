/* SPDX-License-Identifier: MIT */
/*
 * docs/play/wasm_memory.c -- frames, the direct map and windows without an MMU.
 *
 * The other half of tests/host/machine*.c for the module in the page: what
 * tests/host/machine_memory.c does with mappings is here a note in a table.  All frames
 * lie one behind the other at direct_map_base.  Hiding, showing, splitting or joining in the
 * wrong order is a panic, as on the host; touching a hidden page is not noticed.
 *
 * A page in a window has other addresses than in the direct map.  So its bytes move:
 *
 *	window_map()	frame N of the direct map  --copy-->  entry of the window
 *	window_unmap()	entry of the window        --copy-->  frame N
 *
 * The pages of an owner are hidden meanwhile, and nobody misses the first copy.
 *
 *  W1  A frame is hidden or shown, a region split or joined, only from the opposite
 *      state.
 *  W2  An entry of a window is filled only when it is empty, and emptied only when it is
 *      filled.
 *
 * Nothing is mapped with vmalloc() here, and no fault arrives.
 */
#include <stdlib.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/copy.h"
#include "kernel/arch/direct_map.h"
#include "kernel/arch/mapping.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/fault.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/host/machine.h"

static struct {
	unsigned long frames; /* without those for tables */
	unsigned long total;
	bool *hidden; /* by frame */
	void **split; /* by region: its table; NULL: one entry maps it all */
	uintptr_t window[WINDOW_GROUP]; /* addresses; 0: there was none yet */
	uint64_t *table[WINDOW_GROUP];
} memory;

uintptr_t direct_map_base;
uintptr_t vmap_base;
size_t vmap_size;

/* ---- Frames -------------------------------------------------------------- */

unsigned long host_frames(void)
{
	return memory.frames;
}

void host_memory_start(unsigned long frames)
{
	memory.frames = frames;
	memory.total = frames + MACHINE_TABLES;
	direct_map_base = (uintptr_t)calloc(memory.total, PAGE_SIZE);
	memory.hidden = calloc(memory.total, sizeof(bool));
	memory.split = calloc(memory.total / REGION_FRAMES + 1, sizeof(void *));
	memset(memory.window, 0, sizeof(memory.window));
	memset(memory.table, 0, sizeof(memory.table));
	if (direct_map_base == 0 || memory.hidden == NULL ||
	    memory.split == NULL)
		panic("the page has no memory for %lu frames", frames);
}

void host_memory_stop(void)
{
	memory.frames = 0;
	memory.total = 0;
}

static void check_frame(unsigned long pfn)
{
	if (pfn >= memory.total)
		panic("frame %#lx in a machine of %lu frames", pfn,
		      memory.total);
}

static char *bytes_of(unsigned long pfn)
{
	check_frame(pfn);
	return (char *)direct_map_base + pfn * PAGE_SIZE;
}

void *machine_physical(unsigned long pfn)
{
	return bytes_of(pfn);
}

/* ---- The direct map ------------------------------------------------------ */

static void **region_of(unsigned long pfn)
{
	check_frame(pfn);
	return &memory.split[pfn / REGION_FRAMES];
}

bool direct_map_is_split(unsigned long pfn)
{
	return *region_of(pfn) != NULL;
}

void direct_map_split(unsigned long pfn, void *table)
{
	if (direct_map_is_split(pfn))
		panic("the region of frame %#lx is split twice", pfn);
	*region_of(pfn) = table;
	memset(table, 0x5a, PAGE_SIZE);
}

void *direct_map_join(unsigned long pfn)
{
	unsigned long first = ALIGN_DOWN(pfn, REGION_FRAMES);
	void *table = *region_of(pfn);

	for (unsigned long i = first;
	     i < first + REGION_FRAMES && i < memory.total; i++) {
		if (memory.hidden[i])
			return NULL;
	}
	*region_of(pfn) = NULL;
	return table;
}

static void set_hidden(unsigned long pfn, bool hidden)
{
	check_frame(pfn);
	if (memory.hidden[pfn] == hidden)
		panic("frame %#lx is %s twice", pfn,
		      hidden ? "hidden" : "shown");
	memory.hidden[pfn] = hidden;
}

void direct_map_hide(unsigned long pfn)
{
	if (!direct_map_is_split(pfn))
		panic("frame %#lx is hidden in a region that is not split",
		      pfn);
	set_hidden(pfn, true);
}

void direct_map_show(unsigned long pfn)
{
	set_hidden(pfn, false);
}

static void set_region_hidden(unsigned long pfn, bool hidden)
{
	if (pfn % REGION_FRAMES != 0 || direct_map_is_split(pfn))
		panic("frame %#lx begins no region, or a split one", pfn);
	for (unsigned long i = 0; i < REGION_FRAMES; i++)
		set_hidden(pfn + i, hidden);
}

void direct_map_hide_region(unsigned long pfn)
{
	set_region_hidden(pfn, true);
}

void direct_map_show_region(unsigned long pfn)
{
	set_region_hidden(pfn, false);
}

bool direct_map_visible(unsigned long pfn)
{
	return pfn < memory.total && !memory.hidden[pfn];
}

void (*mapping_watch)(unsigned long pfn, enum mapping_kind kind, bool mapped);

/* ---- Windows ------------------------------------------------------------- */

static uintptr_t entry_address(unsigned int id, unsigned int index)
{
	return memory.window[id] + index * PAGE_SIZE;
}

unsigned int host_check_window(const struct window *window)
{
	if (window->id == 0 || window->id >= WINDOW_GROUP ||
	    memory.table[window->id] != window->table)
		panic("window %u does not exist", window->id);
	return window->id;
}

unsigned int window_spare_number(void)
{
	unsigned int id = WINDOW_GROUP - 1;

	while (id > 0 && memory.table[id] != NULL)
		id--;
	return id;
}

bool window_has_group(unsigned int group)
{
	return group == 0;
}

void window_add_group(unsigned int group, void *table __unused)
{
	panic("group %u of windows: the playground has one", group);
}

int window_create(struct window *window, unsigned int id, void *table)
{
	if (id == 0 || id >= WINDOW_GROUP)
		panic("window %u has no group", id);
	if (memory.table[id] != NULL)
		return -EBUSY;
	if (memory.window[id] == 0)
		memory.window[id] = (uintptr_t)calloc(1, WINDOW_SIZE);
	if (memory.window[id] == 0)
		panic("the page has no memory for window %u", id);
	memory.table[id] = table;
	*window = (struct window){
		.table = table,
		.base = entry_address(id, 0),
		.id = id,
	};
	return 0;
}

void *window_destroy(struct window *window)
{
	uint64_t *table = window->table;

	host_check_window(window);
	memory.table[window->id] = NULL;
	*window = (struct window){ 0 };
	return table;
}

void *window_map(struct window *window, unsigned int index, unsigned long pfn)
{
	host_check_window(window);
	host_check_entry(index);
	if (window->table[index] != 0)
		panic("entry %u of window %u is filled twice", index,
		      window->id);
	mapping_tell(pfn, MAPPING_WINDOW, true);
	window->table[index] = pfn << PAGE_SHIFT | ENTRY_PRESENT;
	memcpy((void *)entry_address(window->id, index), bytes_of(pfn),
	       PAGE_SIZE);
	return (void *)entry_address(window->id, index);
}

void window_unmap(struct window *window, unsigned int index)
{
	unsigned long pfn = window_frame(window, index);

	if (pfn == -1UL)
		panic("entry %u of window %u is emptied twice", index,
		      window->id);
	mapping_tell(pfn, MAPPING_WINDOW, false);
	memcpy(bytes_of(pfn), (void *)entry_address(window->id, index),
	       PAGE_SIZE);
	window->table[index] = 0;
}

/* The windows of the page are as good as open: no code of a stranger runs here. */
void host_switch_window(unsigned int id)
{
	host_cpu()->window = id;
}

struct window_state window_open(struct window *window)
{
	struct host_cpu *cpu = host_cpu();
	struct window_state before = {
		.number = ++cpu->window_depth,
		.value = cpu->window,
	};

	if (arch_irq_enabled())
		panic("a window is opened with interrupts on");
	host_switch_window(window == NULL ? 0 : window->id);
	return before;
}

void window_close(struct window_state previous)
{
	struct host_cpu *cpu = host_cpu();

	if (arch_irq_enabled() || previous.number != cpu->window_depth)
		panic("windows are closed in another order than they were "
		      "opened, or with interrupts on");
	cpu->window_depth--;
	host_switch_window((unsigned int)previous.value);
}

bool window_is_open(const struct window *window)
{
	return window->id != 0 && host_cpu()->window == window->id;
}

unsigned int window_of_address(uintptr_t address, unsigned int *index)
{
	for (unsigned int id = 1; id < WINDOW_GROUP; id++) {
		uintptr_t offset = address - memory.window[id];

		if (memory.window[id] == 0 || offset >= WINDOW_SIZE)
			continue;
		*index = (unsigned int)(offset / PAGE_SIZE);
		return id;
	}
	*index = 0;
	return 0;
}

/* ---- What never happens here --------------------------------------------- */

bool mapping_look(uintptr_t *address __unused, unsigned long *pfn __unused)
{
	return false;
}

int clear_caller(void *to, size_t size)
{
	memset(to, 0, size);
	return 0;
}

bool vmap_flush(void)
{
	return false;
}

void host_visit_vmap_tables(void (*visit)(void *table) __unused)
{
}

void fault_register_resolver(fault_resolver resolver __unused)
{
}

void host_resolve(struct fault *fault __unused)
{
}
