/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/kswapd.c -- the thread that reclaims before it is urgent.
 *
 *	free pages
 *	   |  \                      ____          kswapd works from the moment
 *	high - \- - - - - - - - - - / - - \ - -    a request meets low until some
 *	   |    \                  /       \       zone is above high, so that
 *	low - - -\- - - - - - - - / - - - - -      requests that cannot wait find
 *	   |      \   __         / : kswapd        more than min
 *	min - - - -\_/  \__/\___/- : - - - - -
 *	   |         :             :
 *	          wake-up        sleeps
 *
 * One run (kswapd_balance()) goes from priority 12 down to 1, and goes down only
 * after a round that looked at too few pages or reclaimed none.  Sixteen runs
 * without a single page and the node is hopeless: kswapd sleeps, and threads that
 * need memory reclaim (or kill) for themselves; the first page that any thread
 * reclaims ends that.
 *
 * Sleeping has two steps.  First a nap of 100 ms: if it is woken meanwhile, or
 * memory is low again, it was too early.  Then the real sleep.  Before the nap it wakes
 * kcompactd (mm/reclaim/kcompactd.c) for a block that it has freed pages for and not
 * found.
 *
 * kswapd has THREAD_MEMALLOC: it gets any page that is left, because
 * it may need some to free others.
 *
 * No wake-up is lost: kswapd says that it sleeps, then looks whether there is
 * work; a waker records the work first, then checks whether kswapd sleeps.
 *
 * Source: Linux mm/vmscan.c: kswapd(), kswapd_try_to_sleep(), balance_pgdat(),
 * wakeup_kswapd().
 */
#include "mm/reclaim/kswapd.h"

#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/watermark.h"

/* Microseconds of the nap. */
#define NAP 100000

bool node_is_balanced(struct node *node, unsigned int order,
                      enum zone_type highest)
{
	bool managed = false;

	kassert(highest < ZONE_COUNT && order <= MAX_ORDER);
	for (unsigned int type = 0; type <= highest; type++) {
		struct zone *zone = &node->zone[type];

		if (zone->managed == 0)
			continue;
		managed = true;
		if (watermark_ok(zone, order, wmark_pages(zone, WMARK_HIGH),
		                 highest, RESERVE_NONE))
			return true;
	}
	return !managed;
}

static bool is_hopeless(const struct node *node)
{
	return READ_ONCE(node->reclaim.kswapd_failures) >= MAX_RECLAIM_RETRIES;
}

/* Linux: pgdat_watermark_boosted(). */
static bool node_is_boosted(const struct node *node, enum zone_type highest)
{
	for (unsigned int type = 0; type <= highest; type++) {
		if (READ_ONCE(node->zone[type].watermark_boost) > 0)
			return true;
	}
	return false;
}

/* ---- Waking -------------------------------------------------------------- */

/* Raise the work that kswapd has to do to at least this. */
static void ask_for(struct reclaim_state *reclaim, unsigned int order,
                    enum zone_type highest)
{
	enum zone_type before = READ_ONCE(reclaim->kswapd_highest);

	kassert(before <= KSWAPD_NO_ZONE);
	kassert(highest < ZONE_COUNT);
	if (before == KSWAPD_NO_ZONE || before < highest)
		WRITE_ONCE(reclaim->kswapd_highest, highest);
	if (READ_ONCE(reclaim->kswapd_order) < order)
		WRITE_ONCE(reclaim->kswapd_order, order);
}

bool kswapd_is_running(const struct node *node)
{
	return node->wake_kswapd != NULL &&
	       !READ_ONCE(node->reclaim.kswapd_sleeps);
}

void wakeup_kswapd(struct node *node, unsigned int order,
                   enum zone_type highest, bool may_sleep)
{
	struct reclaim_state *reclaim = &node->reclaim;

	kassert(highest < ZONE_COUNT && order <= MAX_ORDER);
	ask_for(reclaim, order, highest);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!READ_ONCE(reclaim->kswapd_sleeps) ||
	    READ_ONCE(reclaim->kswapd_called))
		return;
	if (is_hopeless(node) || (node_is_balanced(node, order, highest) &&
	                          !node_is_boosted(node, highest))) {
		/* Perhaps it is fragments that are missing. */
		if (!may_sleep)
			wakeup_kcompactd(node, order, highest);
		return;
	}
	WRITE_ONCE(reclaim->kswapd_called, true);
	wake_up(&reclaim->kswapd_wait);
}

/* ---- Working ------------------------------------------------------------- */

