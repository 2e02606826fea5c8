/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/direct_reclaim.h -- direct reclaim, called as rung 6 of the slow path does.
 */
#ifndef TESTS_MM_DIRECT_RECLAIM_H
#define TESTS_MM_DIRECT_RECLAIM_H

#include "mm/reclaim/reclaim.h"
#include "mm/scope.h"

static inline unsigned long
test_direct_reclaim(struct node *of, const struct alloc_request *request)
{
	unsigned int scope = memalloc_noreclaim_save();
	unsigned long pages = reclaim_try_to_free_pages(of, request);

	memalloc_noreclaim_restore(scope);
	return pages;
}

#endif
