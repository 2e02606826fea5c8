/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_block_states.c -- every state of a pool with one or two pageblocks that
 * are hidden as a whole, shown, or broken up, in steps of half a pageblock.
 *
 * The zone has the fewest pages with which whole pageblocks are parked
 * (mm/exclusive/exclusive_block.c), but all of it is in use for good except two of them.
 * The calls: the refiller balances the pool, or shrinks it to nothing, to a half or to a
 * whole pageblock; a thread takes 256 exclusive pages, and releases the 256 that it took
 * last, or first; another one takes a whole free pageblock, and frees it.  The key is, for
 * each pageblock, how its region is mapped and how many frames are parked, at hand, and
 * owned; the order of the lists and of the owned pages, as the pageblocks that the frames
 * are in; and the regions that are split, in order.  Frames of one pageblock cannot be
 * told apart.
 *
 *  P1  A pageblock that is hidden whole is not split; all its frames are owned, parked or
 *      at hand, and none is visible.
 *  P2  A region is split if an exclusive frame of it is a single one.  One region at most
 *      is split without.
 *  P3  Only a shrink splits, and only if no frame could go otherwise: it ends at its
 *      target, or where no pageblock is full, no single frame is parked, and no
 *      hidden one can be broken up.
 *  P4  The refiller hides a pageblock whenever less than 256 frames are parked and one is
 *      free, and joins its region first if that is split.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/pageblock.h"
#include "tests/host/libmm.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(block_states);

#define BLOCKS     2U
#define HALF       256U
#define ZONE_PAGES EXCLUSIVE_BLOCK_ZONE
#define MOST_OWNED 512U

static struct {
	unsigned long tables;
	unsigned int free_blocks; /* at the beginning */

	struct node *node;
	struct zone *zone;
	struct thread thread;
	unsigned long first; /* of the two pageblocks */
	void *owned[MOST_OWNED];
	struct page *owned_page[MOST_OWNED]; /* the oldest first */
	unsigned int owned_count;
	struct page *plain;
} b;

static struct search_model block_model;

/* ---- The scene ----------------------------------------------------------- */

static struct page *test_block_states_take(unsigned int order)
{
	return alloc_pages_node(b.node, GFP_ATOMIC | __GFP_NOWARN, order);
}

static void test_block_states_begin(void)
{
	unsigned long tables = b.tables;
	unsigned int free_blocks = b.free_blocks;
	struct page *both;

	memset(&b, 0, sizeof(b));
	b.tables = tables;
	b.free_blocks = free_blocks;
	machine_start(ZONE_PAGES);
	b.node = machine_one_zone(ZONE_NORMAL, ZONE_PAGES);
	b.zone = &b.node->zone[ZONE_NORMAL];
	machine_start_exclusive(b.node, tables);
	/* Single frames come from pageblocks that were broken up, and no others. */
	b.node->pool.low = 0;
	b.node->pool.high = 0;
	machine_begin_thread(&b.thread, "A");
	both = test_block_states_take(PAGEBLOCK_ORDER + 1);
	for (unsigned int order = MAX_ORDER + 1; order > 0; order--) {
		while (test_block_states_take(order - 1) != NULL)
			;
	}
	b.first = node_pfn(b.node, both);
	free_pages_node(b.node, both, PAGEBLOCK_ORDER + 1, RETURN_ADDRESS());
	if (free_blocks < BLOCKS)
		kassert(test_block_states_take(PAGEBLOCK_ORDER) != NULL);
}

/* ---- What there is ------------------------------------------------------- */

struct block_counts {
	uint16_t free;
	uint16_t parked;
	uint16_t stacked;
	uint16_t owned;
	uint16_t visible;
};

static unsigned long test_block_states_pfn(unsigned int block)
{
	return b.first + block * PAGEBLOCK_PAGES;
}

