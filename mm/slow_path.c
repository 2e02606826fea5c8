/* SPDX-License-Identifier: MIT */
/*
 * mm/slow_path.c -- a request that the fast path could not serve.
 *
 * A ladder, climbed from the top; the first rung that finds pages ends it, and
 * each rung is a function:
 *
 *	first_wake()	 1  wake kswapd
 *	min_pass()	 2  zones above MIN, less the request's right
 *	early_compact()	 3  for large blocks: move pages before reclaiming any
 *   +->again_pass()	 4  kswapd again; the last right (MEMALLOC: no mark)
 *   |	may_wait()	 5  cannot wait, or reclaims already: down to 13
 *   |	direct_reclaim() 6  reclaim pages
 *   |	direct_compact() 7  move pages
 *   |	one_round_only() 8  NORETRY, and costly blocks: down to 13
 *   +--reclaim_retry()	 9  could reclaim find more?  At most 16 fruitless rounds
 *   +--compact_retry()	10  could compaction?
 *   |	lists_pass()	    the pages on this CPU's lists
 *   |	kill_somebody()	11  the OOM killer
 *   +--kill_retry()	12  a thread was killed; but not for a victim
 *   +--never_fail()	13  NOFAIL: half of the reserve, and from the start
 *	fail()		    report, NULL
 *
 * A request that no zone can ever serve (for DMA memory, where there is none)
 * fails before rung 1: kswapd could not help.
 *
 * So a request that may wait, of order 3 or less, without NORETRY, RETRY_MAYFAIL
 * and THISNODE, practically never fails: it waits, or kills.  And one without FS
 * kills no thread and waits until others free memory.
 *
 * The rungs 6, 7, 9 and 11 call the node's operations (mm/reclaim/recovery.h).  6 and 9 also
 * give up pageblocks that are kept for large urgent requests (mm/reclaim/highatomic.c).
 * 6 and 7 empty the per-CPU lists (mm/pcp.c).  Pages that are put there later go back
 * before a thread is killed, and before a request fails: lists_pass().
 *
 * Waiting.  After a round that reclaimed something the thread yields.  After a
 * fruitless one it sleeps until the next tick: priorities are strict here, so a thread
 * that only yields would keep a less urgent one, which may be about to free memory,
 * from running.  The watchdog reports requests that wait too long.
 *
 * A thread that was killed, or interrupted by ^C, does not wait forever: without NOFAIL
 * it reaches rung 11 sooner or later, where out_of_memory() makes it a victim whatever
 * its flags; with a victim's right it gets a page, or NULL.
 *
 * Locking: none is held between the rungs.  node->oom_busy admits one thread at
 * a time to rung 11.
 *
 * Source: Linux 6.12, mm/page_alloc.c, __alloc_pages_slowpath() and what it
 * calls.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "kernel/core/watchdog.h"
#include "mm/debug/alloc_report.h"
#include "mm/debug/explain.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_internal.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/drain.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/ladder.h"
#include "mm/scope.h"
#include "mm/watermark.h"

#define MAX_RECLAIM_RETRIES 16 /* fruitless rounds */
#define MAX_COMPACT_RETRIES 16 /* rounds in which another thread was faster */

enum step {
	GOT_PAGE,
	START_AGAIN,
	GIVE_UP,
};

static bool is_costly(const struct alloc_request *request)
{
	return request->order > PAGE_ALLOC_COSTLY_ORDER;
}

static bool pass(struct climb *climb, enum watermark mark,
                 enum reserve_right right)
{
	kassert(mark < WMARK_COUNT);
	kassert(climb->page == NULL);
	climb->page = page_pass(climb->node, climb->request, mark, right);
	return climb->page != NULL;
}

static void wake_kswapd(struct node *node, const struct alloc_request *request)
{
	if (!request->wake_kswapd)
		return;
	vmstat_add(&node->stat, VMSTAT_kswapd_wake_request, 1);
	trace_mm_vmscan_wakeup_kswapd(&node->trace, request->highest_zone,
	                              request->order, request->gfp);
	if (node->wake_kswapd != NULL &&
	    !kswapd_expects(&node->reclaim, request->order,
	                    request->highest_zone))
		node->wake_kswapd(node, request->order, request->highest_zone,
		                  request->may_sleep);
}

/* Is the running thread an OOM victim?  It may be chosen while it waits here.  Linux:
 * tsk_is_oom_victim(). */
