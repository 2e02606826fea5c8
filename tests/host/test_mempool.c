/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_mempool.c -- Linux's rules of a mempool, one by one.
 *
 * The allocator beneath is a recorder: it notes each mask, and has as many
 * elements as the case allows it.
 */
#include "kernel/core/clock.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/mempool.h"
#include "mm/slab/slab.h"
#include "tests/host/pile.h"
#include "tests/host/slab.h"
#include "tests/suite.h"

SUITE(mempool_rules);

#define MIN          4
#define ELEMENTS     64
#define CALLS        64
#define POOL_ADDS    (__GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN)
#define FIVE_SECONDS 5000000ULL

static struct {
	gfp_t mask[CALLS];
	unsigned int calls;
	unsigned int have;  /* elements that it still gives */
	gfp_t only_with;    /* ... to masks with one of these; 0: to all */
	unsigned int freed; /* times free was called */
	unsigned int next;
	bool used[ELEMENTS];
	char element[ELEMENTS];
} backing;

static mempool_t *pool;

static void *backing_alloc(gfp_t gfp, void *data)
{
	if (data != &backing)
		panic("the pool's data is %p", data);
	backing.mask[backing.calls++ % CALLS] = gfp;
	if (backing.have == 0)
		return NULL;
	if (backing.only_with != 0 && (gfp & backing.only_with) == 0)
		return NULL;
	backing.have--;
	for (unsigned int i = 0; i < ELEMENTS; i++) {
		unsigned int at = backing.next++ % ELEMENTS;

		if (!backing.used[at]) {
			backing.used[at] = true;
			return &backing.element[at];
		}
	}
	panic("all %d elements are in use", ELEMENTS);
}

static void backing_free(void *element, void *data)
{
	if (element == NULL || data != &backing)
		panic("free of %p with %p", element, data);
	backing.used[(char *)element - backing.element] = false;
	backing.freed++;
}

/* A pool whose reserve is full, over an allocator that has HAVE more. */
static bool test_mempool_begin(unsigned int have)
{
	static struct node *node;

	machine_start(64);
	node = machine_one_zone(ZONE_NORMAL, 64);
	set_main_node(node);
	memset(&backing, 0, sizeof(backing));
	backing.have = MIN;
	pool = mempool_create(MIN, backing_alloc, backing_free, &backing);
	backing.calls = 0;
	backing.have = have;
	return pool != NULL;
}

static const char *test_mempool_end(void)
{
	mempool_destroy(pool);
	return NULL;
}

/* Take COUNT elements with MASK into ELEMENT; how many came. */
static unsigned int test_mempool_take(void **element, unsigned int count,
                                      gfp_t mask)
{
	unsigned int got = 0;

	while (got < count) {
		element[got] = mempool_alloc(pool, mask);
		if (element[got] == NULL)
			break;
		got++;
	}
	return got;
}

static void test_mempool_give(void **element, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		mempool_free(element[i], pool);
}

/* ---- The requests to the allocator --------------------------------------- */

CASE(mempool_rules, the_reserve_is_filled_with_gfp_kernel)
{
	machine_start(64);
	set_main_node(machine_one_zone(ZONE_NORMAL, 64));
	memset(&backing, 0, sizeof(backing));
	backing.have = MIN;
	pool = mempool_create(MIN, backing_alloc, backing_free, &backing);
	EXPECT(pool != NULL);
	EXPECT_EQUAL(backing.calls, MIN);
	EXPECT_EQUAL(backing.mask[0], GFP_KERNEL);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	return test_mempool_end();
}

CASE(mempool_rules, the_first_try_neither_sleeps_nor_starts_io)
{
	static const gfp_t masks[] = { GFP_KERNEL, GFP_NOFS, GFP_NOIO,
		                       GFP_ATOMIC, GFP_NOWAIT };
	void *element;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		gfp_t first = (masks[i] | POOL_ADDS) &
		              ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_IO);

		EXPECT(test_mempool_begin(1));
		EXPECT_EQUAL(test_mempool_take(&element, 1, masks[i]), 1);
		EXPECT_EQUAL(backing.calls, 1);
		EXPECT_EQUAL(backing.mask[0], first);
		EXPECT_EQUAL(mempool_reserve(pool), MIN);
		test_mempool_give(&element, 1);
		test_mempool_end();
	}
	return NULL;
}

