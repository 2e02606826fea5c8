/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slab.c -- the rules of slabs: how many, from where, for whom.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"
#include "tests/host/slab.h"
#include "tests/suite.h"

SUITE(slab_shape);
SUITE(slab_rules);

#define MANY 4096U

static struct node *node;
static void *object[MANY];

/* ---- Arithmetic ---------------------------------------------------------- */

static unsigned int per_slab(size_t size, unsigned int cpus)
{
	return slab_shape_objects(size, slab_shape_order(size, cpus));
}

CASE(slab_shape, orders_with_four_cpus_are_linuxs)
{
	EXPECT_EQUAL(slab_shape_order(96, 4), 0);
	EXPECT_EQUAL(per_slab(96, 4), 42);
	EXPECT_EQUAL(slab_shape_order(192, 4), 0);
	EXPECT_EQUAL(per_slab(192, 4), 21);
	EXPECT_EQUAL(slab_shape_order(4096, 4), 3);
	EXPECT_EQUAL(per_slab(4096, 4), 8);
	EXPECT_EQUAL(slab_shape_order(700, 4), 2);
	EXPECT_EQUAL(per_slab(700, 4), 23);
	return NULL;
}

CASE(slab_shape, orders_with_one_cpu_are_linuxs)
{
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQUAL(slab_shape_order(512U << i, 1), i);
		EXPECT_EQUAL(per_slab(512U << i, 1), 8);
	}
	EXPECT_EQUAL(slab_shape_order(8192, 1), 3);
	return NULL;
}

CASE(slab_shape, an_object_larger_than_order_3_has_a_separate_slab)
{
	EXPECT_EQUAL(slab_shape_order(32769, 1), 4);
	EXPECT_EQUAL(slab_shape_order(4 * MIB, 8), 10);
	EXPECT_EQUAL(per_slab(4 * MIB, 8), 1);
	return NULL;
}

/* 12 KiB: half of order 2 would be lost with one object, a quarter of order 3 with
 * two: neither 1/16 nor 1/8. */
CASE(slab_shape, the_rest_is_a_sixteenth_if_possible_else_an_eighth_and_so_on)
{
	EXPECT_EQUAL(slab_shape_order(12 * KIB, 1), 3);
	/* 448 bytes of order 0, 440 of order 1: more than 1/16, and less. */
	EXPECT_EQUAL(slab_shape_order(456, 1), 1);
	for (size_t size = 8; size <= 32 * KIB; size += 8) {
		size_t bytes = PAGE_SIZE << slab_shape_order(size, 1);

		EXPECT(bytes % size <= bytes / 2);
	}
	return NULL;
}

CASE(slab_shape, min_partial_is_5_up_to_2k_and_6_from_4k)
{
	EXPECT_EQUAL(slab_shape_min_partial(8), 5);
	EXPECT_EQUAL(slab_shape_min_partial(2048), 5);
	EXPECT_EQUAL(slab_shape_min_partial(4096), 6);
	EXPECT_EQUAL(slab_shape_min_partial(4 * MIB), 10);
	return NULL;
}

CASE(slab_shape, partial_slabs_of_a_cpu_are_linuxs)
{
	EXPECT_EQUAL(slab_shape_cpu_partial(64, per_slab(64, 4)), 4);
	EXPECT_EQUAL(slab_shape_cpu_partial(256, per_slab(256, 4)), 7);
	EXPECT_EQUAL(slab_shape_cpu_partial(1024, per_slab(1024, 4)), 3);
	EXPECT_EQUAL(slab_shape_cpu_partial(8192, per_slab(8192, 4)), 3);
	/* The bounds of the four sizes: 2 * 52 of 16, 2 * 24 of 16, 2 * 6 of 8. */
	EXPECT_EQUAL(slab_shape_cpu_partial(255, 16), 15);
	EXPECT_EQUAL(slab_shape_cpu_partial(1023, 16), 7);
	EXPECT_EQUAL(slab_shape_cpu_partial(4095, 16), 3);
	EXPECT_EQUAL(slab_shape_cpu_partial(4096, 8), 2);
	return NULL;
}

