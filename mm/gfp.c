/* SPDX-License-Identifier: MIT */
/*
 * mm/gfp.c -- from a mask to a decision.
 *
 * A request is decided once, here, and then acted upon elsewhere:
 *
 *	mask, order, context  --gfp_decode()-->  struct alloc_request
 *
 * No other file tests a bit of a mask.  The rights follow Linux's
 * gfp_to_alloc_flags() and __gfp_pfmemalloc_flags() (mm/page_alloc.c):
 *
 *	__GFP_HIGH                        half of min
 *	__GFP_HIGH, cannot wait           and a quarter of the rest, and for large
 *	                                  blocks the HIGHATOMIC reserve
 *	  ... with __GFP_NOMEMALLOC       neither, half stays
 *	cannot wait                       no discount, but HIGHATOMIC pages count
 *	__GFP_MEMALLOC, PF_MEMALLOC       on the last pass: everything
 *	  ... with __GFP_NOMEMALLOC       nothing: it beats both
 *	PF_MEMALLOC in a hard interrupt   does not count
 *	an OOM victim                     on the last pass: half of min instead
 *	  ... with __GFP_NOMEMALLOC       what it had
 *
 * All functions but gfp_context() are pure.
 */
#include "mm/gfp.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/format.h"

enum gfp_status {
	WORKS,
	LATER,
	KEPT,
	NOTHING,
};

/* All flags with STATUS, as one mask: a constant. */
static inline gfp_t flags_with(enum gfp_status status)
{
	gfp_t all = 0;

#define GFP_WITH(name, mask, its_status, meaning)                              \
	all |= (its_status) == status ? (gfp_t)(mask) : 0;

	GFP_FLAGS(GFP_WITH)
#undef GFP_WITH
	return all;
}

bool gfp_is_exclusive(gfp_t mask)
{
	return (mask & __GFP_EXCLUSIVE) != 0;
}

gfp_t gfp_without_highmem(gfp_t mask)
{
	return mask & ~(gfp_t)__GFP_HIGHMEM;
}

gfp_t gfp_for_exact(gfp_t mask)
{
	return mask & ~(gfp_t)(__GFP_HIGHMEM | __GFP_COMP);
}

gfp_t gfp_for_mempool(gfp_t mask)
{
	return (mask & ~(gfp_t)__GFP_ZERO) | __GFP_NOMEMALLOC | __GFP_NORETRY |
	       __GFP_NOWARN;
}

bool gfp_is_nofail(gfp_t mask)
{
	return (mask & __GFP_NOFAIL) != 0;
}

bool gfp_is_highmem(gfp_t mask)
{
	return (mask & __GFP_HIGHMEM) != 0;
}

bool gfp_may_fs(gfp_t mask)
{
	return (mask & __GFP_FS) != 0;
}

bool gfp_may_io(gfp_t mask)
{
	return (mask & __GFP_IO) != 0;
}

bool gfp_is_silent(gfp_t mask)
{
	return (mask & __GFP_NOWARN) != 0;
}

/* Linux's current_gfp_context().  An interrupt on top of a thread has no scope. */
gfp_t gfp_in_scope(gfp_t mask, const struct alloc_context *context)
{
	if (context->in_interrupt)
		return mask;
	if (context->noio)
		return mask & ~(gfp_t)(__GFP_IO | __GFP_FS);
	if (context->nofs)
		return mask & ~(gfp_t)__GFP_FS;
	return mask;
}

struct alloc_context gfp_context(void)
{
	const struct thread *thread = current_thread();

	return (struct alloc_context){
		.can_sleep = may_sleep_here(),
		.in_interrupt = in_hardirq(),
		.in_nmi = in_nmi(),
		.memalloc = thread != NULL &&
		            thread_has_flags(thread, THREAD_MEMALLOC),
		.noio = thread != NULL &&
		        thread_has_flags(thread, THREAD_MEMALLOC_NOIO),
		.nofs = thread != NULL &&
		        thread_has_flags(thread, THREAD_MEMALLOC_NOFS),
	};
}

