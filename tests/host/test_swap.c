/* SPDX-License-Identifier: MIT */
/*
 * Swap areas without anonymous memory: headers, friendly and hostile; which
 * slot comes next; counts; the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/page_bits.h"
#include "mm/reclaim/page_lock.h"
#include "mm/swap/swapfile.h"
#include "tests/host/libmm.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(swap);

static uint8_t header_page[PAGE_SIZE];

static void test_swap_put32(unsigned int at, uint32_t value)
{
	memcpy(header_page + at, &value, sizeof(value));
}

static bool test_swap_says(const char *answer, const char *expected)
{
	return answer != NULL && strstr(answer, expected) != NULL;
}

/* ---- Headers ------------------------------------------------------------- */

CASE(swap, header_of_mkswap_is_read)
{
	static const char command[] =
		"PATH=$PATH:/sbin:/usr/sbin; f=$(mktemp) && "
		"truncate -s 1M $f && mkswap -q -p 4096 -L 'lab yrinth' -U "
		"00112233-4455-6677-8899-aabbccddeeff $f >/dev/null && "
		"cat $f && rm $f";
	static const uint8_t uuid[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
		                          0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
		                          0xcc, 0xdd, 0xee, 0xff };
	FILE *from = popen(command, "r");
	struct swap_header header;
	size_t got = from == NULL ? 0 : fread(header_page, 1, PAGE_SIZE, from);
	char rest[PAGE_SIZE];

	while (from != NULL && fread(rest, 1, sizeof(rest), from) > 0)
		;
	EXPECT(from != NULL && pclose(from) == 0);
	EXPECT_EQUAL(got, PAGE_SIZE);
	EXPECT(swap_read_header(header_page, 256, &header) == NULL);
	EXPECT_EQUAL(header.slots, 256);
	EXPECT_EQUAL(header.nr_badpages, 0);
	EXPECT(strcmp(header.label, "lab yrinth") == 0);
	EXPECT(memcmp(header.uuid, uuid, sizeof(uuid)) == 0);
	return NULL;
}

CASE(swap, hostile_headers_are_refused_with_a_reason)
{
	static const uint32_t bad[] = { 5, 9 };
	struct swap_header header;

	ram_swap_header(header_page, 9, bad, 2);
	EXPECT(swap_read_header(header_page, 10, &header) == NULL);
	EXPECT_EQUAL(swap_header_badpage(&header, 1), 9);
	EXPECT(test_swap_says(swap_read_header(header_page, 9, &header),
	                      "shorter"));
	test_swap_put32(1028, UINT32_MAX);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "shorter"));
	test_swap_put32(1028, 0);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "empty"));
	ram_swap_header(header_page, 9, bad, 2);
	test_swap_put32(1032, SWAP_MAX_BADPAGES + 1);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "too many"));
	test_swap_put32(1032, UINT32_MAX);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "too many"));
	ram_swap_header(header_page, 9, bad, 2);
	test_swap_put32(1540, 10);
	EXPECT(test_swap_says(swap_read_header(header_page, 99, &header),
	                      "outside"));
	test_swap_put32(1540, 0);
	EXPECT(test_swap_says(swap_read_header(header_page, 99, &header),
	                      "outside"));
	ram_swap_header(header_page, 9, bad, 2);
	test_swap_put32(1024, 1U << 24);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "byte order"));
	test_swap_put32(1024, 2);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "version"));
	memcpy(header_page + 4086, "SWAP-SPACE", 10);
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "version 0"));
	header_page[4095] = 0;
	EXPECT(test_swap_says(swap_read_header(header_page, 10, &header),
	                      "no swap"));
	return NULL;
}

/* Whatever is in the page: an answer, and nothing that points outside of it. */
CASE(swap, random_headers_are_refused_or_make_sense)
{
	struct random dice = { test_seed() };
	struct swap_header header;
	unsigned long taken = 0;

	for (unsigned int round = 0; round < 20000; round++) {
		uint32_t last = (uint32_t)random_below(&dice, 64);
		unsigned int changes = (unsigned int)random_below(&dice, 4);

		ram_swap_header(header_page, last, NULL, 0);
		while (changes-- > 0)
			header_page[1024 + random_below(&dice, 48)] =
				(uint8_t)random_next(&dice);
		if (swap_read_header(header_page, 64, &header) != NULL)
			continue;
		taken++;
		EXPECT(header.slots >= 2 && header.slots <= 64);
		EXPECT(strlen(header.label) <= 16);
		EXPECT(header.nr_badpages <= SWAP_MAX_BADPAGES);
		for (unsigned int i = 0; i < header.nr_badpages; i++)
			EXPECT(swap_header_badpage(&header, i) < header.slots);
	}
	EXPECT(taken > 1000);
	return NULL;
}

