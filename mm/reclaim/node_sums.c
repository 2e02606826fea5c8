/* SPDX-License-Identifier: MIT */
/* mm/reclaim/node_sums.c -- what reclaim counts in each zone, for the whole node. */
#include "mm/node.h"

unsigned long node_lru_count(const struct node *node, enum lru_list list)
{
	unsigned long sum = 0;

	kassert(list < LRU_COUNT);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		sum += READ_ONCE(node->zone[type].lru.count[list]);
	return sum;
}

unsigned long node_dirty(const struct node *node)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		sum += READ_ONCE(node->zone[type].lru.dirty);
	return sum;
}

unsigned long node_file_dirty(const struct node *node)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		sum += READ_ONCE(node->zone[type].lru.file_dirty);
	return sum;
}

unsigned long node_writeback(const struct node *node)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		sum += READ_ONCE(node->zone[type].lru.writeback);
	return sum;
}
