/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/path_walk.c -- an interrupt at every instruction of a path of the allocator.
 *
 * A thread runs a path of the allocator under the trap flag
 * (kernel/arch/step.h), again and again, until an interrupt has come at each
 * boundary at which one could come.  Its handler takes a plain page and an
 * exclusive page and *keeps* them; one that freed them immediately would hide a
 * page that both were given.  Then owners are compared, everything is freed,
 * and every page of the node is counted.
 *
 * A run has up to WALK_SHOTS interrupts.  After the first the path may differ from
 * the one that was counted; an interrupt is meant for a number *and* an
 * instruction, and where the two do not meet it gets a separate run.
 *
 * At each of these boundaries none of the allocator's locks may be held either:
 * a handler would wait for it forever.
 *
 * The causes of different path lengths on different machines are excluded: the
 * node is a private one, of 128 real frames, and so are its owners; the real
 * lines are masked.  So the numbers of boundaries are the same everywhere, and
 * tests/run/check.py compares them.
 *
 * A run goes step by step near its interrupts only.  The first walk records
 * where each function begins and where it has returned; one that has returned
 * before the boundary in question is run at full speed.
 */
#include "tests/kernel/path_walk.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/direct_map.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/step.h"
#include "kernel/arch/trap.h"
#include "kernel/core/context.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/params.h"
#include "kernel/core/symbols.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

#define ORDER  7
#define FRAMES (1UL << ORDER)
/* Nothing on a PC's board has line 5; the test raises it. */
#define LINE   5
/* The checked build also checks each addition and each pointer. */
#ifdef CHECKED
#define BOUNDARIES 24576U
#define WALK_ORDER 6
#else
#define BOUNDARIES 16384U
#define WALK_ORDER 5
#endif
#define DEPTH        32U
#define LONGEST_CALL 7U /* bytes of the instruction */
/* How far after the first interrupt of a run the next ones may be. */
#define REACH        64UL

static unsigned int shots_of_a_run = WALK_SHOTS;

static int set_shots(const char *value)
{
	uint64_t shots;
	int error = value == NULL ? -EINVAL : parse_number(value, &shots);

	if (error != 0)
		return error;
	if (shots < 1 || shots > WALK_SHOTS)
		return -ERANGE;
	shots_of_a_run = (unsigned int)shots;
	return 0;
}

PARAM(step, "step", "=N: interrupts in each run of the suite step, 1..24",
      set_shots);

struct node_of_its_own {
	struct node node;
	struct page pages[FRAMES];
	struct pageblock blocks[NODE_PAGEBLOCKS(FRAMES)];

	/* The buddy as the first walk found it: each begins there. */
	struct {
		struct zone zone;
		struct page pages[FRAMES];
		struct pageblock blocks[NODE_PAGEBLOCKS(FRAMES)];
	} origin;
};

SUITE_OBJECT(struct node_of_its_own, own);

struct walked walked;

struct walk_line walk_line;

/* A call on the way: where, the stack pointer, and what it points to. */
struct call {
	unsigned long number;
	uint64_t sp;
	uint64_t back;
};

/*
 * The walk along one path; in a separate block, because a kernel with such an
 * array would not fit into 4 MB.
 */
struct walk {
	unsigned long target; /* 0: the first walk, which counts */
	unsigned long boundaries;
	unsigned long open;
	unsigned long interrupted; /* in all runs */
	unsigned int shots;        /* in this run */
	/* By number: the instruction (its address's lower half), and whether an
	 * interrupt is still to come there. */
	uint32_t rip[BOUNDARIES];
	bool due[BOUNDARIES];
	/*
	 * By number: if a function begins there, where it has returned; else 0.
	 */
	uint16_t behind[BOUNDARIES];
	/*
	 * While they are counted: the calls that have not returned, from 1 on.
	 */
	struct call call[DEPTH];
	unsigned int depth;
	uint64_t last_rip;
	uint64_t last_rsp;
	const char *failure;
};

static struct walk *walk;

