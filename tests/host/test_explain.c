/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_explain.c -- mm/debug/explain.c: sentence, numbers and decision agree.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/debug/explain.h"
#include "mm/watermark.h"
#include "tests/host/test_slow_path.h"
#include "tests/suite.h"

SUITE(explain);

/* ---- In the dump of a request that failed -------------------------------- */

struct refusal {
	gfp_t mask;
	unsigned int order;
	unsigned long free; /* one page more, and it is served */
	const char *line;
};

/* Fail, with LINE in the dump; be served with one page more. */
static const char *fail_by_one_page(const struct refusal *row)
{
	struct node *node = test_slow_path_begin(row->free);
	uint64_t mark = log_mark();
	struct page *page;

	node->recovery = (struct recovery_ops){ 0 };
	node->zone[ZONE].lowmem_reserve[ZONE_NORMAL] = 7;
	EXPECT(test_slow_path_ask(row->mask, row->order) == NULL);
	if (log_count_since(mark, row->line) != 1)
		return test_failure("no line \"%s\"", row->line);
	EXPECT_EQUAL(log_count_since(mark, "refused"), 1);
	pile_give(&slow_pile, 1);
	page = test_slow_path_ask(row->mask, row->order);
	EXPECT(page != NULL);
	test_slow_path_give(page, row->order);
	return test_slow_path_finish();
}

