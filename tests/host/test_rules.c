/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules.c -- random requests, compared with the rules of Linux
 * 6.12 written down a second time.
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
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/pageblock.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/reclaim_internal.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(rules);

#define SCENES       12000
#define SCENES_EACH  400 /* of one set of zone sizes */
#define STORY_MAX    2000
#define ANSWERS      8
#define DUMP_SECONDS 10000000ULL

/* Whole pageblocks of a zone. */
#define ASIDE_MAX    4

/*
 * A zone that has so many pages can serve any small request when all are free.
 */
#define AMPLE        256

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
		unsigned long pages; /* 512, or 1024 */
		unsigned long free;
		int largest; /* order of the largest free block */
		int merged;  /* and as soon as it may merge with others */
	} block[ASIDE_MAX];
};

struct view {
	unsigned long free[ZONE_COUNT];
	/* Order of the largest block that is not set aside, -1: none. */
	int largest[ZONE_COUNT];
	/* The same of blocks that a request of each type gets without mixing. */
	int unmixed[ZONE_COUNT][MIGRATE_PCPTYPES];
	struct aside aside[ZONE_COUNT];
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
	int zone;      /* -1: no page */
	bool unmarked; /* taken without a mark: pfmemalloc */
	bool aside;    /* from a HIGHATOMIC pageblock */
	unsigned long reserved[ZONE_COUNT];
	bool dump;
};

static struct pile pile;
static struct random dice;
static struct scene scene;
static struct outcome real;
static struct {
	unsigned long passes; /* in the story so far */
	unsigned int reclaims, compactions, kills, rests;
	bool gave_in_sleep;
} played;

/* Scenes with a page of a HIGHATOMIC block, and zones that gave such blocks up. */
static unsigned int from_aside, given_up;

static unsigned int test_rules_below(unsigned long bound)
{
	return (unsigned int)random_below(&dice, bound);
}

static bool one_in(unsigned int n)
{
	return test_rules_below(n) == 0;
}

static void tell(struct story *story, char letter)
{
	if (story->length < STORY_MAX)
		story->text[story->length++] = letter;
}

static char letter_of_reclaim(bool io, bool fs)
{
	if (io)
		return fs ? 'r' : 'i';
	return fs ? 'x' : 'n';
}

/* ---- The rules ----------------------------------------------------------- */

enum floor {
	ALL_OF_MARK,
	NOWAIT_OF_MARK, /* all, but HIGHATOMIC pages count */
	HALF_OF_MARK,
	VICTIM_OF_MARK, /* half, and HIGHATOMIC blocks */
	ATOMIC_OF_MARK, /* a quarter less than half */
	NO_MARK,
};

struct model {
	const struct scene *scene;
	struct outcome *outcome;
	struct view view;
	gfp_t mask; /* in its scope */
	unsigned int reclaims, compactions, kills, rests;
};

static bool test_rules_has(const struct model *m, gfp_t flag)
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

static int model_highest_zone(gfp_t mask)
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
	bool plain = test_rules_has(m, __GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC);

	if (!test_rules_has(m, __GFP_HIGH))
		return plain ? ALL_OF_MARK : NOWAIT_OF_MARK;
	return plain ? HALF_OF_MARK : ATOMIC_OF_MARK;
}

/* Has the caller, besides its mask, a right to the reserve?  NOMEMALLOC beats
 * all of it. */
static bool model_no_mark(const struct model *m)
{
	return !test_rules_has(m, __GFP_NOMEMALLOC) &&
	       (test_rules_has(m, __GFP_MEMALLOC) ||
	        model_in_reclaim(m->scene));
}