_Static_assert(sizeof(struct walk) <= PAGE_SIZE << WALK_ORDER,
               "a walk has room in its block");

/* ---- The handler --------------------------------------------------------- */

static void path_walk_keep(void *exclusive)
{
	*(uint64_t *)exclusive = (uint64_t)(uintptr_t)exclusive;
	walk_line.kept[walk_line.count++] = exclusive;
}

static void path_walk_take_plain(void)
{
	unsigned long allowed = allowed_by_rules_besides_lists(RESERVE_ATOMIC);
	struct page *plain = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

	walk_line.plain[walk_line.interrupts % WALK_SHOTS] = plain;
	if (plain != NULL)
		walk_line.got++;
	else if (allowed > 0)
		walk_line.failure = test_failure(
			"NULL for GFP_ATOMIC with %lu pages free, %lu in "
			"flight",
			node_free(&own->node),
			own->node.zone[ZONE_DMA].loose_pages);
}

static void path_walk_take_exclusive(void)
{
	unsigned long parked = exclusive_pool_parked(&own->node.pool);
	void *exclusive = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (exclusive != NULL)
		path_walk_keep(exclusive);
	else if (parked == 0)
		walk_line.empty++;
	else
		walk_line.failure = test_failure(
			"NULL for an exclusive page with %lu parked, %lu in "
			"flight",
			parked, own->node.zone[ZONE_DMA].loose_pages);
}

static void path_walk_accept_all(void)
{
	void *incoming;

	while (walk_line.count < WALK_KEPT &&
	       (incoming = exclusive_accept()) != NULL)
		path_walk_keep(incoming);
}

static void path_walk_send(void)
{
	void *exclusive = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (exclusive == NULL ||
	    exclusive_transfer(exclusive, walk_line.thread->id) != 0)
		walk_line.failure = "the line cannot send a page";
}

static void path_walk_look(void)
{
	void *exclusive = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (exclusive == NULL || *(uint64_t *)exclusive != 0)
		walk_line.failure = "the line has no zeroed exclusive page";
	else if (exclusive_release(exclusive) != 0)
		walk_line.failure = "the line's page is not the line's";
	if (walk_line.failure == NULL)
		walk_line.failure = walk_line.look();
}

static void path_walk_give_back(void)
{
	path_walk_accept_all();
	while (walk_line.count > 0) {
		void *exclusive = walk_line.kept[--walk_line.count];

		if (*(uint64_t *)exclusive != (uint64_t)(uintptr_t)exclusive)
			walk_line.failure = "somebody wrote to the line's page";
		if (exclusive_release(exclusive) != 0)
			walk_line.failure = "the line's page is not the line's";
	}
	for (unsigned int i = 0; i < WALK_SHOTS; i++) {
		if (walk_line.plain[i] != NULL)
			__free_page(walk_line.plain[i]);
		walk_line.plain[i] = NULL;
	}
}

static void on_line(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	if (!in_hardirq() || current_owner() != irq_owner(LINE))
		walk_line.failure = "the handler is not run as an interrupt";
	if (walk_line.errand == ERRAND_TAKE_AND_ACCEPT)
		path_walk_accept_all();
	if (walk_line.errand == ERRAND_TAKE ||
	    walk_line.errand == ERRAND_TAKE_AND_ACCEPT) {
		path_walk_take_plain();
		path_walk_take_exclusive();
	} else if (walk_line.errand == ERRAND_LOOK) {
		path_walk_look();
	} else if (walk_line.errand == ERRAND_SEND) {
		path_walk_send();
	} else {
		path_walk_give_back();
	}
	walk_line.interrupts++;
}

void path_walk_raise(enum errand errand)
{
	walk_line.errand = errand;
	arch_raise_irq_vector(LINE);
}

/* ---- The walk ------------------------------------------------------------ */

