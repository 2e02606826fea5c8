/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_gfp.c -- what a mask means.
 *
 * The expected numbers stand here a second time, as Linux's documentation has
 * them: a table that is compared with itself proves nothing.
 */
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/gfp.h"
#include "tests/suite.h"

SUITE(gfp);

static const struct alloc_context thread = { .can_sleep = true };
static const struct alloc_context atomic = { 0 };
static const struct alloc_context interrupt = { .in_interrupt = true };
static const struct alloc_context nmi = { .in_nmi = true };
static const struct alloc_context memalloc = { .can_sleep = true,
	                                       .memalloc = true };
static const struct alloc_context interrupt_over_memalloc = {
	.in_interrupt = true,
	.memalloc = true,
};

static char why[256];

static enum gfp_verdict decode(gfp_t mask, unsigned int order,
                               const struct alloc_context *context,
                               struct alloc_request *request)
{
	return gfp_decode(mask, order, context, request, why, sizeof(why));
}

/* Does the reason of the last refusal contain TEXT? */
static bool why_says(const char *text)
{
	size_t length = strlen(text);

	for (const char *at = why; *at != '\0'; at++) {
		if (strncmp(at, text, length) == 0)
			return true;
	}
	return false;
}

/* ---- Bits ---------------------------------------------------------------- */

struct value {
	const char *name;
	gfp_t mask;
	gfp_t expected;
};

#define FLAG(flag, expected)                                                   \
	{                                                                      \
		"__GFP_" #flag, __GFP_##flag, expected                         \
	}
#define MASK(mask, expected)                                                   \
	{                                                                      \
		"GFP_" #mask, GFP_##mask, expected                             \
	}

static const struct value flags[] = {
	FLAG(DMA, 0x1),
	FLAG(HIGHMEM, 0x2),
	FLAG(DMA32, 0x4),
	FLAG(MOVABLE, 0x8),
	FLAG(RECLAIMABLE, 0x10),
	FLAG(HIGH, 0x20),
	FLAG(IO, 0x40),
	FLAG(FS, 0x80),
	FLAG(ZERO, 0x100),
	FLAG(DIRECT_RECLAIM, 0x400),
	FLAG(KSWAPD_RECLAIM, 0x800),
	FLAG(WRITE, 0x1000),
	FLAG(NOWARN, 0x2000),
	FLAG(RETRY_MAYFAIL, 0x4000),
	FLAG(NOFAIL, 0x8000),
	FLAG(NORETRY, 0x10000),
	FLAG(MEMALLOC, 0x20000),
	FLAG(COMP, 0x40000),
	FLAG(NOMEMALLOC, 0x80000),
	FLAG(HARDWALL, 0x100000),
	FLAG(THISNODE, 0x200000),
	FLAG(ACCOUNT, 0x400000),
	FLAG(ZEROTAGS, 0x800000),
	FLAG(SKIP_ZERO, 0),
	FLAG(SKIP_KASAN, 0),
	FLAG(NOLOCKDEP, 0),
	FLAG(NO_OBJ_EXT, 0),
};

static const struct value composites[] = {
	MASK(ATOMIC, 0x820),
	MASK(NOWAIT, 0x2800),
	MASK(NOIO, 0xc00),
	MASK(NOFS, 0xc40),
	MASK(KERNEL, 0xcc0),
	MASK(KERNEL_ACCOUNT, 0x400cc0),
	MASK(USER, 0x100cc0),
	MASK(DMA, 0x1),
	MASK(DMA32, 0x4),
	MASK(HIGHUSER, 0x100cc2),
	MASK(HIGHUSER_MOVABLE, 0x100cca),
	MASK(TRANSHUGE_LIGHT, 0x1c20ca),
	MASK(TRANSHUGE, 0x1c24ca),
};

CASE(gfp, every_flag_has_linux_bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (flags[i].mask != flags[i].expected)
			return test_failure("%s is %#x, Linux's is %#x",
			                    flags[i].name, flags[i].mask,
			                    flags[i].expected);
	}
	EXPECT_EQUAL(__GFP_RECLAIM, 0xc00);
	return NULL;
}

CASE(gfp, every_composite_has_linux_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(composites); i++) {
		if (composites[i].mask != composites[i].expected)
			return test_failure(
				"%s is %#x, Linux's is %#x", composites[i].name,
				composites[i].mask, composites[i].expected);
	}
	return NULL;
}

