/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slab_misuse.c -- what is wrong is refused by name, and nothing else
 * suffers.
 */
#include "lib/string.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_internal.h"
#include "tests/host/slab.h"
#include "tests/suite.h"

SUITE(slab_misuse);

#define OBJECTS  256U
#define ALL_LOOK (SLAB_POISON | SLAB_RED_ZONE | SLAB_CONSISTENCY_CHECKS)

static struct node *node;
static void *object[OBJECTS];
static uint64_t mark;

static struct kmem_cache *misuse_begin(size_t size, uint32_t flags)
{
	struct kmem_cache *cache;

	node = slab_machine(1024, 1);
	cache = kmem_cache_create("test", size, 0, flags, NULL);
	mark = log_mark();
	return cache;
}

static const char *misuse_take(struct kmem_cache *cache, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (object[i] == NULL)
			return "no object";
	}
	return slab_machine_distinct(object, count)
	               ? NULL
	               : "an object was given twice";
}

static void misuse_give(struct kmem_cache *cache, unsigned int from,
                        unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		kmem_cache_free(cache, object[i]);
}

/* Exactly COUNT reports since the beginning, all of WHAT. */
static const char *misuse_reports(unsigned int count, const char *what)
{
	EXPECT_EQUAL(log_count_since(mark, "BUG"), count);
	EXPECT_EQUAL(log_count_since(mark, what), count);
	return NULL;
}

#define EXPECT_REPORTS(count, what)                                            \
	do {                                                                   \
		const char *reports = misuse_reports(count, what);             \
                                                                               \
		if (reports != NULL)                                           \
			return reports;                                        \
	} while (0)

/* ---- Frees --------------------------------------------------------------- */

/* In the CPU's list, first and not first; in a slab's own; with all checks. */
static const char *misuse_double_free(uint32_t flags)
{
	struct kmem_cache *cache = misuse_begin(64, flags);

	EXPECT(misuse_take(cache, 200) == NULL);
	kmem_cache_free(cache, object[199]);
	kmem_cache_free(cache, object[199]);
	EXPECT_REPORTS(1, "it is free already");
	kmem_cache_free(cache, object[198]);
	kmem_cache_free(cache, object[199]);
	EXPECT_REPORTS(2, "it is free already");
	misuse_give(cache, 0, 3);
	for (unsigned int i = 0; i < 3; i++)
		kfree(object[i]);
	EXPECT_REPORTS(5, "it is free already");
	misuse_give(cache, 3, 198);
	EXPECT(misuse_take(cache, 200) == NULL);
	misuse_give(cache, 0, 200);
	EXPECT_REPORTS(5, "it is free already");
	return slab_machine_end(node, cache);
}

CASE(slab_misuse, a_double_free_is_refused_wherever_the_object_lies)
{
	const char *wrong = misuse_double_free(0);

	return wrong != NULL ? wrong : misuse_double_free(ALL_LOOK);
}

CASE(slab_misuse, a_double_free_of_a_slab_that_is_gone_is_refused)
{
	struct kmem_cache *cache = misuse_begin(64, 0);

	EXPECT(misuse_take(cache, 1) == NULL);
	misuse_give(cache, 0, 1);
	EXPECT_EQUAL(kmem_cache_shrink(cache), 0);
	kmem_cache_free(cache, object[0]);
	EXPECT_REPORTS(1, "it is not from a slab");
	EXPECT(log_contains_since(mark, "is free"));
	return slab_machine_end(node, cache);
}

CASE(slab_misuse, another_caches_object_is_refused_and_stays_in_use)
{
	struct kmem_cache *cache = misuse_begin(64, 0);
	void *other = kmalloc(64, GFP_KERNEL);

	EXPECT(misuse_take(cache, 1) == NULL);
	memset(other, 0x55, 64);
	kmem_cache_free(cache, other);
	EXPECT_REPORTS(1, "it is another cache's");
	EXPECT(log_contains_since(mark, "is a slab of kmalloc-64"));
	EXPECT(kmalloc(64, GFP_KERNEL) != other);
	EXPECT_EQUAL(((uint8_t *)other)[63], 0x55);
	kfree((char *)other + 64);
	kfree(other);
	misuse_give(cache, 0, 1);
	EXPECT_REPORTS(1, "it is another cache's");
	return slab_machine_end(node, cache);
}

