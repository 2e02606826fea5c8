/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_pcp_misuse.c -- per-CPU page lists: pages that must not be on one, and the
 * checks that find them.
 */
#include <string.h>

#include "kernel/arch/arch.h"
#include "lib/errno.h"
#include "tests/host/test_pcp.h"
#include "tests/suite.h"

SUITE(pcp);

/* ---- Misuse -------------------------------------------------------------- */

CASE(pcp, a_page_on_a_list_is_free_already)
{
	struct page *page;
	uint64_t mark = log_mark();

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_put(page, 0);
	pcp_put(page, 0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_free_refused), 1);
	EXPECT(log_contains_since(mark, "it is free already"));
	EXPECT(!try_get_page(page));
	EXPECT_EQUAL(pin_page(page), -EINVAL);
	return pcp_scene_end();
}

CASE(pcp, a_page_that_is_corrupt_on_its_list_is_leaked)
{
	struct page *page;
	uint64_t mark = log_mark();

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_put(page, 0);
	page->mapcount = 1;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT(log_contains_since(mark, "Bad page state"));
	return pcp_scene_end_with(1);
}

/* A zone that is none would be an index beyond the sets. */
CASE(pcp, a_page_of_a_zone_that_does_not_exist_is_not_listed)
{
	struct page *page;
	unsigned int count;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	count = set->count;
	page->zone = ZONE_COUNT;
	EXPECT(!pcp_free_hot(node->pcp[0], page, 0, RETURN_ADDRESS()));
	page->zone = (uint8_t)zone->type;
	EXPECT_EQUAL(page->state, PAGE_USED);
	EXPECT_EQUAL(set->count, count);
	pcp_put(page, 0);
	EXPECT_EQUAL(set->count, count + 1);
	return pcp_scene_end();
}

CASE(pcp, a_corrupt_page_is_reported_although_its_zone_has_too_little)
{
	struct page *page;
	uint64_t mark = log_mark();

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_put(page, 0);
	pcp_drain_zone(zone);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_drain_zone(zone);
	pcp_put(page, 0);
	EXPECT_EQUAL(set->count, 1);
	page->mapcount = 1;
	machine_set_marks(zone, 3000, 3100, 3200);
	EXPECT(alloc_page(GFP_NOWAIT) == NULL);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	EXPECT(log_contains_since(mark, "Bad page state"));
	return pcp_scene_end_with(1);
}

CASE(pcp, a_page_with_a_mapping_or_a_bit_does_not_enter)
{
	struct page *page;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	page->mapcount = 1;
	pcp_put(page, 0);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	page = pcp_get(GFP_KERNEL, 0);
	page_set(page, PG_dirty);
	pcp_put(page, 0);
	EXPECT_EQUAL(page->state, PAGE_BAD);
	return pcp_scene_end_with(2);
}

/* One reference remains: the first page stays, the rest is free. */
CASE(pcp, a_block_with_references_left_takes_the_zone_s_path)
{
	struct page *page;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 2);
	pcp_drain_zone(zone);
	get_page(page);
	pcp_put(page, 2);
	EXPECT(page->state == PAGE_USED && page->order == 0);
	EXPECT_EQUAL(set->count, 0);
	put_page(page);
	EXPECT_EQUAL(page->state, PAGE_PCP);
	return pcp_scene_end();
}

CASE(pcp, an_nmi_gets_nothing_from_a_list)
{
	struct page *page;

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_put(page, 0);
	preempt_count_add(NMI_ONE);
	EXPECT(pcp_get(GFP_ATOMIC, 0) == NULL);
	pcp_put(page, 0);
	preempt_count_sub(NMI_ONE);
	EXPECT_EQUAL(set->count, 8);
	return pcp_scene_end();
}

/* ---- Checks -------------------------------------------------------------- */

CASE(pcp, check_finds_a_wrong_count_and_a_page_that_is_not_there)
{
	static struct page stranger;
	struct page *page;
	char sentence[200];

	pcp_scene(2000, 1);
	page = pcp_get(GFP_KERNEL, 0);
	pcp_put(page, 0);
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) == NULL);
	set->count++;
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) != NULL);
	EXPECT(strstr(sentence, "K2") != NULL);
	set->count--;
	/* Out of the memory of the zone, and otherwise right. */
	stranger = *page;
	list_push(&page->link, &stranger.link);
	set->count++;
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) != NULL);
	EXPECT(strstr(sentence, "K1") != NULL);
	list_remove(&stranger.link);
	set->count--;
	page->state = PAGE_USED;
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) != NULL);
	EXPECT(strstr(sentence, "K1") != NULL);
	page->state = PAGE_PCP;
	page->flags = PAGE_COMPOUND;
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) != NULL);
	EXPECT(strstr(sentence, "K3") != NULL);
	page->flags = 0;
	set->pgfree++;
	EXPECT(pcp_check(zone, sentence, sizeof(sentence)) != NULL);
	EXPECT(strstr(sentence, "K5") != NULL);
	set->pgfree--;
	zone->used_pages++;
	EXPECT(zone_check(zone, NULL, false, sentence, sizeof(sentence)) !=
	       NULL);
	zone->used_pages--;
	return pcp_scene_end();
}