/* The flags that EXCLUSIVE cannot be combined with, and why. */
static const struct {
	gfp_t mask;
	const char *why;
} exclusive_conflict[] = {
	{ __GFP_MOVABLE, "an exclusive page is never migrated" },
	{ __GFP_RECLAIMABLE, "an exclusive page is never reclaimed" },
	{ __GFP_COMP, "an exclusive page is a single page" },
	{ __GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM,
	  "the parked pool is not sorted by zone" },
	{ __GFP_MEMALLOC | __GFP_NOMEMALLOC,
	  "the parked pool has its own reserve right" },
	{ __GFP_NOFAIL, "an owner's window can be full" },
};

/* NULL, or why an exclusive request is refused; the blamed flags in *BLAMED. */
static const char *exclusive_refusal(gfp_t mask, unsigned int order,
                                     gfp_t *blamed)
{
	kassert(gfp_is_exclusive(mask));
	for (size_t i = 0; i < ARRAY_SIZE(exclusive_conflict); i++) {
		gfp_t both = mask & exclusive_conflict[i].mask;

		if (both != 0) {
			*blamed = both | __GFP_EXCLUSIVE;
			return exclusive_conflict[i].why;
		}
	}
	*blamed = __GFP_EXCLUSIVE;
	return order > 0 ? "an exclusive page is of order 0" : NULL;
}

/* Has the mask only flags that mask_refusal() never blames? */
static bool mask_is_plain(gfp_t mask)
{
	return (mask & ~(flags_with(WORKS) | flags_with(KEPT))) == 0 &&
	       !(mask & (GFP_ZONEMASK | __GFP_MOVABLE | __GFP_RECLAIMABLE |
	                 __GFP_EXCLUSIVE));
}

/* NULL, or why the mask is refused; the blamed flags in *BLAMED. */
static const char *mask_refusal(gfp_t mask, unsigned int order, gfp_t *blamed)
{
	bool bad_zone;

	*blamed = mask & ~(flags_with(WORKS) | flags_with(LATER) |
	                   flags_with(KEPT) | flags_with(NOTHING));
	if (*blamed != 0)
		return "no such flag";
	*blamed = mask & flags_with(LATER);
	if (*blamed != 0)
		return "not supported yet";
	*blamed = mask & flags_with(NOTHING);
	if (*blamed != 0)
		return "means nothing on this machine";
	gfp_zone(mask, &bad_zone);
	*blamed = mask & GFP_ZONEMASK;
	if (bad_zone)
		return "more than one zone";
	*blamed = mask & (__GFP_MOVABLE | __GFP_RECLAIMABLE);
	if (*blamed == (__GFP_MOVABLE | __GFP_RECLAIMABLE))
		return "a page is movable or reclaimable, not both";
	if (mask & __GFP_EXCLUSIVE)
		return exclusive_refusal(mask, order, blamed);
	return NULL;
}

static enum reserve_right mask_right(gfp_t mask)
{
	bool plain = (mask & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC)) != 0;

	if (!(mask & __GFP_HIGH))
		return plain ? RESERVE_NONE : RESERVE_NOWAIT;
	return plain ? RESERVE_HALF : RESERVE_ATOMIC;
}

static bool is_in_reclaim(const struct alloc_context *context)
{
	return context->memalloc && !context->in_interrupt;
}

static enum reserve_right mask_last_right(gfp_t mask,
                                          const struct alloc_context *context)
{
	bool memalloc = (mask & __GFP_MEMALLOC) || is_in_reclaim(context);

	if (memalloc && !(mask & __GFP_NOMEMALLOC))
		return RESERVE_ALL;
	return mask_right(mask);
}

