/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_zone_z.h -- shared by the files of the suite: zone Z, one zone with
 * 61440 managed pages, the DMA32 of a 256 MB machine, and the marks 480/600/720.
 */
#ifndef TESTS_HOST_TEST_ZONE_Z_H
#define TESTS_HOST_TEST_ZONE_Z_H

#include "tests/host/pile.h"

extern struct pile zone_z_pile;

/* Zone Z with FREE pages free, and a hook on the wake-ups of kswapd. */
struct node *zone_z_begin(unsigned long free);

unsigned long test_zone_z_stat(const struct node *node,
                               enum vmstat_event event);

/* The pile goes back.  NULL. */
const char *test_zone_z_give_all(void);

#endif
