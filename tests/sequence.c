/* SPDX-License-Identifier: MIT */
/*
 * tests/sequence.c -- runs calls of the allocator that are written as bytes.
 *
 * The model is an array that says of each frame which block it belongs to, and
 * a table that says in plain numbers what each mask may do.  A request must be
 * served by the first zone that has enough pages above its floor, with the
 * lowest part of a smallest free block, and by nothing else; a free must be
 * refused unless it names a block that is held, by its order.
 */
#include "tests/sequence.h"

#include "kernel/arch/arch.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

#define OP_ALLOC     0
#define OP_ALLOC_OFF 1
#define OP_GIVE      2
#define OP_FREE      3
#define OP_DRAIN     4
#define OP_GIVE_ALL  5
#define OP_FREE_NONE 6
#define OPS          8

#define ORDERS       (MAX_ORDER + 2) /* one too large */
#define TAIL         0xffU

/* ---- What the masks may do ----------------------------------------------- */

enum floor {
	FLOOR_MIN,
	FLOOR_HALF,   /* HIGH */
	FLOOR_ATOMIC, /* HIGH, and cannot wait */
	FLOOR_NONE,   /* MEMALLOC */
	FLOORS,
};

static const struct {
	gfp_t gfp;
	enum zone_type highest;
	enum floor first; /* above the MIN mark */
	enum floor last;
	bool sleeps; /* refused where that is impossible */
	bool refused;
} masks[] = {
	{ GFP_KERNEL | __GFP_NOWARN, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, true,
	  false },
	{ GFP_ATOMIC, ZONE_NORMAL, FLOOR_ATOMIC, FLOOR_ATOMIC, false, false },
	{ GFP_NOWAIT, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, false, false },
	{ GFP_KERNEL | __GFP_HIGH, ZONE_NORMAL, FLOOR_HALF, FLOOR_HALF, true,
	  false },
	{ GFP_ATOMIC | __GFP_DMA, ZONE_DMA, FLOOR_ATOMIC, FLOOR_ATOMIC, false,
	  false },
	{ GFP_NOWAIT | __GFP_DMA32, ZONE_DMA32, FLOOR_MIN, FLOOR_MIN, false,
	  false },
	{ GFP_ATOMIC | __GFP_MEMALLOC, ZONE_NORMAL, FLOOR_ATOMIC, FLOOR_NONE,
	  false, false },
	{ GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC, ZONE_NORMAL,
	  FLOOR_HALF, FLOOR_HALF, false, false },
	{ GFP_KERNEL | __GFP_COMP, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, true,
	  false },
	{ GFP_KERNEL | __GFP_MOVABLE | __GFP_HIGHMEM, ZONE_MOVABLE, FLOOR_MIN,
	  FLOOR_MIN, true, false },
	{ __GFP_MEMALLOC | __GFP_DMA32, ZONE_DMA32, FLOOR_MIN, FLOOR_NONE,
	  false, false },
	{ __GFP_NOWARN, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, false, false },
	/* Refused by name, whatever is free. */
	{ GFP_KERNEL | __GFP_DMA | __GFP_DMA32, ZONE_DMA, FLOOR_MIN, FLOOR_MIN,
	  true, true },
	{ GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE, ZONE_NORMAL,
	  FLOOR_MIN, FLOOR_MIN, true, true },
	{ GFP_KERNEL | __GFP_ACCOUNT, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, true,
	  true },
	{ GFP_ATOMIC | 0x200, ZONE_NORMAL, FLOOR_MIN, FLOOR_MIN, false, true },
};

/* The marks of each zone of three, the floors below MIN, and what a request of
 * a higher zone leaves in a lower one. */
#define MARK_MIN  16
#define MARK_LOW  20
#define MARK_HIGH 24

static const unsigned long floors[FLOORS] = { MARK_MIN, 8, 6, 0 };
static const unsigned long reserve[ZONE_COUNT][ZONE_COUNT] = {
	[ZONE_DMA] = { 0, 4, 8, 9 },
	[ZONE_DMA32] = { 0, 0, 5, 6 },
	[ZONE_NORMAL] = { 0, 0, 0, 3 },
};

static struct {
	struct node *node;
	bool marks;
	uint8_t block[PRIVATE_PAGES]; /* 0: free, 1 + order: head, TAIL */
	uint16_t held[PRIVATE_PAGES]; /* frame indices of heads */
	unsigned int held_count;
	unsigned int step;
	void (*tell)(unsigned int step, const char *text);
	char words[120];
} q;