/* Size 700 at order 2, one CPU: order 1, 11 objects, a rest of 492 bytes. */
CASE(slab_misuse, what_is_not_the_beginning_of_an_object_is_refused)
{
	static const long offsets[] = { 1, 8, 64, 352, 699 };
	struct kmem_cache *cache = misuse_begin(700, 0);
	size_t size = cache->shape.size;
	const struct page *slab;
	unsigned int bad = 0;

	EXPECT(misuse_take(cache, 2) == NULL);
	slab = slab_head_of(node, object[0]);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		kmem_cache_free(cache, (char *)object[0] + offsets[i]);
	bad += ARRAY_SIZE(offsets);
	/* The rest of the slab, where one more buffer would begin. */
	EXPECT((PAGE_SIZE << slab->order) % size != 0);
	kmem_cache_free(cache,
	                (char *)object[0] + slab_counts(slab)->objects * size);
	bad++;
	EXPECT_REPORTS(bad, "it is not the beginning of an object");
	misuse_give(cache, 0, 2);
	return slab_machine_end(node, cache);
}

CASE(slab_misuse, an_address_from_elsewhere_is_refused)
{
	struct kmem_cache *cache = misuse_begin(64, 0);
	struct page *page = alloc_pages(GFP_KERNEL, 1);
	char *memory = page_address(page);
	char here;

	kmem_cache_free(cache, memory);
	kmem_cache_free(cache, memory + PAGE_SIZE);
	kmem_cache_free(cache, &here);
	kmem_cache_free(cache, (void *)17);
	kmem_cache_free(cache, (void *)UINTPTR_MAX);
	EXPECT_REPORTS(5, "it is not from a slab");
	kmem_cache_free(cache, NULL);
	EXPECT_REPORTS(5, "it is not from a slab");
	__free_pages(page, 1);
	return slab_machine_end(node, cache);
}

/* A tail that claims to belong to a slab that it is not a part of. */
CASE(slab_misuse, a_tails_word_is_not_believed)
{
	struct kmem_cache *cache = misuse_begin(64, 0);
	struct page *page = alloc_page(GFP_KERNEL);
	struct page *slab;

	EXPECT(misuse_take(cache, 1) == NULL);
	slab = slab_head_of(node, object[0]);
	page->slab_head = slab;
	kmem_cache_free(cache, page_address(page));
	page->slab_head = (struct page *)((char *)slab + 8);
	kmem_cache_free(cache, page_address(page));
	page->slab_head = (struct page *)8;
	kmem_cache_free(cache, page_address(page));
	EXPECT_REPORTS(3, "it is not from a slab");
	page->slab_head = NULL;
	__free_page(page);
	misuse_give(cache, 0, 1);
	return slab_machine_end(node, cache);
}

CASE(slab_misuse, the_front_door_refuses_the_pages_of_a_slab)
{
	struct kmem_cache *cache = misuse_begin(64, 0);
	struct page *slab;

	EXPECT(misuse_take(cache, 1) == NULL);
	slab = slab_head_of(node, object[0]);
	__free_pages(slab, slab->order);
	put_page(slab);
	EXPECT_REPORTS(2, "it is the slab allocator's");
	misuse_give(cache, 0, 1);
	return slab_machine_end(node, cache);
}

/* ---- Broken lists -------------------------------------------------------- */

/* The word of a free object is overwritten with VALUE. */
static const char *misuse_break(uint64_t value, bool own, uint32_t flags)
{
	struct kmem_cache *cache = misuse_begin(64, flags);
	unsigned int free = own ? 5 : 195;

	EXPECT(misuse_take(cache, 200) == NULL);
	misuse_give(cache, free, free + 5);
	*slab_word(cache, object[free + 3]) = value;
	/* No object is given twice, and none that is in use. */
	for (unsigned int i = free; i < free + 5; i++) {
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(object[i] != NULL);
	}
	for (unsigned int i = 200; i < OBJECTS; i++) {
		object[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(object[i] != NULL);
	}
	EXPECT(slab_machine_distinct(object, OBJECTS));
	EXPECT_REPORTS(1, "the free list is broken");
	misuse_give(cache, 0, OBJECTS);
	EXPECT_REPORTS(1, "the free list is broken");
	return NULL;
}

CASE(slab_misuse, a_broken_free_list_is_reported_and_gives_nothing_twice)
{
	static const uint64_t values[] = { 0, 0x6b6b6b6b6b6b6b6b, UINT64_MAX,
		                           4096 };

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		for (unsigned int own = 0; own < 2; own++) {
			const char *wrong =
				misuse_break(values[i], own != 0, 0);

			if (wrong != NULL)
				return wrong;
			machine_start(0);
		}
	}
	return NULL;
}

