/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_reclaim.h -- shared by the suites of reclaim: a zone, a file and
 * anonymous pages, whose owners are scripted.
 */
#ifndef TESTS_HOST_TEST_RECLAIM_H
#define TESTS_HOST_TEST_RECLAIM_H

#include "tests/host/stage.h"
#include "tests/mm/space.h"

#define PAGES 4096UL
#define MIN   64UL
#define LOW   80UL
#define HIGH  96UL

extern struct space file_space;
extern struct space anon_space;

void start_kind(enum space_kind kind);
void test_reclaim_start_pages(enum space_kind kind, unsigned long pages);

void test_reclaim_start(void);

/* Anonymous pages have SLOTS slots on swap. */
void swap_on(unsigned long slots);

unsigned long test_reclaim_stat(enum vmstat_event event);

const char *test_reclaim_finish(void);

struct alloc_request test_reclaim_request_of(gfp_t mask, unsigned int order);

/* Return the number of pages that a request with MASK reclaims for itself. */
unsigned long test_reclaim_with(gfp_t mask);

/* Pages looked at by rounds FROM .. TO over a list of SIZE that stays. */
unsigned long looks(unsigned long size, int from, int to);

#endif
