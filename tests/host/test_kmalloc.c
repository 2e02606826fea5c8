/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_kmalloc.c -- memory of any size: classes, kinds, pages, misuse.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/pcp.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"
#include "tests/host/slab.h"
#include "tests/suite.h"

SUITE(kmalloc);

#define LARGEST (4 * MIB)

static struct node *node;
static uint64_t mark;

static void test_kmalloc_begin(void)
{
	node = slab_machine(8192, 1);
	mark = log_mark();
}

static const char *test_kmalloc_end(void)
{
	return slab_machine_end(node, NULL);
}

static struct page *test_kmalloc_page(const void *memory)
{
	return slab_head_of(node, memory);
}

/* ---- Sizes --------------------------------------------------------------- */

CASE(kmalloc, a_size_gets_the_smallest_class_that_is_large_enough)
{
	static const struct {
		size_t size;
		size_t room;
	} expected[] = {
		{ 1, 8 },       { 8, 8 },        { 9, 16 },
		{ 65, 96 },     { 96, 96 },      { 97, 128 },
		{ 128, 128 },   { 129, 192 },    { 192, 192 },
		{ 193, 256 },   { 257, 512 },    { 4097, 8192 },
		{ 8192, 8192 }, { 8193, 16384 }, { 16385, 32768 },
	};

	test_kmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		void *memory = kmalloc(expected[i].size, GFP_KERNEL);

		EXPECT_EQUAL(ksize(memory), expected[i].room);
		memset(memory, 0x11, expected[i].room);
		kfree(memory);
	}
	return test_kmalloc_end();
}

CASE(kmalloc, every_size_up_to_8192_has_the_class_that_a_search_finds)
{
	for (size_t size = 1; size <= KMALLOC_MAX_CACHE_SIZE; size++) {
		unsigned int index = 0;

		while (kmalloc_class_size(index) < size)
			index++;
		EXPECT_EQUAL(kmalloc_class(size), index);
	}
	return NULL;
}

