/* SPDX-License-Identifier: MIT */
/*
 * NMIs: which calls they are refused, and that they change nothing else.  The
 * NMIs are real: see nmi_source.h.  More may arrive from outside, so nothing
 * here relies on being alone: the handler counts its own calls.
 */
#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/paging.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/irq.h"
#include "kernel/core/nmi.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/owner.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/nmi_source.h"
#include "tests/suite.h"

SUITE(nmi);

#define TAKE() labyrinth_void_alloc_page_gfp_atomic_exclusive()

#define NEEDS_APIC()                                                           \
	do {                                                                   \
		if (!nmi_source_begin())                                       \
			SKIP("apic");                                          \
	} while (0)

#define SECOND       1000000ULL
#define CHURN_MICROS 300000ULL
#define RECEIVED     8 /* hand-overs that may wait for the thread */

/* The handler's targets, and what it saw. */
struct raid {
	struct page *page;  /* allocated, another owner's */
	void *exclusive;    /* the interrupted thread's */
	uint64_t to;        /* is alive */
	uint64_t calls;     /* of the handler */
	uint64_t entries;   /* of the allocator, by it */
	uint64_t in_locked; /* NMIs that came while a lock was held */
	uint64_t in_irq;    /* NMIs that came in an interrupt */
	const char *wrong;  /* what was not refused */
};

static void test_nmi_must(struct raid *raid, bool refused, const char *entry)
{
	raid->entries++;
	if (!refused && raid->wrong == NULL)
		raid->wrong = entry;
}

#define MUST(raid, condition) test_nmi_must(raid, condition, #condition)

static void raid_allocations(struct raid *raid)
{
	struct page *array[2] = { NULL, NULL };

	MUST(raid, alloc_pages(GFP_ATOMIC, 0) == NULL);
	MUST(raid, alloc_pages(GFP_KERNEL, 3) == NULL);
	MUST(raid, alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE) == NULL);
	MUST(raid, alloc_pages_node(main_node(), GFP_ATOMIC, 1) == NULL);
	MUST(raid, __get_free_pages(GFP_ATOMIC, 0) == 0);
	MUST(raid, get_zeroed_page(GFP_ATOMIC) == 0);
	MUST(raid, alloc_pages_exact(3 * PAGE_SIZE, GFP_ATOMIC) == NULL);
	MUST(raid, alloc_pages_bulk(GFP_ATOMIC, 2, array) == 0 &&
	                   array[0] == NULL && array[1] == NULL);
}

/* The effect of a call that returns nothing shows in the page's references. */
static void raid_frees(struct raid *raid)
{
	struct page *page = raid->page;
	uintptr_t address = (uintptr_t)page_address(page);
	int references = page_ref_count(page);

	free_pages_node(main_node(), page, 0, 0);
	MUST(raid, page_ref_count(page) == references);
	__free_pages(page, 0);
	MUST(raid, page_ref_count(page) == references);
	__free_page(page);
	MUST(raid, page_ref_count(page) == references);
	free_pages(address, 0);
	MUST(raid, page_ref_count(page) == references);
	free_page(address);
	MUST(raid, page_ref_count(page) == references);
	free_pages_exact((void *)address, PAGE_SIZE);
	MUST(raid, page_ref_count(page) == references);
	put_page(page);
	MUST(raid, page_ref_count(page) == references);
	get_page(page);
	MUST(raid, page_ref_count(page) == references);
	MUST(raid, !try_get_page(page));
	MUST(raid, pin_page(page) == -EINVAL);
}

static void raid_exclusive_pages(struct raid *raid)
{
	MUST(raid, TAKE() == NULL);
	MUST(raid, exclusive_take(main_node()) == NULL);
	MUST(raid, exclusive_release(raid->exclusive) == -EPERM);
	MUST(raid, exclusive_transfer(raid->exclusive, raid->to) == -EPERM);
	MUST(raid, exclusive_accept() == NULL);
	MUST(raid, exclusive_cancel(raid->exclusive) == -EPERM);
	MUST(raid, exclusive_page(raid->exclusive) == NULL);
}

static void raid_allocator(uintptr_t rip __unused, void *data)
{
	struct raid *raid = data;

	raid->calls++;
	raid->in_locked += (preempt_count() & PREEMPT_MASK) != 0;
	raid->in_irq += in_hardirq();
	raid_allocations(raid);
	raid_frees(raid);
	raid_exclusive_pages(raid);
}

/* Until *COUNT has reached VALUE; false: not within a second. */
static bool wait_count(const uint64_t *count, uint64_t value)
{
	uint64_t limit = clock_microseconds() + SECOND;

	while (READ_ONCE(*count) < value) {
		if (clock_microseconds() > limit)
			return false;
		arch_relax();
	}
	return true;
}

static unsigned long refused_in_nmi(void)
{
	return vmstat_read(&main_node()->stat, VMSTAT_alloc_in_nmi);
}

