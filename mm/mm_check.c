/* SPDX-License-Identifier: MIT */
/*
 * mm/mm_check.c -- the checks of zones, owners and lists, one after the other.
 *
 * Locking: that of each check.
 */
#include "mm/mm_check.h"

#include "lib/format.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/lru.h"

static void mm_check_add_columns(struct page_columns *total,
                                 const struct page_columns *columns)
{
	total->free += columns->free;
	total->isolated += columns->isolated;
	total->pcp += columns->pcp;
	total->parked += columns->parked;
	total->used += columns->used;
	total->exclusive += columns->exclusive;
	total->bad += columns->bad;
	total->loose += columns->loose;
	total->reserved += columns->reserved;
}

const char *node_check(struct node *node, struct page_columns *total,
                       bool try_lock, char *buffer, size_t size)
{
	struct page_columns columns;

	if (total != NULL)
		*total = (struct page_columns){ 0 };
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (zone_check(&node->zone[type], &columns, try_lock, buffer,
		               size) != NULL)
			return buffer;
		if (!try_lock &&
		    pageblock_check(&node->zone[type], buffer, size) != NULL)
			return buffer;
		if (!try_lock &&
		    pcp_check(&node->zone[type], buffer, size) != NULL)
			return buffer;
		if (total != NULL)
			mm_check_add_columns(total, &columns);
	}
	return exclusive_check(node, try_lock, buffer, size);
}

const char *mm_check(char *buffer, size_t size)
{
	struct node *node = main_node();
	const char *broken;

	if (node == NULL)
		return NULL;
	broken = node_check(node, NULL, false, buffer, size);
	if (broken == NULL)
		broken = lru_check(node, buffer, size);
	if (broken == NULL && node->slab.check != NULL)
		broken = node->slab.check(node, buffer, size);
	return broken;
}
