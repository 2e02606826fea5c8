/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_kvmalloc.c -- Linux's rules of kvmalloc(), one by one.
 *
 * Injected failures spare masks with NOFAIL: so they tell whether it was passed on.
 */
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/kvmalloc.h"
#include "mm/slab/vmalloc_internal.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(kvmalloc_rules);

#define FRAMES 2048UL

static struct node *node;
static struct vmalloc_space *space;

static void test_kvmalloc_begin(void)
{
	machine_start(FRAMES);
	node = machine_one_zone(ZONE_NORMAL, FRAMES);
	space = machine_start_vmalloc(node);
}

/* No two neighbouring frames are free: every second page of all memory is taken. */
static struct page *taken[FRAMES];

static void break_into_single_pages(void)
{
	memset(taken, 0, sizeof(taken));
	for (unsigned long i = 0; i < FRAMES; i++)
		taken[i] = alloc_page(GFP_KERNEL | __GFP_NOWARN);
	for (unsigned long i = 0; i < FRAMES; i++) {
		if (taken[i] != NULL && page_to_pfn(taken[i]) % 2 == 0) {
			__free_page(taken[i]);
			taken[i] = NULL;
		}
	}
}

static void give_single_pages_back(void)
{
	for (unsigned long i = 0; i < FRAMES; i++) {
		if (taken[i] != NULL)
			__free_page(taken[i]);
	}
}

/* ---- Which of the two ---------------------------------------------------- */

CASE(kvmalloc_rules, large_blocks_come_from_kmalloc_while_there_are_any)
{
	static const size_t sizes[] = { 1, 4096, 4097, 8192, 8193, 100000 };

	test_kvmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *memory = kvmalloc(sizes[i], GFP_KERNEL);

		EXPECT(memory != NULL && !is_vmalloc_addr(memory));
		memset(memory, 0x11, sizes[i]);
		kvfree(memory);
	}
	EXPECT_EQUAL(space->areas, 0);
	EXPECT(kvmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	kvfree(ZERO_SIZE_PTR);
	kvfree(NULL);
	return NULL;
}

CASE(kvmalloc_rules, without_large_blocks_pages_are_mapped)
{
	uint64_t mark = log_mark();
	char *memory;

	test_kvmalloc_begin();
	break_into_single_pages();
	memory = kvzalloc(20000, GFP_KERNEL);
	EXPECT(memory != NULL && is_vmalloc_addr(memory));
	for (size_t i = 0; i < 20000; i++)
		EXPECT(memory[i] == 0);
	kvfree(memory);
	EXPECT_EQUAL(space->pages, 0);
	EXPECT(!log_contains_since(mark, "failure"));
	give_single_pages_back();
	return NULL;
}

CASE(kvmalloc_rules, more_than_4_mib_is_mapped_without_a_word)
{
	uint64_t mark = log_mark();
	char *memory;

	test_kvmalloc_begin();
	memory = kvmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL);
	EXPECT(is_vmalloc_addr(memory));
	EXPECT(!log_contains_since(mark, "BUG"));
	kvfree(memory);
	return NULL;
}

CASE(kvmalloc_rules, a_mask_that_cannot_block_gets_kmalloc_only)
{
	char *memory;

	test_kvmalloc_begin();
	memory = kvmalloc(8192, GFP_ATOMIC);
	EXPECT(memory != NULL);
	kvfree(memory);
	break_into_single_pages();
	EXPECT(kvmalloc(16384, GFP_ATOMIC) == NULL);
	EXPECT(kvmalloc(16384, GFP_NOWAIT) == NULL);
	machine_enter_irq(NULL);
	EXPECT(kvmalloc(16384, GFP_ATOMIC) == NULL);
	machine_leave_irq();
	EXPECT_EQUAL(space->areas, 0);
	give_single_pages_back();
	return NULL;
}