/* ---- The model ----------------------------------------------------------- */

static bool sequence_range_is_free(const struct zone *zone, unsigned long pfn,
                                   unsigned long count)
{
	const uint8_t *block;

	if (!zone_contains(zone, pfn) || !zone_contains(zone, pfn + count - 1))
		return false;
	block = &q.block[pfn - q.node->start_pfn];
	for (; count >= 8; count -= 8, block += 8) {
		uint64_t eight;

		__builtin_memcpy(&eight, block, sizeof(eight));
		if (eight != 0)
			return false;
	}
	for (; count > 0; count--) {
		if (*block++ != 0)
			return false;
	}
	return true;
}

/* Is there a free block of exactly ORDER at PFN? */
static bool sequence_is_free_block(const struct zone *zone, unsigned long pfn,
                                   unsigned int order)
{
	unsigned long size = 1UL << order;

	return pfn % size == 0 && sequence_range_is_free(zone, pfn, size) &&
	       (order == MAX_ORDER ||
	        !sequence_range_is_free(zone, pfn & ~size, 2 * size));
}

/* The order of the smallest free block of ORDER or more; -1: none. */
static int sequence_smallest_free(const struct zone *zone, unsigned int order)
{
	for (; order <= MAX_ORDER; order++) {
		unsigned long size = 1UL << order;

		for (unsigned long pfn = ALIGN_UP(zone->start_pfn, size);
		     pfn < zone->start_pfn + zone->spanned; pfn += size) {
			if (q.block[pfn - q.node->start_pfn] == 0 &&
			    sequence_is_free_block(zone, pfn, order))
				return (int)order;
		}
	}
	return -1;
}

static unsigned long count_free(const struct zone *zone)
{
	unsigned long first = zone->start_pfn - q.node->start_pfn;
	unsigned long free = 0;

	for (unsigned long i = first; i < first + zone->spanned; i++)
		free += q.block[i] == 0;
	return free;
}

/* May the mask take from ZONE, leaving more than LEAVE pages? */
static bool zone_can(const struct zone *zone, unsigned int mask,
                     unsigned int order, unsigned long leave)
{
	if (q.marks)
		leave += reserve[zone->type][masks[mask].highest];
	else
		leave = 0;
	return count_free(zone) > leave + (1UL << order) - 1 &&
	       sequence_smallest_free(zone, order) >= 0;
}

static struct zone *first_zone(unsigned int mask, unsigned int order,
                               enum floor floor, unsigned long above)
{
	for (int type = masks[mask].highest; type >= ZONE_DMA; type--) {
		struct zone *zone = &q.node->zone[type];
		bool can = floor == FLOOR_NONE
		                   ? sequence_smallest_free(zone, order) >= 0
		                   : zone_can(zone, mask, order,
		                              floors[floor] + above);

		if (can)
			return zone;
	}
	return NULL;
}

/* The zone that must serve the request; NULL: it must fail. */
static struct zone *serving_zone(unsigned int mask, unsigned int order,
                                 bool can_sleep)
{
	struct zone *zone;

	if (masks[mask].refused || order > MAX_ORDER ||
	    (!can_sleep && masks[mask].sleeps))
		return NULL;
	zone = first_zone(mask, order, FLOOR_MIN, MARK_LOW - MARK_MIN);
	if (zone == NULL)
		zone = first_zone(mask, order, masks[mask].first, 0);
	if (zone == NULL)
		zone = first_zone(mask, order, masks[mask].last, 0);
	return zone;
}

static void sequence_model_take(unsigned long index, unsigned int order)
{
	memset(&q.block[index], TAIL, 1UL << order);
	q.block[index] = (uint8_t)(1 + order);
	q.held[q.held_count++] = (uint16_t)index;
}

static void model_give(unsigned long index, unsigned int order)
{
	memset(&q.block[index], 0, 1UL << order);
	for (unsigned int i = 0; i < q.held_count; i++) {
		if (q.held[i] == index)
			q.held[i] = q.held[--q.held_count];
	}
}

/* ---- Steps --------------------------------------------------------------- */

static void sequence_say(const char *format, ...) __printf(1, 2);
static void sequence_say(const char *format, ...)
{
	va_list arguments;

	if (q.tell == NULL)
		return;
	va_start(arguments, format);
	vscnprintf(q.words, sizeof(q.words), format, arguments);
	va_end(arguments);
	q.tell(q.step, q.words);
}