/* Buffer size, free word and red zones of the layouts that differ. */
CASE(slab_shape, a_free_word_lies_inside_unless_the_contents_must_stay)
{
	struct slab_shape shape;

	EXPECT(slab_shape_make(&shape, 64, 0, 0, false, 1));
	EXPECT_EQUAL(shape.size, 64);
	EXPECT_EQUAL(shape.offset, 32);
	EXPECT(slab_shape_make(&shape, 64, 0, 0, true, 1));
	EXPECT_EQUAL(shape.size, 72);
	EXPECT_EQUAL(shape.offset, 64);
	EXPECT(slab_shape_make(&shape, 64, 0, SLAB_POISON, false, 1));
	EXPECT_EQUAL(shape.offset, 64);
	EXPECT(slab_shape_make(&shape, 64, 0, SLAB_RED_ZONE, false, 1));
	EXPECT_EQUAL(shape.inuse, 72);
	EXPECT_EQUAL(shape.red_left, 8);
	EXPECT_EQUAL(shape.size, 88);
	EXPECT(slab_shape_make(&shape, 61, 0, SLAB_RED_ZONE, false, 1));
	EXPECT_EQUAL(shape.inuse, 64);
	return NULL;
}

CASE(slab_shape, a_cache_line_is_halved_as_long_as_the_object_fits)
{
	static const struct {
		size_t size;
		size_t align;
	} expected[] = {
		{ 1, 8 }, { 16, 16 }, { 17, 32 }, { 33, 64 }, { 100, 64 },
	};
	struct slab_shape shape;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		EXPECT(slab_shape_make(&shape, expected[i].size, 0,
		                       SLAB_HWCACHE_ALIGN, false, 1));
		EXPECT_EQUAL(shape.align, expected[i].align);
		EXPECT_EQUAL(shape.size % shape.align, 0);
	}
	EXPECT(!slab_shape_make(&shape, 4 * MIB, 0, SLAB_RED_ZONE, false, 1));
	return NULL;
}

/* ---- Masks --------------------------------------------------------------- */

CASE(slab_shape, effort_and_place_are_all_that_pages_get_of_a_mask)
{
	gfp_t cache = slab_gfp_of_cache(true, true);

	EXPECT_EQUAL(cache, __GFP_COMP | __GFP_DMA | __GFP_RECLAIMABLE);
	EXPECT_EQUAL(slab_gfp_pages(~0U, __GFP_COMP),
	             0xbece0 | __GFP_HARDWALL | __GFP_THISNODE | __GFP_COMP);
	EXPECT_EQUAL(slab_gfp_pages(GFP_KERNEL | __GFP_ZERO | __GFP_DMA, cache),
	             GFP_KERNEL | cache);
	return NULL;
}

CASE(slab_shape, the_first_try_is_quick_and_quiet)
{
	const gfp_t quick = __GFP_NOWARN | __GFP_NORETRY;
	gfp_t mask = GFP_KERNEL | __GFP_COMP | __GFP_NOFAIL;

	EXPECT_EQUAL(slab_gfp_first_try(mask, false),
	             GFP_KERNEL | __GFP_COMP | quick);
	EXPECT_EQUAL(slab_gfp_first_try(mask, true),
	             __GFP_IO | __GFP_FS | __GFP_COMP | __GFP_NOMEMALLOC |
	                     quick);
	EXPECT_EQUAL(slab_gfp_first_try(GFP_ATOMIC | __GFP_COMP, true),
	             GFP_ATOMIC | __GFP_COMP | quick);
	return NULL;
}

CASE(slab_shape, dma_comes_before_reclaimable)
{
	EXPECT_EQUAL(slab_gfp_kind(GFP_KERNEL), KMALLOC_NORMAL);
	EXPECT_EQUAL(slab_gfp_kind(GFP_KERNEL | __GFP_RECLAIMABLE),
	             KMALLOC_RCL);
	EXPECT_EQUAL(slab_gfp_kind(GFP_ATOMIC | __GFP_DMA | __GFP_RECLAIMABLE),
	             KMALLOC_DMA);
	return NULL;
}

/* ---- How many slabs ------------------------------------------------------ */

static struct kmem_cache *rules_begin(size_t size, uint32_t flags)
{
	node = slab_machine(2048, 1);
	return kmem_cache_create("test", size, 0, flags, NULL);
}

static const char *rules_end(struct kmem_cache *cache)
{
	return slab_machine_end(node, cache);
}

/* COUNT objects from AT on; how many came. */
static unsigned int rules_take(struct kmem_cache *cache, unsigned int at,
                               unsigned int count, gfp_t gfp)
{
	unsigned int got = 0;

	while (got < count) {
		object[at + got] = kmem_cache_alloc(cache, gfp);
		if (object[at + got] == NULL)
			break;
		got++;
	}
	return got;
}