CASE(explain, the_dump_says_for_each_right_which_floor_one_page_was_missing_to)
{
	static const struct refusal rows[] = {
		{ GFP_KERNEL | __GFP_DMA32, 0, 480,
		  "refused: 480 pages free in DMA32 are not above the floor of "
		  "480 = min 480" },
		{ __GFP_KSWAPD_RECLAIM, 0, 487,
		  "refused: 487 pages free in DMA32 are not above the floor of "
		  "487 = min 480, plus 7 kept for requests that cannot use "
		  "Normal" },
		{ GFP_KERNEL | __GFP_HIGH | __GFP_DMA32, 0, 240,
		  "refused: 240 pages free in DMA32 are not above the floor of "
		  "240 = min 480, halved for __GFP_HIGH" },
		{ GFP_ATOMIC | __GFP_DMA32, 0, 180,
		  "refused: 180 pages free in DMA32 are not above the floor of "
		  "180 = min 480, halved for __GFP_HIGH, less a quarter "
		  "because it cannot wait" },
		{ GFP_ATOMIC, 2, 190,
		  "refused: 190 pages free in DMA32 are not above the floor of "
		  "190 = min 480, halved for __GFP_HIGH, less a quarter "
		  "because it cannot wait, plus 7 kept for requests that "
		  "cannot use Normal, plus 3 for the rest of a block of 4" },
		{ GFP_ATOMIC | __GFP_MEMALLOC, 0, 0,
		  "refused: no page of DMA32 is free" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *wrong = fail_by_one_page(&rows[i]);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(explain, the_dump_says_that_pages_are_free_but_no_block_of_the_order)
{
	struct node *node = begin_scattered(700);
	uint64_t mark = log_mark();

	node->recovery = (struct recovery_ops){ 0 };
	EXPECT(test_slow_path_ask(GFP_ATOMIC, 2) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "refused: 700 pages are free in "
	                                   "DMA32, but no block of order 2; "
	                                   "the largest is of order 0"),
	             1);
	return test_slow_path_finish();
}

CASE(explain, without_memory_in_its_zones_the_dump_says_so)
{
	struct node *node;
	uint64_t mark;

	machine_start(1024);
	node = machine_one_zone(ZONE_NORMAL, 1024);
	mark = log_mark();
	EXPECT(alloc_pages_node(node, GFP_ATOMIC | __GFP_DMA32, 0) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "refused: no zone up to DMA32 has "
	                                   "any memory"),
	             1);
	return NULL;
}

/* ---- Random zones -------------------------------------------------------- */

/* TEXT behind WORD, or NULL. */
static const char *text_after(const char *text, const char *word)
{
	const size_t length = strlen(word);

	for (; *text != '\0'; text++) {
		if (strncmp(text, word, length) == 0)
			return text + length;
	}
	return NULL;
}

static unsigned long leading_number(const char *text)
{
	unsigned long number = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (unsigned long)(*text - '0');
	return number;
}

/* The floor, added up from the words behind it. */
static unsigned long floor_of_words(const char *text)
{
	unsigned long pages;

	text = text_after(text, " = ");
	pages = leading_number(text_after(text, " "));
	if (text_after(text, ", halved for ") != NULL)
		pages -= pages / 2;
	if (text_after(text, ", less a quarter") != NULL)
		pages -= pages / 4;
	while ((text = text_after(text, ", plus ")) != NULL)
		pages += leading_number(text);
	return pages;
}

struct question {
	struct zone zone;
	struct alloc_request request;
	enum watermark mark;
	enum reserve_right right;
};

static void make_question(struct question *ask, const struct zone *from,
                          struct random *random)
{
	struct zone *zone = &ask->zone;

	*zone = *from;
	memset(&ask->request, 0, sizeof(ask->request));
	zone->free_pages = random_below(random, 300);
	for (unsigned int i = 0; i < WMARK_COUNT; i++)
		zone->watermark[i] = random_below(random, 100) + i;
	zone->watermark_boost =
		random_below(random, 2) * random_below(random, 60);
	for (unsigned int i = ZONE + 1; i < ZONE_COUNT; i++)
		zone->lowmem_reserve[i] = random_below(random, 40);
	for (unsigned int i = 0; i < MIGRATE_TYPES; i++)
		zone->nonempty[i] =
			(uint16_t)(random_below(random,
		                                1UL << (MAX_ORDER + 1)) &
		                   random_below(random,
		                                1UL << (MAX_ORDER + 1)) &
		                   random_below(random, 32));
	zone->nr_free_cma = random_below(random, 2) * random_below(random, 30);
	zone->nr_free_highatomic =
		random_below(random, 2) * random_below(random, 30);
	ask->request.order = (unsigned int)random_below(random, 6);
	ask->request.highest_zone = (enum zone_type)(
		ZONE + random_below(random, ZONE_COUNT - ZONE));
	ask->request.migratetype =
		(enum migratetype)random_below(random, MIGRATE_PCPTYPES);
	ask->mark = (enum watermark)random_below(random, WMARK_HIGH + 1);
	ask->right = (enum reserve_right)random_below(random, RESERVE_ALL + 1);
}

/* Does the zone hold the mark of PAGES for 2^ORDER pages? */
static bool holds(const struct question *ask, unsigned int order,
                  unsigned long pages)
{
	return watermark_ok_cma(
		&ask->zone, order, pages, ask->request.highest_zone, ask->right,
		request_may_use_cma(ask->zone.node, &ask->request));
}

/* As mm/page_alloc.c#zone_may_serve. */
static bool is_served(const struct question *ask)
{
	return holds(ask, ask->request.order,
	             wmark_pages(&ask->zone, ask->mark)) ||
	       (ask->mark == WMARK_MIN && ask->request.order == 0 &&
	        (ask->right == RESERVE_HALF || ask->right == RESERVE_ATOMIC) &&
	        holds(ask, 0, ask->zone.watermark[WMARK_MIN]));
}

static bool explain(const struct question *ask, char *text, size_t size)
{
	return alloc_explain(text, size, &ask->zone, &ask->request, ask->mark,
	                     ask->right);
}

/* The words add up to the floor, and the floor is the exact number. */
static const char *check_floor(struct question *ask, const char *said)
{
	unsigned long leave = leading_number(text_after(said, "floor of "));
	char text[EXPLANATION_SIZE];

	EXPECT_EQUAL(leading_number(said), ask->zone.free_pages);
	EXPECT_EQUAL(floor_of_words(said), leave);
	ask->zone.free_pages = leave;
	EXPECT(explain(ask, text, sizeof(text)));
	EXPECT(leave == 0 || text_after(text, "not above") != NULL);
	ask->zone.free_pages = leave + 1;
	explain(ask, text, sizeof(text));
	EXPECT(text_after(text, "not above") == NULL);
	return NULL;
}

/* The largest block that the sentence names is the largest that would be served. */
static const char *explain_check_block(const struct question *ask,
                                       const char *said)
{
	const char *at = text_after(said, "largest is of order ");
	unsigned int most =
		at == NULL ? 0 : (unsigned int)leading_number(at) + 1;

	EXPECT_EQUAL(leading_number(said), ask->zone.free_pages);
	EXPECT(at != NULL || text_after(said, "none that it may take"));
	EXPECT(most <= ask->request.order);
	for (unsigned int order = 0; order < ask->request.order; order++)
		EXPECT_EQUAL(
			holds(ask, order, wmark_pages(&ask->zone, ask->mark)),
			order < most);
	return NULL;
}

CASE(explain, the_words_add_up_to_the_floor_and_agree_with_the_decision)
{
	struct node *node = test_slow_path_begin(600);
	struct random random = { test_seed() };
	unsigned long floors = 0, blocks = 0, boosts = 0;

	for (unsigned int i = 0; i < 40000; i++) {
		struct question ask;
		char said[EXPLANATION_SIZE];
		const char *wrong = NULL;

		make_question(&ask, &node->zone[ZONE], &random);
		EXPECT_EQUAL(explain(&ask, said, sizeof(said)),
		             !is_served(&ask));
		EXPECT_EQUAL(said[0] == '\0', is_served(&ask));
		if (text_after(said, "with a boost") != NULL)
			boosts++;
		if (text_after(said, "not above") != NULL && ++floors > 0)
			wrong = check_floor(&ask, said);
		else if (text_after(said, "are free in") != NULL &&
		         ++blocks > 0)
			wrong = explain_check_block(&ask, said);
		if (wrong != NULL)
			return wrong;
	}
	EXPECT(floors > 1000 && blocks > 1000 && boosts > 1000);
	return test_slow_path_finish();
}
