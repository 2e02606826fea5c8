/* SPDX-License-Identifier: MIT */
/*
 * kernel/detectors.c -- the words of the command line that switch detectors on.
 *
 * The words and their values are Linux's.  Their tables are set aside by mm_init(), before
 * the buddy has the memory; so after the boot none can be switched on or off.
 */
#include "kernel/detectors.h"

#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/debug/page_owner.h"
#include "mm/page_alloc.h"
#include "mm/slab/slab.h"

#define QUARANTINE_MOST 65536 /* objects */

static struct page_debug wanted;
static bool wanted_owner;
static bool wanted_entries;
static uint32_t slub_debug;
static size_t slab_quarantine;

const struct page_debug *detectors(void)
{
	/* A guard is a page that stays unmapped. */
	wanted.unmap |= wanted.guard;
	return &wanted;
}

bool detectors_wanted(void)
{
	return wanted_owner || wanted_entries || detectors()->unmap ||
	       wanted.poison || wanted.init_on_alloc || wanted.init_on_free;
}

bool detectors_want_owner(void)
{
	return wanted_owner;
}

bool detectors_want_entries(void)
{
	return wanted_entries;
}

uint32_t detectors_slub_debug(void)
{
	/* A kept object is poisoned, or no write could be found. */
	return slub_debug | (slab_quarantine > 0 ? SLAB_POISON : 0);
}

size_t detectors_slab_quarantine(void)
{
	return slab_quarantine;
}

/* ---- Words --------------------------------------------------------------- */

static int detectors_switch(const char *value, bool *on)
{
	if (value == NULL)
		return -EINVAL;
	if (strcmp(value, "on") == 0 || strcmp(value, "1") == 0)
		*on = true;
	else if (strcmp(value, "off") == 0 || strcmp(value, "0") == 0)
		*on = false;
	else
		return -EINVAL;
	return 0;
}

static int set_page_owner(const char *value)
{
	return detectors_switch(value, &wanted_owner);
}

static int set_page_table_check(const char *value)
{
	return detectors_switch(value, &wanted_entries);
}

static int set_debug_pagealloc(const char *value)
{
	return detectors_switch(value, &wanted.unmap);
}

static int set_debug_guardpage(const char *value)
{
	return detectors_switch(value, &wanted.guard);
}

static int set_page_poison(const char *value)
{
	return detectors_switch(value, &wanted.poison);
}

static int set_init_on_alloc(const char *value)
{
	return detectors_switch(value, &wanted.init_on_alloc);
}

static int set_init_on_free(const char *value)
{
	return detectors_switch(value, &wanted.init_on_free);
}

/* Linux's letters; without any, all three. */
static int set_slub_debug(const char *value)
{
	slub_debug = value == NULL ? SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE |
	                                     SLAB_POISON
	                           : 0;
	for (; value != NULL && *value != '\0'; value++) {
		if (*value == 'F')
			slub_debug |= SLAB_CONSISTENCY_CHECKS;
		else if (*value == 'Z')
			slub_debug |= SLAB_RED_ZONE;
		else if (*value == 'P')
			slub_debug |= SLAB_POISON;
		else
			return -EINVAL;
	}
	return 0;
}

static int set_slab_quarantine(const char *value)
{
	uint64_t objects;
	int error = value == NULL ? -EINVAL : parse_number(value, &objects);

	if (error == 0 && objects > QUARANTINE_MOST)
		error = -ERANGE;
	if (error == 0)
		slab_quarantine = (size_t)objects;
	return error;
}

PARAM(slab_quarantine, "slab_quarantine",
      "=N: the last N freed objects wait, poisoned", set_slab_quarantine);
PARAM(slub_debug, "slub_debug",
      "[=FZP]: check objects, put red zones around them, poison them",
      set_slub_debug);
PARAM(page_owner, "page_owner", "=on: note who took and freed each page",
      set_page_owner);
PARAM(debug_pagealloc, "debug_pagealloc",
      "=on: free pages are not mapped, so that their use faults",
      set_debug_pagealloc);
PARAM(debug_guardpage, "debug_guardpage",
      "=on: the page behind a block is not mapped", set_debug_guardpage);
PARAM(page_poison, "page_poison",
      "=on: free pages hold 0xaa, and are checked when they are taken",
      set_page_poison);
PARAM(page_table_check, "page_table_check",
      "=on: count the page-table entries of each page", set_page_table_check);
PARAM(init_on_alloc, "init_on_alloc", "=on: zero pages when they are taken",
      set_init_on_alloc);
PARAM(init_on_free, "init_on_free", "=on: zero pages when they are freed",
      set_init_on_free);

/* ---- Beginning ----------------------------------------------------------- */

/* A panic about a free page shows its records. */
static void detectors_report(void)
{
	unsigned long pfn = page_debug_last_fault();

	if (pfn != -1UL)
		page_owner_print(main_node(), pfn);
}

void detectors_start(void)
{
	if (!detectors_wanted())
		return;
	kassert(page_debug_is_on(&main_node()->debug));
	page_debug_explain_faults();
	panic_register_reporter("page_owner", detectors_report);
	kassert(!wanted_owner || main_node()->debug.owner != NULL);
	kassert(!wanted_entries || main_node()->debug.entries != NULL);
	pr_notice("detectors:%s%s%s%s%s%s%s\n",
	          wanted_owner ? " page_owner" : "",
	          wanted.unmap ? " debug_pagealloc" : "",
	          wanted.guard ? " debug_guardpage" : "",
	          wanted_entries ? " page_table_check" : "",
	          wanted.poison ? " page_poison" : "",
	          wanted.init_on_alloc ? " init_on_alloc" : "",
	          wanted.init_on_free ? " init_on_free" : "");
}
