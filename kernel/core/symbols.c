/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/symbols.c -- a binary search in the table of functions.
 *
 * A function is taken to reach to the beginning of the next; the last one to
 * the end of the code.  All of it lies in the last 2 GiB, so 32 bits of an
 * address are enough to compare.
 */
#include "kernel/core/symbols.h"

#include "kernel/arch/image.h"
#include "lib/format.h"

/* The last entry at or below ADDRESS, or NULL. */
static const struct symbol_entry *symbols_find(uint32_t address)
{
	/* All below LOW are at or below ADDRESS, all from HIGH on above. */
	uint32_t low = 0;
	uint32_t high = symbol_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_table[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &symbol_table[low - 1] : NULL;
}

const char *symbol_name(uintptr_t address, unsigned long *offset)
{
	const struct symbol_entry *entry = NULL;

	*offset = 0;
	if (image_is_text(address))
		entry = symbols_find((uint32_t)address);
	if (entry == NULL)
		return NULL;
	*offset = (uint32_t)address - entry->address;
	return symbol_names + entry->name;
}

const char *symbol_format(char *buffer, size_t size, uintptr_t address)
{
	unsigned long offset;
	const char *name = symbol_name(address, &offset);

	if (name != NULL)
		scnprintf(buffer, size, "%s+0x%lx", name, offset);
	else
		scnprintf(buffer, size, "%#lx", (unsigned long)address);
	return buffer;
}
