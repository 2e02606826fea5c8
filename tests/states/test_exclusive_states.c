/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_exclusive_states.c -- every state of a few exclusive pages
 * of two threads and an interrupt line, and every call in each.
 *
 * There are one or two CPUs, and each call is made on each: a context goes on where it
 * likes.  Callers: thread A, thread B, the line L on top of A, thread main, which owns
 * nothing, and an interrupt without an owner on top of B.  Each tries to take, accept,
 * release, transfer to each, cancel and touch, with each address that anybody
 * has or had; main refills, shrinks, ends and begins the others, and tries to
 * map, to pin and to free each frame a second time.  A refused call must leave
 * every byte of pages, zone and owners as it was.
 *
 * States.  Frames cannot be told apart, nor can the entries of a window,
 * but hand-overs can: they are accepted in the order they were sent.  So the key
 * is: how many frames are free, how many are parked on the lists of the pool and on the
 * stack of each CPU, who is alive, how many pages each
 * owns, and for each the queue of the senders of the pages on their way to
 * it, one of which may have ended.  Not in it: flags that only say whether the refiller
 * has been woken, and the former owner of a page.
 *
 * The number of states.  With F frames, the coefficient of x^F in
 *
 *	sum over k = 0..3 of  C(3,k) / ((1-x)^(k+2+c) (1-kx)^k)
 *
 * for k owners alive and c CPUs: 1/(1-x) stands for a count (free, on the lists, on each
 * stack, owned by each of k) and 1/(1-kx) for a queue, each entry of which is one of the k - 1 other
 * owners alive, or one that has ended, G.  With three frames, 13 states are
 * impossible, because the end of an owner makes G of all it has sent and empties
 * its own queue:
 *
 *	 6	both others are in a queue, and G behind them: whichever owner G was,
 *		its older entry would be G, too
 *	 6	[B G] on its way to A, and [G] to L: the first G was L, and
 *		the owner that ended after L and made the second was B, whose entry
 *		would be G, or A, whose queue would be empty (and so on for
 *		each receiver and each order)
 *	 1	[G] on its way to each of three: the last to end has no G
 */
#include "kernel/arch/arch.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(exclusive_states);

#define OWNERS      3 /* A, B and the line L */
#define LINE        2
#define MAIN        3
#define NOBODY      4
#define CALLERS     5
#define GONE        OWNERS /* a sender that has ended */
#define MOST_FRAMES 3
#define MOST_CPUS   2
#define TABLES      5 /* of the scrub window, of main, A, B and L */
#define PAGES       (MOST_FRAMES + TABLES)

/* The model, which is the key. */
struct picture {
	uint8_t free;
	uint8_t listed; /* parked, on the lists of the pool */
	uint8_t stacked[MOST_CPUS];
	uint8_t alive[OWNERS];
	uint8_t owned[OWNERS];
	uint8_t queued[OWNERS];
	uint8_t queue[OWNERS][MOST_FRAMES]; /* senders, the oldest first */
};
static_assert(sizeof(struct picture) <= KEY_SIZE, "a picture is a key");

/* An address that a caller may pass as that of a page. */
enum place {
	OWNED,    /* it is */
	SENT,     /* its sender's, who may cancel */
	NOTHING,  /* an empty entry of a window */
	DEAD,     /* of a window that is no more */
	NO_ENTRY, /* of no window */
};
struct address {
	enum place place;
	int holder; /* whose window; -1: none */
	char *at;
	int receiver; /* SENT */
	unsigned int position;
};

static struct {
	struct node *node;
	unsigned int frames;
	unsigned int cpus;
	unsigned int cpu; /* where the call is made */
	struct thread thread[2];
	struct owner line;
	char *last_base[OWNERS];           /* of the window it has or had */
	struct page *place_holder[OWNERS]; /* its table's frame, when ended */
	struct picture model;

	struct zone zone_before;
	struct list parked_before;
	struct exclusive_stack stack_before[MOST_CPUS];
	struct page page_before[PAGES];
	struct owner owner_before[OWNERS];
} x;