static const char *held_lock(void)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (spin_is_mine(&own->node.zone[type].lock))
			return own->node.zone[type].lock.name;
	}
	if (spin_is_mine(&own->node.zone[ZONE_DMA].lru.lock))
		return own->node.zone[ZONE_DMA].lru.lock.name;
	return spin_is_mine(&own->node.pool.lock) ? own->node.pool.lock.name
	                                          : NULL;
}

static bool lock_is_open(const struct step_boundary *boundary)
{
	char place[64];
	const char *lock = held_lock();

	if (lock == NULL)
		return false;
	symbol_format(place, sizeof(place), boundary->frame->rip);
	walk->failure = test_failure(
		"interrupts are on while lock %s is held, at %s", lock, place);
	return true;
}

/*
 * Was the last instruction a call, that left its return address on the stack?
 */
static bool path_walk_is_called(const struct trap_frame *frame)
{
	uint64_t top = *(const uint64_t *)(uintptr_t)frame->rsp;

	return frame->rsp == walk->last_rsp - sizeof(uint64_t) &&
	       top > walk->last_rip && top <= walk->last_rip + LONGEST_CALL;
}

/* At which boundary does each function begin, and at which has it returned? */
static void note_calls(const struct step_boundary *boundary)
{
	const struct trap_frame *frame = boundary->frame;
	struct call *call = &walk->call[walk->depth];

	if (path_walk_is_called(frame) && walk->depth + 1 < DEPTH) {
		walk->depth++;
		call[1] = (struct call){
			.number = boundary->number,
			.sp = frame->rsp,
			.back = *(const uint64_t *)(uintptr_t)frame->rsp,
		};
	} else if (walk->depth > 0 && frame->rip == call->back &&
	           frame->rsp == call->sp + sizeof(uint64_t)) {
		walk->behind[call->number] = (uint16_t)boundary->number;
		walk->depth--;
	}
	walk->last_rip = frame->rip;
	walk->last_rsp = frame->rsp;
}

static enum step_action count_boundary(const struct step_boundary *boundary,
                                       void *data)
{
	uint32_t rip = (uint32_t)boundary->frame->rip;

	(void)data;
	walk->boundaries = boundary->number;
	if (boundary->number >= BOUNDARIES) {
		walk->failure = "the path is too long";
		return STEP_END;
	}
	note_calls(boundary);
	if (!boundary->open)
		return STEP_ON;
	walk->open++;
	if (lock_is_open(boundary))
		return STEP_END;
	walk->rip[boundary->number] = rip;
	walk->due[boundary->number] = true;
	return STEP_ON;
}

/* Is an interrupt due here, at this very instruction? */
static bool path_walk_is_due(const struct step_boundary *boundary)
{
	return boundary->open && boundary->number < BOUNDARIES &&
	       walk->due[boundary->number] &&
	       walk->rip[boundary->number] == (uint32_t)boundary->frame->rip;
}

/* Does a function begin here that has returned when the target is reached? */
static bool may_step_over(const struct step_boundary *boundary)
{
	return boundary->number < walk->target &&
	       walk->behind[boundary->number] != 0 &&
	       walk->behind[boundary->number] <= walk->target;
}

/* Interrupts in one run, and how far they may be from the first. */
static unsigned int most_shots(void)
{
	return walk_line.errand == ERRAND_LOOK ? BOUNDARIES : shots_of_a_run;
}

static unsigned long path_walk_reach(void)
{
	return walk_line.errand == ERRAND_LOOK ? BOUNDARIES : REACH;
}

static enum step_action shoot(const struct step_boundary *boundary, void *data)
{
	(void)data;
	if (may_step_over(boundary))
		step_over_call(boundary, walk->behind[boundary->number]);
	if (boundary->number < walk->target)
		return STEP_ON;
	if (boundary->open && lock_is_open(boundary))
		return STEP_END;
	if (walk->shots < most_shots() && path_walk_is_due(boundary)) {
		walk->due[boundary->number] = false;
		walk->shots++;
		return STEP_INTERRUPT;
	}
	if (boundary->number == walk->target && walk->shots == 0)
		walk->failure = "a path is not the same twice";
	if (walk->failure != NULL || walk->shots == most_shots() ||
	    boundary->number > walk->target + path_walk_reach())
		return STEP_END;
	return STEP_ON;
}