static void rules_give(struct kmem_cache *cache, unsigned int at,
                       unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		kmem_cache_free(cache, object[at + i]);
}

CASE(slab_rules, a_new_slab_gives_all_its_objects_to_the_cpu)
{
	struct kmem_cache *cache = rules_begin(64, 0);

	EXPECT_EQUAL(rules_take(cache, 0, 64, GFP_KERNEL), 64);
	EXPECT_EQUAL(cache->slabs, 1);
	EXPECT_EQUAL(cache->free_objects, 0);
	for (unsigned int i = 1; i < 64; i++)
		EXPECT((char *)object[i] - (char *)object[i - 1] == 64);
	EXPECT_EQUAL(rules_take(cache, 64, 1, GFP_KERNEL), 1);
	EXPECT_EQUAL(cache->slabs, 2);
	EXPECT_EQUAL(cache->fulls, 1);
	rules_give(cache, 0, 65);
	return rules_end(cache);
}

CASE(slab_rules, the_object_freed_last_is_taken_first)
{
	struct kmem_cache *cache = rules_begin(64, 0);

	EXPECT_EQUAL(rules_take(cache, 0, 3, GFP_KERNEL), 3);
	rules_give(cache, 0, 2);
	EXPECT(kmem_cache_alloc(cache, GFP_ATOMIC) == object[1]);
	EXPECT(kmem_cache_alloc(cache, GFP_ATOMIC) == object[0]);
	rules_give(cache, 0, 3);
	return rules_end(cache);
}

/* 1024 bytes, one CPU: order 1, 8 objects, 6 slabs on a CPU's list. */
CASE(slab_rules, a_full_slabs_first_free_brings_it_to_the_cpu)
{
	struct kmem_cache *cache = rules_begin(1024, 0);

	EXPECT_EQUAL(cache->cpu_partial, 6);
	EXPECT_EQUAL(rules_take(cache, 0, 81, GFP_KERNEL), 81);
	EXPECT_EQUAL(cache->fulls, 10);
	for (unsigned int i = 0; i < 6; i++) {
		rules_give(cache, 8 * i, 1);
		EXPECT_EQUAL(cache->cpu[0].partials, i + 1);
		EXPECT_EQUAL(cache->partials, 0);
	}
	rules_give(cache, 48, 1);
	EXPECT_EQUAL(cache->cpu[0].partials, 1);
	EXPECT_EQUAL(cache->partials, 6);
	EXPECT_EQUAL(cache->fulls, 3);
	for (unsigned int i = 0; i < 81; i++) {
		if (i > 48 || i % 8 != 0)
			kmem_cache_free(cache, object[i]);
	}
	return rules_end(cache);
}

/* The line of `slabinfo`: objects on a CPU's list count as active, as in Linux. */
CASE(slab_rules, the_numbers_of_a_cache_are_those_of_its_slabs)
{
	struct kmem_cache *cache = rules_begin(1024, 0);
	struct slab_info info;
	unsigned int index = 0;

	EXPECT_EQUAL(rules_take(cache, 0, 20, GFP_KERNEL), 20);
	while (slab_info_read(node, index, &info) &&
	       strcmp(info.name, "test") != 0)
		index++;
	EXPECT(strcmp(info.name, "test") == 0);
	EXPECT_EQUAL(info.object_size, 1024);
	EXPECT_EQUAL(info.objects_per_slab, 8);
	EXPECT_EQUAL(info.pages_per_slab, 2);
	EXPECT_EQUAL(info.slabs, 3);
	EXPECT_EQUAL(info.objects, 24);
	EXPECT_EQUAL(info.active_objects, 24);
	EXPECT(!slab_info_read(node, 1000, &info));
	rules_give(cache, 0, 20);
	return rules_end(cache);
}

