/* SPDX-License-Identifier: MIT */
/*
 * mm/gfp.h -- the flags of a request.
 *
 * A gfp mask is a set of rights and wishes.  The table below is the only place
 * where a flag is defined; the constants, the printed names and the shell's
 * parser come from it.  gfp_decode() is the only function that tests the
 * bits of a mask: it turns mask, order and the caller's context into a struct
 * alloc_request, or names what is wrong.
 *
 * Bits and meanings are Linux's (6.12, include/linux/gfp_types.h) for bits
 * 0..23; __GFP_EXCLUSIVE is Labyrinth's own.
 */
#ifndef MM_GFP_H
#define MM_GFP_H

#include "lib/types.h"

typedef uint32_t gfp_t;

/*
 * X(name, bit mask, status, meaning)
 *
 *	WORKS	decoded and acted upon
 *	LATER	a request with it is refused by name: its feature does not exist
 *		yet
 *	KEPT	accepted: on this machine the promise cannot be broken
 *	NOTHING	means nothing on this machine; refused by name, or, where the
 *		mask is 0 as in Linux without the feature, not even visible
 */
#define GFP_FLAGS(X)                                                           \
	X(DMA, 0x1, WORKS, "from ZONE_DMA: below 16 MiB")                      \
	X(HIGHMEM, 0x2, WORKS,                                                 \
	  "no high memory on x86_64; with MOVABLE: from ZONE_MOVABLE")         \
	X(DMA32, 0x4, WORKS, "from ZONE_DMA32 or below: below 4 GiB")          \
	X(MOVABLE, 0x8, WORKS, "the page can be migrated")                     \
	X(RECLAIMABLE, 0x10, WORKS, "the page can be reclaimed by a shrinker") \
	X(HIGH, 0x20, WORKS, "high priority: may use half of the reserve")     \
	X(IO, 0x40, WORKS, "reclaim may start I/O")                            \
	X(FS, 0x80, WORKS, "reclaim may call into file systems")               \
	X(ZERO, 0x100, WORKS, "zeroed memory")                                 \
	X(DIRECT_RECLAIM, 0x400, WORKS, "may sleep and reclaim by itself")     \
	X(KSWAPD_RECLAIM, 0x800, WORKS, "may wake kswapd")                     \
	X(WRITE, 0x1000, WORKS,                                                \
	  "will be dirtied: no fast pass on a node with too many dirty pages") \
	X(NOWARN, 0x2000, WORKS, "no report on failure")                       \
	X(RETRY_MAYFAIL, 0x4000, WORKS, "try hard, kill no thread, then fail") \
	X(NOFAIL, 0x8000, WORKS, "never fail: wait forever")                   \
	X(NORETRY, 0x10000, WORKS, "one round of reclaim, then fail")          \
	X(MEMALLOC, 0x20000, WORKS, "no watermark: about to free memory")      \
	X(COMP, 0x40000, WORKS, "a compound page")                             \
	X(NOMEMALLOC, 0x80000, WORKS, "no access to the MEMALLOC reserve")     \
	X(HARDWALL, 0x100000, KEPT,                                            \
	  "enforce the cpuset: there is one, of all memory")                   \
	X(THISNODE, 0x200000, WORKS,                                           \
	  "no other NUMA node (there is none), and kill nobody")               \
	X(ACCOUNT, 0x400000, LATER, "charge to the memory cgroup")             \
	X(ZEROTAGS, 0x800000, NOTHING, "zero the memory tags: no tags on x86") \
	X(SKIP_ZERO, 0x0, NOTHING, "skip zeroing: needs hardware tags")        \
	X(SKIP_KASAN, 0x0, NOTHING, "skip KASAN tags: needs hardware tags")    \
	X(NOLOCKDEP, 0x0, NOTHING, "no reclaim-lock tracking: no lockdep")     \
	X(NO_OBJ_EXT, 0x0, NOTHING, "no slab object extension: not built")     \
	X(EXCLUSIVE, 0x10000000, WORKS,                                        \
	  "one page that only its owner can reach (Labyrinth)")

#define GFP_ENUM(name, mask, status, meaning) __GFP_##name = (mask),
enum gfp_flag {
	GFP_FLAGS(GFP_ENUM)
};
#undef GFP_ENUM

#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)

