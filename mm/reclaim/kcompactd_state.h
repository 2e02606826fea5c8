/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/kcompactd_state.h -- the data of kcompactd, a part of the node.  Its
 * functions: mm/reclaim/kcompactd.h.
 */
#ifndef MM_RECLAIM_KCOMPACTD_STATE_H
#define MM_RECLAIM_KCOMPACTD_STATE_H

#include "kernel/core/sched.h"
#include "mm/gfp.h"

/* Linux's default. */
#define COMPACTION_PROACTIVENESS 20

struct kcompactd_state {
	struct wait_queue wait; /* kcompactd sleeps here */
	unsigned int order;     /* atomic: the largest asked for; 0: none */
	enum zone_type highest; /* atomic: the lowest that was asked for */
	bool look;              /* atomic: proactiveness was set */
	unsigned long proactiveness; /* atomic: 0..100 */
};

/* No request: all zones. */
static inline void kcompactd_state_init(struct kcompactd_state *state)
{
	wait_queue_init(&state->wait, "kcompactd_wait");
	state->highest = ZONE_MOVABLE;
	state->proactiveness = COMPACTION_PROACTIVENESS;
}

#endif