/* The first one becomes the CPU's slab; more than half of six follow. */
CASE(slab_rules, a_refill_takes_partial_slabs_until_more_than_half)
{
	struct kmem_cache *cache = rules_begin(1024, 0);

	EXPECT_EQUAL(rules_take(cache, 0, 80, GFP_KERNEL), 80);
	for (unsigned int i = 0; i < 7; i++)
		rules_give(cache, 8 * i, 1);
	EXPECT_EQUAL(cache->partials, 6);
	/* The one that the CPU has on its list. */
	EXPECT_EQUAL(rules_take(cache, 48, 1, GFP_KERNEL), 1);
	EXPECT_EQUAL(cache->cpu[0].partials, 0);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL), 1);
	EXPECT_EQUAL(cache->cpu[0].partials, 4);
	EXPECT_EQUAL(cache->partials, 1);
	EXPECT_EQUAL(cache->slabs, 10);
	for (unsigned int i = 0; i < 80; i++) {
		if (i == 0 || i >= 48 || i % 8 != 0)
			kmem_cache_free(cache, object[i]);
	}
	return rules_end(cache);
}

/* A debug cache has no CPU lists, so each step is the cache's own. */
CASE(slab_rules, an_empty_slab_is_freed_if_there_are_min_partial_others)
{
	struct kmem_cache *cache = rules_begin(1000, SLAB_CONSISTENCY_CHECKS);
	unsigned int each =
		slab_shape_objects(cache->shape.size, cache->shape.order);

	EXPECT_EQUAL(cache->min_partial, 5);
	EXPECT_EQUAL(rules_take(cache, 0, 7 * each, GFP_KERNEL), 7 * each);
	EXPECT_EQUAL(cache->fulls, 7);
	for (unsigned int i = 0; i < 7; i++) {
		rules_give(cache, i * each, each);
		/* The fifth is the fifth one itself. */
		EXPECT_EQUAL(cache->slabs, i < 4 ? 7 : 10 - i);
		EXPECT_EQUAL(cache->partials, min(i + 1, 4U));
	}
	return rules_end(cache);
}

CASE(slab_rules, shrink_frees_all_empty_slabs_and_no_other)
{
	struct kmem_cache *cache = rules_begin(1024, 0);
	unsigned long free = node_free(node);
	struct page *slab;

	EXPECT_EQUAL(rules_take(cache, 0, 400, GFP_KERNEL), 400);
	slab = slab_head_of(node, object[0]);
	EXPECT(slab->order == 1 && slab[1].slab_head == slab);
	rules_give(cache, 0, 399);
	EXPECT(cache->slabs > 1);
	EXPECT_EQUAL(kmem_cache_shrink(cache), 1);
	EXPECT_EQUAL(cache->slabs, 1);
	rules_give(cache, 399, 1);
	EXPECT_EQUAL(kmem_cache_shrink(cache), 0);
	EXPECT_EQUAL(cache->slabs, 0);
	EXPECT(slab->slab_cache == NULL && slab[1].slab_head == NULL);
	EXPECT_EQUAL(node_free(node), free);
	return rules_end(cache);
}

/* ---- From which pages ---------------------------------------------------- */

static struct page *rules_slab(const void *address)
{
	return slab_head_of(node, address);
}

CASE(slab_rules, pages_are_asked_for_at_the_preferred_order_without_effort)
{
	struct kmem_cache *cache = rules_begin(2048, 0);

	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL | __GFP_ZERO), 1);
	EXPECT_EQUAL(rules_slab(object[0])->order, 2);
	EXPECT_EQUAL(rules_slab(object[0])->gfp,
	             slab_gfp_first_try(GFP_KERNEL | __GFP_COMP, true));
	rules_give(cache, 0, 1);
	return rules_end(cache);
}

/* All memory in single pages, each second one free: no order above 0. */
static unsigned int rules_fragment(struct page **page)
{
	unsigned int count = 0;

	while ((page[count] = alloc_page(GFP_NOWAIT)) != NULL)
		count++;
	for (unsigned int i = 0; i < count; i += 2) {
		__free_page(page[i]);
		page[i] = NULL;
	}
	return count;
}

static void rules_defragment(struct page **page, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (page[i] != NULL)
			__free_page(page[i]);
	}
}

CASE(slab_rules, without_that_order_the_smallest_is_asked_for_with_all_effort)
{
	struct kmem_cache *cache = rules_begin(2048, 0);
	static struct page *page[MANY];
	unsigned int count = rules_fragment(page);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(rules_take(cache, 0, 3, GFP_ATOMIC), 3);
	EXPECT_EQUAL(rules_slab(object[0])->order, 0);
	EXPECT_EQUAL(rules_slab(object[0])->gfp, GFP_ATOMIC | __GFP_COMP);
	EXPECT_EQUAL(cache->slabs, 2);
	EXPECT_EQUAL(log_count_since(mark, "failure"), 0);
	rules_give(cache, 0, 3);
	rules_defragment(page, count);
	return rules_end(cache);
}

