/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/drain.h -- free pages of every CPU's lists go back to their zones.
 */
#ifndef MM_RECLAIM_DRAIN_H
#define MM_RECLAIM_DRAIN_H

#include "mm/node.h"

/*
 * All pages of all CPUs' lists go back to ZONE; NULL: to each zone of NODE.  Pages that
 * others free meanwhile may stay on lists.  Thread context, may sleep: not from work
 * (kernel/core/work.h).  Linux: drain_all_pages().
 */
void drain_all_pages(struct node *node, struct zone *zone);

#endif