/* ---- Slots --------------------------------------------------------------- */

#define MODEL_SLOTS 2000U

static struct node *node;
static struct page *page;
static struct swap_device devices[MAX_SWAPFILES + 1];

static void test_swap_start(void)
{
	machine_start(1024);
	node = machine_one_zone(ZONE_NORMAL, 1024);
	swap_start(node);
	page = alloc_page(GFP_KERNEL);
}

/* An area of SLOTS slots, COUNT of them bad.  Its number. */
static int add_area(unsigned int device, unsigned long slots, int priority,
                    const uint32_t *bad, unsigned int count)
{
	struct swap_cluster **clusters =
		(struct swap_cluster **)get_zeroed_page(GFP_KERNEL);
	struct swap_header header;

	for (unsigned long i = 0; i * SWAP_CLUSTER < min(slots, SWAP_MAX_SLOTS);
	     i++)
		clusters[i] =
			(struct swap_cluster *)get_zeroed_page(GFP_KERNEL);
	ram_swap_header(header_page, (uint32_t)slots - 1, bad, count);
	if (swap_read_header(header_page, slots, &header) != NULL)
		return -EINVAL;
	return swap_area_add(&devices[device], &header, priority, clusters);
}

/* Swap it off and give its pages back; its slots are free. */
static bool remove_area(int type)
{
	struct swap_cluster **clusters;

	if (swap_area_going((unsigned int)type, true) != 0 ||
	    swap_area_remove((unsigned int)type, &clusters) != 0)
		return false;
	for (unsigned long i = 0; i < SWAP_MAX_CLUSTERS; i++)
		free_page((uintptr_t)clusters[i]);
	free_page((uintptr_t)clusters);
	return true;
}

/* A slot with one reference, and nothing in the cache. */
static swp_entry_t test_swap_take_slot(void)
{
	swp_entry_t entry = swap_slot_alloc(page);

	if (entry.value != 0 && swap_duplicate(entry) == 0)
		swap_cache_remove(page);
	return entry;
}

static const char *test_swap_finish(void)
{
	static char sentence[160];
	const char *broken = swap_check(sentence, sizeof(sentence));

	for (int type = 0; broken == NULL && type < MAX_SWAPFILES; type++) {
		struct swap_info info;

		if (swap_area_info((unsigned int)type, &info) &&
		    !remove_area(type))
			broken = "an area cannot be removed";
	}
	put_page(page);
	return broken;
}

/*
 * A slot is never given twice; it fails when, and only when, none is free; the
 * one after the last is preferred; counts are those of the model.
 */
CASE(swap, slots_are_those_of_a_naive_model)
{
	static const uint32_t bad[] = { 1, 700, 767, 768, 1999, 1999 };
	static unsigned int model[MODEL_SLOTS];
	struct random dice = { test_seed() };
	unsigned long in_use = 0;
	unsigned long last = 0;
	char sentence[160];

	test_swap_start();
	memset(model, 0, sizeof(model));
	EXPECT_EQUAL(add_area(0, MODEL_SLOTS, 5, bad, 6), 0);
	EXPECT_EQUAL(get_nr_swap_pages(), MODEL_SLOTS - 6);
	for (unsigned int round = 0; round < 60000; round++) {
		unsigned long slot = random_below(&dice, MODEL_SLOTS);
		swp_entry_t entry = swp_entry(0, slot);
		unsigned int phase = round / 10000 % 2;

		if (random_below(&dice, 4) >= 1 + 2 * phase) {
			entry = test_swap_take_slot();
			slot = swp_offset(entry);
			EXPECT((entry.value == 0) ==
			       (in_use == MODEL_SLOTS - 6));
			if (entry.value == 0)
				continue;
			EXPECT(slot > 0 && slot < MODEL_SLOTS);
			for (unsigned int i = 0; i < 6; i++)
				EXPECT(slot != bad[i]);
			EXPECT_EQUAL(model[slot], 0);
			if ((last + 1) % SWAP_CLUSTER != 0 &&
			    last + 1 < MODEL_SLOTS - 1 && last != 699 &&
			    model[last + 1] == 0 && last + 1 != 767 &&
			    last + 1 != 1)
				EXPECT_EQUAL(slot, last + 1);
			last = slot;
			model[slot] = 1;
			in_use++;
		} else if (model[slot] > 0 && random_below(&dice, 4) == 0) {
			EXPECT_EQUAL(swap_duplicate(entry),
			             model[slot] == 127 ? -ENOMEM : 0);
			model[slot] += model[slot] < 127;
		} else if (model[slot] > 0) {
			swap_free(entry);
			in_use -= --model[slot] == 0;
		} else {
			EXPECT(swap_duplicate(entry) == -ENOENT);
		}
		EXPECT_EQUAL(swap_count(entry), model[swp_offset(entry)]);
		EXPECT_EQUAL(get_nr_swap_pages(), MODEL_SLOTS - 6 - in_use);
	}
	EXPECT(swap_check(sentence, sizeof(sentence)) == NULL);
	for (unsigned long slot = 0; slot < MODEL_SLOTS; slot++) {
		while (model[slot]-- > 0)
			swap_free(swp_entry(0, slot));
	}
	EXPECT_EQUAL(get_nr_swap_pages(), MODEL_SLOTS - 6);
	return test_swap_finish();
}

