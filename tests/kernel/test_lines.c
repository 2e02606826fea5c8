/* SPDX-License-Identifier: MIT */
/*
 * Five lines at the same time, each raised by its own device:
 *
 *	0	timer		a tick
 *	1	keyboard	i8042 command d2
 *	4	COM1		its transmitter is empty, and may say so
 *	8	RTC		its periodic interrupt, 1024 a second
 *	12	mouse port	i8042 command d3
 *
 * The entry stub, the dispatcher and the handlers each have a counter.  The
 * three must agree with each other and with the number of interrupts raised.
 */
#include "drivers/i8042.h"
#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/irq.h"
#include "kernel/thread.h"
#include "mm/exclusive/exclusive.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(lines);

#define TIMER_IRQ         0
#define KEYBOARD_IRQ      1
#define SERIAL_IRQ        4
#define RTC_IRQ           8
#define MOUSE_IRQ         12

#define SERIAL_IER        0x3f9
#define IER_RECEIVED      0x01
#define IER_THR_EMPTY     0x02

#define RTC_INDEX         0x70
#define RTC_DATA          0x71
#define RTC_B             0x0b
#define RTC_C             0x0c
#define RTC_B_PERIODIC    0x40
#define RTC_C_PERIODIC    0x40

#define SCAN_CODE_NOTHING 0xd9
#define SECOND            1000000ULL
#define NESTING_MAX       15 /* lines that can interrupt */
#define LEVELS            4  /* with a handler of ours; COM1 is the fifth */

/* ---- The devices --------------------------------------------------------- */

static uint8_t read_rtc(uint8_t index)
{
	outb(index, RTC_INDEX);
	return inb(RTC_DATA);
}

static void rtc_periodic(bool on)
{
	bool enabled = arch_irq_save();
	uint8_t b = read_rtc(RTC_B);

	outb(RTC_B, RTC_INDEX);
	outb(on ? b | RTC_B_PERIODIC : b & (uint8_t)~RTC_B_PERIODIC, RTC_DATA);
	/* Reading it takes the request back: the next one is an edge. */
	read_rtc(RTC_C);
	arch_irq_restore(enabled);
}

/* An empty transmitter says so when it is allowed to. */
static void serial_raise(void)
{
	outb(IER_RECEIVED, SERIAL_IER);
	outb(IER_RECEIVED | IER_THR_EMPTY, SERIAL_IER);
}

static uint64_t taken(unsigned int irq)
{
	struct irq_statistics line;

	irq_statistics(irq, &line);
	return line.taken;
}

/* Until line IRQ was taken more than BEFORE times.  False: not in a second. */
static bool wait_taken(unsigned int irq, uint64_t before)
{
	uint64_t limit = clock_microseconds() + SECOND;

	while (taken(irq) <= before) {
		if (clock_microseconds() > limit)
			return false;
		arch_relax();
	}
	return true;
}

/* ---- Nesting ------------------------------------------------------------- */

/* One level for each line; a level raises the next one's. */
static const unsigned int level_irq[LEVELS + 1] = {
	TIMER_IRQ, KEYBOARD_IRQ, MOUSE_IRQ, RTC_IRQ, SERIAL_IRQ,
};

struct tower {
	unsigned int next; /* the level that comes next */
	unsigned int done; /* levels that have ended */
	unsigned int depth[LEVELS];
	uintptr_t stack[LEVELS];
	const char *wrong;
};

static struct tower tower;

static bool raise_level(unsigned int level)
{
	switch (level_irq[level]) {
	case KEYBOARD_IRQ:
		return i8042_raise(SCAN_CODE_NOTHING) == 0;
	case MOUSE_IRQ:
		return i8042_raise_aux(0x08) == 0;
	case RTC_IRQ:
		rtc_periodic(true);
		return true;
	default:
		serial_raise();
		return true;
	}
}

/* Of all windows, LEVEL's alone is open. */
static bool only_mine_is_open(unsigned int level)
{
	for (unsigned int i = 0; i <= LEVELS; i++) {
		if (window_is_open(&irq_owner(level_irq[i])->window) !=
		    (i == level))
			return false;
	}
	return true;
}

static void expect(bool condition, const char *sentence)
{
	if (!condition && tower.wrong == NULL)
		tower.wrong = sentence;
}

