/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/kcompactd.c -- the thread that compacts before it is urgent.
 *
 * kswapd frees pages; whether they are neighbours is not its business.  So when it goes
 * to sleep it wakes kcompactd, which makes blocks of them.
 *
 *	woken by				for
 *	kswapd, going to sleep			the order that it was woken for
 *	kswapd, after a boost			a pageblock
 *	a request that cannot compact for	its order
 *	    itself, where kswapd has nothing
 *	    to do or no hope
 *
 * It takes the largest order asked for meanwhile, obeys deferral as requests do, and moves
 * as SYNC_LIGHT; where it fails it empties the CPUs' lists.  Nothing wakes it where compaction is not worth while
 * (compaction_is_needed()), but the order is remembered until it looks.
 *
 * Proactive compaction.  Each 500 ms, while kswapd sleeps, it looks at how fragmented
 * free memory is:
 *
 *	score	100 |
 *		 90 |. . . . ./|. . . .  high = low + 10: it begins above
 *		    |       /  |
 *		 80 |. . ./. . .\_ . ._  low = 100 - proactiveness: it ends
 *		    |____/        \__/
 *
 * If the score has not fallen, it looks again after 32 s only.  After a
 * request the pause is 500 ms again.
 *
 * No wake-up is lost: what is asked for is written before the wake-up, and wait_event()
 * looks at it after it is on the queue.
 *
 * Locking: none.  Two that ask at the same time may lose the higher order of the two, as
 * in Linux; its requester asks again.
 *
 * Source: Linux mm/compaction.c: kcompactd(), kcompactd_do_work(), wakeup_kcompactd(),
 * should_proactive_compact_node().
 */
#include "mm/reclaim/kcompactd.h"

#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/debug/extfrag.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/drain.h"
#include "mm/reclaim/kswapd.h"

/* Without progress the next look is so much later: 32 s. */
#define KCOMPACTD_BACKOFF 6

/* ---- Waking -------------------------------------------------------------- */

static bool kcompactd_is_needed(struct node *node, unsigned int order,
                                enum zone_type highest)
{
	for (unsigned int type = 0; type <= highest; type++) {
		if (compaction_is_needed(&node->zone[type], order, highest))
			return true;
	}
	return false;
}

void wakeup_kcompactd(struct node *node, unsigned int order,
                      enum zone_type highest)
{
	struct kcompactd_state *state = &node->reclaim.kcompactd;

	kassert(order <= MAX_ORDER && highest < ZONE_COUNT);
	if (order == 0)
		return;
	if (READ_ONCE(state->order) < order)
		WRITE_ONCE(state->order, order);
	if (READ_ONCE(state->highest) > highest)
		WRITE_ONCE(state->highest, highest);
	if (kcompactd_is_needed(node, READ_ONCE(state->order),
	                        READ_ONCE(state->highest)))
		wake_up(&state->wait);
}

void kcompactd_set_proactiveness(struct node *node, unsigned long value)
{
	struct kcompactd_state *state = &node->reclaim.kcompactd;

	kassert(value <= 100);
	WRITE_ONCE(state->proactiveness, value);
	if (value == 0)
		return;
	WRITE_ONCE(state->look, true);
	wake_up(&state->wait);
}

/* ---- What was asked for -------------------------------------------------- */

static void kcompactd_try_zone(struct zone *zone, unsigned int order)
{
	enum compact_result result;

	kassert(order > 0 && order <= MAX_ORDER);
	if (zone->managed == 0 || compaction_deferred(zone, order) ||
	    !compaction_is_needed(zone, order, zone->type))
		return;
	result = compact_zone_in_advance(zone, order);
	if (result == COMPACT_SUCCESS)
		compaction_defer_reset(zone, order, false);
	if (result == COMPACT_FAILED) {
		/* A neighbour may lie on a list; then the next one has it. */
		drain_all_pages(zone->node, zone);
		defer_compaction(zone, order);
	}
}