static struct block_counts count_block(unsigned int block)
{
	struct block_counts counts = { 0 };

	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++) {
		unsigned long pfn = test_block_states_pfn(block) + i;
		const struct page *page = node_page(b.node, pfn);

		counts.visible += direct_map_visible(pfn);
		if (page_head(b.node, page)->state == PAGE_FREE)
			counts.free++;
		else if (page->state == PAGE_OWNED)
			counts.owned++;
		else if (page->state == PAGE_PARKED && page->private == 0)
			counts.parked++;
		else if (page->state == PAGE_PARKED)
			counts.stacked++;
	}
	return counts;
}

static bool test_block_states_hidden(unsigned int block)
{
	return pageblock_of(b.zone, test_block_states_pfn(block))->hidden > 0;
}

static uint8_t block_of_page(const struct page *page)
{
	return node_pfn(b.node, page) >= test_block_states_pfn(1);
}

static void hash_byte(uint32_t *hash, uint8_t byte)
{
	*hash = (*hash ^ byte) * 16777619U;
}

static void hash_pages(uint32_t *hash, const struct list *list)
{
	struct list *at;

	list_for_each(at, list)
		hash_byte(hash,
		          block_of_page(container_of(at, struct page, link)));
	hash_byte(hash, 2);
}

/* The order of everything in which an order counts. */
static uint32_t hash_orders(void)
{
	const struct exclusive_pool *pool = &b.node->pool;
	uint32_t hash = 2166136261U;

	hash_pages(&hash, &pool->parked);
	hash_pages(&hash, &pool->whole);
	for (unsigned int i = 0; i < pool->stack[0].count; i++)
		hash_byte(&hash, block_of_page(pool->stack[0].frame[i]));
	hash_byte(&hash, 2);
	for (unsigned int i = 0; i < b.owned_count; i++)
		hash_byte(&hash, block_of_page(b.owned_page[i]));
	for (unsigned int i = 0; i < pool->regions; i++)
		hash_byte(&hash, (uint8_t)(pool->region[i] ==
		                           b.first / REGION_FRAMES));
	return hash;
}

static void test_block_states_key(struct search_key *key)
{
	uint32_t hash = hash_orders();

	memset(key, 0, sizeof(*key));
	for (unsigned int i = 0; i < BLOCKS; i++) {
		struct block_counts counts = count_block(i);
		unsigned long pfn = test_block_states_pfn(i);
		uint8_t *at = key->byte + 9 * i;

		at[0] = (uint8_t)(test_block_states_hidden(i) |
		                  direct_map_is_split(pfn) << 1);
		memcpy(at + 1, &counts, 4 * sizeof(uint16_t));
	}
	memcpy(key->byte + 9 * BLOCKS, &hash, sizeof(hash));
	key->byte[KEY_SIZE - 1] =
		b.plain == NULL ? 0 : 1 + block_of_page(b.plain);
}

/* ---- What must be true --------------------------------------------------- */

static unsigned int split_regions(void)
{
	return b.node->pool.regions - b.node->pool.boot_regions;
}

static const char *check_hidden_blocks(void)
{
	unsigned int split = 0;
	unsigned int empty = 0;
	unsigned int hidden = 0;

	for (unsigned int i = 0; i < BLOCKS; i++) {
		struct block_counts counts = count_block(i);
		bool is_split = direct_map_is_split(test_block_states_pfn(i));
		unsigned int exclusive =
			counts.parked + counts.stacked + counts.owned;

		split += is_split;
		hidden += test_block_states_hidden(i);
		if (test_block_states_hidden(i) &&
		    (is_split || exclusive != PAGEBLOCK_PAGES))
			return "P1: a hidden pageblock is not hidden whole";
		if (counts.visible != PAGEBLOCK_PAGES - exclusive)
			return "P1: frames are visible, or are not";
		if (test_block_states_hidden(i))
			continue;
		if (exclusive > 0 && !is_split)
			return "P2: a region with a single frame is whole";
		empty += is_split && exclusive == 0;
	}
	if (empty > 1)
		return "P2: two regions are split for nothing";
	if (split != split_regions() ||
	    b.node->pool.tables_left + split != b.tables)
		return "P2: tables and split regions do not add up";
	return hidden == b.node->pool.blocks ? NULL : "P1: a wrong count";
}

