/* SPDX-License-Identifier: MIT */
/*
 * How long interrupts stay off, in instructions: so these cases need a machine
 * that counts them (QEMU with -icount, Bochs), and there they are exact.
 */
#include "drivers/i8042.h"
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/block/block.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/nmi.h"
#include "kernel/core/printk.h"
#include "kernel/core/semaphore.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/work.h"
#include "kernel/demo/crowd.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mm/contig/page_isolation.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/slab/mempool.h"
#include "mm/swap/swap.h"
#include "mm/user/filemap.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/nmi_source.h"
#include "tests/suite.h"

SUITE(irqsoff);

/*
 * The bound that docs/07-interrupts.md promises: the tick, with a switch of
 * threads.  The checked build also checks each addition and each pointer.
 */
#ifdef CHECKED
#define BOUND 10000ULL
#else
#define BOUND 5000ULL
#endif

/* NULL, or where interrupts were off for more than MOST instructions since
 * irqsoff_forget_recent(). */
static const char *at_most(uint64_t most)
{
	struct irqsoff_stretch recent = irqsoff_recent();
	uint64_t length = recent.ticks / irqsoff_ticks_per_instruction();

	if (length > most)
		return test_failure("%llu instructions, at %#lx",
		                    (unsigned long long)length,
		                    (unsigned long)recent.place - 1);
	return NULL;
}

static void spend(unsigned int rounds)
{
	__asm__ volatile("1:\n\t"
	                 "dec %0\n\t"
	                 "jnz 1b"
	                 : "+r"(rounds)
	                 :
	                 : "cc");
}

/* 8,000 instructions, of which a place is known; a shorter stretch, and one of a
 * suite itself, change nothing. */
static void measure_8000(void)
{
	bool enabled;

	irqsoff_forget_recent();
	enabled = arch_irq_save();
	spend(4000);
	irqsoff_set_place((uintptr_t)memcpy);
	arch_irq_restore(enabled);
	enabled = arch_irq_save();
	spend(1000);
	irqsoff_set_place((uintptr_t)memset);
	arch_irq_restore(enabled);
	enabled = arch_irq_save();
	spend(100000);
	arch_irq_restore(enabled);
}

CASE(irqsoff, the_longest_stretch_is_measured_to_a_few_instructions)
{
	uint64_t length = UINT64_MAX;

	NEEDS_COUNT();
	/* An interrupt meanwhile may last longer, in the checked build, and the
	 * way into an NMI and out counts. */
	for (unsigned int i = 0; i < 20; i++) {
		measure_8000();
		if (irqsoff_recent().place == (uintptr_t)memcpy)
			length = min(length,
			             irqsoff_recent().ticks /
			                     irqsoff_ticks_per_instruction());
	}
	if (length < 8000 || length >= 8200)
		return test_failure("%llu instructions, at %p",
		                    (unsigned long long)length,
		                    (void *)irqsoff_recent().place);
	EXPECT(irqsoff_longest(0).ticks >= irqsoff_recent().ticks);
	return NULL;
}

/* Instructions of a stretch in which an NMI is raised, or none; the least of some. */
static uint64_t stretch_with_nmi(bool raised)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 20; i++) {
		bool enabled;

		irqsoff_forget_recent();
		enabled = arch_irq_save();
		spend(4000);
		if (raised)
			nmi_raise();
		spend(1000);
		irqsoff_set_place((uintptr_t)memcpy);
		arch_irq_restore(enabled);
		if (irqsoff_recent().place == (uintptr_t)memcpy)
			least = min(least, irqsoff_recent().ticks);
	}
	irqsoff_forget((uintptr_t)memcpy);
	return least / irqsoff_ticks_per_instruction();
}

static void count_call(uintptr_t rip __unused, void *calls)
{
	++*(uint64_t *)calls;
	spend(2000);
}