static bool model_oom_right(const struct model *m)
{
	return !test_rules_has(m, __GFP_NOMEMALLOC) && !model_no_mark(m) &&
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

/* Give up a HIGHATOMIC pageblock; the last one of a zone only if FORCED. */
static bool model_give_up(struct model *m, bool forced)
{
	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
		struct aside *aside = &m->view.aside[zone];

		if (aside->reserved <= (forced ? 0 : 512) || aside->count == 0)
			continue;
		m->view.largest[zone] =
			max(m->view.largest[zone], aside->block[0].merged);
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
	       pile.node->zone[ZONE_NORMAL].managed > 0 &&
	       (model_highest_zone(m->mask) == ZONE_NORMAL ||
	        pile.node->zone[ZONE_MOVABLE].managed == 0);
}

static bool model_pass_over(struct model *m, int mark, enum floor floor,
                            bool unmixed)
{
	unsigned int type = m->mask >> 3 & 3;

	for (int zone = model_highest_zone(m->mask); zone >= 0; zone--) {
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
	tell(&m->outcome->story, 'p');
	return (mark == 1 && model_begins_in_normal(m) &&
	        model_pass_over(m, mark, floor, true)) ||
	       model_pass_over(m, mark, floor, false);
}

static void model_wake(struct model *m)
{
	if (test_rules_has(m, __GFP_KSWAPD_RECLAIM))
		tell(&m->outcome->story, 'w');
}

static void model_moment(struct model *m, enum moment moment, unsigned int n)
{
	if (m->scene->moment == moment && m->scene->moment_number == n)
		m->view = m->scene->after;
}

static unsigned long model_reclaim(struct model *m)
{
	unsigned int number = ++m->reclaims;

	tell(&m->outcome->story, 't');
	tell(&m->outcome->story,
	     letter_of_reclaim(test_rules_has(m, __GFP_IO),
	                       test_rules_has(m, __GFP_FS)));
	model_moment(m, IN_RECLAIM, number);
	return number <= m->scene->progress_rounds ? m->scene->progress : 0;
}

static bool model_can_compact(const struct model *m)
{
	return test_rules_has(m, __GFP_IO) && m->scene->compacts &&
	       m->scene->order > 0;
}

/* True: a page. */
static bool model_compact(struct model *m, char how, enum floor floor,
                          enum compact_result *result)
{
	*result = m->scene->compacted[m->compactions++ % ANSWERS];
	tell(&m->outcome->story, how);
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
	       test_rules_has(m, __GFP_RETRY_MAYFAIL | __GFP_THISNODE) ||
	       model_highest_zone(m->mask) < 2;
}

static void model_rest(struct model *m, unsigned long reclaimed)
{
	tell(&m->outcome->story, reclaimed > 0 ? 'y' : 's');
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
		tell(&m->outcome->story, 'o');
		killed = ++m->kills <= m->scene->kills;
		model_moment(m, IN_KILL, m->kills);
		if (killed && test_rules_has(m, __GFP_NOFAIL) &&
		    model_pass(m, 0, NO_MARK))
			return PAGE;
	}
	if (model_victim(m->scene) &&
	    (model_oom_right(m) || test_rules_has(m, __GFP_NOMEMALLOC)))
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
	if (!test_rules_has(m, __GFP_DIRECT_RECLAIM) ||
	    model_in_reclaim(m->scene))
		return NO_PAGE;
	r->reclaimed = model_reclaim(m);
	if (r->reclaimed > 0 && model_pass(m, 0, r->floor))
		return PAGE;
	if (r->reclaimed > 0) {
		model_give_up(m, false);
		if (model_pass(m, 0, r->floor))
			return PAGE;
	}
	if (model_can_compact(m) &&
	    model_compact(m, r->how, r->floor, &r->compacted))
		return PAGE;
	if (test_rules_has(m, __GFP_NORETRY) ||
	    (costly &&
	     !(test_rules_has(m, __GFP_RETRY_MAYFAIL) && model_can_compact(m))))
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
	return model_kill(m, r);
}

/* Compaction before any reclaim. */
static enum end model_early(struct model *m, struct rounds *r)
{
	bool costly = m->scene->order > 3;

	if (!test_rules_has(m, __GFP_DIRECT_RECLAIM) || !model_can_compact(m) ||
	    (!costly && test_rules_has(m, __GFP_MOVABLE)) || model_no_mark(m) ||
	    model_oom_right(m))
		return RETRY;
	if (model_compact(m, 'a', model_first_right(m), &r->compacted))
		return PAGE;
	if (!costly || !test_rules_has(m, __GFP_NORETRY))
		return RETRY;
	if (r->compacted == COMPACT_SKIPPED ||
	    r->compacted == COMPACT_DEFERRED ||
	    test_rules_has(m, __GFP_THISNODE))
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
	struct rounds r = { .how = 'l' };
	enum end end;

	if (!model_has_zone(m) && !(test_rules_has(m, __GFP_NOFAIL) &&
	                            test_rules_has(m, __GFP_DIRECT_RECLAIM)))
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
			if (!test_rules_has(m, __GFP_NOFAIL) ||
			    !test_rules_has(m, __GFP_DIRECT_RECLAIM))
				return;
			if (model_pass(m, 0, HALF_OF_MARK))
				return;
			end = RETRY;
		}
		if (end == RETRY)
			model_rest(m, r.reclaimed);
	}
}

