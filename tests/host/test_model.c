/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_model.c -- random operations, compared with naive models.
 *
 * The model of the buddy allocator is an array that says of each page which
 * block it belongs to.  A block of order n can be taken if and only if 2^n
 * aligned pages are free; and since buddies merge immediately, the free lists
 * hold exactly the largest aligned blocks that are free, which the model counts
 * page by page.
 *
 * The model of exclusive pages is an array of pages with owner, address and
 * contents, searched from end to end.
 *
 * The seed is printed, and taken by --seed.
 */
#include "kernel/arch/arch.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(model);

static struct random dice;

static unsigned int test_model_below(unsigned int bound)
{
	return (unsigned int)random_below(&dice, bound);
}

/* ---- The buddy allocator ------------------------------------------------- */

#define MAX_PAGES 3000

static struct {
	struct node *node;
	struct zone *zone;
	unsigned long first;
	unsigned int pages;
	int head[MAX_PAGES];  /* index of the block's head; -1: free */
	int order[MAX_PAGES]; /* of a head */
} b;

static bool test_model_range_is_free(unsigned long pfn, unsigned long count)
{
	if (pfn < b.first || pfn + count > b.first + b.pages)
		return false;
	for (unsigned long i = 0; i < count; i++) {
		if (b.head[pfn - b.first + i] >= 0)
			return false;
	}
	return true;
}

/* Aligned blocks of ORDER that are free, and not part of a larger one. */
static unsigned long model_blocks(unsigned int order)
{
	unsigned long size = 1UL << order;
	unsigned long count = 0;

	for (unsigned long pfn = ALIGN_DOWN(b.first, size);
	     pfn < b.first + b.pages; pfn += size) {
		if (test_model_range_is_free(pfn, size) &&
		    (order == MAX_ORDER ||
		     !test_model_range_is_free(ALIGN_DOWN(pfn, 2 * size),
		                               2 * size)))
			count++;
	}
	return count;
}

static bool model_can_take(unsigned int order)
{
	for (; order <= MAX_ORDER; order++) {
		if (model_blocks(order) > 0)
			return true;
	}
	return false;
}

static const char *compare_blocks(void)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		unsigned long expected = model_blocks(order);

		if (b.zone->free_area[order].count != expected)
			return test_failure("%lu free blocks of order %u, the "
			                    "model says %lu",
			                    b.zone->free_area[order].count,
			                    order, expected);
	}
	return NULL;
}

static const char *test_model_take(void)
{
	unsigned int order = test_model_below(4) > 0
	                             ? test_model_below(4)
	                             : test_model_below(MAX_ORDER + 1);
	gfp_t mask = GFP_KERNEL | __GFP_NOWARN |
	             (test_model_below(2) > 0 ? __GFP_COMP : 0U);
	bool can = model_can_take(order);
	struct page *page = alloc_pages_node(b.node, mask, order);
	unsigned long pfn;

	if ((page != NULL) != can)
		return test_failure("order %u: %s, the model says %s", order,
		                    page != NULL ? "taken" : "NULL",
		                    can ? "free" : "not free");
	if (page == NULL)
		return NULL;
	pfn = node_pfn(b.node, page);
	EXPECT(pfn % (1UL << order) == 0);
	EXPECT(test_model_range_is_free(pfn, 1UL << order));
	for (unsigned long i = 0; i < 1UL << order; i++)
		b.head[pfn - b.first + i] = (int)(pfn - b.first);
	b.order[pfn - b.first] = (int)order;
	return NULL;
}

/* Free page INDEX by ORDER, whatever that is. */
static const char *model_free(unsigned int index, unsigned int order)
{
	bool legal =
		b.head[index] == (int)index && b.order[index] == (int)order;
	unsigned long refused = vmstat_read(&b.node->stat, VMSTAT_free_refused);
	unsigned long free = b.zone->free_pages;

	free_pages_node(b.node, node_page(b.node, b.first + index), order,
	                RETURN_ADDRESS());
	EXPECT_EQUAL(vmstat_read(&b.node->stat, VMSTAT_free_refused),
	             refused + !legal);
	EXPECT_EQUAL(b.zone->free_pages, free + (legal ? 1UL << order : 0));
	for (unsigned long i = 0; legal && i < 1UL << order; i++)
		b.head[index + i] = -1;
	return NULL;
}

/* Mostly a block that can be freed, sometimes nonsense. */
static const char *model_free_any(void)
{
	unsigned int index = test_model_below(b.pages);

	if (test_model_below(4) == 0)
		return model_free(index, test_model_below(MAX_ORDER + 2));
	if (b.head[index] < 0)
		return NULL;
	index = (unsigned int)b.head[index];
	return model_free(index, (unsigned int)b.order[index]);
}