CASE(kvmalloc_rules, up_to_a_page_vmalloc_is_never_asked)
{
	test_kvmalloc_begin();
	fail_nth_set(machine_main(), 1, true);
	EXPECT(kvmalloc(4096, GFP_KERNEL | __GFP_NOWARN) == NULL);
	fail_nth_set(machine_main(), 0, false);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

/* ---- Masks --------------------------------------------------------------- */

static unsigned int ticks_left;

static bool end_of_failures(struct wait_queue *queue __unused)
{
	if (--ticks_left == 0)
		fail_nth_set(machine_main(), 0, false);
	return false;
}

CASE(kvmalloc_rules,
     nofail_stays_with_kmalloc_up_to_a_page_and_then_goes_to_vmalloc)
{
	char *small;
	char *large;

	test_kvmalloc_begin();
	fail_nth_set(machine_main(), 1, true);
	small = kvmalloc(4096, GFP_KERNEL | __GFP_NOFAIL);
	EXPECT(small != NULL && !is_vmalloc_addr(small));
	/* vmalloc() asks for its tables until no request fails any more. */
	ticks_left = 2;
	machine_set_wait_hook(end_of_failures);
	large = kvmalloc(4097, GFP_KERNEL | __GFP_NOFAIL);
	machine_set_wait_hook(NULL);
	EXPECT(is_vmalloc_addr(large));
	EXPECT_EQUAL(ticks_left, 0);
	kvfree(small);
	kvfree(large);
	return NULL;
}

CASE(kvmalloc_rules, kmalloc_makes_no_effort_unless_the_caller_insists)
{
	static const struct {
		size_t size;
		gfp_t gfp;
		gfp_t adds;
	} rows[] = {
		{ 16384, GFP_KERNEL, __GFP_NORETRY | __GFP_NOWARN },
		{ 16384, GFP_NOFS, __GFP_NORETRY | __GFP_NOWARN },
		{ 16384, GFP_KERNEL | __GFP_RETRY_MAYFAIL, __GFP_NOWARN },
	};

	test_kvmalloc_begin();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *memory = kvmalloc(rows[i].size, rows[i].gfp);

		EXPECT(memory != NULL && !is_vmalloc_addr(memory));
		EXPECT_EQUAL(virt_to_page(memory)->gfp,
		             rows[i].gfp | rows[i].adds | __GFP_COMP);
		kvfree(memory);
	}
	return NULL;
}

CASE(kvmalloc_rules, more_than_int_max_is_reported_and_gets_null)
{
	uint64_t mark = log_mark();

	test_kvmalloc_begin();
	EXPECT(kvmalloc((size_t)INT32_MAX + 1, GFP_KERNEL | __GFP_NOWARN) ==
	       NULL);
	EXPECT(!log_contains_since(mark, "BUG"));
	EXPECT(kvmalloc((size_t)INT32_MAX + 1, GFP_KERNEL) == NULL);
	EXPECT(log_contains_since(mark, "more than INT_MAX"));
	EXPECT(kvmalloc_array(SIZE_MAX / 2, 3, GFP_KERNEL) == NULL);
	EXPECT(kvcalloc(SIZE_MAX / 2, 3, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(space->areas, 0);
	return NULL;
}

CASE(kvmalloc_rules, a_misuse_is_reported_once)
{
	test_kvmalloc_begin();
	machine_enter_irq(NULL);
	EXPECT(kvmalloc(16384, GFP_KERNEL) == NULL);
	machine_leave_irq();
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_must_not_sleep), 1);
	machine_enter_nmi();
	EXPECT(kvmalloc(16384, GFP_ATOMIC) == NULL);
	machine_leave_nmi();
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_alloc_in_nmi), 1);
	return NULL;
}

/* ---- Giving back, and another size --------------------------------------- */

CASE(kvmalloc_rules, kvfree_knows_by_the_address)
{
	char *mapped;
	char *small;

	test_kvmalloc_begin();
	mapped = vmalloc(PAGE_SIZE);
	small = kmalloc(100, GFP_KERNEL);
	machine_enter_irq(NULL);
	kvfree(small);
	kvfree(mapped);
	machine_leave_irq();
	EXPECT_EQUAL(space->pages, 1);
	vmalloc_work(space);
	EXPECT_EQUAL(space->pages, 0);
	return NULL;
}

CASE(kvmalloc_rules, kvcalloc_is_zero_and_of_the_product)
{
	unsigned char *memory;

	test_kvmalloc_begin();
	memory = kvcalloc(100, 33, GFP_KERNEL);
	EXPECT(memory != NULL && ksize(memory) >= 3300);
	for (unsigned int i = 0; i < 3300; i++)
		EXPECT(memory[i] == 0);
	kvfree(memory);
	return NULL;
}

CASE(kvmalloc_rules, kvrealloc_goes_from_kmalloc_to_vmalloc_with_the_contents)
{
	char *memory;
	char *larger;

	test_kvmalloc_begin();
	memory = kvrealloc(NULL, 3000, GFP_KERNEL);
	EXPECT(memory != NULL && !is_vmalloc_addr(memory));
	memset(memory, 0x42, 3000);
	EXPECT(kvrealloc(memory, 3500, GFP_KERNEL) == memory);
	break_into_single_pages();
	larger = kvrealloc(memory, 30000, GFP_KERNEL);
	EXPECT(is_vmalloc_addr(larger));
	for (unsigned int i = 0; i < 3000; i++)
		EXPECT(larger[i] == 0x42);
	give_single_pages_back();
	EXPECT(kvrealloc(larger, 100, GFP_KERNEL) == larger);
	EXPECT(kvrealloc(larger, FRAMES * PAGE_SIZE,
	                 GFP_KERNEL | __GFP_NOWARN) == NULL);
	EXPECT(larger[2999] == 0x42);
	EXPECT(kvrealloc(larger, 0, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(space->pages, 0);
	EXPECT(kvrealloc(&larger, 100, GFP_KERNEL) == NULL);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_free_refused), 1);
	return NULL;
}