CASE(swap, an_empty_cluster_is_preferred_to_one_with_gaps)
{
	test_swap_start();
	EXPECT_EQUAL(add_area(0, 3UL * SWAP_CLUSTER, 0, NULL, 0), 0);
	for (unsigned int i = 1; i < SWAP_CLUSTER + 2; i++)
		EXPECT_EQUAL(swp_offset(test_swap_take_slot()), i);
	swap_free(swp_entry(0, 3));
	swap_free(swp_entry(0, 4));
	for (unsigned int i = SWAP_CLUSTER + 2; i < 3 * SWAP_CLUSTER; i++)
		EXPECT_EQUAL(swp_offset(test_swap_take_slot()), i);
	EXPECT_EQUAL(swp_offset(test_swap_take_slot()), 3);
	EXPECT_EQUAL(swp_offset(test_swap_take_slot()), 4);
	EXPECT_EQUAL(test_swap_take_slot().value, 0);
	for (unsigned int i = 1; i < 3 * SWAP_CLUSTER; i++)
		swap_free(swp_entry(0, i));
	return test_swap_finish();
}

/* The next cluster has gaps; the one after it is empty. */
CASE(swap, an_empty_cluster_is_preferred_although_one_with_gaps_comes_first)
{
	test_swap_start();
	EXPECT_EQUAL(add_area(0, 3UL * SWAP_CLUSTER, 0, NULL, 0), 0);
	for (unsigned int i = 1; i < 3 * SWAP_CLUSTER; i++)
		EXPECT_EQUAL(swp_offset(test_swap_take_slot()), i);
	swap_free(swp_entry(0, 5));
	for (unsigned int i = SWAP_CLUSTER; i < 2 * SWAP_CLUSTER; i++)
		swap_free(swp_entry(0, i));
	for (unsigned int i = SWAP_CLUSTER; i < 2 * SWAP_CLUSTER; i++)
		EXPECT_EQUAL(swp_offset(test_swap_take_slot()), i);
	EXPECT_EQUAL(swp_offset(test_swap_take_slot()), 5);
	EXPECT_EQUAL(test_swap_take_slot().value, 0);
	for (unsigned int i = 1; i < 3 * SWAP_CLUSTER; i++)
		swap_free(swp_entry(0, i));
	return test_swap_finish();
}

CASE(swap, priorities_decide_and_equals_take_turns)
{
	static const unsigned int order[] = { 2, 1, 2, 1, 2, 1, 1, 0, 0, 0 };
	struct swap_info info;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, 4, -1, NULL, 0), 0);
	EXPECT_EQUAL(add_area(1, 5, 7, NULL, 0), 1);
	EXPECT_EQUAL(add_area(2, 4, 7, NULL, 0), 2);
	EXPECT_EQUAL(add_area(3, 4, -1, NULL, 0), 3);
	EXPECT(swap_area_info(0, &info) && info.priority == -2);
	EXPECT(swap_area_info(3, &info) && info.priority == -3);
	EXPECT_EQUAL(total_swap_pages(), 3 + 4 + 3 + 3);
	EXPECT(!vm_swap_full());
	/* Which of two equals is first does not matter: 1 was. */
	for (unsigned int i = 0; i < 10; i++) {
		unsigned int type = swp_type(test_swap_take_slot());

		if (i < 6)
			EXPECT_EQUAL(type, order[i] == 2 ? 1 : 2);
		else
			EXPECT_EQUAL(type, order[i]);
	}
	EXPECT(vm_swap_full());
	for (unsigned int type = 0; type < 3; type++) {
		for (unsigned int slot = 1; slot < (type == 1 ? 5U : 4U);
		     slot++)
			swap_free(swp_entry(type, slot));
	}
	return test_swap_finish();
}

