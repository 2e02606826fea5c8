/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_trace.c -- the trace: a private ring of eight records, and the
 * records of the allocator about a private node.
 */
#include "kernel/core/lock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/debug/trace.h"
#include "mm/page_alloc.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(trace);

#define RING 8UL

static struct trace_record ring[RING];
static struct trace small;

static struct trace *small_trace(void)
{
	trace_init(&small, ring, RING);
	return trace_enable(&small, TRACE_ALL) == 0 ? &small : NULL;
}

/* Frees of frames FIRST .. FIRST + COUNT - 1, or what a tracepoint says so. */
static void write_frees(struct trace *trace, unsigned long first,
                        unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		trace_mm_page_free(trace, first + i, 3);
}

/* The result of a reader: numbers of records read and lost. */
struct told {
	unsigned long got;
	uint64_t first; /* pfn of the first record */
	uint64_t lost;
	bool in_order; /* numbers without a gap, pfns one after the other */
};

static struct told test_trace_read_all(struct trace_reader *reader)
{
	struct told told = { .in_order = true };
	uint64_t expected = reader->next;
	struct trace_record record;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	while ((answer = trace_read(reader, &record, &number, &count)) !=
	       TRACE_NOTHING) {
		told.in_order &= number == expected;
		expected = number + count;
		if (answer == TRACE_LOST) {
			told.lost += count;
			continue;
		}
		if (told.got == 0)
			told.first = record.argument[0];
		told.in_order &= record.argument[0] == told.first + told.got;
		told.got++;
	}
	return told;
}

CASE(trace, without_a_ring_nothing_can_be_switched_on)
{
	struct trace none = { 0 };

	EXPECT_EQUAL(trace_enable(&none, TRACE_ALL), -ENODEV);
	trace_mm_page_free(&none, 1, 0);
	EXPECT_EQUAL(none.next, 0);
	return NULL;
}

CASE(trace, event_that_is_off_is_not_recorded)
{
	struct trace *trace = small_trace();

	EXPECT_EQUAL(trace_enable(trace, 1U << TRACE_mm_page_alloc), 0);
	write_frees(trace, 0, 3);
	EXPECT_EQUAL(trace->next, 0);
	trace_mm_page_alloc(trace, 1, 0, MIGRATE_MOVABLE, GFP_KERNEL);
	EXPECT_EQUAL(trace->next, 1);
	return NULL;
}

CASE(trace, reader_gets_what_was_written_once)
{
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct told told;

	write_frees(trace, 100, 5);
	trace_read_begin(&reader, trace, UINT64_MAX);
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, 5);
	EXPECT_EQUAL(told.first, 100);
	EXPECT(told.in_order && told.lost == 0);
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, 0);
	write_frees(trace, 200, 1);
	told = test_trace_read_all(&reader);
	EXPECT(told.got == 1 && told.first == 200);
	return NULL;
}

CASE(trace, record_says_whether_interrupts_were_on)
{
	static struct spinlock lock = SPINLOCK_INIT("test trace");
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct trace_record record;
	uint64_t number;
	uint64_t count;
	bool enabled;

	write_frees(trace, 1, 1);
	enabled = spin_lock_irqsave(&lock);
	write_frees(trace, 2, 1);
	spin_unlock_irqrestore(&lock, enabled);
	trace_read_begin(&reader, trace, UINT64_MAX);
	EXPECT(trace_read(&reader, &record, &number, &count) == TRACE_GOT);
	EXPECT_EQUAL(record.context & TRACE_IRQS_OFF, 0);
	EXPECT(trace_read(&reader, &record, &number, &count) == TRACE_GOT);
	EXPECT_EQUAL(record.context & TRACE_IRQS_OFF, TRACE_IRQS_OFF);
	return NULL;
}

CASE(trace, last_records_are_the_last)
{
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct told told;

	write_frees(trace, 0, 20);
	trace_read_begin(&reader, trace, 3);
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, 3);
	EXPECT_EQUAL(told.first, 17);
	trace_read_begin(&reader, trace, 1000);
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, RING);
	EXPECT_EQUAL(told.first, 12);
	EXPECT_EQUAL(told.lost, 0);
	return NULL;
}

CASE(trace, overwritten_records_are_counted_as_lost)
{
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct told told;

	trace_read_begin(&reader, trace, 0);
	write_frees(trace, 0, 3 * RING + 2);
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, RING);
	EXPECT_EQUAL(told.lost, 2 * RING + 2);
	EXPECT_EQUAL(reader.lost, told.lost);
	EXPECT(told.in_order);
	return NULL;
}

