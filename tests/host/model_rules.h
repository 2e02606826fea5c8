/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_rules.h -- the rules of Linux 6.12 for a request, written down a
 * second time.
 *
 * A scene is a mask, an order, a caller, four zones of any size, marks, reserves
 * and fill, and a script of what reclaim, compaction and the OOM killer answer.
 * The model is one function, model_request(), with the rungs in the order in
 * which Linux's __alloc_pages_slowpath() has them.  It shares no code with mm/
 * but the names of the flags, and says what has to happen, letter by letter:
 *
 *	w  asked for kswapd		p  a pass over the zones
 *	t  throttled			r  reclaim that may do all
 *	i  reclaim without FS		n  without IO		x  with FS alone
 *	a, l, f  compaction: async, sync-light, sync-full
 *	o  the OOM killer		s  slept	y  let others run
 *
 * and then from which zone the page came, with what mark on it, or that there was
 * none, and whether that was reported.
 *
 * At one moment of a scene pages may come free: in one of the reclaims, kills or
 * rests.  The free pages are then counted and passed to the model.
 *
 * In some scenes pages lie on the CPU's lists.  A pass takes them before the zone's, without
 * a mark, and they go back to the zone: all when reclaim found pages but the request none,
 * and before compaction; 8 at a time before a kill and before NULL. */
#ifndef TESTS_HOST_MODEL_RULES_H
#define TESTS_HOST_MODEL_RULES_H

#include "mm/pageblock.h"
#include "mm/reclaim/reclaim_internal.h"
#include "tests/host/libmm.h"
#include "tests/host/model_lists.h"

#define STORY_MAX 2000
#define ANSWERS   8

/* Whole pageblocks of a zone. */
#define ASIDE_MAX 4

enum caller {
	THREAD,
	THREAD_IN_RECLAIM, /* PF_MEMALLOC */
	VICTIM,
	VICTIM_IN_RECLAIM,
	PREEMPTION_OFF,
	SOFT_WORK,
	SOFT_WORK_ON_RECLAIM,
	INTERRUPT,
	INTERRUPT_ON_RECLAIM,
	INTERRUPT_ON_VICTIM,
	CALLERS,
};

/* Pages come free in the reclaim, kill or rest of a number. */
enum moment {
	NEVER,
	IN_RECLAIM,
	IN_KILL,
	IN_REST,
};

/* HIGHATOMIC pageblocks of a zone. */
struct aside {
	unsigned long reserved; /* pages of all of them */
	/* Those with a free page, in the order in which they are given up. */
	unsigned int count;
	struct {
		unsigned long number;
		unsigned long frame; /* its first one, as in struct frames */
		unsigned long pages; /* 512, or 1024 */
		unsigned long free;
		int largest; /* order of the largest free block */
	} block[ASIDE_MAX];
};

struct view {
	unsigned long free[ZONE_COUNT];
	/* Order of the largest block that is not set aside, -1: none. */
	int largest[ZONE_COUNT];
	/* The same of blocks that a request of each type gets without mixing. */
	int unmixed[ZONE_COUNT][MIGRATE_PCPTYPES];
	struct aside aside[ZONE_COUNT];
	struct frames frames[ZONE_COUNT];
};

struct story {
	char text[STORY_MAX + 1];
	size_t length;
};

struct scene {
	gfp_t mask;
	unsigned int order;
	enum caller caller;
	bool noio, nofs;
	bool dirty; /* the node is above its dirty limit */
	bool busy;  /* somebody else is at the OOM killer */

	unsigned long managed[ZONE_COUNT];
	unsigned long mark[ZONE_COUNT][3];
	unsigned long reserve[ZONE_COUNT][ZONE_COUNT];
	struct view before, after; /* the moment */

	unsigned long reclaimable[ZONE_COUNT];
	unsigned int progress_rounds; /* reclaims that find PROGRESS pages */
	unsigned long progress;
	unsigned int kills; /* how often the killer says yes */
	bool compacts;
	enum compact_result compacted[ANSWERS];

	enum moment moment;
	unsigned int moment_number;
	unsigned long gift;
};

/* The events that have happened, or must happen. */
struct outcome {
	enum gfp_verdict verdict;
	struct story story;
	int zone;              /* -1: no page */
	bool unmarked;         /* taken without a mark: pfmemalloc */
	bool aside;            /* from a HIGHATOMIC pageblock */
	bool listed;           /* from a list of the CPU, in the first pass */
	unsigned long drained; /* pages of lists that went back */
	unsigned long reserved[ZONE_COUNT];
	bool dump;
};

/* The state of a request while it climbs. */
struct model {
	const struct scene *scene;
	struct outcome *outcome;
	struct view view;
	gfp_t mask; /* in its scope */
	unsigned int reclaims, compactions, kills, rests;
};

/* Append LETTER to the story, unless it is full. */
void story_tell(struct story *story, char letter);

/* The letter of a reclaim that may do this. */
char letter_of_reclaim(bool io, bool fs);

/* The highest zone that MASK allows. */
int model_highest_zone(gfp_t mask);

/* The request of SCENE, from its first check to its end. */
void model_request(const struct scene *s, struct outcome *outcome);

/* Some zone passes high; or there is none. */
bool model_balanced(const struct model *m);

/*
 * Free pages are at most half of all min marks.  Zones with nothing to reclaim and
 * nothing free do not count; nobody waits for a kswapd that is content.
 */
bool model_throttled(const struct scene *s);

#endif