/* Let the level above come, and see that everything is as before. */
static void stand_below(unsigned int level)
{
	volatile uint8_t *page =
		labyrinth_void_alloc_page_gfp_atomic_exclusive();
	unsigned int count = preempt_count();
	uint64_t before = taken(level_irq[level + 1]);

	expect(page != NULL, "no exclusive page");
	if (page != NULL)
		*page = (uint8_t)(0xa0 + level);
	expect(raise_level(level + 1), "the next line cannot be raised");
	arch_irq_enable();
	expect(wait_taken(level_irq[level + 1], before),
	       "the next line did not come");
	arch_irq_disable();
	expect(preempt_count() == count, "preempt_count has changed");
	expect(only_mine_is_open(level), "another window is open than before");
	if (page != NULL) {
		expect(*page == 0xa0 + level, "the page has changed");
		exclusive_release((void *)(uintptr_t)page);
	}
}

static void enter_level(unsigned int level)
{
	if (tower.next != level)
		return;
	tower.next = level + 1;
	tower.depth[level] = (preempt_count() & HARDIRQ_MASK) / HARDIRQ_ONE;
	tower.stack[level] = (uintptr_t)__builtin_frame_address(0);
	expect(only_mine_is_open(level), "a window beneath is open");
	stand_below(level);
	expect(tower.done == LEVELS - 1 - level, "not last in, first out");
	tower.done++;
}

static void timer_level(void *data __unused)
{
	enter_level(0);
}

static void keyboard_level(int code __unused, void *data __unused)
{
	enter_level(1);
}

static void mouse_level(int irq __unused, void *dev_id __unused)
{
	inb(I8042_DATA);
	enter_level(2);
}

static void rtc_level(int irq __unused, void *dev_id __unused)
{
	rtc_periodic(false);
	enter_level(3);
}

/* Build it: true if every level has ended within two seconds. */
static bool build_tower(void)
{
	uint64_t limit = clock_microseconds() + 2 * SECOND;

	tower = (struct tower){ 0 };
	keyboard_set_listener(keyboard_level, NULL);
	pit_set_listener(timer_level, NULL);
	while (READ_ONCE(tower.done) < LEVELS && clock_microseconds() < limit)
		arch_relax();
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
	return tower.done == LEVELS;
}

/* Lines 8 and 12 with these handlers, their devices ready. */
static bool lines_begin(irq_handler rtc, irq_handler mouse, void *data)
{
	if (request_irq(RTC_IRQ, rtc, "rtc", data) != 0)
		return false;
	if (request_irq(MOUSE_IRQ, mouse, "mouse", data) != 0) {
		free_irq(RTC_IRQ, data);
		return false;
	}
	if (i8042_enable_aux(true) == 0)
		return true;
	free_irq(RTC_IRQ, data);
	free_irq(MOUSE_IRQ, data);
	return false;
}

static bool lines_end(void *data)
{
	bool quiet;

	rtc_periodic(false);
	outb(IER_RECEIVED, SERIAL_IER);
	quiet = i8042_enable_aux(false) == 0;
	quiet = free_irq(RTC_IRQ, data) == 0 && quiet;
	return free_irq(MOUSE_IRQ, data) == 0 && quiet;
}

CASE(lines, five_lines_nest_with_one_window_open_at_a_time)
{
	struct irq_statistics serial;
	bool built;
	bool ended;

	NEEDS_I8042();
	EXPECT(lines_begin(rtc_level, mouse_level, &tower));
	built = build_tower();
	ended = lines_end(&tower);
	irq_statistics(SERIAL_IRQ, &serial);
	test_note("lines: a level of nesting takes %lu bytes of stack",
	          (unsigned long)(tower.stack[0] - tower.stack[LEVELS - 1]) /
	                  (LEVELS - 1));
	if (tower.wrong != NULL)
		return test_failure("level %u: %s", tower.next - 1,
		                    tower.wrong);
	EXPECT(built && ended);
	for (unsigned int i = 0; i < LEVELS; i++)
		EXPECT_EQUAL(tower.depth[i], i + 1);
	EXPECT(serial.depth_max >= LEVELS + 1);
	EXPECT_EQUAL(preempt_count(), 0);
	return NULL;
}

CASE(lines, the_deepest_nesting_fits_a_threads_stack)
{
	unsigned long used;
	bool built;

	NEEDS_I8042();
	EXPECT(lines_begin(rtc_level, mouse_level, &tower));
	built = build_tower();
	EXPECT(lines_end(&tower) && built);
	used = (tower.stack[0] - tower.stack[LEVELS - 1]) / (LEVELS - 1);
	EXPECT(used > 0);
	EXPECT(NESTING_MAX * used < STACK_SIZE);
	return NULL;
}