CASE(irqsoff, an_nmi_is_no_part_of_the_stretch_that_it_interrupts)
{
	uint64_t calls = 0;
	uint64_t without;
	uint64_t with;

	NEEDS_COUNT();
	if (!nmi_source_begin())
		SKIP("apic");
	nmi_set_handler(count_call, &calls);
	without = stretch_with_nmi(false);
	with = stretch_with_nmi(true);
	nmi_set_handler(NULL, NULL);
	nmi_source_end();
	EXPECT(calls >= 20);
	/* Raising it is part of the stretch. */
	if (without < 10000 || with < without || with - without > BOUND / 50)
		return test_failure("%llu instructions, %llu with an NMI",
		                    (unsigned long long)without,
		                    (unsigned long long)with);
	return NULL;
}

CASE(irqsoff, the_longest_stretches_are_of_different_places_and_sorted)
{
	struct irqsoff_stretch longest[IRQSOFF_PLACES];

	for (unsigned int i = 0; i < IRQSOFF_PLACES; i++)
		longest[i] = irqsoff_longest(i);
	EXPECT(longest[0].ticks > 0);
	for (unsigned int i = 1; i < IRQSOFF_PLACES; i++) {
		EXPECT(longest[i].ticks <= longest[i - 1].ticks);
		for (unsigned int before = 0; before < i; before++)
			EXPECT(longest[i].ticks == 0 ||
			       longest[i].place != longest[before].place);
	}
	EXPECT_EQUAL(irqsoff_longest(IRQSOFF_PLACES).ticks, 0);
	return NULL;
}

/* Like the 8,000 of memcpy above: once in the table, and then forgotten. */
CASE(irqsoff, a_place_is_among_the_longest_once_until_it_is_forgotten)
{
	unsigned int found[2] = { 0, 0 };

	NEEDS_COUNT();
	for (unsigned int i = 0; i < 3; i++) {
		bool enabled = arch_irq_save();

		spend(20000 + 1000 * i);
		irqsoff_set_place((uintptr_t)memcpy);
		arch_irq_restore(enabled);
	}
	for (unsigned int i = 0; i < IRQSOFF_PLACES; i++)
		found[0] += irqsoff_longest(i).place == (uintptr_t)memcpy;
	irqsoff_forget((uintptr_t)memcpy);
	irqsoff_forget((uintptr_t)memset);
	for (unsigned int i = 0; i < IRQSOFF_PLACES; i++)
		found[1] += irqsoff_longest(i).place == (uintptr_t)memcpy;
	EXPECT_EQUAL(found[0], 1);
	EXPECT_EQUAL(found[1], 0);
	return NULL;
}

CASE(irqsoff, a_discarded_stretch_does_not_count)
{
	bool enabled;

	NEEDS_COUNT();
	irqsoff_forget_recent();
	enabled = arch_irq_save();
	spend(400000);
	irqsoff_set_place((uintptr_t)memcpy);
	irqsoff_discard();
	arch_irq_restore(enabled);
	arch_irq_restore(arch_irq_save());
	return at_most(100000);
}

static void spend_in_handler(void *data)
{
	(void)data;
	spend(4000);
	irqsoff_set_place((uintptr_t)memcpy);
}

CASE(irqsoff, a_handlers_time_counts_from_the_door_to_the_way_out)
{
	struct irqsoff_stretch recent;

	NEEDS_COUNT();
	irqsoff_forget_recent();
	pit_set_listener(spend_in_handler, NULL);
	for (uint64_t tick = clock_ticks() + 2; clock_ticks() < tick;)
		arch_relax();
	pit_set_listener(NULL, NULL);
	recent = irqsoff_recent();
	irqsoff_forget((uintptr_t)memcpy);
	EXPECT(recent.ticks / irqsoff_ticks_per_instruction() >= 8000);
	return NULL;
}

/* Pages of the largest bulk request here. */
#define BULK_MOST 65536UL

static void bulk_free(struct page **array, unsigned long entries)
{
	for (unsigned long i = 0; i < entries; i++) {
		if (array[i] != NULL)
			__free_page(array[i]);
	}
}

