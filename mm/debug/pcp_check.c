/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/pcp_check.c -- the pages on this CPU's lists, walked and counted.
 *
 * K1 to K3 and K5 of mm/pcp.c.  zone_check() compares the columns: K4.
 *
 * Locking: pcp_trylock(), for the walk along all lists.  Interrupts stay on.
 */
#include "kernel/core/context.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_prep.h"
#include "mm/pcp_hot.h"

/* One block: NULL, or the invariant that is broken. */
static const char *pcp_check_block(const struct zone *zone,
                                   const struct list *at, unsigned int order)
{
	const struct page *page = container_of(at, struct page, link);

	if (!check_is_page(zone->pages, zone->spanned, at))
		return "K1";
	if (page->state != PAGE_PCP || page->order != order ||
	    page->zone != zone->type)
		return "K1";
	return page_prep_is_clean(page) ? NULL : "K3";
}

/* The blocks of LIST are added to *PAGES. */
static const char *pcp_check_list(const struct zone *zone,
                                  const struct list *list, unsigned int order,
                                  unsigned long *pages)
{
	for (const struct list *at = list->next; at != list; at = at->next) {
		const char *broken = pcp_check_block(zone, at, order);

		if (broken != NULL)
			return broken;
		*pages += 1UL << order;
	}
	return NULL;
}

/* Does the set count where its zone counts now? */
static bool pcp_check_ways(const struct zone *zone, const struct pcp_set *set)
{
	const unsigned long *way = zone->node->stat.way;

	return set->zone == zone && set->pgfree == way + VMSTAT_pgfree &&
	       set->pgalloc == way + VMSTAT_PGALLOC(zone->type);
}

static const char *pcp_check_set(const struct zone *zone,
                                 const struct pcp_set *set,
                                 unsigned long *pages)
{
	const char *broken = pcp_check_ways(zone, set) ? NULL : "K5";

	for (unsigned int list = 0; broken == NULL && list < PCP_LISTS; list++)
		broken = pcp_check_list(zone, &set->blocks[list],
		                        list < PCP_LARGE
		                                ? list / MIGRATE_PCPTYPES
		                                : PAGEBLOCK_ORDER,
		                        pages);
	if (broken == NULL && *pages != set->count)
		broken = "K2";
	return broken;
}

const char *pcp_check(struct zone *zone, char *buffer, size_t size)
{
	struct pcp_set *set = pcp_enter(zone);
	unsigned long pages = 0;
	unsigned long count;
	const char *broken;

	if (set == NULL)
		return NULL;
	broken = pcp_check_set(zone, set, &pages);
	count = set->count;
	pcp_unlock();
	if (broken == NULL)
		return NULL;
	scnprintf(buffer, size,
	          "zone %s: invariant %s broken on the lists of CPU %u: %lu "
	          "pages, %lu counted",
	          zone->name, broken, arch_cpu_id(), pages, count);
	return buffer;
}
