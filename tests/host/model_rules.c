/* SPDX-License-Identifier: MIT */
/*
 * tests/host/model_rules.c -- see the header.
 */
#include "tests/host/model_rules.h"

void story_tell(struct story *story, char letter)
{
	if (story->length < STORY_MAX)
		story->text[story->length++] = letter;
}

char letter_of_reclaim(bool io, bool fs)
{
	if (io)
		return fs ? 'r' : 'i';
	return fs ? 'x' : 'n';
}

enum floor {
	ALL_OF_MARK,
	NOWAIT_OF_MARK, /* all, but HIGHATOMIC pages count */
	HALF_OF_MARK,
	VICTIM_OF_MARK, /* half, and HIGHATOMIC blocks */
	ATOMIC_OF_MARK, /* a quarter less than half */
	NO_MARK,
};

static bool model_has(const struct model *m, gfp_t flag)
{
	return (m->mask & flag) != 0;
}

static bool model_is_thread(const struct scene *s)
{
	return s->caller <= PREEMPTION_OFF;
}

static bool model_is_irq(const struct scene *s)
{
	return s->caller >= INTERRUPT;
}

static bool model_victim(const struct scene *s)
{
	return s->caller == VICTIM || s->caller == VICTIM_IN_RECLAIM;
}

/* In the thread and in soft work on top of it, not in a hard interrupt. */
static bool model_in_reclaim(const struct scene *s)
{
	return s->caller == THREAD_IN_RECLAIM ||
	       s->caller == VICTIM_IN_RECLAIM ||
	       s->caller == SOFT_WORK_ON_RECLAIM;
}

int model_highest_zone(gfp_t mask)
{
	switch (mask & 0xf) {
	case 0x0:
	case 0x2:
	case 0x8:
		return 2;
	case 0x1:
	case 0x9:
		return 0;
	case 0x4:
	case 0xc:
		return 1;
	case 0xa:
		return 3;
	default:
		return -1;
	}
}

static enum gfp_verdict model_verdict(const struct scene *s)
{
	if (s->order > 10)
		return GFP_TOO_LARGE;
	if (model_highest_zone(s->mask) < 0 || (s->mask & 0x18) == 0x18)
		return GFP_REFUSED;
	if ((s->mask & 0x400) &&
	    (!model_is_thread(s) || s->caller == PREEMPTION_OFF))
		return GFP_MUST_SLEEP;
	return GFP_OK;
}

static enum floor model_first_right(const struct model *m)
{
	bool plain = model_has(m, __GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC);

	if (!model_has(m, __GFP_HIGH))
		return plain ? ALL_OF_MARK : NOWAIT_OF_MARK;
	return plain ? HALF_OF_MARK : ATOMIC_OF_MARK;
}

/* Has the caller, besides its mask, a right to the reserve?  NOMEMALLOC beats
 * all of it. */
static bool model_no_mark(const struct model *m)
{
	return !model_has(m, __GFP_NOMEMALLOC) &&
	       (model_has(m, __GFP_MEMALLOC) || model_in_reclaim(m->scene));
}

static bool model_oom_right(const struct model *m)
{
	return !model_has(m, __GFP_NOMEMALLOC) && !model_no_mark(m) &&
	       model_victim(m->scene);
}

static unsigned long model_aside_free(const struct model *m, int zone)
{
	unsigned long free = 0;

	for (unsigned int i = 0; i < m->view.aside[zone].count; i++)
		free += m->view.aside[zone].block[i].free;
	return free;
}

static int model_aside_largest(const struct model *m, int zone)
{
	int largest = -1;

	for (unsigned int i = 0; i < m->view.aside[zone].count; i++)
		largest = max(largest, m->view.aside[zone].block[i].largest);
	return largest;
}

static bool model_zone_ok(const struct model *m, int zone, unsigned long pages,
                          unsigned int order, unsigned long mark,
                          enum floor floor)
{
	bool there = floor == ATOMIC_OF_MARK || floor == VICTIM_OF_MARK;
	long usable = (long)pages - (long)((1UL << order) - 1);
	unsigned long leave = mark;
	int largest = m->view.largest[zone];

