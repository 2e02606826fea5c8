/* SPDX-License-Identifier: MIT */
/* mm/reclaim/node_sums.c -- what reclaim counts in each zone, for the whole node. */
#include "mm/node.h"

/* The sum of the counter at OFFSET in zone->lru. */
static unsigned long node_sum(const struct node *node, size_t offset)
{
	unsigned long sum = 0;

	kassert(offset % sizeof(sum) == 0);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const void *lru = &node->zone[type].lru;

		sum += READ_ONCE(
			*(const unsigned long *)((uintptr_t)lru + offset));
	}
	return sum;
}

unsigned long node_lru_count(const struct node *node, enum lru_list list)
{
	kassert(list < LRU_COUNT);
	return node_sum(node, offsetof(struct lru, count) +
	                              list * sizeof(unsigned long));
}

unsigned long node_dirty(const struct node *node)
{
	return node_sum(node, offsetof(struct lru, dirty));
}

unsigned long node_file_dirty(const struct node *node)
{
	return node_sum(node, offsetof(struct lru, file_dirty));
}

unsigned long node_writeback(const struct node *node)
{
	return node_sum(node, offsetof(struct lru, writeback));
}
