/* SPDX-License-Identifier: MIT */
/*
 * docs/play/wasm_libc.c -- the C library of the module, for tests/host/machine.c.
 *
 * Memory comes from the end of the module's linear memory, which grows and never
 * shrinks; what grows is zero.
 */
#include <stdio.h>
#include <stdlib.h>

#include "docs/play/play.h"
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/types.h"

#define WASM_PAGE   65536UL
#define CALLOC_UNIT 4096UL

/* The linker's: the first byte behind all data and the stack. */
extern char __heap_base;

static uintptr_t heap_end; /* 0: nothing was taken yet */

void *calloc(size_t count, size_t size)
{
	uintptr_t begin = heap_end == 0 ? (uintptr_t)&__heap_base : heap_end;
	size_t have = __builtin_wasm_memory_size(0) * WASM_PAGE;
	size_t more;

	begin = ALIGN_UP(begin, CALLOC_UNIT);
	heap_end = begin + count * size;
	if (heap_end <= have)
		return (void *)begin;
	more = (heap_end - have + WASM_PAGE - 1) / WASM_PAGE;
	if (__builtin_wasm_memory_grow(0, more) == (size_t)-1)
		return NULL;
	return (void *)begin;
}

void free(void *memory __unused)
{
}

void abort(void)
{
	__builtin_trap();
}

/* ---- The compiler's library ------------------------------------------------- */

/* The compiler calls it for products of 64 bits that may need 128; by halves, as on
 * paper. */
__int128 __multi3(__int128 a, __int128 b);
__int128 __multi3(__int128 a, __int128 b)
{
	const uint64_t x = (uint64_t)a;
	const uint64_t y = (uint64_t)b;
	const uint64_t low = (uint32_t)x * (uint64_t)(uint32_t)y;
	const uint64_t one = (x >> 32) * (uint32_t)y + (low >> 32);
	const uint64_t other = (uint32_t)x * (y >> 32) + (uint32_t)one;
	const uint64_t high = (x >> 32) * (y >> 32) + (one >> 32) +
	                      (other >> 32) + x * (uint64_t)(b >> 64) +
	                      (uint64_t)(a >> 64) * y;

	return (__int128)((unsigned __int128)high << 64 | other << 32 |
	                  (uint32_t)low);
}

/* ---- Last words ---------------------------------------------------------- */

static char last_words[512];

char *play_last_words(void)
{
	return last_words;
}

int fprintf(FILE *file __unused, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(last_words, sizeof(last_words), format, arguments);
	va_end(arguments);
	return length;
}
