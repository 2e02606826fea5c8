/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_types.c -- see the header.
 */
#include "tests/host/model_types.h"

#include "lib/string.h"

/* Where a request looks when its own lists are empty. */
static const uint8_t types_other[MIGRATE_PCPTYPES][2] = {
	[MIGRATE_UNMOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE },
	[MIGRATE_MOVABLE] = { MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE },
	[MIGRATE_RECLAIMABLE] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE },
};

/* ---- Lists --------------------------------------------------------------- */

unsigned long types_model_block(const struct types_zone *zone,
                                unsigned long frame)
{
	return (zone->start + frame) / 512 - zone->start / 512;
}

static unsigned int types_type(const struct types_zone *zone,
                               unsigned long frame)
{
	return zone->type[types_model_block(zone, frame)];
}

static void types_link(struct types_zone *zone, unsigned int frame,
                       unsigned int type, bool at_back)
{
	unsigned int order = zone->head[frame] - 1U;
	uint16_t *first = &zone->first[order][type];
	uint16_t *last = &zone->last[order][type];

	zone->next[frame] = at_back ? TYPES_NONE : *first;
	zone->before[frame] = at_back ? *last : TYPES_NONE;
	if (*first == TYPES_NONE) {
		*first = (uint16_t)frame;
		*last = (uint16_t)frame;
	} else if (at_back) {
		zone->next[*last] = (uint16_t)frame;
		*last = (uint16_t)frame;
	} else {
		zone->before[*first] = (uint16_t)frame;
		*first = (uint16_t)frame;
	}
}

static void types_unlink(struct types_zone *zone, unsigned int frame)
{
	unsigned int order = zone->head[frame] - 1U;
	unsigned int type = types_type(zone, frame);
	uint16_t next = zone->next[frame];
	uint16_t before = zone->before[frame];

	if (before == TYPES_NONE)
		zone->first[order][type] = next;
	else
		zone->next[before] = next;
	if (next == TYPES_NONE)
		zone->last[order][type] = before;
	else
		zone->before[next] = before;
}

static void types_count(struct types_zone *zone, unsigned int frame,
                        unsigned int order, long change)
{
	for (unsigned long i = 0; i < 1UL << order; i++)
		zone->free[types_model_block(zone, frame + i)] +=
			(unsigned long)change;
}

static void types_insert(struct types_zone *zone, unsigned int frame,
                         unsigned int order, bool at_back)
{
	zone->head[frame] = (uint8_t)(1 + order);
	types_link(zone, frame, types_type(zone, frame), at_back);
	types_count(zone, frame, order, 1);
}

static void types_remove(struct types_zone *zone, unsigned int frame)
{
	types_unlink(zone, frame);
	types_count(zone, frame, zone->head[frame] - 1U, -1);
	zone->head[frame] = 0;
}

/* ---- Giving -------------------------------------------------------------- */

/* The frame of the free block of ORDER at PFN, or TYPES_NONE. */
static unsigned int types_free_block(const struct types_zone *zone,
                                     unsigned long pfn, unsigned int order)
{
	unsigned long frame = pfn - zone->start;

	if (pfn < zone->start || frame >= zone->frames ||
	    zone->head[frame] != 1 + order)
		return TYPES_NONE;
	return (unsigned int)frame;
}

static unsigned int types_free_buddy(const struct types_zone *zone,
                                     unsigned int frame, unsigned int order)
{
	unsigned long pfn = zone->start + frame;

	return types_free_block(zone, pfn ^ 1UL << order, order);
}

/* Has the parent of the block a free buddy?  The parent may begin before the zone. */
static bool types_is_merged_soon(const struct types_zone *zone,
                                 unsigned int frame, unsigned int order)
{
	unsigned long parent = (zone->start + frame) & ~(1UL << order);

	return order < MAX_ORDER - 1 &&
	       types_free_block(zone, parent ^ 2UL << order, order + 1) !=
	               TYPES_NONE;
}

/* May two free pageblocks of these types become one block? */
static bool types_are_mixed(unsigned int one, unsigned int other)
{
	return one == other ||
	       (one <= MIGRATE_RECLAIMABLE && other <= MIGRATE_RECLAIMABLE);
}

void types_model_give(struct types_zone *zone, unsigned int frame,
                      unsigned int order)
{
	while (order < MAX_ORDER) {
		unsigned int buddy = types_free_buddy(zone, frame, order);

		if (buddy == TYPES_NONE ||
		    (order == 9 && !types_are_mixed(types_type(zone, frame),
		                                    types_type(zone, buddy))))
			break;
		types_remove(zone, buddy);
		if (order >= 9)
			zone->type[types_model_block(zone, buddy)] =
				(uint8_t)types_type(zone, frame);
		frame = min(frame, buddy);
		order++;
	}
	types_insert(zone, frame, order,
	             types_is_merged_soon(zone, frame, order));
}