/* X(name, mask, meaning): Linux's composites. */
#define GFP_COMPOSITES(X)                                                      \
	X(ATOMIC, __GFP_HIGH | __GFP_KSWAPD_RECLAIM,                           \
	  "cannot wait, may use the atomic reserve")                           \
	X(NOWAIT, __GFP_KSWAPD_RECLAIM | __GFP_NOWARN, "cannot wait")          \
	X(NOIO, __GFP_RECLAIM, "may wait, starts no I/O")                      \
	X(NOFS, __GFP_RECLAIM | __GFP_IO, "may wait, calls no file system")    \
	X(KERNEL, __GFP_RECLAIM | __GFP_IO | __GFP_FS, "may do all of it")     \
	X(KERNEL_ACCOUNT, GFP_KERNEL | __GFP_ACCOUNT, "and is charged")        \
	X(USER, GFP_KERNEL | __GFP_HARDWALL, "for a process")                  \
	X(DMA, __GFP_DMA, "ZONE_DMA; or in a KERNEL or ATOMIC")                \
	X(DMA32, __GFP_DMA32, "ZONE_DMA32; or in a KERNEL or ATOMIC")          \
	X(HIGHUSER, GFP_USER | __GFP_HIGHMEM, "for a process, unmapped")       \
	X(HIGHUSER_MOVABLE, GFP_HIGHUSER | __GFP_MOVABLE,                      \
	  "for a process, unmapped and movable")                               \
	X(TRANSHUGE_LIGHT,                                                     \
	  (GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC |              \
	   __GFP_NOWARN) &                                                     \
	          ~__GFP_RECLAIM,                                              \
	  "a huge page, without waiting")                                      \
	X(TRANSHUGE, GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM, "a huge page")

#define GFP_ENUM(name, mask, meaning) GFP_##name = (mask),
enum gfp_composite {
	GFP_COMPOSITES(GFP_ENUM)
};
#undef GFP_ENUM

static_assert(GFP_ATOMIC == 0x820 && GFP_NOWAIT == 0x2800, "Linux's values");
static_assert(GFP_KERNEL == 0xcc0 && GFP_NOFS == 0xc40, "Linux's values");
static_assert(GFP_TRANSHUGE == 0x1c24ca, "Linux's values");

/* The largest block: 2^10 frames, 4 MiB. */
#define MAX_ORDER               10

/* Orders above it are costly: no thread is killed for them, and they may fail. */
#define PAGE_ALLOC_COSTLY_ORDER 3

enum zone_type {
	ZONE_DMA,
	ZONE_DMA32,
	ZONE_NORMAL,
	ZONE_MOVABLE,
	ZONE_COUNT,
};

/* The kind of pages that a request and a pageblock are for: mm/pageblock.h. */
enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_MOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_PCPTYPES, /* a request is for one of those above */
	MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
	MIGRATE_CMA,     /* for movable pages, until cma_alloc() wants it */
	MIGRATE_ISOLATE, /* no request gets its pages: mm/contig/ */
	MIGRATE_TYPES,
};

/*
 * How far below the MIN mark a request may go; watermark_floor() has the
 * arithmetic.
 */
enum reserve_right {
	RESERVE_NONE,   /* not at all, and HIGHATOMIC pages do not count */
	RESERVE_NOWAIT, /* not at all, but they do: it cannot wait */
	RESERVE_HALF,   /* __GFP_HIGH: half of min */
	RESERVE_VICTIM, /* of the OOM killer: the same, and HIGHATOMIC blocks */
	RESERVE_ATOMIC, /* __GFP_HIGH and cannot wait: another quarter */
	RESERVE_ALL,    /* no floor */
};

/* The caller: gfp_context() fills it in from the machine, tests by hand. */
struct alloc_context {
	bool can_sleep;    /* a thread, preemption and interrupts on */
	bool in_interrupt; /* hard interrupt */
	bool in_nmi;
	bool memalloc; /* a thread with THREAD_MEMALLOC (PF_MEMALLOC) */
	bool noio;     /* inside memalloc_noio_save() .. restore() */
	bool nofs;     /* inside memalloc_nofs_save() .. restore() */
};

/*
 * A mask, decoded: after gfp_decode() no code tests gfp again.  A single bit is
 * read where it lies, by name.
 */