/* The last cluster that an area can have is its last, whatever the header says:
 * a bad page behind it has no place to be noted in. */
CASE(swap, bad_pages_behind_the_largest_area_are_not_noted)
{
	static const uint32_t bad[] = { SWAP_MAX_SLOTS - 1, SWAP_MAX_SLOTS,
		                        SWAP_MAX_SLOTS + 899 };
	struct swap_info info;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, SWAP_MAX_SLOTS + 900, 0, bad, 3), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT_EQUAL(info.bad, 1);
	EXPECT_EQUAL(info.pages, SWAP_MAX_SLOTS - 2);
	return test_swap_finish();
}

CASE(swap, an_area_keeps_the_label_of_its_header)
{
	const struct swap_header header = { .slots = 4, .label = "night" };
	struct swap_cluster **clusters;
	struct swap_info info;

	test_swap_start();
	clusters = (struct swap_cluster **)get_zeroed_page(GFP_KERNEL);
	clusters[0] = (struct swap_cluster *)get_zeroed_page(GFP_KERNEL);
	EXPECT_EQUAL(swap_area_add(&devices[0], &header, 0, clusters), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT(strcmp(info.label, "night") == 0);
	return test_swap_finish();
}

CASE(swap, areas_are_refused_that_cannot_be)
{
	struct swap_cluster **clusters;

	test_swap_start();
	EXPECT_EQUAL(swap_area_find(&devices[0]), -ENXIO);
	for (unsigned int i = 0; i < MAX_SWAPFILES; i++)
		EXPECT_EQUAL(add_area(i, 4, 0, NULL, 0), i);
	EXPECT_EQUAL(swap_area_find(&devices[2]), 2);
	{
		struct swap_header header = { .slots = 4 };

		EXPECT_EQUAL(swap_area_add(&devices[1], &header, 0, NULL),
		             -EBUSY);
		EXPECT_EQUAL(swap_area_add(&devices[MAX_SWAPFILES], &header, 0,
		                           NULL),
		             -ENOSPC);
	}
	EXPECT_EQUAL(swap_area_going(MAX_SWAPFILES, true), -ENXIO);
	EXPECT_EQUAL(swap_area_remove(1, &clusters), -EBUSY);
	return test_swap_finish();
}

CASE(swap, entries_that_make_no_sense_change_nothing)
{
	uint64_t mark;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, 4, 0, NULL, 0), 0);
	mark = log_mark();
	swap_free(swp_entry(0, 0));
	swap_free(swp_entry(0, 1));
	swap_free(swp_entry(0, 4));
	swap_free(swp_entry(3, 1));
	swap_free(swp_entry(15, 1));
	EXPECT_EQUAL(log_mark() - mark, 5);
	EXPECT_EQUAL(swap_duplicate(swp_entry(0, 0)), -ENOENT);
	EXPECT_EQUAL(swap_duplicate(swp_entry(9, 9)), -ENOENT);
	EXPECT_EQUAL(swap_cache_add(swp_entry(0, 2), page), -ENOENT);
	EXPECT(swap_cache_get(swp_entry(0, 2)) == NULL);
	EXPECT_EQUAL(get_nr_swap_pages(), 3);
	return test_swap_finish();
}

/* ---- The cache ----------------------------------------------------------- */

CASE(swap, a_page_in_the_cache_is_found_by_its_slot)
{
	struct page *other;
	swp_entry_t entry;

	test_swap_start();
	other = alloc_page(GFP_KERNEL);
	EXPECT_EQUAL(add_area(0, 4, 0, NULL, 0), 0);
	entry = swap_slot_alloc(page);
	EXPECT(page_has(page, PG_swapcache));
	EXPECT_EQUAL(swap_count(entry), 1);
	EXPECT_EQUAL(total_swapcache_pages(), 1);
	EXPECT(swap_cache_get(entry) == page);
	EXPECT_EQUAL(page_ref_count(page), 2);
	put_page(page);
	EXPECT_EQUAL(swap_cache_add(entry, other), -EEXIST);
	EXPECT_EQUAL(swap_duplicate(entry), 0);
	swap_cache_remove(page);
	EXPECT(!page_has(page, PG_swapcache));
	EXPECT(swap_cache_get(entry) == NULL);
	EXPECT_EQUAL(swap_cache_add(entry, other), 0);
	EXPECT(swap_cache_get(entry) == other);
	put_page(other);
	swap_cache_remove(other);
	swap_free(entry);
	EXPECT_EQUAL(swap_count(entry), 0);
	EXPECT_EQUAL(total_swapcache_pages(), 0);
	put_page(other);
	return test_swap_finish();
}