/* The high marks of the zones together. */
static unsigned long round_target(const struct scan *scan)
{
	unsigned long target = 0;

	kassert(scan->highest_zone < ZONE_COUNT);
	for (unsigned int type = 0; type <= scan->highest_zone; type++) {
		const struct zone *zone = &scan->node->zone[type];

		if (zone->managed > 0)
			target += max(wmark_pages(zone, WMARK_HIGH),
			              SWAP_CLUSTER_MAX);
	}
	return target;
}

static void wake_throttled(struct node *node)
{
	if (allow_direct_reclaim(node))
		wake_up(&node->reclaim.pfmemalloc_wait);
}

/* One round; true if it looked at enough pages to be repeated as it was. */
static bool kswapd_run_round(struct scan *scan)
{
	unsigned long target = round_target(scan);
	unsigned long before = scan->reclaimed;
	unsigned long scanned = scan->scanned;

	kassert(scan->kswapd && scan->priority >= 1);
	reclaim_age_anon(scan);
	scan->wanted = before + target;
	shrink_node(scan);
	/* Pages freed from now on merge by themselves, or never will. */
	if (scan->order > 0 && scan->reclaimed >= 2UL << scan->order)
		scan->order = 0;
	wake_throttled(scan->node);
	return scan->scanned - scanned >= target && scan->reclaimed > before;
}

/* A boosted mark (mm/watermark.h#watermark_boost) asks for more free pages than the node
 * would need.  They are reclaimed without effort: nothing is written or swapped for
 * them, priority stays at DEF_PRIORITY - 2 or above, and a round without success is the
 * last.  The boosts of the beginning are taken away when the run ends. */
struct boost {
	bool any;
	unsigned long of_zone[ZONE_COUNT];
	unsigned long left; /* pages to reclaim for it */
};

static void boost_begin(struct boost *boost, const struct node *node,
                        enum zone_type highest)
{
	kassert(highest < ZONE_COUNT);
	*boost = (struct boost){ .left = 0 };
	for (unsigned int type = 0; type <= highest; type++) {
		boost->of_zone[type] =
			READ_ONCE(node->zone[type].watermark_boost);
		boost->left += boost->of_zone[type];
	}
	boost->any = boost->left > 0;
}

/* Types were mixed: with room now, kcompactd is to make whole pageblocks. */
static void boost_end(const struct boost *boost, struct node *node,
                      enum zone_type highest)
{
	if (!boost->any)
		return;
	for (unsigned int type = 0; type <= highest; type++) {
		struct zone *zone = &node->zone[type];
		bool enabled;

		if (boost->of_zone[type] == 0)
			continue;
		enabled = spin_lock_irqsave(&zone->lock);
		zone->watermark_boost -=
			min(zone->watermark_boost, boost->of_zone[type]);
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	wakeup_kcompactd(node, PAGEBLOCK_ORDER, highest);
}

/* One round, for a boost as long as some of it is left; false: it is the last. */
static bool boost_round(struct scan *scan, struct boost *boost)
{
	bool stays = boost->left > 0 && scan->priority == DEF_PRIORITY - 2;
	unsigned long before = scan->reclaimed;
	unsigned long got;

	kassert(scan->priority >= 1 && scan->priority <= DEF_PRIORITY);
	scan->gently = boost->left > 0;
	if (kswapd_run_round(scan))
		stays = true;
	got = scan->reclaimed - before;
	boost->left -= min(boost->left, got);
	if (boost->left > 0 && got == 0)
		return false;
	if (!stays || got == 0)
		scan->priority--;
	return true;
}

unsigned int kswapd_balance(struct node *node, unsigned int order,
                            enum zone_type highest)
{
	struct boost boost;
	struct scan scan = {
		.node = node,
		.mask = GFP_KERNEL,
		.may_io = true,
		.may_fs = true,
		.kswapd = true,
		.order = order,
		.highest_zone = highest,
		.priority = DEF_PRIORITY,
	};

	kassert(highest < ZONE_COUNT && order <= MAX_ORDER);
	count_vm_event(node, VMSTAT_pageoutrun);
	boost_begin(&boost, node, highest);
	while (scan.priority >= 1) {
		bool balanced = node_is_balanced(node, scan.order, highest);

		if (!balanced && boost.left > 0) {
			boost.left = 0;
			scan.priority = DEF_PRIORITY;
		}
		if (balanced && boost.left == 0)
			break;
		if (!boost_round(&scan, &boost))
			break;
	}
	boost_end(&boost, node, highest);
	kassert(scan.order == order || scan.order == 0);
	node->reclaim.writeback_flood = false;
	if (scan.priority < 1 && scan.reclaimed == 0)
		WRITE_ONCE(node->reclaim.kswapd_failures,
		           node->reclaim.kswapd_failures + 1);
	return scan.order;
}

/* ---- Sleeping ------------------------------------------------------------ */

static bool kswapd_is_called(void *data)
{
	const struct reclaim_state *reclaim = data;

	return READ_ONCE(reclaim->kswapd_called);
}

/* HIGHEST if nobody has asked meanwhile. */
static enum zone_type highest_asked(const struct node *node,
                                    enum zone_type highest)
{
	enum zone_type asked = READ_ONCE(node->reclaim.kswapd_highest);