/* All pages of a bulk request are of one zone. */
static unsigned long largest_zone_free(void)
{
	const struct node *node = main_node();
	unsigned long most = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		most = max(most, READ_ONCE(node->zone[type].free_pages));
	return most;
}

CASE(irqsoff, a_bulk_request_of_65536_entries_lets_every_tick_in)
{
	const unsigned int order = 7; /* 65536 pointers */
	struct page **array = (struct page **)__get_free_pages(
		GFP_KERNEL | __GFP_ZERO, order);
	unsigned long entries = BULK_MOST;
	unsigned long wanted = largest_zone_free() / 2;
	const char *wrong;
	unsigned long got;
	uint64_t ticks;
	uint64_t begin;

	NEEDS_COUNT();
	EXPECT(array != NULL);
	entries = min(entries, wanted);
	irqsoff_forget_recent();
	begin = clock_microseconds();
	ticks = clock_ticks();
	got = alloc_pages_bulk(GFP_KERNEL, entries, array);
	ticks = clock_ticks() - ticks;
	begin = clock_microseconds() - begin;
	wrong = at_most(BOUND);
	bulk_free(array, entries);
	free_pages((uintptr_t)array, order);
	EXPECT_EQUAL(got, entries);
	EXPECT(ticks + 1 >= begin * clock_hz() / 1000000);
	return wrong;
}

CASE(irqsoff, pages_of_all_small_orders_come_and_go_within_the_bound)
{
	NEEDS_COUNT();
	irqsoff_forget_recent();
	for (unsigned int order = 0; order <= 3; order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		EXPECT(page != NULL);
		__free_pages(page, order);
	}
	return at_most(BOUND);
}

/* ---- Reclaim, files and swap: however long a list, a hole or an area is ---- */

#define MANY_PAGES 128U

static struct page *many[MANY_PAGES];

static bool many_begin(void)
{
	for (unsigned int i = 0; i < MANY_PAGES; i++) {
		many[i] = alloc_page(GFP_KERNEL);
		if (many[i] == NULL)
			return false;
		page_set(many[i], PG_swapbacked);
		lru_add(main_node(), many[i]);
	}
	return true;
}

static void many_end(void)
{
	for (unsigned int i = 0; i < MANY_PAGES; i++) {
		lru_remove(main_node(), many[i]);
		page_clear(many[i], PG_swapbacked);
		__free_page(many[i]);
	}
}

CASE(irqsoff, any_number_of_pages_is_isolated_within_the_bound)
{
	struct node *node = main_node();
	struct list taken = LIST_INIT(taken);
	struct zone *zone;
	struct page *page;

	NEEDS_COUNT();
	EXPECT(many_begin());
	zone = page_zone(node, many[0]);
	irqsoff_forget_recent();
	EXPECT(lru_isolate(zone, LRU_INACTIVE_ANON, MANY_PAGES, &taken) >=
	       MANY_PAGES / 2);
	while ((page = list_first(&taken, struct page, link)) != NULL) {
		list_remove(&page->link);
		lru_putback(zone, page, LRU_ANON, true);
		reclaim_put_page(node, page);
	}
	many_end();
	return at_most(BOUND);
}

CASE(irqsoff, a_page_behind_a_large_hole_is_found_within_the_bound)
{
	static const struct address_space_ops ops = { .name = "hole" };
	struct filemap map;
	struct page *page;

	NEEDS_COUNT();
	filemap_init(&map, &ops, NULL);
	EXPECT_EQUAL(filemap_grab(&map, 0, GFP_KERNEL, &page), 0);
	unlock_page(page);
	put_page(page);
	/* Three levels of nodes, each with 510 empty entries between these. */
	EXPECT_EQUAL(filemap_grab(&map, (1UL << 27) - 1, GFP_KERNEL, &page), 0);
	unlock_page(page);
	put_page(page);
	irqsoff_forget_recent();
	EXPECT_EQUAL(filemap_writeback(&map), 0);
	filemap_cut(&map, 0);
	EXPECT_EQUAL(map.space.nrpages, 0);
	return at_most(BOUND);
}

