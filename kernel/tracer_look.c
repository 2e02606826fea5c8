/* SPDX-License-Identifier: MIT */
/*
 * kernel/tracer_look.c -- what the stream says of memory besides the events.
 *
 *	struct pages --take--> runs that differ --send--> {"event":"frames", ...}
 *	                 |                        behind the records up to there
 *	          one word a frame: as it was sent
 *
 * A look goes from head to head with interrupts off, so nothing but an NMI changes
 * memory meanwhile, and notes the number of the next record.  Its lines go out when the
 * stream has come to that number: what precedes them has happened, and what follows has
 * not.  Reader and writer agree on every frame, whatever was lost before.  A look is
 * short, for interrupts wait meanwhile; many of them make a sweep over all frames.
 *
 * When all frames have been looked at, a line `sweep` says from which number on: what
 * was lost earlier has been made good.
 *
 * Neighbouring blocks that are alike at the same number are one run.
 */
#include "kernel/tracer_look.h"

#include "drivers/serial2.h"
#include "kernel/core/clock.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/page_why.h"
#include "mm/exclusive/exclusive.h"
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/slab/kvmalloc.h"
#include "mm/watermark.h"

#define LOOK_BLOCKS 8U   /* seen with interrupts off */
#define LOOK_RUNS   48U  /* that differ, until they are sent */
#define LOOKS       256U /* in a row, while there are fewer */
#define NAMES       32U  /* that are known to have been sent */

struct look_run {
	uint64_t number; /* of the record before which it was so */
	uint64_t time;   /* and when, microseconds */
	unsigned long pfn;
	unsigned long frames;
	uint64_t owner;
	uint8_t order;
	uint8_t kind; /* enum page_why */
	uint8_t type; /* enum migratetype of the pageblock */
};

struct look_zone {
	unsigned long free, pcp, mark[3], floor;
};

struct tracer_look {
	struct node *node;
	unsigned long at; /* the next frame to look at */
	uint64_t began; /* number of the record before which frame 0 was seen */
	uint64_t swept; /* that of the sweep that is complete, */
	bool complete;  /* and is to be sent */
	uint64_t number; /* and time of the last look */
	uint64_t time;
	unsigned int noted; /* blocks of this look that differ */
	struct look_run note[LOOK_BLOCKS];
	unsigned int runs, out; /* how many there are, and were sent */
	struct look_run run[LOOK_RUNS];
	struct look_zone zone[ZONE_COUNT];
	unsigned long parked;
	unsigned long count[VMSTAT_COUNT];
	uint64_t name[NAMES]; /* owners, by number */
	uint32_t sent[];      /* a frame as it was sent; 0: never */
};

/* ---- Lines --------------------------------------------------------------- */

__printf(1, 2) static void look_print(const char *format, ...)
{
	char text[256];
	va_list values;
	int length;

	va_start(values, format);
	length = vscnprintf(text, sizeof(text), format, values);
	va_end(values);
	kassert(length > 0 && (size_t)length < sizeof(text) - 1);
	serial2_write(text, (size_t)length);
}

static void look_begin_line(const struct tracer_look *look, uint64_t number,
                            const char *event)
{
	look_print("{\"seq\":%llu,\"ts_us\":%llu,\"event\":\"%s\"",
	           (unsigned long long)number, (unsigned long long)look->time,
	           event);
}

void tracer_look_send_machine(struct tracer_look *look, uint64_t number)
{
	const struct node *node = look->node;

	look->time = clock_microseconds();
	look_begin_line(look, number, "machine");
	look_print(",\"start\":%lu,\"frames\":%lu}\n", node->start_pfn,
	           node->page_count);
}

void tracer_look_send_name(struct tracer_look *look, uint64_t number,
                           uint64_t owner)
{
	char name[32];

	if (owner == 0 || look->name[owner % NAMES] == owner)
		return;
	look->name[owner % NAMES] = owner;
	scnprintf(name, sizeof(name), "%s", owner_name(owner));
	for (char *at = name; *at != '\0'; at++) {
		if (*at < ' ' || *at == '"' || *at == '\\')
			*at = '?';
	}
	look_begin_line(look, number, "owner");
	look_print(",\"owner\":%llu,\"name\":\"%s\"}\n",
	           (unsigned long long)owner, name);
}

/* ---- Frames -------------------------------------------------------------- */

