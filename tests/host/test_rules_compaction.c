/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules_compaction.c -- random zones are compacted, and each page must lie
 * where a model of the two scanners has put it.
 *
 * The model is an array with a letter for each frame and two positions in it.  It knows
 * which pageblocks give room, the 32 pages of a round, which pages stay, and the pages
 * that must stay free.  Pageblocks are of all types, isolated ones included.
 */
#include <string.h>

#include "lib/random.h"
#include "mm/contig/page_isolation.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/compaction.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(rules_compaction);

#define COMPACT_SCENES 40U
#define ROUND_PAGES    32U
#define ROUND_PASSES   10U

enum frame_kind {
	FRAME_GIVEN, /* free */
	FRAME_KEPT,  /* in use, and stays */
	FRAME_FILE,  /* a page that can move */
	FRAME_PIN,   /* one that somebody uses */
	FRAME_ROOM,  /* taken for pages to move to */
};

static struct {
	uint8_t kind[PAGES];
	uint16_t index[PAGES]; /* of the page of the file there */
	uint16_t expected[SPACE_PAGES];
	unsigned long free, keep; /* pages; the min mark */
	unsigned long migrate, room, room_next;
	bool room_begun, ends;
	unsigned long moved;
} scanned;

static struct random compact_dice;

/* ---- The model ----------------------------------------------------------- */

static bool scanned_met(void)
{
	return scanned.room / PAGEBLOCK_PAGES <=
	       scanned.migrate / PAGEBLOCK_PAGES;
}

/* A MOVABLE or CMA pageblock that is not free as a whole. */
static bool scanned_gives_room(void)
{
	unsigned long pfn = scanned.room;
	enum migratetype type = contig_scene_type(pfn / PAGEBLOCK_PAGES);

	if (type != MIGRATE_MOVABLE && type != MIGRATE_CMA)
		return false;
	while (pfn < scanned.room + PAGEBLOCK_PAGES &&
	       scanned.kind[pfn] == FRAME_GIVEN)
		pfn++;
	return pfn < scanned.room + PAGEBLOCK_PAGES;
}

/* The next free frame of the pageblock in which the scanner for room is, or PAGES. */
static unsigned long scanned_next_room(void)
{
	if (!scanned.room_begun && !scanned_gives_room())
		return PAGES;
	for (; scanned.room_next < scanned.room + PAGEBLOCK_PAGES;
	     scanned.room_next++) {
		if (scanned.kind[scanned.room_next] == FRAME_GIVEN)
			return scanned.room_next;
	}
	return PAGES;
}

/* Frames for WANTED pages, into TO; how many there are. */
static unsigned int scanned_take_room(unsigned int wanted, unsigned long *to)
{
	unsigned int got = 0;

	while (got < wanted && !scanned.ends && !scanned_met()) {
		unsigned long pfn = scanned_next_room();

		if (pfn < PAGES && scanned.free <= scanned.keep + 1) {
			scanned.ends = true;
		} else if (pfn < PAGES) {
			scanned.kind[pfn] = FRAME_ROOM;
			scanned.free--;
			scanned.room_next++;
			scanned.room_begun = true;
			to[got++] = pfn;
		} else if (scanned.room < PAGEBLOCK_PAGES) {
			break;
		} else {
			scanned.room -= PAGEBLOCK_PAGES;
			scanned.room_next = scanned.room;
			scanned.room_begun = false;
		}
	}
	return got;
}

/* Up to 32 pages of the next pageblock that has any, into FROM; how many. */
static unsigned int scanned_isolate(unsigned long *from)
{
	unsigned int count = 0;

	while (count == 0 && !scanned_met()) {
		unsigned long end = (scanned.migrate / PAGEBLOCK_PAGES + 1) *
		                    PAGEBLOCK_PAGES;

		for (; scanned.migrate < end && count < ROUND_PAGES;
		     scanned.migrate++) {
			if (scanned.kind[scanned.migrate] == FRAME_FILE ||
			    scanned.kind[scanned.migrate] == FRAME_PIN)
				from[count++] = scanned.migrate;
		}
	}
	return count;
}

/* Frames that were taken for pages to move to, in their order.  They are left over from
 * one round to the next. */
struct scanned_rooms {
	unsigned long pfn[PAGES];
	unsigned int taken, count;
};

/* One pass over the COUNT pages FROM, of a round of ISOLATED: each needs a frame, also one
 * that then stays.  Those that stay are left in FROM.  False: there is no frame. */
static bool scanned_pass(struct scanned_rooms *rooms, unsigned int isolated,
                         unsigned long *from, unsigned int *count)
{
	unsigned int stay = 0;

	for (unsigned int i = 0; i < *count; i++) {
		unsigned long to;

		if (rooms->taken == rooms->count)
			rooms->count += scanned_take_room(
				isolated, rooms->pfn + rooms->count);
		if (rooms->taken == rooms->count)
			return false;
		if (scanned.kind[from[i]] == FRAME_PIN) {
			from[stay++] = from[i];
			continue;
		}
		to = rooms->pfn[rooms->taken++];
		scanned.expected[scanned.index[from[i]]] = (uint16_t)to;
		scanned.kind[from[i]] = FRAME_GIVEN;
		scanned.kind[to] = FRAME_KEPT;
		/* Free for a request, unless it is isolated. */
		scanned.free += contig_scene_type(from[i] / PAGEBLOCK_PAGES) !=
		                MIGRATE_ISOLATE;
		scanned.moved++;
	}
	*count = stay;
	return true;
}

