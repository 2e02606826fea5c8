/* SPDX-License-Identifier: MIT */
/*
 * docs/play/play_state.c -- the machine as text, for the page to draw.
 *
 * Frames are written as blocks: from head to head, two characters for each, the use and
 * the order ('0' .. '9', then ':').  The letters are those of the kernel's map
 * (kernel/demo/map.c).  A frame that no block has is one of order 0 that is reserved.
 */
#include "docs/play/play.h"
#include "kernel/sysctl.h"
#include "lib/format.h"
#include "mm/debug/page_why.h"
#include "mm/exclusive/exclusive.h"
#include "mm/pageblock.h"
#include "mm/pcp_hot.h"
#include "mm/reclaim/lru.h"
#include "mm/watermark.h"
#include "tests/host/libmm.h"

/* ---- Frames -------------------------------------------------------------- */

static const char use_letter[WHY_COUNT] = {
	[WHY_RESERVED] = '-',    [WHY_FREE] = '.',       [WHY_ISOLATED] = '.',
	[WHY_LISTED] = ':',      [WHY_IN_FLIGHT] = ':',  [WHY_BAD] = '!',
	[WHY_PARKED] = 'p',      [WHY_OWNED] = 'X',      [WHY_HANDOVER] = '>',
	[WHY_SATURATED] = 'u',   [WHY_GUARD] = 'u',      [WHY_SLAB] = 's',
	[WHY_LARGE] = 's',       [WHY_TABLE] = 't',      [WHY_RESERVE] = 'u',
	[WHY_UNEVICTABLE] = 'a', [WHY_WRITEBACK] = 'f',  [WHY_ANON] = 'a',
	[WHY_ANON_SAVED] = 'a',  [WHY_FILE_DIRTY] = 'f', [WHY_FILE_CLEAN] = 'f',
	[WHY_MAPPED] = 'v',      [WHY_PLAIN] = 'u',
};

static void tell_frames(struct node *node)
{
	unsigned long end = node->start_pfn + node->page_count;
	unsigned long pfn = node->start_pfn;

	play_begin_string("frames");
	while (pfn < end) {
		const struct page *head;
		enum page_why why = page_why(node, pfn, &head);
		unsigned int order = why == WHY_RESERVED ? 0 : head->order;

		play_character(use_letter[why]);
		play_character((char)('0' + order));
		pfn += 1UL << order;
	}
	play_end_string();
}

/* ---- Zones --------------------------------------------------------------- */

static void tell_lists_of(const struct free_area *area)
{
	play_open(NULL, '[');
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
		play_number(NULL, area->of_type[type]);
	play_close(']');
}

static void tell_pageblocks(const struct zone *zone)
{
	static const char letter[MIGRATE_TYPES] = {
		'U', 'M', 'R', 'H', 'C', 'I'
	};

	play_begin_string("pageblocks");
	for (unsigned long i = 0; i < pageblock_count(zone); i++)
		play_character(letter[zone->blocks[i].type]);
	play_end_string();
}

static void tell_cpu_lists(const struct zone *zone)
{
	struct pcp_set *set = zone->pcp[arch_cpu_id()];

	if (set == NULL)
		return;
	play_open("pcp", '{');
	play_number("count", set->count);
	play_number("high", set->high);
	play_number("batch", set->batch);
	play_number("high_min", set->high_min);
	play_number("high_max", set->high_max);
	play_open("lists", '[');
	for (unsigned int row = 0; row < PCP_ROWS; row++) {
		play_open(NULL, '[');
		for (unsigned int type = 0; type < MIGRATE_PCPTYPES; type++)
			play_number(NULL,
			            list_length(pcp_list(
					    set, row, (enum migratetype)type)));
		play_close(']');
	}
	play_close(']');
	play_close('}');
}

static void tell_marks(const struct zone *zone)
{
	unsigned long min_mark = wmark_pages(zone, WMARK_MIN);

	play_number("min", min_mark);
	play_number("low", wmark_pages(zone, WMARK_LOW));
	play_number("high", wmark_pages(zone, WMARK_HIGH));
	play_number("boost", zone->watermark_boost);
	play_number("half", watermark_floor(min_mark, RESERVE_HALF));
	play_number("atomic", watermark_floor(min_mark, RESERVE_ATOMIC));
	play_open("lowmem_reserve", '[');
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		play_number(NULL, zone->lowmem_reserve[type]);
	play_close(']');
}

static void tell_zone(const struct zone *zone)
{
	play_open(NULL, '{');
	play_string("name", zone->name);
	play_number("start", zone->start_pfn);
	play_number("pages", zone->spanned);
	play_number("managed", zone->managed);
	play_number("free", zone->free_pages);
	play_number("used", zone_used_pages(zone));
	play_number("on_lists", zone_pcp_pages(zone));
	play_number("highatomic", zone->nr_reserved_highatomic);
	tell_marks(zone);
	play_open("free_area", '[');
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		tell_lists_of(&zone->free_area[order]);
	play_close(']');
	tell_cpu_lists(zone);
	tell_pageblocks(zone);
	play_open("lru", '[');
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		play_number(NULL, zone->lru.count[list]);
	play_close(']');
	play_close('}');
}

/* ---- The node ------------------------------------------------------------ */

static void tell_knobs(const struct node *node)
{
	const struct sysctl *knob;

	play_open("knobs", '[');
	for (unsigned int i = 0; (knob = sysctl_at(i)) != NULL; i++) {
		char values[100] = "";
		size_t length = 0;

		for (unsigned int at = 0; at < knob->count; at++)
			length += (size_t)scnprintf(
				values + length, sizeof(values) - length,
				"%s%lld", at == 0 ? "" : " ",
				(long long)knob->get(node, at));
		play_open(NULL, '[');
		play_string(NULL, knob->name);
		play_string(NULL, values);
		play_signed(NULL, (long)knob->low);
		play_signed(NULL, (long)knob->high);
		play_close(']');
	}
	play_close(']');
}

void play_state(void)
{
	struct node *node = play_node();
	struct exclusive_counts counts;
	char why[200];
	struct page_columns columns;
	const char *broken =
		node_check(node, &columns, false, why, sizeof(why));

	exclusive_counts(node, &counts);
	play_string("check", broken == NULL ? "" : broken);
	play_number("pages", node->page_count);
	play_number("parked", counts.parked);
	play_bool("grouped", !node->no_mobility);
	play_open("zones", '[');
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].managed > 0)
			tell_zone(&node->zone[type]);
	}
	play_close(']');
	tell_frames(node);
	tell_knobs(node);
	play_state_programs();
}