/* A cache that is checked has no lists of a CPU: its objects come one by one. */
CASE(slab_misuse, a_broken_free_list_of_a_checked_cache_is_reported_too)
{
	const char *wrong =
		misuse_break(UINT64_MAX, false, SLAB_CONSISTENCY_CHECKS);

	machine_start(0);
	return wrong;
}

/* ---- Red zones and poison ------------------------------------------------ */

CASE(slab_misuse, free_objects_are_poison_between_red_zones)
{
	struct kmem_cache *cache = misuse_begin(60, ALL_LOOK);
	const uint8_t *at;

	EXPECT(misuse_take(cache, 2) == NULL);
	at = object[0];
	EXPECT_EQUAL(at[-1], 0xcc);
	EXPECT_EQUAL(at[60], 0xcc);
	misuse_give(cache, 0, 1);
	EXPECT_EQUAL(at[-8], 0xbb);
	EXPECT_EQUAL(at[0], 0x6b);
	EXPECT_EQUAL(at[58], 0x6b);
	EXPECT_EQUAL(at[59], 0xa5);
	EXPECT_EQUAL(at[60], 0xbb);
	EXPECT_EQUAL(at[63], 0xbb);
	/* A byte that belongs to no buffer. */
	at = page_address(slab_head_of(node, object[0]));
	EXPECT_EQUAL(at[PAGE_SIZE - 1], 0x5a);
	misuse_give(cache, 1, 2);
	EXPECT_REPORTS(0, "");
	return slab_machine_end(node, cache);
}

CASE(slab_misuse, a_write_past_an_object_is_found_when_it_is_freed)
{
	static const long offsets[] = { -8, -1, 60, 63 };
	static const char *const names[] = { "left red zone", "left red zone",
		                             "right red zone",
		                             "right red zone" };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kmem_cache *cache = misuse_begin(60, ALL_LOOK);

		EXPECT(misuse_take(cache, 2) == NULL);
		((uint8_t *)object[0])[offsets[i]] = 0;
		misuse_give(cache, 0, 2);
		EXPECT_REPORTS(1, names[i]);
		EXPECT_EQUAL(cache->objects - cache->free_objects, 1);
		/* It is mended, and not used again. */
		EXPECT(kmem_cache_alloc(cache, GFP_KERNEL) == object[1]);
		kmem_cache_free(cache, object[1]);
		kmem_cache_free(cache, object[0]);
		EXPECT_REPORTS(1, names[i]);
		EXPECT(slab_machine_end(node, cache) == NULL);
	}
	return NULL;
}

CASE(slab_misuse, a_write_after_the_free_is_found_when_it_is_taken)
{
	static const long offsets[] = { -1, 0, 30, 59, 60 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kmem_cache *cache = misuse_begin(60, ALL_LOOK);
		void *taken;

		EXPECT(misuse_take(cache, 1) == NULL);
		misuse_give(cache, 0, 1);
		((uint8_t *)object[0])[offsets[i]] ^= 1;
		taken = kmem_cache_alloc(cache, GFP_KERNEL);
		EXPECT(taken != NULL && taken != object[0]);
		EXPECT_REPORTS(1, "was written to while free");
		kmem_cache_free(cache, taken);
		kmem_cache_free(cache, object[0]);
		EXPECT(slab_machine_end(node, cache) == NULL);
	}
	return NULL;
}

/* ---- Caches -------------------------------------------------------------- */