CASE(slab_rules, highmem_and_dma32_are_taken_away_with_a_report_each_time)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark = log_mark();

	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQUAL(
			rules_take(cache, 0, 1,
		                   GFP_KERNEL | __GFP_HIGHMEM | __GFP_DMA32),
			1);
		rules_give(cache, 0, 1);
	}
	EXPECT_EQUAL(log_count_since(mark,
	                             "__GFP_HIGHMEM|__GFP_DMA32: makes no "
	                             "sense"),
	             3);
	return rules_end(cache);
}

CASE(slab_rules, account_and_exclusive_are_refused_by_name)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL_ACCOUNT), 0);
	EXPECT_EQUAL(log_count_since(mark, "__GFP_ACCOUNT: not supported"), 1);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_ATOMIC | __GFP_EXCLUSIVE), 0);
	EXPECT_EQUAL(log_count_since(mark, "__GFP_EXCLUSIVE"), 1);
	EXPECT_EQUAL(cache->slabs, 0);
	return rules_end(cache);
}

CASE(slab_rules, a_mask_that_may_sleep_is_refused_where_that_is_impossible)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark = log_mark();

	/* Also where an object is at hand. */
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL), 1);
	rules_give(cache, 0, 1);
	machine_enter_irq(NULL);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL), 0);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_ATOMIC), 1);
	rules_give(cache, 0, 1);
	machine_leave_irq();
	EXPECT_EQUAL(log_count_since(mark, "cannot sleep here"), 1);
	return rules_end(cache);
}

CASE(slab_rules, an_nmi_gets_nothing_gives_nothing_and_is_silent)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark = log_mark();

	EXPECT_EQUAL(rules_take(cache, 0, 2, GFP_KERNEL), 2);
	machine_enter_nmi();
	EXPECT(kmem_cache_alloc(cache, GFP_ATOMIC) == NULL);
	kmem_cache_free(cache, object[0]);
	kfree(object[0]);
	EXPECT(kmalloc(64, GFP_ATOMIC) == NULL);
	EXPECT(kmalloc(10000, GFP_ATOMIC) == NULL);
	machine_leave_nmi();
	EXPECT_EQUAL(log_count_since(mark, ""), 0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_in_nmi), 5);
	rules_give(cache, 0, 2);
	return rules_end(cache);
}

CASE(slab_rules, zero_is_done_for_the_object_and_with_a_constructor_reported)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark;

	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL), 1);
	memset(object[0], 0x77, 64);
	rules_give(cache, 0, 1);
	EXPECT(kmem_cache_alloc(cache, GFP_KERNEL | __GFP_ZERO) == object[0]);
	for (unsigned int i = 0; i < 64; i++)
		EXPECT_EQUAL(((uint8_t *)object[0])[i], 0);
	rules_give(cache, 0, 1);
	kmem_cache_destroy(cache);

	cache = kmem_cache_create("built", 64, 0, 0, slab_machine_construct);
	mark = log_mark();
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_KERNEL | __GFP_ZERO), 1);
	EXPECT_EQUAL(log_count_since(mark, "has a constructor"), 1);
	rules_give(cache, 0, 1);
	return rules_end(cache);
}

CASE(slab_rules, memory_without_watermarks_is_for_entitled_requests)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	static struct page *page[MANY];
	unsigned int count = 0;

	machine_set_marks(&node->zone[ZONE_NORMAL], 64, 80, 96);
	while ((page[count] = alloc_page(GFP_NOWAIT)) != NULL)
		count++;
	machine_set_memalloc(true);
	EXPECT_EQUAL(rules_take(cache, 0, 2, GFP_NOWAIT), 2);
	EXPECT(rules_slab(object[0]) == rules_slab(object[1]));
	EXPECT(rules_slab(object[0])->flags & PAGE_PFMEMALLOC);
	EXPECT_EQUAL(rules_take(cache, 2, 1, GFP_NOWAIT | __GFP_NOMEMALLOC), 0);
	machine_set_memalloc(false);
	EXPECT_EQUAL(rules_take(cache, 2, 1, GFP_NOWAIT), 0);
	EXPECT_EQUAL(rules_take(cache, 2, 1, GFP_NOWAIT | __GFP_MEMALLOC), 1);
	EXPECT(rules_slab(object[2]) == rules_slab(object[0]));
	EXPECT_EQUAL(cache->slabs, 1);
	rules_give(cache, 0, 3);
	while (count > 0)
		__free_page(page[--count]);
	return rules_end(cache);
}

