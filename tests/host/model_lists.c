/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_lists.c -- see the header.
 */
#include "tests/host/model_lists.h"

#include "lib/string.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"

/* ---- Looking ------------------------------------------------------------- */

/* Frame 0 of the array is a multiple of 1024. */
static unsigned long frames_index(const struct zone *zone,
                                  const struct page *page)
{
	unsigned long base = zone->start_pfn / 1024 * 1024;
	unsigned long index = zone_pfn(zone, page) - base;

	kassert(index < FRAMES_MAX);
	return index;
}

static void frames_look_at_list(struct frames *frames, const struct zone *zone,
                                const struct list *list, unsigned int kind)
{
	for (const struct list *at = list->next; at != list; at = at->next) {
		const struct page *page = container_of(at, struct page, link);

		memset(&frames->kind[frames_index(zone, page)], (int)kind,
		       1UL << page->order);
	}
}

/* The oldest of a list first. */
static void frames_look_at_shelf(struct frames *frames, const struct zone *zone,
                                 const struct list *list, unsigned int number)
{
	for (const struct list *at = list->prev; at != list; at = at->prev) {
		const struct page *page = container_of(at, struct page, link);

		kassert(frames->shelved < SHELF_MAX);
		frames->shelf[frames->shelved++] = (struct shelf){
			.frame = (uint16_t)frames_index(zone, page),
			.order = page->order,
			.list = (uint8_t)(number % MIGRATE_PCPTYPES),
			.type = (uint8_t)pageblock_type(zone,
			                                zone_pfn(zone, page)),
		};
	}
}

void frames_look(struct frames *frames, const struct zone *zone)
{
	memset(frames->kind, 0, sizeof(frames->kind));
	frames->shelved = 0;
	if (zone->managed == 0)
		return;
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int type = 0; type <= MIGRATE_HIGHATOMIC; type++)
			frames_look_at_list(
				frames, zone,
				&zone->free_area[order].blocks[type],
				FRAME_OF(type));
	}
	for (unsigned int list = 0; zone->pcp[0] != NULL && list < PCP_LARGE;
	     list++)
		frames_look_at_shelf(frames, zone, &zone->pcp[0]->blocks[list],
		                     list);
}

/* ---- Blocks -------------------------------------------------------------- */

static bool frames_is_ordinary(unsigned int kind)
{
	return kind >= FRAME_OF(MIGRATE_UNMOVABLE) &&
	       kind <= FRAME_OF(MIGRATE_RECLAIMABLE);
}

/* Frames of KIND, of any ordinary kind (0).  The largest order of which there is a block. */
static int frames_search(const struct frames *frames, unsigned int kind)
{
	static bool whole[FRAMES_MAX];
	int order = -1;
	bool found = false;

	for (unsigned int i = 0; i < FRAMES_MAX; i++) {
		whole[i] = kind == 0 ? frames_is_ordinary(frames->kind[i])
		                     : frames->kind[i] == kind;
		found |= whole[i];
	}
	for (unsigned int blocks = FRAMES_MAX; found && order < MAX_ORDER;
	     blocks /= 2) {
		order++;
		found = false;
		for (unsigned int i = 0; i < blocks / 2; i++) {
			whole[i] = whole[2 * i] && whole[2 * i + 1];
			found |= whole[i];
		}
	}
	return order;
}

int frames_largest(const struct frames *frames)
{
	return frames_search(frames, 0);
}

int frames_unmixed(const struct frames *frames, enum migratetype type)
{
	int largest = frames_largest(frames);

	return largest >= 9 ? largest : frames_search(frames, FRAME_OF(type));
}

/* ---- Lists --------------------------------------------------------------- */

bool frames_have_listed(const struct frames *frames, unsigned int order,
                        enum migratetype type)
{
	for (unsigned int i = 0; i < frames->shelved; i++) {
		if (frames->shelf[i].order == order &&
		    frames->shelf[i].list == type)
			return true;
	}
	return false;
}

unsigned long frames_drain(struct frames *frames, unsigned long pages)
{
	unsigned long moved = 0;
	unsigned int blocks = 0;

	while (moved < pages && blocks < frames->shelved) {
		const struct shelf *block = &frames->shelf[blocks++];

		memset(&frames->kind[block->frame], FRAME_OF(block->type),
		       1UL << block->order);
		moved += 1UL << block->order;
	}
	frames->shelved -= blocks;
	memmove(frames->shelf, frames->shelf + blocks,
	        frames->shelved * sizeof(*frames->shelf));
	return moved;
}

void frames_open(struct frames *frames, unsigned long first,
                 unsigned long pages, enum migratetype type)
{
	kassert(first + pages <= FRAMES_MAX);
	for (unsigned long i = first; i < first + pages; i++) {
		if (frames->kind[i] == FRAME_OF(MIGRATE_HIGHATOMIC))
			frames->kind[i] = (uint8_t)FRAME_OF(type);
	}
}