static struct search_model model;

static enum search_step test_exclusive_states_wrong(const char *sentence)
{
	model.wrong = sentence;
	return STEP_WRONG;
}

/* ---- The machine --------------------------------------------------------- */

static struct owner *test_exclusive_states_owner_number(int number)
{
	return number == LINE ? &x.line : &x.thread[number].owner;
}

static void test_exclusive_states_begin_owner(int number)
{
	if (number == LINE)
		machine_begin_line(&x.line, "line L");
	else
		machine_begin_thread(&x.thread[number],
		                     number == 0 ? "A" : "B");
	x.last_base[number] =
		(char *)test_exclusive_states_owner_number(number)->window.base;
}

/* Free memory is not clean: code that parks a frame must zero it. */
static void dirty_free_frames(void)
{
	for (unsigned long i = 0; i < x.node->page_count; i++) {
		const struct page *page = &x.node->pages[i];

		if (page_head(x.node, page)->state == PAGE_FREE)
			memset(machine_physical(i), 0xaa, PAGE_SIZE);
	}
}

static void test_exclusive_states_begin(void)
{
	unsigned int frames = x.frames;
	unsigned int cpus = x.cpus;

	memset(&x, 0, sizeof(x));
	x.frames = frames;
	x.cpus = cpus;
	machine_start(frames + TABLES);
	x.node = machine_one_zone(ZONE_NORMAL, frames + TABLES);
	machine_split_at_boot(0);
	machine_start_exclusive(x.node, 0);
	x.node->pool.cpus = cpus;
	x.model.free = (uint8_t)frames;
	for (int i = 0; i < OWNERS; i++) {
		test_exclusive_states_begin_owner(i);
		x.model.alive[i] = 1;
	}
	dirty_free_frames();
}

static bool is_there(int caller)
{
	return caller >= OWNERS || x.model.alive[caller];
}

/* CALLER runs: lines on top of A, interrupts of nobody on top of B. */
static void test_exclusive_states_run_as(int caller)
{
	int thread = caller == LINE ? 0 : caller == NOBODY ? 1 : caller;

	if (thread < LINE && x.model.alive[thread])
		machine_switch_to(&x.thread[thread]);
	if (caller == LINE || caller == NOBODY)
		machine_enter_irq(caller == LINE ? &x.line : NULL);
}

static void test_exclusive_states_run_as_main(int caller)
{
	if (caller == LINE || caller == NOBODY)
		machine_leave_irq();
	machine_switch_to(machine_main());
}

static void test_exclusive_states_save(void)
{
	x.zone_before = x.node->zone[ZONE_NORMAL];
	x.parked_before = x.node->pool.parked;
	memcpy(x.stack_before, x.node->pool.stack, sizeof(x.stack_before));
	memcpy(x.page_before, x.node->pages,
	       x.node->page_count * sizeof(struct page));
	for (int i = 0; i < OWNERS; i++)
		x.owner_before[i] = *test_exclusive_states_owner_number(i);
}

static bool test_exclusive_states_is_unchanged(void)
{
	for (int i = 0; i < OWNERS; i++) {
		if (memcmp(&x.owner_before[i],
		           test_exclusive_states_owner_number(i),
		           sizeof(struct owner)) != 0)
			return false;
	}
	return memcmp(&x.zone_before, &x.node->zone[ZONE_NORMAL],
	              sizeof(struct zone)) == 0 &&
	       memcmp(&x.parked_before, &x.node->pool.parked,
	              sizeof(struct list)) == 0 &&
	       memcmp(x.stack_before, x.node->pool.stack,
	              sizeof(x.stack_before)) == 0 &&
	       memcmp(x.page_before, x.node->pages,
	              x.node->page_count * sizeof(struct page)) == 0;
}

static enum search_step kept(void)
{
	return test_exclusive_states_is_unchanged()
	               ? STEP_KEPT
	               : test_exclusive_states_wrong(
				 "a refused call left traces");
}

/* ---- Contents ------------------------------------------------------------ */