/* ---- Who has what -------------------------------------------------------- */

/* NULL, or why PAGE is not the plain page of OWNER. */
static const char *check_plain(const struct page *plain,
                               const struct owner *owner)
{
	if (plain == NULL)
		return NULL;
	if (plain->state != PAGE_USED || plain->refcount != 1 ||
	    plain->taker != owner->id)
		return test_failure(
			"the page of %s is %s, taken by %s", owner->name,
			page_state_name((enum page_state)plain->state),
			owner_name(plain->taker));
	return NULL;
}

/* NULL, or which of the line's exclusive pages is not OWNED by it. */
static const char *check_kept(const struct owner *owner)
{
	for (unsigned int i = 0; i < walk_line.count; i++) {
		unsigned int index = 0;
		const struct page *kept;

		window_of_address((uintptr_t)walk_line.kept[i], &index);
		kept = node_page(&own->node,
		                 window_frame(&owner->window, index));
		if (kept == NULL || kept->state != PAGE_OWNED ||
		    kept->owner != owner)
			return test_failure(
				"an exclusive page of the line is %s",
				kept == NULL
					? "gone"
					: page_state_name((enum page_state)
			                                          kept->state));
	}
	return NULL;
}

static const char *check_line(void)
{
	const struct owner *owner = irq_owner(LINE);
	const char *wrong = walk_line.failure;

	if (wrong == NULL)
		wrong = check_kept(owner);
	if (wrong != NULL)
		return wrong;
	if (owner_pages(owner) != walk_line.count)
		return test_failure("the line owns %u pages, and was given %u",
		                    owner_pages(owner), walk_line.count);
	for (unsigned int i = 0; i < WALK_SHOTS; i++) {
		const char *sentence = check_plain(walk_line.plain[i], owner);

		for (unsigned int j = 0; j < i && sentence == NULL; j++) {
			if (walk_line.plain[i] != NULL &&
			    walk_line.plain[i] == walk_line.plain[j])
				sentence = "the line was given a page twice";
		}
		if (sentence != NULL)
			return sentence;
	}
	return NULL;
}

const char *path_walk_check_plain(void)
{
	if (walked.page == NULL)
		return "the thread got NULL";
	for (unsigned int i = 0; i < WALK_SHOTS; i++) {
		if (walked.page == walk_line.plain[i])
			return "the thread and the line were given one page";
	}
	return check_plain(walked.page, walk_line.thread);
}

static const char *check_thread_owns(unsigned int expected)
{
	if (owner_pages(walk_line.thread) != expected)
		return test_failure("the thread owns %u pages, expected %u",
		                    owner_pages(walk_line.thread), expected);
	return NULL;
}

const char *path_walk_check_exclusive(void)
{
	if (walked.address == NULL)
		return "the thread got NULL";
	if (*(uint64_t *)walked.address != 0)
		return "the thread's new page is not zeroed";
	*(uint64_t *)walked.address = 1;
	return check_thread_owns(1);
}

const char *path_walk_check_nothing_owned(void)
{
	return check_thread_owns(0);
}

/* ---- One run ------------------------------------------------------------- */

/* Nothing is parked or owned.  The free lists get the order back that they had
 * before, so that the same path is walked again. */
static void begin_at_origin(void)
{
	struct zone *zone = &own->node.zone[ZONE_DMA];

	exclusive_shrink(&own->node, 0);
	if (walk->target == 0) {
		own->origin.zone = *zone;
		memcpy(own->origin.pages, own->pages, sizeof(own->pages));
		memcpy(own->origin.blocks, own->blocks, sizeof(own->blocks));
	} else {
		*zone = own->origin.zone;
		memcpy(own->pages, own->origin.pages, sizeof(own->pages));
		memcpy(own->blocks, own->origin.blocks, sizeof(own->blocks));
	}
	exclusive_refill(&own->node, WALK_PARKED);
}

