/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_pcp.h -- shared by the files of the suite: zone Z and its lists.
 *
 * Zone Z is one zone of 61440 managed pages, the DMA32 of a 256 MB machine, with the marks
 * 480/600/720.
 */
#ifndef TESTS_HOST_TEST_PCP_H
#define TESTS_HOST_TEST_PCP_H

#include "mm/buddy.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"
#include "mm/pcp_hot.h"
#include "tests/host/stage.h"

#define Z_PAGES 61440UL

extern struct pcp_set *set; /* of CPU 0 */

/* Zone Z with FREE pages free, and lists for CPUS CPUs. */
void pcp_scene(unsigned long free, unsigned int cpus);

/* Everything goes back, and nothing is missing; or but for BAD pages that were leaked. */
const char *pcp_scene_end(void);
const char *pcp_scene_end_with(unsigned long bad);

struct page *pcp_get(gfp_t gfp, unsigned int order);
void pcp_put(struct page *page, unsigned int order);

#endif