static uint8_t tag(const struct page *page)
{
	return (uint8_t)(0x80 + node_pfn(x.node, page));
}

static bool frame_is(const struct page *page, uint8_t value)
{
	const uint8_t *byte = machine_physical(node_pfn(x.node, page));

	for (unsigned long i = 0; i < PAGE_SIZE; i++) {
		if (byte[i] != value)
			return false;
	}
	return true;
}

/* Parked frames are zero; the others still hold what their taker wrote. */
static const char *check_contents(void)
{
	for (unsigned long i = 0; i < x.node->page_count; i++) {
		const struct page *page = &x.node->pages[i];

		if (page->state == PAGE_PARKED && !frame_is(page, 0))
			return "a parked frame is not zero";
		if ((page->state == PAGE_OWNED ||
		     page->state == PAGE_HANDOVER) &&
		    !frame_is(page, tag(page)))
			return "an exclusive page has lost its contents";
	}
	return NULL;
}

/* ---- The picture of the real thing --------------------------------------- */

static uint8_t test_exclusive_states_number_of(const struct owner *owner)
{
	for (uint8_t i = 0; i < OWNERS; i++) {
		if (test_exclusive_states_owner_number(i) == owner)
			return i;
	}
	return GONE;
}

static void picture_of_owner(struct picture *picture, int number)
{
	const struct owner *owner = test_exclusive_states_owner_number(number);
	struct list *at;

	picture->alive[number] = owner->alive;
	if (!owner->alive)
		return;
	picture->owned[number] = (uint8_t)owner_pages(owner);
	list_for_each(at, &owner->incoming)
		picture->queue[number][picture->queued[number]++] =
			test_exclusive_states_number_of(
				container_of(at, struct page, link)->owner);
}

static void test_exclusive_states_key(struct search_key *key)
{
	struct picture picture = {
		.free = (uint8_t)node_free(x.node),
		.listed = (uint8_t)x.node->pool.count,
	};

	for (unsigned int cpu = 0; cpu < MOST_CPUS; cpu++)
		picture.stacked[cpu] = (uint8_t)x.node->pool.stack[cpu].count;
	for (int i = 0; i < OWNERS; i++)
		picture_of_owner(&picture, i);
	memcpy(key->byte, &picture, sizeof(picture));
}

static const char *test_exclusive_states_check(void)
{
	static char sentence[200];
	struct search_key now = { { 0 } };
	const char *broken =
		node_check(x.node, NULL, false, sentence, sizeof(sentence));

	if (broken != NULL)
		return broken;
	test_exclusive_states_key(&now);
	if (memcmp(now.byte, &x.model, sizeof(x.model)) != 0)
		return "the pages are elsewhere than in the model";
	return check_contents();
}

/* ---- Addresses ----------------------------------------------------------- */

static struct page *test_exclusive_states_page_at(const struct list *list,
                                                  unsigned int position)
{
	struct list *at;

	list_for_each(at, list) {
		if (position-- == 0)
			return container_of(at, struct page, link);
	}
	return NULL;
}

/* The address of page number POSITION in the window of OWNER. */
static char *test_exclusive_states_owned_at(const struct owner *owner,
                                            unsigned int position)
{
	unsigned int index = 0;

	while (window_frame(&owner->window, index) == -1UL || position-- > 0)
		index++;
	return (char *)owner->window.base + index * PAGE_SIZE;
}

static bool owned_address(int owner, unsigned int k, struct address *address)
{
	if (!x.model.alive[owner] || k >= x.model.owned[owner])
		return false;
	*address = (struct address){
		.place = OWNED,
		.holder = owner,
		.at = test_exclusive_states_owned_at(
			test_exclusive_states_owner_number(owner), k),
	};
	return true;
}

static bool sent_address(int receiver, unsigned int k, struct address *address)
{
	const struct page *page;

	if (k >= x.model.queued[receiver] || x.model.queue[receiver][k] == GONE)
		return false;
	page = test_exclusive_states_page_at(
		&test_exclusive_states_owner_number(receiver)->incoming, k);
	*address = (struct address){
		.place = SENT,
		.holder = x.model.queue[receiver][k],
		.at = (char *)page->owner->window.base +
		      page->private * PAGE_SIZE,
		.receiver = receiver,
		.position = k,
	};
	return true;
}