#define SWAP_TEST_CLUSTERS 16UL

/* Slots with one reference and no page.  The last of cluster 0 is free, and the
 * search begins in cluster 1, behind its first slots: two clusters are searched. */
static const char *fill_swap(unsigned int type, struct page *page)
{
	for (unsigned long i = 1; i < SWAP_TEST_CLUSTERS * SWAP_CLUSTER; i++) {
		swp_entry_t entry = swap_slot_alloc(page);

		EXPECT(entry.value != 0 && swp_type(entry) == type);
		EXPECT_EQUAL(swap_duplicate(entry), 0);
		swap_cache_remove(page);
	}
	/* From the next slot of cluster 1 on there is none. */
	swap_free(swp_entry(type, SWAP_CLUSTER + 1));
	EXPECT_EQUAL(swp_offset(swap_slot_alloc(page)), SWAP_CLUSTER + 1);
	EXPECT_EQUAL(swap_duplicate(swp_entry(type, SWAP_CLUSTER + 1)), 0);
	swap_cache_remove(page);
	swap_free(swp_entry(type, SWAP_CLUSTER - 1));
	return NULL;
}

static const char *use_full_swap(unsigned int type, struct page *page)
{
	const char *wrong = fill_swap(type, page);

	if (wrong != NULL)
		return wrong;
	irqsoff_forget_recent();
	EXPECT_EQUAL(swp_offset(swap_slot_alloc(page)), SWAP_CLUSTER - 1);
	swap_cache_remove(page);
	wrong = at_most(BOUND);
	for (unsigned long i = 1; i < SWAP_TEST_CLUSTERS * SWAP_CLUSTER; i++) {
		if (i != SWAP_CLUSTER - 1)
			swap_free(swp_entry(type, i));
	}
	return wrong;
}

CASE(irqsoff, a_slot_of_a_swap_area_that_is_full_is_found_within_the_bound)
{
	struct swap_cluster **clusters =
		(struct swap_cluster **)get_zeroed_page(GFP_KERNEL);
	struct swap_header header = { .slots = SWAP_TEST_CLUSTERS *
		                               SWAP_CLUSTER };
	struct swap_device device = { .name = "nothing" };
	struct page *page = alloc_page(GFP_KERNEL);
	const char *wrong;
	int type;

	NEEDS_COUNT();
	EXPECT(clusters != NULL && page != NULL);
	for (unsigned long i = 0; i < SWAP_TEST_CLUSTERS; i++) {
		clusters[i] =
			(struct swap_cluster *)get_zeroed_page(GFP_KERNEL);
		EXPECT(clusters[i] != NULL);
	}
	irqsoff_forget_recent();
	/* Nobody else gets its slots: nothing could be written there. */
	type = swap_area_add(&device, &header, 32767, clusters);
	EXPECT(type >= 0);
	wrong = at_most(BOUND);
	if (wrong == NULL)
		wrong = use_full_swap((unsigned int)type, page);
	EXPECT_EQUAL(swap_area_going((unsigned int)type, true), 0);
	EXPECT_EQUAL(swap_area_remove((unsigned int)type, &clusters), 0);
	for (unsigned long i = 0; i < SWAP_TEST_CLUSTERS; i++)
		free_page((uintptr_t)clusters[i]);
	free_page((uintptr_t)clusters);
	__free_page(page);
	return wrong;
}

CASE(irqsoff, a_block_of_any_order_is_taken_given_and_cut_within_the_bound)
{
	const size_t size = 1000 * PAGE_SIZE;
	struct page *page;
	void *address;

	NEEDS_COUNT();
	irqsoff_forget_recent();
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		page = alloc_pages(GFP_KERNEL, order);
		if (page == NULL)
			SKIP("a block of order 10");
		__free_pages(page, order);
	}
	address = alloc_pages_exact(size, GFP_KERNEL);
	EXPECT(address != NULL);
	free_pages_exact(address, size);
	address = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);
	free_pages_exact(address, 5 * PAGE_SIZE);
	return at_most(BOUND);
}