struct alloc_request {
	union {
		gfp_t gfp; /* without what a scope takes away */
		struct {
			gfp_t       : 6;
			bool may_io : 1; /* reclaim may write; compaction */
			bool may_fs : 1; /* reclaim may enter a file system */
			bool zero   : 1;
			gfp_t       : 1;
			bool may_sleep     : 1; /* DIRECT_RECLAIM */
			bool wake_kswapd   : 1;
			bool will_write    : 1; /* WRITE */
			bool silent        : 1; /* NOWARN: no report */
			bool retry_costly  : 1; /* RETRY_MAYFAIL: orders > 3 */
			bool never_fail    : 1; /* NOFAIL */
			bool one_round     : 1; /* NORETRY */
			gfp_t              : 1;
			bool compound      : 1;
			bool spare_reserve : 1; /* NOMEMALLOC */
			gfp_t              : 1;
			bool only_here     : 1; /* THISNODE */
			gfp_t              : 6;
			bool exclusive     : 1;
		};
	};
	unsigned int order;
	enum zone_type highest_zone;
	enum migratetype migratetype;
	enum reserve_right right;      /* at the MIN mark, first pass */
	enum reserve_right last_right; /* at the MIN mark, second pass */
	/* Replaces last_right for an OOM victim. */
	enum reserve_right victim_right;
	bool in_reclaim; /* PF_MEMALLOC: it may not reclaim once more */
	bool may_kill;   /* the OOM killer may be called for it */
};

/* The results of gfp_decode().  Only a GFP_OK request may continue. */
enum gfp_verdict {
	GFP_OK,
	GFP_REFUSED,    /* the mask contradicts itself or is not supported */
	GFP_TOO_LARGE,  /* order above MAX_ORDER */
	GFP_MUST_SLEEP, /* DIRECT_RECLAIM where the caller cannot sleep */
	GFP_IN_NMI,     /* no entry of the allocator works in an NMI */
};

/*
 * Decode MASK for 2^ORDER pages asked for in CONTEXT.  If the verdict is not
 * GFP_OK, WHY (SIZE bytes) holds the reason with the names of the flags that
 * are to blame, and *REQUEST holds what was decoded so far.  Pure.
 */
__must_check enum gfp_verdict gfp_decode(gfp_t mask, unsigned int order,
                                         const struct alloc_context *context,
                                         struct alloc_request *request,
                                         char *why, size_t size);

/* The kind of page that MASK, a legal one, requests. */
static inline enum migratetype gfp_migratetype(gfp_t mask)
{
	return (enum migratetype)((mask / __GFP_MOVABLE) & 3);
}

static_assert(__GFP_MOVABLE * MIGRATE_MOVABLE == __GFP_MOVABLE &&
                      __GFP_MOVABLE * MIGRATE_RECLAIMABLE == __GFP_RECLAIMABLE,
              "the bits are the number of the type; both are no type");

/*
 * The shortcut.  A request with these flags alone does not need gfp_decode() if a page
 * is on this CPU's list: in the fast pass they only say which list, whether the page is
 * zeroed, and whether it is compound.  Not hot are zones that a request may not always
 * fall back to, flags that ask the state of the node, those that are refused, and
 * unknown bits.
 */
#define GFP_HOT                                                                \
	(__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE | __GFP_HIGH |      \
	 __GFP_IO | __GFP_FS | __GFP_ZERO | __GFP_RECLAIM | __GFP_NOWARN |     \
	 __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY | __GFP_MEMALLOC | \
	 __GFP_COMP | __GFP_NOMEMALLOC | __GFP_HARDWALL | __GFP_THISNODE)

/* True only if gfp_decode() accepts MASK for every order up to MAX_ORDER, and leaves the
 * mask as it is, in every context without a scope in which the caller may do what MASK
 * allows: be there at all (not in an NMI), and sleep.  Or the mask has two types; then
 * there is no list for it (mm/boot/pcp_setup.c#pcp_set_hot). */
static inline bool gfp_is_hot(gfp_t mask)
{
	return (mask & ~(gfp_t)GFP_HOT) == 0;
}

/* May it sleep, or has it a flag that a scope takes away?  Nothing else depends on the
 * caller. */
static inline bool gfp_hot_needs_thread(gfp_t mask)
{
	return (mask & (__GFP_DIRECT_RECLAIM | __GFP_IO | __GFP_FS)) != 0;
}