CASE(trace, clear_forgets_and_numbers_go_on)
{
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct told told;

	write_frees(trace, 0, 4);
	trace_clear(trace);
	trace_read_begin(&reader, trace, UINT64_MAX);
	EXPECT_EQUAL(test_trace_read_all(&reader).got, 0);
	write_frees(trace, 50, 1);
	told = test_trace_read_all(&reader);
	EXPECT(told.got == 1 && told.first == 50 && told.lost == 0);
	EXPECT_EQUAL(trace->next, 5);
	return NULL;
}

/* A writer that was interrupted in the middle of record 2. */
CASE(trace, record_that_is_being_written_is_neither_read_nor_overwritten)
{
	struct trace *trace = small_trace();
	struct trace_reader reader;
	struct told told;

	trace_read_begin(&reader, trace, 0);
	write_frees(trace, 0, 4);
	ring[2].state = 2 * 2 + 1;
	trace->writers = 1;
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got, 2);
	EXPECT_EQUAL(reader.next, 2);
	/* A whole ring later another wants its place: it gives way. */
	write_frees(trace, 4, RING);
	EXPECT_EQUAL(ring[2].state, 2 * 2 + 1);
	EXPECT_EQUAL(ring[2].argument[0], 2);
	ring[2].state = 2 * 2 + 2;
	trace->writers = 0;
	told = test_trace_read_all(&reader);
	EXPECT_EQUAL(told.got + told.lost, 2 + RING);
	EXPECT_EQUAL(told.lost, 2 + 1);
	return NULL;
}

CASE(trace, record_of_a_later_lap_is_not_overwritten_by_a_late_writer)
{
	struct trace *trace = small_trace();

	write_frees(trace, 0, 2 * RING);
	/* The number was taken a lap ago. */
	trace->next = RING - 1;
	write_frees(trace, 999, 1);
	EXPECT_EQUAL(ring[RING - 1].argument[0], 2 * RING - 1);
	return NULL;
}

CASE(trace, every_event_has_a_name_and_says_its_fields_in_json)
{
	struct trace_record record = { .time = 1234567, .cpu = 0 };
	char line[TRACE_LINE_MAX];

	for (unsigned int i = 0; i < TRACE_EVENT_COUNT; i++) {
		enum trace_event event = (enum trace_event)i;

		EXPECT_EQUAL(trace_events_like(trace_event_name(event)),
		             1U << i);
		record.event = (uint8_t)i;
		for (unsigned int j = 0; j < TRACE_ARGS; j++)
			record.argument[j] = UINT32_MAX;
		trace_format_json(line, sizeof(line), UINT64_MAX, &record);
		EXPECT(line[strlen(line) - 1] == '}');
		EXPECT(strlen(trace_format(line, sizeof(line), &record)) <
		       sizeof(line) - 1);
	}
	return NULL;
}

CASE(trace, line_says_who_where_when_and_what)
{
	struct trace_record record = {
		.time = 12345678,
		.event = TRACE_mm_page_alloc,
		.context = TRACE_NMI | TRACE_IRQS_OFF | 2,
		.argument = { 0x123, 3, MIGRATE_MOVABLE, GFP_ATOMIC },
	};
	char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), &record);
	if (strcmp(line, "           <nmi>-0     [000] dZ2    12.345678: "
	                 "mm_page_alloc: pfn=0x123 order=3 migratetype=1 "
	                 "gfp_flags=GFP_ATOMIC") != 0)
		return test_failure("it says %s", line);
	trace_format_json(line, sizeof(line), 7, &record);
	if (strcmp(line, "{\"seq\":7,\"ts_us\":12345678,\"cpu\":0,"
	                 "\"context\":\"nmi\",\"owner\":0,\"event\":"
	                 "\"mm_page_alloc\",\"pfn\":291,\"order\":3,"
	                 "\"migratetype\":1,\"gfp_flags\":2080}") != 0)
		return test_failure("it says %s", line);
	return NULL;
}

