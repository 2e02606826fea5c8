/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_region_states.c -- every state of a pool whose frames lie in three
 * regions of the direct map, with as many tables as are needed to split them, or fewer.
 *
 * A node of 520 frames reaches from the end of one region over a whole one into a third.
 * All frames but a few are in use for good.  The calls: refill and shrink to each target;
 * a thread takes an exclusive page, and releases any that it has; another one takes a plain
 * page, and frees any.  Which regions are split follows from none of the counts, so the
 * key is what can have an influence on it: the regions of the frames that are free, parked
 * on the list and on the stack, each in the order in which they will be taken; of those
 * that are owned and in use; and the regions that are split, in order.  Frames of one
 * region cannot be told apart.
 *
 * After each call (R1 to R4), and after a refill or a shrink (R5 to R7):
 *
 *  R1  A frame is out of the direct map if and only if it is exclusive; it is touched.
 *  R2  A region with such a frame is split.
 *  R3  Of the regions that are split and were not at boot, one at most has no such frame.
 *  R4  Each of them has one of the tables; the others are in the pool.
 *  R5  A refill stops where it should, or when there is no free frame in a split
 *      region, and no table or no free frame elsewhere.
 *  R6  It splits no region while a split one has a free frame.
 *  R7  A shrink gives back all above its target, and joins every region without an
 *      exclusive frame but the newest.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive_internal.h"
#include "tests/host/libmm.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(region_states);

#define REGIONS     3U
#define MOST_FRAMES 6U
#define BEGIN       (REGION_FRAMES - 4)
#define FRAMES      (REGION_FRAMES + 8)
#define MOST_TARGET (MOST_FRAMES + 1)
#define OF_TYPE     0x10U /* in a key: a list of free pages begins */

static struct {
	/* The scene. */
	unsigned int each[REGIONS]; /* frames of a region that come and go */
	unsigned long tables;
	int at_boot; /* the region that was split at boot, or -1 */

	struct node *node;
	struct thread thread;
	unsigned long pfn[MOST_FRAMES];
	unsigned int frames;
	struct page *in_use[FRAMES];
	unsigned int in_use_count;
	void *owned[MOST_FRAMES];
	struct page *owned_page[MOST_FRAMES];
	unsigned int owned_count;
	struct page *plain[MOST_FRAMES];
	unsigned int plain_count;
} r;

static struct search_model region_model;

/* ---- The scene ----------------------------------------------------------- */

static unsigned int test_region_states_of(unsigned long pfn)
{
	return (unsigned int)(pfn / REGION_FRAMES);
}

/* All of memory, into r.in_use. */
static void take_all(void)
{
	struct page *page;

	while ((page = alloc_pages_node(r.node, GFP_ATOMIC | __GFP_NOWARN,
	                                0)) != NULL)
		r.in_use[r.in_use_count++] = page;
}

/* Free the frames that come and go: with an odd number, so that none has a free buddy. */
static void free_some(void)
{
	unsigned int freed[REGIONS] = { 0 };

	for (unsigned int i = 0; i < r.in_use_count; i++) {
		unsigned long pfn = node_pfn(r.node, r.in_use[i]);
		unsigned int region = test_region_states_of(pfn);

		if (pfn % 2 == 0 || freed[region] == r.each[region])
			continue;
		freed[region]++;
		r.pfn[r.frames++] = pfn;
		free_pages_node(r.node, r.in_use[i], 0, RETURN_ADDRESS());
	}
}

static void test_region_states_begin(void)
{
	unsigned long pages[ZONE_COUNT] = { [ZONE_NORMAL] = FRAMES };

	r.frames = 0;
	r.in_use_count = 0;
	r.owned_count = 0;
	r.plain_count = 0;
	machine_start(REGIONS * REGION_FRAMES);
	r.node = machine_zones(BEGIN, pages);
	if (r.at_boot >= 0)
		machine_split_at_boot((unsigned long)r.at_boot * REGION_FRAMES);
	machine_start_exclusive(r.node, r.tables);
	machine_begin_thread(&r.thread, "A");
	take_all();
	free_some();
}

/* ---- What there is ------------------------------------------------------- */

