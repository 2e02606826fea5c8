/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_window.c -- questions to the table of a window.
 *
 * How a page comes into a window depends on the machine: a mapping on the host
 * (tests/host/machine_memory.c), a copy in the page of a browser
 * (docs/play/wasm_memory.c).  The table says the same in both.
 */
#include "tests/host/machine.h"

void host_check_entry(unsigned int index)
{
	if (index >= WINDOW_ENTRIES)
		panic("entry %u of a window of %d", index, WINDOW_ENTRIES);
}

/* The frame in entry INDEX, if that has BIT, or -1UL. */
static unsigned long frame_with(const struct window *window, unsigned int index,
                                uint64_t bit)
{
	host_check_window(window);
	host_check_entry(index);
	return window->table[index] & bit ? window->table[index] >> PAGE_SHIFT
	                                  : -1UL;
}

bool window_is_empty(const struct window *window, unsigned int index)
{
	host_check_window(window);
	host_check_entry(index);
	return window->table[index] == 0;
}

unsigned int window_pass_empty(const struct window *window, unsigned int index)
{
	unsigned int end = ALIGN_DOWN(index, WINDOW_PASSES) + WINDOW_PASSES;

	if (window->table == NULL)
		return WINDOW_ENTRIES;
	while (index < min(end, (unsigned int)WINDOW_ENTRIES) &&
	       window->table[index] == 0)
		index++;
	return index;
}

unsigned long window_frame(const struct window *window, unsigned int index)
{
	return frame_with(window, index, ENTRY_PRESENT);
}

void window_note(struct window *window, unsigned int index, unsigned long pfn)
{
	unsigned int id = host_check_window(window);

	host_check_entry(index);
	if (window->table[index] & ENTRY_PRESENT)
		panic("a note in entry %u of window %u, which is mapped", index,
		      id);
	window->table[index] = pfn == -1UL ? 0 : pfn << PAGE_SHIFT | ENTRY_NOTE;
}

unsigned long window_noted(const struct window *window, unsigned int index)
{
	return frame_with(window, index, ENTRY_NOTE);
}