static void model_request(const struct scene *s, struct outcome *outcome)
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
	if ((test_rules_has(&m, __GFP_WRITE) && s->dirty) ||
	    !model_pass(&m, 1, ALL_OF_MARK))
		model_slow_path(&m);
	for (int type = 0; type < ZONE_COUNT; type++)
		outcome->reserved[type] = m.view.aside[type].reserved;
	outcome->dump = outcome->zone < 0 &&
	                !test_rules_has(&m, __GFP_NOWARN) &&
	                !(model_highest_zone(s->mask) == 0 &&
	                  s->managed[ZONE_DMA] == 0);
}

/* ---- The script ---------------------------------------------------------- */

static void test_rules_write_down(char letter)
{
	unsigned long passes =
		vmstat_read(&pile.node->stat, VMSTAT_freelist_pass);

	for (; played.passes < passes; played.passes++)
		tell(&real.story, 'p');
	if (letter != '\0')
		tell(&real.story, letter);
}

/* A free block of a HIGHATOMIC pageblock.  Those of small blocks come first. */
static void look_at_block(const struct zone *zone, const struct page *page,
                          struct aside *aside)
{
	unsigned long pfn = zone_pfn(zone, page);
	unsigned int at = 0;

	while (at < aside->count && aside->block[at].number != pfn / 512)
		at++;
	if (at == aside->count) {
		aside->count++;
		aside->block[at].number = pfn / 512;
		aside->block[at].pages = page->order > 9 ? 1024 : 512;
		aside->block[at].free = 0;
	}
	aside->block[at].free += 1UL << page->order;
	aside->block[at].largest = page->order;
	aside->block[at].merged = page->order;
	if (page->order == 9 && zone_contains(zone, pfn ^ 512)) {
		const struct page *other = zone_page(zone, pfn ^ 512);

		if (other->state == PAGE_FREE && other->order == 9)
			aside->block[at].merged = 10;
	}
}

static void look_aside(const struct zone *zone, struct aside *aside)
{
	aside->count = 0;
	aside->reserved = zone->nr_reserved_highatomic;
	for (int order = 0; order <= MAX_ORDER; order++) {
		const struct list *list =
			&zone->free_area[order].blocks[MIGRATE_HIGHATOMIC];

		for (const struct list *at = list->next; at != list;
		     at = at->next)
			look_at_block(zone, container_of(at, struct page, link),
			              aside);
	}
}

static void test_rules_look(struct view *view)
{
	for (int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &pile.node->zone[type];

		view->free[type] = zone->free_pages;
		view->largest[type] = -1;
		look_aside(zone, &view->aside[type]);
		for (int order = 0; order <= MAX_ORDER; order++) {
			const struct free_area *area = &zone->free_area[order];

			if (area->count > area->of_type[MIGRATE_HIGHATOMIC])
				view->largest[type] = order;
		}
		for (int of = 0; of < MIGRATE_PCPTYPES; of++) {
			int whole = view->largest[type];
			unsigned int own = zone->nonempty[of];

			view->unmixed[type][of] =
				own == 0 ? -1 : 31 - __builtin_clz(own);
			if (whole >= PAGEBLOCK_ORDER)
				view->unmixed[type][of] = whole;
		}
	}
}