CASE(mempool_rules, the_reserve_comes_before_sleeping_in_the_allocator)
{
	void *element;

	EXPECT(test_mempool_begin(1));
	backing.only_with = __GFP_DIRECT_RECLAIM;
	EXPECT_EQUAL(test_mempool_take(&element, 1, GFP_KERNEL), 1);
	EXPECT_EQUAL(backing.calls, 1);
	EXPECT_EQUAL(mempool_reserve(pool), MIN - 1);
	test_mempool_give(&element, 1);
	return test_mempool_end();
}

CASE(mempool_rules, the_second_try_has_all_of_the_mask)
{
	void *element[MIN + 1];

	EXPECT(test_mempool_begin(1));
	backing.only_with = __GFP_DIRECT_RECLAIM;
	EXPECT_EQUAL(test_mempool_take(element, MIN, GFP_KERNEL), MIN);
	backing.calls = 0;
	EXPECT_EQUAL(test_mempool_take(&element[MIN], 1, GFP_NOFS), 1);
	EXPECT_EQUAL(backing.calls, 2);
	EXPECT_EQUAL(backing.mask[1], GFP_NOFS | POOL_ADDS);
	EXPECT_EQUAL(machine_waits(), 0);
	test_mempool_give(element, MIN + 1);
	return test_mempool_end();
}

CASE(mempool_rules, a_mask_without_sleep_and_io_is_tried_once)
{
	void *element[MIN + 1];

	EXPECT(test_mempool_begin(0));
	EXPECT_EQUAL(test_mempool_take(element, MIN, GFP_ATOMIC), MIN);
	backing.calls = 0;
	EXPECT_EQUAL(test_mempool_take(&element[MIN], 1, GFP_ATOMIC), 0);
	EXPECT_EQUAL(backing.calls, 1);
	test_mempool_give(element, MIN);
	return test_mempool_end();
}

/* ---- Empty --------------------------------------------------------------- */

CASE(mempool_rules, four_atomic_succeed_and_the_fifth_is_null_without_sleep)
{
	void *element[MIN + 1];

	EXPECT(test_mempool_begin(0));
	EXPECT_EQUAL(test_mempool_take(element, MIN + 1, GFP_ATOMIC), MIN);
	EXPECT_EQUAL(mempool_reserve(pool), 0);
	EXPECT_EQUAL(machine_waits(), 0);
	test_mempool_give(element, MIN);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	return test_mempool_end();
}

static void *held[MIN];

static bool one_comes_back(struct wait_queue *queue)
{
	if (held[0] == NULL || strcmp(queue->name, "mempool") != 0)
		return false;
	if (mempool_waiters(pool) != 1)
		panic("%u wait, not one", mempool_waiters(pool));
	mempool_free(held[0], pool);
	held[0] = NULL;
	return true;
}

CASE(mempool_rules, a_kernel_waiter_wakes_on_free)
{
	void *expected;
	void *element;
	uint64_t start;

	EXPECT(test_mempool_begin(0));
	EXPECT_EQUAL(test_mempool_take(held, MIN, GFP_ATOMIC), MIN);
	expected = held[0];
	start = clock_microseconds();
	machine_set_wait_hook(one_comes_back);
	element = mempool_alloc(pool, GFP_KERNEL);
	EXPECT(element == expected);
	EXPECT_EQUAL(machine_waits(), 1);
	EXPECT(machine_wake_ups() >= 1);
	EXPECT_EQUAL(clock_microseconds(), start);
	EXPECT_EQUAL(mempool_waiters(pool), 0);
	test_mempool_give(&held[1], MIN - 1);
	test_mempool_give(&element, 1);
	return test_mempool_end();
}

static unsigned int quiet_rounds;

/* Nobody gives back; the allocator has memory again in the third round. */
static bool memory_comes_back(struct wait_queue *queue)
{
	(void)queue;
	if (++quiet_rounds == 3)
		backing.have = 1;
	return false;
}

