/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/ -- what the allocator shows of itself, and failures on request.
 *
 *	vmstat.h	event counters (vmstat.c: their names)
 *	trace.h		tracepoints in a ring, any context, no lock
 *	fault_inject.h	allocations that fail on request: fail_page_alloc, fail_nth
 *	show_mem.h	the memory report of a failed request, of a panic
 *
 * The data of all four is a part of the node; none of them takes a lock.
 *
 * This file: the counters, with Linux's names where Linux counts the same.
 *
 * Each counter only grows.  Each CPU has its own, and adds to it with one instruction
 * (kernel/arch/counter.h): from any context, NMI included, and none is lost.  A reading
 * is the sum over the CPUs.
 *
 *	struct vmstat        memory of the caller, one row a CPU
 *	+-----------+        +---------------------------+
 *	| way       |------> | pgalloc_dma, ...    CPU 0 |
 *	| first     |        | pgalloc_dma, ...    CPU 1 |
 *	+-----------+
 *
 * Before there are rows, when one CPU runs, `first` is the row.  It stays in the sum.
 */
#ifndef MM_DEBUG_VMSTAT_H
#define MM_DEBUG_VMSTAT_H

#include "kernel/arch/counter.h"
#include "kernel/core/panic.h"
#include "lib/types.h"

/* X(name, meaning).  pgalloc and pgfree count base pages. */
#define VMSTAT_EVENTS(X)                                                       \
	X(pgalloc_dma, "pages allocated from ZONE_DMA")                        \
	X(pgalloc_dma32, "pages allocated from ZONE_DMA32")                    \
	X(pgalloc_normal, "pages allocated from ZONE_NORMAL")                  \
	X(pgalloc_movable, "pages allocated from ZONE_MOVABLE")                \
	X(pgfree, "pages freed")                                               \
	X(pcp_refill, "pages that went onto a CPU's list from their zone")     \
	X(pcp_drain, "pages that went back")                                   \
	X(freelist_pass, "walks over the zones of a request")                  \
	X(kswapd_wake_request, "times a request woke kswapd")                  \
	X(alloc_fail, "requests that failed for lack of memory")               \
	X(reclaim_retry, "rounds begun because reclaim could still help")      \
	X(compact_stall, "direct compactions")                                 \
	X(compact_success, "of these: gave the block")                         \
	X(compact_fail, "of these: did not")                                   \
	X(compact_retry, "rounds begun because compaction could still help")   \
	X(oom_kill, "threads killed for their memory")                         \
	X(oom_retry, "rounds begun because of a kill by any thread")           \
	X(nofail_retry, "rounds begun because NOFAIL may not fail")            \
	X(alloc_would_wait,                                                    \
	  "of alloc_fail: requests that had the right to wait")                \
	X(alloc_refused, "requests refused: illegal or unsupported mask")      \
	X(alloc_must_not_sleep, "DIRECT_RECLAIM where sleeping is impossible") \
	X(alloc_in_nmi, "entries of the allocator from an NMI, refused")       \
	X(free_refused, "frees refused: double, wrong order, stranger ...")    \
	X(bad_page, "pages found corrupt and leaked")                          \
	X(fault_injected, "requests that failed on purpose")                   \
	X(pswpin, "pages read from swap")                                      \
	X(pswpout, "pages written to swap")                                    \
	X(exclusive_park, "frames parked by a refill")                         \
	X(exclusive_unpark, "frames freed by the pool")                        \
	X(exclusive_block_park, "pageblocks parked as a whole")                \
	X(exclusive_block_unpark, "pageblocks freed by the pool")              \
	X(exclusive_block_break, "pageblocks made single parked frames")       \
	X(exclusive_take, "exclusive pages taken")                             \
	X(exclusive_empty, "takes that found no frame within reach")           \
	X(exclusive_elsewhere, "of these: frames were on other CPUs' stacks")  \
	X(exclusive_window_full, "takes and accepts that found no entry")      \
	X(exclusive_release, "exclusive pages released")                       \
	X(exclusive_transfer, "hand-overs begun")                              \
	X(exclusive_accept, "hand-overs completed")                            \
	X(exclusive_cancel, "hand-overs taken back")                           \
	X(exclusive_refused, "calls on exclusive pages refused")               \
	X(exclusive_wake, "wake-ups of the refiller")                          \
	X(exclusive_fault, "faults on exclusive pages by others")              \
	X(pgscan_kswapd, "pages that kswapd scanned")                          \
	X(pgscan_direct, "pages that direct reclaim scanned")                  \
	X(pgscan_direct_throttle, "times direct reclaim was throttled")        \
	X(pgscan_anon, "of both: anonymous pages")                             \
	X(pgscan_file, "of both: pages of files")                              \
	X(pgsteal_kswapd, "pages that kswapd reclaimed")                       \
	X(pgsteal_direct, "pages that direct reclaim reclaimed")               \
	X(pgsteal_anon, "of both: anonymous pages")                            \
	X(pgsteal_file, "of both: pages of files")                             \
	X(pgrefill, "pages of active lists scanned")                           \
	X(pgactivate, "pages to an active list")                               \
	X(pgdeactivate, "pages from an active list to an inactive one")        \
	X(pgrotated, "pages to the back of a list when they were written")     \
	X(nr_vmscan_write, "pages that reclaim began to write")                \
	X(nr_vmscan_immediate_reclaim, "dirty pages left for kswapd")          \
	X(reclaim_fs, "times reclaim entered a file system")                   \
	X(reclaim_fs_nofs, "of these: for a caller without FS, so never")      \
	X(reclaim_nofs_skipped, "times it was kept out for want of FS")        \
	X(reclaim_io, "requests to disks that direct reclaim began")           \
	X(reclaim_io_noio, "of these: for a caller without IO, so never")      \
	X(dirty_throttle, "times a writer waited for the disk")                \
	X(flusher_wake, "times the flusher was called")                        \
	X(flusher_write, "pages that the flusher began to write")              \
	X(pgmigrate_success, "pages that moved to another frame")              \
	X(pgmigrate_fail, "pages that should have and did not")                \
	X(cma_alloc_success, "requests to CMA areas that got pages")           \
	X(cma_alloc_fail, "and those that did not")                            \
	X(compact_migrate_scanned, "frames looked at for pages to move")       \
	X(compact_free_scanned, "frames looked at for room")                   \
	X(compact_isolated, "pages that compaction took in hand")              \
	X(compact_daemon_wake, "runs of kcompactd for an order")               \
	X(compact_daemon_migrate_scanned, "of the first: by kcompactd")        \
	X(compact_daemon_free_scanned, "of the second: by kcompactd")          \
	X(slabs_scanned, "objects that shrinkers were asked to scan")          \
	X(pageoutrun, "runs of kswapd")                                        \
	X(kswapd_low_wmark_hit_quickly, "times kswapd was woken from a nap")   \
	X(kswapd_high_wmark_hit_quickly, "times kswapd could not even nap")    \
	X(allocstall_dma, "direct reclaims for ZONE_DMA")                      \
	X(allocstall_dma32, "direct reclaims for ZONE_DMA32")                  \
	X(allocstall_normal, "direct reclaims for ZONE_NORMAL")                \
	X(allocstall_movable, "direct reclaims for ZONE_MOVABLE")              \
	X(direct_map_level2_splits, "2 MiB entries split")                     \
	X(direct_map_level2_joins, "2 MiB entries merged again")