/* ---- Taking -------------------------------------------------------------- */

/* The first part, of ORDER, of the free block at FRAME. */
static unsigned int types_split(struct types_zone *zone, unsigned int frame,
                                unsigned int order)
{
	unsigned int have = zone->head[frame] - 1U;

	types_remove(zone, frame);
	while (have > order) {
		have--;
		types_insert(zone, frame + (1U << have), have, false);
	}
	return frame;
}

static unsigned int types_take_own(struct types_zone *zone, unsigned int order,
                                   unsigned int type)
{
	for (unsigned int at = order; at <= MAX_ORDER; at++) {
		if (zone->first[at][type] != TYPES_NONE)
			return types_split(zone, zone->first[at][type], order);
	}
	return TYPES_NONE;
}

/* The first block of exactly ORDER of a type that TYPE looks at; or TYPES_NONE. */
static unsigned int types_fallback(const struct types_zone *zone,
                                   unsigned int order, unsigned int type)
{
	unsigned int frame = zone->first[order][types_other[type][0]];

	return frame != TYPES_NONE ? frame
	                           : zone->first[order][types_other[type][1]];
}

/* The pageblock at FRAME becomes one of TYPE, with all its free blocks. */
static void types_retype(struct types_zone *zone, unsigned int frame,
                         unsigned int type)
{
	for (unsigned int at = frame; at < frame + 512; at++) {
		if (zone->head[at] == 0)
			continue;
		types_unlink(zone, at);
		types_link(zone, at, type, true);
	}
	zone->type[types_model_block(zone, frame)] = (uint8_t)type;
}

/* The free block at FRAME, a pageblock or two. */
static void types_retype_whole(struct types_zone *zone, unsigned int frame,
                               unsigned int type)
{
	unsigned int size = 1U << (zone->head[frame] - 1U);

	types_unlink(zone, frame);
	types_link(zone, frame, type, true);
	for (unsigned int at = frame; at < frame + size; at += 512)
		zone->type[types_model_block(zone, at)] = (uint8_t)type;
}

/* Is enough of pageblock NUMBER free, or like pages of TYPE? */
static bool types_has_majority(const struct types_zone *zone,
                               unsigned long number, unsigned int type)
{
	unsigned long pages = zone->free[number];

	if (type == MIGRATE_MOVABLE)
		pages += zone->movable[number];
	else if (zone->type[number] == MIGRATE_MOVABLE)
		pages = 512 - zone->movable[number];
	return pages >= 256;
}

/* The free block at FRAME is less than a pageblock.  True: it was claimed. */
static bool types_claim_part(struct types_zone *zone, unsigned int frame,
                             unsigned int type)
{
	unsigned long first = (zone->start + frame) / 512 * 512;

	zone->boost = min(zone->boost + 512, zone->boost_limit);
	if (first < zone->start || first + 512 > zone->start + zone->frames ||
	    !types_has_majority(zone, types_model_block(zone, frame), type))
		return false;
	types_retype(zone, (unsigned int)(first - zone->start), type);
	return true;
}

static unsigned int types_claim(struct types_zone *zone, unsigned int order,
                                unsigned int type, bool whole_only)
{
	unsigned int least = whole_only ? max(order, 9U) : order;

	for (unsigned int at = MAX_ORDER + 1; at-- > least;) {
		unsigned int frame = types_fallback(zone, at, type);

		if (frame == TYPES_NONE)
			continue;
		/* 16 movable pages are not worth a pageblock. */
		if (at < 4 && type == MIGRATE_MOVABLE)
			break;
		if (at >= 9) {
			types_retype_whole(zone, frame, type);
			return types_split(zone, frame, order);
		}
		if (types_claim_part(zone, frame, type))
			return types_take_own(zone, order, type);
	}
	return TYPES_NONE;
}

static unsigned int types_steal(struct types_zone *zone, unsigned int order,
                                unsigned int type)
{
	for (unsigned int at = order; at <= MAX_ORDER; at++) {
		unsigned int frame = types_fallback(zone, at, type);

		if (frame != TYPES_NONE)
			return types_split(zone, frame, order);
	}
	return TYPES_NONE;
}

unsigned long types_model_free(const struct types_zone *zone,
                               enum migratetype type)
{
	unsigned long pages = 0;