/* COUNT pages of the pile, from anywhere. */
static void test_rules_give_some(unsigned long count)
{
	while (count-- > 0 && pile.count > 0) {
		unsigned int at = test_rules_below(pile.count);
		struct page *page = pile.page[at];

		pile.page[at] = pile.page[--pile.count];
		free_pages_node(pile.node, page, 0, RETURN_ADDRESS());
	}
}

/* True: this was the moment. */
static bool play_moment(enum moment moment, unsigned int number)
{
	if (scene.moment != moment || scene.moment_number != number)
		return false;
	test_rules_give_some(scene.gift);
	test_rules_look(&scene.after);
	return true;
}

static void test_rules_on_wake(struct node *node __unused,
                               unsigned int order __unused,
                               enum zone_type highest __unused)
{
	test_rules_write_down('w');
}

static void test_rules_on_throttle(struct node *node __unused,
                                   const struct alloc_request *request __unused)
{
	test_rules_write_down('t');
}

static unsigned long test_rules_on_reclaim(struct node *node __unused,
                                           const struct alloc_request *request)
{
	test_rules_write_down(
		letter_of_reclaim(request->may_io, request->may_fs));
	play_moment(IN_RECLAIM, ++played.reclaims);
	return played.reclaims <= scene.progress_rounds ? scene.progress : 0;
}

static unsigned long test_rules_on_reclaimable(struct node *node __unused,
                                               struct zone *zone)
{
	unsigned long pages = scene.reclaimable[zone->type];

	/* As zone_reclaimable_pages(). */
	return pages > 0 ? pages : zone->free_pages;
}

static enum compact_result
test_rules_on_compact(struct node *node __unused,
                      const struct alloc_request *request __unused,
                      enum compact_priority priority)
{
	test_rules_write_down(priority == COMPACT_ASYNC        ? 'a'
	                      : priority == COMPACT_SYNC_LIGHT ? 'l'
	                                                       : 'f');
	return scene.compacted[played.compactions++ % ANSWERS];
}

static bool test_rules_on_oom(struct node *node __unused,
                              const struct alloc_request *request __unused)
{
	test_rules_write_down('o');
	play_moment(IN_KILL, ++played.kills);
	return played.kills <= scene.kills;
}

static bool on_too_dirty(struct node *node __unused)
{
	return scene.dirty;
}

/* Called once more in a sleep in which something was done. */
static bool test_rules_on_rest(struct wait_queue *queue)
{
	bool again = played.gave_in_sleep;

	played.gave_in_sleep = false;
	if (again)
		return false;
	test_rules_write_down(queue->name[0]);
	played.gave_in_sleep =
		play_moment(IN_REST, ++played.rests) && queue->name[0] == 's';
	return played.gave_in_sleep;
}

/* ---- Scenes -------------------------------------------------------------- */

static void new_node(void)
{
	unsigned long pages[ZONE_COUNT];
	unsigned long first = test_rules_below(3) * 512UL;
	unsigned long end = first;

	for (int type = 0; type < ZONE_COUNT; type++) {
		pages[type] =
			one_in(4) ? 0
				  : 1 + test_rules_below(one_in(3)   ? 40
		                                         : one_in(2) ? 700
		                                                     : 1900);
		end += pages[type];
	}
	if (end == first) {
		pages[ZONE_NORMAL] = 300;
		end += 300;
	}
	machine_start(end);
	pile.node = machine_zones(first, pages);
	pile.count = 0;
	machine_set_kswapd_hook(pile.node, test_rules_on_wake);
	machine_set_reclaim_hook(pile.node, test_rules_on_reclaim,
	                         test_rules_on_reclaimable);
	machine_set_oom_hook(pile.node, test_rules_on_oom);
	machine_set_throttle_hook(pile.node, test_rules_on_throttle);
	pile.node->recovery.too_dirty = on_too_dirty;
}

