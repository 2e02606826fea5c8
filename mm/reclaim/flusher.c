/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/flusher.c -- the thread that writes dirty pages of files.
 *
 *	every 5 s, or called:
 *	    above the background limit?	   all that is dirty
 *	    otherwise			   what has been dirty for 30 s
 *
 * So what people have written is on the disk after 35 seconds at the latest, and a
 * file that is removed soon after it was written never gets there.  It is called by
 * writers above the background limit (mm/reclaim/page_writeback.c) and by kswapd when
 * all that it finds is dirty (mm/reclaim/reclaim_lists.c).
 *
 * One pass over the sources begins all the writes that it finds and does not wait
 * for them; how many are under way at the same time is limited by the number of bios.
 * Pages whose write fails are dirty again, and tried again in the next pass, not
 * in this one.
 *
 * Locking: writeback.lock around a pass; sources take theirs below it.
 *
 * Source: Linux fs/fs-writeback.c, wb_workfn(), wb_check_old_data_flush(),
 * wb_check_background_flush().
 */
#include "mm/reclaim/flusher.h"

#include "kernel/core/clock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/page_writeback.h"

void register_writeback_source(struct writeback_source *source)
{
	struct writeback_state *writeback = &main_node()->writeback;

	kassert(source->write != NULL);
	mutex_lock(&writeback->lock);
	list_append(&writeback->sources, &source->link);
	mutex_unlock(&writeback->lock);
}

void unregister_writeback_source(struct writeback_source *source)
{
	struct writeback_state *writeback = &main_node()->writeback;

	mutex_lock(&writeback->lock);
	kassert(list_is_linked(&source->link));
	list_remove(&source->link);
	mutex_unlock(&writeback->lock);
}

void wakeup_flusher(struct node *node)
{
	struct writeback_state *writeback = &node->writeback;

	if (__atomic_exchange_n(&writeback->flusher_called, true,
	                        __ATOMIC_SEQ_CST))
		return;
	vmstat_add(&node->stat, VMSTAT_flusher_wake, 1);
	wake_up(&writeback->flusher_wait);
}

/* Write pages that were dirty at this time or earlier. */
static uint64_t choose_time(const struct node *node)
{
	uint64_t now = clock_microseconds();
	uint64_t expire = READ_ONCE(node->writeback.expire);

	if (node_file_dirty(node) > dirty_limits(node).background)
		return now;
	return now - min(now, expire);
}

unsigned long flusher_write(struct node *node)
{
	struct writeback_state *writeback = &node->writeback;
	uint64_t before = choose_time(node);
	unsigned long pages = 0;
	struct list *at;

	mutex_lock(&writeback->lock);
	list_for_each(at, &writeback->sources) {
		struct writeback_source *source =
			container_of(at, struct writeback_source, link);

		kassert(source->write != NULL);
		pages += source->write(source, before);
	}
	mutex_unlock(&writeback->lock);
	vmstat_add(&node->stat, VMSTAT_flusher_write, pages);
	return pages;
}

static bool flusher_is_called(void *data)
{
	struct writeback_state *writeback = data;

	return __atomic_exchange_n(&writeback->flusher_called, false,
	                           __ATOMIC_SEQ_CST);
}

void flusher_step(struct node *node)
{
	struct writeback_state *writeback = &node->writeback;
	unsigned long interval = READ_ONCE(writeback->interval);

	if (interval == 0)
		wait_event(&writeback->flusher_wait, flusher_is_called,
		           writeback);
	else
		wait_event_timeout(&writeback->flusher_wait, flusher_is_called,
		                   writeback, interval);
	flusher_write(node);
}

void flusher_run(void *node)
{
	thread_set_flags(current_thread(), THREAD_SERVICE);
	for (;;)
		flusher_step(node);
}