	for (unsigned long i = 0; i < TYPES_BLOCKS; i++) {
		if (type == MIGRATE_TYPES ? zone->type[i] != MIGRATE_ISOLATE
		                          : zone->type[i] == type)
			pages += zone->free[i];
	}
	return pages;
}

unsigned int types_model_take(struct types_zone *zone, unsigned int order,
                              enum migratetype type, unsigned int flags)
{
	bool movable = type == MIGRATE_MOVABLE;
	bool cma_first =
		movable && types_model_free(zone, MIGRATE_CMA) >
				   types_model_free(zone, MIGRATE_TYPES) / 2;
	unsigned int frame = TYPES_NONE;

	/* A refill. */
	if (flags & TAKE_OWN_TYPE)
		return cma_first ? TYPES_NONE
		                 : types_take_own(zone, order, type);
	if (flags & TAKE_HIGHATOMIC)
		frame = types_take_own(zone, order, MIGRATE_HIGHATOMIC);
	if (frame == TYPES_NONE && cma_first)
		frame = types_take_own(zone, order, MIGRATE_CMA);
	if (frame == TYPES_NONE)
		frame = types_take_own(zone, order, type);
	if (frame == TYPES_NONE && movable)
		frame = types_take_own(zone, order, MIGRATE_CMA);
	if (frame == TYPES_NONE)
		frame = types_claim(zone, order, type,
		                    flags & TAKE_NO_FRAGMENT);
	if (frame == TYPES_NONE && !(flags & TAKE_NO_FRAGMENT))
		frame = types_steal(zone, order, type);
	if (frame == TYPES_NONE && (flags & TAKE_HIGHATOMIC_LAST))
		frame = types_take_own(zone, order, MIGRATE_HIGHATOMIC);
	return frame;
}

bool types_model_has_block(const struct types_zone *zone, unsigned int order,
                           enum migratetype type)
{
	bool found = false;

	for (unsigned int at = order; !found && at <= MAX_ORDER; at++) {
		found = zone->first[at][type] != TYPES_NONE;
		if (type == MIGRATE_MOVABLE)
			found |= zone->first[at][MIGRATE_CMA] != TYPES_NONE;
		if (type != MIGRATE_MOVABLE || at >= 4)
			found |= types_fallback(zone, at, type) != TYPES_NONE;
	}
	return found;
}

/* ---- Isolation ----------------------------------------------------------- */

/* Pageblock NUMBER becomes one of TYPE.  A free block of two pageblocks is cut. */
static void types_change(struct types_zone *zone, unsigned long number,
                         unsigned int type)
{
	unsigned int frame = (unsigned int)((zone->start / 512 + number) * 512 -
	                                    zone->start);
	unsigned int half = 0;
	unsigned int whole = frame;

	if (zone->head[frame] == 0 && frame >= 512 &&
	    zone->head[frame - 512] == 1 + 10)
		whole = frame - 512;
	if (zone->head[whole] < 1 + 9) {
		types_retype(zone, frame, type);
		return;
	}
	if (zone->head[whole] == 1 + 10)
		half = 512;
	types_remove(zone, whole);
	if (half != 0)
		types_insert(zone, frame == whole ? frame + half : whole, 9,
		             false);
	zone->type[number] = (uint8_t)type;
	types_model_give(zone, frame, 9);
}

bool types_model_isolate(struct types_zone *zone, unsigned long number,
                         bool for_cma)
{
	unsigned long first = (zone->start / 512 + number) * 512;
	unsigned int type = zone->type[number];

	if (first < zone->start || first + 512 > zone->start + zone->frames ||
	    type == MIGRATE_ISOLATE)
		return false;
	if (type == MIGRATE_CMA
	            ? !for_cma
	            : zone->free[number] + zone->movable[number] < 512)
		return false;
	types_change(zone, number, MIGRATE_ISOLATE);
	return true;
}

void types_model_open(struct types_zone *zone, unsigned long number,
                      enum migratetype type)
{
	types_change(zone, number, type);
}

void types_model_init(struct types_zone *zone, unsigned long start,
                      unsigned long frames, unsigned long boost_limit)
{
	memset(zone, 0, sizeof(*zone));
	memset(zone->first, 0xff, sizeof(zone->first));
	memset(zone->last, 0xff, sizeof(zone->last));
	zone->start = start;
	zone->frames = frames;
	zone->boost_limit = boost_limit;
	for (unsigned long i = 0; i < TYPES_BLOCKS; i++)
		zone->type[i] = MIGRATE_MOVABLE;
}