CASE(irqsoff, a_reserve_poisons_its_elements_with_interrupts_on)
{
	mempool_t *pool;
	struct page *page;

	NEEDS_COUNT();
	pool = mempool_create_page_pool(1, 3);
	EXPECT(pool != NULL);
	irqsoff_forget_recent();
	page = mempool_alloc_preallocated(pool);
	mempool_free(page, pool);
	mempool_destroy(pool);
	EXPECT(page != NULL);
	return at_most(BOUND);
}

CASE(irqsoff, a_command_to_the_keyboard_is_waited_for_with_interrupts_on)
{
	NEEDS_COUNT();
	NEEDS_I8042();
	irqsoff_forget_recent();
	/* The keyboard does not acknowledge an echo: 50 ms of waiting. */
	EXPECT(i8042_command_keyboard(0xee) != 0);
	EXPECT_EQUAL(i8042_command_keyboard(0xf4), 0);
	return at_most(BOUND);
}

CASE(irqsoff, the_consoles_write_with_interrupts_on)
{
	NEEDS_COUNT();
	irqsoff_forget_recent();
	/* A screen that scrolls, and as many bytes as there are in a line. */
	for (unsigned int i = 0; i < 30; i++)
		console_write_to("screen", "scrolls\n", 8);
	console_write_to("screen", "\033[2J\033[H", 7);
	for (unsigned int i = 0; i < 10; i++)
		console_write_to("serial", "    # a line of the log\n", 24);
	return at_most(BOUND);
}

CASE(irqsoff, the_log_is_searched_with_interrupts_on)
{
	uint64_t mark;

	NEEDS_COUNT();
	for (unsigned int i = 0; i < 2000; i++)
		pr_debug("%u\n", i);
	irqsoff_forget_recent();
	mark = log_mark();
	pr_debug("the last one\n");
	EXPECT_EQUAL(log_count_since(0, "the last one"), 1);
	EXPECT_EQUAL(log_count_since(mark, "the last one"), 1);
	return at_most(BOUND);
}

static struct node *fail_node;

/* More than there is, and never enough. */
static void fail_once(void *data)
{
	struct page *page = alloc_pages(GFP_ATOMIC, 10);
	struct list *pages = data;

	while (page != NULL) {
		list_append(pages, &page->link);
		page = alloc_pages(GFP_ATOMIC, 10);
	}
	irqsoff_forget_recent();
	fail_node->dump_limit.begin = 0;
	fail_node->dump_limit.printed = 0;
	page = alloc_pages(GFP_ATOMIC, 10);
	if (page != NULL)
		list_append(pages, &page->link);
}