CASE(slab_misuse, a_constructor_is_called_once_and_its_work_stays)
{
	struct kmem_cache *cache;
	uint32_t flags[] = { 0, ALL_LOOK };

	for (unsigned int i = 0; i < 2; i++) {
		node = slab_machine(1024, 1);
		mark = log_mark();
		cache = kmem_cache_create("built", 64, 0, flags[i],
		                          slab_machine_construct);
		for (unsigned int round = 0; round < 100; round++) {
			EXPECT(misuse_take(cache, 20) == NULL);
			for (unsigned int j = 0; j < 20 * 64; j++)
				EXPECT_EQUAL(
					((uint8_t *)object[j / 64])[j % 64],
					0x3c);
			misuse_give(cache, 0, 20);
		}
		EXPECT_EQUAL(slab_machine_constructed, cache->objects);
		EXPECT_REPORTS(0, "");
		EXPECT(slab_machine_end(node, cache) == NULL);
	}
	return NULL;
}

CASE(slab_misuse, a_cache_that_makes_no_sense_is_refused)
{
	static const char long_name[] = "a name of 24 characters.";

	node = slab_machine(1024, 1);
	mark = log_mark();
	EXPECT(kmem_cache_create(NULL, 8, 0, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("", 8, 0, 0, NULL) == NULL);
	EXPECT(kmem_cache_create(long_name, 8, 0, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 0, 0, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 4 * MIB + 1, 0, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 4 * MIB, 0, ALL_LOOK, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 8, 24, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 8, 8192, 0, NULL) == NULL);
	EXPECT(kmem_cache_create("a", 8, 0, 1, NULL) == NULL);
	EXPECT_REPORTS(9, "refused");
	return slab_machine_end(node, NULL);
}

static void misuse_create_or_panic(void *data)
{
	object[0] = kmem_cache_create("vital", 0, 0, SLAB_PANIC, NULL);
	(void)data;
}

CASE(slab_misuse, a_cache_with_panic_that_cannot_be_is_a_panic)
{
	char text[160];

	misuse_begin(8, 0);
	EXPECT(machine_try(misuse_create_or_panic, NULL, text, sizeof(text)) ==
	       MACHINE_PANICKED);
	EXPECT(strncmp(text, "no cache vital", 14) == 0);
	machine_start(0);
	return NULL;
}

CASE(slab_misuse, a_cache_with_an_object_in_use_stays)
{
	struct kmem_cache *cache = misuse_begin(64, 0);

	EXPECT(misuse_take(cache, 3) == NULL);
	misuse_give(cache, 0, 1);
	misuse_give(cache, 2, 3);
	kmem_cache_destroy(cache);
	EXPECT_REPORTS(1, "is still in use: the cache stays");
	memset(object[1], 1, 64);
	object[2] = kmem_cache_alloc(cache, GFP_KERNEL);
	EXPECT(object[2] != NULL && object[2] != object[1]);
	misuse_give(cache, 1, 3);
	return slab_machine_end(node, cache);
}

/* ---- The check finds damage ---------------------------------------------- */

/* Damage number I, done and undone by the same words. */
static void misuse_damage(struct kmem_cache *cache, unsigned int i)
{
	struct page *slab = slab_head_of(node, object[0]);

	switch (i) {
	case 0:
		cache->slabs ^= 1;
		break;
	case 1:
		cache->partials ^= 1;
		break;
	case 2:
		slab_counts(slab)->inuse ^= 1;
		break;
	case 3:
		*slab_word(cache, object[1]) ^= 1;
		break;
	case 4:
		slab[1].bits ^= 1;
		slab[1].slab_head = slab[1].bits & 1 ? NULL : slab;
		slab[1].bits &= 1;
		break;
	default:
		((uint8_t *)object[1])[3] ^= 1;
		break;
	}
}

CASE(slab_misuse, the_check_finds_each_kind_of_damage)
{
	struct kmem_cache *cache = misuse_begin(1000, ALL_LOOK);
	char text[160];

	EXPECT(misuse_take(cache, 3) == NULL);
	EXPECT(slab_head_of(node, object[0])->order > 0);
	misuse_give(cache, 1, 3);
	EXPECT(mm_check(text, sizeof(text)) == NULL);
	for (unsigned int i = 0; i < 6; i++) {
		misuse_damage(cache, i);
		if (mm_check(text, sizeof(text)) == NULL)
			return test_failure("damage %u is not found", i);
		misuse_damage(cache, i);
	}
	misuse_give(cache, 0, 1);
	return slab_machine_end(node, cache);
}
