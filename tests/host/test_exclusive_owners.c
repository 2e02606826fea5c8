/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_owners.c -- release, hand-over, full windows, and the end
 * of an owner.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/host/pile.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- Release ------------------------------------------------------------- */

CASE(exclusive, release_scrubs_and_parks)
{
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	memset(page, 0xee, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(all_bytes_are(eyes(pfn), 0));
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_PARKED);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_release), 1);
	return test_exclusive_check();
}

CASE(exclusive, release_above_high_parks_and_wakes_the_refiller)
{
	void *page[10];

	test_exclusive_start(8);
	for (unsigned int i = 0; i < 8; i++)
		page[i] = test_exclusive_take();
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	wakes = 0;
	EXPECT_EQUAL(exclusive_release(page[0]), 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 9);
	EXPECT_EQUAL(wakes, 1);
	EXPECT(exclusive_wants_balance(node));
	EXPECT_EQUAL(exclusive_release(page[1]), 0);
	EXPECT_EQUAL(wakes, 1);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	EXPECT(!exclusive_wants_balance(node));
	return test_exclusive_check();
}

CASE(exclusive, release_up_to_high_wakes_nobody)
{
	void *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), node->pool.high);
	EXPECT_EQUAL(wakes, 0);
	EXPECT(!exclusive_wants_balance(node));
	return test_exclusive_check();
}

CASE(exclusive, no_address_of_a_window_is_einval)
{
	uint8_t byte;
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	page = test_exclusive_take();
	pfn = frame_of(page);
	EXPECT_EQUAL(exclusive_release(page + 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page + PAGE_SIZE - 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(&byte), -EINVAL);
	EXPECT_EQUAL(exclusive_release(NULL), -EINVAL);
	EXPECT_EQUAL(
		exclusive_release((void *)(direct_map_base + pfn * PAGE_SIZE)),
		-EINVAL);
	EXPECT_EQUAL(exclusive_transfer(page + 1, timer.id), -EINVAL);
	EXPECT_EQUAL(exclusive_transfer(NULL, timer.id), -EINVAL);
	EXPECT_EQUAL(exclusive_cancel(NULL), -ENOENT);
	EXPECT(exclusive_page(page + 1) == NULL);
	EXPECT(exclusive_page(&byte) == NULL);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), 8);
	EXPECT_EQUAL(frame_of(page), pfn);
	return test_exclusive_check();
}

CASE(exclusive, release_all_releases_the_callers_pages_and_no_others)
{
	void *sent;
	void *theirs;

	test_exclusive_start(8);
	machine_enter_irq(&keyboard);
	theirs = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	machine_leave_irq();
	sent = test_exclusive_take();
	EXPECT(theirs != NULL && test_exclusive_take() != NULL &&
	       test_exclusive_take() != NULL);
	EXPECT_EQUAL(exclusive_transfer(sent, timer.id), 0);
	EXPECT_EQUAL(exclusive_release_all(), 2);
	EXPECT_EQUAL(exclusive_release_all(), 0);
	EXPECT_EQUAL(exclusive_zone_owned(zone), 2);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_refused), 0);
	machine_enter_irq(&keyboard);
	EXPECT_EQUAL(exclusive_release_all(), 1);
	machine_leave_irq();
	machine_enter_irq(&timer);
	EXPECT(exclusive_accept() != NULL);
	EXPECT_EQUAL(exclusive_release_all(), 1);
	machine_leave_irq();
	EXPECT_EQUAL(exclusive_zone_owned(zone), 0);
	return test_exclusive_check();
}

CASE(exclusive, another_owners_page_is_eperm_and_both_are_named)
{
	uint64_t mark;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	*page = 9;
	mark = log_mark();
	machine_enter_irq(&keyboard);
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT(exclusive_page(page) == NULL);
	machine_leave_irq();
	EXPECT_EQUAL(log_count_since(mark, "irq 1 keyboard"), 3);
	EXPECT_EQUAL(log_count_since(mark, "owner: main"), 3);
	EXPECT_EQUAL(*page, 9);
	return test_exclusive_check();
}

CASE(exclusive, released_twice_is_enoent)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -ENOENT);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT(exclusive_page(page) == NULL);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	return test_exclusive_check();
}