	if (m->scene->managed[zone] == 0)
		return false;
	if (floor == NO_MARK)
		return largest >= (int)order;
	if (there)
		largest = max(largest, model_aside_largest(m, zone));
	if (order > 0 && largest < (int)order)
		return false;
	if (floor == ALL_OF_MARK)
		usable -= (long)model_aside_free(m, zone);
	else if (floor != NOWAIT_OF_MARK)
		leave -= leave / 2;
	if (floor == ATOMIC_OF_MARK)
		leave -= leave / 4;
	leave += m->scene->reserve[zone][model_highest_zone(m->mask)];
	return usable > (long)leave;
}

/* Take a block of ZONE, whose mark allows it: HIGHATOMIC pageblocks first, last, or not
 * at all. */
static bool model_take(struct model *m, int zone, enum floor floor)
{
	int order = (int)m->scene->order;
	bool there = model_aside_largest(m, zone) >= order;
	bool else_where = m->view.largest[zone] >= order;

	if (floor == ATOMIC_OF_MARK && order > 0 && there)
		else_where = false;
	else if (floor != NOWAIT_OF_MARK && floor != ATOMIC_OF_MARK &&
	         floor != VICTIM_OF_MARK)
		there = false;
	if (!there && !else_where)
		return false;
	m->outcome->zone = zone;
	m->outcome->unmarked = floor == NO_MARK;
	m->outcome->aside = !else_where;
	return true;
}

/* ---- The CPU's lists ----------------------------------------------------- */

/* Which blocks are there, now that more frames are free? */
static void model_see_blocks(struct model *m, int zone)
{
	const struct frames *frames = &m->view.frames[zone];

	m->view.largest[zone] = frames_largest(frames);
	for (int type = 0; type < MIGRATE_PCPTYPES; type++)
		m->view.unmixed[zone][type] =
			frames_unmixed(frames, (enum migratetype)type);
}

/* PAGES pages of the lists of ZONE, or a block more, are free now. */
static unsigned long model_drain(struct model *m, int zone, unsigned long pages)
{
	unsigned long moved = frames_drain(&m->view.frames[zone], pages);

	m->view.free[zone] += moved;
	m->outcome->drained += moved;
	if (moved > 0)
		model_see_blocks(m, zone);
	return moved;
}

static void model_drain_all(struct model *m)
{
	for (int zone = 0; zone < ZONE_COUNT; zone++)
		model_drain(m, zone, ~0UL);
}

/* A page of a list has left the zone already, so no mark is checked; but the reserve for
 * lower zones is kept, and HIGHATOMIC pageblocks come first for those whom they are for. */
static bool model_take_listed(struct model *m, int zone, int mark,
                              enum floor floor)
{
	const struct scene *s = m->scene;

	if (floor == ATOMIC_OF_MARK && s->order > 0)
		return false;
	if (floor != NO_MARK &&
	    s->reserve[zone][model_highest_zone(m->mask)] > 0 &&
	    !model_zone_ok(m, zone, m->view.free[zone], s->order,
	                   s->mark[zone][mark], floor))
		return false;
	if (!frames_have_listed(&m->view.frames[zone], s->order,
	                        (enum migratetype)(m->mask >> 3 & 3)))
		return false;
	m->outcome->zone = zone;
	m->outcome->unmarked = floor == NO_MARK;
	m->outcome->listed = mark == 1;
	return true;
}

/* Give up a HIGHATOMIC pageblock; the last one of a zone only if FORCED. */
static bool model_give_up(struct model *m, bool forced)
{
	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		struct aside *aside = &m->view.aside[zone];

		if (aside->reserved <= (forced ? 0 : 512) || aside->count == 0)
			continue;
		frames_open(&m->view.frames[zone], aside->block[0].frame,
		            aside->block[0].pages,
		            (enum migratetype)(m->mask >> 3 & 3));
		model_see_blocks(m, zone);
		aside->reserved -= aside->block[0].pages;
		aside->count--;
		for (unsigned int i = 0; i < aside->count; i++)
			aside->block[i] = aside->block[i + 1];
		return true;
	}
	return false;
}

/* Before a request that begins in NORMAL mixes types there, it looks into the zones
 * below. */
