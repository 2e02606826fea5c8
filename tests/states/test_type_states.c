/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_type_states.c -- every state of a small pool with pageblocks of two
 * types and a per-CPU list of two pages, and every call in each.
 *
 *	frame	0 1 2 3			512 513 514 515
 *		the pool's first half	its second half
 *
 * The other frames of the two pageblocks are in use all the time; or those of the second
 * one lie outside the zone.  Both begin MOVABLE.  An UNMOVABLE request claims a pageblock
 * that is wholly in the zone, and can only steal from the other kind; a MOVABLE request
 * steals from what became UNMOVABLE.
 *
 * The calls: a block of each order for each of the two types; a free of each frame by each
 * order, most of them illegal, also of pages that are on the list; and a drain of the list.
 *
 * The model is a second implementation, with arrays of frame numbers.  It has the free
 * lists, the per-CPU lists and the types, and says of each request which frame it gets.
 * After each call all lists are compared, in their order.
 *
 * States.  The key is all of the model: what is in use, what is listed, the types, and the
 * order of all lists.  So no two states count as one that differ in anything that a later
 * call depends on.
 */
#include "kernel/arch/arch.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "tests/host/libmm.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(type_states);

#define TYPES        2U /* MIGRATE_UNMOVABLE, MIGRATE_MOVABLE */
#define HALF         4U /* most frames of a half */
#define FRAMES       (2 * HALF)
#define ORDERS       3U /* 0 .. 2; order 3 is tried as well, and never there */
#define TRIED        4U
#define LIST_HIGH    2U /* pages that the per-CPU lists keep */

/* The state of a frame. */
#define FRAME_FREE   0U  /* of a free block, or the tail of a block */
#define FRAME_USED   1U  /* + order: the head of a block in use */
#define FRAME_LISTED 16U /* + order: the head of a block on a per-CPU list */

/* Frames; the first one is the list's head. */
struct frame_list {
	uint8_t length;
	uint8_t frame[FRAMES];
};

struct typed_pool {
	uint8_t frame[FRAMES];                   /* FRAME_... */
	uint8_t free[FRAMES];                    /* 1 + order of a free block */
	uint8_t type[2];                         /* of each half's pageblock */
	struct frame_list blocks[ORDERS][TYPES]; /* the zone's */
	struct frame_list listed[ORDERS][TYPES]; /* the CPU's */
	uint8_t listed_pages;
};

static struct {
	struct node *node;
	struct zone *zone;
	struct pcp_set *set;
	unsigned int half; /* frames of a half */
	bool whole;        /* the second pageblock is wholly in the zone */
	struct typed_pool model;
} t;

/* All bytes that a call may change. */
struct typed_bytes {
	struct zone zone;
	struct page page[FRAMES];
	struct pageblock block[2];
	struct pcp_set set;
	struct typed_pool model;
};

static struct typed_bytes typed_made;   /* the first state */
static struct typed_bytes typed_before; /* the state to restore */
static struct pcp_cpu typed_lists;

static unsigned long typed_pfn(unsigned int frame)
{
	return frame < t.half ? frame : PAGEBLOCK_PAGES + frame - t.half;
}

static struct page *typed_page(unsigned int frame)
{
	return zone_page(t.zone, typed_pfn(frame));
}

/* The number of the frame of PAGE; FRAMES: it is not in the pool. */
static unsigned int typed_frame(const struct page *page)
{
	for (unsigned int i = 0; i < 2 * t.half; i++) {
		if (typed_page(i) == page)
			return i;
	}
	return FRAMES;
}

/* ---- Lists of the model -------------------------------------------------- */

static void typed_put(struct frame_list *list, unsigned int frame, bool at_back)
{
	unsigned int at = at_back ? list->length : 0;

	kassert(list->length < FRAMES);
	memmove(&list->frame[at + 1], &list->frame[at], list->length - at);
	list->frame[at] = (uint8_t)frame;
	list->length++;
}

static void typed_drop(struct frame_list *list, unsigned int frame)
{
	unsigned int at = 0;

	while (at < list->length && list->frame[at] != frame)
		at++;
	kassert(at < list->length);
	list->length--;
	memmove(&list->frame[at], &list->frame[at + 1], list->length - at);
}

static enum migratetype typed_type(unsigned int frame)
{
	return (enum migratetype)t.model.type[frame / t.half];
}

/* ---- The zone of the model ----------------------------------------------- */

