/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slab_quarantine.c -- freed objects that nobody gets for a while.
 */
#include <string.h>

#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_quarantine.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(slab_quarantine);

#define PAGES 2048UL

static struct node *node;

static void quarantine_begin(size_t objects)
{
	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	machine_start_exclusive(node, 0); /* owners have names */
	node->slab.debug = SLAB_RED_ZONE | SLAB_POISON;
	if (!slab_start(node, 1, SLAB_KEY) ||
	    (objects > 0 && !slab_quarantine_start(node, objects)))
		panic("there is no memory for the test");
}

static const char *quarantine_end(void)
{
	EXPECT(slab_stop(node));
	EXPECT(node->slab.quarantine == NULL);
	return machine_finish();
}

CASE(slab_quarantine, a_freed_object_is_taken_again_after_as_many_others)
{
	void *object;
	void *other;

	quarantine_begin(3);
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQUAL(slab_quarantine_count(node), i + 1);
		other = kmalloc(100, GFP_KERNEL);
		EXPECT(other != object);
		kfree(other);
	}
	EXPECT_EQUAL(slab_quarantine_count(node), 3);
	/* The first one in was the first one out. */
	other = kmalloc(100, GFP_KERNEL);
	EXPECT(other == object);
	kfree(other);
	return quarantine_end();
}

CASE(slab_quarantine,
     a_write_is_found_when_the_object_leaves_and_names_who_freed_it)
{
	unsigned long found = machine_said("was written to while free");
	unsigned long named = machine_said("was freed by main at");
	struct page *slab;
	uint8_t *object;
	uint8_t *other;

	quarantine_begin(2);
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	other = kmalloc(100, GFP_KERNEL);
	object[50] = 0x41;
	kfree(other);
	EXPECT_EQUAL(machine_said("was written to while free"), found);
	kfree(kmalloc(100, GFP_KERNEL));
	EXPECT_EQUAL(machine_said("was written to while free"), found + 1);
	EXPECT_EQUAL(machine_said("was freed by main at"), named + 1);
	/* It is not used again. */
	for (unsigned int i = 0; i < 200; i++) {
		other = kmalloc(100, GFP_KERNEL);
		EXPECT(other != object);
		kfree(other);
	}
	EXPECT_EQUAL(machine_said("was written to while free"), found + 1);
	/* ... unless somebody finds it. */
	slab = slab_head_of(node, object);
	slab_give_back(slab->slab_cache, slab, object);
	return quarantine_end();
}

CASE(slab_quarantine, a_second_free_is_refused_and_names_the_first)
{
	unsigned long refused =
		machine_said("it is free already (double free)");
	unsigned long named = machine_said("was freed by main at");
	void *object;

	quarantine_begin(2);
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	kfree(object);
	EXPECT_EQUAL(machine_said("it is free already (double free)"),
	             refused + 1);
	EXPECT_EQUAL(machine_said("was freed by main at"), named + 1);
	EXPECT_EQUAL(slab_quarantine_count(node), 1);
	return quarantine_end();
}

/* 1/32 of 2048 pages are 64 pages. */
CASE(slab_quarantine, at_most_one_32nd_of_memory_is_kept)
{
	unsigned long free;

	quarantine_begin(1000);
	free = node_free(node);
	for (unsigned int i = 0; i < 500; i++)
		kfree(kmalloc(2000, GFP_KERNEL));
	EXPECT(slab_quarantine_count(node) >= 32);
	EXPECT(slab_quarantine_count(node) * 2000 <= 64 * PAGE_SIZE);
	/* Slabs that are used in part have at most as much again. */
	EXPECT(node_free(node) + 2 * 64 + 16 >= free);
	slab_quarantine_drain(node, NULL);
	EXPECT_EQUAL(slab_quarantine_count(node), 0);
	return quarantine_end();
}

CASE(slab_quarantine, a_cache_is_shrunk_and_ended_without_its_kept_objects)
{
	struct kmem_cache *cache;
	void *object;

	quarantine_begin(100);
	cache = kmem_cache_create("mine", 64, 0, 0, NULL);
	EXPECT(cache != NULL);
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(kmem_cache_has(cache, object));
	kmem_cache_free(cache, object);
	EXPECT(!kmem_cache_has(cache, object));
	kfree(kmalloc(100, GFP_KERNEL));
	EXPECT_EQUAL(slab_quarantine_count(node), 2);
	EXPECT_EQUAL(kmem_cache_shrink(cache), 0);
	EXPECT_EQUAL(slab_quarantine_count(node), 1);
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_destroy(cache);
	EXPECT_EQUAL(slab_quarantine_count(node), 1);
	/* The slots that it left are used again. */
	for (unsigned int i = 0; i < 300; i++)
		kfree(kmalloc(100, GFP_KERNEL));
	EXPECT_EQUAL(slab_quarantine_count(node), 100);
	return quarantine_end();
}

CASE(slab_quarantine, without_one_an_object_is_the_next_that_is_taken)
{
	void *object;

	quarantine_begin(0);
	object = kmalloc(100, GFP_KERNEL);
	kfree(object);
	EXPECT_EQUAL(slab_quarantine_count(node), 0);
	EXPECT(kmalloc(100, GFP_KERNEL) == object);
	kfree(object);
	return quarantine_end();
}