static bool model_begins_in_normal(const struct model *m)
{
	return model_highest_zone(m->mask) >= ZONE_NORMAL &&
	       m->scene->managed[ZONE_NORMAL] > 0 &&
	       (model_highest_zone(m->mask) == ZONE_NORMAL ||
	        m->scene->managed[ZONE_MOVABLE] == 0);
}

static bool model_pass_over(struct model *m, int mark, enum floor floor,
                            bool unmixed)
{
	unsigned int type = m->mask >> 3 & 3;

	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		if (model_take_listed(m, zone, mark, floor))
			return true;
		if (unmixed &&
		    m->view.unmixed[zone][type] < (int)m->scene->order)
			continue;
		if (!model_zone_ok(m, zone, m->view.free[zone], m->scene->order,
		                   m->scene->mark[zone][mark], floor))
			continue;
		if (model_take(m, zone, floor))
			return true;
	}
	return false;
}

static bool model_pass(struct model *m, int mark, enum floor floor)
{
	story_tell(&m->outcome->story, 'p');
	return (mark == 1 && model_begins_in_normal(m) &&
	        model_pass_over(m, mark, floor, true)) ||
	       model_pass_over(m, mark, floor, false);
}

static void model_wake(struct model *m)
{
	if (model_has(m, __GFP_KSWAPD_RECLAIM))
		story_tell(&m->outcome->story, 'w');
}

static void model_moment(struct model *m, enum moment moment, unsigned int n)
{
	if (m->scene->moment == moment && m->scene->moment_number == n)
		m->view = m->scene->after;
}

static unsigned long model_reclaim(struct model *m)
{
	unsigned int number = ++m->reclaims;

	story_tell(&m->outcome->story, 't');
	story_tell(&m->outcome->story,
	           letter_of_reclaim(model_has(m, __GFP_IO),
	                             model_has(m, __GFP_FS)));
	model_moment(m, IN_RECLAIM, number);
	return number <= m->scene->progress_rounds ? m->scene->progress : 0;
}

static bool model_can_compact(const struct model *m)
{
	return model_has(m, __GFP_IO) && m->scene->compacts &&
	       m->scene->order > 0;
}

/* True: a page. */
static bool model_compact(struct model *m, char how, enum floor floor,
                          enum compact_result *result)
{
	model_drain_all(m);
	*result = m->scene->compacted[m->compactions++ % ANSWERS];
	story_tell(&m->outcome->story, how);
	return *result != COMPACT_SKIPPED && model_pass(m, 0, floor);
}

/* A zone with nothing reclaimable reports its free pages. */
static unsigned long model_reclaimable(const struct model *m, int zone)
{
	unsigned long pages = m->scene->reclaimable[zone];

	return pages > 0 ? pages : m->view.free[zone];
}

static bool model_reclaim_helps(const struct model *m, enum floor floor)
{
	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		if (model_zone_ok(m, zone,
		                  m->view.free[zone] +
		                          model_reclaimable(m, zone),
		                  m->scene->order, m->scene->mark[zone][0],
		                  floor == NO_MARK ? ALL_OF_MARK : floor))
			return true;
	}
	return false;
}

static bool model_room_to_compact(const struct model *m)
{
	unsigned int order = m->scene->order;

	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		unsigned long pages =
			m->view.free[zone] + model_reclaimable(m, zone) / order;

		if (model_zone_ok(m, zone, pages, 0,
		                  m->scene->mark[zone][order > 3 ? 1 : 0] +
		                          (2UL << order),
		                  ALL_OF_MARK))
			return true;
	}
	return false;
}

static bool model_compact_again(const struct model *m,
                                enum compact_result result, char *how,
                                unsigned int *lost)
{
	bool costly = m->scene->order > 3;

	if (result == COMPACT_SKIPPED)
		return model_room_to_compact(m);
	if (result == COMPACT_SUCCESS && ++*lost <= (costly ? 4U : 16U))
		return true;
	if (costly || *how != 'l')
		return false;
	*how = 'f';
	*lost = 0;
	return true;
}

