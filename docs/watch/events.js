/* SPDX-License-Identifier: MIT */
/*
 * events.js -- every event kind of the trace: its lane, its fields, what it says.
 *
 * The rows of mm/debug/trace.h's TRACE_EVENTS, in the same order with the same fields;
 * a test compares them, so an event without a place here is noticed.
 */
"use strict";

const LANES = [
  { id: "interrupt", name: "in interrupts", colour: "#9aa3b2" },
  { id: "alloc", name: "allocations", colour: "#5a8fdc" },
  { id: "free", name: "frees", colour: "#7fb069" },
  { id: "object", name: "objects", colour: "#4fb3bf" },
  { id: "refill", name: "refills", colour: "#d98a3a" },
  { id: "handover", name: "hand-overs", colour: "#ff5a4f" },
  { id: "reclaim", name: "reclaim", colour: "#b784d6" },
  { id: "compaction", name: "compaction", colour: "#f2cf6b" },
  { id: "kill", name: "failures, kills", colour: "#ff8fc8" },
];

const EVENTS = [
  ["mm_page_alloc", "alloc", ["pfn", "order", "migratetype", "gfp_flags"],
   "a block was allocated"],
  ["mm_page_free", "free", ["pfn", "order"], "a block was freed"],
  ["mm_page_alloc_fail", "kill", ["order", "gfp_flags"], "a request got NULL"],
  ["fault_injected", "kill", ["order", "gfp_flags"], "NULL, on purpose"],
  ["kmalloc", "object",
   ["call_site", "ptr", "bytes_req", "bytes_alloc", "gfp_flags"],
   "an object was allocated"],
  ["kfree", "object", ["call_site", "ptr"], "it was freed"],
  ["kmem_cache_alloc", "object",
   ["call_site", "ptr", "bytes_req", "bytes_alloc", "gfp_flags"],
   "an object of a cache was allocated"],
  ["kmem_cache_free", "object", ["call_site", "ptr"], "it was freed"],
  ["mm_vmscan_direct_reclaim_begin", "reclaim", ["order", "gfp_flags"],
   "a request reclaims"],
  ["mm_vmscan_direct_reclaim_end", "reclaim", ["nr_reclaimed"], "and ends it"],
  ["mm_vmscan_wakeup_kswapd", "reclaim", ["zone", "order", "gfp_flags"],
   "a request wakes kswapd"],
  ["mm_vmscan_kswapd_wake", "reclaim", ["zone", "order"], "kswapd begins"],
  ["mm_vmscan_kswapd_sleep", "reclaim", ["nr_reclaimed"], "kswapd sleeps"],
  ["mm_vmscan_lru_shrink_inactive", "reclaim",
   ["nr_scanned", "nr_reclaimed", "priority", "file"], "a pass over a list"],
  ["mm_vmscan_write_folio", "reclaim", ["pfn"], "a page is written out"],
  ["reclaim_retry_zone", "reclaim",
   ["zone", "order", "reclaimable", "available", "no_progress_loops"],
   "is another round worth it?"],
  ["mm_compaction_begin", "compaction", ["zone", "order", "sync"],
   "a zone is compacted"],
  ["mm_compaction_end", "compaction", ["zone", "nr_migrated"], "and that ends"],
  ["mm_migrate_page", "compaction", ["pfn", "new_pfn"], "a page moved"],
  ["oom_begin", "kill", ["order", "gfp_flags"], "the OOM killer looks"],
  ["mark_victim", "kill", ["owner", "points", "oom_score_adj"],
   "its victim"],
  ["mm_exclusive_park", "refill", ["pfn"], "a frame is parked"],
  ["mm_exclusive_unpark", "refill", ["pfn"], "a frame leaves the pool"],
  ["mm_exclusive_take", "handover", ["pfn", "index"], "an owner takes a page"],
  ["mm_exclusive_empty", "refill", ["parked"], "a request found none"],
  ["mm_exclusive_release", "handover", ["pfn"], "it gives it back"],
  ["mm_exclusive_transfer", "handover", ["pfn", "from", "to"],
   "it sends it to another owner"],
  ["mm_exclusive_accept", "handover", ["pfn", "index"],
   "which accepts it"],
  ["mm_exclusive_cancel", "handover", ["pfn", "index"],
   "or it takes it back"],
].map(([name, lane, fields, says]) => ({ name, lane, fields, says }));

/* Lines of the stream that are no events: docs/11-tracing-and-fault-injection.md. */
const OTHER_LINES = [
  ["begin", ["records"]],
  ["end", ["sent"]],
  ["lost", ["lost"]],
  ["machine", ["start", "frames"]],
  ["frames", ["pfn", "frames", "order", "kind", "type"]],
  ["sweep", ["since"]],
  ["zone", []],
  ["pool", ["parked", "high"]],
  ["vmstat", []],
  ["owner", []],
].map(([name, fields]) => ({ name, lane: null, fields, says: "" }));

/* A row of a recording has the number of its line's kind in this table. */
const KINDS = [...EVENTS, ...OTHER_LINES];
/* Without a prototype: "constructor" is no event. */
const KIND = Object.assign(Object.create(null),
                           Object.fromEntries(KINDS.map((kind, i) => [kind.name, i])));
const LANE_OF_KIND = Int8Array.from(KINDS, kind =>
  LANES.findIndex(lane => lane.id === kind.lane));

/* How many frames from its first field on a line may be about: 0: none, -1: it has to be
 * looked at. */
const LARGEST_BLOCK = 1024;
const REACH = Int16Array.from(KINDS, ({ name, fields }) =>
  fields[0] !== "pfn" ? 0
    : name === "frames" || fields.includes("new_pfn") ? -1 : LARGEST_BLOCK);

/* Work that has a begin and an end. */
const SPANS = new Map([
  ["mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end"],
  ["mm_vmscan_kswapd_wake", "mm_vmscan_kswapd_sleep"],
  ["mm_compaction_begin", "mm_compaction_end"],
].map(([begin, end]) => [KIND[begin], KIND[end]]));
const SPAN_KINDS = new Set([...SPANS.keys(), ...SPANS.values()]);

const CONTEXTS = ["thread", "irq", "soft", "nmi"];

const HEX_FIELDS = new Set(["pfn", "gfp_flags", "ptr", "call_site"]);

function fieldText(recording, name, value) {
  if (name === "pfn" || name === "new_pfn")
    return "0x" + value.toString(16);
  if (name === "from" || name === "to" || name === "owner")
    return recording.ownerName(value);
  if (name === "zone")
    return ZONES[value] ?? value;
  if (name === "ptr" || name === "call_site")
    return Number.isNaN(value) ? "?" : BigInt.asUintN(64, BigInt(value)).toString(16);
  if (HEX_FIELDS.has(name))
    return "0x" + value.toString(16);
  return String(value);
}