CASE(mempool_rules, a_waiter_asks_the_allocator_again_each_five_seconds)
{
	void *element[MIN + 1];
	uint64_t start;

	EXPECT(test_mempool_begin(0));
	EXPECT_EQUAL(test_mempool_take(element, MIN, GFP_ATOMIC), MIN);
	quiet_rounds = 0;
	start = clock_microseconds();
	backing.calls = 0;
	machine_set_wait_hook(memory_comes_back);
	element[MIN] = mempool_alloc(pool, GFP_NOIO);
	EXPECT(element[MIN] != NULL);
	EXPECT_EQUAL(clock_microseconds() - start, 3 * FIVE_SECONDS);
	/* Twice at first, then once a round, with all of the mask. */
	EXPECT_EQUAL(backing.calls, 2 + 3);
	EXPECT_EQUAL(backing.mask[4], GFP_NOIO | POOL_ADDS);
	test_mempool_give(element, MIN + 1);
	return test_mempool_end();
}

CASE(mempool_rules, preallocated_is_the_reserve_and_nothing_else)
{
	void *element[MIN];

	EXPECT(test_mempool_begin(8));
	for (unsigned int i = 0; i < MIN; i++) {
		element[i] = mempool_alloc_preallocated(pool);
		EXPECT(element[i] != NULL);
	}
	EXPECT(mempool_alloc_preallocated(pool) == NULL);
	EXPECT_EQUAL(backing.calls, 0);
	test_mempool_give(element, MIN);
	return test_mempool_end();
}

/* ---- Giving back --------------------------------------------------------- */

CASE(mempool_rules, free_fills_the_reserve_first_and_then_the_allocator)
{
	void *element[MIN + 2];

	EXPECT(test_mempool_begin(2));
	EXPECT_EQUAL(test_mempool_take(element, MIN + 2, GFP_ATOMIC), MIN + 2);
	test_mempool_give(element, MIN);
	EXPECT_EQUAL(backing.freed, 0);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	test_mempool_give(&element[MIN], 2);
	EXPECT_EQUAL(backing.freed, 2);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	mempool_free(NULL, pool);
	EXPECT_EQUAL(backing.freed, 2);
	test_mempool_end();
	EXPECT_EQUAL(backing.freed, 2 + MIN);
	return NULL;
}

/* ---- Misuse -------------------------------------------------------------- */

CASE(mempool_rules, zero_is_reported_and_not_asked_for)
{
	uint64_t mark;
	void *element;

	EXPECT(test_mempool_begin(1));
	mark = log_mark();
	EXPECT_EQUAL(test_mempool_take(&element, 1, GFP_KERNEL | __GFP_ZERO),
	             1);
	EXPECT(log_contains_since(mark, "not zeroed"));
	EXPECT((backing.mask[0] & __GFP_ZERO) == 0);
	test_mempool_give(&element, 1);
	return test_mempool_end();
}

CASE(mempool_rules, a_mask_that_may_sleep_is_refused_the_wait_in_an_interrupt)
{
	void *element[MIN + 1];
	uint64_t mark;

	EXPECT(test_mempool_begin(0));
	mark = log_mark();
	machine_enter_irq(NULL);
	EXPECT_EQUAL(test_mempool_take(element, MIN + 1, GFP_KERNEL), MIN);
	machine_leave_irq();
	EXPECT(log_contains_since(mark, "cannot wait here"));
	EXPECT_EQUAL(machine_waits(), 0);
	for (unsigned int i = 0; i < backing.calls; i++)
		EXPECT((backing.mask[i] & __GFP_DIRECT_RECLAIM) == 0);
	test_mempool_give(element, MIN);
	return test_mempool_end();
}

CASE(mempool_rules, an_nmi_gets_nothing_and_touches_nothing)
{
	void *element;

	EXPECT(test_mempool_begin(1));
	machine_enter_nmi();
	element = mempool_alloc(pool, GFP_ATOMIC);
	machine_leave_nmi();
	EXPECT(element == NULL);
	EXPECT_EQUAL(backing.calls, 0);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	return test_mempool_end();
}