	kassert(asked <= KSWAPD_NO_ZONE && highest < ZONE_COUNT);
	return asked == KSWAPD_NO_ZONE ? highest : asked;
}

/* From here on a wake-up is seen.  True: sleep, there is nothing to do, neither
 * of the last work nor of work requested meanwhile; or no hope. */
static bool begin_sleep(struct node *node, const struct kswapd *kswapd)
{
	enum zone_type highest;
	unsigned int order;

	WRITE_ONCE(node->reclaim.kswapd_called, false);
	WRITE_ONCE(node->reclaim.kswapd_sleeps, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* Nobody may wait for a kswapd that sleeps. */
	wake_up(&node->reclaim.pfmemalloc_wait);
	highest = highest_asked(node, kswapd->highest);
	order = max(kswapd->reached_order,
	            READ_ONCE(node->reclaim.kswapd_order));
	return is_hopeless(node) || node_is_balanced(node, order, highest);
}

static void try_to_sleep(struct node *node, const struct kswapd *kswapd)
{
	struct reclaim_state *reclaim = &node->reclaim;
	bool woken = false;

	if (begin_sleep(node, kswapd)) {
		/* Pages are free that were not: look for room and blocks again. */
		compaction_forget(node);
		wakeup_kcompactd(node, kswapd->compact_order,
		                 highest_asked(node, kswapd->highest));
		woken = wait_event_timeout(&reclaim->kswapd_wait,
		                           kswapd_is_called, reclaim, NAP);
		/* Work unfinished before the nap is still unfinished. */
		if (woken)
			ask_for(reclaim, kswapd->reached_order,
			        highest_asked(node, kswapd->highest));
	}
	if (!woken && begin_sleep(node, kswapd)) {
		wait_event(&reclaim->kswapd_wait, kswapd_is_called, reclaim);
	} else {
		count_vm_event(node,
		               woken ? VMSTAT_kswapd_low_wmark_hit_quickly
		                     : VMSTAT_kswapd_high_wmark_hit_quickly);
	}
	WRITE_ONCE(reclaim->kswapd_sleeps, false);
}

void kswapd_step(struct node *node, struct kswapd *kswapd)
{
	struct reclaim_state *reclaim = &node->reclaim;
	unsigned long stolen;

	try_to_sleep(node, kswapd);
	kswapd->highest = highest_asked(node, kswapd->highest);
	kswapd->asked_order = __atomic_exchange_n(&reclaim->kswapd_order, 0,
	                                          __ATOMIC_SEQ_CST);
	WRITE_ONCE(reclaim->kswapd_highest, KSWAPD_NO_ZONE);
	trace_mm_vmscan_kswapd_wake(&node->trace, kswapd->highest,
	                            kswapd->asked_order);
	stolen = vmstat_read(&node->stat, VMSTAT_pgsteal_kswapd);
	kswapd->reached_order =
		kswapd_balance(node, kswapd->asked_order, kswapd->highest);
	kassert(kswapd->reached_order <= kswapd->asked_order);
	kswapd->compact_order = kswapd->asked_order;
	stolen = vmstat_read(&node->stat, VMSTAT_pgsteal_kswapd) - stolen;
	trace_mm_vmscan_kswapd_sleep(&node->trace, stolen);
	/* Gave up on the order: do not sleep for that of another request
	 * before somebody asks again. */
	if (kswapd->reached_order < kswapd->asked_order)
		return;
	kswapd->reached_order = READ_ONCE(reclaim->kswapd_order);
	kswapd->compact_order = kswapd->reached_order;
	kswapd->highest = highest_asked(node, kswapd->highest);
}

void kswapd_run(void *node)
{
	struct kswapd kswapd = { .highest = ZONE_MOVABLE };

	thread_set_flags(current_thread(), THREAD_MEMALLOC | THREAD_KSWAPD);
	for (;;)
		kswapd_step(node, &kswapd);
}
