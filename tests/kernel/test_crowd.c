/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_crowd.c -- a thousand threads at a time.
 */
#include "kernel/core/fault.h"
#include "kernel/demo/crowd.h"
#include "kernel/thread.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/slab/vmalloc.h"
#include "tests/suite.h"

SUITE(crowd);

#define CROWD        1000U
/* A stack, the table of a window, a page, and parts of slabs. */
#define MEMBER_PAGES 7UL

struct crowd_seen {
	unsigned int looked;
	unsigned int foreign;    /* pages whose touch faulted, and named them */
	unsigned int two_owners; /* whose window another one has */
	unsigned int visited;
	unsigned long windows[BITMAP_LONGS(WINDOW_COUNT)];
};

SUITE_OBJECT(struct crowd_seen, crowd_seen);

struct crowd_touch {
	const struct owner *owner;
	volatile uint64_t *page;
};

static bool crowd_match(const struct fault *fault, void *data)
{
	const struct crowd_touch *touch = data;

	return fault->kind == FAULT_EXCLUSIVE &&
	       fault->address == (uintptr_t)touch->page &&
	       fault->owner == touch->owner;
}

static void crowd_read(void *data)
{
	const struct crowd_touch *touch = data;

	(void)*touch->page;
}

static void crowd_look_at(struct thread *thread, void *page, void *data)
{
	struct crowd_seen *seen = data;
	struct crowd_touch touch = { &thread->owner, page };
	struct fault_expect expect = { .match = crowd_match, .data = &touch };
	unsigned int id = thread->owner.window.id;

	seen->looked++;
	if (bitmap_test(seen->windows, id))
		seen->two_owners++;
	bitmap_set(seen->windows, id);
	if (page != NULL && fault_catch(&expect, crowd_read, &touch))
		seen->foreign++;
}

static void crowd_count(struct thread *thread, void *data)
{
	if (strcmp(thread->owner.name, "crowd") == 0)
		++*(unsigned int *)data;
}

static void crowd_visit_all(struct thread *thread __unused, void *page,
                            void *data)
{
	struct crowd_seen *seen = data;

	crowd_look_at(thread, page, data);
	if (seen->looked == 1)
		thread_visit(crowd_count, &seen->visited);
}

/* On a machine that is too small for them, the end is as clean: all pages are counted
 * after the case. */
CASE(crowd, a_thousand_threads_have_a_window_and_an_exclusive_page_each)
{
	const struct crowd_look look = { crowd_visit_all, crowd_seen };
	unsigned long room = node_free(main_node()) / MEMBER_PAGES;
	struct crowd_report report;

	memset(crowd_seen, 0, sizeof(*crowd_seen));
	crowd_run(CROWD, &look, NULL, &report);
	test_note("crowd: %u threads, %u exclusive pages, %u windows in use",
	          report.threads, report.pages,
	          main_node()->pool.groups * WINDOW_GROUP);
	EXPECT_EQUAL(report.error, report.pages == CROWD ? 0 : -ENOMEM);
	EXPECT(report.pages >= min(3 * room / 4, CROWD + 0UL));
	EXPECT(report.threads > 4);
	EXPECT_EQUAL(crowd_seen->looked, report.threads);
	EXPECT_EQUAL(crowd_seen->visited, report.threads);
	EXPECT_EQUAL(crowd_seen->two_owners, 0);
	EXPECT_EQUAL(crowd_seen->foreign, report.pages);
	EXPECT_EQUAL(report.intact, report.pages);
	return NULL;
}