static void begin_run(const struct walk_path *path)
{
	walked.page = NULL;
	walked.address = NULL;
	walked.done = 0;
	walk_line.interrupts = 0;
	walk_line.got = 0;
	walk_line.failure = NULL;
	walk->failure = NULL;
	walk->shots = 0;
	begin_at_origin();
	own->node.pool.wake_pending = false;
	own->node.pool.top = 2UL * WALK_PARKED;
	path->prepare();
	walk_line.thread->next_entry = 0;
	walk_line.errand = path->errand;
	walk_line.look = path->look;
}

/* After the stepped part: NULL, or what is wrong. */
static const char *path_walk_judge(const struct walk_path *path)
{
	const char *sentence = walk->failure;

	if (sentence == NULL)
		sentence = check_line();
	if (sentence == NULL && walk_line.interrupts != walk->shots)
		sentence = test_failure("%u interrupts came",
		                        walk_line.interrupts);
	if (sentence == NULL)
		sentence = path->check();
	return sentence;
}

/* Everything back: NULL, or what does not add up. */
static const char *path_walk_settle(const struct walk_path *path)
{
	static char text[160];
	struct page_columns total;
	const char *broken;

	path->finish();
	path_walk_raise(ERRAND_GIVE_BACK);
	if (walk_line.failure != NULL)
		return walk_line.failure;
	broken = node_check(&own->node, &total, false, text, sizeof(text));
	if (broken == NULL && (total.exclusive != 0 || total.loose != 0))
		broken = "pages are left behind";
	return broken;
}

static const char *path_walk_run_once(const struct walk_path *path,
                                      unsigned long target)
{
	unsigned long used = 0;
	const char *sentence;

	walk->target = target;
	used = own->node.zone[ZONE_DMA].used_pages;
	begin_run(path);
	step_run(path->run, NULL, LINE, target == 0 ? count_boundary : shoot,
	         NULL);
	sentence = path_walk_judge(path);
	/* After a failure nothing is certain: everything stays as it is. */
	if (sentence == NULL)
		sentence = path_walk_settle(path);
	if (sentence == NULL && own->node.zone[ZONE_DMA].used_pages != used)
		sentence = "a page is lost";
	walk->interrupted += walk->shots;
	return sentence;
}

static const char *walk_along(const struct walk_path *path)
{
	const char *sentence;

	walk_line.empty = 0;
	sentence = path_walk_run_once(path, 0);
	for (unsigned long i = 1; i < BOUNDARIES && sentence == NULL; i++) {
		if (!walk->due[i])
			continue;
		sentence = path_walk_run_once(path, i);
		if (sentence != NULL)
			test_note("step %s: at boundary %lu: %s", path->name, i,
			          sentence);
	}
	/* Those of the first kind are the same on each machine. */
	test_note("%s %s: %lu boundaries, %lu eligible, %lu interrupted, "
	          "%u found the pool empty",
	          path->errand == ERRAND_LOOK ? "map" : "step", path->name,
	          walk->boundaries, walk->open, walk->interrupted,
	          walk_line.empty);
	if (sentence == NULL && walk->open == 0)
		sentence = "no boundary was eligible";
	if (sentence == NULL && walk->interrupted != walk->open)
		sentence = "not every eligible boundary was interrupted";
	return sentence;
}

static const char *walk_path(const struct walk_path *path)
{
	struct page *memory = alloc_pages(GFP_KERNEL | __GFP_ZERO, WALK_ORDER);
	const char *sentence;

	if (memory == NULL)
		return "there is no block for the walk";
	walk = page_address(memory);
	sentence = walk_along(path);
	__free_pages(memory, WALK_ORDER);
	return sentence;
}

/* ---- Its own world ------------------------------------------------------- */

static struct page *block;
static struct node *real;
static void *split_table;
static uint16_t masked;