static bool slow_path_is_victim(void)
{
	const struct thread *thread = current_thread();

	return thread != NULL && !in_interrupt() &&
	       thread_has_flags(thread, THREAD_OOM_VICTIM);
}

/* Was it killed, for whatever reason?  Linux: fatal_signal_pending(). */
static bool is_killed(void)
{
	return thread_has_flags(current_thread(), THREAD_KILLED);
}

static void slow_path_let_others_run(const struct climb *climb)
{
	kassert(climb->request->may_sleep);
	kassert(!climb->request->in_reclaim || climb->request->never_fail);
	if (climb->reclaimed > 0)
		thread_yield();
	else
		thread_sleep(UNTIL_NEXT_TICK);
}

bool may_climb(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	return !request->exclusive ||
	       (request->may_sleep && exclusive_can_take(climb->node));
}

bool no_zone_can_serve(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(request->highest_zone < ZONE_COUNT);
	if (request->exclusive || must_not_fail(climb))
		return false;
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		if (climb->node->zone[type].managed > 0)
			return false;
	}
	return true;
}

/* ---- 1, 2: before anything is done for the request ----------------------- */

static void first_wake(const struct climb *climb)
{
	wake_kswapd(climb->node, climb->request);
}

static bool min_pass(struct climb *climb)
{
	return pass(climb, WMARK_MIN, climb->request->right);
}

/* ---- 3, 7: compaction ---------------------------------------------------- */

bool may_compact(const struct climb *climb)
{
	return climb->request->may_sleep && climb->request->may_io &&
	       climb->request->order > 0 &&
	       climb->node->recovery.compact != NULL;
}

/* The compactor also allocates, and may not enter the slow path again. */
static bool compact(struct climb *climb, enum compact_priority priority)
{
	unsigned int scope = memalloc_noreclaim_save();
	bool found;

	kassert(climb->node->recovery.compact != NULL);
	kassert(climb->request->order > 0 && climb->request->may_io);
	/* A page on a list does not merge. */
	pcp_drain_node(climb->node);
	climb->compacted = climb->node->recovery.compact(
		climb->node, climb->request, priority, &climb->page);
	memalloc_noreclaim_restore(scope);
	if (climb->compacted == COMPACT_SKIPPED)
		return false;
	count_vm_event(climb->node, VMSTAT_compact_stall);
	found = climb->page != NULL || pass(climb, WMARK_MIN, climb->right);
	if (found && climb->right == RESERVE_ALL)
		climb->page->flags |= PAGE_PFMEMALLOC;
	if (found)
		compaction_defer_reset(page_zone(climb->node, climb->page),
		                       climb->request->order, true);
	count_vm_event(climb->node,
	               found ? VMSTAT_compact_success : VMSTAT_compact_fail);
	return found;
}

/* Does the request have the right of MEMALLOC, or of a victim?  Linux:
 * gfp_pfmemalloc_allowed(). */
static bool has_full_right(const struct alloc_request *request)
{
	return request->last_right == RESERVE_ALL ||
	       (slow_path_is_victim() && !request->spare_reserve);
}

bool may_compact_early(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	return may_compact(climb) && !has_full_right(request) &&
	       (is_costly(request) || request->migratetype != MIGRATE_MOVABLE);
}

/* GIVE_UP: a costly block that is not worth reclaiming for. */
static enum step early_compact(struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(climb->page == NULL);
	climb->right = request->right;
	if (!may_compact_early(climb))
		return START_AGAIN;
	if (compact(climb, COMPACT_ASYNC))
		return GOT_PAGE;
	if (!is_costly(request) || !request->one_round)
		return START_AGAIN;
	if (climb->compacted == COMPACT_SKIPPED ||
	    climb->compacted == COMPACT_DEFERRED || request->only_here)
		return GIVE_UP;
	climb->priority = COMPACT_ASYNC;
	return START_AGAIN;
}

static bool direct_compact(struct climb *climb)
{
	return may_compact(climb) && compact(climb, climb->priority);
}

/* ---- 4, 5: once more, unless it cannot wait ------------------------------ */

/* A request with RESERVE_ALL does not use the lesser right of a victim. */
void climb_set_last_right(struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	climb->as_victim =
		slow_path_is_victim() && request->last_right != RESERVE_ALL;
	climb->right =
		climb->as_victim ? request->victim_right : request->last_right;
}

static bool again_pass(struct climb *climb)
{
	wake_kswapd(climb->node, climb->request);
	climb_set_last_right(climb);
	return pass(climb, WMARK_MIN, climb->right);
}