CASE(gfp, exclusive_is_above_linux_bits)
{
	EXPECT(__GFP_EXCLUSIVE >= 1U << 24);
	EXPECT((__GFP_EXCLUSIVE & (__GFP_EXCLUSIVE - 1)) == 0);
	return NULL;
}

static const struct gfp_name *find_name(const char *name)
{
	const struct gfp_name *at;

	for (unsigned int i = 0; (at = gfp_name_at(i)) != NULL; i++) {
		if (strcmp(at->name, name) == 0)
			return at;
	}
	return NULL;
}

CASE(gfp, table_of_names_has_every_flag_and_composite)
{
	unsigned int names = 0;

	while (gfp_name_at(names) != NULL)
		names++;
	EXPECT_EQUAL(names, ARRAY_SIZE(flags) + 1 + ARRAY_SIZE(composites));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct gfp_name *name = find_name(flags[i].name);

		EXPECT(name != NULL && name->mask == flags[i].expected);
		EXPECT(name->meaning[0] != '\0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(composites); i++) {
		const struct gfp_name *name = find_name(composites[i].name);

		EXPECT(name != NULL && name->mask == composites[i].expected);
		EXPECT(strcmp(name->status, "mask") == 0);
	}
	EXPECT(find_name("__GFP_EXCLUSIVE") != NULL);
	return NULL;
}

/* ---- Zones --------------------------------------------------------------- */

CASE(gfp, all_sixteen_zone_combinations)
{
	/* -1: more than one of DMA, DMA32 and HIGHMEM. */
	static const int expected[16] = {
		ZONE_NORMAL, ZONE_DMA, ZONE_NORMAL,  -1, ZONE_DMA32, -1, -1, -1,
		ZONE_NORMAL, ZONE_DMA, ZONE_MOVABLE, -1, ZONE_DMA32, -1, -1, -1,
	};

	for (gfp_t bits = 0; bits < 16; bits++) {
		struct alloc_request request;
		bool bad;
		enum zone_type zone = gfp_zone(bits, &bad);
		enum gfp_verdict verdict =
			decode(GFP_ATOMIC | bits, 0, &thread, &request);

		EXPECT_EQUAL(bad, expected[bits] < 0);
		if (bad) {
			EXPECT_EQUAL(verdict, GFP_REFUSED);
			EXPECT(why_says("more than one zone"));
			continue;
		}
		EXPECT_EQUAL(zone, expected[bits]);
		EXPECT_EQUAL(verdict, GFP_OK);
		EXPECT_EQUAL(request.highest_zone, expected[bits]);
	}
	return NULL;
}

CASE(gfp, illegal_zones_are_refused_with_the_names_of_both)
{
	struct alloc_request request;

	EXPECT_EQUAL(decode(GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 0, &thread,
	                    &request),
	             GFP_REFUSED);
	EXPECT(why_says("__GFP_DMA|") && why_says("__GFP_DMA32"));
	EXPECT_EQUAL(decode(GFP_KERNEL | __GFP_HIGHMEM | __GFP_DMA, 0, &thread,
	                    &request),
	             GFP_REFUSED);
	EXPECT(why_says("__GFP_DMA|") && why_says("__GFP_HIGHMEM"));
	return NULL;
}

CASE(gfp, zone_bits_other_than_the_four_do_not_matter)
{
	bool bad;

	EXPECT_EQUAL(gfp_zone(0xfffffff0, &bad), ZONE_NORMAL);
	EXPECT(!bad);
	EXPECT_EQUAL(gfp_zone(0xfffffffa, &bad), ZONE_MOVABLE);
	EXPECT(!bad);
	return NULL;
}

/* ---- Migratetypes -------------------------------------------------------- */

CASE(gfp, movable_is_type_1_reclaimable_is_type_2)
{
	struct alloc_request request;

	EXPECT_EQUAL(MIGRATE_UNMOVABLE, 0);
	EXPECT_EQUAL(MIGRATE_MOVABLE, 1);
	EXPECT_EQUAL(MIGRATE_RECLAIMABLE, 2);
	EXPECT_EQUAL(decode(GFP_KERNEL, 0, &thread, &request), GFP_OK);
	EXPECT_EQUAL(request.migratetype, 0);
	EXPECT_EQUAL(decode(GFP_KERNEL | __GFP_MOVABLE, 0, &thread, &request),
	             GFP_OK);
	EXPECT_EQUAL(request.migratetype, 1);
	EXPECT_EQUAL(
		decode(GFP_KERNEL | __GFP_RECLAIMABLE, 0, &thread, &request),
		GFP_OK);
	EXPECT_EQUAL(request.migratetype, 2);
	return NULL;
}

