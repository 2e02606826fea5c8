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
 * mm_check() of any node: every zone by zone_check(), the pool and every owner
 * by exclusive_check().  NULL or a sentence in BUFFER; TRY_LOCK as zone_check().
 * Works in slices, others go on meanwhile: mm/check.h.  *TOTAL, which may be
 * NULL, is the sum over zones that were counted one after the other.
 */
const char *node_check(struct node *node, struct page_columns *total,
                       bool try_lock, char *buffer, size_t size);

/* Check everything: node_check() and lru_check().  NULL, or a sentence in BUFFER.
 * Works in slices, others go on meanwhile: mm/check.h.  Any context but NMI. */
const char *mm_check(char *buffer, size_t size);

#endif
