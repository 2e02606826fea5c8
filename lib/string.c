/* SPDX-License-Identifier: MIT */
/*
 * lib/string.c -- memory and strings without a C library.
 *
 * Memory moves eight bytes at a time while eight are left, then one at a time;
 * the processor allows unaligned accesses (Intel SDM vol. 1, 4.1.1).
 *
 * The compiler knows these names.  It may turn a loop that copies or fills into
 * a call of memcpy() or memset(), which here would be an endless recursion;
 * an option of gcc prevents that, and clang does not do it under -ffreestanding.
 */
#include "lib/string.h"

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* Eight bytes anywhere in memory, whatever type they are. */
struct word {
	uint64_t value;
} __attribute__((packed, may_alias));

#define WORD sizeof(struct word)

static void copy_word(void *to, const void *from)
{
	struct word *word = to;

	*word = *(const struct word *)from;
}

void *memcpy(void *to, const void *from, size_t size)
{
	unsigned char *at = to;
	const unsigned char *source = from;

	for (; size >= WORD; size -= WORD, at += WORD, source += WORD)
		copy_word(at, source);
	for (; size > 0; size--)
		*at++ = *source++;
	return to;
}

/* From the last byte to the first: TO lies inside the source. */
static void copy_backwards(unsigned char *to, const unsigned char *from,
                           size_t size)
{
	for (; size >= WORD; size -= WORD)
		copy_word(to + size - WORD, from + size - WORD);
	for (; size > 0; size--)
		to[size - 1] = from[size - 1];
}

void *memmove(void *to, const void *from, size_t size)
{
	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(to, from, size);
	copy_backwards(to, from, size);
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *at = to;
	const uint64_t pattern = 0x0101010101010101UL * (unsigned char)byte;

	/* Eight bytes at a time: pages are sometimes cleared with interrupts off. */
	for (; size >= 8 * WORD; size -= 8 * WORD, at += 8 * WORD) {
		struct word *word = (struct word *)at;

		word[0].value = pattern;
		word[1].value = pattern;
		word[2].value = pattern;
		word[3].value = pattern;
		word[4].value = pattern;
		word[5].value = pattern;
		word[6].value = pattern;
		word[7].value = pattern;
	}
	for (; size >= WORD; size -= WORD, at += WORD)
		((struct word *)at)->value = pattern;
	for (; size > 0; size--)
		*at++ = (unsigned char)byte;
	return to;
}

static bool same_word(const void *a, const void *b)
{
	const struct word *left = a;
	const struct word *right = b;

	return left->value == right->value;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *left = a;
	const unsigned char *right = b;

	/* The first word that differs has the first byte that does. */
	for (; size >= WORD && same_word(left, right); size -= WORD) {
		left += WORD;
		right += WORD;
	}
	for (size_t i = 0; i < size; i++) {
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0')
		length++;
	return length;
}

size_t strnlen(const char *text, size_t limit)
{
	size_t length = 0;

	while (length < limit && text[length] != '\0')
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
	for (size_t i = 0; i < limit; i++) {
		unsigned char left = (unsigned char)a[i];
		unsigned char right = (unsigned char)b[i];

		if (left != right)
			return left < right ? -1 : 1;
		if (left == '\0')
			return 0;
	}
	return 0;
}

char *strchr(const char *text, int c)
{
	for (;; text++) {
		if (*text == (char)c)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}