/* The right of an OOM victim replaces what it had, unless that is all. */
static enum reserve_right mask_victim_right(gfp_t mask,
                                            const struct alloc_context *context)
{
	enum reserve_right right = mask_last_right(mask, context);

	if (right == RESERVE_ALL || (mask & __GFP_NOMEMALLOC))
		return right;
	return RESERVE_VICTIM;
}

/* Linux's __alloc_pages_may_oom(), without its conditions on the machine. */
static bool mask_may_kill(gfp_t mask, unsigned int order,
                          enum zone_type highest)
{
	return order <= PAGE_ALLOC_COSTLY_ORDER &&
	       !(mask & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)) &&
	       highest >= ZONE_NORMAL;
}

static void fill_request(struct alloc_request *request, gfp_t mask,
                         unsigned int order,
                         const struct alloc_context *context)
{
	enum zone_type highest;
	bool bad_zone;

	mask = gfp_in_scope(mask, context);
	highest = gfp_zone(mask, &bad_zone);
	*request = (struct alloc_request){
		.gfp = mask,
		.order = order,
		.highest_zone = highest,
		.migratetype = gfp_migratetype(mask),
		.right = mask_right(mask),
		.last_right = mask_last_right(mask, context),
		.victim_right = mask_victim_right(mask, context),
		.in_reclaim = is_in_reclaim(context),
		.may_kill = mask_may_kill(mask, order, highest),
	};
}

/* The rights of a legal request. */
static void gfp_assert_rights(const struct alloc_request *request,
                              const struct alloc_context *context)
{
	bool all = request->last_right == RESERVE_ALL;

	kassert(request->last_right >= request->right);
	kassert(!request->may_sleep || request->right != RESERVE_ATOMIC);
	kassert(!all || !request->spare_reserve);
	kassert(!all || !context->in_interrupt ||
	        (request->gfp & __GFP_MEMALLOC));
}

/* Its other properties that the allocator relies on. */
static void gfp_assert_sound(const struct alloc_request *request,
                             const struct alloc_context *context)
{
	bool bad_zone;

	kassert(gfp_zone(request->gfp, &bad_zone) < ZONE_COUNT && !bad_zone);
	kassert(!context->in_nmi);
	kassert(request->order <= MAX_ORDER);
	kassert(!request->exclusive || request->order == 0);
	kassert(!request->may_sleep || context->can_sleep);
	gfp_assert_rights(request, context);
}

/* False, and why in WHY: the mask is refused.  Apart, for the room on the stack. */
static __noinline bool mask_is_accepted(gfp_t mask, unsigned int order,
                                        char *why, size_t size)
{
	char blamed_names[160];
	gfp_t blamed;
	const char *refusal = mask_refusal(mask, order, &blamed);

	kassert(!mask_is_plain(mask) || refusal == NULL);
	if (refusal == NULL)
		return true;
	gfp_format_flags(blamed_names, sizeof(blamed_names), blamed);
	scnprintf(why, size, "%s: %s", blamed_names, refusal);
	return false;
}

enum gfp_verdict gfp_decode(gfp_t mask, unsigned int order,
                            const struct alloc_context *context,
                            struct alloc_request *request, char *why,
                            size_t size)
{
	kassert(size > 0);
	fill_request(request, mask, order, context);
	why[0] = '\0';
	if (context->in_nmi) {
		scnprintf(why, size, "the allocator is closed in an NMI");
		return GFP_IN_NMI;
	}
	if (order > MAX_ORDER) {
		scnprintf(why, size, "order %u is above %u", order,
		          (unsigned int)MAX_ORDER);
		return GFP_TOO_LARGE;
	}
	if (!mask_is_plain(mask) && !mask_is_accepted(mask, order, why, size))
		return GFP_REFUSED;
	if (request->may_sleep && !context->can_sleep) {
		scnprintf(why, size,
		          "__GFP_DIRECT_RECLAIM: "
		          "the caller cannot sleep here");
		return GFP_MUST_SLEEP;
	}
	gfp_assert_sound(request, context);
	return GFP_OK;
}
