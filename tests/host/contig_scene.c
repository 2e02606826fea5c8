/* SPDX-License-Identifier: MIT */
#include "tests/host/contig_scene.h"

#include <string.h>

#include "mm/page_alloc.h"
#include "tests/suite.h"

/* The last page too, and whatever the pageblock. */
#define ANY_PAGE (__GFP_MEMALLOC | __GFP_MOVABLE)

void contig_scene_start_free(void)
{
	test_reclaim_start_pages(SPACE_PLAIN, PAGES);
}

void contig_scene_start(enum space_kind kind)
{
	test_reclaim_start_pages(kind, PAGES);
	while (alloc_page(ANY_PAGE) != NULL)
		;
	kassert(zone->free_pages == 0);
}

void contig_scene_give(unsigned long first, unsigned long end)
{
	for (; first < end; first++)
		__free_page(zone_page(zone, first));
}

struct page *contig_scene_put(struct space *space, unsigned long pfn)
{
	struct page *page;

	kassert(zone->free_pages == 0);
	contig_scene_give(pfn, pfn + 1);
	page = space_add(space, ANY_PAGE);
	kassert(page == zone_page(zone, pfn));
	memset(page_address(page), (int)(page->index & 0xff), PAGE_SIZE);
	return page;
}

void contig_scene_put_all(struct space *space, unsigned long first,
                          unsigned long end)
{
	for (; first < end; first++)
		contig_scene_put(space, first);
}

void contig_scene_reserve(unsigned long first, unsigned long end)
{
	for (; first < end; first++) {
		memset(zone_page(zone, first), 0, sizeof(struct page));
		zone->used_pages--;
		zone->managed--;
	}
}

bool contig_scene_intact(const struct space *space)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		const uint8_t *bytes;

		if (space->page[i] == NULL)
			continue;
		bytes = page_address(space->page[i]);
		for (unsigned int at = 0; at < PAGE_SIZE; at++) {
			if (bytes[at] != (i & 0xff))
				return false;
		}
	}
	return true;
}

enum migratetype contig_scene_type(unsigned long number)
{
	return (enum migratetype)zone->blocks[number].type;
}

const char *contig_scene_check(void)
{
	static char sentence[200];

	return node_check(node, NULL, false, sentence, sizeof(sentence));
}

const char *contig_scene_end(void)
{
	const char *broken = contig_scene_check();

	if (broken != NULL)
		return broken;
	EXPECT_EQUAL(zone->isolated_pages, 0);
	broken = test_reclaim_finish();
	if (broken != NULL)
		return broken;
	for (unsigned long pfn = 0; pfn < zone->spanned; pfn++) {
		struct page *page = zone_page(zone, pfn);

		if (page->state == PAGE_USED)
			free_pages_node(node, page, page->order,
			                RETURN_ADDRESS());
	}
	EXPECT_EQUAL(zone->free_pages + zone->bad_pages, zone->managed);
	return contig_scene_check();
}
