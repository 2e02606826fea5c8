/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_kfence.c -- objects between guards: each mistake is made, and the fault
 * or the report expected.
 */
#include <string.h>

#include "lib/errno.h"
#include "mm/debug/fault_inject.h"
#include "mm/slab/kfence_internal.h"
#include "mm/slab/kmalloc.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(kfence);

#define PAGES      2048UL
#define POOL_ORDER 3 /* 8 pages: 3 objects */
#define OBJECTS    3UL

static struct node *node;
static struct page *pool;
static unsigned long again_calls;
static unsigned long again_interval;

static void kfence_again(unsigned long interval)
{
	again_calls++;
	again_interval = interval;
}

static void kfence_begin(uint32_t debug)
{
	struct kfence_settings settings = {
		.pages = 1UL << POOL_ORDER,
		.interval = 7,
		.again = kfence_again,
	};

	again_calls = 0;
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	machine_start_exclusive(node, 0); /* owners have names */
	node->slab.debug = debug;
	if (!slab_start(node, 1, SLAB_KEY))
		panic("there is no memory for the test");
	pool = alloc_pages(GFP_KERNEL, POOL_ORDER);
	if (pool == NULL)
		panic("there is no memory for the pool");
	settings.pfn = node_pfn(node, pool);
	machine_split_at_boot(settings.pfn);
	if (!kfence_start(node, &settings))
		panic("there is no memory for the records");
	kfence_explain_faults();
}

static const char *kfence_end(void)
{
	EXPECT(kfence_stop(node));
	EXPECT(node->slab.kfence == NULL);
	__free_pages(pool, POOL_ORDER);
	EXPECT(slab_stop(node));
	return machine_finish();
}

static uint8_t *kfence_sample(size_t size)
{
	kfence_open(node);
	return kmalloc(size, GFP_KERNEL);
}

static unsigned long kfence_bugs(void)
{
	struct kfence_counts counts;

	kfence_read(node, &counts);
	return counts.bugs;
}

/* ---- The sample ---------------------------------------------------------- */

CASE(kfence, one_request_after_each_opening_is_served_by_the_pool)
{
	struct kfence_counts counts;
	uint8_t *object[3];

	kfence_begin(0);
	EXPECT_EQUAL(again_calls, 1);
	for (unsigned int i = 0; i < 3; i++) {
		if (i == 1)
			kfence_open(node);
		object[i] = kmalloc(100, GFP_KERNEL);
		EXPECT_EQUAL(is_kfence_address(node, object[i]), i == 1);
	}
	EXPECT_EQUAL(again_calls, 2);
	EXPECT_EQUAL(again_interval, 7);
	kfence_read(node, &counts);
	EXPECT_EQUAL(counts.objects, OBJECTS);
	EXPECT_EQUAL(counts.in_use, 1);
	EXPECT_EQUAL(counts.sampled, 1);
	for (unsigned int i = 0; i < 3; i++)
		kfree(object[i]);
	EXPECT_EQUAL(kfence_bugs(), 0);
	return kfence_end();
}

CASE(kfence, a_request_that_does_not_suit_leaves_the_sample_to_the_next)
{
	uint8_t *large;
	uint8_t *device;
	uint8_t *object;

	kfence_begin(0);
	large = kfence_sample(PAGE_SIZE + 1);
	device = kmalloc(100, GFP_KERNEL | __GFP_DMA);
	object = kmalloc(PAGE_SIZE, GFP_KERNEL);
	EXPECT(large != NULL && !is_kfence_address(node, large));
	EXPECT(device == NULL || !is_kfence_address(node, device));
	EXPECT(is_kfence_address(node, object));
	memset(object, 1, PAGE_SIZE);
	kfree(large);
	kfree(device);
	kfree(object);
	return kfence_end();
}

CASE(kfence, when_all_pages_are_in_use_a_slab_serves_the_request)
{
	uint8_t *object[OBJECTS + 1];
	struct kfence_counts counts;

	kfence_begin(0);
	for (unsigned long i = 0; i <= OBJECTS; i++) {
		object[i] = kfence_sample(100);
		EXPECT_EQUAL(is_kfence_address(node, object[i]), i < OBJECTS);
	}
	kfence_read(node, &counts);
	EXPECT_EQUAL(counts.skipped, 1);
	EXPECT_EQUAL(counts.in_use, OBJECTS);
	EXPECT_EQUAL(again_calls, 1 + OBJECTS + 1);
	EXPECT(!kfence_stop(node));
	for (unsigned long i = 0; i <= OBJECTS; i++)
		kfree(object[i]);
	return kfence_end();
}