#define VMSTAT_ENUM(name, meaning) VMSTAT_##name,
enum vmstat_event {
	VMSTAT_EVENTS(VMSTAT_ENUM) VMSTAT_COUNT
};
#undef VMSTAT_ENUM

/* pgalloc of a zone. */
#define VMSTAT_PGALLOC(zone_type)                                              \
	((enum vmstat_event)(VMSTAT_pgalloc_dma + (unsigned int)(zone_type)))

/* The counters of one CPU. */
struct vmstat_row {
	unsigned long count[COUNTER_ROW];
};

static_assert(VMSTAT_COUNT <= COUNTER_ROW, "a row has room for all");

struct vmstat {
	unsigned long *way;     /* to this CPU's row: arch_counter_way() */
	struct vmstat_row *row; /* NULL: none but `first` */
	unsigned int cpus;      /* rows at `row` */
	unsigned long first[VMSTAT_COUNT];
};

/* All are 0, and there is one CPU. */
void vmstat_init(struct vmstat *stat);

/* From now on CPUS CPUs count, in as many zeroed ROWS, which stay.  One CPU runs. */
void vmstat_start(struct vmstat *stat, struct vmstat_row *rows,
                  unsigned int cpus);

/* All are 0.  While nobody counts. */
void vmstat_clear(struct vmstat *stat);

/* Any context. */
static inline void vmstat_add(struct vmstat *stat, enum vmstat_event event,
                              unsigned long amount)
{
	kassert(event < VMSTAT_COUNT);
	arch_counter_add(stat->way + event, amount);
}

/* The sum.  Any context. */
unsigned long vmstat_read(const struct vmstat *stat, enum vmstat_event event);

const char *vmstat_name(enum vmstat_event event);
const char *vmstat_meaning(enum vmstat_event event);

#endif