#define ADDRESSES (2 * OWNERS * MOST_FRAMES + OWNERS + 1)

/* Address number NUMBER in this state; false: there is none. */
static bool find_address(unsigned int number, struct address *address)
{
	const unsigned int each = OWNERS * MOST_FRAMES;
	unsigned int owner;

	if (number < each)
		return owned_address((int)(number / MOST_FRAMES),
		                     number % MOST_FRAMES, address);
	number -= each;
	if (number < each)
		return sent_address((int)(number / MOST_FRAMES),
		                    number % MOST_FRAMES, address);
	owner = number - each;
	*address = (struct address){ .place = NO_ENTRY, .holder = -1 };
	if (owner == OWNERS) {
		address->at = (char *)direct_map_base;
		return true;
	}
	address->place = x.model.alive[owner] ? NOTHING : DEAD;
	if (x.model.alive[owner])
		address->holder = (int)owner;
	address->at = x.last_base[owner] + (WINDOW_ENTRIES - 1) * PAGE_SIZE;
	return true;
}

/* The error that release and transfer must return, but for the receiver. */
static int test_exclusive_states_expected_error(int caller,
                                                const struct address *address)
{
	if (address->place == NO_ENTRY)
		return -EINVAL;
	if (address->holder != caller)
		return -EPERM;
	if (address->place == SENT)
		return -EBUSY;
	return address->place == OWNED ? 0 : -ENOENT;
}

/* ---- Calls of owners ----------------------------------------------------- */

/* The entry at POSITION leaves the queue of RECEIVER. */
static void unqueue(int receiver, unsigned int position)
{
	uint8_t *queue = x.model.queue[receiver];
	unsigned int left = --x.model.queued[receiver];

	memmove(queue + position, queue + position + 1, left - position);
	queue[left] = 0;
}

/* The frames that the CPU can reach. */
static unsigned int model_reach(void)
{
	return x.model.listed + x.model.stacked[x.cpu];
}

/* One frame less on the stack, which is filled before: of three frames, all come. */
static void model_pop(void)
{
	uint8_t *stacked = &x.model.stacked[x.cpu];

	if (*stacked == 0) {
		*stacked = x.model.listed;
		x.model.listed = 0;
	}
	--*stacked;
}

static enum search_step do_take(int caller)
{
	bool can = caller < OWNERS && model_reach() > 0;
	char *page;

	if (caller == MAIN)
		return STEP_ABSENT; /* it owns nothing here */
	test_exclusive_states_run_as(caller);
	page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	if (page != NULL && can)
		memset(page, tag(exclusive_page(page)), PAGE_SIZE);
	test_exclusive_states_run_as_main(caller);
	if ((page != NULL) != can)
		return test_exclusive_states_wrong(
			can ? "no page, though one is parked"
			    : "a page out of nowhere");
	if (page == NULL)
		return kept();
	model_pop();
	x.model.owned[caller]++;
	return STEP_MOVED;
}

static enum search_step do_accept(int caller)
{
	bool can = caller < OWNERS && x.model.queued[caller] > 0;
	const struct page *page = NULL;
	bool right = false;
	char *address;

	if (can)
		page = test_exclusive_states_page_at(
			&test_exclusive_states_owner_number(caller)->incoming,
			0);
	test_exclusive_states_run_as(caller);
	address = exclusive_accept();
	if (address != NULL && can)
		right = exclusive_page(address) == page &&
		        (uint8_t)address[0] == tag(page);
	test_exclusive_states_run_as_main(caller);
	if ((address != NULL) != can)
		return test_exclusive_states_wrong(
			"accept and the queue disagree");
	if (address == NULL)
		return kept();
	if (!right)
		return test_exclusive_states_wrong(
			"accepted another page than the oldest");
	unqueue(caller, 0);
	x.model.owned[caller]++;
	return STEP_MOVED;
}

