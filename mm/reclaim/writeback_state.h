/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/writeback_state.h -- the data of writing back: a part of the node.  Its
 * functions: mm/reclaim/page_writeback.h, mm/reclaim/flusher.h.
 */
#ifndef MM_RECLAIM_WRITEBACK_STATE_H
#define MM_RECLAIM_WRITEBACK_STATE_H

#include "kernel/core/mutex.h"
#include "lib/list.h"

/* Linux's defaults. */
#define DIRTY_BACKGROUND_RATIO 10
#define DIRTY_RATIO            20
#define DIRTY_EXPIRE           30000000UL /* microseconds */
#define DIRTY_INTERVAL         5000000UL

struct writeback_state {
	/* Tunables. */
	unsigned long dirty_ratio;      /* per cent: writers wait */
	unsigned long background_ratio; /* per cent: the flusher works */
	unsigned long expire;           /* microseconds: older is written */
	unsigned long interval;         /* microseconds; 0: only if called */

	struct mutex lock;   /* held while sources are called */
	struct list sources; /* (lock) by writeback_source->link */

	struct wait_queue flusher_wait; /* the flusher sleeps here */
	bool flusher_called;            /* atomic: a wake-up for it */
	struct wait_queue throttled;    /* writers that are too fast */
	unsigned long written;          /* atomic: writes of pages that ended */
};

#endif