CASE(mempool_rules, a_pool_that_cannot_be_filled_gives_everything_back)
{
	EXPECT(test_mempool_begin(0));
	test_mempool_end();
	backing.freed = 0;
	backing.have = MIN - 1;
	EXPECT(mempool_create(MIN, backing_alloc, backing_free, &backing) ==
	       NULL);
	EXPECT_EQUAL(backing.freed, MIN - 1);
	EXPECT(mempool_create(0, backing_alloc, backing_free, &backing) ==
	       NULL);
	EXPECT(mempool_create(MEMPOOL_MAX + 1, backing_alloc, backing_free,
	                      &backing) == NULL);
	return NULL;
}

CASE(mempool_rules, an_element_that_is_given_back_twice_is_not_handed_out_twice)
{
	void *element[MIN];
	uint64_t mark;

	EXPECT(test_mempool_begin(0));
	EXPECT_EQUAL(test_mempool_take(element, MIN, GFP_ATOMIC), MIN);
	mark = log_mark();
	mempool_free(element[1], pool);
	mempool_free(element[1], pool);
	EXPECT_EQUAL(log_count_since(mark, "it is in the reserve already"), 1);
	EXPECT_EQUAL(mempool_reserve(pool), 1);
	EXPECT(mempool_alloc_preallocated(pool) == element[1]);
	EXPECT(mempool_alloc_preallocated(pool) == NULL);

	/* With a full reserve, too: FREE would get what the reserve has. */
	test_mempool_give(element, MIN);
	mempool_free(element[2], pool);
	EXPECT_EQUAL(log_count_since(mark, "it is in the reserve already"), 2);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 2);
	EXPECT_EQUAL(backing.freed, 0);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	return test_mempool_end();
}

/* ---- Pages --------------------------------------------------------------- */

static struct pile pile;

static mempool_t *page_pool(unsigned int min, unsigned int order)
{
	machine_start(256);
	pile.node = machine_one_zone(ZONE_NORMAL, 256);
	pile.count = 0;
	machine_set_marks(&pile.node->zone[ZONE_NORMAL], 16, 20, 24);
	set_main_node(pile.node);
	return mempool_create_page_pool(min, order);
}

CASE(mempool_rules, pages_are_there_when_the_zone_has_none)
{
	void *element[3];

	pool = page_pool(2, 1);
	EXPECT(pool != NULL);
	pile_drain(&pile, __GFP_MEMALLOC, PILE_PAGES);
	EXPECT_EQUAL(node_free(pile.node), 0);
	EXPECT_EQUAL(test_mempool_take(element, 3, GFP_ATOMIC), 2);
	memset(page_address(element[0]), 1, 2 * PAGE_SIZE);
	test_mempool_give(element, 2);
	pile_give(&pile, PILE_PAGES);
	return test_mempool_end();
}

/* Each way is the second time, and the block is handed out once. */
CASE(mempool_rules, a_block_in_the_reserve_is_refused_by_every_pool_and_by_free)
{
	struct page *block;
	struct page *taken;
	uint64_t mark = log_mark();
	mempool_t *other;

	pool = page_pool(2, 1);
	other = mempool_create_page_pool(2, 1);
	EXPECT(pool != NULL && other != NULL);
	taken = mempool_alloc_preallocated(other);
	block = mempool_alloc_preallocated(pool);
	mempool_free(block, pool);
	mempool_free(block, other);
	EXPECT_EQUAL(log_count_since(mark, "it is in the reserve already"), 1);
	EXPECT_EQUAL(mempool_reserve(other), 1);
	__free_pages(block, 1);
	put_page(block);
	free_pages((uintptr_t)page_address(block), 1);
	EXPECT_EQUAL(log_count_since(mark, "in the reserve of a mempool"), 3);

	/* The holder of another reference must drop it itself. */
	get_page(block);
	put_page(block);
	EXPECT_EQUAL(log_count_since(mark, "refused"), 4);
	EXPECT(mempool_alloc_preallocated(pool) == block);
	EXPECT_EQUAL(page_ref_count(block), 1);
	mempool_free(block, pool);
	mempool_free(taken, other);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 4);
	mempool_destroy(other);
	mempool_destroy(pool);
	return NULL;
}

