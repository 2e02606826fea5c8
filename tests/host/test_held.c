/* SPDX-License-Identifier: MIT */
/*
 * Everything that a thread holds is counted and named, and the counts are zero
 * again when all is released; a call that returns with more than it began with
 * is a panic.
 */
#include <string.h>

#include "kernel/core/held.h"
#include "kernel/core/mutex.h"
#include "mm/reclaim/page_lock.h"
#include "mm/scope.h"
#include "mm/user/anon.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(held);

#define FRAMES 1024UL

static char held_text[400];
static struct mutex held_mutex;

static bool held_names(const char *what)
{
	return strstr(held_format(held_text, sizeof(held_text)), what) != NULL;
}

static struct page *held_start(void)
{
	struct node *node;

	machine_start(FRAMES);
	node = machine_one_zone(ZONE_NORMAL, FRAMES);
	swap_start(node);
	anon_start();
	mutex_init(&held_mutex, "held_mutex");
	return alloc_page(GFP_KERNEL);
}

CASE(held, each_kind_is_counted_and_named_until_it_is_given_back)
{
	struct page *page = held_start();
	unsigned int scope;

	EXPECT(page != NULL);
	EXPECT_EQUAL(held_total(), 0);
	mutex_lock(&held_mutex);
	EXPECT_EQUAL(held_total(), 1);
	EXPECT(held_names("mutex held_mutex since "));
	EXPECT(mutex_is_mine(&held_mutex) && !mutex_trylock(&held_mutex));
	EXPECT_EQUAL(held_total(), 1);
	lock_page(page);
	EXPECT(!trylock_page(page));
	EXPECT_EQUAL(held_total(), 2);
	EXPECT(held_names("page lock since "));
	EXPECT_EQUAL(pin_page(page), 0);
	EXPECT_EQUAL(held_total(), 3);
	EXPECT(held_names("pin since "));
	scope = memalloc_nofs_save();
	EXPECT_EQUAL(held_total(), 4);
	EXPECT(held_names("scope since "));

	/* In another order than it was taken. */
	mutex_unlock(&held_mutex);
	EXPECT_EQUAL(held_total(), 3);
	EXPECT(!held_names("mutex"));
	put_page(page);
	EXPECT(!held_names("pin"));
	memalloc_nofs_restore(scope);
	EXPECT(!held_names("scope"));
	unlock_page(page);
	EXPECT_EQUAL(held_total(), 0);
	EXPECT(held_names("nothing"));
	__free_page(page);
	return NULL;
}

/*
 * Twenty, released in the order they were taken: a thread that still has four
 * has four.
 */
CASE(held, more_than_can_be_listed_are_counted_all_the_same)
{
	struct page *page[HELD_THINGS + 4];
	unsigned int most = ARRAY_SIZE(page);
	unsigned int scope;

	__free_page(held_start());
	for (unsigned int i = 0; i < most; i++) {
		page[i] = alloc_page(GFP_KERNEL);
		EXPECT(page[i] != NULL);
		EXPECT_EQUAL(pin_page(page[i]), 0);
		EXPECT_EQUAL(held_total(), i + 1);
	}
	EXPECT(held_names("4 not listed, pin since "));
	for (unsigned int i = 0; i < most; i++) {
		EXPECT_EQUAL(held_total(), most - i);
		put_page(page[i]);
		__free_page(page[i]);
	}
	EXPECT_EQUAL(held_total(), 0);
	EXPECT(held_names("nothing"));

	/* The same thing again and again. */
	scope = memalloc_nofs_save();
	for (unsigned int i = 0; i < most; i++)
		(void)memalloc_nofs_save();
	for (unsigned int i = 0; i < most; i++)
		memalloc_nofs_restore(0);
	EXPECT_EQUAL(held_total(), 1);
	memalloc_nofs_restore(scope);
	EXPECT_EQUAL(held_total(), 0);
	return NULL;
}

CASE(held, a_reference_of_an_index_is_not_the_pin_of_the_thread)
{
	struct page *page = held_start();

	EXPECT(page != NULL);
	EXPECT_EQUAL(pin_page(page), 0);
	get_page(page);
	put_kept_page(page);
	EXPECT_EQUAL(held_total(), 1);
	put_page(page);
	EXPECT_EQUAL(held_total(), 0);
	__free_page(page);
	return NULL;
}

CASE(held, pages_of_anonymous_memory_are_held_from_pin_to_unpin)
{
	struct page *page = held_start();
	struct anon_object *object = anon_object_create(4);
	char bytes[5] = "abcd";
	struct page *pinned;

	EXPECT(page != NULL && object != NULL);
	__free_page(page);
	EXPECT_EQUAL(anon_object_pin(object, 0, &pinned), 0);
	EXPECT_EQUAL(held_total(), 1);
	EXPECT_EQUAL(anon_object_pin(object, 9, &page), -EINVAL);
	EXPECT_EQUAL(held_total(), 1);
	EXPECT_EQUAL(anon_object_write(object, 0, bytes, sizeof(bytes)), 0);
	EXPECT_EQUAL(anon_object_read(object, 0, bytes, sizeof(bytes)), 0);
	EXPECT_EQUAL(held_total(), 1);
	anon_object_unpin(pinned, true);
	EXPECT_EQUAL(held_total(), 0);
	anon_object_destroy(object);
	EXPECT_EQUAL(held_total(), 0);
	return NULL;
}

CASE(held, what_an_interrupt_takes_is_not_the_threads)
{
	struct page *page = held_start();

	EXPECT(page != NULL);
	machine_enter_irq(NULL);
	EXPECT(trylock_page(page));
	unlock_page(page);
	EXPECT(trylock_page(page));
	machine_leave_irq();
	EXPECT_EQUAL(held_total(), 0);
	unlock_page(page);
	__free_page(page);
	return NULL;
}

static void held_keep_a_lock(void *data)
{
	unsigned int held = held_total();

	lock_page(data);
	held_expect(held, "a call that forgets");
}

static void held_give_too_much(void *data)
{
	unsigned int held;

	lock_page(data);
	held = held_total();
	unlock_page(data);
	held_expect(held, "a call that forgets");
}

static const char *held_crime(void (*crime)(void *), const char *part)
{
	struct page *page = held_start();
	enum machine_end how =
		machine_try(crime, page, held_text, sizeof(held_text));

	machine_start(0);
	if (how != MACHINE_PANICKED)
		return "it was forgiven";
	if (strstr(held_text, part) == NULL)
		return test_failure("the panic says \"%s\"", held_text);
	return NULL;
}

CASE(held, a_call_that_returns_with_more_or_less_than_it_found_is_a_panic)
{
	const char *wrong = held_crime(
		held_keep_a_lock, "a call that forgets began with 0 things "
				  "held and returns with 1: page lock since ");

	if (wrong == NULL)
		wrong = held_crime(held_give_too_much,
		                   "began with 1 things held and returns with "
		                   "0: nothing");
	return wrong;
}