/* More of them than one request looks at lie before the slabs that suit. */
CASE(slab_rules, slabs_of_the_reserve_do_not_hide_the_others)
{
	struct kmem_cache *cache = rules_begin(1024, 0);
	static struct page *page[MANY];
	unsigned int count = 0;
	unsigned long slabs;

	machine_set_marks(&node->zone[ZONE_NORMAL], 64, 80, 96);
	while ((page[count] = alloc_page(GFP_NOWAIT)) != NULL)
		count++;
	EXPECT_EQUAL(rules_take(cache, 100, 160, GFP_NOWAIT | __GFP_MEMALLOC),
	             160);
	while (count > 0)
		__free_page(page[--count]);
	for (unsigned int i = 0; i < 20; i++)
		rules_give(cache, 100 + 8 * i, 1);
	EXPECT_EQUAL(cache->partials, 20);
	EXPECT_EQUAL(rules_take(cache, 0, 81, GFP_NOWAIT), 81);
	for (unsigned int i = 0; i < 7; i++)
		rules_give(cache, 8 * i, 1);
	slabs = cache->slabs;
	/* The CPU's slab has seven free objects, its partial one another.  Then one
	 * request looks in vain and makes a slab, of eight.  The next ones find the six
	 * that are left. */
	EXPECT_EQUAL(rules_take(cache, 81, 16, GFP_NOWAIT), 16);
	for (unsigned int i = 0; i < 6; i++)
		EXPECT_EQUAL(rules_take(cache, 8 * i, 1, GFP_NOWAIT), 1);
	EXPECT_EQUAL(cache->slabs, slabs + 1);
	for (unsigned int i = 0; i < 97; i++) {
		if (i != 48)
			kmem_cache_free(cache, object[i]);
	}
	for (unsigned int i = 0; i < 160; i++) {
		if (i % 8 != 0)
			kmem_cache_free(cache, object[100 + i]);
	}
	return rules_end(cache);
}

CASE(slab_rules, a_failure_is_reported_once_in_ten_seconds_unless_silent)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	static struct page *page[MANY];
	unsigned int count = 0;
	uint64_t mark;

	while ((page[count] = alloc_page(GFP_ATOMIC | __GFP_NOWARN |
	                                 __GFP_MEMALLOC)) != NULL)
		count++;
	mark = log_mark();
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_NOWAIT), 0);
	EXPECT_EQUAL(log_count_since(mark, "no memory for test"), 0);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_ATOMIC), 0);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_ATOMIC), 0);
	EXPECT_EQUAL(log_count_since(mark, "no memory for test"), 1);
	machine_advance(10000001);
	EXPECT_EQUAL(rules_take(cache, 0, 1, GFP_ATOMIC), 0);
	EXPECT_EQUAL(log_count_since(mark, "no memory for test"), 2);
	while (count > 0)
		__free_page(page[--count]);
	return rules_end(cache);
}

/* ---- Interrupts ---------------------------------------------------------- */

/* Somebody has the CPU's list, and is interrupted. */
CASE(slab_rules, who_finds_the_list_taken_is_served_from_elsewhere)
{
	struct kmem_cache *cache = rules_begin(64, 0);
	uint64_t mark = log_mark();
	uint64_t free;

	EXPECT_EQUAL(rules_take(cache, 0, 65, GFP_KERNEL), 65);
	rules_give(cache, 0, 2);
	free = cache->cpu[0].free;
	cache->cpu[0].busy = 1;
	machine_enter_irq(NULL);
	EXPECT_EQUAL(rules_take(cache, 65, 3, GFP_ATOMIC), 3);
	kmem_cache_free(cache, object[64]);
	kmem_cache_free(cache, object[64]);
	EXPECT_EQUAL(rules_take(cache, 64, 1, GFP_ATOMIC), 1);
	machine_leave_irq();
	EXPECT_EQUAL(cache->cpu[0].free, free);
	cache->cpu[0].busy = 0;
	EXPECT(slab_machine_distinct(&object[2], 66));
	EXPECT_EQUAL(log_count_since(mark, "double free"), 1);
	rules_give(cache, 2, 66);
	return rules_end(cache);
}