CASE(gfp, movable_and_reclaimable_together_are_refused_by_name)
{
	struct alloc_request request;

	EXPECT_EQUAL(decode(GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE, 0,
	                    &thread, &request),
	             GFP_REFUSED);
	EXPECT(why_says("__GFP_MOVABLE|__GFP_RECLAIMABLE"));
	return NULL;
}

/* ---- What is refused ----------------------------------------------------- */

CASE(gfp, every_flag_that_is_not_supported_is_refused_by_name)
{
	static const struct value later[] = {
		FLAG(ACCOUNT, 0),
		FLAG(ZEROTAGS, 0),
	};
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		EXPECT_EQUAL(decode(GFP_KERNEL | later[i].mask, 0, &thread,
		                    &request),
		             GFP_REFUSED);
		if (!why_says(later[i].name))
			return test_failure("%s is not named in \"%s\"",
			                    later[i].name, why);
		EXPECT_EQUAL(decode(GFP_ATOMIC | later[i].mask, 0, &interrupt,
		                    &request),
		             GFP_REFUSED);
	}
	return NULL;
}

CASE(gfp, every_unknown_bit_is_refused_in_hex)
{
	gfp_t known = __GFP_EXCLUSIVE;
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		known |= flags[i].expected;
	for (unsigned int bit = 0; bit < 32; bit++) {
		if (known & (1U << bit))
			continue;
		EXPECT_EQUAL(
			decode(GFP_KERNEL | 1U << bit, 0, &thread, &request),
			GFP_REFUSED);
		EXPECT(why_says("0x") && why_says("no such flag"));
	}
	EXPECT((known & 0x200) == 0);
	return NULL;
}

CASE(gfp, every_working_flag_is_accepted_alone)
{
	static const gfp_t works[] = {
		0,
		__GFP_DMA,
		__GFP_HIGHMEM,
		__GFP_DMA32,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGH,
		__GFP_IO,
		__GFP_FS,
		__GFP_ZERO,
		__GFP_DIRECT_RECLAIM,
		__GFP_KSWAPD_RECLAIM,
		__GFP_NOWARN,
		__GFP_MEMALLOC,
		__GFP_COMP,
		__GFP_NOMEMALLOC,
		__GFP_EXCLUSIVE,
		__GFP_WRITE,
		__GFP_RETRY_MAYFAIL,
		__GFP_NOFAIL,
		__GFP_NORETRY,
		__GFP_HARDWALL,
		__GFP_THISNODE,
	};
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
		EXPECT_EQUAL(decode(works[i], 0, &thread, &request), GFP_OK);
		EXPECT_EQUAL(request.gfp, works[i]);
		EXPECT(why[0] == '\0');
	}
	return NULL;
}

CASE(gfp, exclusive_contradictions_are_refused_with_both_names)
{
	static const struct value conflict[] = {
		FLAG(MOVABLE, 0),  FLAG(RECLAIMABLE, 0), FLAG(COMP, 0),
		FLAG(DMA, 0),      FLAG(DMA32, 0),       FLAG(HIGHMEM, 0),
		FLAG(MEMALLOC, 0), FLAG(NOMEMALLOC, 0),  FLAG(NOFAIL, 0),
	};
	const gfp_t mask = GFP_ATOMIC | __GFP_EXCLUSIVE;
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(conflict); i++) {
		EXPECT_EQUAL(
			decode(mask | conflict[i].mask, 0, &thread, &request),
			GFP_REFUSED);
		EXPECT(why_says("__GFP_EXCLUSIVE"));
		if (!why_says(conflict[i].name))
			return test_failure("%s is not named in \"%s\"",
			                    conflict[i].name, why);
	}
	for (unsigned int order = 1; order <= MAX_ORDER; order++) {
		EXPECT_EQUAL(decode(mask, order, &thread, &request),
		             GFP_REFUSED);
		EXPECT(why_says("__GFP_EXCLUSIVE"));
	}
	EXPECT_EQUAL(decode(mask, 0, &interrupt, &request), GFP_OK);
	EXPECT(request.exclusive);
	return NULL;
}