/* Pages that stay are tried again, and need a frame again, before the next round. */
static void scanned_run(void)
{
	static struct scanned_rooms rooms;
	unsigned long from[ROUND_PAGES];
	unsigned int count;

	rooms.taken = 0;
	rooms.count = 0;
	while (!scanned.ends && (count = scanned_isolate(from)) > 0) {
		unsigned int isolated = count;
		bool goes_on = true;

		for (unsigned int pass = 0; goes_on && pass < ROUND_PASSES;
		     pass++)
			goes_on = scanned_pass(&rooms, isolated, from, &count);
	}
}

/* ---- A scene ------------------------------------------------------------- */

static void scanned_put(unsigned long pfn)
{
	const struct page *page = contig_scene_put(&file_space, pfn);

	scanned.index[pfn] = (uint16_t)page->index;
	scanned.expected[page->index] = (uint16_t)pfn;
	if (scanned.kind[pfn] == FRAME_PIN)
		get_page(zone_page(zone, pfn));
}

static enum frame_kind scanned_roll(unsigned int files, unsigned int given)
{
	unsigned long roll = random_below(&compact_dice, 100);

	if (roll < files)
		return random_below(&compact_dice, 30) == 0 ? FRAME_PIN
		                                            : FRAME_FILE;
	return roll < files + given ? FRAME_GIVEN : FRAME_KEPT;
}

/* No page of pageblock NUMBER is free. */
static void scanned_set_type(unsigned long number, enum migratetype type)
{
	zone->blocks[number].type = (uint8_t)type;
	if (type == MIGRATE_HIGHATOMIC)
		zone->nr_reserved_highatomic += PAGEBLOCK_PAGES;
}

/* Pages that were isolated are free for requests. */
static void scanned_open(void)
{
	for (unsigned long i = 0; i < PAGES / PAGEBLOCK_PAGES; i++) {
		if (contig_scene_type(i) == MIGRATE_ISOLATE)
			undo_isolate_page_range(zone, i * PAGEBLOCK_PAGES,
			                        (i + 1) * PAGEBLOCK_PAGES,
			                        MIGRATE_MOVABLE);
	}
}

/* Each pageblock has its own mixture, and some are free as a whole. */
static void scanned_scene(void)
{
	static const enum migratetype roll[] = {
		MIGRATE_UNMOVABLE,  MIGRATE_RECLAIMABLE, MIGRATE_CMA,
		MIGRATE_HIGHATOMIC, MIGRATE_ISOLATE,
	};
	enum migratetype types[PAGES / PAGEBLOCK_PAGES];

	contig_scene_start(SPACE_PLAIN);
	memset(&scanned, 0, sizeof(scanned));
	for (unsigned long i = 0; i < PAGES / PAGEBLOCK_PAGES; i++) {
		unsigned int files =
			(unsigned int)random_below(&compact_dice, 60);
		unsigned int given =
			random_below(&compact_dice, 5) == 0
				? 100
				: (unsigned int)random_below(&compact_dice, 40);

		types[i] = random_below(&compact_dice, 2) == 0
		                   ? MIGRATE_MOVABLE
		                   : roll[random_below(&compact_dice,
		                                       ARRAY_SIZE(roll))];
		for (unsigned long at = 0; at < PAGEBLOCK_PAGES; at++)
			scanned.kind[i * PAGEBLOCK_PAGES + at] =
				(uint8_t)scanned_roll(given == 100 ? 0 : files,
			                              given);
	}
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		if (scanned.kind[pfn] == FRAME_FILE ||
		    scanned.kind[pfn] == FRAME_PIN)
			scanned_put(pfn);
	}
	for (unsigned long i = 0; i < PAGES / PAGEBLOCK_PAGES; i++)
		scanned_set_type(i, types[i]);
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		if (scanned.kind[pfn] == FRAME_GIVEN)
			contig_scene_give(pfn, pfn + 1);
	}
	scanned.free = zone->free_pages;
	scanned.keep = random_below(&compact_dice, 3) == 0
	                       ? random_below(&compact_dice, scanned.free + 1)
	                       : 0;
	machine_set_marks(zone, scanned.keep, scanned.keep, scanned.keep);
	scanned.room = PAGES - PAGEBLOCK_PAGES;
	scanned.room_next = scanned.room;
}

static void scanned_unpin(void)
{
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		if (scanned.kind[pfn] == FRAME_PIN)
			put_page(zone_page(zone, pfn));
	}
}

static const char *scanned_compare(void)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (file_space.page[i] != NULL &&
		    node_pfn(node, file_space.page[i]) != scanned.expected[i])
			return test_failure(
				"page %lu lies in frame %lu, and not in %u", i,
				node_pfn(node, file_space.page[i]),
				scanned.expected[i]);
	}
	return contig_scene_intact(&file_space) ? NULL
	                                        : "a page has other bytes";
}

CASE(rules_compaction, random_zones_end_as_a_model_of_two_scanners_says)
{
	unsigned long all = 0;

	compact_dice = (struct random){ test_seed() };
	for (unsigned int scene = 0; scene < COMPACT_SCENES; scene++) {
		const char *broken;

		scanned_scene();
		scanned_run();
		EXPECT_EQUAL(compact_node(node), scanned.moved);
		broken = scanned_compare();
		if (broken != NULL) {
			test_note("in scene %u", scene);
			return broken;
		}
		all += scanned.moved;
		scanned_unpin();
		scanned_open();
		broken = contig_scene_end();
		if (broken != NULL)
			return broken;
	}
	test_note("%lu pages moved", all);
	EXPECT(all > 1000);
	contig_scene_start_free();
	return contig_scene_end();
}
