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
#include "lib/string.h"

/* The last function at or below ADDRESS, or symbol_count. */
static uint32_t symbols_find(uint32_t address)
{
	/* All below LOW are at or below ADDRESS, all from HIGH on above. */
	uint32_t low = 0;
	uint32_t high = symbol_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (symbol_address[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : symbol_count;
}

/* Append WORD; where BUFFER's text ends then. */
static size_t symbols_append(char *buffer, size_t size, size_t at,
                             const char *word)
{
	while (*word != '\0' && at + 1 < size)
		buffer[at++] = *word++;
	return at;
}

static void symbols_expand(char *buffer, size_t size, const char *name)
{
	size_t at = 0;

	for (; *name != '\0'; name++) {
		const char letter[] = { *name, '\0' };
		uint8_t code = (uint8_t)*name;

		at = symbols_append(
			buffer, size, at,
			code < SYMBOL_WORD
				? letter
				: symbol_words +
					  symbol_word[code - SYMBOL_WORD]);
	}
	buffer[at] = '\0';
}

/* The encoded name of function NUMBER. */
static const char *symbols_encoded(uint32_t number)
{
	const char *name = symbol_names + symbol_start[number / SYMBOL_STRIDE];

	for (uint32_t rest = number % SYMBOL_STRIDE; rest > 0; rest--)
		name += strlen(name) + 1;
	return name;
}

const char *symbol_name(char *buffer, size_t size, uintptr_t address,
                        unsigned long *offset)
{
	uint32_t number = symbol_count;

	*offset = 0;
	if (image_is_text(address))
		number = symbols_find((uint32_t)address);
	if (number == symbol_count || size == 0)
		return NULL;
	*offset = (uint32_t)address - symbol_address[number];
	symbols_expand(buffer, size, symbols_encoded(number));
	return buffer;
}

bool symbol_range(const char *name, uintptr_t *start, uintptr_t *end)
{
	/* The high half of the address of all code. */
	uintptr_t base = (uintptr_t)symbol_range & ~(uintptr_t)UINT32_MAX;
	char text[SYMBOL_NAME_SIZE];

	for (uint32_t i = 0; i < symbol_count; i++) {
		symbols_expand(text, sizeof(text), symbols_encoded(i));
		if (strcmp(text, name) != 0)
			continue;
		*start = base + symbol_address[i];
		*end = i + 1 < symbol_count ? base + symbol_address[i + 1]
		                            : (uintptr_t)text_end;
		return true;
	}
	return false;
}

const char *symbol_format(char *buffer, size_t size, uintptr_t address)
{
	char text[SYMBOL_NAME_SIZE];
	unsigned long offset;
	const char *name = symbol_name(text, sizeof(text), address, &offset);

	if (name != NULL)
		scnprintf(buffer, size, "%s+0x%lx", name, offset);
	else
		scnprintf(buffer, size, "%#lx", (unsigned long)address);
	return buffer;
}