static enum search_step do_release(int caller, const struct address *address,
                                   unsigned int offset)
{
	int expected =
		offset > 0
			? -EINVAL
			: test_exclusive_states_expected_error(caller, address);
	int error;

	test_exclusive_states_run_as(caller);
	error = exclusive_release(address->at + offset);
	test_exclusive_states_run_as_main(caller);
	if (error != expected)
		return test_exclusive_states_wrong(
			"release says something else than the model");
	if (error != 0)
		return kept();
	x.model.owned[caller]--;
	x.model.stacked[x.cpu]++;
	return STEP_MOVED;
}

/* TO OWNERS: nobody at all. */
static enum search_step do_transfer(int caller, const struct address *address,
                                    int to)
{
	int expected = test_exclusive_states_expected_error(caller, address);
	int error;

	if (expected == 0 && (to == OWNERS || !x.model.alive[to]))
		expected = -ENXIO;
	else if (expected == 0 && to == caller)
		expected = -EINVAL;
	test_exclusive_states_run_as(caller);
	error = exclusive_transfer(
		address->at,
		to == OWNERS ? 0 : test_exclusive_states_owner_number(to)->id);
	test_exclusive_states_run_as_main(caller);
	if (error != expected)
		return test_exclusive_states_wrong(
			"transfer says something else than the model");
	if (error != 0)
		return kept();
	x.model.owned[caller]--;
	x.model.queue[to][x.model.queued[to]++] = (uint8_t)caller;
	return STEP_MOVED;
}

static enum search_step do_cancel(int caller, const struct address *address)
{
	bool can = address->place == SENT && address->holder == caller;
	bool reached = true;
	int error;

	test_exclusive_states_run_as(caller);
	error = exclusive_cancel(address->at);
	if (error == 0 && can)
		reached = !machine_faults(address->at, true, NULL);
	test_exclusive_states_run_as_main(caller);
	if (error != (can ? 0 : -ENOENT))
		return test_exclusive_states_wrong(
			"cancel says something else than the model");
	if (error != 0)
		return kept();
	if (!reached)
		return test_exclusive_states_wrong(
			"a cancelled page is not where it was");
	unqueue(address->receiver, address->position);
	x.model.owned[caller]++;
	return STEP_MOVED;
}

/* Really touch it: only the owner, while it runs, may. */
static enum search_step
test_exclusive_states_do_touch(int caller, const struct address *address)
{
	bool may = address->place == OWNED && address->holder == caller;
	bool faults;

	if (address->place == NO_ENTRY)
		return STEP_ABSENT;
	test_exclusive_states_run_as(caller);
	faults = machine_faults(address->at, true, NULL);
	test_exclusive_states_run_as_main(caller);
	if (faults == may)
		return test_exclusive_states_wrong(
			may ? "the owner cannot reach its page"
			    : "a stranger can reach a page");
	return kept();
}

#define TRANSFER_TO 2 /* .. + OWNERS */
#define CANCEL      (TRANSFER_TO + OWNERS + 1)
#define TOUCH       (CANCEL + 1)
#define ON_ADDRESS  (TOUCH + 1)

static enum search_step call_on_address(int caller, unsigned int number,
                                        unsigned int what)
{
	struct address address;

	if (!find_address(number, &address))
		return STEP_ABSENT;
	if (what < TRANSFER_TO)
		return do_release(caller, &address, what);
	if (what < CANCEL)
		return do_transfer(caller, &address, (int)(what - TRANSFER_TO));
	return what == CANCEL
	               ? do_cancel(caller, &address)
	               : test_exclusive_states_do_touch(caller, &address);
}

/* ---- Calls of main ------------------------------------------------------- */

static enum search_step do_refill(unsigned int target)
{
	/* That each CPU can reach so many. */
	unsigned int least = x.model.stacked[0];
	unsigned long want;

