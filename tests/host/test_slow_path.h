/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_slow_path.h -- shared by the files of the suite: zone Z, and a
 * script for reclaim, compaction and the OOM killer.
 */
#ifndef TESTS_HOST_TEST_SLOW_PATH_H
#define TESTS_HOST_TEST_SLOW_PATH_H

#include "tests/host/pile.h"

#define ZONE      ZONE_DMA32
#define STORY_MAX 800

extern struct pile slow_pile;

/* The results of the hooks, and their arguments. */
struct test_script {
	unsigned long reclaimed;   /* what reclaim says it found */
	unsigned long reclaimable; /* what it says it could find */
	unsigned long gives_at;    /* in this reclaim it frees ... */
	unsigned long gives;       /* ... so many pages */
	enum compact_result compacted;
	bool kills;
	unsigned long kill_gives; /* pages that a kill frees */
	unsigned long sleep_gives_at;
	unsigned long sleep_gives;

	unsigned long wakes, reclaims, compacts, ooms, rests;
	unsigned long passes; /* in the story so far */
	struct alloc_request asked;
	struct page *nested; /* what reclaim's own request got */
	bool nests;
	bool rested;
	unsigned long slept, yielded;
	bool waited; /* the watchdog knew during reclaim */
	char story[STORY_MAX];
	size_t length;
};

extern struct test_script script;

unsigned long test_slow_path_stat(enum vmstat_event event);

bool story_is(const char *expected);

enum compact_result test_slow_path_on_compact(
	struct node *node __unused, const struct alloc_request *request,
	enum compact_priority priority, struct page **page __unused);

/* Zone Z with FREE pages free and all hooks but that of compaction. */
struct node *test_slow_path_begin(unsigned long free);

/* The same without two free pages side by side. */
struct node *begin_scattered(unsigned long free);

const char *test_slow_path_finish(void);

struct page *test_slow_path_ask(gfp_t mask, unsigned int order);

void test_slow_path_give(struct page *page, unsigned int order);

#endif
