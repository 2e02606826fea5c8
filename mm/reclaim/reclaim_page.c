/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/reclaim_page.c -- what becomes of one page.
 *
 * Reclaim has taken the page off its list and holds a reference.  The page goes
 * through the steps below, and the first that knows its fate ends it:
 *
 *	judge_owner()		has it one?  may it be reclaimed at all?
 *	judge_writeback()	being written: kept, and wanted when it is done
 *	judge_use()		used since: another lap, or the active list
 *	need_swap_place()	anonymous: it needs a slot to be written to
 *	write_dirty()		dirty: begin to write it, if that is allowed here
 *	reclaim_page_let_go()		clean and unused: its owner drops it
 *
 * Who may write what:
 *
 *	                 kswapd    direct,  NOFS    NOIO
 *	                           KERNEL
 *	dirty, a file     yes       no       no      no
 *	dirty, anonymous  yes       yes      yes     no
 *	clean, any        dropped   dropped  dropped dropped
 *
 * and an owner whose release() enters a file system (release_needs_fs) is not
 * asked for clean ones under NOFS or NOIO.  Direct reclaim does not write files
 * because it runs on top of whatever stack has asked for memory, perhaps the file
 * system's own.
 *
 * One page is locked at a time, and only if nobody else has it locked: reclaim
 * never waits for a page.
 *
 * Source: Linux mm/vmscan.c, shrink_folio_list(), folio_check_references(),
 * pageout().  Differences: docs/12-reclaim.md.
 */
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_prep.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim_internal.h"

enum fate {
	UNDECIDED,     /* the next step decides */
	KEEP,          /* back to the list it came from */
	KEEP_UNLOCKED, /* the same, and the page is not locked any more */
	ACTIVATE,      /* to the active list */
	RECLAIM,       /* its owner has dropped it */
};

static bool is_anon(const struct page *page)
{
	return page_has(page, PG_swapbacked);
}

/* ---- The steps; the page is locked --------------------------------------- */

/* Without a mapping it was truncated: gone with its last reference. */
static enum fate judge_owner(struct scan *scan __unused, struct page *page)
{
	if (page->mapping == NULL)
		return KEEP;
	return page_has(page, PG_unevictable) ? ACTIVATE : UNDECIDED;
}

/* On the active list it is out of the way; end_page_writeback() moves it to the
 * back of the inactive one.  To meet it again before that means that writes are
 * begun faster than they end. */
static enum fate judge_writeback(struct scan *scan, struct page *page)
{
	if (!page_has(page, PG_writeback))
		return UNDECIDED;
	scan->writeback++;
	if (scan->kswapd && page_has(page, PG_reclaim) &&
	    scan->node->reclaim.writeback_flood)
		scan->immediate++;
	else
		page_set(page, PG_reclaim);
	return ACTIVATE;
}

/* None: reclaim.  Once: another lap.  Twice: active. */
static enum fate judge_use(struct scan *scan __unused, struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;
	bool used = ops->referenced != NULL && ops->referenced(page);
	bool noted = page_test_and_clear(page, PG_referenced);

	if (used && noted)
		return ACTIVATE;
	if (used)
		page_set(page, PG_referenced);
	return used || noted ? KEEP : UNDECIDED;
}

static enum fate need_swap_place(struct scan *scan, struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;

	if (!is_anon(page) || page_has(page, PG_swapcache))
		return UNDECIDED;
	if (!scan->may_io)
		return KEEP;
	if (ops->add_to_swap == NULL || ops->add_to_swap(page) != 0)
		return ACTIVATE;
	return UNDECIDED;
}

/* Is it forbidden neither by the scan nor by a scope of the running thread?  A thread in
 * a scope may hold locks that the call needs. */
static bool reclaim_may_io(const struct scan *scan)
{
	return scan->may_io &&
	       !thread_has_flags(current_thread(), THREAD_MEMALLOC_NOIO);
}

static bool reclaim_may_fs(const struct scan *scan)
{
	return scan->may_fs &&
	       !thread_has_flags(current_thread(),
	                         THREAD_MEMALLOC_NOFS | THREAD_MEMALLOC_NOIO);
}

static bool may_write(const struct scan *scan,
                      const struct address_space_ops *ops)
{
	return (scan->may_io || !ops->needs_io) &&
	       (scan->may_fs || !ops->needs_fs);
}