	if (x.cpus > 1)
		least = min(least, (unsigned int)x.model.stacked[1]);
	least += x.model.listed;
	want = target > least ? target - least : 0;
	want = min(want, (unsigned long)x.model.free);
	if (exclusive_refill(x.node, target) != want)
		return test_exclusive_states_wrong(
			"the refill parked more or fewer frames");
	x.model.free -= (uint8_t)want;
	x.model.listed += (uint8_t)want;
	return want > 0 ? STEP_MOVED : kept();
}

static enum search_step do_shrink(unsigned int target)
{
	unsigned long want =
		model_reach() > target ? model_reach() - target : 0;

	if (exclusive_shrink(x.node, target) != want)
		return test_exclusive_states_wrong(
			"the pool gave back more or fewer frames");
	/* The stack is drained only if the list is not enough. */
	if (want > x.model.listed) {
		x.model.listed += x.model.stacked[x.cpu];
		x.model.stacked[x.cpu] = 0;
	}
	x.model.listed -= (uint8_t)want;
	x.model.free += (uint8_t)want;
	return want > 0 ? STEP_MOVED : kept();
}

/* Return the pages on their way to OWNER; without a living sender they are parked. */
static void model_return_all(int owner)
{
	for (unsigned int i = 0; i < x.model.queued[owner]; i++) {
		if (x.model.queue[owner][i] == GONE)
			x.model.listed++;
		else
			x.model.owned[x.model.queue[owner][i]]++;
	}
	memset(x.model.queue[owner], 0, MOST_FRAMES);
	x.model.queued[owner] = 0;
}

static void model_end(int owner)
{
	for (int i = 0; i < OWNERS; i++) {
		for (unsigned int k = 0; k < x.model.queued[i]; k++) {
			if (x.model.queue[i][k] == owner)
				x.model.queue[i][k] = GONE;
		}
	}
	model_return_all(owner);
	x.model.listed += x.model.owned[owner];
	x.model.owned[owner] = 0;
	x.model.alive[owner] = 0;
}

/* Its table's frame is held while it is ended, so that the pool does not
 * grow. */
static enum search_step do_end(int owner)
{
	if (owner == LINE)
		machine_end_line(&x.line);
	else
		machine_end_thread(&x.thread[owner]);
	model_end(owner);
	x.place_holder[owner] = alloc_pages_node(x.node, GFP_ATOMIC, 0);
	if (x.place_holder[owner] == NULL)
		return test_exclusive_states_wrong(
			"the table of a window did not come back");
	return STEP_MOVED;
}

static enum search_step do_begin(int owner)
{
	free_pages_node(x.node, x.place_holder[owner], 0, RETURN_ADDRESS());
	test_exclusive_states_begin_owner(owner);
	x.model.alive[owner] = 1;
	return STEP_MOVED;
}

static bool second_mapping_is_refused(struct page *page)
{
	unsigned long before = vmstat_read(&x.node->stat, VMSTAT_free_refused);

	free_pages_node(x.node, page, 0, RETURN_ADDRESS());
	return pin_page(page) == -EBUSY && !try_get_page(page) &&
	       page_address(page) == NULL &&
	       vmstat_read(&x.node->stat, VMSTAT_free_refused) == before + 1;
}

/* Frame PFN through the direct map, and as something that can be mapped. */
static enum search_step do_frame(unsigned long pfn)
{
	struct page *page = &x.node->pages[pfn];
	char *address = (char *)direct_map_base + pfn * PAGE_SIZE;
	bool exclusive = page_is_exclusive(page);

	if (machine_faults(address, true, NULL) != exclusive)
		return test_exclusive_states_wrong(
			exclusive ? "the direct map shows an exclusive page"
				  : "the direct map hides a common page");
	if (!exclusive)
		return kept();
	if (virt_to_page(address) != NULL || !second_mapping_is_refused(page))
		return test_exclusive_states_wrong(
			"a second mapping of an exclusive page");
	return kept();
}

/* In an NMI on top of A: nothing works, and A's window is closed. */
static enum search_step do_nmi(void)
{
	struct address mine;
	bool refused;