CASE(trace, line_tells_numbers_of_owners_beyond_32_bits)
{
	struct trace_record record = {
		.time = OWNER_ID_MAX,
		.event = TRACE_mm_exclusive_transfer,
		.owner = OWNER_ID_MAX,
		.argument = { 0x12, 1ULL << 32, OWNER_ID_MAX },
	};
	char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), &record);
	if (strcmp(line, "               ?-281474976710655 [000] ..0 "
	                 "281474976.710655: mm_exclusive_transfer: pfn=0x12 "
	                 "from=4294967296(?) to=281474976710655(?)") != 0)
		return test_failure("it says %s", line);
	trace_format_json(line, sizeof(line), 7, &record);
	if (strcmp(line, "{\"seq\":7,\"ts_us\":281474976710655,\"cpu\":0,"
	                 "\"context\":\"thread\","
	                 "\"owner\":281474976710655,\"event\":"
	                 "\"mm_exclusive_transfer\",\"pfn\":18,"
	                 "\"from\":4294967296,\"to\":281474976710655}") != 0)
		return test_failure("it says %s", line);
	return NULL;
}

CASE(trace, events_can_be_named_by_how_they_begin)
{
	EXPECT_EQUAL(trace_events_like("mm_page_alloc"),
	             1U << TRACE_mm_page_alloc);
	EXPECT_EQUAL(trace_events_like("mm_page_a"),
	             1U << TRACE_mm_page_alloc |
	                     1U << TRACE_mm_page_alloc_fail);
	EXPECT_EQUAL(trace_events_like("frobnicate"), 0);
	EXPECT_EQUAL(trace_events_like(""), TRACE_ALL);
	return NULL;
}

CASE(trace, ring_is_a_thousandth_of_memory_within_bounds)
{
	EXPECT_EQUAL(trace_records_wanted(1024), 256);
	EXPECT_EQUAL(trace_records_wanted(16384), 1024);
	EXPECT_EQUAL(trace_records_wanted(32767), 1024);
	EXPECT_EQUAL(trace_records_wanted(32768), 2048);
	EXPECT_EQUAL(trace_records_wanted(1UL << 30), 16384);
	return NULL;
}

/* ---- What the front door says -------------------------------------------- */

CASE(trace, allocation_and_free_say_frame_order_and_mask)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 256, 0, 0 };
	struct node *node = private_node_full(0, pages);
	struct page *page;

	trace_init(&node->trace, ring, RING);
	EXPECT_EQUAL(trace_enable(&node->trace, TRACE_ALL), 0);
	page = alloc_pages_node(node, GFP_ATOMIC | __GFP_RECLAIMABLE, 2);
	EXPECT(page != NULL);
	EXPECT_EQUAL(node->trace.next, 1);
	EXPECT_EQUAL(ring[0].event, TRACE_mm_page_alloc);
	EXPECT_EQUAL(ring[0].argument[0], node_pfn(node, page));
	EXPECT_EQUAL(ring[0].argument[1], 2);
	EXPECT_EQUAL(ring[0].argument[2], MIGRATE_RECLAIMABLE);
	EXPECT_EQUAL(ring[0].argument[3], GFP_ATOMIC | __GFP_RECLAIMABLE);
	free_pages_node(node, page, 2, 0);
	EXPECT_EQUAL(node->trace.next, 2);
	EXPECT_EQUAL(ring[1].event, TRACE_mm_page_free);
	EXPECT_EQUAL(ring[1].argument[0], node_pfn(node, page));
	EXPECT_EQUAL(ring[1].argument[1], 2);
	return NULL;
}

CASE(trace, request_that_fails_says_wake_ups_and_failure)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 256, 0, 0 };
	struct node *node = private_node_full(0, pages);

	node->zone[ZONE_DMA32].watermark[WMARK_LOW] = 300;
	node->zone[ZONE_DMA32].watermark[WMARK_MIN] = 300;
	trace_init(&node->trace, ring, RING);
	EXPECT_EQUAL(trace_enable(&node->trace, TRACE_ALL), 0);
	EXPECT(alloc_pages_node(node, GFP_NOWAIT, 1) == NULL);
	EXPECT_EQUAL(node->trace.next, 3);
	EXPECT_EQUAL(ring[0].event, TRACE_mm_vmscan_wakeup_kswapd);
	EXPECT_EQUAL(ring[1].event, TRACE_mm_vmscan_wakeup_kswapd);
	EXPECT_EQUAL(ring[2].event, TRACE_mm_page_alloc_fail);
	EXPECT_EQUAL(ring[2].argument[0], 1);
	EXPECT_EQUAL(ring[2].argument[1], GFP_NOWAIT);
	return NULL;
}