CASE(gfp, order_above_ten_is_too_large)
{
	struct alloc_request request;

	EXPECT_EQUAL(decode(GFP_KERNEL, 10, &thread, &request), GFP_OK);
	EXPECT_EQUAL(decode(GFP_KERNEL, 11, &thread, &request), GFP_TOO_LARGE);
	EXPECT_EQUAL(decode(GFP_KERNEL, ~0U, &thread, &request), GFP_TOO_LARGE);
	return NULL;
}

/* ---- Contexts ------------------------------------------------------------ */

CASE(gfp, contexts_that_cannot_sleep_may_not_reclaim)
{
	static const gfp_t sleeps[] = { GFP_KERNEL, GFP_NOFS, GFP_NOIO,
		                        __GFP_DIRECT_RECLAIM,
		                        GFP_KERNEL | __GFP_EXCLUSIVE };
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(sleeps); i++) {
		EXPECT_EQUAL(decode(sleeps[i], 0, &thread, &request), GFP_OK);
		EXPECT(request.may_sleep);
		EXPECT_EQUAL(decode(sleeps[i], 0, &atomic, &request),
		             GFP_MUST_SLEEP);
		EXPECT(why_says("__GFP_DIRECT_RECLAIM"));
		EXPECT_EQUAL(decode(sleeps[i], 0, &interrupt, &request),
		             GFP_MUST_SLEEP);
	}
	EXPECT_EQUAL(decode(GFP_ATOMIC, 0, &interrupt, &request), GFP_OK);
	EXPECT_EQUAL(decode(GFP_NOWAIT, 0, &interrupt, &request), GFP_OK);
	EXPECT_EQUAL(decode(GFP_ATOMIC, 0, &atomic, &request), GFP_OK);
	return NULL;
}

CASE(gfp, in_an_nmi_everything_is_refused_first_of_all)
{
	static const gfp_t masks[] = { 0,   GFP_ATOMIC,   GFP_KERNEL,
		                       0x3, __GFP_NOFAIL, 0x200 };
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		EXPECT_EQUAL(decode(masks[i], 0, &nmi, &request), GFP_IN_NMI);
		EXPECT_EQUAL(decode(masks[i], 99, &nmi, &request), GFP_IN_NMI);
	}
	return NULL;
}

/* ---- Rights -------------------------------------------------------------- */

struct right {
	gfp_t mask;
	const struct alloc_context *context;
	enum reserve_right first;
	enum reserve_right last;
};

CASE(gfp, rights_of_both_passes)
{
	static const struct right rights[] = {
		{ 0, &thread, RESERVE_NOWAIT, RESERVE_NOWAIT },
		{ __GFP_NOMEMALLOC, &thread, RESERVE_NONE, RESERVE_NONE },
		{ GFP_KERNEL, &thread, RESERVE_NONE, RESERVE_NONE },
		{ GFP_NOWAIT, &thread, RESERVE_NOWAIT, RESERVE_NOWAIT },
		{ GFP_NOWAIT, &interrupt, RESERVE_NOWAIT, RESERVE_NOWAIT },
		{ GFP_ATOMIC, &thread, RESERVE_ATOMIC, RESERVE_ATOMIC },
		{ GFP_ATOMIC, &interrupt, RESERVE_ATOMIC, RESERVE_ATOMIC },
		{ __GFP_HIGH, &thread, RESERVE_ATOMIC, RESERVE_ATOMIC },
		{ GFP_KERNEL | __GFP_HIGH, &thread, RESERVE_HALF,
		  RESERVE_HALF },
		{ __GFP_HIGH | __GFP_DIRECT_RECLAIM, &thread, RESERVE_HALF,
		  RESERVE_HALF },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, &thread, RESERVE_HALF,
		  RESERVE_HALF },
		{ GFP_KERNEL | __GFP_MEMALLOC, &thread, RESERVE_NONE,
		  RESERVE_ALL },
		{ GFP_ATOMIC | __GFP_MEMALLOC, &interrupt, RESERVE_ATOMIC,
		  RESERVE_ALL },
		{ GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC, &thread,
		  RESERVE_HALF, RESERVE_HALF },
		{ GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, &thread,
		  RESERVE_NONE, RESERVE_NONE },
		{ GFP_KERNEL, &memalloc, RESERVE_NONE, RESERVE_ALL },
		{ GFP_ATOMIC, &memalloc, RESERVE_ATOMIC, RESERVE_ALL },
		{ GFP_KERNEL | __GFP_NOMEMALLOC, &memalloc, RESERVE_NONE,
		  RESERVE_NONE },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, &memalloc, RESERVE_HALF,
		  RESERVE_HALF },
		{ GFP_ATOMIC, &interrupt_over_memalloc, RESERVE_ATOMIC,
		  RESERVE_ATOMIC },
		{ GFP_NOWAIT, &interrupt_over_memalloc, RESERVE_NOWAIT,
		  RESERVE_NOWAIT },
		{ GFP_ATOMIC | __GFP_MEMALLOC, &interrupt_over_memalloc,
		  RESERVE_ATOMIC, RESERVE_ALL },
	};
	struct alloc_request request;

	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		EXPECT_EQUAL(
			decode(rights[i].mask, 0, rights[i].context, &request),
			GFP_OK);
		if (request.right != rights[i].first ||
		    request.last_right != rights[i].last)
			return test_failure(
				"row %d, mask %#x: \"%s\", then \"%s\"", (int)i,
				rights[i].mask,
				reserve_right_name(request.right),
				reserve_right_name(request.last_right));
	}
	return NULL;
}