	if (!is_there(0) || !find_address(0, &mine))
		return STEP_ABSENT;
	test_exclusive_states_run_as(0);
	machine_enter_nmi();
	refused = labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL &&
	          exclusive_accept() == NULL &&
	          exclusive_release(mine.at) == -EPERM &&
	          exclusive_transfer(
			  mine.at, test_exclusive_states_owner_number(1)->id) ==
	                  -EPERM &&
	          exclusive_cancel(mine.at) == -EPERM &&
	          machine_faults(mine.at, false, NULL);
	machine_leave_nmi();
	test_exclusive_states_run_as_main(0);
	return refused ? kept()
	               : test_exclusive_states_wrong(
				 "something works in an NMI");
}

/* ---- All calls, by number ------------------------------------------------ */

#define TAKE_CALLS    CALLERS
#define ACCEPT_CALLS  CALLERS
#define ADDRESS_CALLS (CALLERS * ADDRESSES * ON_ADDRESS)
#define TARGETS       (MOST_FRAMES + 2)
/* On one CPU. */
#define CALLS                                                                  \
	(TAKE_CALLS + ACCEPT_CALLS + ADDRESS_CALLS + 2 * TARGETS + OWNERS +    \
	 PAGES + 1)

static enum search_step call_of_main(unsigned int call)
{
	if (call < TARGETS)
		return do_refill(call);
	call -= TARGETS;
	if (call < TARGETS)
		return do_shrink(call);
	call -= TARGETS;
	if (call < OWNERS)
		return x.model.alive[call] ? do_end((int)call)
		                           : do_begin((int)call);
	call -= OWNERS;
	if (call < PAGES)
		return call < x.node->page_count ? do_frame(call) : STEP_ABSENT;
	return do_nmi();
}

static enum search_step test_exclusive_states_call_here(unsigned int call)
{
	int caller = (int)(call % CALLERS);

	if (call >= TAKE_CALLS + ACCEPT_CALLS + ADDRESS_CALLS)
		return call_of_main(call - TAKE_CALLS - ACCEPT_CALLS -
		                    ADDRESS_CALLS);
	if (!is_there(caller))
		return STEP_ABSENT;
	if (call < TAKE_CALLS)
		return do_take(caller);
	call -= TAKE_CALLS;
	if (call < ACCEPT_CALLS)
		return do_accept(caller);
	call = (call - ACCEPT_CALLS) / CALLERS;
	return call_on_address(caller, call / ON_ADDRESS, call % ON_ADDRESS);
}

static enum search_step test_exclusive_states_call(unsigned int call)
{
	enum search_step step;

	x.cpu = call / CALLS;
	if (x.cpu >= x.cpus)
		return STEP_ABSENT;
	machine_be_cpu(x.cpu);
	step = test_exclusive_states_call_here(call % CALLS);
	machine_be_cpu(0);
	return step;
}

static void describe_of_main(unsigned int call, char *buffer, size_t size)
{
	if (call < TARGETS)
		snprintf(buffer, size, "refill to %u", call);
	else if (call < 2 * TARGETS)
		snprintf(buffer, size, "shrink to %u", call - TARGETS);
	else if (call < 2 * TARGETS + OWNERS)
		snprintf(buffer, size, "end or begin %c",
		         "ABL"[call - 2 * TARGETS]);
	else if (call < 2 * TARGETS + OWNERS + PAGES)
		snprintf(buffer, size, "map frame %u a second time",
		         call - 2 * TARGETS - OWNERS);
	else
		snprintf(buffer, size, "everything, in an NMI on top of A");
}