/* The block or frame at FRAME as one run. */
static struct look_run look_at(struct node *node, unsigned long frame)
{
	const struct page *page = &node->pages[frame];
	const struct zone *zone = &node->zone[page->zone % ZONE_COUNT];
	unsigned long pfn = node_pfn(node, page);
	struct look_run run = { .pfn = pfn, .frames = 1 };
	const struct page *head;

	if (zone_contains(zone, pfn))
		run.type = (uint8_t)pageblock_type(zone, pfn);
	if (page->state == PAGE_NONE)
		return run;
	kassert(page->order <= MAX_ORDER && page->zone < ZONE_COUNT);
	run.order = page->order;
	run.frames = min(1UL << page->order, node->page_count - frame);
	run.kind = (uint8_t)page_why(node, pfn, &head);
	if (!page_why_is_free((enum page_why)run.kind))
		run.owner = page->taker;
	return run;
}

static uint32_t look_word(const struct look_run *run)
{
	static_assert((int)WHY_COUNT < 31, "they fit into five bits");
	return (run->kind + 1U) | (uint32_t)run->order << 5 |
	       (uint32_t)run->type << 9 | (uint32_t)run->owner << 12;
}

static bool look_are_alike(const struct look_run *run,
                           const struct look_run *other)
{
	return run->number == other->number &&
	       run->pfn + run->frames == other->pfn &&
	       run->owner == other->owner && look_word(run) == look_word(other);
}

/* RUN is to be sent, and was. */
static void look_add(struct tracer_look *look, const struct look_run *run)
{
	struct look_run *last = &look->run[look->runs];
	unsigned long frame = run->pfn - look->node->start_pfn;

	kassert(look->runs < LOOK_RUNS && run->frames > 0);
	kassert(frame + run->frames <= look->node->page_count);
	if (look->runs > 0 && look_are_alike(last - 1, run))
		last[-1].frames += run->frames;
	else
		look->run[look->runs++] = *run;
	for (unsigned long i = 0; i < run->frames; i++)
		look->sent[frame + i] = look_word(run);
}

/* Interrupts are off. */
static void look_take_frames(struct tracer_look *look)
{
	struct node *node = look->node;

	for (unsigned int i = 0; i < LOOK_BLOCKS; i++) {
		struct look_run run;

		if (look->at >= node->page_count)
			break;
		run = look_at(node, look->at);
		if (look->sent[look->at] != look_word(&run))
			look->note[look->noted++] = run;
		look->at += run.frames;
	}
}

/* The end of the block that FRAME is inside of, or FRAME: since the last look a block may
 * have been merged over it. */
static unsigned long look_from(const struct node *node, unsigned long frame)
{
	unsigned long pfn = node->start_pfn + frame;

	for (unsigned int order = 1; order <= MAX_ORDER; order++) {
		unsigned long head = pfn & ~((1UL << order) - 1);
		const struct page *page;

		if (node->pages[frame].state != PAGE_NONE ||
		    head < node->start_pfn)
			break;
		page = &node->pages[head - node->start_pfn];
		if (head != pfn && page->state != PAGE_NONE &&
		    head + (1UL << page->order) > pfn)
			return min(head + (1UL << page->order) -
			                   node->start_pfn,
			           node->page_count);
	}
	return frame;
}

static void look_begin(struct tracer_look *look)
{
	look->time = clock_microseconds();
	look->number =
		__atomic_load_n(&look->node->trace.next, __ATOMIC_ACQUIRE);
}

static void look_once(struct tracer_look *look)
{
	bool enabled = arch_irq_save();

	kassert(look->at < look->node->page_count);
	look->noted = 0;
	look_begin(look);
	if (look->at == 0)
		look->began = look->number;
	look->at = look_from(look->node, look->at);
	look_take_frames(look);
	arch_irq_restore(enabled);
	if (look->at >= look->node->page_count) {
		look->complete = true;
		look->swept = look->began;
		look->at = 0;
	}
	for (unsigned int i = 0; i < look->noted; i++) {
		look->note[i].number = look->number;
		look->note[i].time = look->time;
		look_add(look, &look->note[i]);
	}
}