/* The page is on its way; or it is written already, or could not be. */
static enum fate after_write(struct page *page)
{
	if (page_has(page, PG_writeback))
		return KEEP_UNLOCKED;
	page_clear(page, PG_reclaim);
	if (page_has(page, PG_dirty) || !trylock_page(page))
		return KEEP_UNLOCKED;
	if (page->mapping == NULL || page_has(page, PG_dirty) ||
	    page_has(page, PG_writeback))
		return KEEP;
	return UNDECIDED;
}

static enum fate write_dirty(struct scan *scan, struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;

	if (!page_has(page, PG_dirty))
		return UNDECIDED;
	scan->dirty++;
	if (scan->gently)
		return KEEP;
	if (!is_anon(page) && !scan->kswapd) {
		count_vm_event(scan->node, VMSTAT_nr_vmscan_immediate_reclaim);
		page_set(page, PG_reclaim);
		return ACTIVATE;
	}
	if (ops->writepage == NULL)
		return ACTIVATE;
	/* Not if it is in use: it would soon be dirty again. */
	if (!may_write(scan, ops) ||
	    READ_ONCE(page->refcount) != RECLAIM_REFERENCES)
		return KEEP;
	if (!clear_page_dirty_for_io(page))
		return UNDECIDED;
	kassert(!page_has(page, PG_writeback));
	kassert(is_anon(page) || scan->kswapd);
	kassert(!ops->needs_io || reclaim_may_io(scan));
	kassert(!ops->needs_fs || reclaim_may_fs(scan));
	page_set(page, PG_reclaim);
	count_vm_event(scan->node, VMSTAT_nr_vmscan_write);
	scan->paged_out++;
	trace_mm_vmscan_write_folio(&scan->node->trace,
	                            node_pfn(scan->node, page));
	/* An error leaves the page dirty: after_write() sees it. */
	(void)ops->writepage(page);
	return after_write(page);
}

static enum fate reclaim_page_let_go(struct scan *scan, struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;

	if (ops->release_needs_fs && !scan->may_fs) {
		count_vm_event(scan->node, VMSTAT_reclaim_nofs_skipped);
		return KEEP;
	}
	kassert(!page_has(page, PG_dirty) && !page_has(page, PG_writeback));
	kassert(!ops->release_needs_fs || reclaim_may_fs(scan));
	if (!ops->release(page))
		return KEEP;
	kassert(page->mapping == NULL && !page_has(page, PG_dirty));
	return RECLAIM;
}

static enum fate decide(struct scan *scan, struct page *page)
{
	static enum fate (*const step[])(struct scan *, struct page *) = {
		judge_owner,     judge_writeback, judge_use,
		need_swap_place, write_dirty,     reclaim_page_let_go,
	};
	enum fate fate = UNDECIDED;

	kassert(page_has(page, PG_locked) && !page_has(page, PG_lru));
	for (size_t i = 0; i < ARRAY_SIZE(step) && fate == UNDECIDED; i++)
		fate = step[i](scan, page);
	return fate;
}

/* ---- The end of a look --------------------------------------------------- */

bool reclaim_put_page(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool last = page_prep_put(node, zone, page, RETURN_ADDRESS());

	kassert(READ_ONCE(node->reclaim.in_hand) > 0);
	__atomic_fetch_sub(&node->reclaim.in_hand, 1, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&zone->lock, enabled);
	page_prep_report_bad(node, zone);
	if (last)
		exclusive_memory_freed(node);
	return last;
}

bool reclaim_page(struct scan *scan, struct zone *zone, struct page *page,
                  enum lru_kind kind)
{
	enum fate fate = KEEP_UNLOCKED;

	kassert(READ_ONCE(page->refcount) > 0);
	kassert(page_zone(scan->node, page) == zone);
	/* Without PG_isolated its owner has taken it back meanwhile: lru_putback(). */
	kassert(kind < LRU_KINDS);
	if (trylock_page(page)) {
		fate = decide(scan, page);
		if (fate == ACTIVATE && !page_has(page, PG_unevictable))
			lru_activate(scan->node, page);
		if (fate != KEEP_UNLOCKED)
			unlock_page(page);
	}
	lru_putback(zone, page, kind, fate != RECLAIM);
	return reclaim_put_page(scan->node, page) && fate == RECLAIM;
}