/* The bits of a hot mask that say which list: its zone and its type. */
#define GFP_HOT_LIST (__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE)
static inline gfp_t gfp_hot_list(gfp_t mask)
{
	return mask & GFP_HOT_LIST;
}

/* Of a hot mask: the highest zone; shall the page be compound, and zeroed? */
static inline enum zone_type gfp_hot_zone(gfp_t mask)
{
	const gfp_t both = __GFP_HIGHMEM | __GFP_MOVABLE;

	return (mask & both) == both ? ZONE_MOVABLE : ZONE_NORMAL;
}

static inline bool gfp_is_compound(gfp_t mask)
{
	return (mask & __GFP_COMP) != 0;
}

static inline bool gfp_wants_zeroes(gfp_t mask)
{
	return (mask & __GFP_ZERO) != 0;
}

/*
 * For the front door's calls by address: is an exclusive page asked for; the
 * mask without HIGHMEM, which __get_free_pages() takes away as Linux does; and
 * without HIGHMEM and COMP, which alloc_pages_exact() takes away and reports.
 */
bool gfp_is_exclusive(gfp_t mask);
gfp_t gfp_without_highmem(gfp_t mask);
gfp_t gfp_for_exact(gfp_t mask);

/* MASK as the scopes of CONTEXT leave it: NOIO takes IO and FS, NOFS takes FS. */
gfp_t gfp_in_scope(gfp_t mask, const struct alloc_context *context);

/* The mask of mempool_alloc()'s requests: without ZERO, and with the flags that keep
 * them short and the last reserve untouched. */
gfp_t gfp_for_mempool(gfp_t mask);

/* DIRECT_RECLAIM: may the caller sleep? */
static inline bool gfpflags_allow_blocking(gfp_t mask)
{
	return (mask & __GFP_DIRECT_RECLAIM) != 0;
}

/* For shrinkers: may a reclaim with MASK enter a file system, start I/O? */
bool gfp_may_fs(gfp_t mask);
bool gfp_may_io(gfp_t mask);

/* For fault injection, which runs before the request is decoded. */
bool gfp_is_nofail(gfp_t mask);
bool gfp_is_highmem(gfp_t mask);
bool gfp_is_silent(gfp_t mask);

/* The caller's context, from the machine.  Any context. */
struct alloc_context gfp_context(void);

#define GFP_ZONEMASK (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)

/*
 * The zone that the four zone bits ask for; *BAD is set for the eight
 * combinations that name more than one of DMA, DMA32 and HIGHMEM.
 */
static inline enum zone_type gfp_zone(gfp_t mask, bool *bad)
{
	gfp_t place = mask & GFP_ZONEMASK;

	*bad = (place & (place - 1)) != 0;
	if (place == 0)
		return ZONE_NORMAL;
	if (*bad || (place & __GFP_DMA))
		return ZONE_DMA;
	if (place & __GFP_DMA32)
		return ZONE_DMA32;
	return (mask & __GFP_MOVABLE) ? ZONE_MOVABLE : ZONE_NORMAL;
}

/*
 * "GFP_ATOMIC|__GFP_ZERO": the largest composite that fits, then single flags,
 * unknown bits in hex; "0" for none.  Returns BUFFER.  Any context.
 */
const char *gfp_format(char *buffer, size_t size, gfp_t mask);

/* As gfp_format(), single flags only. */
const char *gfp_format_flags(char *buffer, size_t size, gfp_t mask);

/*
 * The opposite: names with or without GFP_ or __GFP_, numbers, joined by |,
 * blanks or commas; ~ before a word takes it away.  A bare name that is both
 * (DMA) means the flag.  Returns 0, or -EINVAL with the word at fault in BAD
 * (SIZE bytes).
 */
__must_check int gfp_parse(const char *text, gfp_t *mask, char *bad,
                           size_t size);

/* For completion and help: entry INDEX of all names, NULL beyond the end. */
struct gfp_name {
	const char *name; /* "__GFP_HIGH", "GFP_ATOMIC" */
	gfp_t mask;
	const char *
		status; /* "WORKS", "LATER", "KEPT", "NOTHING"; composites "mask" */
	const char *meaning;
};
const struct gfp_name *gfp_name_at(unsigned int index);

const char *zone_type_name(enum zone_type type);      /* "DMA32" */
const char *migratetype_name(enum migratetype type);  /* "Unmovable" */
const char *reserve_right_name(enum reserve_right r); /* "half of min" */

#endif
