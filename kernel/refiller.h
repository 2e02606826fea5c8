/* SPDX-License-Identifier: MIT */
/*
 * kernel/refiller.h -- the thread that keeps the parked pool full.
 */
#ifndef KERNEL_REFILLER_H
#define KERNEL_REFILLER_H

#include "lib/types.h"

/* Start it; the pool is filled on return.  Thread context, once. */
void refiller_start(void);

/*
 * While on, the refiller sleeps through its wake-ups, so that a test can empty
 * the pool and count; off again, it catches up.
 */
void refiller_pause(bool on);

/* Wait until the refiller has nothing to do.  Thread context. */
void refiller_settle(void);

#endif
