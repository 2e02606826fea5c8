/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/check.c -- walks along lists and blocks that others change.
 *
 * Locking: a list's own lock, for CHECK_SLICE elements.
 */
#include "mm/debug/check.h"

#include "kernel/arch/copy.h"
#include "mm/zone.h"

const char check_length[] = "length";

enum check_result {
	CHECK_FINE,
	CHECK_BROKEN,
	CHECK_MOVED,
};

/* Let others at the list; true: one of them has changed it. */
static bool check_pause(const struct check_walk *walk, unsigned long changes,
                        bool *enabled)
{
	if (walk->lock == NULL)
		return false;
	spin_unlock_irqrestore(walk->lock, *enabled);
	*enabled = spin_lock_irqsave(walk->lock);
	return READ_ONCE(*walk->changes) != changes;
}

static enum check_result check_walk_once(struct check_walk *walk, bool *enabled)
{
	const unsigned long changes = READ_ONCE(*walk->changes);

	walk->seen = 0;
	for (walk->at = walk->list->next; walk->at != walk->list;
	     walk->at = walk->at->next) {
		walk->broken = walk->look(walk->at, walk->data);
		if (walk->broken != NULL)
			return CHECK_BROKEN;
		if (++walk->seen > *walk->length)
			break;
		if (walk->seen % CHECK_SLICE == 0 &&
		    check_pause(walk, changes, enabled))
			return CHECK_MOVED;
	}
	if (walk->seen == *walk->length)
		return CHECK_FINE;
	walk->broken = check_length;
	return CHECK_BROKEN;
}

bool check_walk_list(struct check_walk *walk)
{
	enum check_result result = CHECK_MOVED;
	bool enabled = false;

	walk->broken = NULL;
	if (walk->lock != NULL)
		enabled = spin_lock_irqsave(walk->lock);
	for (unsigned int i = 0; i < CHECK_WALKS && result == CHECK_MOVED; i++)
		result = check_walk_once(walk, &enabled);
	if (walk->lock != NULL)
		spin_unlock_irqrestore(walk->lock, enabled);
	return result != CHECK_BROKEN;
}

/* At once: some four instructions for each. */
#define CHECK_NONE 64UL

unsigned long check_pass_none(const struct page *page, unsigned long most)
{
	const uint64_t word = READ_ONCE(page->word);
	unsigned long count = 1;

	kassert(most > 0);
	most = min(most, CHECK_NONE);
	while (count < most && READ_ONCE(page[count].word) == word)
		count++;
	return count;
}

const struct page *check_next_block(const struct zone *zone,
                                    const struct page *page,
                                    unsigned long *rest)
{
	unsigned long pfn = zone_pfn(zone, page);
	const struct page *head = zone_block_head(zone, pfn);
	unsigned long pages;

	*rest = 1;
	if (head == NULL)
		*rest = check_pass_none(page,
		                        zone->start_pfn + zone->spanned - pfn);
	if (head == NULL || head->order == 0)
		return head;
	pages = 1UL << min(head->order, (uint8_t)MAX_ORDER);
	*rest = min(zone_pfn(zone, head) + pages,
	            zone->start_pfn + zone->spanned) -
	        pfn;
	return head;
}

const char *check_buffer(char *buffer, size_t size)
{
	return clear_caller(buffer, size) == 0
	               ? NULL
	               : "the buffer for what a check says is not the caller's";
}