CASE(irqsoff, a_failure_in_a_handler_is_reported_by_a_thread)
{
	struct list pages = LIST_INIT(pages);
	uint64_t mark = log_mark();
	struct page *page;
	uint64_t before;
	uint64_t after;

	NEEDS_COUNT();
	fail_node = main_node();
	fail_node->dump_limit.begin = 0;
	fail_node->dump_limit.printed = 0;
	before = work_done();
	EXPECT(in_timer_interrupt(fail_once, &pages));
	flush_work();
	after = work_done();
	while ((page = list_first(&pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_pages(page, 10);
	}
	EXPECT(after > before);
	EXPECT(log_contains_since(mark, "irq 0 timer: page allocation failure: "
	                                "order:10"));
	EXPECT(log_contains_since(mark, "refused: "));
	EXPECT(log_contains_since(mark, "Mem-Info:"));
	EXPECT(log_contains_since(mark, "lowmem_reserve[]:"));
	return NULL;
}

/* ---- A disk that is not ready -------------------------------------------- */

#define ATA_DATA    0x1f0
#define ATA_DEVICE  0x1f6
#define ATA_COMMAND 0x1f7
#define ATA_CONTROL 0x3f6 /* reads as the status */

/* Behind the driver's back: the first disk has data that nobody fetches, so it
 * takes no other command. */
static bool disk_stall(void)
{
	outb(0x02, ATA_CONTROL);
	outb(0xa0, ATA_DEVICE);
	outb(0xec, ATA_COMMAND); /* IDENTIFY */
	for (unsigned int i = 0; i < 10000; i++) {
		if ((inb(ATA_CONTROL) & 0x88) == 0x08)
			return true;
	}
	return false;
}

static void disk_go_on(void)
{
	for (unsigned int i = 0; i < 256; i++)
		inw(ATA_DATA);
	inb(ATA_COMMAND);
	outb(0, ATA_CONTROL);
}

static struct {
	struct completion all;
	bool done;
} disk_read;

static void end_of_read(struct bio *bio __unused)
{
	WRITE_ONCE(disk_read.done, true);
	complete(&disk_read.all);
}

CASE(irqsoff, a_disk_that_is_not_ready_is_waited_for_with_interrupts_on)
{
	struct block_device *device = block_find("hda");
	struct page *page = alloc_page(GFP_KERNEL);
	struct bio bio = {
		.device = device,
		.page = page,
		.bytes = PAGE_SIZE,
		.end_io = end_of_read,
	};
	const char *wrong;
	uint64_t ticks;
	bool done;

	NEEDS_COUNT();
	if (device == NULL)
		SKIP("disk");
	EXPECT(page != NULL);
	disk_read.done = false;
	init_completion(&disk_read.all);
	EXPECT(disk_stall());
	irqsoff_forget_recent();
	ticks = clock_ticks();
	submit_bio(&bio);
	thread_sleep(50000);
	ticks = clock_ticks() - ticks;
	done = READ_ONCE(disk_read.done);
	disk_go_on();
	wait_for_completion(&disk_read.all);
	wrong = at_most(BOUND);
	__free_page(page);
	EXPECT(!done);
	EXPECT_EQUAL(bio.error, 0);
	EXPECT(ticks + 1 >= 50000 * clock_hz() / 1000000);
	return wrong;
}

CASE(irqsoff, a_disk_that_does_not_become_ready_is_given_up)
{
	struct block_device *device = block_find("hda");
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();
	const char *wrong;
	int error;

	NEEDS_COUNT();
	if (device == NULL)
		SKIP("disk");
	EXPECT(page != NULL);
	EXPECT(disk_stall());
	irqsoff_forget_recent();
	error = block_read_page(device, 0, page);
	wrong = at_most(BOUND);
	if (error == -ETIMEDOUT)
		error = block_read_page(device, 0, page);
	else
		disk_go_on();
	__free_page(page);
	EXPECT_EQUAL(error, 0);
	EXPECT(log_contains_since(mark, "hda: answers again after a reset"));
	return wrong;
}

/* ---- Many pages on their way --------------------------------------------- */

#define CROWD_MOST 480U

struct crowd {
	void *page[CROWD_MOST];
	unsigned int count;
	uint64_t receiver;
	bool go;
};

SUITE_OBJECT(struct crowd, crowded);

static void crowd_wait(void *data)
{
	struct crowd *crowd = data;

	while (!READ_ONCE(crowd->go))
		thread_yield();
}

/* All pages that there are for a test go to the receiver. */
static void crowd_send(void *data)
{
	struct crowd *crowd = data;
	unsigned long most = node_free(main_node()) / 8;

	while (crowd->count < min(most, CROWD_MOST + 0UL)) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE);
		void *address = exclusive_address(page);

		if (address == NULL ||
		    exclusive_transfer(address, crowd->receiver) != 0)
			break;
		crowd->page[crowd->count++] = address;
	}
}

/* The stretch of a cancelled hand-over of PAGE, which is on its way before and
 * after; the least of some, since ticks come in between. */
static uint64_t crowd_cancel(const struct crowd *crowd, void *page)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < 8; i++) {
		irqsoff_forget_recent();
		if (exclusive_cancel(page) != 0)
			return UINT64_MAX;
		least = min(least, irqsoff_recent().ticks);
		if (exclusive_transfer(page, crowd->receiver) != 0)
			return UINT64_MAX;
	}
	return least;
}

