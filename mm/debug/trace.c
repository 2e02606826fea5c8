/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/trace.c -- a ring with many writers and no waiting.
 *
 *	number     0    1    2 ...                        next
 *	ring    [ n  | n+1 | ...                       | n-1 ]
 *	           record N is at N modulo count
 *
 * A writer takes a number with one atomic addition; that is its place, and the old
 * record is overwritten.  The place may still be in use by a writer that was
 * interrupted a whole ring ago: the state of the record shows it, and the later
 * writer drops its record.  No context ever waits, so an NMI may write on top of an
 * interrupt on top of a thread.
 *
 *	state		meaning
 *	0		never written
 *	2 n + 1		record n is being written
 *	2 n + 2		record n is complete
 *
 * Invariants:
 *
 *  T1  state only grows; a writer holds a record between its two changes.
 *  T2  A reader trusts a record only if state is 2 n + 2 before and after
 *      it has copied it (a sequence lock for each record).
 *  T3  Each reader gets each number once: as a record or as lost.
 *
 * Further reading: Rostedt, Documentation/trace/ring-buffer-design.rst (Linux),
 * which keeps the order within a CPU by a buffer for each.
 */
#include "mm/debug/trace.h"

#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/pcp.h"

#define RECORDS_MIN 256UL   /* 16 KiB */
#define RECORDS_MAX 16384UL /* 1 MiB */