bool may_wait(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	if (!request->may_sleep || request->in_reclaim)
		return false;
	return !request->exclusive || exclusive_memory_would_help(climb->node);
}

/* The watchdog counts from here, unless the thread already waits. */
static void begin_waiting(struct climb *climb)
{
	kassert(climb->request->may_sleep);
	if (current_thread()->memory_wait != 0)
		return;
	kassert(!climb->waits);
	climb->waits = true;
	memory_wait_begin();
}

/* ---- 6: reclaim ---------------------------------------------------------- */

/* Allocations inside reclaim use the reserve, without reclaim.  Linux:
 * __perform_reclaim(), __alloc_pages_direct_reclaim(). */
static bool direct_reclaim(struct climb *climb)
{
	const struct recovery_ops *recovery = &climb->node->recovery;
	unsigned int scope;

	kassert(climb->request->may_sleep);
	kassert(!climb->request->in_reclaim);
	kassert(may_sleep_here());
	climb->reclaimed = 0;
	if (recovery->reclaim == NULL)
		return false;
	if (recovery->throttle != NULL)
		recovery->throttle(climb->node, climb->request);
	trace_mm_vmscan_direct_reclaim_begin(&climb->node->trace,
	                                     climb->request->order,
	                                     climb->request->gfp);
	scope = memalloc_noreclaim_save();
	climb->reclaimed = recovery->reclaim(climb->node, climb->request);
	memalloc_noreclaim_restore(scope);
	trace_mm_vmscan_direct_reclaim_end(&climb->node->trace,
	                                   climb->reclaimed);
	if (climb->reclaimed == 0)
		return false;
	if (pass(climb, WMARK_MIN, climb->right))
		return true;
	highatomic_unreserve(climb->node, climb->request, false);
	drain_all_pages(climb->node, NULL);
	return pass(climb, WMARK_MIN, climb->right);
}

/* ---- 8 to 10: once more? ------------------------------------------------- */

bool one_round_only(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	if (request->one_round)
		return true;
	return is_costly(request) &&
	       !(request->retry_costly && may_compact(climb));
}

unsigned long reclaimable_pages(struct node *node, struct zone *zone)
{
	kassert(zone->node == node);
	return node->recovery.reclaimable == NULL
	               ? 0
	               : node->recovery.reclaimable(node, zone);
}

bool zone_could_serve(const struct climb *climb, struct zone *zone)
{
	unsigned long pages = READ_ONCE(zone->free_pages) +
	                      reclaimable_pages(climb->node, zone);
	enum reserve_right right =
		climb->right == RESERVE_ALL ? RESERVE_NONE : climb->right;
	bool cma = request_may_use_cma(climb->node, climb->request);
	unsigned long leave =
		watermark_to_leave(zone, wmark_pages(zone, WMARK_MIN),
	                           climb->request->highest_zone, right, cma);

	return zone->managed > 0 &&
	       watermark_would_pass(zone, climb->request->order, pages, leave,
	                            right, cma);
}

/* Would some zone serve the request if all reclaimable pages were free?  Linux:
 * should_reclaim_retry(). */
static bool reclaim_could_help(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(request->may_sleep && !request->one_round);
	kassert(request->highest_zone < ZONE_COUNT);
	kassert(climb->no_progress <= MAX_RECLAIM_RETRIES);
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		struct zone *zone = &climb->node->zone[type];
		unsigned long pages = reclaimable_pages(climb->node, zone);

		trace_reclaim_retry_zone(&climb->node->trace, zone->type,
		                         request->order, pages,
		                         READ_ONCE(zone->free_pages) + pages,
		                         climb->no_progress);
		if (zone_could_serve(climb, zone))
			return true;
	}
	return false;
}

/* Before a thread is killed, all HIGHATOMIC pageblocks are given up. */
static bool reclaim_retry(struct climb *climb)
{
	kassert(climb->page == NULL);
	if (climb->reclaimed > 0 && !is_costly(climb->request))
		climb->no_progress = 0;
	else
		climb->no_progress++;
	if ((climb->no_progress > MAX_RECLAIM_RETRIES ||
	     !reclaim_could_help(climb)) &&
	    !highatomic_unreserve(climb->node, climb->request, true))
		return false;
	count_vm_event(climb->node, VMSTAT_reclaim_retry);
	return true;
}

/* Would there be enough room to move pages to if reclaim continued?  Linux's
 * compaction_zonelist_suitable(): a share of the reclaimable pages, and a gap of
 * twice the block above the mark. */