/* Those for whom nobody is killed. */
static bool model_never_kills(const struct model *m)
{
	return m->scene->order > 3 ||
	       model_has(m, __GFP_RETRY_MAYFAIL | __GFP_THISNODE) ||
	       model_highest_zone(m->mask) < 2;
}

/* The lists go back, 8 pages at a time, until there is a page; 64 at most for a caller that
 * cannot wait. */
static bool model_empty_lists(struct model *m, enum floor floor)
{
	unsigned long most = model_has(m, __GFP_DIRECT_RECLAIM) ? ~0UL : 64;

	for (unsigned long moved = 0; moved < most;) {
		unsigned long pages = 0;

		for (int zone = model_highest_zone(m->mask);
		     zone >= 0 && pages == 0; zone--)
			pages = model_drain(m, zone, 8);
		if (pages == 0)
			return false;
		if (model_pass(m, 0, floor))
			return true;
		moved += pages;
	}
	return false;
}

static void model_rest(struct model *m, unsigned long reclaimed)
{
	story_tell(&m->outcome->story, reclaimed > 0 ? 'y' : 's');
	model_moment(m, IN_REST, ++m->rests);
}

/* The outcome of an iteration. */
enum end {
	PAGE,
	RETRY,
	NO_PAGE,
};

/* The state of a request between its rounds. */
struct rounds {
	unsigned int fruitless;
	unsigned int lost;
	char how; /* to compact */
	enum floor floor;
	unsigned long reclaimed;
	enum compact_result compacted;
};

static enum end model_kill(struct model *m, struct rounds *r)
{
	bool killed = false;

	if (m->scene->busy) {
		killed = true;
		r->reclaimed = 0;
	} else if (model_pass(m, 2, ALL_OF_MARK)) {
		return PAGE;
	} else if (!model_never_kills(m)) {
		story_tell(&m->outcome->story, 'o');
		killed = ++m->kills <= m->scene->kills;
		model_moment(m, IN_KILL, m->kills);
		if (killed && model_has(m, __GFP_NOFAIL) &&
		    model_pass(m, 0, NO_MARK))
			return PAGE;
	}
	if (model_victim(m->scene) &&
	    (model_oom_right(m) || model_has(m, __GFP_NOMEMALLOC)))
		return NO_PAGE;
	if (!killed)
		return NO_PAGE;
	r->fruitless = 0;
	return RETRY;
}

/* From Linux's label "retry" on. */
static enum end model_round(struct model *m, struct rounds *r)
{
	bool costly = m->scene->order > 3;

	model_wake(m);
	r->floor = model_first_right(m);
	if (model_no_mark(m))
		r->floor = NO_MARK;
	else if (model_oom_right(m))
		r->floor = VICTIM_OF_MARK;
	if (model_pass(m, 0, r->floor))
		return PAGE;
	if (!model_has(m, __GFP_DIRECT_RECLAIM) || model_in_reclaim(m->scene))
		return NO_PAGE;
	r->reclaimed = model_reclaim(m);
	if (r->reclaimed > 0 && model_pass(m, 0, r->floor))
		return PAGE;
	if (r->reclaimed > 0) {
		model_give_up(m, false);
		model_drain_all(m);
		if (model_pass(m, 0, r->floor))
			return PAGE;
	}
	if (model_can_compact(m) &&
	    model_compact(m, r->how, r->floor, &r->compacted))
		return PAGE;
	if (model_has(m, __GFP_NORETRY) ||
	    (costly &&
	     !(model_has(m, __GFP_RETRY_MAYFAIL) && model_can_compact(m))))
		return NO_PAGE;
	if (r->reclaimed > 0 && !costly)
		r->fruitless = 0;
	else
		r->fruitless++;
	if (r->fruitless <= 16 && model_reclaim_helps(m, r->floor))
		return RETRY;
	if (model_give_up(m, true))
		return RETRY;
	if (r->reclaimed > 0 && model_can_compact(m) &&
	    model_compact_again(m, r->compacted, &r->how, &r->lost))
		return RETRY;
	return model_empty_lists(m, r->floor) ? PAGE : model_kill(m, r);
}

/* Compaction before any reclaim. */
static enum end model_early(struct model *m, struct rounds *r)
{
	bool costly = m->scene->order > 3;