static const char *test_block_states_check(void)
{
	static char sentence[200];
	const char *broken =
		node_check(b.node, NULL, false, sentence, sizeof(sentence));

	return broken == NULL ? check_hidden_blocks() : broken;
}

/* ---- Calls --------------------------------------------------------------- */

static enum search_step test_block_states_wrong(const char *sentence)
{
	block_model.wrong = sentence;
	return STEP_WRONG;
}

static bool has_free_block(void)
{
	return count_block(0).free == PAGEBLOCK_PAGES ||
	       count_block(1).free == PAGEBLOCK_PAGES;
}

static enum search_step test_block_states_balance(void)
{
	unsigned int split = split_regions();

	exclusive_balance(b.node);
	if (exclusive_pool_parked(&b.node->pool) < HALF && has_free_block())
		return test_block_states_wrong("P4: none was hidden");
	return split_regions() > split
	               ? test_block_states_wrong("P3: the refiller splits")
	               : STEP_MOVED;
}

/* Could a shrink go on?  A full pageblock, a single frame, or one that can be broken. */
static bool can_give(unsigned long target)
{
	const struct exclusive_pool *pool = &b.node->pool;

	if (pool->full > 0 && pool->count >= target + PAGEBLOCK_PAGES)
		return true;
	return pool->count > pool->in_whole ||
	       (pool->in_whole > 0 && pool->tables_left > 0);
}

static enum search_step test_block_states_shrink(unsigned long target)
{
	unsigned long before = exclusive_pool_parked(&b.node->pool);
	unsigned int split = split_regions();
	unsigned long given = exclusive_shrink(b.node, target);
	unsigned long now = exclusive_pool_parked(&b.node->pool);

	if (now != before - given || now < min(before, target))
		return test_block_states_wrong("P3: too many came back");
	if (now > target && can_give(target))
		return test_block_states_wrong("P3: more could come back");
	if (split_regions() > split && before <= target)
		return test_block_states_wrong("P3: a split for nothing");
	return STEP_MOVED;
}

static enum search_step test_block_states_take_half(void)
{
	unsigned int split = split_regions();
	unsigned int got = 0;

	if (b.owned_count + HALF > MOST_OWNED)
		return STEP_ABSENT;
	machine_switch_to(&b.thread);
	while (got < HALF && exclusive_pool_parked(&b.node->pool) > 0) {
		void *address =
			labyrinth_void_alloc_page_gfp_atomic_exclusive();

		if (address == NULL)
			break;
		b.owned[b.owned_count] = address;
		b.owned_page[b.owned_count++] = exclusive_page(address);
		got++;
	}
	machine_switch_to(machine_main());
	if (got < HALF && exclusive_pool_parked(&b.node->pool) > 0)
		return test_block_states_wrong("NULL while frames are parked");
	return split_regions() == split
	               ? STEP_MOVED
	               : test_block_states_wrong("P3: a take splits");
}

static enum search_step test_block_states_release(bool newest)
{
	unsigned int count = min(b.owned_count, HALF);
	unsigned int from = newest ? b.owned_count - count : 0;
	bool ok = true;

	if (count == 0)
		return STEP_ABSENT;
	machine_switch_to(&b.thread);
	for (unsigned int i = from; i < from + count; i++)
		ok = exclusive_release(b.owned[i]) == 0 && ok;
	machine_switch_to(machine_main());
	b.owned_count -= count;
	memmove(b.owned + from, b.owned + from + count,
	        (b.owned_count - from) * sizeof(b.owned[0]));
	memmove(b.owned_page + from, b.owned_page + from + count,
	        (b.owned_count - from) * sizeof(b.owned_page[0]));
	return ok ? STEP_MOVED
	          : test_block_states_wrong("a page is not released");
}