/* ---- A random history ---------------------------------------------------- */

static const char *rules_random(struct kmem_cache *cache, size_t size,
                                struct random *random)
{
	unsigned int held = 0;

	for (unsigned int step = 0; step < 20000; step++) {
		bool grow = random_below(random, 100) <
		            (step / 2000 % 2 == 0 ? 60 : 40);
		unsigned int at;
		char text[160];

		if (grow && held < 1000) {
			object[held] = kmem_cache_alloc(cache, GFP_ATOMIC);
			EXPECT(object[held] != NULL);
			slab_machine_sign(object[held], size);
			held++;
		} else if (held > 0) {
			at = (unsigned int)random_below(random, held);
			EXPECT(slab_machine_is_signed(object[at], size));
			kmem_cache_free(cache, object[at]);
			object[at] = object[--held];
		}
		if (step % 500 == 0 &&
		    slab_check(node, text, sizeof(text)) != NULL)
			return test_failure("step %u: %s", step, text);
	}
	EXPECT(slab_machine_distinct(object, held));
	rules_give(cache, 0, held);
	return NULL;
}

/* ---- While somebody checks ------------------------------------------------ */

static struct kmem_cache *checked_cache;
static unsigned int checked_unlocks;
static bool checked_gives;

/* As soon as a lock has been given back often enough, another thread takes an object, or
 * gives the only one back. */
static void take_while_checked(const struct spinlock *lock __unused)
{
	if (checked_unlocks == 0 || --checked_unlocks > 0)
		return;
	if (checked_gives)
		kmem_cache_free(checked_cache, object[0]);
	else
		object[1] = kmem_cache_alloc(checked_cache, GFP_KERNEL);
}

/* Something happens at unlock AT of a check; *ENDED: the check had ended before. */
static const char *check_beside(unsigned int at, bool gives, bool *ended)
{
	char text[200];
	const char *wrong;

	node = slab_machine(2048, 1);
	checked_cache = kmem_cache_create("test", 96, 0, 0, NULL);
	EXPECT(checked_cache != NULL);
	object[0] = kmem_cache_alloc(checked_cache, GFP_KERNEL);
	object[1] = NULL;
	(void)kmem_cache_shrink(checked_cache);
	EXPECT_EQUAL(checked_cache->partials, 1);
	checked_unlocks = at;
	checked_gives = gives;
	machine_set_unlock_hook(take_while_checked);
	wrong = slab_check(node, text, sizeof(text));
	machine_set_unlock_hook(NULL);
	if (wrong != NULL)
		return test_failure("unlock %u: %s", at, wrong);
	*ended = checked_unlocks > 0;
	EXPECT_EQUAL(object[1] != NULL, !gives && !*ended);
	if (!gives || *ended)
		kmem_cache_free(checked_cache, object[0]);
	if (object[1] != NULL)
		kmem_cache_free(checked_cache, object[1]);
	return rules_end(checked_cache);
}

/* The only slab with free objects is on no list for a while. */
CASE(slab_rules, others_take_and_give_at_each_moment_of_a_check)
{
	for (unsigned int gives = 0; gives < 2; gives++) {
		bool ended = false;

		for (unsigned int at = 1; !ended; at++) {
			const char *wrong = check_beside(at, gives, &ended);

			if (wrong != NULL)
				return wrong;
		}
	}
	return NULL;
}

CASE(slab_rules, random_takes_and_gives_keep_every_object_and_the_invariants)
{
	static const uint32_t flags[] = { 0, SLAB_POISON | SLAB_RED_ZONE,
		                          SLAB_HWCACHE_ALIGN };
	static const size_t sizes[] = { 8, 24, 96, 700, 3000, 9000 };
	struct random random = { .state = test_seed() };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes) * 3; i++) {
		size_t size = sizes[i / 3];
		struct kmem_cache *cache;
		const char *wrong;
		uint64_t mark = log_mark();

		node = slab_machine(8192, 1);
		cache = kmem_cache_create("test", size, 0, flags[i % 3], NULL);
		EXPECT(cache != NULL);
		wrong = rules_random(cache, size, &random);
		if (wrong == NULL)
			wrong = rules_end(cache);
		if (wrong != NULL)
			return test_failure("size %zu: %s", size, wrong);
		EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	}
	return NULL;
}