static bool test_region_states_is_split(unsigned int region)
{
	return direct_map_is_split(region * REGION_FRAMES);
}

static unsigned int exclusive_in(unsigned int region)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < r.frames; i++)
		count += test_region_states_of(r.pfn[i]) == region &&
		         page_is_exclusive(node_page(r.node, r.pfn[i]));
	return count;
}

/* Free frames in regions that are split, as SPLIT says, or in the others. */
static unsigned int free_frames(const bool *split, bool in_split)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < r.frames; i++)
		count += split[test_region_states_of(r.pfn[i])] == in_split &&
		         node_page(r.node, r.pfn[i])->state == PAGE_FREE;
	return count;
}

static uint8_t *append_frame(uint8_t *at, const struct page *page)
{
	*at = (uint8_t)(1 + test_region_states_of(node_pfn(r.node, page)));
	return at + 1;
}

/* A list of pages, and a 0. */
static uint8_t *append_list(uint8_t *at, const struct list *list)
{
	struct list *link;

	list_for_each(link, list)
		at = append_frame(at, container_of(link, struct page, link));
	return at + 1;
}

/* How many of PAGES are in each region. */
static uint8_t *append_counts(uint8_t *at, struct page *const *pages,
                              unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		at[test_region_states_of(node_pfn(r.node, pages[i]))]++;
	return at + REGIONS;
}

static void test_region_states_key(struct search_key *key)
{
	const struct exclusive_pool *pool = &r.node->pool;
	const struct exclusive_stack *stack = &pool->stack[0];
	const struct free_area *area = &r.node->zone[ZONE_NORMAL].free_area[0];
	uint8_t *at = key->byte;

	memset(key, 0, sizeof(*key));
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
		if (list_empty(&area->blocks[type]))
			continue;
		*at = (uint8_t)(OF_TYPE + type);
		at = append_list(at + 1, &area->blocks[type]) - 1;
	}
	at = append_list(at + 1, &pool->parked);
	for (unsigned int i = 0; i < stack->count; i++)
		at = append_frame(at, stack->frame[i]);
	at++;
	for (unsigned int i = 0; i < pool->regions; i++)
		*at++ = (uint8_t)(1 + pool->region[i]);
	at++;
	at = append_counts(at, r.owned_page, r.owned_count);
	at = append_counts(at, r.plain, r.plain_count);
	kassert(at <= key->byte + KEY_SIZE);
}

/* ---- What must be true --------------------------------------------------- */

/* R1 */
static const char *check_each_frame(void)
{
	for (unsigned int i = 0; i < r.frames; i++) {
		char *address = (char *)direct_map_base + r.pfn[i] * PAGE_SIZE;
		bool exclusive = page_is_exclusive(node_page(r.node, r.pfn[i]));

		if (machine_faults(address, true, NULL) != exclusive)
			return exclusive ? "R1: an exclusive frame can be seen"
			                 : "R1: a frame cannot be seen";
	}
	return NULL;
}

static const char *check_regions(void)
{
	const struct exclusive_pool *pool = &r.node->pool;
	unsigned int split = 0;
	unsigned int empty = 0;

	for (unsigned int i = 0; i < REGIONS; i++) {
		unsigned int exclusive = exclusive_in(i);

		if (exclusive > 0 && !test_region_states_is_split(i))
			return "R2: a region with a hidden frame is whole";
		if ((int)i == r.at_boot || !test_region_states_is_split(i))
			continue;
		split++;
		empty += exclusive == 0;
	}
	if (empty > 1)
		return "R3: two regions are split for nothing";
	if (pool->tables_left + split != r.tables ||
	    pool->regions - pool->boot_regions != split)
		return "R4: tables and split regions do not add up";
	return NULL;
}

static const char *test_region_states_check(void)
{
	static char sentence[200];
	const char *broken =
		node_check(r.node, NULL, false, sentence, sizeof(sentence));

	if (broken == NULL)
		broken = check_each_frame();
	return broken == NULL ? check_regions() : broken;
}

/* ---- Calls --------------------------------------------------------------- */

