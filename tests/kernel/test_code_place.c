/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_code_place.c -- places in the code by name, and requests that fail
 * because they come from one.
 */
#include "kernel/core/code_place.h"
#include "kernel/core/context.h"
#include "kernel/fail.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/suite.h"

SUITE(code_place);

#define THIS_FILE "tests/kernel/test_code_place.c"

static volatile unsigned int calls;

/* No two calls of it are the same to the compiler. */
static __noinline uintptr_t code_place_here(void)
{
	calls++;
	return RETURN_ADDRESS();
}

CASE(code_place, a_function_has_its_calls_and_no_others)
{
	struct code_place place;
	struct code_place other;
	uintptr_t here = code_place_here();
	char text[CODE_PLACE_SIZE];

	EXPECT_EQUAL(code_place_parse("code_place_here", &other), 0);
	EXPECT(!code_place_has(&other, here));
	EXPECT(code_place_has(&other, (uintptr_t)code_place_here + 1));
	EXPECT(code_place_has(&other, other.end));
	EXPECT(!code_place_has(&other, other.end + 1));
	EXPECT(!code_place_has(&other, other.start));
	EXPECT_EQUAL(
		code_place_parse("case_code_place_a_function_has_its_calls_and_"
	                         "no_others",
	                         &place),
		0);
	EXPECT(code_place_has(&place, here));
	code_place_format(text, sizeof(text), &other);
	EXPECT(strcmp(text, "code_place_here") == 0);
	return NULL;
}

CASE(code_place, a_file_and_a_line_have_the_calls_that_are_written_there)
{
	struct code_place place;
	struct code_place behind;
	unsigned int line = __LINE__ + 1;
	uintptr_t here = code_place_here();
	uintptr_t next = code_place_here();
	char text[CODE_PLACE_SIZE];
	char name[CODE_PLACE_SIZE];

	EXPECT_EQUAL(code_place_parse(THIS_FILE, &place), 0);
	EXPECT(code_place_has(&place, here) && code_place_has(&place, next));
	EXPECT(!code_place_has(&place, (uintptr_t)alloc_pages + 1));
	scnprintf(name, sizeof(name), "%s:%u", THIS_FILE, line);
	EXPECT_EQUAL(code_place_parse(name, &place), 0);
	EXPECT(code_place_has(&place, here) && !code_place_has(&place, next));
	code_place_format(text, sizeof(text), &place);
	EXPECT(strcmp(text, name) == 0);
	scnprintf(name, sizeof(name), "%s:%u", THIS_FILE, line + 1);
	EXPECT_EQUAL(code_place_parse(name, &behind), 0);
	EXPECT(code_place_has(&behind, next) && !code_place_has(&behind, here));
	EXPECT_EQUAL(code_place_parse("any", &place), 0);
	EXPECT(!code_place_is_set(&place));
	return NULL;
}

/* The second line of this file is a comment; the others are lines of other files. */
CASE(code_place, what_does_not_exist_is_refused_and_changes_nothing)
{
	static const char *const wrong[] = {
		"",
		"code_place_her",
		"code_place_heree",
		"tests/kernel/test_code_place",
		THIS_FILE ":",
		THIS_FILE ":0",
		THIS_FILE ":2",
		THIS_FILE ":x",
		THIS_FILE ":2000",
		THIS_FILE ":4294967295",
		THIS_FILE ":4294967313",
		":20",
	};
	struct code_place place;
	uintptr_t start;

	EXPECT_EQUAL(code_place_parse("code_place_here", &place), 0);
	start = place.start;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQUAL(code_place_parse(wrong[i], &place), -ENOENT);
		EXPECT(place.start == start && place.file == NULL);
	}
	return NULL;
}

/* ---- Requests that fail there -------------------------------------------- */

static __noinline bool request_here(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 1);

	if (page != NULL)
		__free_pages(page, 1);
	return page != NULL;
}

static __noinline unsigned int request_there(void)
{
	unsigned int got = request_here() ? 1 : 0;

	return got + 1;
}

/* With all that the two settings ask for, as numbers: 1, request_here() fails, 2, so it does
 * for request_there(). */
static unsigned int failed_with(const char *first, const char *second)
{
	const char *const set[] = { "times=-1",  "ignore-gfp-wait=0",
		                    "verbose=0", first,
		                    second,      "probability=100" };
	unsigned int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		if (fail_set(FAIL_PAGE_ALLOC, set[i]) != 0)
			failed |= 4;
	failed |= request_here() ? 0 : 1;
	failed |= request_there() == 2 ? 0 : 2;
	fail_reset(FAIL_PAGE_ALLOC);
	return failed;
}

CASE(code_place, requests_from_a_place_fail_and_no_others)
{
	EXPECT_EQUAL(failed_with("require=request_here", "reject=any"), 3);
	EXPECT_EQUAL(failed_with("require=request_there", "reject=any"), 2);
	EXPECT_EQUAL(failed_with("require=" THIS_FILE, "reject=request_there"),
	             1);
	EXPECT_EQUAL(failed_with("require=code_place_here", "reject=any"), 0);
	EXPECT_EQUAL(failed_with("require=" THIS_FILE, "stacktrace-depth=0"),
	             0);
	EXPECT_EQUAL(failed_with("require=nowhere_at_all", "max-order=0"), 4);
	return NULL;
}
