/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/trace.h -- tracepoints: what the allocator did, in the order it did it.
 *
 * A tracepoint is one line in TRACE_EVENTS(), which makes its number, its name,
 * its fields and its function: trace_mm_page_free(&node->trace, pfn, order).
 * Switched off, it costs one load and a branch.  Switched on, it writes one
 * record of 64 bytes into a ring.  Any context, NMI included; no lock.
 *
 * Names and fields are Linux's where Linux has the event (include/trace/events/
 * kmem.h, vmscan.h, oom.h); mm_exclusive_... are Labyrinth's own.
 */
#ifndef MM_DEBUG_TRACE_H
#define MM_DEBUG_TRACE_H

#include "lib/types.h"
#include "mm/gfp.h"

/* How a field is shown to people.  In JSON all are decimal numbers. */
enum trace_kind {
	TRACE_DEC,
	TRACE_HEX,
	TRACE_GFP,   /* by name */
	TRACE_ZONE,  /* enum zone_type, by name */
	TRACE_OWNER, /* number, and name while it is remembered */
};

struct trace_field {
	const char *name;
	enum trace_kind kind;
};

/* X(name, arguments, values in the order of the fields, { field, kind }...).
 * At most TRACE_ARGS fields, and 32 events. */
#define TRACE_EVENTS(X)                                                        \
	/* A block was allocated, freed, or refused.    */                     \
	X(mm_page_alloc,                                                       \
	  (unsigned long pfn, unsigned int order,                              \
	   enum migratetype migratetype, gfp_t gfp),                           \
	  (pfn, order, migratetype, gfp), { "pfn", TRACE_HEX },                \
	  { "order", TRACE_DEC }, { "migratetype", TRACE_DEC },                \
	  { "gfp_flags", TRACE_GFP })                                          \
	X(mm_page_free, (unsigned long pfn, unsigned int order), (pfn, order), \
	  { "pfn", TRACE_HEX }, { "order", TRACE_DEC })                        \
	X(mm_page_alloc_fail, (unsigned int order, gfp_t gfp), (order, gfp),   \
	  { "order", TRACE_DEC }, { "gfp_flags", TRACE_GFP })                  \
	X(fault_injected, (unsigned int order, gfp_t gfp), (order, gfp),       \
	  { "order", TRACE_DEC }, { "gfp_flags", TRACE_GFP })                  \
	/* Objects. */                                                         \
	X(kmalloc,                                                             \
	  (uintptr_t place, uintptr_t address, size_t wanted, size_t given,    \
	   gfp_t gfp),                                                         \
	  (place, address, wanted, given, gfp), { "call_site", TRACE_HEX },    \
	  { "ptr", TRACE_HEX }, { "bytes_req", TRACE_DEC },                    \
	  { "bytes_alloc", TRACE_DEC }, { "gfp_flags", TRACE_GFP })            \
	X(kfree, (uintptr_t place, uintptr_t address), (place, address),       \
	  { "call_site", TRACE_HEX }, { "ptr", TRACE_HEX })                    \
	X(kmem_cache_alloc,                                                    \
	  (uintptr_t place, uintptr_t address, size_t wanted, size_t given,    \
	   gfp_t gfp),                                                         \
	  (place, address, wanted, given, gfp), { "call_site", TRACE_HEX },    \
	  { "ptr", TRACE_HEX }, { "bytes_req", TRACE_DEC },                    \
	  { "bytes_alloc", TRACE_DEC }, { "gfp_flags", TRACE_GFP })            \
	X(kmem_cache_free, (uintptr_t place, uintptr_t address),               \
	  (place, address), { "call_site", TRACE_HEX }, { "ptr", TRACE_HEX })  \
	/* Reclaim: direct, and by kswapd. */                                  \
	X(mm_vmscan_direct_reclaim_begin, (unsigned int order, gfp_t gfp),     \
	  (order, gfp), { "order", TRACE_DEC }, { "gfp_flags", TRACE_GFP })    \
	X(mm_vmscan_direct_reclaim_end, (unsigned long reclaimed),             \
	  (reclaimed), { "nr_reclaimed", TRACE_DEC })                          \
	X(mm_vmscan_wakeup_kswapd,                                             \
	  (enum zone_type zone, unsigned int order, gfp_t gfp),                \
	  (zone, order, gfp), { "zone", TRACE_ZONE }, { "order", TRACE_DEC },  \
	  { "gfp_flags", TRACE_GFP })                                          \
	X(mm_vmscan_kswapd_wake, (enum zone_type zone, unsigned int order),    \
	  (zone, order), { "zone", TRACE_ZONE }, { "order", TRACE_DEC })       \
	X(mm_vmscan_kswapd_sleep, (unsigned long reclaimed), (reclaimed),      \
	  { "nr_reclaimed", TRACE_DEC })                                       \
	X(mm_vmscan_lru_shrink_inactive,                                       \
	  (unsigned long scanned, unsigned long reclaimed,                     \
	   unsigned int priority, bool file),                                  \
	  (scanned, reclaimed, priority, file), { "nr_scanned", TRACE_DEC },   \
	  { "nr_reclaimed", TRACE_DEC }, { "priority", TRACE_DEC },            \
	  { "file", TRACE_DEC })                                               \
	X(mm_vmscan_write_folio, (unsigned long pfn), (pfn),                   \
	  { "pfn", TRACE_HEX })                                                \
	X(reclaim_retry_zone,                                                  \
	  (enum zone_type zone, unsigned int order, unsigned long reclaimable, \
	   unsigned long available, unsigned int no_progress),                 \
	  (zone, order, reclaimable, available, no_progress),                  \
	  { "zone", TRACE_ZONE }, { "order", TRACE_DEC },                      \
	  { "reclaimable", TRACE_DEC }, { "available", TRACE_DEC },            \
	  { "no_progress_loops", TRACE_DEC })                                  \
	/* Compaction, and each page that moved (Labyrinth's own). */          \
	X(mm_compaction_begin,                                                 \
	  (enum zone_type zone, unsigned int order, bool sync),                \
	  (zone, order, sync), { "zone", TRACE_ZONE }, { "order", TRACE_DEC }, \
	  { "sync", TRACE_DEC })                                               \
	X(mm_compaction_end, (enum zone_type zone, unsigned long moved),       \
	  (zone, moved), { "zone", TRACE_ZONE }, { "nr_migrated", TRACE_DEC }) \
	X(mm_migrate_page, (unsigned long pfn, unsigned long to), (pfn, to),   \
	  { "pfn", TRACE_HEX }, { "new_pfn", TRACE_HEX })                      \
	/* The OOM killer. */                                                  \
	X(oom_begin, (unsigned int order, gfp_t gfp), (order, gfp),            \
	  { "order", TRACE_DEC }, { "gfp_flags", TRACE_GFP })                  \
	X(mark_victim, (uint64_t owner, unsigned long points, int adj),        \
	  (owner, points, (uint64_t)adj), { "owner", TRACE_OWNER },            \
	  { "points", TRACE_DEC }, { "oom_score_adj", TRACE_DEC })             \
	/* Exclusive pages: each arrow of mm/exclusive/exclusive.c. */         \
	X(mm_exclusive_park, (unsigned long pfn), (pfn), { "pfn", TRACE_HEX }) \
	X(mm_exclusive_unpark, (unsigned long pfn), (pfn),                     \
	  { "pfn", TRACE_HEX })                                                \
	X(mm_exclusive_take, (unsigned long pfn, unsigned int index),          \
	  (pfn, index), { "pfn", TRACE_HEX }, { "index", TRACE_DEC })          \
	X(mm_exclusive_empty, (unsigned long parked), (parked),                \
	  { "parked", TRACE_DEC })                                             \
	X(mm_exclusive_release, (unsigned long pfn), (pfn),                    \
	  { "pfn", TRACE_HEX })                                                \
	X(mm_exclusive_transfer,                                               \
	  (unsigned long pfn, uint64_t from, uint64_t receiver),               \
	  (pfn, from, receiver), { "pfn", TRACE_HEX },                         \
	  { "from", TRACE_OWNER }, { "to", TRACE_OWNER })                      \
	X(mm_exclusive_accept, (unsigned long pfn, unsigned int index),        \
	  (pfn, index), { "pfn", TRACE_HEX }, { "index", TRACE_DEC })          \
	X(mm_exclusive_cancel, (unsigned long pfn, unsigned int index),        \
	  (pfn, index), { "pfn", TRACE_HEX }, { "index", TRACE_DEC })