CASE(gfp, the_right_of_a_victim_replaces_all_but_memalloc_and_nomemalloc)
{
	struct alloc_request request;

	EXPECT_EQUAL(decode(GFP_KERNEL, 0, &thread, &request), GFP_OK);
	EXPECT_EQUAL(request.victim_right, RESERVE_VICTIM);
	EXPECT_EQUAL(decode(GFP_ATOMIC, 0, &thread, &request), GFP_OK);
	EXPECT_EQUAL(request.victim_right, RESERVE_VICTIM);
	EXPECT_EQUAL(decode(GFP_KERNEL, 0, &memalloc, &request), GFP_OK);
	EXPECT_EQUAL(request.victim_right, RESERVE_ALL);
	EXPECT_EQUAL(
		decode(GFP_ATOMIC | __GFP_NOMEMALLOC, 0, &thread, &request),
		GFP_OK);
	EXPECT_EQUAL(request.victim_right, RESERVE_HALF);
	return NULL;
}

CASE(gfp, each_wish_comes_from_its_own_flag)
{
	struct alloc_request with;
	struct alloc_request without;
	const gfp_t all = GFP_KERNEL | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;

	EXPECT_EQUAL(decode(all, 3, &thread, &with), GFP_OK);
	EXPECT(with.order == 3 && with.gfp == all);
	EXPECT(with.may_sleep && with.wake_kswapd && with.may_io &&
	       with.may_fs && with.zero && with.compound && with.silent &&
	       !with.exclusive);
	EXPECT_EQUAL(decode(all & ~__GFP_DIRECT_RECLAIM, 0, &thread, &without),
	             GFP_OK);
	EXPECT(!without.may_sleep && without.wake_kswapd);
	EXPECT_EQUAL(decode(all & ~__GFP_KSWAPD_RECLAIM, 0, &thread, &without),
	             GFP_OK);
	EXPECT(!without.wake_kswapd && without.may_sleep);
	EXPECT_EQUAL(decode(all & ~__GFP_IO, 0, &thread, &without), GFP_OK);
	EXPECT(!without.may_io && without.may_fs);
	EXPECT_EQUAL(decode(all & ~__GFP_FS, 0, &thread, &without), GFP_OK);
	EXPECT(!without.may_fs && without.may_io);
	EXPECT_EQUAL(decode(all & ~__GFP_ZERO, 0, &thread, &without), GFP_OK);
	EXPECT(!without.zero && without.compound);
	EXPECT_EQUAL(decode(all & ~__GFP_COMP, 0, &thread, &without), GFP_OK);
	EXPECT(!without.compound && without.zero);
	EXPECT_EQUAL(decode(all & ~__GFP_NOWARN, 0, &thread, &without), GFP_OK);
	EXPECT(!without.silent);
	return NULL;
}