CASE(kfence, the_object_that_was_freed_longest_ago_is_taken_next)
{
	uint8_t *first;
	uint8_t *object;

	kfence_begin(0);
	first = kfence_sample(100);
	kfree(first);
	for (unsigned long i = 1; i < OBJECTS; i++) {
		object = kfence_sample(100);
		EXPECT(ALIGN_DOWN((uintptr_t)object, PAGE_SIZE) !=
		       ALIGN_DOWN((uintptr_t)first, PAGE_SIZE));
		kfree(object);
	}
	object = kfence_sample(100);
	EXPECT_EQUAL(ALIGN_DOWN((uintptr_t)object, PAGE_SIZE),
	             ALIGN_DOWN((uintptr_t)first, PAGE_SIZE));
	/* ... at the other side of the page. */
	EXPECT(object != first);
	kfree(object);
	return kfence_end();
}

CASE(kfence, an_interval_of_0_closes_the_pool_and_another_opens_it_later)
{
	uint8_t *object;

	kfence_begin(0);
	kfence_open(node);
	EXPECT_EQUAL(kfence_set_interval(node, 0), 0);
	EXPECT_EQUAL(kfence_interval(node), 0);
	/* Work that was on its way comes too late. */
	object = kfence_sample(100);
	EXPECT(!is_kfence_address(node, object));
	kfree(object);
	EXPECT_EQUAL(again_calls, 1);
	EXPECT_EQUAL(kfence_set_interval(node, 20), 0);
	EXPECT_EQUAL(again_calls, 2);
	EXPECT_EQUAL(again_interval, 20);
	object = kfence_sample(100);
	EXPECT(is_kfence_address(node, object));
	kfree(object);
	return kfence_end();
}

CASE(kfence, without_a_pool_an_interval_is_refused)
{
	kfence_begin(0);
	EXPECT(kfence_stop(node));
	EXPECT_EQUAL(kfence_set_interval(node, 100), -ENODEV);
	EXPECT_EQUAL(kfence_set_interval(node, 0), 0);
	EXPECT_EQUAL(node->slab.detour, 0);
	__free_pages(pool, POOL_ORDER);
	EXPECT(slab_stop(node));
	return machine_finish();
}

CASE(kfence, a_pool_with_one_object_in_use_does_not_end)
{
	uint8_t *object;

	kfence_begin(0);
	object = kfence_sample(100);
	EXPECT(!kfence_stop(node));
	EXPECT(is_kfence_address(node, object));
	kfree(object);
	return kfence_end();
}

CASE(kfence, without_memory_for_its_records_there_is_no_pool)
{
	struct kfence_settings settings;

	kfence_begin(0);
	settings = node->slab.kfence->settings;
	EXPECT(kfence_stop(node));
	fail_nth_set(machine_main(), 1, false);
	EXPECT(!kfence_start(node, &settings));
	fail_nth_set(machine_main(), 0, false);
	EXPECT(node->slab.kfence == NULL);
	EXPECT(!machine_faults(page_address(pool), true, NULL));
	EXPECT(kfence_start(node, &settings));
	return kfence_end();
}

CASE(kfence, the_pool_is_a_192nd_of_memory_and_small_machines_have_none)
{
	EXPECT_EQUAL(kfence_pool_pages(1024), 0);
	EXPECT_EQUAL(kfence_pool_pages(32 * 192 - 1), 0);
	EXPECT_EQUAL(kfence_pool_pages(32 * 192), 32);
	EXPECT_EQUAL(kfence_pool_pages(16384), 64);
	EXPECT_EQUAL(kfence_pool_pages(1UL << 17), 512);
	EXPECT_EQUAL(kfence_pool_pages(1UL << 24), 512);
	return NULL;
}

/* ---- Objects as any other ------------------------------------------------ */

static void kfence_construct(void *object)
{
	memset(object, 0x3c, 48);
}

CASE(kfence, objects_are_zeroed_constructed_and_aligned_as_from_a_slab)
{
	static const uint8_t zero[100];
	struct kmem_cache *cache;
	uint8_t *object;

	kfence_begin(0);
	cache = kmem_cache_create("made", 48, 0, 0, kfence_construct);
	EXPECT(cache != NULL);
	for (unsigned long i = 0; i < 2 * OBJECTS; i++) {
		kfence_open(node);
		object = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(is_kfence_address(node, object));
		EXPECT(object[0] == 0x3c && object[47] == 0x3c);
		EXPECT(kmem_cache_has(cache, object));
		kmem_cache_free(cache, object);
		kfence_open(node);
		object = kzalloc(100, GFP_KERNEL);
		EXPECT(is_kfence_address(node, object));
		EXPECT(memcmp(object, zero, 100) == 0);
		EXPECT_EQUAL((uintptr_t)object % 128, 0);
		memset(object, 0xff, 100);
		kfree(object);
	}
	EXPECT_EQUAL(kfence_bugs(), 0);
	kmem_cache_destroy(cache);
	return kfence_end();
}

