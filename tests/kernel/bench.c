/* SPDX-License-Identifier: MIT */
#include "tests/kernel/bench.h"

#include "drivers/i8042.h"
#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/core/sched.h"
#include "kernel/refiller.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pcp.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "mm/watermark.h"
#include "tests/suite.h"

/* A break code that no key has. */
#define SCAN_CODE_NOTHING 0xd9
#define SECOND            1000000ULL

struct errand {
	void (*outer)(void *);
	void (*inner)(void *);
	void *data;
	bool begun;
	bool done;
};

static void run_inner(struct errand *errand)
{
	if (errand->done || !errand->begun)
		return;
	errand->inner(errand->data);
	WRITE_ONCE(errand->done, true);
}

static void timer_inner(void *data)
{
	run_inner(data);
}

static void keyboard_inner(int code, void *data)
{
	(void)code;
	run_inner(data);
}

static bool wait_done(const struct errand *errand)
{
	uint64_t limit = clock_microseconds() + SECOND;

	while (!READ_ONCE(errand->done)) {
		if (clock_microseconds() > limit)
			return false;
		arch_relax();
	}
	return true;
}

bool in_timer_interrupt(void (*function)(void *), void *data)
{
	struct errand errand = { .inner = function,
		                 .data = data,
		                 .begun = true };
	bool done;

	pit_set_listener(timer_inner, &errand);
	done = wait_done(&errand);
	pit_set_listener(NULL, NULL);
	return done;
}

bool in_keyboard_interrupt(void (*function)(void *), void *data)
{
	struct errand errand = { .inner = function,
		                 .data = data,
		                 .begun = true };
	bool done;

	keyboard_set_listener(keyboard_inner, &errand);
	done = i8042_raise(SCAN_CODE_NOTHING) == 0 && wait_done(&errand);
	keyboard_set_listener(NULL, NULL);
	return done;
}

/* Interrupts on, inside a handler, until the inner one has run. */
static void let_in(struct errand *errand)
{
	WRITE_ONCE(errand->begun, true);
	arch_irq_enable();
	wait_done(errand);
	arch_irq_disable();
}

static void timer_outer(void *data)
{
	struct errand *errand = data;

	if (errand->begun)
		return;
	errand->outer(errand->data);
	WRITE_ONCE(errand->begun, true);
	if (i8042_raise(SCAN_CODE_NOTHING) == 0)
		let_in(errand);
}

static void keyboard_outer(int code, void *data)
{
	struct errand *errand = data;

	(void)code;
	if (errand->begun)
		return;
	errand->outer(errand->data);
	let_in(errand);
}

bool keyboard_on_timer(void (*outer)(void *), void (*inner)(void *), void *data)
{
	struct errand errand = { .outer = outer, .inner = inner, .data = data };
	bool done;

	keyboard_set_listener(keyboard_inner, &errand);
	pit_set_listener(timer_outer, &errand);
	done = wait_done(&errand);
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
	return done;
}

bool timer_on_keyboard(void (*outer)(void *), void (*inner)(void *), void *data)
{
	struct errand errand = { .outer = outer, .inner = inner, .data = data };
	bool done;

	pit_set_listener(timer_inner, &errand);
	keyboard_set_listener(keyboard_outer, &errand);
	done = i8042_raise(SCAN_CODE_NOTHING) == 0 && wait_done(&errand);
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
	return done;
}

struct owner *timer_owner(void)
{
	return irq_owner(0);
}

struct owner *keyboard_owner(void)
{
	return irq_owner(1);
}

/* ---- Faults -------------------------------------------------------------- */

struct touch {
	volatile uint8_t *address;
	bool write;
	const struct owner *owner;
	const struct owner *intruder;
};

static void bench_do_touch(void *data)
{
	struct touch *touch = data;

	if (touch->write)
		*touch->address = 0x5a;
	else
		(void)*touch->address;
}