CASE(irqsoff, a_page_on_its_way_is_found_as_soon_among_many)
{
	struct thread *receiver;
	uint64_t first;
	uint64_t last;

	NEEDS_COUNT();
	*crowded = (struct crowd){ 0 };
	receiver = thread_create("receiver", crowd_wait, crowded);
	EXPECT(receiver != NULL);
	crowded->receiver = thread_owner_id(receiver);
	crowd_send(crowded);
	EXPECT(crowded->count >= 8);
	first = crowd_cancel(crowded, crowded->page[0]);
	last = crowd_cancel(crowded, crowded->page[crowded->count - 1]);
	irqsoff_forget_recent();
	WRITE_ONCE(crowded->go, true);
	EXPECT(thread_join(receiver) == THREAD_END_RETURNED);
	for (unsigned int i = 0; i < crowded->count; i++)
		EXPECT_EQUAL(exclusive_release(crowded->page[i]), 0);
	EXPECT(first != UINT64_MAX);
	EXPECT(last <= first + 100ULL * irqsoff_ticks_per_instruction());
	return at_most(BOUND);
}

CASE(irqsoff, a_sender_of_many_pages_ends_within_the_bound)
{
	struct thread *receiver;
	struct thread *sender;

	NEEDS_COUNT();
	*crowded = (struct crowd){ 0 };
	receiver = thread_create("receiver", crowd_wait, crowded);
	EXPECT(receiver != NULL);
	crowded->receiver = thread_owner_id(receiver);
	irqsoff_forget_recent();
	sender = thread_create("sender", crowd_send, crowded);
	EXPECT(sender != NULL);
	EXPECT(thread_join(sender) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_incoming(crowded->receiver), crowded->count);
	EXPECT(crowded->count >= 8);
	WRITE_ONCE(crowded->go, true);
	EXPECT(thread_join(receiver) == THREAD_END_RETURNED);
	return at_most(BOUND);
}

CASE(irqsoff, parking_looks_for_frames_with_interrupts_on)
{
	struct node *node = main_node();
	unsigned long high = node->pool.high;

	NEEDS_COUNT();
	refiller_settle();
	irqsoff_forget_recent();
	exclusive_shrink(node, 0);
	exclusive_refill(node, high);
	return at_most(BOUND);
}

/* ---- Threads: however many there are ------------------------------------- */

#define MANY_THREADS_MOST 200U

/* As many as a machine of 4 MB can have. */
static unsigned int many_threads(void)
{
	return (unsigned int)min(node_free(main_node()) / 12,
	                         MANY_THREADS_MOST + 0UL);
}

CASE(irqsoff,
     any_number_of_threads_with_windows_comes_and_goes_within_the_bound)
{
	uint64_t limit = watchdog_limit();
	struct crowd_report report;
	const char *wrong;

	NEEDS_COUNT();
	/* The watchdog looks at them all the time. */
	watchdog_set_limit(20000);
	irqsoff_forget_recent();
	crowd_run(many_threads(), NULL, NULL, &report);
	wrong = at_most(BOUND);
	watchdog_set_limit(limit);
	EXPECT_EQUAL(report.error, 0);
	EXPECT_EQUAL(report.intact, report.threads);
	return wrong;
}

static struct {
	struct thread *thread[MANY_THREADS_MOST];
	unsigned int count;
	unsigned int awake;
	bool may_end;
	struct wait_queue queue;
} irqsoff_crowd = { .queue = WAIT_QUEUE_INIT(irqsoff_crowd.queue) };

static bool irqsoff_may_end(void *unused __unused)
{
	return READ_ONCE(irqsoff_crowd.may_end);
}

static void irqsoff_wait(void *unused __unused)
{
	wait_event(&irqsoff_crowd.queue, irqsoff_may_end, NULL);
	irqsoff_crowd.awake++;
}