CASE(exclusive, in_an_nmi_every_call_is_refused)
{
	uint64_t mark;
	uint8_t *page;
	bool enabled;

	test_exclusive_start(8);
	page = test_exclusive_take();
	mark = log_mark();
	enabled = spin_lock_irqsave(&node->pool.lock);
	machine_enter_nmi();
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -EPERM);
	EXPECT(exclusive_accept() == NULL);
	EXPECT(exclusive_page(page) == NULL);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	EXPECT_EQUAL(log_mark(), mark);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

static void count_owner(const struct owner *owner, void *data)
{
	(void)owner;
	(*(unsigned long *)data)++;
}

CASE(exclusive, in_an_nmi_nobody_is_counted_or_visited)
{
	struct exclusive_counts counts;
	unsigned long visited = 0;
	bool enabled;

	test_exclusive_start(8);
	EXPECT(test_exclusive_take() != NULL);
	enabled = spin_lock_irqsave(&node->pool.lock);
	machine_enter_nmi();
	exclusive_counts(node, &counts);
	exclusive_visit_owners(node, count_owner, &visited);
	machine_leave_nmi();
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	EXPECT_EQUAL(counts.parked + counts.owned + counts.handover, 0);
	EXPECT_EQUAL(visited, 0);
	exclusive_counts(node, &counts);
	exclusive_visit_owners(node, count_owner, &visited);
	EXPECT_EQUAL(counts.parked, 7);
	EXPECT_EQUAL(counts.owned, 1);
	EXPECT_EQUAL(visited, 4);
	return test_exclusive_check();
}

/* ---- Hand-over ----------------------------------------------------------- */

CASE(exclusive, on_its_way_it_is_ebusy_for_the_sender)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EBUSY);
	EXPECT(exclusive_page(page) == NULL);
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&other)), 1);
	machine_switch_to(&other);
	EXPECT_EQUAL(exclusive_release(page), -EPERM);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, a_refusal_on_its_way_names_sender_and_receiver)
{
	uint64_t mark;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	mark = log_mark();
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -EBUSY);
	EXPECT_EQUAL(log_count_since(mark, "by thread main"), 2);
	EXPECT_EQUAL(log_count_since(mark, "receiver: other"), 2);
	/* The receiver cannot cancel what it is sent; nor can a stranger. */
	mark = log_mark();
	machine_switch_to(&other);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(log_count_since(mark, "by thread other"), 1);
	EXPECT_EQUAL(log_count_since(mark, "owner: main"), 1);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, accept_makes_the_receiver_the_taker)
{
	struct page *page;
	void *address;

	test_exclusive_start(8);
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE);
	EXPECT_EQUAL(page->taker, machine_main()->owner.id);
	address = exclusive_address(page);
	EXPECT_EQUAL(exclusive_transfer(address, thread_owner_id(&other)), 0);
	EXPECT_EQUAL(page->taker, machine_main()->owner.id);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() != NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(page->taker, other.owner.id);
	return test_exclusive_check();
}

CASE(exclusive, cancel_brings_it_back_to_the_same_address)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x21, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	/* The entry stays taken meanwhile. */
	EXPECT(test_exclusive_take() != page);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT(all_bytes_are(page, 0x21));
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&other)), 0);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, after_accept_the_senders_address_is_enoent)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	machine_switch_to(&other);
	EXPECT(exclusive_accept() != NULL);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), -ENOENT);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_transfer), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_accept), 1);
	return test_exclusive_check();
}