/* The address of the memory in place of the block, and nothing at all. */
CASE(mempool_rules, what_is_no_struct_page_does_not_get_into_a_pool_of_pages)
{
	uint64_t mark = log_mark();
	struct page *block;

	pool = page_pool(2, 0);
	EXPECT(pool != NULL);
	block = mempool_alloc_preallocated(pool);
	mempool_free(page_address(block), pool);
	mempool_free((void *)16, pool);
	mempool_free((char *)block + 8, pool);
	EXPECT_EQUAL(log_count_since(mark, "it is not a block of the pool"), 3);
	EXPECT_EQUAL(mempool_reserve(pool), 1);
	mempool_free(block, pool);
	return test_mempool_end();
}

CASE(mempool_rules, a_block_that_is_free_does_not_get_into_the_reserve)
{
	void *element[3];
	struct page *other;
	uint64_t mark;

	pool = page_pool(2, 1);
	EXPECT(pool != NULL);
	for (unsigned int i = 0; i < 2; i++) {
		element[i] = mempool_alloc_preallocated(pool);
		EXPECT(element[i] != NULL);
	}
	EXPECT_EQUAL(test_mempool_take(&element[2], 1, GFP_ATOMIC), 1);
	other = alloc_page(GFP_KERNEL);
	mark = log_mark();
	__free_pages(element[0], 1);
	mempool_free(element[0], pool);
	mempool_free(other, pool);
	mempool_free((struct page *)element[1] + 1, pool);
	EXPECT_EQUAL(log_count_since(mark, "not a block of the pool"), 3);
	EXPECT_EQUAL(mempool_reserve(pool), 0);
	__free_page(other);
	test_mempool_give(&element[1], 2);
	EXPECT_EQUAL(mempool_reserve(pool), 2);
	return test_mempool_end();
}

CASE(mempool_rules, the_last_reserve_is_for_others_even_under_memalloc)
{
	void *element;

	pool = page_pool(1, 0);
	EXPECT(pool != NULL);
	pile_leave(&pile, 4);
	machine_set_memalloc(true);
	EXPECT_EQUAL(test_mempool_take(&element, 1, GFP_NOIO), 1);
	machine_set_memalloc(false);
	EXPECT_EQUAL(node_free(pile.node), 4);
	EXPECT_EQUAL(mempool_reserve(pool), 0);
	test_mempool_give(&element, 1);
	pile_give(&pile, PILE_PAGES);
	return test_mempool_end();
}

/* A byte that is written at OFFSET of a page in the reserve is reported. */
static const char *test_mempool_spoil(size_t offset)
{
	uint64_t mark;
	struct page *page;
	uint8_t *bytes;

	pool = page_pool(1, 0);
	page = mempool_alloc_preallocated(pool);
	bytes = page_address(page);
	mempool_free(page, pool);
	EXPECT_EQUAL(bytes[0], 0x6b);
	EXPECT_EQUAL(bytes[PAGE_SIZE - 1], 0xa5);
	mark = log_mark();
	EXPECT(mempool_alloc_preallocated(pool) == page);
	EXPECT(!log_contains_since(mark, "written to"));
	mempool_free(page, pool);
	bytes[offset] ^= 1;
	EXPECT(mempool_alloc_preallocated(pool) == page);
	EXPECT_EQUAL(log_count_since(mark, "written to in the reserve"), 1);
	mempool_free(page, pool);
	return test_mempool_end();
}

CASE(mempool_rules, a_write_to_the_reserve_is_noticed)
{
	static const size_t offsets[] = { 0, 1, 2048, PAGE_SIZE - 2,
		                          PAGE_SIZE - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		const char *answer = test_mempool_spoil(offsets[i]);

		if (answer != NULL)
			return answer;
	}
	return NULL;
}

/* ---- Objects ------------------------------------------------------------- */

static struct node *object_node;
static struct kmem_cache *object_cache;