static const char *free_everything(void)
{
	const char *wrong = NULL;

	for (unsigned int i = 0; i < b.pages && wrong == NULL; i++) {
		if (b.head[i] == (int)i)
			wrong = model_free(i, (unsigned int)b.order[i]);
	}
	return wrong;
}

static const char *walk_buddy(unsigned int pages, unsigned int steps)
{
	unsigned long each[ZONE_COUNT] = { 0 };
	const char *wrong = NULL;
	char sentence[200];

	b.pages = pages;
	b.first = test_model_below(2) > 0 ? test_model_below(3000) : 1024;
	each[ZONE_NORMAL] = pages;
	machine_start(b.first + pages);
	b.node = machine_zones(b.first, each);
	b.zone = &b.node->zone[ZONE_NORMAL];
	for (unsigned int i = 0; i < pages; i++)
		b.head[i] = -1;
	for (unsigned int step = 0; step < steps && wrong == NULL; step++) {
		/* Seasons of taking and of giving. */
		bool take =
			test_model_below(16) < (step / 64 % 2 > 0 ? 5U : 11U);

		wrong = take ? test_model_take() : model_free_any();
		if (wrong == NULL && step % 32 == 0)
			wrong = compare_blocks();
		if (wrong == NULL && step % 128 == 0 &&
		    node_check(b.node, NULL, false, sentence,
		               sizeof(sentence)) != NULL)
			wrong = test_failure("%s", sentence);
	}
	if (wrong == NULL)
		wrong = free_everything();
	return wrong != NULL ? wrong : compare_blocks();
}