static enum search_step test_region_states_wrong(const char *sentence)
{
	region_model.wrong = sentence;
	return STEP_WRONG;
}

static void see_regions(bool *split)
{
	for (unsigned int i = 0; i < REGIONS; i++)
		split[i] = test_region_states_is_split(i);
}

static enum search_step test_region_states_refill(unsigned long target)
{
	unsigned long before = exclusive_pool_parked(&r.node->pool);
	unsigned long tables = r.node->pool.tables_left;
	bool split_before[REGIONS];
	bool split[REGIONS];
	unsigned long parked;
	unsigned long now;

	see_regions(split_before);
	parked = exclusive_refill(r.node, target);
	now = exclusive_pool_parked(&r.node->pool);
	see_regions(split);
	if (now != before + parked || now > max(before, target))
		return test_region_states_wrong("R5: too many were parked");
	if (now < target &&
	    (free_frames(split, true) > 0 ||
	     (r.node->pool.tables_left > 0 && free_frames(split, false) > 0)))
		return test_region_states_wrong("R5: more could be parked");
	if (r.node->pool.tables_left < tables &&
	    free_frames(split_before, true) > 0)
		return test_region_states_wrong("R6: a needless split");
	return STEP_MOVED;
}

static enum search_step test_region_states_shrink(unsigned long target)
{
	const struct exclusive_pool *pool = &r.node->pool;
	unsigned long before = exclusive_pool_parked(pool);
	unsigned long given = exclusive_shrink(r.node, target);

	if (given != before - min(before, target) ||
	    exclusive_pool_parked(pool) != before - given)
		return test_region_states_wrong("R7: not as many came back");
	for (unsigned int i = pool->boot_regions; i + 1 < pool->regions; i++) {
		if (exclusive_in(pool->region[i]) == 0)
			return test_region_states_wrong(
				"R7: an empty region is still split");
	}
	return STEP_MOVED;
}

static enum search_step test_region_states_take(void)
{
	bool can = exclusive_pool_parked(&r.node->pool) > 0;
	void *address;

	machine_switch_to(&r.thread);
	address = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	if (address != NULL)
		r.owned_page[r.owned_count] = exclusive_page(address);
	machine_switch_to(machine_main());
	if ((address != NULL) != can)
		return test_region_states_wrong("a take and the pool disagree");
	if (address != NULL)
		r.owned[r.owned_count++] = address;
	return STEP_MOVED;
}

static enum search_step test_region_states_release(unsigned int which)
{
	int error;

	if (which >= r.owned_count)
		return STEP_ABSENT;
	machine_switch_to(&r.thread);
	error = exclusive_release(r.owned[which]);
	machine_switch_to(machine_main());
	r.owned[which] = r.owned[--r.owned_count];
	r.owned_page[which] = r.owned_page[r.owned_count];
	return error == 0 ? STEP_MOVED
	                  : test_region_states_wrong("a page is not released");
}

static enum search_step test_region_states_alloc(void)
{
	bool can = node_free(r.node) > 0;
	struct page *page =
		alloc_pages_node(r.node, GFP_ATOMIC | __GFP_NOWARN, 0);

	if ((page != NULL) != can)
		return test_region_states_wrong("a plain page, or none");
	if (page != NULL)
		r.plain[r.plain_count++] = page;
	return STEP_MOVED;
}

static enum search_step test_region_states_free(unsigned int which)
{
	if (which >= r.plain_count)
		return STEP_ABSENT;
	free_pages_node(r.node, r.plain[which], 0, RETURN_ADDRESS());
	r.plain[which] = r.plain[--r.plain_count];
	return STEP_MOVED;
}

#define CALL_SHRINK  (MOST_TARGET + 1)
#define CALL_TAKE    (CALL_SHRINK + MOST_TARGET + 1)
#define CALL_RELEASE (CALL_TAKE + 1)
#define CALL_ALLOC   (CALL_RELEASE + MOST_FRAMES)
#define CALL_FREE    (CALL_ALLOC + 1)
#define REGION_CALLS (CALL_FREE + MOST_FRAMES)

