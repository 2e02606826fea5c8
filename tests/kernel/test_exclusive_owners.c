/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_exclusive_owners.c -- hand-over, and the end of a thread or a line.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/no_samples.h"
#include "tests/kernel/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- Hand-over ----------------------------------------------------------- */

struct receiver {
	void *page;
	uint8_t first;
	int release;
	bool go;
	bool keep;
};

static void test_exclusive_receive(void *data)
{
	struct receiver *receiver = data;

	while (!READ_ONCE(receiver->go))
		thread_yield();
	if (receiver->keep)
		return;
	receiver->page = exclusive_accept();
	if (receiver->page == NULL)
		return;
	receiver->first = *(uint8_t *)receiver->page;
	receiver->release = exclusive_release(receiver->page);
}

CASE(exclusive, hand_over_moves_the_page_and_ends_the_senders_access)
{
	struct owner *me = current_owner();
	struct receiver receiver = { 0 };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();
	const char *sentence;

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x66, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	sentence = expect_exclusive_fault(page, false, me, me);
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), -EBUSY);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(thread)), 1);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(receiver.page != NULL && receiver.page != page);
	EXPECT_EQUAL(receiver.first, 0x66);
	EXPECT_EQUAL(receiver.release, 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	if (sentence == NULL)
		sentence = expect_exclusive_fault(page, false, me, me);
	return sentence;
}

CASE(exclusive, cancel_brings_the_page_back_to_its_address)
{
	struct receiver receiver = { 0 };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x67, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT(is_filled(page, 0x67));
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(receiver.page == NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, hand_over_to_oneself_or_to_the_dead_is_refused)
{
	struct receiver receiver = { .go = true };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();
	uint64_t number;

	EXPECT(thread != NULL && page != NULL);
	number = thread_owner_id(thread);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_transfer(page, current_owner_id()), -EINVAL);
	EXPECT_EQUAL(exclusive_transfer(page, number), -ENXIO);
	*page = 1; /* still the caller's */
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

/*
 * Thread a ends, and b is created in its place.  A page sent to a does not
 * reach b: a's number is never used again.
 */
CASE(exclusive, a_number_of_the_dead_is_refused_when_its_place_lives_again)
{
	struct receiver first = { .go = true };
	struct receiver second = { 0 };
	unsigned long samples = no_samples_begin();
	struct thread *a = thread_create("a", test_exclusive_receive, &first);
	uint8_t *page = TAKE();
	struct thread *b;
	uint64_t stale;
	int to_a_again;
	int to_b;

	EXPECT(a != NULL && page != NULL);
	stale = thread_owner_id(a);
	memset(page, 0x6a, PAGE_SIZE);
	EXPECT(thread_join(a) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	b = thread_create("b", test_exclusive_receive, &second);
	no_samples_end(samples);
	EXPECT(b == a); /* the same place */
	to_a_again = exclusive_transfer(page, stale);
	EXPECT_EQUAL(exclusive_incoming(stale), 0);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(b)), 0);
	EXPECT(is_filled(page, 0x6a));
	to_b = exclusive_transfer(page, thread_owner_id(b));
	WRITE_ONCE(second.go, true);
	EXPECT(thread_join(b) == THREAD_END_RETURNED);
	EXPECT_EQUAL(to_a_again, -ENXIO);
	EXPECT_EQUAL(to_b, 0);
	EXPECT(first.page == NULL && second.page != NULL);
	EXPECT_EQUAL(second.first, 0x6a);
	EXPECT_EQUAL(second.release, 0);
	return NULL;
}

/* ---- The end of an owner ------------------------------------------------- */

static void take_three_and_end(void *data)
{
	(void)data;
	for (int i = 0; i < 3; i++) {
		uint8_t *page = TAKE();

		if (page != NULL)
			memset(page, 0x88, PAGE_SIZE);
	}
}

CASE(exclusive, pages_of_a_dead_owner_are_scrubbed_and_parked)
{
	struct node *node = main_node();
	unsigned long taken = test_exclusive_event(VMSTAT_exclusive_take);
	struct thread *thread;
	void *page[3];
	bool clean = true;

	EXPECT(exclusive_refill(node, 3) < 4);
	thread = thread_create("mayfly", take_three_and_end, NULL);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(test_exclusive_event(VMSTAT_exclusive_take), taken + 3);
	for (int i = 0; i < 3; i++) {
		page[i] = TAKE();
		EXPECT(page[i] != NULL);
		clean = clean && is_filled(page[i], 0);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	EXPECT(clean);
	return NULL;
}

CASE(exclusive, page_on_its_way_to_a_dead_owner_goes_back)
{
	struct receiver receiver = { .keep = true };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x99, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(is_filled(page, 0x99));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static void send_and_end(void *data)
{
	const uint64_t *to = data;
	uint8_t *page = TAKE();

	if (page == NULL)
		return;
	memset(page, 0xaa, PAGE_SIZE);
	exclusive_transfer(page, *to);
}

CASE(exclusive, page_on_its_way_from_a_dead_owner_goes_on)
{
	uint64_t me = current_owner_id();
	struct thread *thread = thread_create("sender", send_and_end, &me);
	uint8_t *page;
	bool intact;

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	page = exclusive_accept();
	EXPECT(page != NULL);
	intact = is_filled(page, 0xaa);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(intact);
	return NULL;
}

struct relay {
	struct thread *receiver;
};

static void relay_to_receiver(void *data)
{
	struct relay *relay = data;
	uint8_t *page = TAKE();

	if (page != NULL)
		exclusive_transfer(page, thread_owner_id(relay->receiver));
}

CASE(exclusive, page_between_two_dead_owners_is_parked)
{
	struct receiver receiver = { .keep = true };
	struct relay relay = { .receiver = thread_create("receiver",
		                                         test_exclusive_receive,
		                                         &receiver) };
	struct thread *sender;

	EXPECT(relay.receiver != NULL);
	sender = thread_create("sender", relay_to_receiver, &relay);
	EXPECT(sender != NULL);
	EXPECT(thread_join(sender) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(relay.receiver)), 1);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(relay.receiver) == THREAD_END_RETURNED);
	return NULL; /* the balance around the case proves the rest */
}

