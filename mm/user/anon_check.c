/* SPDX-License-Identifier: MIT */
/*
 * mm/user/anon_check.c -- A1 to A4 of all objects (mm/user/anon.c).
 *
 * An object is walked a slice of words at a time.  A1, A2 and A4 are checked for
 * each word; a page that is locked or isolated is in work and skipped.  A3
 * compares sums, which mean something only if no word was set during the walk:
 * object->changes shows it.  A walk that was disturbed is repeated, at most
 * CHECK_WALKS times (mm/debug/check.h).
 *
 * Locking: object->lock, for a slice; the object is kept by a reference.
 */
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/user/anon_internal.h"

static bool anon_page_is_right(const struct anon_object *object,
                               unsigned long index, const struct page *page)
{
	return page->mapping == &object->mapping && page->index == index &&
	       page_has(page, PG_uptodate) && page_has(page, PG_swapbacked) &&
	       (page_has(page, PG_dirty) || page_has(page, PG_writeback) ||
	        page_has(page, PG_swapcache)); /* A1 */
}

/* Reclaim, or a thread that reads it in, is at work on PAGE. */
static bool anon_is_in_work(const struct page *page)
{
	return page_has(page, PG_locked) || page_has(page, PG_isolated);
}

/* A4.  object->lock held: the word and its reference stay. */
static bool anon_references_are_right(const struct page *page)
{
	int references = page_ref_count(page);

	return references == 1 ||
	       (references > 1 &&
	        (__atomic_load_n(&anon.users, __ATOMIC_SEQ_CST) > 0 ||
	         READ_ONCE(main_node()->reclaim.in_hand) > 0));
}

/* NULL, or which invariant word INDEX violates.  object->lock held. */
static const char *anon_check_word(struct anon_object *object,
                                   unsigned long index)
{
	uintptr_t word = anon_read_word(object, index);
	struct page *page = anon_word_page(word);

	if (page != NULL && anon_is_in_work(page))
		return NULL;
	if (page != NULL && !anon_page_is_right(object, index, page))
		return "A1: the page is not as it should be";
	if (page != NULL && !anon_references_are_right(page))
		return "A4: the page has other references";
	if (page == NULL && word != 0 && swap_count(anon_word_entry(word)) == 0)
		return "A2: the slot is free";
	return NULL;
}

struct anon_sums {
	unsigned long resident;
	unsigned long swapped;
	unsigned long changes;
};

/* CHECK_SLICE words from INDEX on, added to SUMS.  object->lock held. */
static const char *anon_check_words(struct anon_object *object,
                                    unsigned long index, struct anon_sums *sums,
                                    char *buffer, size_t size)
{
	unsigned long end = min(index + CHECK_SLICE, object->pages);

	for (; index < end; index++) {
		const char *wrong = anon_check_word(object, index);
		uintptr_t word = anon_read_word(object, index);

		sums->resident += anon_word_page(word) != NULL;
		sums->swapped += anon_word_entry(word).value != 0;
		if (wrong == NULL)
			continue;
		scnprintf(buffer, size, "anonymous page %lu: %s", index, wrong);
		return buffer;
	}
	return NULL;
}

/* A3, if no word was set since the walk began; *MOVED says so.  object->lock
 * held. */
static const char *anon_check_usage(const struct anon_object *object,
                                    const struct anon_sums *sums, bool *moved,
                                    char *buffer, size_t size)
{
	*moved = object->changes != sums->changes;
	if (*moved || (sums->resident == object->mapping.nrpages &&
	               sums->swapped == object->swapped))
		return NULL;
	scnprintf(buffer, size,
	          "A3: an object has %lu pages in memory and %lu on swap, "
	          "counted %lu and %lu",
	          object->mapping.nrpages, object->swapped, sums->resident,
	          sums->swapped);
	return buffer;
}

/* All of an object, a slice at a time. */
static const char *anon_check_object(struct anon_object *object, bool *moved,
                                     char *buffer, size_t size)
{
	bool enabled = spin_lock_irqsave(&object->lock);
	struct anon_sums sums = { .changes = object->changes };
	const char *broken = NULL;

	for (unsigned long index = 0; index < object->pages && broken == NULL;
	     index += CHECK_SLICE) {
		spin_unlock_irqrestore(&object->lock, enabled);
		enabled = spin_lock_irqsave(&object->lock);
		broken = anon_check_words(object, index, &sums, buffer, size);
	}
	if (broken == NULL)
		broken = anon_check_usage(object, &sums, moved, buffer, size);
	spin_unlock_irqrestore(&object->lock, enabled);
	return broken;
}

const char *anon_check(char *buffer, size_t size)
{
	const char *broken = check_buffer(buffer, size);
	struct anon_object *object;

	if (broken != NULL)
		return broken;
	for_each_anon_object(object)
	{
		bool moved = true;

		for (unsigned int i = 0;
		     i < CHECK_WALKS && moved && broken == NULL; i++)
			broken =
				anon_check_object(object, &moved, buffer, size);
	}
	return broken;
}