static enum search_step test_region_states_do(unsigned int call)
{
	if (call < CALL_SHRINK)
		return call > r.frames + 1 ? STEP_ABSENT
		                           : test_region_states_refill(call);
	if (call < CALL_TAKE)
		return call - CALL_SHRINK > r.frames
		               ? STEP_ABSENT
		               : test_region_states_shrink(call - CALL_SHRINK);
	if (call == CALL_TAKE)
		return test_region_states_take();
	if (call < CALL_ALLOC)
		return test_region_states_release(call - CALL_RELEASE);
	if (call == CALL_ALLOC)
		return test_region_states_alloc();
	return test_region_states_free(call - CALL_FREE);
}

/* A call after which everything is as before is checked here. */
static enum search_step test_region_states_call(unsigned int call)
{
	struct search_key before;
	struct search_key after;
	enum search_step step;
	const char *broken;

	test_region_states_key(&before);
	step = test_region_states_do(call);
	if (step != STEP_MOVED)
		return step;
	test_region_states_key(&after);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		return STEP_MOVED;
	broken = test_region_states_check();
	return broken == NULL ? STEP_KEPT : test_region_states_wrong(broken);
}

static void test_region_states_save(void)
{
}

static void test_region_states_describe(unsigned int call, char *buffer,
                                        size_t size)
{
	if (call < CALL_SHRINK)
		scnprintf(buffer, size, "refill to %u", call);
	else if (call < CALL_TAKE)
		scnprintf(buffer, size, "shrink to %u", call - CALL_SHRINK);
	else if (call == CALL_TAKE)
		scnprintf(buffer, size, "A takes");
	else if (call < CALL_ALLOC)
		scnprintf(buffer, size, "A releases its page %u",
		          call - CALL_RELEASE);
	else if (call == CALL_ALLOC)
		scnprintf(buffer, size, "a plain page is taken");
	else
		scnprintf(buffer, size, "plain page %u is freed",
		          call - CALL_FREE);
}

static struct search_model region_model = {
	.calls = REGION_CALLS,
	.begin = test_region_states_begin,
	.call = test_region_states_call,
	.key = test_region_states_key,
	.check = test_region_states_check,
	.save = test_region_states_save,
	.describe = test_region_states_describe,
};

/* With EACH frames in the regions, TABLES tables, and region AT_BOOT split at boot. */
static const char *search_regions(const unsigned int each[REGIONS],
                                  unsigned long tables, int at_boot,
                                  unsigned long states)
{
	struct search_result result;
	const char *broken;

	memset(&r, 0, sizeof(r));
	memcpy(r.each, each, sizeof(r.each));
	r.tables = tables;
	r.at_boot = at_boot;
	broken = search_all(&region_model, states, &result);
	if (broken != NULL)
		return broken;
	/* The frames in use for good are no leak. */
	machine_start(REGIONS * REGION_FRAMES);
	test_note("%u+%u+%u pages, %lu tables: %lu states, %lu calls, up to %u "
	          "steps",
	          each[0], each[1], each[2], tables, result.states,
	          result.transitions, result.depth);
	EXPECT_EQUAL(result.states, states);
	return NULL;
}

static const unsigned int region_states_three[REGIONS] = { 1, 1, 1 };
static const unsigned int region_states_four[REGIONS] = { 2, 1, 1 };

CASE(region_states, every_call_in_every_state_with_a_table_for_each_region)
{
	return search_regions(region_states_three, 3, -1, 949);
}

CASE(region_states, every_call_in_every_state_with_tables_for_some_regions)
{
	const char *broken = search_regions(region_states_three, 1, -1, 79);

	return broken == NULL ? search_regions(region_states_three, 2, -1, 367)
	                      : broken;
}

CASE(region_states, every_call_in_every_state_with_a_region_split_at_boot)
{
	const char *broken = search_regions(region_states_three, 0, 1, 25);

	return broken == NULL ? search_regions(region_states_three, 1, 1, 143)
	                      : broken;
}

SUITE(region_states_more);

CASE(region_states_more, every_call_in_every_state_of_four_frames)
{
	const char *broken = search_regions(region_states_four, 2, -1, 1039);

	return broken == NULL ? search_regions(region_states_four, 3, -1, 3571)
	                      : broken;
}