CASE(swap, the_caches_reference_goes_with_the_page_only)
{
	uint64_t mark;
	swp_entry_t entry;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, 4, 0, NULL, 0), 0);
	entry = swap_slot_alloc(page);
	mark = log_mark();
	swap_free(entry);
	EXPECT_EQUAL(log_mark() - mark, 1);
	EXPECT_EQUAL(swap_count(entry), 1);
	swap_cache_remove(page);
	EXPECT_EQUAL(swap_count(entry), 0);
	return test_swap_finish();
}

CASE(swap, a_going_area_gives_no_slots_and_no_references)
{
	swp_entry_t entry;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, 4, 0, NULL, 0), 0);
	entry = test_swap_take_slot();
	EXPECT_EQUAL(swap_area_going(0, true), 0);
	EXPECT_EQUAL(swap_area_going(0, true), -ENXIO);
	EXPECT_EQUAL(swap_duplicate(entry), -EBUSY);
	EXPECT_EQUAL(test_swap_take_slot().value, 0);
	EXPECT_EQUAL(get_nr_swap_pages(), 0);
	EXPECT_EQUAL(total_swap_pages(), 0);
	EXPECT_EQUAL(swap_area_going(0, false), 0);
	EXPECT_EQUAL(get_nr_swap_pages(), 2);
	swap_free(entry);
	return test_swap_finish();
}

/* ---- A failed write ------------------------------------------------------ */

CASE(swap, a_slot_that_cannot_be_written_is_not_used_again)
{
	struct swap_info info;
	swp_entry_t entry;

	test_swap_start();
	EXPECT_EQUAL(add_area(0, 4, 0, NULL, 0), 0);
	entry = swap_slot_alloc(page);
	devices[0].name = "broken";
	lock_page(page);
	set_page_writeback(page);
	swap_write_end(page, -EIO);
	EXPECT(page_has(page, PG_dirty) && page_has(page, PG_error));
	EXPECT(!page_has(page, PG_writeback));
	EXPECT(swap_slot_is_bad(entry));
	EXPECT_EQUAL(swap_count(entry), 1);
	swap_cache_remove(page);
	EXPECT_EQUAL(swap_count(entry), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT(info.bad == 1 && info.pages == 2 && info.used == 0);
	EXPECT_EQUAL(swp_offset(test_swap_take_slot()), 2);
	EXPECT_EQUAL(swp_offset(test_swap_take_slot()), 3);
	EXPECT_EQUAL(test_swap_take_slot().value, 0);
	swap_free(swp_entry(0, 2));
	swap_free(swp_entry(0, 3));
	clear_page_dirty_for_io(page);
	page_clear(page, PG_error);
	unlock_page(page);
	return test_swap_finish();
}

/* ---- Does swap_check() see what is wrong? -------------------------------- */

CASE(swap, check_sees_wrong_counts_and_wrong_pages)
{
	struct swap_cluster **clusters = (struct swap_cluster **)(uintptr_t)0;
	struct swap_header header;
	char text[160];
	swp_entry_t entry;

	test_swap_start();
	clusters = (struct swap_cluster **)get_zeroed_page(GFP_KERNEL);
	clusters[0] = (struct swap_cluster *)get_zeroed_page(GFP_KERNEL);
	ram_swap_header(header_page, 9, NULL, 0);
	EXPECT(swap_read_header(header_page, 10, &header) == NULL);
	EXPECT_EQUAL(swap_area_add(&devices[0], &header, 0, clusters), 0);
	entry = swap_slot_alloc(page);
	EXPECT(swap_check(text, sizeof(text)) == NULL);
	clusters[0]->count[7] = 1;
	EXPECT(test_swap_says(swap_check(text, sizeof(text)),
	                      "counts of cluster 0"));
	clusters[0]->count[7] = 0;
	clusters[0]->used++;
	EXPECT(test_swap_says(swap_check(text, sizeof(text)),
	                      "counts of cluster 0"));
	clusters[0]->used--;
	clusters[0]->cached[swp_offset(entry)]++;
	EXPECT(test_swap_says(swap_check(text, sizeof(text)), "is another"));
	clusters[0]->cached[swp_offset(entry)]--;
	page_clear(page, PG_swapcache);
	EXPECT(test_swap_says(swap_check(text, sizeof(text)), "is another"));
	page_set(page, PG_swapcache);
	clusters[0]->cached[3] = clusters[0]->cached[swp_offset(entry)];
	EXPECT(test_swap_says(swap_check(text, sizeof(text)), "slot 3"));
	clusters[0]->cached[3] = 0;
	swap_cache_remove(page);
	return test_swap_finish();
}