CASE(kfence, ksize_is_what_was_asked_for_and_krealloc_keeps_the_bytes)
{
	uint8_t *object;
	uint8_t *larger;

	kfence_begin(0);
	object = kfence_sample(100);
	EXPECT_EQUAL(ksize(object), 100);
	EXPECT(kmalloc_has(object, 100) && !kmalloc_has(object, 101));
	memset(object, 0x5e, 100);
	larger = krealloc(object, 120, GFP_KERNEL);
	EXPECT(larger != object && !is_kfence_address(node, larger));
	EXPECT(larger[0] == 0x5e && larger[99] == 0x5e);
	EXPECT(machine_faults(object, false, NULL));
	kfree(larger);
	return kfence_end();
}

CASE(kfence, an_address_that_begins_no_object_in_use_has_no_size)
{
	uint8_t *object;

	kfence_begin(0);
	object = kfence_sample(100);
	EXPECT_EQUAL(ksize(object + 8), 0);
	EXPECT(!kmalloc_has(object + 8, 1));
	kfree(object);
	EXPECT(!kmalloc_has(object, 1));
	return kfence_end();
}

CASE(kfence, a_cache_with_an_object_in_the_pool_is_not_destroyed)
{
	unsigned long said = machine_said("is still in use: the cache stays");
	struct kmem_cache *cache;
	void *object;

	kfence_begin(0);
	cache = kmem_cache_create("kept", 64, 0, 0, NULL);
	EXPECT(cache != NULL);
	kfence_open(node);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(is_kfence_address(node, object));
	kmem_cache_destroy(cache);
	EXPECT_EQUAL(machine_said("is still in use: the cache stays"),
	             said + 1);
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	return kfence_end();
}

/* ---- Mistakes ------------------------------------------------------------ */

/* In the second round all objects lie at the other side of their page. */
CASE(kfence, a_byte_behind_or_before_an_object_faults_at_one_of_its_sides)
{
	unsigned int behind = 0;
	unsigned int before = 0;
	struct fault fault = { 0 };

	kfence_begin(0);
	for (unsigned long i = 0; i < 2 * OBJECTS; i++) {
		uint8_t *object = kfence_sample(128);

		EXPECT(!machine_faults(object, true, &fault));
		EXPECT(!machine_faults(object + 127, true, &fault));
		if (machine_faults(object + 128, true, &fault)) {
			behind++;
			EXPECT(strstr(fault.area.what, "behind") != NULL);
		} else {
			before++;
			EXPECT(machine_faults(object - 1, false, &fault));
			EXPECT(strstr(fault.area.what, "before") != NULL);
		}
		EXPECT_EQUAL(fault.kind, FAULT_OBJECT_BOUNDS);
		EXPECT_EQUAL(fault.area.start, (uintptr_t)object);
		EXPECT_EQUAL(fault.area.size, 128);
		EXPECT_EQUAL(fault.area.taker, machine_main()->owner.id);
		kfree(object);
	}
	EXPECT_EQUAL(behind, OBJECTS);
	EXPECT_EQUAL(before, OBJECTS);
	return kfence_end();
}

CASE(kfence, between_two_objects_the_nearer_one_is_blamed)
{
	struct fault fault = { 0 };
	uint8_t *object[OBJECTS];
	const uint8_t *guard;

	kfence_begin(0);
	/* 0 at the end of its page, 1 at the start of the next. */
	for (unsigned long i = 0; i < OBJECTS; i++)
		object[i] = kfence_sample(128);
	guard = object[0] + 128;
	EXPECT_EQUAL((uintptr_t)guard % PAGE_SIZE, 0);
	EXPECT(object[1] == guard + PAGE_SIZE);
	EXPECT(machine_faults(guard + 2047, true, &fault));
	EXPECT_EQUAL(fault.area.start, (uintptr_t)object[0]);
	EXPECT(machine_faults(guard + 2049, true, &fault));
	EXPECT_EQUAL(fault.area.start, (uintptr_t)object[1]);
	/* One that is free is not out of bounds. */
	kfree(object[1]);
	EXPECT(machine_faults(guard + 4000, true, &fault));
	EXPECT_EQUAL(fault.area.start, (uintptr_t)object[0]);
	kfree(object[0]);
	kfree(object[2]);
	return kfence_end();
}