CASE(kmalloc, size_0_is_the_constant_16_and_free_does_nothing)
{
	test_kmalloc_begin();
	EXPECT(kmalloc(0, GFP_KERNEL) == (void *)16);
	EXPECT(kzalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	EXPECT_EQUAL(ksize(ZERO_SIZE_PTR), 0);
	EXPECT_EQUAL(ksize(NULL), 0);
	kfree(ZERO_SIZE_PTR);
	kfree(NULL);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	return test_kmalloc_end();
}

CASE(kmalloc, above_8192_it_is_a_compound_block_of_the_rounded_size)
{
	void *memory;
	struct page *page;

	test_kmalloc_begin();
	memory = kmalloc(8193, GFP_KERNEL);
	page = test_kmalloc_page(memory);
	EXPECT_EQUAL(page->order, 2);
	EXPECT(page->flags & PAGE_COMPOUND);
	EXPECT_EQUAL(page->gfp, GFP_KERNEL | __GFP_COMP);
	EXPECT(memory == page_address(page));
	kfree(memory);
	memory = kmalloc(LARGEST, GFP_KERNEL);
	EXPECT_EQUAL(ksize(memory), LARGEST);
	kfree(memory);
	return test_kmalloc_end();
}

CASE(kmalloc, more_than_4_mib_is_refused_by_name_unless_silent)
{
	test_kmalloc_begin();
	EXPECT(kmalloc(LARGEST + 1, GFP_KERNEL | __GFP_NOWARN) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	EXPECT(kmalloc(LARGEST + 1, GFP_KERNEL) == NULL);
	EXPECT(kmalloc(SIZE_MAX, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "refused: more than 4 MiB"), 2);
	return test_kmalloc_end();
}

CASE(kmalloc, the_alignment_is_the_lowest_bit_of_the_class)
{
	test_kmalloc_begin();
	for (unsigned int i = 0; i < KMALLOC_CLASSES; i++) {
		size_t size = kmalloc_class_size(i);
		size_t align = min(size & -size, PAGE_SIZE);
		void *memory[5];

		for (unsigned int j = 0; j < 5; j++) {
			memory[j] = kmalloc(size, GFP_KERNEL);
			EXPECT_EQUAL((uintptr_t)memory[j] % align, 0);
		}
		for (unsigned int j = 0; j < 5; j++)
			kfree(memory[j]);
	}
	EXPECT_EQUAL(node->slab.kmalloc[0][4]->shape.align, 32);
	EXPECT_EQUAL(node->slab.kmalloc[0][6]->shape.align, 64);
	return test_kmalloc_end();
}

CASE(kmalloc, zeroed_memory_is_zero_in_all_of_its_room)
{
	static const size_t sizes[] = { 1, 60, 5000, 20000 };

	test_kmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t *memory = kmalloc(sizes[i], GFP_KERNEL);
		size_t room = ksize(memory);

		memset(memory, 0xff, room);
		kfree(memory);
		memory = kzalloc(sizes[i], GFP_KERNEL);
		for (size_t j = 0; j < room; j++)
			EXPECT_EQUAL(memory[j], 0);
		kfree(memory);
	}
	return test_kmalloc_end();
}

/* ---- Kinds --------------------------------------------------------------- */

CASE(kmalloc, dma_reclaimable_and_normal_have_separate_caches_and_pages)
{
	struct page *page;
	void *memory[3];

	test_kmalloc_begin();
	memory[0] = kmalloc(64, GFP_KERNEL | __GFP_DMA | __GFP_RECLAIMABLE);
	memory[1] = kmalloc(64, GFP_KERNEL | __GFP_RECLAIMABLE);
	memory[2] = kmalloc(64, GFP_KERNEL);
	page = test_kmalloc_page(memory[0]);
	EXPECT_EQUAL(page->zone, ZONE_DMA);
	EXPECT(strcmp(page->slab_cache->name, "dma-kmalloc-64") == 0);
	page = test_kmalloc_page(memory[1]);
	EXPECT_EQUAL(page->zone, ZONE_NORMAL);
	EXPECT_EQUAL(gfp_migratetype(page->gfp), MIGRATE_RECLAIMABLE);
	EXPECT(strcmp(page->slab_cache->name, "kmalloc-rcl-64") == 0);
	page = test_kmalloc_page(memory[2]);
	EXPECT_EQUAL(gfp_migratetype(page->gfp), MIGRATE_UNMOVABLE);
	EXPECT(strcmp(page->slab_cache->name, "kmalloc-64") == 0);
	for (unsigned int i = 0; i < 3; i++)
		kfree(memory[i]);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	return test_kmalloc_end();
}

/* ---- Arrays -------------------------------------------------------------- */

CASE(kmalloc, a_product_that_overflows_is_refused_by_name)
{
	uint8_t *memory;

	test_kmalloc_begin();
	EXPECT(kmalloc_array(SIZE_MAX / 8 + 1, 8, GFP_KERNEL) == NULL);
	EXPECT(kcalloc(2, SIZE_MAX / 2 + 1, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(log_count_since(mark, "the product overflows"), 2);
	memory = kcalloc(6, 10, GFP_KERNEL);
	for (unsigned int i = 0; i < 64; i++)
		EXPECT_EQUAL(memory[i], 0);
	kfree(memory);
	EXPECT(kmalloc_array(0, 8, GFP_KERNEL) == ZERO_SIZE_PTR);
	return test_kmalloc_end();
}

/* ---- Changing the size --------------------------------------------------- */

CASE(kmalloc, what_fits_into_the_room_keeps_its_address)
{
	uint8_t *memory;

	test_kmalloc_begin();
	memory = kmalloc(100, GFP_KERNEL);
	slab_machine_sign(memory, 128);
	EXPECT(krealloc(memory, 128, GFP_KERNEL) == memory);
	EXPECT(krealloc(memory, 1, GFP_KERNEL) == memory);
	EXPECT(slab_machine_is_signed(memory, 128));
	/* With ZERO what is behind the size is cleared. */
	EXPECT(krealloc(memory, 100, GFP_KERNEL | __GFP_ZERO) == memory);
	EXPECT(slab_machine_is_signed(memory, 100));
	for (unsigned int i = 100; i < 128; i++)
		EXPECT_EQUAL(memory[i], 0);
	kfree(memory);
	return test_kmalloc_end();
}

CASE(kmalloc, what_does_not_fit_moves_with_all_of_the_old_room)
{
	uint8_t *other;
	uint8_t *memory;

	test_kmalloc_begin();
	memory = kmalloc(100, GFP_KERNEL);
	memset(memory, 0x21, 128);
	other = krealloc(memory, 129, GFP_KERNEL);
	EXPECT(other != memory);
	EXPECT_EQUAL(ksize(other), 192);
	for (unsigned int i = 0; i < 128; i++)
		EXPECT_EQUAL(other[i], 0x21);
	EXPECT(kmalloc(128, GFP_KERNEL) == memory);
	kfree(memory);
	kfree(other);
	return test_kmalloc_end();
}

CASE(kmalloc, a_new_size_without_memory_leaves_the_old_memory_intact)
{
	uint8_t *memory;

	test_kmalloc_begin();
	memory = kmalloc(100, GFP_KERNEL);
	slab_machine_sign(memory, 128);
	EXPECT(krealloc(memory, LARGEST + 1, GFP_KERNEL | __GFP_NOWARN) ==
	       NULL);
	fail_nth_set(current_thread(), 1, false);
	EXPECT(krealloc(memory, 129, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(fail_nth_failed(current_thread()), 1);
	EXPECT(slab_machine_is_signed(memory, 128));
	EXPECT_EQUAL(ksize(memory), 128);
	kfree(memory);
	return test_kmalloc_end();
}

CASE(kmalloc, realloc_of_nothing_allocates_and_to_nothing_frees)
{
	void *memory;
	void *again;

	test_kmalloc_begin();
	memory = krealloc(NULL, 50, GFP_KERNEL);
	EXPECT_EQUAL(ksize(memory), 64);
	EXPECT(krealloc(memory, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	again = krealloc(ZERO_SIZE_PTR, 50, GFP_KERNEL);
	EXPECT(again == memory);
	kfree(again);
	return test_kmalloc_end();
}

/* ---- Misuse -------------------------------------------------------------- */

CASE(kmalloc, a_free_of_an_address_from_elsewhere_is_refused_by_name)
{
	struct page *page;
	char *memory;
	char *large;

	test_kmalloc_begin();
	page = alloc_page(GFP_KERNEL);
	memory = kmalloc(64, GFP_KERNEL);
	large = kmalloc(10000, GFP_KERNEL);
	kfree(page_address(page));
	kfree(&memory);
	kfree(large + PAGE_SIZE);
	kfree((void *)(uintptr_t)1000);
	EXPECT_EQUAL(log_count_since(mark, "it is not from kmalloc()"), 4);
	kfree(memory + 32);
	EXPECT_EQUAL(log_count_since(mark, "not the beginning of an object"),
	             1);
	kfree(large + 64);
	EXPECT_EQUAL(log_count_since(mark, "in the middle of a block"), 1);
	EXPECT_EQUAL(ksize(&memory), 0);
	EXPECT_EQUAL(log_count_since(mark, "it is not from kmalloc()"), 5);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 7);
	kfree(memory);
	kfree(memory);
	EXPECT_EQUAL(log_count_since(mark, "it is free already"), 1);
	kfree(large);
	kfree(large);
	EXPECT_EQUAL(log_count_since(mark, "it is not from kmalloc()"), 6);
	__free_page(page);
	return test_kmalloc_end();
}

CASE(kmalloc, the_front_door_refuses_a_large_block_and_kfree_a_page)
{
	void *large;
	struct page *page;

	test_kmalloc_begin();
	large = kmalloc(10000, GFP_KERNEL);
	page = test_kmalloc_page(large);
	__free_pages(page, 2);
	free_pages((uintptr_t)large, 2);
	put_page(page);
	EXPECT_EQUAL(log_count_since(mark, "it is the slab allocator's"), 3);
	kfree(large);
	return test_kmalloc_end();
}

CASE(kmalloc, the_caller_of_a_refused_free_is_named)
{
	test_kmalloc_begin();
	kfree((void *)(uintptr_t)1000);
	EXPECT(log_contains_since(mark, "by thread main at 0x"));
	return test_kmalloc_end();
}

/* ---- Failures on request ------------------------------------------------- */

/* All requests from the Nth on fail: the start gives all back, and the next one
 * works. */
CASE(kmalloc, a_start_that_fails_anywhere_gives_everything_back)
{
	unsigned int nth = 0;
	bool started = false;

	test_kmalloc_begin();
	EXPECT(test_kmalloc_end() == NULL);
	while (!started) {
		fail_nth_set(current_thread(), ++nth, true);
		started = slab_start(node, 1, 7);
		if (!started)
			EXPECT_EQUAL(node_free(node), node_managed(node));
	}
	fail_nth_set(current_thread(), 0, false);
	EXPECT(nth > 40);
	return test_kmalloc_end();
}

/* An object fails as an object, and as the page that it would need. */
CASE(kmalloc, each_request_of_an_object_or_its_page_can_fail)
{
	void *memory;

	test_kmalloc_begin();
	for (unsigned int nth = 1; nth <= 2; nth++) {
		fail_nth_set(current_thread(), nth, true);
		memory = kmalloc(64, GFP_KERNEL | __GFP_NOWARN);
		EXPECT(memory == NULL);
		EXPECT(fail_nth_failed(current_thread()) > 0);
		fail_nth_set(current_thread(), 0, false);
		slab_shrink_node(node);
	}
	memory = kmalloc(64, GFP_KERNEL);
	fail_nth_set(current_thread(), 1, false);
	EXPECT(kmalloc(64, GFP_KERNEL | __GFP_NOWARN) == NULL);
	kfree(memory);
	return test_kmalloc_end();
}

CASE(kmalloc, failslab_chooses_by_its_attributes)
{
	void *memory;

	test_kmalloc_begin();
	memory = kmalloc(64, GFP_ATOMIC);
	kfree(memory);
	node->failslab.probability = 100;
	node->failslab.times = 2;
	node->failslab.verbose = 0;
	pcp_shortcut_update();
	EXPECT(kmalloc(64, GFP_KERNEL) == memory);
	kfree(memory);
	EXPECT(kmalloc(64, GFP_ATOMIC) == NULL);
	EXPECT(kmalloc(64, GFP_ATOMIC) == NULL);
	EXPECT(kmalloc(64, GFP_ATOMIC) == memory);
	kfree(memory);
	return test_kmalloc_end();
}

/* ---- Traces -------------------------------------------------------------- */

static struct trace_record records[64];

CASE(kmalloc, the_four_events_have_linuxs_names_and_fields)
{
	static const char *const names[] = { "kmalloc", "kfree",
		                             "kmem_cache_alloc",
		                             "kmem_cache_free" };
	struct kmem_cache *cache;
	char line[TRACE_LINE_MAX];
	struct trace_record record;
	struct trace_reader reader;
	uint64_t number;
	uint64_t count;
	uint32_t mask = 0;

	test_kmalloc_begin();
	cache = kmem_cache_create("test", 60, 0, 0, NULL);
	trace_init(&node->trace, records, ARRAY_SIZE(records));
	for (unsigned int i = 0; i < 4; i++)
		mask |= trace_events_like(names[i]);
	EXPECT(trace_enable(&node->trace, mask) == 0);
	kfree(kmalloc(50, GFP_ATOMIC));
	kmem_cache_free(cache, kmem_cache_alloc(cache, GFP_KERNEL));
	EXPECT(trace_enable(&node->trace, 0) == 0);
	trace_read_begin(&reader, &node->trace, UINT64_MAX);
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT(trace_read(&reader, &record, &number, &count) ==
		       TRACE_GOT);
		EXPECT(strcmp(trace_event_name((enum trace_event)record.event),
		              names[i]) == 0);
		if (i % 2 == 0) {
			EXPECT_EQUAL(record.argument[2], i == 0 ? 50 : 60);
			EXPECT_EQUAL(record.argument[3], 64);
		}
	}
	trace_format(line, sizeof(line), &record);
	EXPECT(strchr(line, '=') != NULL);
	EXPECT(strncmp(strchr(line, '=') - 9, "call_site=0x", 12) == 0);
	return slab_machine_end(node, cache);
}

/* ---- A random history ---------------------------------------------------- */

#define BLOCKS 200U

static struct {
	uint8_t *memory;
	size_t size;
} block[BLOCKS];

static size_t test_kmalloc_size(struct random *random)
{
	return 1 + random_below(random, 1ULL << random_below(random, 16));
}

static const char *test_kmalloc_step(struct random *random)
{
	unsigned int at = (unsigned int)random_below(random, BLOCKS);
	uint8_t *memory = block[at].memory;
	size_t size = test_kmalloc_size(random);

	if (memory != NULL)
		EXPECT(slab_machine_is_signed(memory, block[at].size));
	if (memory == NULL) {
		memory = kmalloc(size, GFP_ATOMIC);
	} else if (random_below(random, 3) == 0) {
		size_t kept = min(size, block[at].size);
		uint8_t copy[64];

		memcpy(copy, memory, min(kept, sizeof(copy)));
		memory = krealloc(memory, size, GFP_ATOMIC);
		EXPECT(memory != NULL);
		for (size_t i = 0; i < min(kept, sizeof(copy)); i++)
			EXPECT_EQUAL(memory[i], copy[i]);
	} else {
		kfree(memory);
		block[at].memory = NULL;
		return NULL;
	}
	EXPECT(memory != NULL && ksize(memory) >= size);
	slab_machine_sign(memory, size);
	block[at].memory = memory;
	block[at].size = size;
	return NULL;
}

CASE(kmalloc, random_sizes_keep_their_contents)
{
	struct random random = { .state = test_seed() };
	char text[160];

	test_kmalloc_begin();
	memset(block, 0, sizeof(block));
	for (unsigned int step = 0; step < 20000; step++) {
		const char *wrong = test_kmalloc_step(&random);

		if (wrong != NULL)
			return wrong;
		if (step % 1000 == 0 && mm_check(text, sizeof(text)) != NULL)
			return test_failure("step %u: %s", step, text);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		kfree(block[i].memory);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	return test_kmalloc_end();
}