/* The frame of the buddy, or FRAMES: it is not of this half. */
static unsigned int typed_buddy(unsigned int frame, unsigned int order)
{
	unsigned int inside = frame % t.half ^ 1U << order;

	return inside < t.half ? frame - frame % t.half + inside : FRAMES;
}

static bool typed_is_free(unsigned int frame, unsigned int order)
{
	return frame < FRAMES && t.model.free[frame] == 1 + order;
}

static void typed_insert(unsigned int frame, unsigned int order, bool at_back)
{
	t.model.free[frame] = (uint8_t)(1 + order);
	typed_put(&t.model.blocks[order][typed_type(frame)], frame, at_back);
}

static void typed_remove(unsigned int frame, unsigned int order)
{
	t.model.free[frame] = 0;
	typed_drop(&t.model.blocks[order][typed_type(frame)], frame);
}

/* A block that is neither free nor in use becomes free, merged with its buddies.  It waits
 * at the back if its next merge is near. */
static void typed_free_block(unsigned int frame, unsigned int order)
{
	unsigned int parent;

	while (typed_is_free(typed_buddy(frame, order), order)) {
		unsigned int buddy = typed_buddy(frame, order);

		typed_remove(buddy, order);
		frame = min(frame, buddy);
		order++;
	}
	parent = min(frame, typed_buddy(frame, order));
	typed_insert(frame, order,
	             typed_is_free(typed_buddy(parent, order + 1), order + 1));
}

/* Take the first block of ORDER or more off the lists of TYPE; FRAMES: none. */
static unsigned int typed_take_of(unsigned int order, enum migratetype type)
{
	unsigned int have = order;
	unsigned int frame;

	while (have < ORDERS && t.model.blocks[have][type].length == 0)
		have++;
	if (have >= ORDERS)
		return FRAMES;
	frame = t.model.blocks[have][type].frame[0];
	typed_remove(frame, have);
	while (have > order) {
		have--;
		typed_insert(frame + (1U << have), have, false);
	}
	return frame;
}

/* All free blocks of the half of frame FIRST, which is its first one, go to the ends of the
 * lists of TYPE. */
static void typed_retype(unsigned int first, enum migratetype type)
{
	for (unsigned int frame = first; frame < first + t.half; frame++) {
		unsigned int order = t.model.free[frame] - 1U;

		if (t.model.free[frame] == 0)
			continue;
		typed_drop(&t.model.blocks[order][typed_type(frame)], frame);
		typed_put(&t.model.blocks[order][type], frame, true);
	}
	t.model.type[first / t.half] = (uint8_t)type;
}

/* Only an UNMOVABLE request claims for so little, and only what is whole. */
static unsigned int typed_claim(unsigned int order, enum migratetype type)
{
	if (type != MIGRATE_UNMOVABLE)
		return FRAMES;
	for (unsigned int at = ORDERS; at-- > order;) {
		const struct frame_list *list =
			&t.model.blocks[at][MIGRATE_MOVABLE];

		if (list->length == 0 || (list->frame[0] >= t.half && !t.whole))
			continue;
		typed_retype(list->frame[0] / t.half * t.half, type);
		return typed_take_of(order, type);
	}
	return FRAMES;
}

static unsigned int typed_take_from_zone(unsigned int order,
                                         enum migratetype type)
{
	unsigned int frame = typed_take_of(order, type);

	if (frame == FRAMES)
		frame = typed_claim(order, type);
	if (frame == FRAMES)
		frame = typed_take_of(order, type == MIGRATE_MOVABLE
		                                     ? MIGRATE_UNMOVABLE
		                                     : MIGRATE_MOVABLE);
	return frame;
}

/* ---- The per-CPU lists of the model -------------------------------------- */

static void typed_list(unsigned int frame, unsigned int order,
                       enum migratetype type)
{
	typed_put(&t.model.listed[order][type], frame, false);
	t.model.frame[frame] = (uint8_t)(FRAME_LISTED + order);
	t.model.listed_pages += (uint8_t)(1U << order);
}

/* The list's blocks become free, the oldest first, beginning with list AT. */
static void typed_drain(unsigned int at)
{
	for (unsigned int i = 0; i < ORDERS * TYPES; i++) {
		unsigned int list = (at + i) % (ORDERS * TYPES);
		unsigned int order = list / TYPES;
		struct frame_list *from = &t.model.listed[order][list % TYPES];

		while (from->length > 0) {
			unsigned int frame = from->frame[from->length - 1];

			typed_drop(from, frame);
			t.model.frame[frame] = FRAME_FREE;
			typed_free_block(frame, order);
		}
	}
	t.model.listed_pages = 0;
}