/* ---- All together -------------------------------------------------------- */

struct tally {
	uint64_t timer;
	uint64_t keyboard;
	uint64_t rtc;
	uint64_t mouse;
	uint64_t strange;    /* no byte, or another one */
	uint64_t taken_back; /* by rtc_periodic(), when it was on its way */
};

/* Everybody lets everybody else in, spurious interrupts of both chips too. */
static void let_all_in(void)
{
	arch_irq_enable();
	arch_raise_irq_vector(7);
	arch_raise_irq_vector(15);
	for (unsigned int i = 0; i < 20; i++)
		arch_relax();
	arch_irq_disable();
}

static void storm_timer(void *data)
{
	((struct tally *)data)->timer++;
	let_all_in();
}

static void storm_keyboard(int code, void *data)
{
	struct tally *tally = data;

	tally->keyboard++;
	tally->strange += code != SCAN_CODE_NOTHING;
	let_all_in();
}

static void storm_rtc(int irq __unused, void *dev_id)
{
	struct tally *tally = dev_id;

	tally->rtc++;
	tally->taken_back += !(read_rtc(RTC_C) & RTC_C_PERIODIC);
	let_all_in();
}

static void storm_mouse(int irq __unused, void *dev_id)
{
	struct tally *tally = dev_id;
	uint8_t wanted = I8042_OUTPUT_FULL | I8042_AUX;

	tally->mouse++;
	tally->strange += (inb(I8042_STATUS) & wanted) != wanted;
	tally->strange += inb(I8042_DATA) != 0x08;
	let_all_in();
}

/* The dispatcher's counters of all lines. */
static void count_lines(struct irq_statistics line[IRQ_LINES])
{
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++)
		irq_statistics(irq, &line[irq]);
}

struct raised {
	uint64_t keyboard;
	uint64_t serial;
	uint64_t mouse;
};

static void raise_all(unsigned int rounds, struct raised *raised)
{
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t before = taken(SERIAL_IRQ);

		raised->keyboard += i8042_raise(SCAN_CODE_NOTHING) == 0;
		serial_raise();
		raised->serial++;
		raised->mouse += i8042_raise_aux(0x08) == 0;
		wait_taken(SERIAL_IRQ, before);
	}
}

/* A storm of ROUNDS, and until the RTC has come COUNT times. */
static bool storm_of_all(unsigned int rounds, uint64_t count,
                         struct tally *tally, struct raised *raised)
{
	uint64_t limit;

	if (!lines_begin(storm_rtc, storm_mouse, tally))
		return false;
	keyboard_set_listener(storm_keyboard, tally);
	pit_set_listener(storm_timer, tally);
	rtc_periodic(true);
	raise_all(rounds, raised);
	limit = clock_microseconds() + 2 * SECOND;
	while ((READ_ONCE(tally->rtc) < count ||
	        READ_ONCE(tally->mouse) < raised->mouse ||
	        READ_ONCE(tally->keyboard) < raised->keyboard) &&
	       clock_microseconds() < limit)
		arch_relax();
	rtc_periodic(false);
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
	return lines_end(tally);
}

/* NULL, or the line of which an interrupt was neither handled nor spurious. */
static const char *judge_lines(const struct irq_statistics before[],
                               const struct irq_statistics after[])
{
	for (unsigned int i = 0; i < IRQ_LINES; i++) {
		uint64_t came = after[i].taken - before[i].taken;
		uint64_t known = after[i].handled - before[i].handled +
		                 after[i].spurious - before[i].spurious +
		                 after[i].unhandled - before[i].unhandled;

		if (came != known)
			return test_failure("line %u: %llu taken, %llu known",
			                    i, (unsigned long long)came,
			                    (unsigned long long)known);
		if (after[i].unhandled != before[i].unhandled)
			return test_failure("line %u: unhandled", i);
	}
	return NULL;
}

