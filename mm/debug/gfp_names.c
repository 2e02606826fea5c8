/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/gfp_names.c -- flags as text, and text as flags.
 *
 * The names come from the tables of mm/gfp.h, so a flag that is added
 * there needs nothing here.  All functions are pure.
 */
#include "kernel/core/panic.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/gfp.h"

#define FLAG_ROW(name, mask, status, meaning)                                  \
	{ "__GFP_" #name, (mask), #status, meaning },
#define COMPOSITE_ROW(name, mask, meaning)                                     \
	{ "GFP_" #name, (mask), "mask", meaning },
#define FLAG_INDEX(name, mask, status, meaning) FLAG_##name,
#define COMPOSITE_INDEX(name, mask, meaning)    COMPOSITE_##name,

enum flag_index {
	GFP_FLAGS(FLAG_INDEX) FLAG_COUNT
};

enum composite_index {
	GFP_COMPOSITES(COMPOSITE_INDEX) COMPOSITE_COUNT
};

enum {
	NAME_COUNT = (int)FLAG_COUNT + (int)COMPOSITE_COUNT
};

/* Flags first, then composites. */
static const struct gfp_name names[NAME_COUNT] = { GFP_FLAGS(
	FLAG_ROW) GFP_COMPOSITES(COMPOSITE_ROW) };

const struct gfp_name *gfp_name_at(unsigned int index)
{
	return index < NAME_COUNT ? &names[index] : NULL;
}

/* Append TEXT, after a | if the buffer is not empty. */
static int append_name(char *buffer, size_t size, int at, const char *text)
{
	kassert(at >= 0 && (size_t)at < size);
	return at + scnprintf(buffer + at, size - (size_t)at, "%s%s",
	                      at > 0 ? "|" : "", text);
}

/* Append the single flags of MASK. */
static void append_flags(char *buffer, size_t size, int at, gfp_t mask)
{
	kassert(at >= 0 && (size_t)at < size);
	for (unsigned int i = 0; i < FLAG_COUNT; i++) {
		if (mask & names[i].mask) {
			at = append_name(buffer, size, at, names[i].name);
			mask &= ~names[i].mask;
		}
	}
	if (mask != 0)
		at += scnprintf(buffer + at, size - (size_t)at, "%s%#x",
		                at > 0 ? "|" : "", mask);
	if (at == 0)
		scnprintf(buffer, size, "0");
}

const char *gfp_format_flags(char *buffer, size_t size, gfp_t mask)
{
	append_flags(buffer, size, 0, mask);
	return buffer;
}

/* The composite of at least two bits with the most bits that MASK contains. */
static const struct gfp_name *largest_composite(gfp_t mask)
{
	const struct gfp_name *largest = NULL;
	unsigned int bits = 1;

	for (unsigned int i = FLAG_COUNT; i < NAME_COUNT; i++) {
		unsigned int weight = bits_weight(names[i].mask);

		if ((mask & names[i].mask) == names[i].mask && weight > bits) {
			largest = &names[i];
			bits = weight;
		}
	}
	return largest;
}

const char *gfp_format(char *buffer, size_t size, gfp_t mask)
{
	const struct gfp_name *composite = largest_composite(mask);
	int at = 0;

	kassert(size > 0);
	if (composite != NULL) {
		at = append_name(buffer, size, 0, composite->name);
		mask &= ~composite->mask;
		if (mask == 0)
			return buffer;
	}
	append_flags(buffer, size, at, mask);
	return buffer;
}

/* Does WORD name NAME, with or without its __GFP_ or GFP_? */
static bool gfp_word_names(const char *word, const char *name)
{
	const char *bare = strchr(name, 'P') + 2;

	kassert(bare[-1] == '_');
	return strcmp(word, name) == 0 || strcmp(word, bare) == 0;
}

static int word_to_mask(const char *word, gfp_t *mask)
{
	uint64_t number;

	for (unsigned int i = 0; i < NAME_COUNT; i++) {
		if (gfp_word_names(word, names[i].name)) {
			*mask = names[i].mask;
			return 0;
		}
	}
	if (parse_number(word, &number) != 0 || number > UINT32_MAX)
		return -EINVAL;
	*mask = (gfp_t)number;
	return 0;
}

static bool gfp_is_separator(char c)
{
	return c == '|' || c == ' ' || c == ',' || c == '\t' || c == '&';
}

/* Copy the next word of *TEXT into WORD (cut to SIZE) and advance *TEXT; true if a ~
 * precedes it.  An empty word: the end. */
static bool gfp_next_word(const char **text, char *word, size_t size)
{
	const char *at = *text;
	bool inverted = false;
	size_t length = 0;

	kassert(size > 1);
	for (; gfp_is_separator(*at); at++)
		;
	for (; *at == '~' && !inverted; at++)
		inverted = true;
	for (; *at != '\0' && !gfp_is_separator(*at); at++) {
		if (length < size - 1)
			word[length++] = *at;
	}
	word[length] = '\0';
	*text = at;
	return inverted;
}

int gfp_parse(const char *text, gfp_t *mask, char *bad, size_t size)
{
	gfp_t take = 0;
	gfp_t leave = 0;
	gfp_t word_mask;
	char word[40];

	for (;;) {
		bool inverted = gfp_next_word(&text, word, sizeof(word));

		if (word[0] == '\0' && !inverted)
			break;
		if (word_to_mask(word, &word_mask) != 0) {
			scnprintf(bad, size, "%s", word);
			return -EINVAL;
		}
		if (inverted)
			leave |= word_mask;
		else
			take |= word_mask;
	}
	*mask = take & ~leave;
	return 0;
}

const char *zone_type_name(enum zone_type type)
{
	static const char *const name[ZONE_COUNT] = {
		[ZONE_DMA] = "DMA",
		[ZONE_DMA32] = "DMA32",
		[ZONE_NORMAL] = "Normal",
		[ZONE_MOVABLE] = "Movable",
	};

	return (unsigned int)type < ZONE_COUNT ? name[type] : "?";
}

const char *migratetype_name(enum migratetype type)
{
	static const char *const name[MIGRATE_TYPES] = {
		[MIGRATE_UNMOVABLE] = "Unmovable",
		[MIGRATE_MOVABLE] = "Movable",
		[MIGRATE_RECLAIMABLE] = "Reclaimable",
		[MIGRATE_HIGHATOMIC] = "HighAtomic",
		[MIGRATE_CMA] = "CMA",
		[MIGRATE_ISOLATE] = "Isolate",
	};

	return (unsigned int)type < MIGRATE_TYPES ? name[type] : "?";
}

const char *reserve_right_name(enum reserve_right right)
{
	switch (right) {
	case RESERVE_NONE:
		return "none";
	case RESERVE_NOWAIT:
		return "no pages below min";
	case RESERVE_HALF:
		return "half of min";
	case RESERVE_VICTIM:
		return "half of min, as a victim";
	case RESERVE_ATOMIC:
		return "half of min and a quarter of the rest";
	case RESERVE_ALL:
		return "everything";
	}
	return "?";
}