/* One page more, of the same type, for a list that has room. */
static void typed_refill(unsigned int order, enum migratetype type)
{
	unsigned int frame = FRAMES;

	if (order == 0 && t.model.listed_pages < LIST_HIGH)
		frame = typed_take_of(order, type);
	if (frame != FRAMES)
		typed_list(frame, order, type);
}

/* ---- The model's answers ------------------------------------------------- */

static unsigned int typed_model_take(unsigned int order, enum migratetype type)
{
	unsigned int frame = FRAMES;

	if (order >= ORDERS) {
		typed_drain(0);
		return FRAMES;
	}
	if (t.model.listed[order][type].length > 0) {
		frame = t.model.listed[order][type].frame[0];
		typed_drop(&t.model.listed[order][type], frame);
		t.model.listed_pages -= (uint8_t)(1U << order);
	} else {
		frame = typed_take_from_zone(order, type);
		if (frame != FRAMES) {
			typed_refill(order, type);
		} else {
			typed_drain(0);
			frame = typed_take_from_zone(order, type);
		}
	}
	if (frame != FRAMES)
		t.model.frame[frame] = (uint8_t)(FRAME_USED + order);
	return frame;
}

static void typed_model_give(unsigned int frame, unsigned int order)
{
	enum migratetype type = typed_type(frame);

	typed_list(frame, order, type);
	if (t.model.listed_pages > LIST_HIGH)
		typed_drain(order * TYPES + type);
}

/* ---- The pool ------------------------------------------------------------ */

static void typed_copy(struct typed_bytes *to)
{
	to->zone = *t.zone;
	for (unsigned int i = 0; i < 2 * t.half; i++)
		to->page[i] = *typed_page(i);
	memcpy(to->block, t.zone->blocks, sizeof(to->block));
	to->set = *t.set;
	to->model = t.model;
}

static void typed_paste(const struct typed_bytes *from)
{
	*t.zone = from->zone;
	for (unsigned int i = 0; i < 2 * t.half; i++)
		*typed_page(i) = from->page[i];
	memcpy(t.zone->blocks, from->block, sizeof(from->block));
	*t.set = from->set;
	t.model = from->model;
}

static void typed_begin(void)
{
	typed_paste(&typed_made);
}

static void typed_save(void)
{
	typed_copy(&typed_before);
}

static void typed_restore(void)
{
	typed_paste(&typed_before);
}

/* Are all bytes as they were? */
static bool typed_is_unchanged(void)
{
	static struct typed_bytes now;

	memset(&now, 0, sizeof(now));
	typed_copy(&now);
	return memcmp(&now, &typed_before, sizeof(now)) == 0;
}

static size_t typed_key_list(const struct frame_list *list, uint8_t *byte)
{
	for (unsigned int i = 0; i < list->length; i++)
		byte[i] = (uint8_t)(1 + list->frame[i]);
	return list->length;
}

static void typed_key(struct search_key *key)
{
	uint8_t *byte = key->byte;

	memcpy(byte, t.model.frame, FRAMES);
	byte += FRAMES;
	*byte++ = (uint8_t)(t.model.type[0] * TYPES + t.model.type[1]);
	for (unsigned int i = 0; i < ORDERS * TYPES; i++)
		byte += typed_key_list(&t.model.blocks[i / TYPES][i % TYPES],
		                       byte);
	for (unsigned int i = 0; i < ORDERS * TYPES; i++)
		byte += typed_key_list(&t.model.listed[i / TYPES][i % TYPES],
		                       byte);
	kassert(byte <= key->byte + KEY_SIZE);
}

/* ---- Calls --------------------------------------------------------------- */

static struct search_model typed_search;

static enum search_step typed_wrong(const char *sentence)
{
	typed_search.wrong = sentence;
	return STEP_WRONG;
}

static enum search_step typed_take(unsigned int order, enum migratetype type)
{
	gfp_t gfp = type == MIGRATE_MOVABLE ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL;
	bool listed = t.model.listed_pages > 0;
	unsigned int expected = typed_model_take(order, type);
	struct page *page = alloc_pages_node(t.node, gfp | __GFP_NOWARN, order);

	if (page == NULL && expected != FRAMES)
		return typed_wrong("a block was not found");
	if (page == NULL && !listed)
		return typed_is_unchanged()
		               ? STEP_KEPT
		               : typed_wrong("a failed request left traces");
	if (page != NULL && typed_frame(page) != expected)
		return typed_wrong("the request got another block");
	return STEP_MOVED;
}