CASE(lines, storm_of_all_lines_is_counted_to_the_last_interrupt)
{
	static struct irq_statistics before[IRQ_LINES];
	static struct irq_statistics after[IRQ_LINES];
	static struct tally tally;
	struct raised raised = { 0 };
	const char *sentence;
	uint64_t handlers;
	bool ended;

	NEEDS_I8042();
	tally = (struct tally){ 0 };
	count_lines(before);
	ended = storm_of_all(200, 20, &tally, &raised);
	count_lines(after);
	sentence = judge_lines(before, after);
	handlers = tally.timer + tally.keyboard + tally.rtc + tally.mouse;
	test_note("lines: %llu timer, %llu keyboard, %llu COM1, %llu RTC, %llu "
	          "mouse",
	          (unsigned long long)tally.timer,
	          (unsigned long long)tally.keyboard,
	          (unsigned long long)(after[SERIAL_IRQ].taken -
	                               before[SERIAL_IRQ].taken),
	          (unsigned long long)tally.rtc,
	          (unsigned long long)tally.mouse);
	EXPECT(ended);
	if (sentence != NULL)
		return sentence;
	EXPECT_EQUAL(raised.keyboard, 200);
	EXPECT_EQUAL(raised.mouse, 200);
	EXPECT_EQUAL(tally.keyboard, raised.keyboard);
	EXPECT_EQUAL(tally.mouse, raised.mouse);
	EXPECT_EQUAL(tally.strange, 0);
	/* Switching on and off takes back one each at most. */
	EXPECT(tally.taken_back <= 2);
	EXPECT_EQUAL(after[KEYBOARD_IRQ].taken - before[KEYBOARD_IRQ].taken,
	             raised.keyboard);
	EXPECT_EQUAL(after[MOUSE_IRQ].taken - before[MOUSE_IRQ].taken,
	             raised.mouse);
	EXPECT_EQUAL(after[SERIAL_IRQ].taken - before[SERIAL_IRQ].taken,
	             raised.serial);
	EXPECT_EQUAL(after[RTC_IRQ].taken - before[RTC_IRQ].taken, tally.rtc);
	EXPECT(tally.timer > 0 && tally.rtc >= 20);
	EXPECT_EQUAL(after[7].spurious - before[7].spurious, handlers);
	EXPECT_EQUAL(after[15].spurious - before[15].spurious, handlers);
	return NULL;
}

/* Was an end of interrupt lost, its line, or all below it, would be dead. */
CASE(lines, every_line_still_comes_after_the_storm)
{
	static struct tally tally;
	struct raised raised = { 0 };
	uint64_t before = taken(SERIAL_IRQ);

	NEEDS_I8042();
	tally = (struct tally){ 0 };
	EXPECT(storm_of_all(1, 1, &tally, &raised));
	EXPECT_EQUAL(tally.keyboard, 1);
	EXPECT_EQUAL(tally.mouse, 1);
	EXPECT(tally.rtc >= 1);
	EXPECT_EQUAL(taken(SERIAL_IRQ) - before, 1);
	return NULL;
}

/*
 * A request that goes away between INT and its acknowledgement: line 12 is
 * raised and masked while interrupts are off.  Then the second chip has nothing
 * to say; the first one may have remembered it, which is a spurious 15, and the
 * first one does wait for its end.
 */
CASE(lines, request_withdrawn_on_its_way_blocks_nothing)
{
	static struct tally tally;
	struct irq_statistics before;
	struct irq_statistics after;
	uint64_t rtc;
	bool enabled;
	bool raised;
	bool came;

	NEEDS_I8042();
	tally = (struct tally){ 0 };
	EXPECT(lines_begin(storm_rtc, storm_mouse, &tally));
	irq_statistics(15, &before);
	enabled = arch_irq_save();
	raised = i8042_raise_aux(0x08) == 0;
	irq_mask(MOUSE_IRQ);
	arch_irq_restore(enabled);
	/* Masked, it must not come; unmasked, it does. */
	raised = raised && tally.mouse == 0;
	irq_statistics(15, &after);
	rtc = taken(RTC_IRQ);
	rtc_periodic(true);
	came = wait_taken(RTC_IRQ, rtc);
	rtc_periodic(false);
	irq_unmask(MOUSE_IRQ);
	for (uint64_t limit = clock_microseconds() + SECOND;
	     READ_ONCE(tally.mouse) == 0 && clock_microseconds() < limit;)
		arch_relax();
	EXPECT(lines_end(&tally));
	test_note("lines: %llu spurious 15",
	          (unsigned long long)(after.spurious - before.spurious));
	EXPECT(raised);
	EXPECT(came);
	EXPECT_EQUAL(tally.mouse, 1);
	EXPECT_EQUAL(after.taken - before.taken,
	             after.spurious - before.spurious);
	return NULL;
}