CASE(exclusive, hand_overs_are_accepted_oldest_first)
{
	uint8_t *page[4];

	test_exclusive_start(8);
	for (uint8_t i = 0; i < 4; i++) {
		page[i] = test_exclusive_take();
		*page[i] = i;
	}
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQUAL(
			exclusive_transfer(page[i], thread_owner_id(&other)),
			0);
	EXPECT_EQUAL(exclusive_cancel(page[1]), 0);
	machine_switch_to(&other);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 0);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 2);
	EXPECT_EQUAL(*(uint8_t *)exclusive_accept(), 3);
	EXPECT(exclusive_accept() == NULL);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, a_handler_hands_over_to_a_thread_and_a_thread_to_a_line)
{
	uint8_t *page;
	uint8_t *received;

	test_exclusive_start(8);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	memset(page, 0x66, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	EXPECT(machine_faults(page, false, NULL));
	machine_leave_irq();
	received = exclusive_accept();
	EXPECT(received != NULL && all_bytes_are(received, 0x66));
	EXPECT_EQUAL(exclusive_transfer(received, keyboard.id), 0);
	machine_enter_irq(&keyboard);
	page = exclusive_accept();
	EXPECT(page != NULL && all_bytes_are(page, 0x66));
	EXPECT_EQUAL(exclusive_release(page), 0);
	machine_leave_irq();
	return test_exclusive_check();
}

CASE(exclusive, to_itself_is_einval_to_the_dead_enxio_and_it_stays)
{
	struct thread dead;
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x44, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             -EINVAL);
	machine_begin_thread(&dead, "dead");
	machine_end_thread(&dead);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&dead)), -ENXIO);
	EXPECT(all_bytes_are(page, 0x44));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_number_of_the_dead_is_enxio_in_its_old_place_too)
{
	struct thread place;
	uint8_t *page;
	uint64_t stale;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x45, PAGE_SIZE);
	machine_begin_thread(&place, "first");
	stale = thread_owner_id(&place);
	machine_end_thread(&place);
	machine_begin_thread(&place, "second");
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	EXPECT(all_bytes_are(page, 0x45));
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&place)), 0);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&place)), 0);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(&place)), 1);
	EXPECT_EQUAL(exclusive_incoming(stale), 0);
	machine_end_thread(&place);
	EXPECT(all_bytes_are(page, 0x45));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

/* ---- More than 512 windows ----------------------------------------------- */

#define MANY_OWNERS 1000U

static struct owner many[MANY_OWNERS];

/* Begin owners FIRST .. FIRST + COUNT - 1 of many. */
static void begin_owners(unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		machine_begin_line(&many[i], "one of many");
}

static void end_owners_of(unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		machine_end_line(&many[i]);
}

/* Owners begin and end until the next number is ID. */
static void pass_to(uint64_t id)
{
	struct owner passing;

	do {
		machine_begin_line(&passing, "passes");
		machine_end_line(&passing);
	} while (passing.id + 1 < id);
}

CASE(exclusive, the_window_of_an_owner_is_its_number_and_a_taken_one_is_skipped)
{
	const struct owner *first = &machine_main()->owner;

	test_exclusive_start(8);
	EXPECT_EQUAL(first->id, 1);
	EXPECT_EQUAL(first->window.id, 1);
	pass_to(WINDOW_GROUP - 3);
	begin_owners(0, 3);
	EXPECT_EQUAL(many[0].window.id, WINDOW_GROUP - 3);
	EXPECT_EQUAL(many[1].window.id, WINDOW_GROUP - 2);
	/* 511 scrubs, 512 would be window 0; main, other and the lines have the
	 * next ones. */
	EXPECT_EQUAL(many[2].id, WINDOW_GROUP + 5);
	EXPECT_EQUAL(many[2].window.id, 5);
	end_owners_of(0, 3);
	return test_exclusive_check();
}

/* Does each owner have a separate window, where its address says? */
static const char *check_many(void)
{
	static bool seen[WINDOW_COUNT];

	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < MANY_OWNERS; i++) {
		unsigned int index;
		unsigned int id =
			window_of_address(many[i].window.base, &index);

		EXPECT_EQUAL(id, many[i].window.id);
		EXPECT(id != 0 && !seen[id]);
		seen[id] = true;
	}
	EXPECT(!seen[machine_main()->owner.window.id]);
	EXPECT(!seen[other.owner.window.id]);
	return NULL;
}

/* Each of many gets a page by its number, and only that one; or why not. */
static const char *hand_to_many(void)
{
	for (unsigned int i = 0; i < MANY_OWNERS; i++) {
		void *page = test_exclusive_take();

		EXPECT(page != NULL);
		EXPECT_EQUAL(exclusive_transfer(page, many[i].id), 0);
		EXPECT_EQUAL(many[i].incoming_count, 1);
		EXPECT_EQUAL(exclusive_incoming(many[i].id), 1);
		EXPECT_EQUAL(exclusive_cancel(page), 0);
		EXPECT_EQUAL(exclusive_release(page), 0);
	}
	return NULL;
}

