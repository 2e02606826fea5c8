/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_shrinker.c -- how many objects a shrinker is asked for.
 *
 * The numbers are worked out by hand from Linux's arithmetic:
 * delta = (objects >> priority) * 4 / seeks, at most twice the objects, in
 * batches of 128.
 */
#include "lib/random.h"
#include "mm/reclaim/reclaim.h"
#include "mm/reclaim/shrinker.h"
#include "tests/host/libmm.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/suite.h"

SUITE(shrinker);

static struct node *node;

/* A cache of a test's own. */
struct cache {
	struct shrinker shrinker;
	unsigned long objects; /* what it says it has */
	unsigned long stop_at; /* scans until it says SHRINK_STOP */
	unsigned long pages;   /* it reports, for each scan */
	bool needs_fs;         /* SHRINK_STOP without it */
	unsigned long counts;
	unsigned long scans;
	unsigned long scanned; /* objects in all */
	unsigned long largest; /* objects at a time */
	unsigned long smallest;
	gfp_t mask; /* of the last scan */
};

static unsigned long count_cache(struct shrinker *shrinker, gfp_t mask)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);

	cache->mask = mask;
	cache->counts++;
	return cache->objects;
}

static unsigned long scan_cache(struct shrinker *shrinker, gfp_t mask,
                                unsigned long nr)
{
	struct cache *cache = container_of(shrinker, struct cache, shrinker);

	cache->mask = mask;
	if (cache->scans == cache->stop_at ||
	    (cache->needs_fs && !gfp_may_fs(mask)))
		return SHRINK_STOP;
	cache->scans++;
	cache->scanned += nr;
	cache->largest = max(cache->largest, nr);
	cache->smallest = min(cache->smallest, nr);
	mm_account_reclaimed_pages(cache->pages);
	return nr / 2;
}

static struct cache cache_of(unsigned long objects)
{
	return (struct cache){
		.shrinker = { .name = "test",
		              .count_objects = count_cache,
		              .scan_objects = scan_cache,
		              .seeks = DEFAULT_SEEKS },
		.objects = objects,
		.stop_at = ~0UL,
		.smallest = ~0UL,
	};
}

static void test_shrinker_start(void)
{
	machine_start(1024);
	node = machine_one_zone(ZONE_DMA32, 1024);
	machine_set_marks(&node->zone[ZONE_DMA32], 16, 20, 24);
}

static unsigned long slabs_scanned(void)
{
	return vmstat_read(&node->stat, VMSTAT_slabs_scanned);
}

/* Shrink a cache once at PRIORITY. */
static unsigned long test_shrinker_shrink(struct cache *cache, int priority)
{
	unsigned long freed;

	register_shrinker(&cache->shrinker);
	freed = shrink_slab(node, GFP_KERNEL, priority);
	unregister_shrinker(&cache->shrinker);
	return freed;
}

CASE(shrinker, is_asked_for_its_share_by_priority_in_batches_of_128)
{
	static const struct {
		unsigned long objects;
		int priority;
		int seeks;
		unsigned long scanned, deferred;
	} row[] = {
		{ 10000, 12, 2, 0, 4 },        /* 2*4/2 */
		{ 10000, 8, 2, 0, 78 },        /* 39*4/2 */
		{ 10000, 4, 2, 1152, 98 },     /* 1250 = 9*128 + 98 */
		{ 10000, 4, 4, 512, 113 },     /* 625 = 4*128 + 113 */
		{ 10000, 12, 0, 4992, 8 },     /* 5000 = 39*128 + 8 */
		{ 10000, 0, 2, 19968, 32 },    /* 20000 = 156*128 + 32 */
		{ 10000, 0, 1, 19968, 20000 }, /* 40000: half of it at most */
		{ 10, 0, 2, 20, 0 },    /* all there is: one small batch */
		{ 100, 0, 2, 128, 72 }, /* 200 = 128 + 72 */
		{ 100, 3, 2, 0, 24 },   /* 12*4/2 */
		{ 1, 0, 2, 2, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct cache cache = cache_of(row[i].objects);

		test_shrinker_start();
		cache.shrinker.seeks = row[i].seeks;
		test_shrinker_shrink(&cache, row[i].priority);
		if (cache.scanned != row[i].scanned ||
		    cache.shrinker.nr_deferred != row[i].deferred)
			return test_failure(
				"row %zu: %lu scanned and %lu deferred, "
				"expected %lu and %lu",
				i, cache.scanned, cache.shrinker.nr_deferred,
				row[i].scanned, row[i].deferred);
		EXPECT_EQUAL(slabs_scanned(), row[i].scanned);
	}
	return NULL;
}

CASE(shrinker, batches_are_128_or_its_own_and_smaller_only_for_all_there_is)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(1000);
	test_shrinker_shrink(&cache, 0);
	EXPECT_EQUAL(cache.largest, 128);
	EXPECT_EQUAL(cache.smallest, 128);
	EXPECT_EQUAL(cache.scans, 15); /* 2000 / 128 */
	cache = cache_of(1000);
	cache.shrinker.batch = 500;
	test_shrinker_shrink(&cache, 0);
	EXPECT_EQUAL(cache.largest, 500);
	EXPECT_EQUAL(cache.scans, 4);
	cache = cache_of(50);
	test_shrinker_shrink(&cache, 0);
	EXPECT_EQUAL(cache.largest, 100);
	EXPECT_EQUAL(cache.scans, 1);
	return NULL;
}