/* ---- One NMI ------------------------------------------------------------- */

struct seen {
	uint64_t calls;
	unsigned int count;
	bool in_nmi;
	bool enabled;
	bool may_sleep;
	const struct owner *owner;
	uintptr_t stack;
	uintptr_t rip;
};

static void see(uintptr_t rip, void *data)
{
	struct seen *seen = data;

	seen->count = preempt_count();
	seen->in_nmi = in_nmi();
	seen->enabled = arch_irq_enabled();
	seen->may_sleep = may_sleep_here();
	seen->owner = current_owner();
	seen->stack = (uintptr_t)__builtin_frame_address(0);
	seen->rip = rip;
	WRITE_ONCE(seen->calls, seen->calls + 1);
}

CASE(nmi, handler_has_its_own_stack_and_is_nobody)
{
	struct seen seen = { 0 };
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uint64_t before = nmi_count();
	bool came;

	NEEDS_APIC();
	nmi_set_handler(see, &seen);
	nmi_raise();
	came = wait_count(&seen.calls, 1);
	nmi_set_handler(NULL, NULL);
	nmi_source_end();
	EXPECT(came);
	EXPECT(seen.in_nmi && !seen.enabled && !seen.may_sleep);
	EXPECT_EQUAL(seen.count & NMI_MASK, NMI_ONE);
	EXPECT(seen.owner == NULL);
	EXPECT(seen.stack - here > STACK_SIZE &&
	       here - seen.stack > STACK_SIZE);
	EXPECT(seen.rip != 0);
	EXPECT(nmi_count() > before);
	EXPECT_EQUAL(preempt_count(), 0);
	return NULL;
}

/* The watch itself: the pin is its own here. */
CASE(nmi, ticks_bring_them_while_interrupts_are_off_and_keep_waiting)
{
	uint64_t limit = clock_microseconds() + SECOND;
	uint64_t nmis = nmi_watch_ticks();
	uint64_t ticks;
	bool enabled;

	if (!nmi_source_begin())
		SKIP("apic");
	nmi_source_end();
	enabled = arch_irq_save();
	ticks = clock_ticks();
	while (nmi_watch_ticks() < nmis + 30 && clock_microseconds() < limit)
		arch_relax();
	ticks = clock_ticks() - ticks;
	nmis = nmi_watch_ticks() - nmis;
	arch_irq_restore(enabled);
	EXPECT_EQUAL(ticks, 0);
	EXPECT(nmis >= 30);
	return NULL;
}

CASE(nmi, comes_while_interrupts_are_off)
{
	struct seen seen = { 0 };
	bool enabled;
	bool came;

	NEEDS_APIC();
	nmi_set_handler(see, &seen);
	enabled = arch_irq_save();
	nmi_raise();
	came = wait_count(&seen.calls, 1);
	arch_irq_restore(enabled);
	nmi_set_handler(NULL, NULL);
	nmi_source_end();
	EXPECT(came);
	return NULL;
}

CASE(nmi, handler_that_is_taken_away_is_not_called)
{
	struct seen seen = { 0 };
	uint64_t before;
	bool came;

	NEEDS_APIC();
	nmi_set_handler(see, &seen);
	nmi_set_handler(NULL, NULL);
	before = nmi_count();
	nmi_raise();
	for (uint64_t limit = clock_microseconds() + SECOND;
	     nmi_count() == before && clock_microseconds() < limit;)
		arch_relax();
	came = nmi_count() > before;
	nmi_source_end();
	EXPECT(came);
	EXPECT_EQUAL(seen.calls, 0);
	return NULL;
}

/* ---- The allocator ------------------------------------------------------- */

/* A page of each kind for the handler, or false. */
static bool raid_begin(struct raid *raid)
{
	*raid = (struct raid){ .page = alloc_page(GFP_KERNEL),
		               .exclusive = TAKE(),
		               .to = timer_owner()->id };
	return raid->page != NULL && raid->exclusive != NULL;
}

static void raid_end(struct raid *raid)
{
	if (raid->exclusive != NULL)
		exclusive_release(raid->exclusive);
	if (raid->page != NULL)
		__free_page(raid->page);
}

CASE(nmi, every_entry_of_the_allocator_is_closed_counted_and_silent)
{
	static struct raid raid;
	unsigned long before;
	uint64_t calls = 0;
	uint64_t mark;
	bool came;
	bool said;

	NEEDS_APIC();
	came = raid_begin(&raid);
	before = refused_in_nmi();
	mark = log_mark();
	nmi_set_handler(raid_allocator, &raid);
	for (unsigned int i = 0; i < 16 && came; i++) {
		calls = raid.calls;
		nmi_raise();
		came = wait_count(&raid.calls, calls + 1);
	}
	nmi_set_handler(NULL, NULL);
	said = log_contains_since(mark, "BUG") ||
	       log_contains_since(mark, "refused");
	nmi_source_end();
	raid_end(&raid);
	EXPECT(came);
	if (raid.wrong != NULL)
		return test_failure("not so in an NMI: %s", raid.wrong);
	EXPECT(raid.calls >= 16);
	EXPECT_EQUAL(refused_in_nmi() - before, raid.entries);
	EXPECT(!said);
	return NULL;
}