static const struct {
	const char *name;
	struct trace_field field[TRACE_ARGS];
} events[TRACE_EVENT_COUNT] = {
#define TRACE_ROW(event, arguments, values, ...)                               \
	[TRACE_##event] = { #event, { __VA_ARGS__ } },
	TRACE_EVENTS(TRACE_ROW)
#undef TRACE_ROW
};

/* ---- Writing ------------------------------------------------------------- */

static uint64_t state_busy(uint64_t number)
{
	return 2 * number + 1;
}

static uint64_t state_done(uint64_t number)
{
	return 2 * number + 2;
}

/* The record at the place of NUMBER. */
static struct trace_record *trace_place(const struct trace *trace,
                                        uint64_t number)
{
	kassert(trace->count > 0 && (trace->count & (trace->count - 1)) == 0);
	return &trace->records[number & (trace->count - 1)];
}

/* Claim the record; false if another writer still has it, or has already written a
 * later one. */
static bool trace_claim(struct trace_record *record, uint64_t number)
{
	uint64_t seen = __atomic_load_n(&record->state, __ATOMIC_RELAXED);

	if ((seen & 1) != 0 || seen > state_busy(number))
		return false;
	return __atomic_compare_exchange_n(&record->state, &seen,
	                                   state_busy(number), false,
	                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static uint16_t describe_context(void)
{
	unsigned int count = preempt_count();
	uint16_t context = count & PREEMPT_MASK;

	if (!arch_irq_enabled())
		context |= TRACE_IRQS_OFF;
	if (count & SOFTIRQ_MASK)
		context |= TRACE_SOFTIRQ;
	if (count & HARDIRQ_MASK)
		context |= TRACE_HARDIRQ;
	if (count & NMI_MASK)
		context |= TRACE_NMI;
	return context;
}

static void trace_fill(struct trace_record *record, enum trace_event event,
                       const uint64_t *argument)
{
	kassert(event < TRACE_EVENT_COUNT);
	static_assert(OWNER_ID_MAX < 1ULL << 48, "it fits into a record");

	/* The state must be seen before anything else changes. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	record->time = clock_microseconds() & (OWNER_ID_MAX);
	record->event = (uint8_t)event;
	record->cpu = (uint8_t)arch_cpu_id();
	record->context = describe_context();
	record->owner = current_owner_id() & OWNER_ID_MAX;
	for (unsigned int i = 0; i < TRACE_ARGS; i++)
		record->argument[i] = argument[i];
}

void trace_write(struct trace *trace, enum trace_event event,
                 const uint64_t *argument)
{
	struct trace_record *record;
	uint64_t number;

	__atomic_fetch_add(&trace->writers, 1, __ATOMIC_ACQ_REL);
	number = __atomic_fetch_add(&trace->next, 1, __ATOMIC_ACQ_REL);
	record = trace_place(trace, number);
	if (trace_claim(record, number)) {
		trace_fill(record, event, argument);
		__atomic_store_n(&record->state, state_done(number),
		                 __ATOMIC_RELEASE);
	}
	__atomic_fetch_sub(&trace->writers, 1, __ATOMIC_ACQ_REL);
}

/* ---- Beginning ----------------------------------------------------------- */

uint64_t trace_records_wanted(unsigned long pages)
{
	uint64_t wanted = clamp(pages / 16, RECORDS_MIN, RECORDS_MAX);
	uint64_t count = RECORDS_MIN;

	while (count * 2 <= wanted)
		count *= 2;
	return count;
}

void trace_init(struct trace *trace, struct trace_record *records,
                uint64_t count)
{
	kassert((count & (count - 1)) == 0);
	kassert(records != NULL || count == 0);
	memset(trace, 0, sizeof(*trace));
	memset(records, 0, count * sizeof(*records));
	trace->records = records;
	trace->count = count;
}

int trace_enable(struct trace *trace, uint32_t mask)
{
	if (trace->count == 0)
		return -ENODEV;
	WRITE_ONCE(trace->enabled, mask & TRACE_ALL);
	pcp_shortcut_update();
	return 0;
}

void trace_clear(struct trace *trace)
{
	WRITE_ONCE(trace->first,
	           __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE));
}

/* ---- Reading ------------------------------------------------------------- */

/* The lowest number that may still be in the ring. */
static uint64_t oldest(const struct trace *trace, uint64_t next)
{
	uint64_t first = READ_ONCE(trace->first);

	return next > trace->count ? max(first, next - trace->count) : first;
}

void trace_read_begin(struct trace_reader *reader, const struct trace *trace,
                      uint64_t last)
{
	uint64_t next = __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
	uint64_t begin = oldest(trace, next);

	reader->trace = trace;
	reader->next = next - begin > last ? next - last : begin;
	reader->lost = 0;
}

/* Copy record NUMBER; false: it is missing, or was overwritten meanwhile. */
static bool copy(const struct trace *trace, uint64_t number,
                 struct trace_record *to)
{
	const struct trace_record *from = trace_place(trace, number);

	if (__atomic_load_n(&from->state, __ATOMIC_ACQUIRE) !=
	    state_done(number))
		return false;
	memmove(to, from, sizeof(*to));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&from->state, __ATOMIC_RELAXED) ==
	       state_done(number);
}

static enum trace_answer miss(struct trace_reader *reader, uint64_t missed,
                              uint64_t *number, uint64_t *count)
{
	kassert(missed > 0);
	*number = reader->next;
	*count = missed;
	reader->next += missed;
	reader->lost += missed;
	return TRACE_LOST;
}

enum trace_answer trace_read(struct trace_reader *reader,
                             struct trace_record *record, uint64_t *number,
                             uint64_t *count)
{
	const struct trace *trace = reader->trace;
	uint64_t next = __atomic_load_n(&trace->next, __ATOMIC_ACQUIRE);
	uint64_t begin;
	bool all_done;

	kassert(reader->next <= next);
	if (reader->next == next)
		return TRACE_NOTHING;
	begin = oldest(trace, next);
	if (begin > reader->next)
		return miss(reader, begin - reader->next, number, count);
	/* With no writer left, a missing record is missing forever. */
	all_done = __atomic_load_n(&trace->writers, __ATOMIC_ACQUIRE) == 0;
	if (!copy(trace, reader->next, record))
		return all_done ? miss(reader, 1, number, count)
		                : TRACE_NOTHING;
	*number = reader->next++;
	*count = 1;
	return TRACE_GOT;
}

/* ---- Names and lines ----------------------------------------------------- */

const char *trace_event_name(enum trace_event event)
{
	return (unsigned int)event < TRACE_EVENT_COUNT ? events[event].name
	                                               : "?";
}

uint32_t trace_events_like(const char *name)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < TRACE_EVENT_COUNT; i++) {
		if (strcmp(events[i].name, name) == 0)
			return 1U << i;
		if (strncmp(events[i].name, name, strlen(name)) == 0)
			mask |= 1U << i;
	}
	return mask;
}