static void test_rules_set_marks(int type)
{
	struct zone *zone = &pile.node->zone[type];
	unsigned long *mark = scene.mark[type];

	mark[0] = test_rules_below(80);
	mark[1] = mark[0] + test_rules_below(30);
	mark[2] = mark[1] + test_rules_below(30);
	machine_set_marks(zone, mark[0], mark[1], mark[2]);
	zone->node->watermark_boost_factor = WATERMARK_BOOST_FACTOR;
	for (int j = type; j < ZONE_COUNT; j++) {
		scene.reserve[type][j] =
			j == type || one_in(2) ? 0 : test_rules_below(50);
		zone->lowmem_reserve[j] = scene.reserve[type][j];
	}
	scene.managed[type] = zone->managed;
}

/* Visit the whole pageblocks of all zones, by their first frames. */
static void each_pageblock(void (*visit)(struct zone *zone, unsigned long pfn))
{
	for (int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &pile.node->zone[type];
		unsigned long end = zone->start_pfn + zone->spanned;

		for (unsigned long pfn = ALIGN_UP(zone->start_pfn, 512UL);
		     pfn + 512 <= end; pfn += 512)
			visit(zone, pfn);
	}
}

static void set_aside(struct zone *zone, unsigned long pfn)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	const struct page *head = zone_block_head(zone, pfn);

	if (pageblock_type(zone, pfn) != MIGRATE_HIGHATOMIC && one_in(2)) {
		pageblock_retype(zone, head, MIGRATE_HIGHATOMIC);
		zone->nr_reserved_highatomic += max(512UL, 1UL << head->order);
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
}

/* One without a free page. */
static void put_back(struct zone *zone, unsigned long pfn)
{
	if (pageblock_type(zone, pfn) != MIGRATE_HIGHATOMIC)
		return;
	pageblock_of(zone, pfn)->type = MIGRATE_MOVABLE;
	zone->nr_reserved_highatomic -= 512;
}

static void put_all_back(void)
{
	const struct alloc_request any = { .highest_zone = ZONE_MOVABLE,
		                           .migratetype = MIGRATE_MOVABLE };

	while (highatomic_unreserve(pile.node, &any, true))
		;
	each_pageblock(put_back);
}

/* Take all that is free and not in HIGHATOMIC pageblocks. */
static void leave_only_aside(void)
{
	enum moment moment = scene.moment;

	scene.moment = NEVER;
	pile_drain(&pile,
	           __GFP_DIRECT_RECLAIM | __GFP_NORETRY | __GFP_NOWARN |
	                   __GFP_MEMALLOC | __GFP_HIGHMEM | __GFP_MOVABLE,
	           PILE_PAGES);
	scene.moment = moment;
}

/* Mostly near the marks, where it is decided. */
static void fill_zones(void)
{
	unsigned long managed = node_managed(pile.node);
	unsigned long target = one_in(3) ? test_rules_below(managed + 1)
	                                 : test_rules_below(120);

	put_all_back();
	pile_leave(&pile, 0);
	if (one_in(3))
		pile_give(&pile, target);
	else
		test_rules_give_some(target);
	if (one_in(3))
		test_rules_give_some(test_rules_below(40));
	if (one_in(2))
		each_pageblock(set_aside);
	if (one_in(4))
		leave_only_aside();
}

static gfp_t random_mask(void)
{
	static const gfp_t base[] = {
		GFP_KERNEL, GFP_KERNEL, GFP_NOFS,
		GFP_NOIO,   GFP_ATOMIC, GFP_NOWAIT,
		GFP_USER,   GFP_KERNEL, GFP_HIGHUSER_MOVABLE
	};
	static const gfp_t more[] = {
		__GFP_DMA,
		__GFP_HIGHMEM,
		__GFP_DMA32,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGH,
		__GFP_IO,
		__GFP_FS,
		__GFP_ZERO,
		__GFP_NOWARN,
		__GFP_DIRECT_RECLAIM,
		__GFP_KSWAPD_RECLAIM,
		__GFP_WRITE,
		__GFP_RETRY_MAYFAIL,
		__GFP_NOFAIL,
		__GFP_NORETRY,
		__GFP_MEMALLOC,
		__GFP_COMP,
		__GFP_NOMEMALLOC,
		__GFP_HARDWALL,
		__GFP_THISNODE,
	};
	gfp_t mask = one_in(3) ? 0 : base[test_rules_below(ARRAY_SIZE(base))];
	unsigned int few = mask == 0 ? 3 : 12;

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		if (one_in(few))
			mask ^= more[i];
	}
	return mask;
}