CASE(shrinker, what_was_deferred_is_asked_for_later_by_the_same_share)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(10000);
	register_shrinker(&cache.shrinker);
	cache.shrinker.nr_deferred = 4000;
	/* 4000 >> 4 = 250, and 1250: 11 batches of 1500. */
	shrink_slab(node, GFP_KERNEL, 4);
	EXPECT_EQUAL(cache.scanned, 1408);
	EXPECT_EQUAL(cache.shrinker.nr_deferred, 4000 + 1250 - 1408);
	/* At most twice the objects are kept for later. */
	cache.shrinker.nr_deferred = 50000;
	cache.stop_at = cache.scans;
	shrink_slab(node, GFP_KERNEL, 4);
	EXPECT_EQUAL(cache.shrinker.nr_deferred, 20000);
	unregister_shrinker(&cache.shrinker);
	return NULL;
}

CASE(shrinker, stop_ends_the_batches_and_defers_the_rest)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(10000);
	cache.stop_at = 2;
	EXPECT_EQUAL(test_shrinker_shrink(&cache, 4), 128);
	EXPECT_EQUAL(cache.scanned, 256);
	EXPECT_EQUAL(cache.shrinker.nr_deferred, 1250 - 256);
	return NULL;
}

CASE(shrinker, an_empty_one_is_not_scanned_and_what_it_deferred_stays)
{
	static const unsigned long answer[] = { 0, SHRINK_EMPTY };

	for (size_t i = 0; i < ARRAY_SIZE(answer); i++) {
		struct cache cache = cache_of(answer[i]);

		test_shrinker_start();
		register_shrinker(&cache.shrinker);
		cache.shrinker.nr_deferred = 77;
		EXPECT_EQUAL(shrink_slab(node, GFP_KERNEL, 0), 0);
		EXPECT_EQUAL(cache.counts, 1);
		EXPECT_EQUAL(cache.scans, 0);
		EXPECT_EQUAL(cache.shrinker.nr_deferred, 77);
		unregister_shrinker(&cache.shrinker);
	}
	return NULL;
}

/* Direct reclaim as an allocation with MASK asks for it. */
static unsigned long test_shrinker_reclaim_with(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, 0, &context, &request, why, sizeof(why)) != GFP_OK)
		panic("%s", why);
	return test_direct_reclaim(node, &request);
}

CASE(shrinker, is_handed_the_mask_and_one_that_needs_fs_defers_under_nofs)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(1000);
	cache.needs_fs = true;
	cache.pages = 1;
	register_shrinker(&cache.shrinker);
	EXPECT_EQUAL(test_shrinker_reclaim_with(GFP_NOFS), 0);
	EXPECT_EQUAL(cache.mask, GFP_NOFS);
	EXPECT_EQUAL(cache.scans, 0);
	EXPECT_EQUAL(cache.shrinker.nr_deferred, 2000);
	EXPECT_EQUAL(test_shrinker_reclaim_with(GFP_NOIO), 0);
	EXPECT(!gfp_may_io(cache.mask) && !gfp_may_fs(cache.mask));
	EXPECT(test_shrinker_reclaim_with(GFP_KERNEL) >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(cache.mask, GFP_KERNEL);
	unregister_shrinker(&cache.shrinker);
	return NULL;
}