static void kcompactd_do_work(struct node *node)
{
	struct kcompactd_state *state = &node->reclaim.kcompactd;
	unsigned int order = READ_ONCE(state->order);
	enum zone_type highest = READ_ONCE(state->highest);

	kassert(order > 0 && order <= MAX_ORDER);
	kassert(highest < ZONE_COUNT);
	count_vm_event(node, VMSTAT_compact_daemon_wake);
	for (unsigned int type = 0; type <= highest; type++)
		kcompactd_try_zone(&node->zone[type], order);
	/* More was asked for meanwhile: that is the next work. */
	if (READ_ONCE(state->order) <= order)
		WRITE_ONCE(state->order, 0);
	if (READ_ONCE(state->highest) >= highest)
		WRITE_ONCE(state->highest, ZONE_MOVABLE);
}

/* ---- What nobody asked for ----------------------------------------------- */

unsigned int fragmentation_score_wmark(const struct node *node, bool low)
{
	unsigned long proactiveness =
		READ_ONCE(node->reclaim.kcompactd.proactiveness);
	unsigned int mark;

	kassert(proactiveness <= 100);
	mark = max(100U - (unsigned int)proactiveness, 5U);
	return low ? mark : min(mark + 10, 100U);
}

/* Linux: extfrag_for_order(). */
static unsigned int fragmentation_score_zone(struct zone *zone)
{
	struct extfrag free = extfrag_read(zone, PAGEBLOCK_ORDER);

	if (free.pages == 0)
		return 0;
	return (unsigned int)((free.pages -
	                       (free.suitable << PAGEBLOCK_ORDER)) *
	                      100 / free.pages);
}

unsigned int fragmentation_score_node(struct node *node)
{
	unsigned long present = 0;
	unsigned int score = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		present += node->zone[type].present;
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		/* Each share is rounded down, as in Linux. */
		score += (unsigned int)(zone->present *
		                        fragmentation_score_zone(zone) /
		                        (present + 1));
	}
	kassert(score <= 100);
	return score;
}

static bool kcompactd_should_look(struct node *node)
{
	return READ_ONCE(node->reclaim.kcompactd.proactiveness) > 0 &&
	       !kswapd_is_running(node);
}

/* Is ZONE compact enough, or is it kswapd's turn? */
static bool kcompactd_is_enough(struct zone *zone)
{
	return kswapd_is_running(zone->node) ||
	       fragmentation_score_zone(zone) <=
	               fragmentation_score_wmark(zone->node, true);
}

/* False: nothing came of it. */
static bool kcompactd_look(struct node *node)
{
	unsigned int before;

	if (!kcompactd_should_look(node))
		return true;
	before = fragmentation_score_node(node);
	if (before <= fragmentation_score_wmark(node, false))
		return true;
	compact_node_until(node, kcompactd_is_enough);
	return fragmentation_score_node(node) < before;
}

/* ---- The thread ---------------------------------------------------------- */

static bool kcompactd_is_called(void *data)
{
	const struct kcompactd_state *state = data;

	return READ_ONCE(state->order) > 0 || READ_ONCE(state->look);
}

void kcompactd_step(struct node *node, struct kcompactd *kcompactd)
{
	struct kcompactd_state *state = &node->reclaim.kcompactd;
	bool looks = READ_ONCE(state->proactiveness) > 0;
	bool called =
		wait_event_timeout(&state->wait, kcompactd_is_called, state,
	                           looks ? kcompactd->pause : FOREVER);

	kcompactd->pause = KCOMPACTD_PAUSE;
	if (called && !READ_ONCE(state->look)) {
		kcompactd_do_work(node);
		return;
	}
	if (!kcompactd_look(node))
		kcompactd->pause = KCOMPACTD_PAUSE << KCOMPACTD_BACKOFF;
	WRITE_ONCE(state->look, false);
}

void kcompactd_run(void *node)
{
	struct kcompactd kcompactd = { .pause = KCOMPACTD_PAUSE };

	thread_set_flags(current_thread(), THREAD_SERVICE);
	for (;;)
		kcompactd_step(node, &kcompactd);
}