static enum search_step typed_give(unsigned int frame, unsigned int order)
{
	bool legal = t.model.frame[frame] == FRAME_USED + order;
	unsigned long refused = vmstat_read(&t.node->stat, VMSTAT_free_refused);

	free_pages_node(t.node, typed_page(frame), order, RETURN_ADDRESS());
	if (vmstat_read(&t.node->stat, VMSTAT_free_refused) != refused + !legal)
		return typed_wrong(legal ? "a legal free was refused"
		                         : "an illegal free was not refused");
	if (!legal)
		return typed_is_unchanged()
		               ? STEP_KEPT
		               : typed_wrong("a refused free left traces");
	typed_model_give(frame, order);
	return STEP_MOVED;
}

static enum search_step typed_drain_call(void)
{
	if (t.model.listed_pages == 0)
		return STEP_ABSENT;
	pcp_drain_zone(t.zone);
	typed_drain(0);
	return STEP_MOVED;
}

/* Calls: take, by order and type; then drain; then give, by frame and order. */
static enum search_step typed_call(unsigned int call)
{
	if (call < TRIED * TYPES)
		return typed_take(call / TYPES,
		                  (enum migratetype)(call % TYPES));
	call -= TRIED * TYPES;
	if (call == 0)
		return typed_drain_call();
	call--;
	return typed_give(call / TRIED, call % TRIED);
}

static void typed_describe(unsigned int call, char *buffer, size_t size)
{
	if (call < TRIED * TYPES) {
		snprintf(buffer, size, "take order %u, %s", call / TYPES,
		         call % TYPES == MIGRATE_MOVABLE ? "MOVABLE"
		                                         : "UNMOVABLE");
		return;
	}
	call -= TRIED * TYPES;
	if (call == 0) {
		snprintf(buffer, size, "drain the list");
		return;
	}
	call--;
	snprintf(buffer, size, "free frame %lu by order %u",
	         typed_pfn(call / TRIED), call % TRIED);
}

/* ---- States -------------------------------------------------------------- */

/* Has the real list LIST the frames of MODEL, in their order? */
static bool typed_list_is(const struct list *list,
                          const struct frame_list *model)
{
	const struct list *at = list->next;

	for (unsigned int i = 0; i < model->length; i++, at = at->next) {
		if (at == list || container_of(at, struct page, link) !=
		                          typed_page(model->frame[i]))
			return false;
	}
	return at == list;
}

static const char *typed_compare_lists(void)
{
	for (unsigned int order = 0; order < ORDERS; order++) {
		for (unsigned int type = 0; type < TYPES; type++) {
			const struct list *listed =
				&t.set->blocks[order * MIGRATE_PCPTYPES + type];

			if (!typed_list_is(
				    &t.zone->free_area[order].blocks[type],
				    &t.model.blocks[order][type]))
				return "a free list is not the model's";
			if (!typed_list_is(listed,
			                   &t.model.listed[order][type]))
				return "a per-CPU list is not the model's";
		}
	}
	return NULL;
}

static const char *typed_compare_frames(void)
{
	for (unsigned int i = 0; i < 2 * t.half; i++) {
		const struct page *page = typed_page(i);
		unsigned int now = FRAME_FREE;

		if (page->state == PAGE_USED)
			now = FRAME_USED + page->order;
		else if (page->state == PAGE_PCP)
			now = FRAME_LISTED + page->order;
		if (now != t.model.frame[i])
			return "other blocks are in use than in the model";
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (t.zone->blocks[i].type != t.model.type[i])
			return "a pageblock has another type than in the model";
	}
	return NULL;
}

static const char *typed_check(void)
{
	static char sentence[200];
	const char *broken =
		zone_check(t.zone, NULL, false, sentence, sizeof(sentence));

	if (broken == NULL)
		broken = buddy_check(t.zone, false, sentence, sizeof(sentence));
	if (broken == NULL)
		broken = pageblock_check(t.zone, sentence, sizeof(sentence));
	if (broken == NULL)
		broken = pcp_check(t.zone, sentence, sizeof(sentence));
	if (broken == NULL)
		broken = typed_compare_lists();
	return broken == NULL ? typed_compare_frames() : broken;
}