void tracer_look_take(struct tracer_look *look)
{
	kassert(look->out == look->runs && !look->complete);
	look->runs = 0;
	look->out = 0;
	for (unsigned int i = 0; i < LOOKS && !look->complete; i++) {
		if (look->runs > LOOK_RUNS - LOOK_BLOCKS)
			break;
		look_once(look);
	}
	kassert(look->began <= look->number);
}

bool tracer_look_due(const struct tracer_look *look, uint64_t *number)
{
	bool more = look->out < look->runs;

	*number = more ? look->run[look->out].number : look->number;
	return more || look->complete;
}

static void look_send_run(struct tracer_look *look, uint64_t number,
                          const struct look_run *run)
{
	look->time = run->time;
	tracer_look_send_name(look, number, run->owner);
	look_begin_line(look, number, "frames");
	look_print(",\"pfn\":%lu,\"frames\":%lu,\"order\":%u,\"kind\":%u,"
	           "\"type\":%u,\"owner\":%llu}\n",
	           run->pfn, run->frames, run->order, run->kind, run->type,
	           (unsigned long long)run->owner);
}

void tracer_look_send(struct tracer_look *look, uint64_t number)
{
	if (look->out < look->runs) {
		look_send_run(look, number, &look->run[look->out++]);
		return;
	}
	kassert(look->complete);
	look->complete = false;
	look_begin_line(look, number, "sweep");
	look_print(",\"since\":%llu}\n", (unsigned long long)look->swept);
}

/* ---- Counters ------------------------------------------------------------ */

static void look_take_zone(struct look_zone *to, const struct zone *zone)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(to->mark); i++)
		to->mark[i] = wmark_pages(zone, (enum watermark)i);
	to->free = zone->free_pages;
	to->pcp = zone_pcp_pages(zone);
	to->floor = watermark_floor(to->mark[WMARK_MIN], RESERVE_ATOMIC);
}

uint64_t tracer_look_take_counters(struct tracer_look *look)
{
	struct node *node = look->node;
	bool enabled = arch_irq_save();

	look_begin(look);
	for (unsigned int i = 0; i < ZONE_COUNT; i++)
		look_take_zone(&look->zone[i], &node->zone[i]);
	look->parked = exclusive_pool_parked(&node->pool);
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++)
		look->count[i] = vmstat_read(&node->stat, (enum vmstat_event)i);
	arch_irq_restore(enabled);
	return look->number;
}

static void look_send_zone(const struct tracer_look *look, uint64_t number,
                           const struct zone *zone)
{
	const struct look_zone *seen = &look->zone[zone->type];

	kassert(seen->mark[WMARK_MIN] <= seen->mark[WMARK_LOW]);
	kassert(seen->floor <= seen->mark[WMARK_MIN]);
	look_begin_line(look, number, "zone");
	look_print(",\"zone\":%u,\"start\":%lu,\"spanned\":%lu,"
	           "\"managed\":%lu,\"free\":%lu,\"pcp\":%lu",
	           (unsigned int)zone->type, zone->start_pfn, zone->spanned,
	           zone->managed, seen->free, seen->pcp);
	look_print(",\"floor\":%lu,\"min\":%lu,\"low\":%lu,\"high\":%lu}\n",
	           seen->floor, seen->mark[WMARK_MIN], seen->mark[WMARK_LOW],
	           seen->mark[WMARK_HIGH]);
}

void tracer_look_send_counters(struct tracer_look *look, uint64_t number)
{
	const struct node *node = look->node;

	for (unsigned int i = 0; i < ZONE_COUNT; i++) {
		if (node->zone[i].managed != 0)
			look_send_zone(look, number, &node->zone[i]);
	}
	look_begin_line(look, number, "pool");
	look_print(",\"parked\":%lu,\"high\":%lu}\n", look->parked,
	           node->pool.high);
	look_begin_line(look, number, "vmstat");
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++)
		look_print(",\"%s\":%lu", vmstat_name((enum vmstat_event)i),
		           look->count[i]);
	look_print("}\n");
}

/* ---- On and off ---------------------------------------------------------- */

struct tracer_look *tracer_look_begin(struct node *node)
{
	struct tracer_look *look =
		kvzalloc(sizeof(*look) + node->page_count * sizeof(*look->sent),
	                 GFP_KERNEL);

	kassert(node->page_count > 0);
	if (look != NULL)
		look->node = node;
	return look;
}

void tracer_look_end(struct tracer_look *look)
{
	kvfree(look);
}
