/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/fragment.c -- memory of which no two free pages are neighbours.
 *
 *	ABABABABABAAAAAA   pages of two anonymous objects
 *	A.A.A.A.A.AAAAAA   the second one is gone
 *
 * The buddy allocator hands out neighbours one after the other, so pages that are taken
 * in turn lie in turn.  All of them can move, so compaction can make blocks again: two A
 * in a row leave two free frames in a row.
 *
 * Everything is taken with the right of reclaim (PF_MEMALLOC), down to the last page:
 * for a moment nobody else gets one.  That is the point: no block larger than a
 * page may be left anywhere.
 *
 * Meanwhile no zone is boosted: nothing could be reclaimed for it.  And nothing is
 * compacted that nobody asks for, or it would be over in half a second.
 *
 * Locking: none; one thread at a time.
 */
#include "kernel/demo/fragment.h"

#include "lib/errno.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/scope.h"
#include "mm/user/anon.h"
#include "mm/watermark.h"

/* Free pages, without reclaim. */
#define GFP_REST   (__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_NOWARN)

/* Free pages that a page of an object may need: itself, and a table. */
#define PAGE_NEEDS 2UL

static struct anon_object *movable;
static struct anon_object *gaps;
static unsigned long boost_before;
static unsigned long proactiveness_before;
static struct list rest = LIST_INIT(rest); /* the last few, by page->link */

/* Page INDEX of OBJECT comes into being.  False: there is no memory. */
static bool fragment_touch(struct anon_object *object, unsigned long index)
{
	struct page *page;

	if (node_free(main_node()) < PAGE_NEEDS ||
	    anon_object_pin(object, index, &page) != 0)
		return false;
	anon_object_unpin(page, true);
	return true;
}

/* How many gaps there are now: PAGES, or fewer. */
static unsigned long fragment_fill(unsigned long pages, unsigned long most)
{
	unsigned long made = 0;
	struct page *page;

	for (unsigned long i = 0; i < most; i++) {
		if (!fragment_touch(movable, i))
			break;
		if (made < pages && fragment_touch(gaps, made))
			made++;
	}
	while ((page = alloc_page(GFP_REST)) != NULL)
		list_append(&rest, &page->link);
	return made;
}

static void fragment_free_gaps(void)
{
	if (gaps != NULL)
		anon_object_destroy(gaps);
	gaps = NULL;
}

/* Fill memory with the right to all of it. */
static unsigned long fragment_fill_all(unsigned long pages, unsigned long most)
{
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long made = fragment_fill(pages, most);

	memalloc_noreclaim_restore(scope);
	return made;
}

int fragment_begin(unsigned long pages)
{
	unsigned long most = node_managed(main_node());
	unsigned long made = 0;

	if (movable != NULL)
		return -EBUSY;
	if (most > ANON_MAX_PAGES)
		return -E2BIG;
	if (pages > most / 2)
		return -ENOMEM;
	movable = anon_object_create(most);
	if (movable == NULL)
		return -ENOMEM;
	boost_before = watermark_set_boost_factor(main_node(), 0);
	proactiveness_before = main_node()->reclaim.kcompactd.proactiveness;
	kcompactd_set_proactiveness(main_node(), 0);
	gaps = anon_object_create(pages);
	if (gaps != NULL)
		made = fragment_fill_all(pages, most);
	if (made == pages) {
		fragment_free_gaps();
		/* The gaps are free in their zone, not on a CPU's list. */
		pcp_drain_node(main_node());
		return 0;
	}
	fragment_end();
	return -ENOMEM;
}

bool fragment_end(void)
{
	bool was = movable != NULL;
	struct page *page;

	fragment_free_gaps();
	while ((page = list_first(&rest, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
	}
	if (movable != NULL)
		anon_object_destroy(movable);
	movable = NULL;
	if (was) {
		(void)watermark_set_boost_factor(main_node(), boost_before);
		kcompactd_set_proactiveness(main_node(), proactiveness_before);
	}
	return was;
}