/* ---- On top of everything ------------------------------------------------ */

/*
 * A listener takes a page, an exclusive page that it releases, and one that it
 * sends to the thread; an NMI arrives in between.
 */
struct churn {
	uint64_t thread;
	uint64_t in_timer;
	uint64_t in_keyboard;
};

static void churn_in_interrupt(struct churn *churn)
{
	struct page *page = alloc_page(GFP_ATOMIC);
	void *mine = TAKE();

	nmi_raise();
	if (mine != NULL && (exclusive_incoming(churn->thread) >= RECEIVED ||
	                     exclusive_transfer(mine, churn->thread) != 0))
		exclusive_release(mine);
	if (page != NULL)
		__free_page(page);
}

static void churn_in_timer(void *data)
{
	struct churn *churn = data;

	churn->in_timer++;
	churn_in_interrupt(churn);
}

static void churn_in_keyboard(int code __unused, void *data)
{
	struct churn *churn = data;

	churn->in_keyboard++;
	churn_in_interrupt(churn);
}

static void test_nmi_accept_all(void)
{
	void *address;

	while ((address = exclusive_accept()) != NULL)
		exclusive_release(address);
}

/* Every path of the allocator once, in the thread. */
static void churn_once(unsigned int order)
{
	struct page *block = alloc_pages(GFP_KERNEL, order);
	struct page *bulk[4] = { NULL };
	void *address = TAKE();

	if (alloc_pages_bulk(GFP_KERNEL, ARRAY_SIZE(bulk), bulk) > 0) {
		for (unsigned int i = 0; i < ARRAY_SIZE(bulk); i++) {
			if (bulk[i] != NULL)
				__free_page(bulk[i]);
		}
	}
	if (address != NULL) {
		memset(address, 0xa5, 64);
		if (exclusive_transfer(address, timer_owner()->id) == 0)
			exclusive_cancel(address);
		exclusive_release(address);
	}
	test_nmi_accept_all();
	if (block != NULL)
		__free_pages(block, order);
}

static void churn_for(uint64_t micros)
{
	uint64_t limit = clock_microseconds() + micros;

	for (unsigned int i = 0; clock_microseconds() < limit; i++) {
		churn_once(i % 4);
		if (i % 16 == 0 && i8042_present())
			(void)!i8042_raise(0xd9);
		if (i % 64 == 0)
			thread_yield();
	}
}

static void churn_under_nmis(struct churn *churn, struct raid *raid)
{
	nmi_set_handler(raid_allocator, raid);
	pit_set_listener(churn_in_timer, churn);
	keyboard_set_listener(churn_in_keyboard, churn);
	nmi_on_ticks(true);
	churn_for(CHURN_MICROS);
	nmi_on_ticks(false);
	keyboard_set_listener(NULL, NULL);
	pit_set_listener(NULL, NULL);
	nmi_set_handler(NULL, NULL);
	test_nmi_accept_all();
}

CASE(nmi, a_rain_on_takes_frees_and_hand_overs_changes_nothing)
{
	static struct raid raid;
	struct churn churn = { .thread = current_owner_id() };
	unsigned long before;
	uint64_t counted;
	const char *broken;
	static char sentence[240];

	NEEDS_APIC();
	if (!raid_begin(&raid)) {
		raid_end(&raid);
		nmi_source_end();
		return "no page to begin with";
	}
	before = refused_in_nmi();
	counted = nmi_count();
	churn_under_nmis(&churn, &raid);
	counted = nmi_count() - counted;
	nmi_source_end();
	raid_end(&raid);
	broken = mm_check(sentence, sizeof(sentence));
	test_note("nmi: %llu NMIs, %llu of them with a lock held, %llu in an "
	          "interrupt; %llu timer and %llu keyboard interrupts",
	          (unsigned long long)raid.calls,
	          (unsigned long long)raid.in_locked,
	          (unsigned long long)raid.in_irq,
	          (unsigned long long)churn.in_timer,
	          (unsigned long long)churn.in_keyboard);
	if (raid.wrong != NULL)
		return test_failure("not so in an NMI: %s", raid.wrong);
	if (broken != NULL)
		return broken;
	EXPECT_EQUAL(refused_in_nmi() - before, raid.entries);
	/* Each tick brought one, each handler raised one; two may have become
	 * one where the first was still being served. */
	EXPECT(counted >= raid.calls && counted <= raid.calls + 2);
	EXPECT(raid.calls >= churn.in_timer);
	EXPECT(churn.in_timer >= 100);
	EXPECT(raid.in_locked > 0);
	EXPECT(raid.in_irq > 0);
	return NULL;
}