static bool room_to_compact(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;
	enum watermark mark = is_costly(request) ? WMARK_LOW : WMARK_MIN;

	kassert(request->order > 0);
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		struct zone *zone = &climb->node->zone[type];
		unsigned long pages =
			READ_ONCE(zone->free_pages) +
			reclaimable_pages(climb->node, zone) / request->order;

		if (zone->managed > 0 &&
		    pages > watermark_to_leave(zone,
		                               wmark_pages(zone, mark) +
		                                       (2UL << request->order),
		                               request->highest_zone,
		                               RESERVE_NONE, true))
			return true;
	}
	return false;
}

/* Compaction made a block and another thread took it: how often may that happen? */
static bool lost_race_retry(struct climb *climb)
{
	unsigned int most = is_costly(climb->request) ? MAX_COMPACT_RETRIES / 4
	                                              : MAX_COMPACT_RETRIES;

	return climb->compacted == COMPACT_SUCCESS &&
	       ++climb->compact_retries <= most;
}

static bool more_thorough_retry(struct climb *climb)
{
	enum compact_priority most = is_costly(climb->request)
	                                     ? COMPACT_SYNC_LIGHT
	                                     : COMPACT_SYNC_FULL;

	kassert(climb->priority <= COMPACT_ASYNC);
	if (climb->priority <= most)
		return false;
	climb->priority--;
	climb->compact_retries = 0;
	return true;
}

static bool compact_retry(struct climb *climb)
{
	bool again;

	kassert(climb->page == NULL);
	if (climb->reclaimed == 0 || !may_compact(climb) || is_killed())
		return false;
	if (climb->compacted == COMPACT_SKIPPED)
		again = room_to_compact(climb);
	else
		again = lost_race_retry(climb) || more_thorough_retry(climb);
	if (again)
		count_vm_event(climb->node, VMSTAT_compact_retry);
	return again;
}

/* Pages of this CPU's lists go back to the zones, a few at a time, until the request can
 * be served.  One that cannot sleep does not wait for all of them. */
static bool lists_pass(struct climb *climb)
{
	unsigned long most = climb->request->may_sleep ? ~0UL : PCP_MOVES_LIMIT;
	unsigned long moved = 0;

	kassert(climb->page == NULL);
	while (moved < most) {
		unsigned long pages =
			pcp_give_back(climb->node, climb->request);

		if (pages == 0)
			return false;
		moved += pages;
		if (pass(climb, WMARK_MIN, climb->right))
			return true;
	}
	return false;
}

/* ---- 11, 12: the OOM killer ---------------------------------------------- */

static bool oom_begin(struct node *node)
{
	return !__atomic_test_and_set(&node->oom_busy, __ATOMIC_ACQUIRE);
}

static void oom_end(struct node *node)
{
	kassert(READ_ONCE(node->oom_busy));
	__atomic_clear(&node->oom_busy, __ATOMIC_RELEASE);
}

/* Alone on this rung.  Memory may be free again: before a kill, HIGH is checked.
 * Linux: __alloc_pages_may_oom(). */
static bool kill_unless_recovered(struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(READ_ONCE(climb->node->oom_busy));
	kassert(!request->in_reclaim);
	if (pass(climb, WMARK_HIGH, RESERVE_NONE))
		return true;
	if (!request->may_kill)
		return false;
	kassert(!is_costly(request) && request->highest_zone >= ZONE_NORMAL);
	climb->killed = climb->node->recovery.oom(climb->node, request);
	return climb->killed && request->never_fail &&
	       pass(climb, WMARK_MIN, RESERVE_ALL);
}

static bool kill_somebody(struct climb *climb)
{
	bool found;

	kassert(climb->request->may_sleep);
	climb->killed = false;
	if (climb->node->recovery.oom == NULL)
		return false;
	if (!oom_begin(climb->node)) {
		/* Wait for a tick in slow_path_let_others_run(). */
		climb->reclaimed = 0;
		climb->killed = true;
		return false;
	}
	found = kill_unless_recovered(climb);
	oom_end(climb->node);
	return found;
}

/* A victim that has had its share of the reserve, or wants none, gives up. */
static bool kill_retry(struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(climb->page == NULL);
	if (slow_path_is_victim() &&
	    (climb->as_victim || request->spare_reserve))
		return false;
	if (!climb->killed)
		return false;
	climb->no_progress = 0;
	count_vm_event(climb->node, VMSTAT_oom_retry);
	return true;
}

