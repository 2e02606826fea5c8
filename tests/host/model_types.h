/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_types.h -- pageblocks of three types, written down a second time.
 *
 * The model is a zone with free lists of frame numbers.  It takes and gives blocks by
 * Linux's rules: own type, claim, steal; boosts; merges across pageblocks.  It shares no
 * code with mm/ but the names of the types and flags.
 */
#ifndef TESTS_HOST_MODEL_TYPES_H
#define TESTS_HOST_MODEL_TYPES_H

#include "mm/pageblock.h"

#define TYPES_FRAMES 4096UL
#define TYPES_BLOCKS 9UL
#define TYPES_ORDERS (MAX_ORDER + 1)
#define TYPES_NONE   0xffffU /* no frame */

struct types_zone {
	unsigned long start; /* frame number of frame 0 */
	unsigned long frames;
	unsigned long boost_limit; /* 0: no boosts */
	unsigned long boost;

	uint8_t type[TYPES_BLOCKS];
	unsigned long movable[TYPES_BLOCKS]; /* pages of reclaim */
	unsigned long free[TYPES_BLOCKS];

	/* By frame: 1 + order of the free block that begins there, and its list. */
	uint8_t head[TYPES_FRAMES];
	uint16_t next[TYPES_FRAMES], before[TYPES_FRAMES];
	uint16_t first[TYPES_ORDERS][MIGRATE_PCPTYPES];
	uint16_t last[TYPES_ORDERS][MIGRATE_PCPTYPES];
};

/* All of ZONE is in use, in MOVABLE pageblocks. */
void types_model_init(struct types_zone *zone, unsigned long start,
                      unsigned long frames, unsigned long boost_limit);

/* A block for a request: its first frame, or TYPES_NONE. */
unsigned int types_model_take(struct types_zone *zone, unsigned int order,
                              enum migratetype type, bool no_fragment);

void types_model_give(struct types_zone *zone, unsigned int frame,
                      unsigned int order);

/* The number of the pageblock of FRAME. */
unsigned long types_model_block(const struct types_zone *zone,
                                unsigned long frame);

#endif