#define TRACE_ENUM(name, ...) TRACE_##name,
enum trace_event {
	TRACE_EVENTS(TRACE_ENUM) TRACE_EVENT_COUNT
};
#undef TRACE_ENUM

#define TRACE_ALL  ((uint32_t)((1ULL << TRACE_EVENT_COUNT) - 1))
#define TRACE_ARGS 5

static_assert(TRACE_EVENT_COUNT <= 32, "trace->enabled has 32 bits");

/* Where it happened: bits of trace_record.context, and the preemption depth. */
#define TRACE_IRQS_OFF 0x100
#define TRACE_SOFTIRQ  0x200
#define TRACE_HARDIRQ  0x400
#define TRACE_NMI      0x800

struct trace_record {
	uint64_t state; /* trace.c: which record this is, and whole? */
	/* Microseconds since boot, for nine years. */
	uint64_t time    : 48;
	uint64_t context : 16; /* TRACE_IRQS_OFF ..., low byte: preemption */
	uint64_t owner   : 48; /* who ran: owner_name(); 0 in an NMI */
	uint64_t event   : 8;  /* enum trace_event */
	uint64_t cpu     : 8;  /* number */
	uint64_t argument[TRACE_ARGS];
};

static_assert(sizeof(struct trace_record) == 64, "docs say so");