/* One request; *GOT says whether a block came. */
static const char *request(unsigned int mask, unsigned int order,
                           bool can_sleep, bool *got)
{
	struct zone *zone = serving_zone(mask, order, can_sleep);
	int from = zone == NULL ? -1 : sequence_smallest_free(zone, order);
	bool enabled = can_sleep || arch_irq_save();
	struct page *page = alloc_pages_node(q.node, masks[mask].gfp, order);
	unsigned long pfn;

	if (!can_sleep)
		arch_irq_restore(enabled);
	*got = page != NULL;
	if (page == NULL && zone == NULL)
		return NULL;
	if (page == NULL)
		return "NULL, though a zone could serve the request";
	if (zone == NULL)
		return "a block, though no zone could serve the request";
	pfn = node_pfn(q.node, page);
	if (page_zone(q.node, page) != zone)
		return "served by another zone than the first that can";
	if (!sequence_is_free_block(zone, pfn, (unsigned int)from))
		return "not the lowest part of a smallest free block";
	sequence_model_take(pfn - q.node->start_pfn, order);
	return NULL;
}

static const char *step_alloc(unsigned int x, unsigned int y, bool can_sleep)
{
	unsigned int mask = x % ARRAY_SIZE(masks);
	unsigned int order = y % ORDERS;
	char names[80];
	const char *wrong;
	bool got;

	sequence_say("alloc %s order %u%s",
	             gfp_format(names, sizeof(names), masks[mask].gfp), order,
	             can_sleep ? "" : ", interrupts off");
	wrong = request(mask, order, can_sleep, &got);
	if (got && wrong == NULL)
		sequence_say("  frame %u", q.held[q.held_count - 1]);
	return wrong;
}

static const char *step_drain(unsigned int x)
{
	unsigned int mask = x % ARRAY_SIZE(masks);
	unsigned int before = q.held_count;
	const char *wrong = NULL;
	char names[80];
	bool got = true;

	sequence_say("drain with %s",
	             gfp_format(names, sizeof(names), masks[mask].gfp));
	while (got && wrong == NULL)
		wrong = request(mask, 0, true, &got);
	sequence_say("  %u pages", q.held_count - before);
	return wrong;
}

static const char *sequence_give(struct page *page, unsigned int order,
                                 bool legal)
{
	unsigned long before = vmstat_read(&q.node->stat, VMSTAT_free_refused);
	unsigned long refused;

	free_pages_node(q.node, page, order, RETURN_ADDRESS());
	refused = vmstat_read(&q.node->stat, VMSTAT_free_refused) - before;
	if (legal)
		return refused == 0 ? NULL : "a legal free is refused";
	return refused == 1 ? NULL : "an illegal free is not refused";
}

/* Free frame INDEX, which is the node's, by ORDER. */
static const char *step_free(unsigned long index, unsigned int order)
{
	bool legal = order <= MAX_ORDER && q.block[index] == 1 + order;
	const char *wrong;

	sequence_say("free frame %lu by order %u%s", index, order,
	             legal ? "" : ", which must be refused");
	wrong = sequence_give(q.node->pages + index, order, legal);
	if (legal)
		model_give(index, order);
	return wrong;
}

static const char *step_give(unsigned int y)
{
	unsigned int index;

	if (q.held_count == 0)
		return NULL;
	index = q.held[y % q.held_count];
	return step_free(index, q.block[index] - 1U);
}

static const char *sequence_give_all(void)
{
	const char *wrong = NULL;

	while (q.held_count > 0 && wrong == NULL)
		wrong = step_give(q.held_count - 1);
	return wrong;
}

/* A pointer that is not a struct page of the node. */
static const char *step_free_none(unsigned int x, unsigned int y)
{
	struct page *page = NULL;

	if (y % 4 == 1)
		page = q.node->pages + q.node->page_count;
	else if (y % 4 == 2)
		page = q.node->pages - 1;
	else if (y % 4 == 3)
		page = (struct page *)((uintptr_t)q.node->pages + 8);
	sequence_say("free what is no page (%u), which must be refused", y % 4);
	return sequence_give(page, x % ORDERS, false);
}

