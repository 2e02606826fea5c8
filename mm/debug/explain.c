/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/explain.c -- why a request gets no page, in a sentence.
 *
 * A zone refuses a request for one of two reasons.  It must keep too much:
 *
 *	180 pages free in DMA32 are not above the floor of 180 = min 480, halved for
 *	__GFP_HIGH, less a quarter because it cannot wait
 *
 * where each term after the mark is one that watermark_ok() takes into account; their
 * sum is the floor.  Or it has enough, but no block that the request may take:
 *
 *	5000 pages are free in DMA32, but no block of order 4; the largest is of order 2
 *
 * The sentence is made by the functions that decide, with the arguments of the front
 * door, so it cannot differ from the decision: a host suite compares them for random
 * zones and rights.
 *
 * Locking: none.
 */
#include "mm/debug/explain.h"

#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/format.h"
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

/* A line of the log has room for so many characters. */
#define EXPLAIN_LINE 240

/* A question, and the answer in progress. */
struct explanation {
	char *text;
	size_t size;
	size_t length;
	const struct zone *zone;
	const struct alloc_request *request;
	enum watermark mark;
	enum reserve_right right;
	unsigned long mark_pages;
	unsigned long free;
	unsigned long leave; /* to stay free, with the rest of the block */
	bool cma;            /* it may use CMA pages */
};

static void say(struct explanation *why, const char *format, ...)
	__printf(2, 3);
static void say(struct explanation *why, const char *format, ...)
{
	va_list arguments;

	kassert(why->length < why->size);
	va_start(arguments, format);
	why->length +=
		(size_t)vscnprintf(why->text + why->length,
	                           why->size - why->length, format, arguments);
	va_end(arguments);
}

/* ---- Too few pages ------------------------------------------------------- */

static void say_right(struct explanation *why)
{
	switch (why->right) {
	case RESERVE_NONE:
	case RESERVE_NOWAIT:
	case RESERVE_ALL:
		return;
	case RESERVE_HALF:
		say(why, ", halved for __GFP_HIGH");
		return;
	case RESERVE_VICTIM:
		say(why, ", halved for a victim of the OOM killer");
		return;
	case RESERVE_ATOMIC:
		say(why, ", halved for __GFP_HIGH, less a quarter because it "
		         "cannot wait");
		return;
	}
}

/* The pages that must stay beside the mark, term by term: watermark_to_leave() adds them. */
static void say_other_terms(struct explanation *why)
{
	const struct zone *zone = why->zone;
	const enum zone_type highest = why->request->highest_zone;
	const unsigned long pages = 1UL << why->request->order;

	kassert(why->right != RESERVE_ALL);
	if (zone->lowmem_reserve[highest] > 0)
		say(why, ", plus %lu kept for requests that cannot use %s",
		    zone->lowmem_reserve[highest], zone_type_name(highest));
	if (why->right == RESERVE_NONE && zone->nr_free_highatomic > 0)
		say(why, ", plus %lu in blocks for urgent requests",
		    zone->nr_free_highatomic);
	if (!why->cma && zone->nr_free_cma > 0)
		say(why, ", plus %lu CMA pages, which are for movable ones",
		    zone->nr_free_cma);
	if (pages > 1)
		say(why, ", plus %lu for the rest of a block of %lu", pages - 1,
		    pages);
}

static void say_floor(struct explanation *why)
{
	static const char *const name[WMARK_COUNT] = { "min", "low", "high",
		                                       "promo" };
	const unsigned long boost = READ_ONCE(why->zone->watermark_boost);
	const bool one = why->free == 1;

	kassert(why->free <= why->leave);
	say(why, "%lu %s free in %s %s not above the floor of %lu = %s %lu",
	    why->free, one ? "page" : "pages", why->zone->name,
	    one ? "is" : "are", why->leave, name[why->mark], why->mark_pages);
	if (boost > 0 &&
	    watermark_boost_counts(why->request->order, why->mark, why->right))
		say(why, " with a boost of %lu", boost);
	say_right(why);
	say_other_terms(why);
}

/* ---- No block ------------------------------------------------------------ */

static bool passes(const struct explanation *why, unsigned int order)
{
	return watermark_ok_cma(why->zone, order, why->mark_pages,
	                        why->request->highest_zone, why->right,
	                        why->cma);
}