CASE(exclusive, a_thousand_owners_have_a_window_each_and_give_them_back)
{
	const char *broken;
	unsigned long used;

	test_exclusive_start(8);
	used = zone->used_pages;
	begin_owners(0, MANY_OWNERS);
	broken = check_many();
	if (broken == NULL)
		broken = hand_to_many();
	if (broken == NULL)
		broken = test_exclusive_check();
	/* Three groups more: a directory and the owners. */
	EXPECT_EQUAL(node->pool.groups, 4);
	EXPECT_EQUAL(node->pool.group_pages, 6);
	EXPECT_EQUAL(zone->used_pages, used + MANY_OWNERS + 6);
	end_owners_of(0, MANY_OWNERS);
	EXPECT_EQUAL(zone->used_pages, used + 6);
	return broken != NULL ? broken : test_exclusive_check();
}

CASE(exclusive, owners_are_found_by_number_before_and_after_windows_are_added)
{
	const char *broken;
	uint64_t last;

	test_exclusive_start(8);
	begin_owners(0, 250);
	EXPECT_EQUAL(node->pool.groups, 1);
	/* A number above 512 with a window below, and then more windows. */
	pass_to(WINDOW_GROUP + 100);
	machine_end_line(&many[249]);
	pass_to(WINDOW_GROUP + 255);
	begin_owners(249, 3);
	EXPECT(many[249].id > WINDOW_GROUP);
	EXPECT(many[249].window.id < WINDOW_GROUP);
	begin_owners(252, MANY_OWNERS - 252);
	EXPECT_EQUAL(node->pool.groups, 4);
	broken = check_many();
	if (broken == NULL)
		broken = hand_to_many();
	last = many[249].id;
	end_owners_of(0, MANY_OWNERS);
	EXPECT_EQUAL(exclusive_incoming(last), 0);
	return broken != NULL ? broken : test_exclusive_check();
}

CASE(exclusive,
     without_memory_for_more_windows_the_owner_gets_one_that_there_is)
{
	unsigned long least;

	test_exclusive_start(8);
	least = zone->watermark[WMARK_MIN];
	/* Half of them, with main, other, and the lines. */
	begin_owners(0, WINDOW_GROUP / 2 - 4);
	EXPECT_EQUAL(node->pool.groups, 1);
	/* One page for a table, and none for a directory. */
	pile_leave(&pile, least + 1);
	begin_owners(WINDOW_GROUP / 2 - 4, 1);
	EXPECT_EQUAL(node->pool.groups, 1);
	EXPECT_EQUAL(node->pool.group_pages, 0);
	EXPECT_EQUAL(node_free(node), least);
	pile_give(&pile, PILE_PAGES);
	begin_owners(WINDOW_GROUP / 2 - 3, 1);
	EXPECT_EQUAL(node->pool.groups, 2);
	end_owners_of(0, WINDOW_GROUP / 2 - 2);
	return test_exclusive_check();
}

static bool no_window_left(unsigned int begun)
{
	struct owner line;

	pile_leave(&pile, zone->watermark[WMARK_MIN] + 1);
	if (owner_begin(&line, OWNER_IRQ, "one too many") == -ENOMEM)
		return true;
	end_owners_of(0, begun);
	return false;
}

CASE(exclusive, an_owner_without_a_window_is_enomem_and_the_others_keep_theirs)
{
	/* Of 512 windows eight are kept; four owners were there. */
	const unsigned int most = WINDOW_GROUP - WINDOWS_KEPT - 4;

	test_exclusive_start(8);
	for (unsigned int i = 0; i < most; i++) {
		pile_leave(&pile, zone->watermark[WMARK_MIN] + 1);
		begin_owners(i, 1);
	}
	EXPECT_EQUAL(node->pool.groups, 1);
	EXPECT(no_window_left(most));
	pile_give(&pile, PILE_PAGES);
	begin_owners(most, 1);
	EXPECT_EQUAL(node->pool.groups, 2);
	end_owners_of(0, most + 1);
	return test_exclusive_check();
}