/* Append a field KIND with VALUE after the AT characters of BUFFER. */
static int append_value(char *buffer, size_t size, int at, enum trace_kind kind,
                        uint64_t value)
{
	char *to = buffer + at;
	size_t left = size - (size_t)at;
	char names[160];

	kassert(at >= 0 && (size_t)at < size);
	switch (kind) {
	case TRACE_DEC:
		return scnprintf(to, left, "%lld", (long long)value);
	case TRACE_HEX:
		return scnprintf(to, left, "%#llx", (unsigned long long)value);
	case TRACE_GFP:
		return scnprintf(
			to, left, "%s",
			gfp_format(names, sizeof(names), (gfp_t)value));
	case TRACE_ZONE:
		return scnprintf(to, left, "%s",
		                 zone_type_name((enum zone_type)value));
	case TRACE_OWNER:
		return scnprintf(to, left, "%llu(%s)",
		                 (unsigned long long)value, owner_name(value));
	}
	return 0;
}

static const char *who(const struct trace_record *record)
{
	if (record->owner != 0)
		return owner_name(record->owner);
	return record->context & TRACE_NMI ? "<nmi>" : "<none>";
}

static char interrupt_letter(uint16_t context)
{
	if (context & TRACE_NMI)
		return 'Z';
	if (context & TRACE_HARDIRQ)
		return 'h';
	return context & TRACE_SOFTIRQ ? 's' : '.';
}

const char *trace_format(char *buffer, size_t size,
                         const struct trace_record *record)
{
	const struct trace_field *field = events[record->event].field;
	int at = scnprintf(
		buffer, size,
		"%16s-%-5llu [%03u] %c%c%u %5llu.%06llu: %s:", who(record),
		(unsigned long long)record->owner, (unsigned int)record->cpu,
		record->context & TRACE_IRQS_OFF ? 'd' : '.',
		interrupt_letter(record->context),
		(unsigned int)record->context & PREEMPT_MASK,
		(unsigned long long)(record->time / 1000000),
		(unsigned long long)(record->time % 1000000),
		events[record->event].name);

	kassert(record->event < TRACE_EVENT_COUNT);
	for (unsigned int i = 0; i < TRACE_ARGS && field[i].name; i++) {
		at += scnprintf(buffer + at, size - (size_t)at,
		                " %s=", field[i].name);
		at += append_value(buffer, size, at, field[i].kind,
		                   record->argument[i]);
	}
	return buffer;
}

static const char *context_word(uint16_t context)
{
	if (context & TRACE_NMI)
		return "nmi";
	if (context & TRACE_HARDIRQ)
		return "irq";
	return context & TRACE_SOFTIRQ ? "soft" : "thread";
}

const char *trace_format_json(char *buffer, size_t size, uint64_t number,
                              const struct trace_record *record)
{
	const struct trace_field *field = events[record->event].field;
	int at = scnprintf(
		buffer, size,
		"{\"seq\":%llu,\"ts_us\":%llu,\"cpu\":%u,"
		"\"context\":\"%s\",\"owner\":%llu,\"event\":\"%s\"",
		(unsigned long long)number, (unsigned long long)record->time,
		(unsigned int)record->cpu, context_word(record->context),
		(unsigned long long)record->owner, events[record->event].name);

	kassert(record->event < TRACE_EVENT_COUNT);
	for (unsigned int i = 0; i < TRACE_ARGS && field[i].name; i++)
		at += scnprintf(buffer + at, size - (size_t)at, ",\"%s\":%lld",
		                field[i].name, (long long)record->argument[i]);
	scnprintf(buffer + at, size - (size_t)at, "}");
	return buffer;
}