/* ---- 13: the end --------------------------------------------------------- */

bool must_not_fail(const struct climb *climb)
{
	return climb->request->never_fail && climb->request->may_sleep;
}

static enum step never_fail(struct climb *climb)
{
	kassert(climb->page == NULL);
	if (lists_pass(climb))
		return GOT_PAGE;
	if (!must_not_fail(climb))
		return GIVE_UP;
	if (pass(climb, WMARK_MIN, RESERVE_HALF))
		return GOT_PAGE;
	begin_waiting(climb);
	count_vm_event(climb->node, VMSTAT_nofail_retry);
	return START_AGAIN;
}

/* Dump a failed request in Linux's shape (warn_alloc()).  It has more lines than may be
 * written with interrupts off. */
static void dump_failure(const struct climb *climb)
{
	struct node *node = climb->node;

	kassert(!in_nmi());
	if (!ratelimit_pass(&node->dump_limit))
		return;
	if (!arch_irq_enabled() && node->recovery.dump_later != NULL &&
	    node->recovery.dump_later(node, climb->request, climb->right))
		return;
	alloc_report_failure(context_name(), climb->request);
	backtrace_print_from(0);
	alloc_explain_print(node->zone, climb->request, climb->right);
	show_mem(node);
}

static void say_nothing_to_wait_for(struct node *node)
{
	if (node->recovery.reclaim != NULL || node->said_would_wait)
		return;
	node->said_would_wait = true;
	pr_notice("page_alloc: a request that may wait fails: there is nothing "
	          "to reclaim yet (said once)\n");
}

/* Is a request of this kind without memory in its zone silent?  Linux: a
 * machine without DMA memory. */
static bool zone_is_absent(const struct node *node,
                           const struct alloc_request *request)
{
	return request->highest_zone == ZONE_DMA &&
	       node->zone[ZONE_DMA].managed == 0;
}

static void fail(const struct climb *climb)
{
	const struct alloc_request *request = climb->request;

	kassert(climb->page == NULL);
	kassert(!must_not_fail(climb));
	count_vm_event(climb->node, VMSTAT_alloc_fail);
	trace_mm_page_alloc_fail(&climb->node->trace, request->order,
	                         request->gfp);
	if (request->may_sleep && !no_zone_can_serve(climb)) {
		count_vm_event(climb->node, VMSTAT_alloc_would_wait);
		say_nothing_to_wait_for(climb->node);
	}
	if (!request->silent && !zone_is_absent(climb->node, request))
		dump_failure(climb);
}

/* ---- The ladder ---------------------------------------------------------- */

/* Rungs 4 to 12. */
static enum step one_round(struct climb *climb)
{
	kassert(climb->page == NULL);
	kassert(climb->right <= RESERVE_ALL);
	if (again_pass(climb))
		return GOT_PAGE;
	if (!may_wait(climb))
		return GIVE_UP;
	begin_waiting(climb);
	if (direct_reclaim(climb) || direct_compact(climb))
		return GOT_PAGE;
	if (one_round_only(climb))
		return GIVE_UP;
	if (reclaim_retry(climb) || compact_retry(climb))
		return START_AGAIN;
	if (lists_pass(climb) || kill_somebody(climb))
		return GOT_PAGE;
	return kill_retry(climb) ? START_AGAIN : GIVE_UP;
}

static void climb_on(struct climb *climb, enum step step)
{
	kassert(climb->page == NULL || step == GOT_PAGE);
	while (step != GOT_PAGE) {
		if (step == START_AGAIN)
			step = one_round(climb);
		if (step == GIVE_UP)
			step = never_fail(climb);
		if (step == GIVE_UP)
			return;
		if (step == START_AGAIN)
			slow_path_let_others_run(climb);
	}
	kassert(climb->page != NULL);
}

struct page *alloc_slow_path(struct node *node,
                             const struct alloc_request *request)
{
	struct climb climb = {
		.node = node,
		.request = request,
		.priority = COMPACT_SYNC_LIGHT,
	};

	kassert(!in_nmi());
	kassert(request->order <= MAX_ORDER);
	kassert(request->highest_zone < ZONE_COUNT);
	if (!may_climb(&climb) || no_zone_can_serve(&climb)) {
		fail(&climb);
		return NULL;
	}
	first_wake(&climb);
	if (!min_pass(&climb))
		climb_on(&climb, early_compact(&climb));
	if (climb.waits)
		memory_wait_end();
	if (climb.page == NULL)
		fail(&climb);
	return climb.page;
}