CASE(kfence, a_touch_of_a_freed_object_faults_and_names_who_freed_it)
{
	struct fault fault = { 0 };
	unsigned long before;
	unsigned long freed;
	uint8_t *object;

	kfence_begin(0);
	object = kfence_sample(100);
	kfree_on(node, object, (uintptr_t)kfence_begin);
	EXPECT(machine_faults(object + 50, false, &fault));
	EXPECT_EQUAL(fault.kind, FAULT_OBJECT_FREED);
	EXPECT_EQUAL(fault.area.start, (uintptr_t)object);
	EXPECT_EQUAL(fault.area.size, 100);
	EXPECT_EQUAL(fault.area.caller, (uintptr_t)kfence_begin);
	EXPECT_EQUAL(fault.area.taker, machine_main()->owner.id);
	/* As a panic does: which object, and both contexts. */
	before = machine_said("kfence: 100 bytes of kmalloc-128 at");
	freed = machine_said("  freed at");
	kfence_print_fault();
	EXPECT_EQUAL(machine_said("kfence: 100 bytes of kmalloc-128 at"),
	             before + 1);
	EXPECT_EQUAL(machine_said("  freed at"), freed + 1);
	return kfence_end();
}

CASE(kfence, a_touch_of_a_page_that_nobody_has_had_blames_nobody)
{
	struct fault fault;

	kfence_begin(0);
	for (unsigned long page = 0; page < 1UL << POOL_ORDER; page++) {
		const char *at = (char *)direct_map_base +
		                 (node_pfn(node, pool) + page) * PAGE_SIZE;

		EXPECT(machine_faults(at + 8, true, &fault));
		EXPECT(fault.kind != FAULT_OBJECT_FREED &&
		       fault.kind != FAULT_OBJECT_BOUNDS);
	}
	return kfence_end();
}

CASE(kfence, a_byte_beside_an_object_is_found_when_it_is_freed)
{
	static const struct {
		long at;
		const char *said;
	} damage[] = {
		{ 100, "0x00 instead of 0xae, 0 bytes behind its 100" },
		{ 127, "0x00 instead of 0xad, 27 bytes behind its 100" },
		{ -1, "0x00 instead of 0xad, 1 bytes before its 100" },
	};
	unsigned long before;
	uint8_t *object;

	kfence_begin(0);
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		/* At the end of its page there is a page before it. */
		do {
			object = kfence_sample(100);
			if ((uintptr_t)object % PAGE_SIZE != 0)
				break;
			kfree(object);
		} while (true);
		before = machine_said(damage[i].said);
		object[damage[i].at] = 0;
		EXPECT_EQUAL(kfence_bugs(), i);
		kfree(object);
		EXPECT_EQUAL(machine_said(damage[i].said), before + 1);
		EXPECT_EQUAL(kfence_bugs(), i + 1);
	}
	EXPECT(machine_said("kfence: 100 bytes of kmalloc-128 at") >= 3);
	return kfence_end();
}

CASE(kfence, frees_that_are_wrong_are_refused_and_name_the_first)
{
	unsigned long twice = machine_said("it is free already (double free)");
	unsigned long middle =
		machine_said("it is not the beginning of an object");
	unsigned long other = machine_said("it is another cache's");
	struct kmem_cache *cache;
	uint8_t *object;

	kfence_begin(0);
	cache = kmem_cache_create("other", 100, 0, 0, NULL);
	EXPECT(cache != NULL);
	object = kfence_sample(100);
	kfree(object + 8);
	EXPECT_EQUAL(machine_said("it is not the beginning of an object"),
	             middle + 1);
	kmem_cache_free(cache, object);
	EXPECT_EQUAL(machine_said("it is another cache's"), other + 1);
	object[99] = 1;
	kfree(object);
	kfree(object);
	EXPECT_EQUAL(machine_said("it is free already (double free)"),
	             twice + 1);
	EXPECT(machine_said("freed at") > 0);
	EXPECT_EQUAL(kfence_bugs(), 3);
	kmem_cache_destroy(cache);
	return kfence_end();
}

/* The checks of each object and the sample do not meet. */
CASE(kfence, a_sample_of_a_poisoned_cache_comes_and_goes)
{
	uint8_t *object;

	kfence_begin(SLAB_RED_ZONE | SLAB_POISON);
	for (unsigned long i = 0; i < 3 * OBJECTS; i++) {
		object = kfence_sample(100);
		EXPECT(is_kfence_address(node, object));
		memset(object, 0x41, 100);
		kfree(object);
	}
	EXPECT_EQUAL(kfence_bugs(), 0);
	return kfence_end();
}