/* All names of single bits that are set in the request, in the order of the bits. */
static gfp_t bits_by_name(const struct alloc_request *request)
{
	return (request->may_io ? __GFP_IO : 0U) |
	       (request->may_fs ? __GFP_FS : 0U) |
	       (request->zero ? __GFP_ZERO : 0U) |
	       (request->may_sleep ? __GFP_DIRECT_RECLAIM : 0U) |
	       (request->wake_kswapd ? __GFP_KSWAPD_RECLAIM : 0U) |
	       (request->will_write ? __GFP_WRITE : 0U) |
	       (request->silent ? __GFP_NOWARN : 0U) |
	       (request->retry_costly ? __GFP_RETRY_MAYFAIL : 0U) |
	       (request->never_fail ? __GFP_NOFAIL : 0U) |
	       (request->one_round ? __GFP_NORETRY : 0U) |
	       (request->compound ? __GFP_COMP : 0U) |
	       (request->spare_reserve ? __GFP_NOMEMALLOC : 0U) |
	       (request->only_here ? __GFP_THISNODE : 0U) |
	       (request->exclusive ? __GFP_EXCLUSIVE : 0U);
}

CASE(gfp, a_bit_of_a_request_has_the_name_of_its_flag)
{
	struct alloc_request request = { .gfp = ~0U };
	const gfp_t named = bits_by_name(&request);

	EXPECT_EQUAL(named, 0x102dfdc0U);
	for (unsigned int bit = 0; bit < 32; bit++) {
		request.gfp = 1U << bit;
		EXPECT_EQUAL(bits_by_name(&request), named & 1U << bit);
	}
	return NULL;
}

CASE(gfp, dma_and_dma32_alone_carry_no_reclaim_bits)
{
	struct alloc_request request;

	EXPECT_EQUAL(decode(GFP_DMA, 0, &interrupt, &request), GFP_OK);
	EXPECT(!request.may_sleep && !request.wake_kswapd);
	EXPECT_EQUAL(request.highest_zone, ZONE_DMA);
	EXPECT_EQUAL(decode(GFP_DMA32, 0, &interrupt, &request), GFP_OK);
	EXPECT(!request.may_sleep && !request.wake_kswapd);
	EXPECT_EQUAL(request.highest_zone, ZONE_DMA32);
	return NULL;
}

/* ---- Names --------------------------------------------------------------- */

static const char *round_trip(gfp_t mask)
{
	char text[400];
	char bad[40];
	gfp_t back = ~mask;

	gfp_format(text, sizeof(text), mask);
	if (gfp_parse(text, &back, bad, sizeof(bad)) != 0)
		return test_failure("%#x is \"%s\", of which \"%s\" is not "
		                    "understood",
		                    mask, text, bad);
	if (back != mask)
		return test_failure("%#x is \"%s\", which is %#x", mask, text,
		                    back);
	gfp_format_flags(text, sizeof(text), mask);
	if (gfp_parse(text, &back, bad, sizeof(bad)) != 0 || back != mask)
		return test_failure("%#x by flags is \"%s\", which is %#x",
		                    mask, text, back);
	return NULL;
}

CASE(gfp, every_name_of_the_table_survives_format_and_parse)
{
	const struct gfp_name *name;

	for (unsigned int i = 0; (name = gfp_name_at(i)) != NULL; i++) {
		const char *wrong = round_trip(name->mask);
		char bad[40];
		gfp_t mask = 0;

		if (wrong != NULL)
			return wrong;
		EXPECT_EQUAL(gfp_parse(name->name, &mask, bad, sizeof(bad)), 0);
		EXPECT_EQUAL(mask, name->mask);
	}
	return NULL;
}

CASE(gfp, random_masks_survive_format_and_parse)
{
	struct random random = { test_seed() };

	for (unsigned int i = 0; i < 2000; i++) {
		const char *wrong = round_trip((gfp_t)random_next(&random));

		if (wrong != NULL)
			return wrong;
	}
	return round_trip(0);
}