static void test_exclusive_states_describe(unsigned int call, char *buffer,
                                           size_t size)
{
	static const char *const callers[] = { "A", "B", "L", "main",
		                               "nobody" };
	static const char *const what[] = {
		"releases",       "releases the second byte of",
		"transfers to A", "transfers to B",
		"transfers to L", "transfers to nobody",
		"cancels",        "touches",
	};
	static const char *const places[] = { "a page of", "a page sent by",
		                              "an empty entry of",
		                              "the old window of nobody",
		                              "no entry" };
	struct address address;
	const char *caller;

	if (call >= CALLS) {
		snprintf(buffer, size, "on CPU 1: ");
		buffer += 10;
		size -= 10;
		call -= CALLS;
	}
	caller = callers[call % CALLERS];
	if (call >= TAKE_CALLS + ACCEPT_CALLS + ADDRESS_CALLS) {
		describe_of_main(call - TAKE_CALLS - ACCEPT_CALLS -
		                         ADDRESS_CALLS,
		                 buffer, size);
	} else if (call < TAKE_CALLS + ACCEPT_CALLS) {
		snprintf(buffer, size, "%s %s", caller,
		         call < TAKE_CALLS ? "takes" : "accepts");
	} else {
		call = (call - TAKE_CALLS - ACCEPT_CALLS) / CALLERS;
		if (find_address(call / ON_ADDRESS, &address))
			snprintf(buffer, size, "%s %s: %s %s", caller,
			         what[call % ON_ADDRESS], places[address.place],
			         address.holder < 0 ? ""
			                            : callers[address.holder]);
	}
}

static struct search_model model = {
	.calls = MOST_CPUS * CALLS,
	.begin = test_exclusive_states_begin,
	.call = test_exclusive_states_call,
	.key = test_exclusive_states_key,
	.check = test_exclusive_states_check,
	.save = test_exclusive_states_save,
	.describe = test_exclusive_states_describe,
};

/* ---- How many there must be ---------------------------------------------- */

/* Multiply the series by 1 / (1 - FACTOR x). */
static void series_divide(unsigned long *series, unsigned long factor)
{
	for (unsigned int i = 1; i <= MOST_FRAMES; i++)
		series[i] += factor * series[i - 1];
}

static unsigned long expected_states(unsigned int frames, unsigned int cpus)
{
	static const unsigned long choices[OWNERS + 1] = { 1, 3, 3, 1 };
	static const unsigned long impossible[MOST_FRAMES + 1] = { 0, 0, 0,
		                                                   6 + 6 + 1 };
	unsigned long states = 0;

	for (unsigned int alive = 0; alive <= OWNERS; alive++) {
		unsigned long series[MOST_FRAMES + 1] = { 1 };

		for (unsigned int i = 0; i < alive + 2 + cpus; i++)
			series_divide(series, 1);
		for (unsigned int i = 0; i < alive; i++)
			series_divide(series, alive);
		states += choices[alive] * series[frames];
	}
	return states - impossible[frames];
}

static const char *search_frames(unsigned int frames, unsigned int cpus)
{
	struct search_result result;
	const char *broken;

	x.frames = frames;
	x.cpus = cpus;
	broken = search_all(&model, expected_states(frames, cpus), &result);
	if (broken != NULL)
		return broken;
	test_exclusive_states_begin();
	test_note("%u frames, %u CPUs: %lu states, %lu calls, up to %u steps",
	          frames, cpus, result.states, result.transitions,
	          result.depth);
	EXPECT_EQUAL(result.states, expected_states(frames, cpus));
	return NULL;
}

CASE(exclusive_states, as_many_as_the_series_says)
{
	/* Without a stack. */
	EXPECT_EQUAL(expected_states(0, 0), 8);
	EXPECT_EQUAL(expected_states(1, 0), 52);
	EXPECT_EQUAL(expected_states(2, 0), 261);
	EXPECT_EQUAL(expected_states(3, 0), 1194 - 13);
	return NULL;
}

CASE(exclusive_states, every_call_in_every_state_of_1_and_2_frames)
{
	const char *broken = search_frames(1, 1);

	return broken != NULL ? broken : search_frames(2, 1);
}

CASE(exclusive_states, every_call_in_every_state_of_2_frames_and_2_cpus)
{
	const char *broken = search_frames(1, 2);

	return broken != NULL ? broken : search_frames(2, 2);
}

SUITE(exclusive_states_more);

CASE(exclusive_states_more, every_call_in_every_state_of_3_frames)
{
	return search_frames(3, 1);
}
