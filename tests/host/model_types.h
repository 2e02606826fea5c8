/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_types.h -- pageblocks of six types, written down a second time.
 *
 * The model is a zone with free lists of frame numbers.  It takes and gives blocks by
 * Linux's rules: HIGHATOMIC, CMA, own type, claim, steal; boosts; merges across pageblocks;
 * isolation.  It shares no code with mm/ but the names of the types and flags.
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
	uint16_t first[TYPES_ORDERS][MIGRATE_TYPES];
	uint16_t last[TYPES_ORDERS][MIGRATE_TYPES];
};

/* All of ZONE is in use, in MOVABLE pageblocks. */
void types_model_init(struct types_zone *zone, unsigned long start,
                      unsigned long frames, unsigned long boost_limit);

/* A block for a request with FLAGS (enum take_flag): its first frame, or TYPES_NONE. */
unsigned int types_model_take(struct types_zone *zone, unsigned int order,
                              enum migratetype type, unsigned int flags);

/* Would compaction for a request find its block there? */
bool types_model_has_block(const struct types_zone *zone, unsigned int order,
                           enum migratetype type);

/* Pageblock NUMBER is isolated, for a caller of CMA or another one.  False: refused. */
bool types_model_isolate(struct types_zone *zone, unsigned long number,
                         bool for_cma);

/* Isolated pageblock NUMBER becomes one of TYPE. */
void types_model_open(struct types_zone *zone, unsigned long number,
                      enum migratetype type);

/* Free pages in pageblocks of TYPE; of MIGRATE_TYPES: in all but the isolated ones. */
unsigned long types_model_free(const struct types_zone *zone,
                               enum migratetype type);

void types_model_give(struct types_zone *zone, unsigned int frame,
                      unsigned int order);

/* The number of the pageblock of FRAME. */
unsigned long types_model_block(const struct types_zone *zone,
                                unsigned long frame);

#endif