CASE(exclusive, nobody_is_killed_for_the_table_of_a_window)
{
	struct owner line;
	gfp_t gfp;

	test_exclusive_start(8);
	machine_begin_line(&line, "irq 9 modest");
	gfp = virt_to_page(line.window.table)->gfp;
	machine_end_line(&line);
	EXPECT_EQUAL(gfp, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_ZERO);
	return test_exclusive_check();
}

/* ---- A full window ------------------------------------------------------- */

CASE(exclusive, a_full_window_gives_null_and_its_own_counter)
{
	test_exclusive_start(520);
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_ENTRIES);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_window_full), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_empty), 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	machine_switch_to(&other);
	EXPECT(test_exclusive_take() != NULL);
	machine_switch_to(machine_main());
	return test_exclusive_check();
}

CASE(exclusive, accept_into_a_full_window_leaves_it_on_its_way)
{
	void *page;

	test_exclusive_start(520);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	machine_leave_irq();
	EXPECT_EQUAL(test_exclusive_take_all(), WINDOW_ENTRIES);
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(machine_main())), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_window_full), 2);
	page = (void *)machine_main()->owner.window.base;
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(exclusive_accept() == page);
	return test_exclusive_check();
}

/* ---- The end of an owner ------------------------------------------------- */

CASE(exclusive, the_end_of_an_owner_scrubs_and_parks_what_it_owned)
{
	unsigned long pfn[3];

	test_exclusive_start(8);
	machine_switch_to(&other);
	for (unsigned int i = 0; i < 3; i++) {
		uint8_t *page = test_exclusive_take();

		memset(page, 0xd0, PAGE_SIZE);
		pfn[i] = frame_of(page);
	}
	machine_switch_to(machine_main());
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 5);
	machine_end_thread(&other);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 8);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQUAL(node_page(node, pfn[i])->state, PAGE_PARKED);
		EXPECT(all_bytes_are(eyes(pfn[i]), 0));
	}
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_the_receiver_sends_it_back)
{
	uint8_t *page;

	test_exclusive_start(8);
	page = test_exclusive_take();
	memset(page, 0x31, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(&other)), 0);
	machine_end_thread(&other);
	EXPECT(all_bytes_are(page, 0x31));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_the_sender_lets_it_go_on)
{
	uint8_t *page;
	uint8_t *received;

	test_exclusive_start(8);
	machine_enter_irq(&timer);
	page = test_exclusive_take();
	memset(page, 0x32, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(machine_main())),
	             0);
	machine_leave_irq();
	machine_end_line(&timer);
	EXPECT(test_exclusive_check() == NULL);
	received = exclusive_accept();
	EXPECT(received != NULL && all_bytes_are(received, 0x32));
	EXPECT_EQUAL(exclusive_release(received), 0);
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_both_scrubs_and_parks_it)
{
	uint8_t *page;
	unsigned long pfn;

	test_exclusive_start(8);
	machine_switch_to(&other);
	page = test_exclusive_take();
	pfn = frame_of(page);
	memset(page, 0x33, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, timer.id), 0);
	machine_switch_to(machine_main());
	machine_end_thread(&other);
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_HANDOVER);
	machine_end_line(&timer);
	EXPECT_EQUAL(node_page(node, pfn)->state, PAGE_PARKED);
	EXPECT(all_bytes_are(eyes(pfn), 0));
	return test_exclusive_check();
}

CASE(exclusive, the_end_of_an_owner_gives_its_window_table_back)
{
	unsigned long used;
	struct thread thread;

	test_exclusive_start(8);
	used = zone->used_pages;
	machine_begin_thread(&thread, "short");
	EXPECT_EQUAL(zone->used_pages, used + 1);
	machine_end_thread(&thread);
	EXPECT_EQUAL(zone->used_pages, used);
	return test_exclusive_check();
}

CASE(exclusive, an_owner_without_memory_for_its_window_is_enomem)
{
	struct owner line;
	int error;

	test_exclusive_start(8);
	pile_leave(&pile, 16);
	error = owner_begin(&line, OWNER_IRQ, "irq 9 poor");
	EXPECT_EQUAL(error, -ENOMEM);
	EXPECT_EQUAL(node_free(node), 16);
	pile_give(&pile, PILE_PAGES);
	return test_exclusive_check();
}