static struct search_model typed_search = {
	.begin = typed_begin,
	.call = typed_call,
	.key = typed_key,
	.check = typed_check,
	.save = typed_save,
	.restore = typed_restore,
	.describe = typed_describe,
};

static struct page *typed_fetch(unsigned int order)
{
	return alloc_pages_node(t.node, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
	                        order);
}

static void typed_return(struct page *page, unsigned int order)
{
	free_pages_node(t.node, page, order, RETURN_ADDRESS());
}

/* Nothing is free but the pageblock at FIRST; use all but its first frames. */
static void typed_fill(unsigned int first)
{
	unsigned int order = (unsigned int)__builtin_ctz(t.half);
	const struct page *kept = typed_fetch(order);

	kassert(kept == typed_page(first));
	for (order = 0; order < PAGEBLOCK_ORDER; order++) {
		while (typed_fetch(order) != NULL)
			;
	}
}

/* All frames are in use but those of the pool. */
static void typed_fill_both(void)
{
	unsigned int order = (unsigned int)__builtin_ctz(t.half);
	struct page *first = typed_fetch(PAGEBLOCK_ORDER);
	struct page *second = typed_fetch(t.whole ? PAGEBLOCK_ORDER : order);

	typed_return(first, PAGEBLOCK_ORDER);
	typed_fill(0);
	if (t.whole) {
		typed_return(second, PAGEBLOCK_ORDER);
		typed_fill(t.half);
	}
	typed_return(typed_page(0), order);
	typed_return(typed_page(t.half), order);
}

static void typed_make_pool(unsigned int half, bool whole)
{
	unsigned int order = (unsigned int)__builtin_ctz(half);
	unsigned long pages =
		PAGEBLOCK_PAGES + (whole ? PAGEBLOCK_PAGES : half);

	machine_start(pages);
	memset(&t, 0, sizeof(t));
	t.half = half;
	t.whole = whole;
	t.node = machine_one_zone(ZONE_NORMAL, pages);
	t.zone = &t.node->zone[ZONE_NORMAL];
	typed_fill_both();
	pcp_start(t.node, &typed_lists, 1);
	t.set = t.zone->pcp[0];
	t.set->batch = LIST_HIGH;
	t.set->high = LIST_HIGH;
	t.set->high_min = LIST_HIGH;
	t.set->high_max = LIST_HIGH;
	t.model.type[0] = MIGRATE_MOVABLE;
	t.model.type[1] = MIGRATE_MOVABLE;
	typed_insert(0, order, false);
	typed_insert(half, order, false);
	typed_search.calls = TRIED * TYPES + 1 + 2 * half * TRIED;
	memset(&typed_made, 0, sizeof(typed_made));
	memset(&typed_before, 0, sizeof(typed_before));
	typed_copy(&typed_made);
}

/* From the first state: everything is given back. */
static void typed_end(void)
{
	typed_begin();
	pcp_stop(t.node);
	for (unsigned long pfn = 0; pfn < t.zone->spanned; pfn++) {
		struct page *page = zone_page(t.zone, pfn);

		if (page->state == PAGE_USED)
			typed_return(page, page->order);
	}
}

static const char *typed_search_pool(unsigned int half, bool whole,
                                     unsigned long states)
{
	struct search_result result;
	const char *broken;

	typed_make_pool(half, whole);
	broken = typed_check();
	if (broken == NULL)
		broken = search_all(&typed_search, 4000000, &result);
	if (broken != NULL)
		return broken;
	typed_end();
	test_note("pageblocks with %u pages each, the second %s: %lu states, "
	          "%lu calls, up to %u steps",
	          half, whole ? "whole" : "in part", result.states,
	          result.transitions, result.depth);
	EXPECT_EQUAL(result.states, states);
	return NULL;
}

CASE(type_states, every_call_in_every_state_of_two_pageblocks_with_1_page_each)
{
	const char *broken = typed_search_pool(1, false, 20);

	return broken == NULL ? typed_search_pool(1, true, 40) : broken;
}

CASE(type_states, every_call_in_every_state_of_two_pageblocks_with_2_pages_each)
{
	const char *broken = typed_search_pool(2, false, 267);

	return broken == NULL ? typed_search_pool(2, true, 534) : broken;
}

CASE(type_states, every_call_in_every_state_of_4_pages_each_one_in_part)
{
	return typed_search_pool(4, false, 38073);
}

SUITE(type_states_whole);

CASE(type_states_whole, every_call_in_every_state_of_4_pages_each)
{
	return typed_search_pool(4, true, 76082);
}