/* Is an endless wait ended when all pages become free? */
static bool ample(void)
{
	int highest = model_highest_zone(scene.mask);

	for (int type = 0; type <= highest; type++) {
		if (scene.managed[type] >= AMPLE && scene.order <= 3)
			return true;
	}
	return false;
}

/* A request that would wait forever gets all pages in one of the rests. */
static void bound_waiting(void)
{
	if ((scene.mask & __GFP_NOFAIL) && !ample())
		scene.mask &= ~(gfp_t)__GFP_NOFAIL;
	if (scene.busy && !ample())
		scene.busy = false;
	if (!(scene.mask & __GFP_NOFAIL) && !scene.busy)
		return;
	scene.moment = IN_REST;
	scene.moment_number = 1 + test_rules_below(40);
	scene.gift = PILE_PAGES;
}

/* Often the same answer again and again, and requests that go on for it. */
static void script_compaction(void)
{
	bool same = one_in(2);

	scene.compacts = scene.order > 0 && !one_in(4);
	for (int i = 0; i < ANSWERS; i++)
		scene.compacted[i] =
			same && i > 0
				? scene.compacted[0]
				: (enum compact_result)test_rules_below(4);
	if (!scene.compacts || !one_in(3))
		return;
	scene.progress_rounds = 20 + test_rules_below(20);
	scene.mask |= one_in(4) ? 0 : __GFP_IO;
	if (scene.order > 3)
		scene.mask |= __GFP_RETRY_MAYFAIL;
}

static void new_scene(void)
{
	scene = (struct scene){
		.mask = random_mask(),
		.order = one_in(2) ? 0 : test_rules_below(one_in(3) ? 12 : 5),
		.caller = one_in(2) ? THREAD
		                    : (enum caller)test_rules_below(CALLERS),
		.noio = one_in(8),
		.nofs = one_in(8),
		.dirty = one_in(2),
		.busy = one_in(16),
		.progress_rounds = one_in(2) ? 0 : test_rules_below(20),
		.progress = one_in(2) ? 32 : 1 + test_rules_below(8),
		.kills = test_rules_below(3),
		.moment = one_in(2) ? NEVER : (enum moment)test_rules_below(4),
		.moment_number = 1 + test_rules_below(one_in(2) ? 2 : 18),
		.gift = test_rules_below(one_in(2) ? 20 : 200),
	};
	for (int type = 0; type < ZONE_COUNT; type++) {
		test_rules_set_marks(type);
		scene.reclaimable[type] = one_in(3) ? 0 : test_rules_below(150);
	}
	if (one_in(8)) {
		scene.mask = GFP_ATOMIC;
		scene.order = 1 + test_rules_below(3);
	}
	script_compaction();
	bound_waiting();
}

/* ---- One request for real ------------------------------------------------ */

static void become_caller(void)
{
	static const bool victim[CALLERS] = { [VICTIM] = true,
		                              [VICTIM_IN_RECLAIM] = true,
		                              [INTERRUPT_ON_VICTIM] = true };
	static const bool reclaims[CALLERS] = { [THREAD_IN_RECLAIM] = true,
		                                [VICTIM_IN_RECLAIM] = true,
		                                [SOFT_WORK_ON_RECLAIM] = true,
		                                [INTERRUPT_ON_RECLAIM] = true };
	struct thread *self = machine_main();

	if (victim[scene.caller])
		thread_set_flags(self, THREAD_OOM_VICTIM);
	if (reclaims[scene.caller])
		thread_set_flags(self, THREAD_MEMALLOC);
	if (scene.noio)
		thread_set_flags(self, THREAD_MEMALLOC_NOIO);
	if (scene.nofs)
		thread_set_flags(self, THREAD_MEMALLOC_NOFS);
	if (scene.caller == PREEMPTION_OFF)
		preempt_disable();
	else if (scene.caller >= INTERRUPT)
		machine_enter_irq(NULL);
	else if (scene.caller >= SOFT_WORK)
		machine_enter_softirq();
}