CASE(gfp, format_prefers_the_largest_composite)
{
	char text[200];

	EXPECT(strcmp(gfp_format(text, sizeof(text), GFP_ATOMIC | __GFP_ZERO),
	              "GFP_ATOMIC|__GFP_ZERO") == 0);
	EXPECT(strcmp(gfp_format(text, sizeof(text), GFP_KERNEL),
	              "GFP_KERNEL") == 0);
	EXPECT(strcmp(gfp_format(text, sizeof(text), GFP_TRANSHUGE),
	              "GFP_TRANSHUGE") == 0);
	EXPECT(strcmp(gfp_format(text, sizeof(text), 0), "0") == 0);
	EXPECT(strcmp(gfp_format(text, sizeof(text), 0x200), "0x200") == 0);
	EXPECT(strcmp(gfp_format_flags(text, sizeof(text), GFP_ATOMIC),
	              "__GFP_HIGH|__GFP_KSWAPD_RECLAIM") == 0);
	return NULL;
}

CASE(gfp, format_stays_inside_a_small_buffer)
{
	char text[24];

	memset(text, 'x', sizeof(text));
	gfp_format(text, 9, GFP_KERNEL | __GFP_ZERO | __GFP_COMP | 0x200);
	EXPECT(strlen(text) == 8);
	for (size_t i = 9; i < sizeof(text); i++)
		EXPECT(text[i] == 'x');
	return NULL;
}

static gfp_t parsed(const char *text)
{
	char bad[40];
	gfp_t mask = 0;

	return gfp_parse(text, &mask, bad, sizeof(bad)) == 0 ? mask : ~0U;
}

CASE(gfp, parse_takes_short_names_numbers_and_removal)
{
	EXPECT_EQUAL(parsed("GFP_KERNEL"), 0xcc0);
	EXPECT_EQUAL(parsed("KERNEL"), 0xcc0);
	EXPECT_EQUAL(parsed("__GFP_ZERO"), 0x100);
	EXPECT_EQUAL(parsed("ATOMIC|ZERO"), 0x920);
	EXPECT_EQUAL(parsed("ATOMIC ZERO,COMP"), 0x40920);
	EXPECT_EQUAL(parsed("0x820"), 0x820);
	EXPECT_EQUAL(parsed("KERNEL|~DIRECT_RECLAIM"), 0x8c0);
	EXPECT_EQUAL(parsed("KERNEL & ~DIRECT_RECLAIM"), 0x8c0);
	EXPECT_EQUAL(parsed("DMA"), 0x1);
	return NULL;
}

CASE(gfp, parse_names_the_word_at_fault)
{
	char bad[40];
	gfp_t mask = 0x1234;

	EXPECT_EQUAL(gfp_parse("KERNEL|FOO|ZERO", &mask, bad, sizeof(bad)),
	             -EINVAL);
	EXPECT(strcmp(bad, "FOO") == 0);
	EXPECT_EQUAL(mask, 0x1234);
	EXPECT_EQUAL(gfp_parse("0x1ffffffff", &mask, bad, sizeof(bad)),
	             -EINVAL);
	EXPECT_EQUAL(gfp_parse("kernel", &mask, bad, sizeof(bad)), -EINVAL);
	return NULL;
}

CASE(gfp, parse_wants_one_name_after_each_tilde)
{
	static const char *const wrong[] = { "~",        "KERNEL|~",
		                             "~|KERNEL", "KERNEL ~ HIGH",
		                             "~~HIGH",   "~~" };
	gfp_t mask = 0x1234;
	char bad[20];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (gfp_parse(wrong[i], &mask, bad, sizeof(bad)) != -EINVAL)
			return test_failure("\"%s\" is understood", wrong[i]);
		EXPECT_EQUAL(mask, 0x1234);
	}
	EXPECT_EQUAL(parsed("ATOMIC|~HIGH"), 0x800);
	EXPECT_EQUAL(parsed("~HIGH"), 0);
	return NULL;
}

CASE(gfp, names_of_zones_types_and_rights)
{
	EXPECT(strcmp(zone_type_name(ZONE_DMA), "DMA") == 0);
	EXPECT(strcmp(zone_type_name(ZONE_DMA32), "DMA32") == 0);
	EXPECT(strcmp(zone_type_name(ZONE_NORMAL), "Normal") == 0);
	EXPECT(strcmp(zone_type_name(ZONE_MOVABLE), "Movable") == 0);
	EXPECT(strcmp(migratetype_name(MIGRATE_RECLAIMABLE), "Reclaimable") ==
	       0);
	EXPECT(strcmp(migratetype_name(MIGRATE_HIGHATOMIC), "HighAtomic") == 0);
	EXPECT(reserve_right_name(RESERVE_ALL)[0] != '?');
	return NULL;
}