static bool match_touch(const struct fault *fault, void *data)
{
	const struct touch *touch = data;

	return fault->kind == FAULT_EXCLUSIVE &&
	       fault->address == (uintptr_t)touch->address &&
	       ((fault->frame->error & PF_WRITE) != 0) == touch->write &&
	       fault->owner == touch->owner &&
	       fault->intruder == touch->intruder;
}

const char *expect_exclusive_fault(void *address, bool write,
                                   const struct owner *owner,
                                   const struct owner *intruder)
{
	struct touch touch = { address, write, owner, intruder };
	struct fault_expect expect = { .match = match_touch, .data = &touch };

	return fault_catch(&expect, bench_do_touch, &touch)
	               ? NULL
	               : "the page could be touched: no fault came";
}

/* ---- Memory -------------------------------------------------------------- */

void drained_init(struct drained *drained)
{
	list_init(&drained->pages);
	drained->count = 0;
	drained->boost_factor = watermark_set_boost_factor(main_node(), 0);
}

void drain(struct drained *drained, gfp_t mask)
{
	struct page *page;

	for (int order = MAX_ORDER; order >= 0; order--) {
		while ((page = alloc_pages(mask, (unsigned int)order)) !=
		       NULL) {
			list_push(&drained->pages, &page->link);
			drained->count += 1UL << order;
		}
	}
}

void drained_free(struct drained *drained)
{
	struct page *page;

	while ((page = list_first(&drained->pages, struct page, link)) !=
	       NULL) {
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
	drained->count = 0;
	(void)watermark_set_boost_factor(main_node(), drained->boost_factor);
}

void set_small_marks(void)
{
	struct node *node = main_node();

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		for (unsigned int mark = 0; mark < WMARK_COUNT; mark++)
			zone->watermark[mark] = 16 + mark * 8;
		for (unsigned int i = 0; i < ZONE_COUNT; i++)
			zone->lowmem_reserve[i] = 0;
	}
}

void leave_room(struct drained *drained, unsigned long room)
{
	unsigned long given = 0;

	refiller_pause(true);
	drained_init(drained);
	drain(drained, 0);
	while (given < room && !list_empty(&drained->pages)) {
		struct page *page =
			list_first(&drained->pages, struct page, link);

		given += 1UL << page->order;
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
	pcp_drain_node(main_node());
}

void restore_room(struct drained *drained)
{
	drained_free(drained);
	watermark_setup(main_node());
	refiller_pause(false);
}

unsigned long pages_not_free(void)
{
	const struct node *node = main_node();
	unsigned long pages = 0;

	refiller_settle();
	vmalloc_purge(main_vmalloc());
	slab_shrink_node(main_node());
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];

		pages += zone_used_pages(zone) + exclusive_zone_owned(zone) +
		         zone->bad_pages + zone->loose_pages;
	}
	return pages - main_vmalloc()->tables;
}

unsigned long allowed_by_rules(enum reserve_right right)
{
	/* A page on a list has been paid for, and belongs to nobody. */
	pcp_drain_node(main_node());
	return allowed_by_rules_besides_lists(right);
}

unsigned long allowed_by_rules_besides_lists(enum reserve_right right)
{
	struct node *node = main_node();
	unsigned long allowed = 0;

	for (unsigned int type = ZONE_DMA; type <= ZONE_NORMAL; type++) {
		const struct zone *zone = &node->zone[type];
		unsigned long m = zone->watermark[WMARK_MIN];
		unsigned long half = m - m / 2;
		unsigned long leave = zone->lowmem_reserve[ZONE_NORMAL];

		/* The rules, written out once more on purpose: the test must
		 * not ask the function that it tests. */
		if (right == RESERVE_NOWAIT)
			leave += m;
		else if (right == RESERVE_HALF)
			leave += half;
		else if (right == RESERVE_ATOMIC)
			leave += half - half / 4;
		else
			leave = 0;
		if (right == RESERVE_HALF || right == RESERVE_ALL)
			leave = max(leave, zone->nr_free_highatomic);
		if (zone->free_pages > leave)
			allowed += zone->free_pages - leave;
	}
	return allowed;
}