static void become_main(void)
{
	if (scene.caller == PREEMPTION_OFF)
		preempt_enable();
	else if (scene.caller >= INTERRUPT)
		machine_leave_irq();
	else if (scene.caller >= SOFT_WORK)
		machine_leave_softirq();
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM | THREAD_MEMALLOC |
	                                           THREAD_MEMALLOC_NOIO |
	                                           THREAD_MEMALLOC_NOFS);
}

static enum gfp_verdict verdict_by_counters(void)
{
	const struct vmstat *stat = &pile.node->stat;

	if (vmstat_read(stat, VMSTAT_alloc_refused) > 0)
		return GFP_REFUSED;
	if (vmstat_read(stat, VMSTAT_alloc_must_not_sleep) > 0)
		return GFP_MUST_SLEEP;
	return scene.order > MAX_ORDER ? GFP_TOO_LARGE : GFP_OK;
}

static struct page *request_for_real(void)
{
	struct page *page;
	uint64_t mark;

	memset(&played, 0, sizeof(played));
	real = (struct outcome){ .zone = -1 };
	pile.node->stat = (struct vmstat){ 0 };
	machine_set_compact_hook(pile.node,
	                         scene.compacts ? test_rules_on_compact : NULL);
	machine_set_wait_hook(test_rules_on_rest);
	pile.node->oom_busy = scene.busy;
	machine_advance(DUMP_SECONDS);
	test_rules_look(&scene.before);
	become_caller();
	mark = log_mark();
	page = alloc_pages_node(pile.node, scene.mask, scene.order);
	become_main();
	test_rules_write_down('\0');
	real.verdict = verdict_by_counters();
	real.dump = log_contains_since(mark, "page allocation failure");
	pile.node->oom_busy = false;
	if (page != NULL) {
		real.zone = page->zone;
		real.unmarked = (page->flags & PAGE_PFMEMALLOC) != 0;
		real.aside = pageblock_type(&pile.node->zone[page->zone],
		                            node_pfn(pile.node, page)) ==
		             MIGRATE_HIGHATOMIC;
	}
	for (int type = 0; type < ZONE_COUNT; type++)
		real.reserved[type] =
			pile.node->zone[type].nr_reserved_highatomic;
	return page;
}

static unsigned long letters(const struct story *story, const char *any)
{
	unsigned long count = 0;

	for (size_t i = 0; i < story->length; i++)
		count += strchr(any, story->text[i]) != NULL;
	return count;
}

/* Each event is counted once. */
static const char *compare_counters(const struct outcome *model)
{
	static const enum vmstat_event taken[ZONE_COUNT] = {
		VMSTAT_pgalloc_dma,
		VMSTAT_pgalloc_dma32,
		VMSTAT_pgalloc_normal,
		VMSTAT_pgalloc_movable,
	};
	const struct vmstat *stat = &pile.node->stat;
	unsigned long null = model->verdict == GFP_OK && model->zone < 0;

	for (int type = 0; type < ZONE_COUNT; type++)
		EXPECT_EQUAL(vmstat_read(stat, taken[type]),
		             type == model->zone ? 1UL << scene.order : 0UL);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_freelist_pass),
	             letters(&model->story, "p"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_kswapd_wake_request),
	             letters(&model->story, "w"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_fail), null);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_refused),
	             model->verdict == GFP_REFUSED);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_must_not_sleep),
	             model->verdict == GFP_MUST_SLEEP);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_reclaim_retry) +
	                     vmstat_read(stat, VMSTAT_compact_retry) +
	                     vmstat_read(stat, VMSTAT_oom_retry) +
	                     vmstat_read(stat, VMSTAT_nofail_retry),
	             letters(&model->story, "sy"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_compact_success) +
	                     vmstat_read(stat, VMSTAT_compact_fail),
	             vmstat_read(stat, VMSTAT_compact_stall));
	EXPECT(vmstat_read(stat, VMSTAT_compact_stall) <=
	       letters(&model->story, "alf"));
	return NULL;
}