static enum search_step test_block_states_plain(void)
{
	if (b.plain != NULL) {
		free_pages_node(b.node, b.plain, PAGEBLOCK_ORDER,
		                RETURN_ADDRESS());
		b.plain = NULL;
		return STEP_MOVED;
	}
	b.plain = test_block_states_take(PAGEBLOCK_ORDER);
	return (b.plain != NULL) || !has_free_block()
	               ? STEP_MOVED
	               : test_block_states_wrong("a free pageblock is refused");
}

enum {
	CALL_BALANCE,
	CALL_SHRINK,
	CALL_SHRINK_HALF,
	CALL_SHRINK_WHOLE,
	CALL_TAKE,
	CALL_RELEASE_NEWEST,
	CALL_RELEASE_OLDEST,
	CALL_PLAIN,
	BLOCK_CALLS,
};

static enum search_step test_block_states_do(unsigned int call)
{
	switch (call) {
	case CALL_BALANCE:
		return test_block_states_balance();
	case CALL_SHRINK:
	case CALL_SHRINK_HALF:
	case CALL_SHRINK_WHOLE:
		return test_block_states_shrink((call - CALL_SHRINK) * HALF);
	case CALL_TAKE:
		return test_block_states_take_half();
	case CALL_RELEASE_NEWEST:
	case CALL_RELEASE_OLDEST:
		return test_block_states_release(call == CALL_RELEASE_NEWEST);
	default:
		return test_block_states_plain();
	}
}

/* A call after which everything is as before is checked here. */
static enum search_step test_block_states_call(unsigned int call)
{
	struct search_key before;
	struct search_key after;
	enum search_step step;
	const char *broken;

	test_block_states_key(&before);
	step = test_block_states_do(call);
	if (step != STEP_MOVED)
		return step;
	test_block_states_key(&after);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		return STEP_MOVED;
	broken = test_block_states_check();
	return broken == NULL ? STEP_KEPT : test_block_states_wrong(broken);
}

static void test_block_states_save(void)
{
}

static void test_block_states_describe(unsigned int call, char *buffer,
                                       size_t size)
{
	static const char *const words[BLOCK_CALLS] = {
		"balance",
		"shrink to 0",
		"shrink to 256",
		"shrink to 512",
		"A takes 256",
		"A releases the newest 256",
		"A releases the oldest 256",
		"a plain pageblock is taken, or freed",
	};

	scnprintf(buffer, size, "%s", words[call]);
}

static struct search_model block_model = {
	.calls = BLOCK_CALLS,
	.begin = test_block_states_begin,
	.call = test_block_states_call,
	.key = test_block_states_key,
	.check = test_block_states_check,
	.save = test_block_states_save,
	.describe = test_block_states_describe,
};

static const char *search_blocks(unsigned int blocks, unsigned long tables,
                                 unsigned long states)
{
	struct search_result result;
	const char *broken;

	b.free_blocks = blocks;
	b.tables = tables;
	broken = search_all(&block_model, states, &result);
	if (broken != NULL)
		return broken;
	/* The frames in use for good are no leak. */
	machine_start(ZONE_PAGES);
	test_note("%u pageblocks, %lu tables: %lu states, %lu calls, up to %u "
	          "steps",
	          blocks, tables, result.states, result.transitions,
	          result.depth);
	EXPECT_EQUAL(result.states, states);
	return NULL;
}

CASE(block_states, every_call_in_every_state_of_two_pageblocks_without_tables)
{
	return search_blocks(2, 0, 29);
}

CASE(block_states, every_call_in_every_state_of_a_pageblock_with_a_table)
{
	return search_blocks(1, 1, 12);
}