	if (!model_has(m, __GFP_DIRECT_RECLAIM) || !model_can_compact(m) ||
	    (!costly && model_has(m, __GFP_MOVABLE)) || model_no_mark(m) ||
	    model_oom_right(m))
		return RETRY;
	if (model_compact(m, 'a', model_first_right(m), &r->compacted))
		return PAGE;
	if (!costly || !model_has(m, __GFP_NORETRY))
		return RETRY;
	if (r->compacted == COMPACT_SKIPPED ||
	    r->compacted == COMPACT_DEFERRED || model_has(m, __GFP_THISNODE))
		return NO_PAGE;
	r->how = 'a';
	return RETRY;
}

/* Has a zone that the request may use any memory at all? */
static bool model_has_zone(const struct model *m)
{
	for (int type = model_highest_zone(m->mask); type >= 0; type--) {
		if (m->scene->managed[type] > 0)
			return true;
	}
	return false;
}

static void model_slow_path(struct model *m)
{
	struct rounds r = { .how = 'l', .floor = model_first_right(m) };
	enum end end;

	if (!model_has_zone(m) &&
	    !(model_has(m, __GFP_NOFAIL) && model_has(m, __GFP_DIRECT_RECLAIM)))
		return;
	model_wake(m);
	if (model_pass(m, 0, model_first_right(m)))
		return;
	end = model_early(m, &r);
	/* A model that has left the path of the request may wait forever. */
	while (end != PAGE && m->outcome->story.length < STORY_MAX) {
		if (end == RETRY)
			end = model_round(m, &r);
		if (end == NO_PAGE) {
			if (model_empty_lists(m, r.floor))
				return;
			if (!model_has(m, __GFP_NOFAIL) ||
			    !model_has(m, __GFP_DIRECT_RECLAIM))
				return;
			if (model_pass(m, 0, HALF_OF_MARK))
				return;
			end = RETRY;
		}
		if (end == RETRY)
			model_rest(m, r.reclaimed);
	}
}

void model_request(const struct scene *s, struct outcome *outcome)
{
	struct model m = { .scene = s,
		           .outcome = outcome,
		           .view = s->before,
		           .mask = s->mask };

	*outcome = (struct outcome){ .zone = -1 };
	for (int type = 0; type < ZONE_COUNT; type++)
		outcome->reserved[type] = s->before.aside[type].reserved;
	outcome->verdict = model_verdict(s);
	if (outcome->verdict != GFP_OK)
		return;
	if (!model_is_irq(s) && s->noio)
		m.mask &= ~(gfp_t)(__GFP_IO | __GFP_FS);
	if (!model_is_irq(s) && s->nofs)
		m.mask &= ~(gfp_t)__GFP_FS;
	if ((model_has(&m, __GFP_WRITE) && s->dirty) ||
	    !model_pass(&m, 1, ALL_OF_MARK))
		model_slow_path(&m);
	for (int type = 0; type < ZONE_COUNT; type++)
		outcome->reserved[type] = m.view.aside[type].reserved;
	outcome->dump = outcome->zone < 0 && !model_has(&m, __GFP_NOWARN) &&
	                !(model_highest_zone(s->mask) == 0 &&
	                  s->managed[ZONE_DMA] == 0);
}

/* ---- kswapd and throttling ----------------------------------------------- */

bool model_balanced(const struct model *m)
{
	unsigned long managed = 0;

	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		managed += m->scene->managed[zone];
		if (model_zone_ok(m, zone, m->view.free[zone], m->scene->order,
		                  m->scene->mark[zone][2], ALL_OF_MARK))
			return true;
	}
	return managed == 0;
}

bool model_throttled(const struct scene *s)
{
	struct scene single = *s;
	const struct model m = { .scene = &single, .view = s->before };
	unsigned long reserve = 0;
	unsigned long free = 0;

	single.order = 0;
	for (int zone = 0; zone <= 2; zone++) {
		if (s->managed[zone] == 0 || s->before.free[zone] == 0)
			continue;
		reserve += s->mark[zone][0];
		free += s->before.free[zone];
	}
	return reserve > 0 && free <= reserve / 2 && !model_balanced(&m);
}