/* The later ones sleep for a shorter time: each goes to the front. */
static void irqsoff_sleep(void *unused __unused)
{
	unsigned int number = irqsoff_crowd.awake++;

	thread_sleep(500000 - 1000 * number);
	wait_event(&irqsoff_crowd.queue, irqsoff_may_end, NULL);
}

static bool irqsoff_gather(void (*function)(void *data))
{
	irqsoff_crowd.may_end = false;
	irqsoff_crowd.awake = 0;
	irqsoff_crowd.count = many_threads();
	for (unsigned int i = 0; i < irqsoff_crowd.count; i++) {
		irqsoff_crowd.thread[i] = thread_create("many", function, NULL);
		if (irqsoff_crowd.thread[i] == NULL) {
			irqsoff_crowd.count = i;
			return false;
		}
	}
	return true;
}

static void irqsoff_let_go(void)
{
	irqsoff_crowd.may_end = true;
	wake_up(&irqsoff_crowd.queue);
}

static void irqsoff_join_all(void)
{
	for (unsigned int i = 0; i < irqsoff_crowd.count; i++)
		thread_join(irqsoff_crowd.thread[i]);
}

CASE(irqsoff, any_number_of_waiting_threads_is_woken_within_the_bound)
{
	const char *wrong;
	bool gathered;

	NEEDS_COUNT();
	gathered = irqsoff_gather(irqsoff_wait);
	/* All of them wait. */
	thread_sleep(50000);
	irqsoff_forget_recent();
	irqsoff_let_go();
	wrong = at_most(BOUND);
	irqsoff_join_all();
	EXPECT(gathered);
	EXPECT_EQUAL(irqsoff_crowd.awake, irqsoff_crowd.count);
	return wrong;
}

CASE(irqsoff, any_number_of_sleeping_threads_is_woken_within_the_bound)
{
	const char *wrong;
	bool gathered;

	NEEDS_COUNT();
	irqsoff_forget_recent();
	gathered = irqsoff_gather(irqsoff_sleep);
	thread_sleep(600000);
	wrong = at_most(BOUND);
	irqsoff_let_go();
	irqsoff_join_all();
	EXPECT(gathered);
	EXPECT_EQUAL(irqsoff_crowd.awake, irqsoff_crowd.count);
	return wrong;
}

/* ---- A pageblock of which every second page is free ---------------------- */

/* On the lists of reclaim or given back: the 512 pages of a pageblock, which have begun at
 * FIRST. */
static void scatter(struct node *node, struct page *first, bool again)
{
	for (unsigned long i = 0; i < PAGEBLOCK_PAGES; i++) {
		struct page *page = first + i;

		if (i % 2 == 0) {
			if (!again)
				__free_page(page);
		} else if (again) {
			lru_remove(node, page);
			page_clear(page, PG_swapbacked);
			__free_page(page);
		} else {
			page_set(page, PG_swapbacked);
			lru_add(node, page);
		}
	}
}

CASE(irqsoff, a_pageblock_in_pieces_changes_its_type_within_the_bound)
{
	void *address = alloc_pages_exact(PAGEBLOCK_PAGES * PAGE_SIZE,
	                                  GFP_KERNEL | __GFP_MOVABLE);
	struct node *node = main_node();
	const char *wrong;
	struct page *first;
	struct zone *zone;
	unsigned long pfn;
	int error;

	NEEDS_COUNT();
	if (address == NULL)
		SKIP("a pageblock");
	first = virt_to_page(address);
	zone = page_zone(node, first);
	pfn = node_pfn(node, first);
	scatter(node, first, false);
	pcp_drain_node(node);
	irqsoff_forget_recent();
	error = start_isolate_page_range(zone, pfn, pfn + PAGEBLOCK_PAGES,
	                                 MIGRATE_MOVABLE);
	if (error == 0)
		undo_isolate_page_range(zone, pfn, pfn + PAGEBLOCK_PAGES,
		                        MIGRATE_MOVABLE);
	wrong = at_most(BOUND);
	scatter(node, first, true);
	EXPECT_EQUAL(error, 0);
	return wrong;
}