/* ---- The end of a line: the clock's periodic interrupt, line 8 ----------- */

#define RTC_INDEX    0x70
#define RTC_DATA     0x71
#define RTC_B        0x0b
#define RTC_C        0x0c /* reading it takes the interrupt back */
#define RTC_PERIODIC 0x40

static uint8_t rtc_read(uint8_t reg)
{
	outb(reg, RTC_INDEX);
	return inb(RTC_DATA);
}

static void rtc_set_periodic(bool on)
{
	bool enabled = arch_irq_save();
	uint8_t b = rtc_read(RTC_B);

	b = on ? b | RTC_PERIODIC : b & (uint8_t)~RTC_PERIODIC;
	outb(RTC_B, RTC_INDEX);
	outb(b, RTC_DATA);
	rtc_read(RTC_C);
	arch_irq_restore(enabled);
}

struct rtc_errand {
	uint64_t receiver;
	bool taken;
	int transfer;
	bool done;
};

/* Keeps one page and hands another over. */
static void rtc_interrupt(int irq, void *dev_id)
{
	struct rtc_errand *errand = dev_id;
	uint8_t *kept;
	uint8_t *sent;

	(void)irq;
	rtc_read(RTC_C);
	if (errand->done)
		return;
	kept = TAKE();
	sent = TAKE();
	errand->taken = kept != NULL && sent != NULL;
	if (errand->taken) {
		memset(kept, 0xcc, PAGE_SIZE);
		memset(sent, 0xdd, PAGE_SIZE);
		errand->transfer = exclusive_transfer(sent, errand->receiver);
	}
	WRITE_ONCE(errand->done, true);
}

CASE(exclusive, freed_lines_pages_are_parked_and_its_hand_over_goes_on)
{
	struct rtc_errand errand = { .receiver = current_owner_id() };
	uint64_t limit = clock_microseconds() + 2000000;
	unsigned long taken = test_exclusive_event(VMSTAT_exclusive_take);
	uint8_t *page;
	bool intact;

	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	rtc_set_periodic(true);
	while (!READ_ONCE(errand.done) && clock_microseconds() < limit)
		thread_yield();
	rtc_set_periodic(false);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT(errand.done && errand.taken);
	EXPECT_EQUAL(errand.transfer, 0);
	EXPECT_EQUAL(test_exclusive_event(VMSTAT_exclusive_take), taken + 2);
	page = exclusive_accept();
	EXPECT(page != NULL);
	intact = is_filled(page, 0xdd);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(intact);
	return NULL;
}

CASE(exclusive, page_on_its_way_to_a_freed_line_goes_back)
{
	struct rtc_errand errand = { .done = true };
	uint8_t *page = TAKE();

	EXPECT(page != NULL);
	memset(page, 0xde, PAGE_SIZE);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	EXPECT_EQUAL(exclusive_transfer(page, irq_owner_id(RTC_IRQ, &errand)),
	             0);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT(is_filled(page, 0xde));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, a_number_of_a_freed_line_is_refused_when_it_is_registered_again)
{
	struct rtc_errand errand = { .done = true };
	uint8_t *page = TAKE();
	uint64_t stale;
	int again;

	EXPECT(page != NULL);
	memset(page, 0xdf, PAGE_SIZE);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	stale = irq_owner_id(RTC_IRQ, &errand);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	again = exclusive_transfer(page, stale);
	EXPECT_EQUAL(exclusive_transfer(page, irq_owner_id(RTC_IRQ, &errand)),
	             0);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT_EQUAL(again, -ENXIO);
	EXPECT(is_filled(page, 0xdf));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, a_number_that_nobody_ever_had_is_refused)
{
	uint8_t *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_transfer(page, 0), -ENXIO);
	EXPECT_EQUAL(exclusive_transfer(page, UINT64_MAX), -ENXIO);
	/* The lower half of a number is no name. */
	EXPECT_EQUAL(exclusive_transfer(page, timer_owner()->id | 1ULL << 32),
	             -ENXIO);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static void intrude_while_owning(void *data)
{
	uint8_t *mine = TAKE();

	if (mine != NULL)
		memset(mine, 0xbb, PAGE_SIZE);
	read_it(data);
}

CASE(exclusive, pages_of_an_ended_intruder_are_scrubbed_and_parked)
{
	void *page = TAKE();
	struct thread *thread;

	EXPECT(page != NULL);
	thread = thread_create("thief", intrude_while_owning, page);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_INTRUDED);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}