static void say_block(struct explanation *why)
{
	const struct zone *zone = why->zone;
	const unsigned int order = why->request->order;
	unsigned int tried = order;

	while (tried > 0 && !passes(why, tried - 1))
		tried--;
	if (tried == 0)
		say(why, "%lu pages are free in %s, but none that it may take",
		    why->free, zone->name);
	else
		say(why,
		    "%lu pages are free in %s, but no block of order %u; the "
		    "largest is of order %u",
		    why->free, zone->name, order, tried - 1);
	if (!why->cma && zone->nr_free_cma > 0)
		say(why, "; %lu CMA pages are for movable ones",
		    zone->nr_free_cma);
	if (zone->nr_free_highatomic > 0 &&
	    highatomic_flags(order, why->right) == 0)
		say(why, "; %lu are in blocks for urgent requests",
		    zone->nr_free_highatomic);
}

/* ---- Answers ------------------------------------------------------------- */

bool alloc_explain(char *buffer, size_t size, const struct zone *zone,
                   const struct alloc_request *request, enum watermark mark,
                   enum reserve_right right)
{
	struct explanation why = {
		.text = buffer,
		.size = size,
		.zone = zone,
		.request = request,
		.mark = mark,
		.right = right,
		.free = READ_ONCE(zone->free_pages),
		.cma = request_may_use_cma(zone->node, request),
	};

	kassert(size > 0 && !request->exclusive);
	kassert(mark < WMARK_COUNT);
	kassert(zone->type <= request->highest_zone);
	buffer[0] = '\0';
	why.mark_pages = watermark_boost_counts(request->order, mark, right)
	                         ? wmark_pages(zone, mark)
	                         : zone->watermark[mark];
	why.leave = watermark_to_leave(zone, why.mark_pages,
	                               request->highest_zone, right, why.cma) +
	            (1UL << request->order) - 1;
	if (zone->managed > 0 && passes(&why, request->order))
		return false;
	if (why.free == 0)
		say(&why, "no page of %s is free", zone->name);
	else if (right != RESERVE_ALL && why.free <= why.leave)
		say_floor(&why);
	else
		say_block(&why);
	return true;
}

/* On the screen, which has room for the report and no more; others are in the log. */
#define ZONES_SHOWN 2U

/* Print TEXT, in lines that the log has room for. */
static void print_reason(enum log_level level, const char *text)
{
	const char *before = "refused: ";

	while (*text != '\0') {
		size_t length = fold_length(text, EXPLAIN_LINE);

		printk(level, "%s%.*s\n", before, (int)length, text);
		for (text += length; *text == ' ';)
			text++;
		before = "         ";
	}
}

static void print_exclusive_reason(const struct zone *zone,
                                   const struct alloc_request *request)
{
	unsigned long parked = 0;

	kassert(request->exclusive);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		parked += exclusive_zone_parked(&zone[type]);
	if (parked > 0)
		pr_warn("refused: %lu exclusive pages are parked, but none "
		        "within reach of the caller\n",
		        parked);
	else
		pr_warn("refused: no exclusive page is parked, and %s\n",
		        request->may_sleep
		                ? "none could be made"
		                : "it cannot wait until one is made");
}

void alloc_explain_print(const struct zone *zone,
                         const struct alloc_request *request,
                         enum reserve_right right)
{
	char text[EXPLANATION_SIZE];
	unsigned int zones = 0;

	if (request->exclusive) {
		print_exclusive_reason(zone, request);
		return;
	}
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		enum log_level level;

		if (zone[type].managed == 0)
			continue;
		level = zones++ < ZONES_SHOWN ? LOG_WARNING : LOG_DEBUG;
		if (alloc_explain(text, sizeof(text), &zone[type], request,
		                  WMARK_MIN, right))
			print_reason(level, text);
		else
			printk(level,
			       "refused, but %s has enough by now: %lu pages "
			       "are free\n",
			       zone[type].name,
			       READ_ONCE(zone[type].free_pages));
	}
	if (zones == 0)
		pr_warn("refused: no zone up to %s has any memory\n",
		        zone_type_name(request->highest_zone));
}