/* The line that nobody has, and no other. */
static void mask_real_lines(void)
{
	masked = 0;
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++) {
		if (irq_owner(irq) == NULL)
			continue;
		irq_mask(irq);
		masked |= (uint16_t)(1U << irq);
	}
}

static void unmask_real_lines(void)
{
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++) {
		if (masked >> irq & 1)
			irq_unmask(irq);
	}
}

static void path_walk_make_node(unsigned long first)
{
	struct zone *zone = &own->node.zone[ZONE_DMA];

	node_init(&own->node, own->pages, own->blocks, first, FRAMES);
	zone_add_present(zone, first, first + FRAMES);
	zone_release(zone, first, first + FRAMES);
	zone->watermark[WMARK_MIN] = 4;
	zone->watermark[WMARK_LOW] = 5;
	zone->watermark[WMARK_HIGH] = 6;
	exclusive_pool_init(&own->node, NULL, 0);
}

/*
 * The thread was made with pages of the real node, and so was its window.  It becomes an
 * owner of NODE, or of the real one again.
 */
static void move_owner(struct node *node)
{
	struct owner *owner = &current_thread()->owner;
	bool enabled;
	int error;

	owner_end(owner);
	set_main_node(node);
	exclusive_make_scrub_window(node);
	error = owner_begin(owner, OWNER_THREAD, "walker");
	kassert(error == 0);
	enabled = arch_irq_save();
	window_open(&owner->window);
	arch_irq_restore(enabled);
}

/* 128 frames below 16 MiB become a node, whose region is split. */
static bool begin_world(void)
{
	unsigned long first;

	refiller_pause(true);
	split_table = NULL;
	block = alloc_pages(GFP_KERNEL | __GFP_DMA, ORDER);
	if (block == NULL)
		return false;
	first = page_to_pfn(block);
	if (!direct_map_is_split(first)) {
		split_table = (void *)__get_free_pages(GFP_KERNEL, 0);
		if (split_table == NULL)
			return false;
		direct_map_split(first, split_table);
	}
	path_walk_make_node(first);
	real = main_node();
	move_owner(&own->node);
	mask_real_lines();
	return true;
}

/* A path that failed may have lost pages out of the direct map. */
static void path_walk_show_all(unsigned long first)
{
	for (unsigned long pfn = first; pfn < first + FRAMES; pfn++) {
		if (!direct_map_visible(pfn))
			direct_map_show(pfn);
	}
}

static void end_world(void)
{
	unmask_real_lines();
	if (block != NULL && real != NULL) {
		exclusive_shrink(&own->node, 0);
		path_walk_show_all(own->node.start_pfn);
		move_owner(real);
		window_destroy(&own->node.pool.scrub);
	}
	if (split_table != NULL) {
		direct_map_join(page_to_pfn(block));
		free_page((uintptr_t)split_table);
	}
	if (block != NULL)
		__free_pages(block, ORDER);
	block = NULL;
	real = NULL;
	refiller_pause(false);
}

struct walker {
	const struct walk_path *path;
	const char *sentence;
};

static const char *walk_in_world(const struct walk_path *path)
{
	const char *sentence;

	memset(&walk_line, 0, sizeof(walk_line));
	if (request_irq(LINE, on_line, "step", &walk_line) != 0)
		return "line 5 is taken";
	walk_line.id = irq_owner_id(LINE, &walk_line);
	walk_line.thread = current_owner();
	sentence = walk_path(path);
	if (free_irq(LINE, &walk_line) != 0)
		return "line 5 cannot be freed";
	return sentence;
}

static void walker_run(void *data)
{
	struct walker *walker = data;

	walker->sentence = "no 128 frames for a node";
	if (begin_world())
		walker->sentence = walk_in_world(walker->path);
	end_world();
}

const char *path_walk_try(const struct walk_path *path)
{
	struct walker walker = { path, "the walker did not walk" };
	struct thread *thread = thread_create("walker", walker_run, &walker);

	if (thread == NULL)
		return "no thread";
	thread_join(thread);
	return walker.sentence;
}