static const char *test_rules_compare(unsigned int number)
{
	static struct outcome model;

	model_request(&scene, &model);
	from_aside += model.aside;
	for (int type = 0; type < ZONE_COUNT; type++)
		given_up += scene.before.aside[type].reserved !=
		            model.reserved[type];
	if (model.verdict == real.verdict && model.zone == real.zone &&
	    model.unmarked == real.unmarked && model.dump == real.dump &&
	    model.aside == real.aside &&
	    memcmp(model.reserved, real.reserved, sizeof(real.reserved)) == 0 &&
	    strcmp(model.story.text, real.story.text) == 0)
		return compare_counters(&model);
	return test_failure("scene %u: mask %#x order %u caller %d: %s, zone "
	                    "%d, verdict %d, mark %d, aside %d, dump %d; the "
	                    "rules say: %s, zone %d, verdict %d, mark %d, "
	                    "aside %d, dump %d",
	                    number, scene.mask, scene.order, scene.caller,
	                    real.story.text, real.zone, real.verdict,
	                    real.unmarked, real.aside, real.dump,
	                    model.story.text, model.zone, model.verdict,
	                    model.unmarked, model.aside, model.dump);
}

static const char *play(unsigned int number)
{
	struct page *page;
	const char *wrong;

	new_scene();
	fill_zones();
	page = request_for_real();
	wrong = test_rules_compare(number);
	if (page != NULL)
		free_pages_node(pile.node, page, scene.order, RETURN_ADDRESS());
	return wrong;
}

CASE(rules, random_requests_take_the_rungs_that_linux_rules_name)
{
	dice.state = test_seed();
	from_aside = 0;
	given_up = 0;
	for (unsigned int number = 0; number < SCENES; number++) {
		const char *wrong;

		if (number % SCENES_EACH == 0)
			new_node();
		wrong = play(number);
		if (wrong == NULL && number % SCENES_EACH == SCENES_EACH - 1)
			pile_give(&pile, PILE_PAGES);
		if (wrong != NULL)
			return wrong;
	}
	test_note("%u pages of HIGHATOMIC blocks, %u zones gave some up",
	          from_aside, given_up);
	EXPECT(from_aside > 20 && given_up > 50);
	return NULL;
}

/* ---- kswapd and throttling ----------------------------------------------- */

/* Some zone passes high; or there is none. */
static bool model_balanced(const struct model *m)
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

/* Free pages are at most half of all min marks.  Zones with nothing to reclaim and
 * nothing free do not count; nobody waits for a kswapd that is content. */
static bool model_throttled(const struct scene *s)
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

CASE(rules, random_nodes_are_balanced_and_throttled_when_linux_says_so)
{
	static const gfp_t mask_of[ZONE_COUNT] = {
		__GFP_DMA, __GFP_DMA32, 0, __GFP_HIGHMEM | __GFP_MOVABLE
	};
	unsigned int balanced = 0;
	unsigned int throttled = 0;

	dice.state = test_seed();
	for (unsigned int number = 0; number < 4000; number++) {
		enum zone_type highest =
			(enum zone_type)test_rules_below(ZONE_COUNT);
		struct model m = { .scene = &scene, .mask = mask_of[highest] };

		if (number % SCENES_EACH == 0)
			new_node();
		new_scene();
		scene.order = min(scene.order, (unsigned int)MAX_ORDER);
		fill_zones();
		if (one_in(2))
			pile_leave(&pile, test_rules_below(40));
		test_rules_look(&scene.before);
		m.view = scene.before;
		EXPECT_EQUAL(node_is_balanced(pile.node, scene.order, highest),
		             model_balanced(&m));
		EXPECT_EQUAL(!allow_direct_reclaim(pile.node),
		             model_throttled(&scene));
		balanced += model_balanced(&m);
		throttled += model_throttled(&scene);
		if (number % SCENES_EACH == SCENES_EACH - 1)
			pile_give(&pile, PILE_PAGES);
	}
	test_note("%u of 4000 balanced, %u throttled", balanced, throttled);
	EXPECT(balanced > 200 && balanced < 3800 && throttled > 200);
	return NULL;
}
