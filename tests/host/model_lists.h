/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_lists.h -- the frames of a zone and a CPU's lists, for a model.
 *
 * A frame is free or not, and blocks of frames lie on the lists of a CPU, in the order in
 * which a drain gives them back.  Which blocks are free follows from the frames alone: a
 * buddy allocator has merged all that can be merged.
 */
#ifndef TESTS_HOST_MODEL_LISTS_H
#define TESTS_HOST_MODEL_LISTS_H

#include "mm/zone.h"

#define FRAMES_MAX     3072U /* from a multiple of 1024 on */
#define SHELF_MAX      512U

/* A frame is 0, or free: FRAME_OF(the type of its pageblock). */
#define FRAME_OF(type) (1U + (type))

struct frames {
	uint8_t kind[FRAMES_MAX];
	unsigned int shelved; /* blocks on the lists */
	struct shelf {
		uint16_t frame;
		uint8_t order;
		uint8_t list; /* the type of request that gets it */
		uint8_t type; /* of its pageblock */
	} shelf[SHELF_MAX];
};

/* The frames of ZONE that are free now, and those on the lists of CPU 0. */
void frames_look(struct frames *frames, const struct zone *zone);

/* The order of the largest free block, or -1; in pageblocks of TYPE, or of any type for a
 * block of a pageblock or more.  Not those of HIGHATOMIC pageblocks. */
int frames_largest(const struct frames *frames);
int frames_unmixed(const struct frames *frames, enum migratetype type);

/* Is a block of exactly ORDER on the list for TYPE? */
bool frames_have_listed(const struct frames *frames, unsigned int order,
                        enum migratetype type);

/* Blocks of the lists become free, until it is PAGES pages: how many pages it was. */
unsigned long frames_drain(struct frames *frames, unsigned long pages);

/* The free pages of the HIGHATOMIC pageblock (or two) with frame FIRST become pages of
 * TYPE. */
void frames_open(struct frames *frames, unsigned long first,
                 unsigned long pages, enum migratetype type);

#endif