CASE(shrinker, only_pages_that_it_reports_count_as_reclaimed)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(1000);
	register_shrinker(&cache.shrinker);
	EXPECT_EQUAL(test_shrinker_reclaim_with(GFP_KERNEL), 0);
	EXPECT(cache.scans > 0);
	cache.pages = 40;
	EXPECT_EQUAL(test_shrinker_reclaim_with(GFP_KERNEL) % 40, 0);
	EXPECT(vmstat_read(&node->stat, VMSTAT_pgsteal_direct) == 0);
	unregister_shrinker(&cache.shrinker);
	return NULL;
}

CASE(shrinker, all_are_called_and_one_that_is_gone_is_not)
{
	struct cache cache[3];

	test_shrinker_start();
	for (size_t i = 0; i < ARRAY_SIZE(cache); i++) {
		cache[i] = cache_of(1000);
		register_shrinker(&cache[i].shrinker);
	}
	unregister_shrinker(&cache[1].shrinker);
	shrink_slab(node, GFP_KERNEL, 0);
	EXPECT_EQUAL(cache[0].counts, 1);
	EXPECT_EQUAL(cache[1].counts, 0);
	EXPECT_EQUAL(cache[2].counts, 1);
	EXPECT_EQUAL(cache[0].shrinker.users, 0);
	EXPECT_EQUAL(cache[2].shrinker.users, 0);
	unregister_shrinker(&cache[0].shrinker);
	unregister_shrinker(&cache[2].shrinker);
	return NULL;
}

static struct cache *in_use;

static bool end_use(struct wait_queue *queue)
{
	if (queue != &node->reclaim.unregister || in_use->shrinker.users == 0)
		return false;
	in_use->shrinker.users = 0;
	return true;
}

CASE(shrinker, its_end_waits_for_threads_that_are_in_it)
{
	struct cache cache;

	test_shrinker_start();
	cache = cache_of(1000);
	in_use = &cache;
	register_shrinker(&cache.shrinker);
	cache.shrinker.users = 1;
	machine_set_wait_hook(end_use);
	unregister_shrinker(&cache.shrinker);
	EXPECT_EQUAL(machine_waits(), 1);
	EXPECT(list_empty(&node->reclaim.shrinkers));
	return NULL;
}

/* ---- Against the formula, written out once more -------------------------- */

static void model_shrink(unsigned long objects, int priority, int seeks,
                         long batch, unsigned long *deferred,
                         unsigned long *scanned)
{
	long long delta =
		seeks == 0 ? (long long)(objects / 2)
			   : (long long)(objects >> priority) * 4 / seeks;
	long long total = (long long)(*deferred >> priority) + delta;
	long long left;
	long long done = 0;

	if (total > 2 * (long long)objects)
		total = 2 * (long long)objects;
	for (left = total; left >= batch || left >= (long long)objects;) {
		long long nr = left < batch ? left : batch;

		left -= nr;
		done += nr;
	}
	*scanned += (unsigned long)done;
	left = (long long)*deferred + delta - done;
	if (left < 0)
		left = 0;
	if (left > 2 * (long long)objects)
		left = 2 * (long long)objects;
	*deferred = (unsigned long)left;
}

CASE(shrinker, random_rounds_do_what_the_formula_says)
{
	struct random random = { test_seed() };
	struct cache cache;
	unsigned long deferred = 0;
	unsigned long scanned = 0;

	test_shrinker_start();
	cache = cache_of(0);
	register_shrinker(&cache.shrinker);
	for (unsigned int i = 0; i < 2000; i++) {
		int priority = (int)random_below(&random, 13);

		cache.objects = 1 + random_below(&random, 5000);
		cache.shrinker.seeks = (int)random_below(&random, 5);
		cache.shrinker.batch = 1 + (long)random_below(&random, 300);
		shrink_slab(node, GFP_KERNEL, priority);
		model_shrink(cache.objects, priority, cache.shrinker.seeks,
		             cache.shrinker.batch, &deferred, &scanned);
		EXPECT_EQUAL(cache.scanned, scanned);
		EXPECT_EQUAL(cache.shrinker.nr_deferred, deferred);
	}
	unregister_shrinker(&cache.shrinker);
	return NULL;
}