CASE(model, buddy_does_what_an_array_does)
{
	dice.state = test_seed();
	for (unsigned int round = 0; round < 40; round++) {
		unsigned int pages = round < 20
		                             ? 1 + test_model_below(80)
		                             : 1 + test_model_below(MAX_PAGES);
		const char *wrong = walk_buddy(pages, 600);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(model, every_size_from_1_to_2100_is_cut_into_the_largest_blocks)
{
	dice.state = test_seed();
	for (unsigned int pages = 1; pages <= 2100;
	     pages += 1 + test_model_below(24)) {
		unsigned long each[ZONE_COUNT] = { 0 };
		const char *wrong;

		b.pages = pages;
		b.first = test_model_below(1500);
		each[ZONE_NORMAL] = pages;
		machine_start(b.first + pages);
		b.node = machine_zones(b.first, each);
		b.zone = &b.node->zone[ZONE_NORMAL];
		for (unsigned int i = 0; i < pages; i++)
			b.head[i] = -1;
		wrong = compare_blocks();
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

/* ---- Exclusive pages ----------------------------------------------------- */

#define FRAMES    1024UL
#define FLOOR     6UL
#define OWNERS    6
#define MAX_HELD  256
#define MAX_KNOWN 512
#define STEPS     6000
#define MAX_ENDS  200 /* fewer than windows: no number is used twice */

enum held_state {
	NOBODYS,
	OWNED,
	SENT,
};

/* A page that is not parked. */
struct held {
	enum held_state state;
	int owner; /* OWNED: whose; SENT: the sender, -1 if it has ended */
	int receiver;
	unsigned int order; /* of hand-overs, in time */
	uint8_t *address;   /* the owner's or sender's */
	uint8_t value;      /* in every byte */
};

static struct {
	struct node *node;
	struct thread thread[3]; /* owners 1..3; main is owner 0 */
	struct owner line[2];    /* owners 4, 5 */
	struct held held[MAX_HELD];
	struct {
		uint8_t *address;
		int owner; /* whose window it was in; -1: has ended since */
	} known[MAX_KNOWN];
	unsigned int known_count;
	unsigned int transfers;
	unsigned int ends;
	unsigned long parked;
	unsigned long free;
} x;

static struct owner *test_model_owner_number(int number)
{
	if (number == 0)
		return &machine_main()->owner;
	return number <= 3 ? &x.thread[number - 1].owner : &x.line[number - 4];
}

/* Owner NUMBER runs: a thread, or a line on top of thread main. */
static void test_model_run_as(int number)
{
	if (number == 0)
		return;
	if (number <= 3)
		machine_switch_to(&x.thread[number - 1]);
	else
		machine_enter_irq(&x.line[number - 4]);
}

static void test_model_run_as_main(int number)
{
	if (number > 3)
		machine_leave_irq();
	else
		machine_switch_to(machine_main());
}

static struct held *new_held(void)
{
	for (unsigned int i = 0; i < MAX_HELD; i++) {
		if (x.held[i].state == NOBODYS)
			return &x.held[i];
	}
	return NULL;
}

static struct held *find_held(enum held_state state, int owner,
                              const uint8_t *address)
{
	for (unsigned int i = 0; i < MAX_HELD; i++) {
		struct held *at = &x.held[i];

		if (at->state == state && at->owner == owner &&
		    at->address == address)
			return at;
	}
	return NULL;
}

static void test_model_remember(uint8_t *address, int owner)
{
	unsigned int i = x.known_count < MAX_KNOWN
	                         ? x.known_count++
	                         : test_model_below(MAX_KNOWN);

	x.known[i].address = address;
	x.known[i].owner = owner;
}

static void forget_window(int owner)
{
	for (unsigned int i = 0; i < x.known_count; i++) {
		if (x.known[i].owner == owner)
			x.known[i].owner = -1;
	}
}

static bool bytes_are(const uint8_t *bytes, uint8_t value)
{
	return bytes[0] == value && bytes[1777] == value &&
	       bytes[PAGE_SIZE - 1] == value;
}

/*
 * Return what exclusive_release() and _transfer() should return, apart from the
 * receiver.
 */
static int test_model_expected_error(int me, unsigned int known)
{
	const uint8_t *address = x.known[known].address;

	if (x.known[known].owner != me)
		return -EPERM;
	if (find_held(OWNED, me, address) != NULL)
		return 0;
	return find_held(SENT, me, address) != NULL ? -EBUSY : -ENOENT;
}

static const char *step_take(int me)
{
	struct held *held = new_held();
	uint8_t *page;

	if (held == NULL)
		return NULL;
	page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	EXPECT((page != NULL) == (x.parked > 0));
	if (page == NULL)
		return NULL;
	EXPECT(find_held(OWNED, me, page) == NULL);
	EXPECT(find_held(SENT, me, page) == NULL);
	EXPECT(bytes_are(page, 0));
	x.parked--;
	*held = (struct held){ .state = OWNED,
		               .owner = me,
		               .address = page,
		               .value = (uint8_t)(1 + test_model_below(255)) };
	memset(page, held->value, PAGE_SIZE);
	test_model_remember(page, me);
	return NULL;
}

static const char *step_release(int me, unsigned int known)
{
	uint8_t *address = x.known[known].address;
	int expected = test_model_expected_error(me, known);

	EXPECT_EQUAL(exclusive_release(address), expected);
	if (expected == 0) {
		find_held(OWNED, me, address)->state = NOBODYS;
		x.parked++;
	}
	return NULL;
}

static const char *step_transfer(int me, unsigned int known)
{
	uint8_t *address = x.known[known].address;
	int to = (int)test_model_below(OWNERS);
	int expected = test_model_expected_error(me, known);
	struct held *held = find_held(OWNED, me, address);

	if (expected == 0 && to == me)
		expected = -EINVAL;
	EXPECT_EQUAL(
		exclusive_transfer(address, test_model_owner_number(to)->id),
		expected);
	if (expected == 0) {
		held->state = SENT;
		held->receiver = to;
		held->order = ++x.transfers;
	}
	return NULL;
}

static const char *step_cancel(int me, unsigned int known)
{
	uint8_t *address = x.known[known].address;
	struct held *held = x.known[known].owner == me
	                            ? find_held(SENT, me, address)
	                            : NULL;

	EXPECT_EQUAL(exclusive_cancel(address), held != NULL ? 0 : -ENOENT);
	if (held != NULL) {
		held->state = OWNED;
		EXPECT(bytes_are(address, held->value));
	}
	return NULL;
}

static const char *step_accept(int me)
{
	struct held *oldest = NULL;
	uint8_t *page;

	for (unsigned int i = 0; i < MAX_HELD; i++) {
		struct held *at = &x.held[i];

		if (at->state == SENT && at->receiver == me &&
		    (oldest == NULL || at->order < oldest->order))
			oldest = at;
	}
	page = exclusive_accept();
	EXPECT((page != NULL) == (oldest != NULL));
	if (page == NULL)
		return NULL;
	EXPECT(bytes_are(page, oldest->value));
	oldest->state = OWNED;
	oldest->owner = me;
	oldest->address = page;
	test_model_remember(page, me);
	return NULL;
}

static const char *step_touch(int me, unsigned int known)
{
	uint8_t *address = x.known[known].address;
	const struct held *held = x.known[known].owner == me
	                                  ? find_held(OWNED, me, address)
	                                  : NULL;

	EXPECT_EQUAL(machine_faults(address, true, NULL), held == NULL);
	if (held != NULL)
		EXPECT(bytes_are(address, held->value));
	return NULL;
}

/* Owner NUMBER, not main, ends and begins again. */
static const char *step_end(int number)
{
	if (number == 0 || x.ends == MAX_ENDS)
		return NULL;
	x.ends++;
	for (unsigned int i = 0; i < MAX_HELD; i++) {
		struct held *at = &x.held[i];

		if (at->state == SENT && at->owner == number)
			at->owner = -1;
		if (at->state == SENT && at->receiver == number) {
			at->state = at->owner < 0 ? NOBODYS : OWNED;
			x.parked += at->owner < 0;
		}
		if (at->state == OWNED && at->owner == number) {
			at->state = NOBODYS;
			x.parked++;
		}
	}
	forget_window(number);
	if (number <= 3) {
		machine_end_thread(&x.thread[number - 1]);
		machine_begin_thread(&x.thread[number - 1], "thread");
	} else {
		machine_end_line(&x.line[number - 4]);
		machine_begin_line(&x.line[number - 4], "irq line");
	}
	return NULL;
}

static const char *step_refill(void)
{
	unsigned long target = test_model_below(60);
	unsigned long expected = target > x.parked ? target - x.parked : 0;

	expected = min(expected, x.free > FLOOR ? x.free - FLOOR : 0UL);
	EXPECT_EQUAL(exclusive_refill(x.node, target), expected);
	x.parked += expected;
	x.free -= expected;
	return NULL;
}

static const char *step_shrink(void)
{
	unsigned long target = test_model_below(60);
	unsigned long expected = x.parked > target ? x.parked - target : 0;

	EXPECT_EQUAL(exclusive_shrink(x.node, target), expected);
	x.parked -= expected;
	x.free += expected;
	return NULL;
}

static const char *one_step(void)
{
	int me = (int)test_model_below(OWNERS);
	unsigned int what = test_model_below(20);
	unsigned int known =
		x.known_count > 0 ? test_model_below(x.known_count) : 0;
	const char *wrong = NULL;

	if (what == 0)
		return step_refill();
	if (what == 1)
		return test_model_below(4) > 0 ? NULL : step_shrink();
	if (what == 2)
		return test_model_below(4) > 0 ? NULL : step_end(me);
	if (x.known_count > 0 && what > 7 && test_model_below(2) > 0 &&
	    x.known[known].owner >= 0)
		me = x.known[known].owner;
	test_model_run_as(me);
	if (what < 7 || x.known_count == 0)
		wrong = step_take(me);
	else if (what < 9)
		wrong = step_accept(me);
	else if (what < 12)
		wrong = step_release(me, known);
	else if (what < 15)
		wrong = step_transfer(me, known);
	else if (what < 17)
		wrong = step_cancel(me, known);
	else
		wrong = step_touch(me, known);
	test_model_run_as_main(me);
	return wrong;
}

static const char *compare_counts(void)
{
	static char sentence[200];
	struct exclusive_counts counts;
	unsigned long owned = 0;
	unsigned long sent = 0;

	for (unsigned int i = 0; i < MAX_HELD; i++) {
		owned += x.held[i].state == OWNED;
		sent += x.held[i].state == SENT;
	}
	exclusive_counts(x.node, &counts);
	EXPECT_EQUAL(counts.parked, x.parked);
	EXPECT_EQUAL(counts.owned, owned);
	EXPECT_EQUAL(counts.handover, sent);
	EXPECT_EQUAL(node_free(x.node), x.free);
	return node_check(x.node, NULL, false, sentence, sizeof(sentence));
}

static void start_exclusive(void)
{
	memset(&x, 0, sizeof(x));
	machine_start(FRAMES);
	x.node = machine_one_zone(ZONE_NORMAL, FRAMES);
	machine_set_marks(&x.node->zone[ZONE_NORMAL], 16, 20, 24);
	machine_start_exclusive(x.node, 2);
	for (unsigned int i = 0; i < 3; i++)
		machine_begin_thread(&x.thread[i], "thread");
	for (unsigned int i = 0; i < 2; i++)
		machine_begin_line(&x.line[i], "irq line");
	x.free = node_free(x.node);
}

CASE(model, exclusive_does_what_an_array_does)
{
	dice.state = test_seed();
	for (unsigned int round = 0; round < 3; round++) {
		start_exclusive();
		for (unsigned int step = 0; step < STEPS; step++) {
			const char *wrong = one_step();

			if (wrong == NULL && step % 64 == 0)
				wrong = compare_counts();
			if (wrong != NULL)
				return wrong;
		}
	}
	test_note("%u hand-overs, %u ends of owners in the last round",
	          x.transfers, x.ends);
	return compare_counts();
}