/* A pool of four objects of 100 bytes: of a cache, or of kmalloc(). */
static bool object_pool(bool of_cache)
{
	object_node = slab_machine(256, 1);
	object_cache = kmem_cache_create("element", 100, 0, 0, NULL);
	pool = of_cache ? mempool_create_slab_pool(MIN, object_cache)
	                : mempool_create_kmalloc_pool(MIN, 100);
	pile.node = object_node;
	pile.count = 0;
	return pool != NULL;
}

static const char *object_pool_end(void)
{
	mempool_destroy(pool);
	return slab_machine_end(object_node, object_cache);
}

/* The cache gives what is left in its slab, then the reserve does. */
static const char *object_rules(bool of_cache)
{
	void *element[64];
	unsigned int got;

	EXPECT(object_pool(of_cache));
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	pile_drain(&pile, __GFP_MEMALLOC | __GFP_NOWARN, PILE_PAGES);
	got = test_mempool_take(element, 64, GFP_ATOMIC);
	EXPECT(got > MIN && got < 64);
	EXPECT_EQUAL(mempool_reserve(pool), 0);
	EXPECT_EQUAL(machine_waits(), 0);
	for (unsigned int i = 0; i < got; i++)
		memset(element[i], (int)i, 100);
	test_mempool_give(element, got);
	EXPECT_EQUAL(mempool_reserve(pool), MIN);
	pile_give(&pile, PILE_PAGES);
	return object_pool_end();
}

CASE(mempool_rules, objects_of_a_cache_and_of_kmalloc_need_no_memory)
{
	const char *wrong = object_rules(true);

	return wrong != NULL ? wrong : object_rules(false);
}

static const char *object_misuse(bool of_cache)
{
	uint64_t mark;
	uint8_t *other;
	uint8_t *element;

	EXPECT(object_pool(of_cache));
	other = kmalloc(10, GFP_KERNEL);
	element = mempool_alloc_preallocated(pool);
	mark = log_mark();
	mempool_free(other, pool);
	mempool_free(element + 8, pool);
	mempool_free(&mark, pool);
	EXPECT_EQUAL(log_count_since(mark, "of the pool's"), 3);
	mempool_free(element, pool);
	mempool_free(element, pool);
	EXPECT_EQUAL(log_count_since(mark, "it is in the reserve already"), 1);
	EXPECT_EQUAL(element[0], 0x6b);
	EXPECT_EQUAL(element[99], 0xa5);
	element[50] = 0;
	EXPECT(mempool_alloc_preallocated(pool) == element);
	EXPECT_EQUAL(log_count_since(mark, "was written to in the reserve"), 1);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 5);
	mempool_free(element, pool);
	kfree(other);
	return object_pool_end();
}

CASE(mempool_rules, an_address_outside_of_the_pool_is_refused)
{
	const char *wrong = object_misuse(true);

	return wrong != NULL ? wrong : object_misuse(false);
}

/* ---- Against a model ----------------------------------------------------- */

CASE(mempool_rules, random_takes_and_gives_do_what_two_numbers_do)
{
	struct random random = { .state = test_seed() };
	void *out[ELEMENTS];
	unsigned int taken = 0;
	unsigned int reserve = MIN;

	EXPECT(test_mempool_begin(0));
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int freed = backing.freed;

		backing.have = (unsigned int)random_below(&random, 2);
		if (random_below(&random, 2) == 0 && taken < 32) {
			bool wanted = backing.have > 0 || reserve > 0;
			bool from_reserve = backing.have == 0 && reserve > 0;

			EXPECT_EQUAL(
				test_mempool_take(&out[taken], 1, GFP_ATOMIC),
				wanted);
			taken += wanted;
			reserve -= from_reserve;
		} else if (taken > 0) {
			mempool_free(out[--taken], pool);
			EXPECT_EQUAL(backing.freed - freed, reserve == MIN);
			reserve += reserve < MIN;
		}
		EXPECT_EQUAL(mempool_reserve(pool), reserve);
	}
	test_mempool_give(out, taken);
	return test_mempool_end();
}
