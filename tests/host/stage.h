/* SPDX-License-Identifier: MIT */
/*
 * tests/host/stage.h -- the node, zone and pages of the running case.
 *
 * For suites that are several files: the same objects in all of them.
 */
#ifndef TESTS_HOST_STAGE_H
#define TESTS_HOST_STAGE_H

#include "tests/host/pile.h"

extern struct node *node;
extern struct zone *zone;
extern struct pile pile;

#endif
