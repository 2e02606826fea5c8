/* SPDX-License-Identifier: MIT */
/*
 * mm/mm_check.h -- is the whole of memory consistent?
 *
 * Calls the checks of all mechanisms.
 */
#ifndef MM_MM_CHECK_H
#define MM_MM_CHECK_H

#include "mm/node.h"

/*
 * Check NODE: zones by zone_check(), pool and owners by exclusive_check().  NULL, or an
 * error message in BUFFER; works in slices (mm/debug/check.h).  TRY_LOCK as zone_check().
 * *TOTAL, which may be NULL, is the sum over zones, counted one after the other.
 */
const char *node_check(struct node *node, struct page_columns *total,
                       bool try_lock, char *buffer, size_t size);

/* Call node_check() and lru_check() for main_node().  Any context but NMI. */
const char *mm_check(char *buffer, size_t size);

#endif