struct trace {
	uint32_t enabled; /* bit N: event N is recorded */
	uint32_t writers; /* atomic: calls of trace_write() going on */
	uint64_t next;    /* atomic: number of the next record */
	uint64_t first;   /* number of the first one behind trace_clear() */
	uint64_t count;   /* of records in the ring, a power of two; 0: none */
	struct trace_record *records;
};

/* COUNT records (a power of two) at RECORDS are the ring; all events are off.
 * RECORDS is zeroed. */
void trace_init(struct trace *trace, struct trace_record *records,
                uint64_t count);

/* Records for a machine of PAGES pages: 1/1024 of its memory, rounded down to a
 * power of two, 16 KiB..1 MiB. */
uint64_t trace_records_wanted(unsigned long pages);

/* From now on the events of MASK are recorded and no others.  0, or -ENODEV:
 * there is no ring. */
__must_check int trace_enable(struct trace *trace, uint32_t mask);

/* Forget all records; the numbers continue.  Thread context. */
void trace_clear(struct trace *trace);

/* For the functions below. */
void trace_write(struct trace *trace, enum trace_event event,
                 const uint64_t *argument);

static inline bool trace_is_on(const struct trace *trace,
                               enum trace_event event)
{
	return (READ_ONCE(trace->enabled) & (1U << event)) != 0;
}

#define TRACE_OPEN(...)  __VA_ARGS__
#define TRACE_TAKES(...) struct trace *trace, __VA_ARGS__
#define TRACE_FUNCTION(name, arguments, values, ...)                           \
	static inline void trace_##name(TRACE_TAKES arguments)                 \
	{                                                                      \
		if (trace_is_on(trace, TRACE_##name))                          \
			trace_write(trace, TRACE_##name,                       \
			            (const uint64_t[TRACE_ARGS]){              \
					    TRACE_OPEN values });              \
	}
TRACE_EVENTS(TRACE_FUNCTION)
#undef TRACE_FUNCTION

/* ---- Reading ------------------------------------------------------------- */

/*
 * A reader goes from one number to the next and takes nothing away from other
 * readers.  Records that were overwritten before it read them are counted.
 */
struct trace_reader {
	const struct trace *trace;
	uint64_t next; /* number of the record it reads next */
	uint64_t lost; /* records it missed, all in all */
};

enum trace_answer {
	TRACE_GOT,     /* a record, and its number */
	TRACE_LOST,    /* some were overwritten */
	TRACE_NOTHING, /* no more, for now */
};

/* Begin with the last LAST records; with the oldest for UINT64_MAX. */
void trace_read_begin(struct trace_reader *reader, const struct trace *trace,
                      uint64_t last);

/* Read the next record.  TRACE_LOST: *NUMBER and *COUNT name the lost ones.  Any
 * context; each reader belongs to one thread. */
enum trace_answer trace_read(struct trace_reader *reader,
                             struct trace_record *record, uint64_t *number,
                             uint64_t *count);

/* ---- Names and lines ----------------------------------------------------- */

const char *trace_event_name(enum trace_event event);

/* The event of that name, or else those whose names begin so, as a mask; 0:
 * none. */
uint32_t trace_events_like(const char *name);

/* A line in the shape of Linux's trace, without newline.  Returns BUFFER. */
const char *trace_format(char *buffer, size_t size,
                         const struct trace_record *record);

/* A JSON object, without newline: docs/11-tracing-and-fault-injection.md. */
const char *trace_format_json(char *buffer, size_t size, uint64_t number,
                              const struct trace_record *record);

/* The longest line of the two. */
#define TRACE_LINE_MAX 320

#endif