static const char *do_step(unsigned int op, unsigned int x, unsigned int y)
{
	switch (op) {
	case OP_ALLOC:
	case OP_ALLOC_OFF:
		return step_alloc(x, y, op == OP_ALLOC);
	case OP_GIVE:
		return step_give(y);
	case OP_FREE:
		return step_free(y % q.node->page_count, x % ORDERS);
	case OP_DRAIN:
		return step_drain(x);
	case OP_GIVE_ALL:
		return sequence_give_all();
	case OP_FREE_NONE:
		return step_free_none(x, y);
	default:
		return NULL;
	}
}

/* ---- After each step ----------------------------------------------------- */

static const char *compare_page(const struct page *page, unsigned int block)
{
	if (block == 0)
		return page_head(q.node, page)->state == PAGE_FREE
		               ? NULL
		               : "a free page is not free";
	if (block == TAIL)
		return page->state == PAGE_NONE &&
		                       page_head(q.node, page)->state ==
		                               PAGE_USED
		               ? NULL
		               : "the inside of a block has changed";
	return page->state == PAGE_USED && page->order == block - 1 &&
	                       page->refcount == 1
	               ? NULL
	               : "the head of a block has changed";
}

static const char *compare_pages(void)
{
	for (unsigned long i = 0; i < q.node->page_count; i++) {
		const char *wrong = compare_page(&q.node->pages[i], q.block[i]);

		if (wrong != NULL)
			return test_failure("frame %lu: %s", i, wrong);
	}
	return private_check(q.node);
}

/* Whatever a step did, the free pages must be those that the model has. */
static const char *run_step(const uint8_t *step)
{
	const char *wrong = do_step(step[0] % OPS, step[0] / OPS, step[1]);

	return wrong != NULL ? wrong : compare_pages();
}

/* ---- The node ------------------------------------------------------------ */

static void sequence_make_node(unsigned int pages)
{
	static const unsigned long three[ZONE_COUNT] = { 64, 64, 128, 0 };

	memset(q.block, 0, sizeof(q.block));
	q.held_count = 0;
	q.marks = pages == 0 || pages > 64;
	if (!q.marks) {
		q.node = private_zone(0, pages)->node;
		return;
	}
	q.node = private_node_full(1000, three);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &q.node->zone[type];

		zone->watermark[WMARK_MIN] = MARK_MIN;
		zone->watermark[WMARK_LOW] = MARK_LOW;
		zone->watermark[WMARK_HIGH] = MARK_HIGH;
		memcpy(zone->lowmem_reserve, reserve[type],
		       sizeof(reserve[type]));
	}
}

/* Give everything back: the node is whole again. */
static const char *sequence_finish(void)
{
	const char *wrong = sequence_give_all();

	if (wrong == NULL)
		wrong = compare_pages();
	if (wrong == NULL && node_free(q.node) != node_managed(q.node))
		wrong = "pages are missing at the end";
	return wrong;
}

void sequence_run(const uint8_t *data, size_t size,
                  void (*tell)(unsigned int step, const char *text),
                  struct sequence_result *result)
{
	size_t steps = size == 0 ? 0 : (size - 1) / SEQUENCE_STEP;

	*result = (struct sequence_result){ 0 };
	q.tell = tell;
	sequence_make_node(size == 0 ? 0 : data[0]);
	steps = min(steps, (size_t)SEQUENCE_MAX_STEPS);
	for (size_t i = 0; i < steps && result->wrong == NULL; i++) {
		q.step = result->steps++;
		result->wrong = run_step(data + 1 + i * SEQUENCE_STEP);
	}
	if (result->wrong != NULL)
		return;
	q.step = result->steps;
	result->wrong = sequence_finish();
}

void sequence_verdict(const struct sequence_result *result, char *buffer,
                      size_t size)
{
	if (result->wrong == NULL)
		scnprintf(buffer, size, "%u steps hold", result->steps);
	else
		scnprintf(buffer, size, "step %u: %s", q.step, result->wrong);
}

/* ---- Writing ------------------------------------------------------------- */

void sequence_alloc(uint8_t step[SEQUENCE_STEP], unsigned int order)
{
	step[0] = OP_ALLOC;
	step[1] = (uint8_t)order;
}

void sequence_free(uint8_t step[SEQUENCE_STEP], unsigned int frame,
                   unsigned int order)
{
	step[0] = (uint8_t)(OP_FREE + OPS * order);
	step[1] = (uint8_t)frame;
}
