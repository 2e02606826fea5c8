/* SPDX-License-Identifier: MIT */
/* tests/host/churn.c -- theory: tests/host/churn.h. */
#include "tests/host/churn.h"

#include "lib/string.h"
#include "mm/contig/cma.h"
#include "mm/contig/contig.h"
#include "mm/debug/fault_inject.h"
#include "mm/pcp.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/drain.h"
#include "mm/reclaim/reclaim.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/kvmalloc.h"
#include "mm/slab/mempool.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "tests/host/libmm.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

#define HOLDINGS      192U
#define CACHES        3U
#define POOLS         2U
#define CHECK_EVERY   64U
#define WHOLE         65536U /* so many bytes are all signed; of more, */
#define EDGE          64U    /* ... so many at each end, and one of each page */

/* The frames of the machine: 32 MiB in all. */
#define DMA_PAGES     512UL
#define DMA32_PAGES   1536UL
#define NORMAL_PAGES  5120UL
#define MOVABLE_PAGES 1024UL
#define CHURN_PAGES   (DMA_PAGES + DMA32_PAGES + NORMAL_PAGES + MOVABLE_PAGES)
#define CMA_BASE      (DMA_PAGES + DMA32_PAGES + 2048UL)
#define CMA_COUNT     1024UL

#define KINDS(X)                                                               \
	X(pages)                                                               \
	X(exact)                                                               \
	X(bulk)                                                                \
	X(kmalloc)                                                             \
	X(kvmalloc)                                                            \
	X(object)                                                              \
	X(element)                                                             \
	X(vmalloc)                                                             \
	X(contig)                                                              \
	X(cma)                                                                 \
	X(exclusive)

#define KIND_ENUM(name) KIND_##name,
#define KIND_NAME(name) #name,

enum kind {
	KIND_none,
	KINDS(KIND_ENUM) KIND_COUNT
};

static const char *const kind_names[] = { "none", KINDS(KIND_NAME) };

struct holding {
	enum kind kind;
	unsigned int order; /* of pages; which cache, pool or owner */
	uint8_t tag;
	void *memory;
	size_t size;
	struct page *page;
};

static struct {
	struct churn_source source;
	struct node *node;
	struct vmalloc_space *vmalloc;
	struct pcp_cpu lists[1];
	struct holding holding[HOLDINGS];
	struct kmem_cache *cache[CACHES];
	mempool_t *pool[POOLS];
	struct cma cma;
	unsigned long cma_bits[CMA_LONGS(CMA_COUNT)];
	struct space file;
	struct space anon;
	struct thread other;
	unsigned int steps;
	uint8_t tags;
	unsigned long refused; /* frees that must be */
} w;

/* Since the program began. */
static unsigned long got[KIND_COUNT];

/* Requests must meet these, too. */
static const struct {
	enum vmstat_event event;
	const char *what;
} churn_events[] = {
	{ VMSTAT_allocstall_normal, "direct reclaim" },
	{ VMSTAT_pgsteal_direct, "a page that was reclaimed" },
	{ VMSTAT_compact_stall, "direct compaction" },
	{ VMSTAT_pgmigrate_success, "a page that moved" },
	{ VMSTAT_fault_injected, "a request that failed on purpose" },
	{ VMSTAT_free_refused, "a free that was refused" },
};

static unsigned long happened[ARRAY_SIZE(churn_events)];

/* ---- Decisions ----------------------------------------------------------- */

static unsigned int churn_pick(unsigned int bound)
{
	struct churn_source *source = &w.source;
	unsigned int number = 0;

	if (source->left == 0)
		return (unsigned int)random_below(&source->random, bound);
	for (unsigned int most = bound - 1; source->left > 0; most >>= 8) {
		number = number << 8 | *source->bytes++;
		source->left--;
		if (most < 256)
			break;
	}
	return number % bound;
}

bool churn_is_out_of_bytes(void)
{
	return w.source.left == 0;
}

/* Sizes of all magnitudes below 2^BITS. */
static size_t churn_size(unsigned int bits)
{
	return 1 + churn_pick(1U << churn_pick(bits));
}

/* Large blocks are rare. */
static unsigned int churn_order(void)
{
	unsigned int order = churn_pick(6);

	return order < 4 ? order / 2 : churn_pick(MAX_ORDER + 1);
}

static const gfp_t churn_masks[] = {
	GFP_KERNEL,
	GFP_ATOMIC,
	GFP_NOWAIT,
	GFP_NOFS,
	GFP_NOIO,
	GFP_USER,
	GFP_HIGHUSER,
	GFP_HIGHUSER_MOVABLE,
	GFP_TRANSHUGE_LIGHT,
	GFP_KERNEL | __GFP_DMA,
	GFP_NOWAIT | __GFP_DMA32,
	GFP_KERNEL | __GFP_RECLAIMABLE,
	GFP_KERNEL | __GFP_NORETRY,
	GFP_KERNEL | __GFP_RETRY_MAYFAIL,
	GFP_ATOMIC | __GFP_MEMALLOC,
	GFP_ATOMIC | __GFP_NOMEMALLOC,
	GFP_KERNEL | __GFP_HIGH,
};

static gfp_t churn_mask(void)
{
	gfp_t mask = churn_masks[churn_pick(ARRAY_SIZE(churn_masks))];

	if (churn_pick(4) == 0)
		mask |= __GFP_ZERO;
	return mask | __GFP_NOWARN;
}

/* A mask for memory that is not whole pages. */
static gfp_t churn_small_mask(void)
{
	static const gfp_t masks[] = { GFP_KERNEL,
		                       GFP_ATOMIC,
		                       GFP_NOWAIT,
		                       GFP_NOFS,
		                       GFP_KERNEL | __GFP_RECLAIMABLE,
		                       GFP_KERNEL | __GFP_ZERO };

	return masks[churn_pick(ARRAY_SIZE(masks))] | __GFP_NOWARN;
}

/* ---- What is held -------------------------------------------------------- */

/* Byte AT of a holding; that of another one differs, but for an accident. */
static uint8_t churn_byte(const struct holding *h, size_t at)
{
	return (uint8_t)(h->tag + at * 5 + (at >> PAGE_SHIFT) * 3);
}

/* The byte to visit after AT: the next, or the last of the page. */
static size_t churn_next_byte(const struct holding *h, size_t at)
{
	size_t last = (at + 1) | (PAGE_SIZE - 1);

	if (h->size <= WHOLE || at + 1 < EDGE || at + 1 + EDGE >= h->size)
		return at + 1;
	return min(last, h->size - EDGE);
}

/* Visit the bytes that are signed, until VISIT returns false, which is returned then. */
static bool churn_each_byte(const struct holding *h,
                            bool (*visit)(const struct holding *h, size_t at))
{
	size_t at = 0;

	while (at < h->size && visit(h, at))
		at = churn_next_byte(h, at);
	return at >= h->size;
}

static bool churn_write(const struct holding *h, size_t at)
{
	((uint8_t *)h->memory)[at] = churn_byte(h, at);
	return true;
}

static bool churn_is_signed(const struct holding *h, size_t at)
{
	return ((const uint8_t *)h->memory)[at] == churn_byte(h, at);
}

static bool churn_is_zero(const struct holding *h, size_t at)
{
	return ((const uint8_t *)h->memory)[at] == 0;
}

/* An exclusive page is visible to its owner alone. */
static void churn_see(const struct holding *h)
{
	if (h->kind == KIND_exclusive && h->order == 1)
		machine_switch_to(&w.other);
}

static void churn_look_away(void)
{
	machine_switch_to(machine_main());
}

static void churn_sign(struct holding *h)
{
	h->tag = ++w.tags;
	churn_see(h);
	churn_each_byte(h, churn_write);
	churn_look_away();
}

static const char *churn_look(const struct holding *h)
{
	bool good;

	churn_see(h);
	good = churn_each_byte(h, churn_is_signed);
	churn_look_away();
	return good ? NULL
	            : test_failure("%s: %zu bytes at %p have changed",
	                           kind_names[h->kind], h->size, h->memory);
}

/* MEMORY, or NULL, is held from now on. */
static const char *churn_hold(struct holding *h, enum kind kind, void *memory,
                              size_t size, gfp_t mask)
{
	if (memory == NULL)
		return NULL;
	got[kind]++;
	h->kind = kind;
	h->memory = memory;
	h->size = size;
	if ((mask & __GFP_ZERO) != 0 && !churn_each_byte(h, churn_is_zero))
		return test_failure("%s: not zeroed", kind_names[kind]);
	churn_sign(h);
	return NULL;
}

/* ---- Pages --------------------------------------------------------------- */

static struct page *churn_alloc(gfp_t mask, unsigned int order)
{
	bool in_irq = (mask & __GFP_DIRECT_RECLAIM) == 0 && churn_pick(2) == 0;
	struct page *page;

	if (in_irq)
		machine_enter_irq(NULL);
	page = alloc_pages(mask, order);
	if (in_irq)
		machine_leave_irq();
	return page;
}

static const char *churn_take_pages(struct holding *h)
{
	gfp_t mask = churn_mask();
	struct page *page;

	h->order = churn_order();
	if (h->order > 0 && churn_pick(2))
		mask |= __GFP_COMP;
	page = churn_alloc(mask, h->order);
	h->page = page;
	if (page == NULL)
		return NULL;
	EXPECT(page_ref_count(page) == 1);
	EXPECT((page_to_pfn(page) & ((1UL << h->order) - 1)) == 0);
	EXPECT(page_zone(w.node, page)->type != ZONE_MOVABLE ||
	       (mask & __GFP_MOVABLE) != 0);
	return churn_hold(h, KIND_pages, page_address(page),
	                  PAGE_SIZE << h->order, mask);
}

static const char *churn_give_pages(struct holding *h)
{
	unsigned int way = churn_pick(4);

	if (way == 0) {
		get_page(h->page);
		put_page(h->page);
	}
	if (way == 1)
		free_pages((uintptr_t)h->memory, h->order);
	else
		__free_pages(h->page, h->order);
	return NULL;
}

static const char *churn_take_exact(struct holding *h)
{
	size_t size = churn_size(17);
	gfp_t mask = churn_small_mask();

	return churn_hold(h, KIND_exact, alloc_pages_exact(size, mask), size,
	                  mask);
}

static const char *churn_give_exact(struct holding *h)
{
	free_pages_exact(h->memory, h->size);
	return NULL;
}

#define BULK 24U

/* An array of pages that was filled as far as memory went: held is a page of pointers. */
static const char *churn_take_bulk(struct holding *h)
{
	struct page **array =
		kcalloc(BULK, sizeof(*array), GFP_KERNEL | __GFP_NOWARN);
	unsigned long full;

	if (array == NULL)
		return NULL;
	full = alloc_pages_bulk(churn_small_mask() | __GFP_NOWARN,
	                        1 + churn_pick(BULK), array);
	for (unsigned int i = 0; i < BULK; i++)
		EXPECT((array[i] != NULL) == (i < full));
	got[KIND_bulk] += full > 0;
	h->kind = KIND_bulk;
	h->page = (struct page *)array;
	h->size = 0;
	return NULL;
}

static const char *churn_give_bulk(struct holding *h)
{
	struct page **array = (struct page **)h->page;

	for (unsigned int i = 0; i < BULK && array[i] != NULL; i++)
		__free_page(array[i]);
	kfree(array);
	return NULL;
}

static const char *churn_take_contig(struct holding *h)
{
	unsigned long count = 1 + churn_pick(48);
	unsigned long pfn = churn_pick(CHURN_PAGES - 48);
	struct page *page = NULL;

	if (churn_pick(2)) {
		page = alloc_contig_pages(count, GFP_KERNEL | __GFP_NOWARN);
	} else if (alloc_contig_range(pfn, pfn + count, MIGRATE_MOVABLE,
	                              GFP_KERNEL | __GFP_NOWARN) == 0) {
		page = pfn_to_page(pfn);
	}
	h->page = page;
	if (page == NULL)
		return NULL;
	return churn_hold(h, KIND_contig, page_address(page), count * PAGE_SIZE,
	                  0);
}

static const char *churn_give_contig(struct holding *h)
{
	free_contig_range(page_to_pfn(h->page), h->size / PAGE_SIZE);
	return NULL;
}

static const char *churn_take_cma(struct holding *h)
{
	unsigned long count = 1 + churn_pick(64);
	struct page *page = cma_alloc(&w.cma, count, churn_pick(7), true);

	h->page = page;
	if (page == NULL)
		return NULL;
	return churn_hold(h, KIND_cma, page_address(page), count * PAGE_SIZE,
	                  0);
}

static const char *churn_give_cma(struct holding *h)
{
	EXPECT(cma_release(&w.cma, h->page, h->size / PAGE_SIZE));
	return NULL;
}

/* ---- Smaller pieces, and larger ones of single pages ---------------------- */

static const char *churn_take_kmalloc(struct holding *h)
{
	size_t size = churn_size(15);
	gfp_t mask = churn_small_mask();

	return churn_hold(h, KIND_kmalloc, kmalloc(size, mask), size, mask);
}

static const char *churn_give_kmalloc(struct holding *h)
{
	kfree(h->memory);
	return NULL;
}

static const char *churn_take_kvmalloc(struct holding *h)
{
	size_t size = churn_size(18);
	gfp_t mask = churn_pick(2) ? GFP_KERNEL : GFP_KERNEL | __GFP_ZERO;

	mask |= __GFP_NOWARN;
	return churn_hold(h, KIND_kvmalloc, kvmalloc(size, mask), size, mask);
}

static const char *churn_give_kvmalloc(struct holding *h)
{
	kvfree(h->memory);
	return NULL;
}

static const char *churn_take_object(struct holding *h)
{
	gfp_t mask = churn_small_mask();
	void *object;

	h->order = churn_pick(CACHES);
	object = kmem_cache_alloc(w.cache[h->order], mask);
	return churn_hold(h, KIND_object, object,
	                  kmem_cache_size(w.cache[h->order]), mask);
}

static const char *churn_give_object(struct holding *h)
{
	kmem_cache_free(w.cache[h->order], h->memory);
	return NULL;
}

/* Of a pool of blocks of two pages, or of 300 bytes. */
static const char *churn_take_element(struct holding *h)
{
	void *element;

	h->order = churn_pick(POOLS);
	element = mempool_alloc(w.pool[h->order], GFP_NOWAIT | __GFP_NOWARN);
	if (element == NULL)
		return NULL;
	h->page = h->order == 0 ? element : NULL;
	return churn_hold(h, KIND_element,
	                  h->order == 0 ? page_address(element) : element,
	                  h->order == 0 ? 2 * PAGE_SIZE : 300, 0);
}

static const char *churn_give_element(struct holding *h)
{
	mempool_free(h->order == 0 ? (void *)h->page : h->memory,
	             w.pool[h->order]);
	return NULL;
}

static const char *churn_take_vmalloc(struct holding *h)
{
	size_t size = churn_size(18);
	gfp_t mask = GFP_KERNEL | __GFP_NOWARN;

	if (churn_pick(3) == 0)
		mask |= __GFP_ZERO;
	return churn_hold(h, KIND_vmalloc, __vmalloc(size, mask), size, mask);
}

static const char *churn_give_vmalloc(struct holding *h)
{
	vfree(h->memory);
	return NULL;
}

/* The kept bytes are the old ones. */
static const char *churn_resize(struct holding *h)
{
	size_t size = churn_size(16);
	struct holding kept = *h;
	gfp_t mask = GFP_KERNEL | __GFP_NOWARN;
	void *memory;

	if (h->kind == KIND_kmalloc)
		memory = krealloc(h->memory, size, mask);
	else if (h->kind == KIND_kvmalloc)
		memory = kvrealloc(h->memory, size, mask);
	else if (h->kind == KIND_vmalloc)
		memory = vrealloc(h->memory, size, mask);
	else
		return NULL;
	if (memory == NULL)
		return churn_look(h);
	h->memory = kept.memory = memory;
	kept.size = min(size, h->size > WHOLE ? (size_t)EDGE : h->size);
	EXPECT(churn_each_byte(&kept, churn_is_signed));
	h->size = size;
	churn_sign(h);
	return NULL;
}

/* ---- Exclusive pages ------------------------------------------------------ */

static const char *churn_take_exclusive(struct holding *h)
{
	void *memory = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	h->order = 0;
	return churn_hold(h, KIND_exclusive, memory, PAGE_SIZE, __GFP_ZERO);
}

/* To the other thread, and never back. */
static const char *churn_hand_over(struct holding *h)
{
	if (h->order == 1)
		return NULL;
	EXPECT(exclusive_transfer(h->memory, w.other.owner.id) == 0);
	if (churn_pick(4) == 0) {
		EXPECT(exclusive_cancel(h->memory) == 0);
		return churn_look(h);
	}
	EXPECT(machine_faults(h->memory, false, NULL));
	machine_switch_to(&w.other);
	h->memory = exclusive_accept();
	churn_look_away();
	EXPECT(h->memory != NULL);
	h->order = 1;
	return churn_look(h);
}

static const char *churn_give_exclusive(struct holding *h)
{
	int error;

	if (h->order == 1)
		EXPECT(machine_faults(h->memory, false, NULL));
	churn_see(h);
	error = exclusive_release(h->memory);
	churn_look_away();
	EXPECT_EQUAL(error, 0);
	return NULL;
}

/* ---- Taking and giving --------------------------------------------------- */

#define CHURN_WAYS(name)                                                       \
	[KIND_##name] = { churn_take_##name, churn_give_##name },

static const struct churn_ways {
	const char *(*take)(struct holding *h); /* a kind of none: no memory */
	const char *(*give)(struct holding *h);
} churn_ways[KIND_COUNT] = { KINDS(CHURN_WAYS) };

static const char *churn_give(struct holding *h)
{
	const char *wrong = churn_look(h);

	if (wrong == NULL)
		wrong = churn_ways[h->kind].give(h);
	h->kind = KIND_none;
	return wrong;
}

/* A free that must be refused, and changes nothing. */
static const char *churn_misuse(const struct holding *h)
{
	if (h->kind == KIND_pages && h->order > 0)
		__free_pages(h->page + 1, churn_pick(h->order));
	else if (h->kind == KIND_pages)
		__free_pages(h->page, 1 + churn_pick(MAX_ORDER));
	else
		return NULL;
	w.refused++;
	return churn_look(h);
}

static const char *churn_hold_step(struct holding *h)
{
	switch (churn_pick(8)) {
	case 0:
		return churn_resize(h);
	case 1:
		return h->kind == KIND_exclusive ? churn_hand_over(h)
		                                 : churn_look(h);
	case 2:
		return churn_misuse(h);
	default:
		return churn_give(h);
	}
}

/* ---- What happens meanwhile ------------------------------------------------ */

static void churn_write_index(const struct space *space)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (space->page[i] != NULL)
			memcpy(page_address(space->page[i]), &i, sizeof(i));
	}
}

static const char *churn_look_at_space(const struct space *space)
{
	for (unsigned long i = 0; i < SPACE_PAGES; i++) {
		if (space->page[i] != NULL)
			EXPECT(memcmp(page_address(space->page[i]), &i,
			              sizeof(i)) == 0);
	}
	return NULL;
}

/* File and anonymous pages come and go. */
static const char *churn_space_step(void)
{
	struct space *space = churn_pick(2) ? &w.file : &w.anon;
	const char *wrong = churn_look_at_space(space);
	unsigned long first = churn_pick(SPACE_PAGES);
	unsigned long end = first + churn_pick(2048);

	if (wrong != NULL)
		return wrong;
	if (churn_pick(3) > 0) {
		space_fill(space, GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
		           churn_pick(768));
		churn_write_index(space);
		return NULL;
	}
	for (unsigned long i = first; i < min(end, SPACE_PAGES); i++)
		space_truncate(space, i);
	space_end_writes(space, churn_pick(64));
	return NULL;
}

/* One of the next requests of this thread fails. */
static void churn_fail_one(void)
{
	fail_nth_set(machine_main(), 1 + churn_pick(12), false);
}

static void churn_new_marks(void)
{
	static const unsigned long kbytes[] = { 128, 512, 1024, 2048 };

	w.node->min_free_kbytes = kbytes[churn_pick(ARRAY_SIZE(kbytes))];
	watermark_setup(w.node);
	watermark_set_boost_factor(w.node, churn_pick(3) * 15000);
}

static const char *churn_world_step(void)
{
	switch (churn_pick(12)) {
	case 0:
		compact_node(w.node);
		return churn_look_at_space(&w.file);
	case 1:
		drain_all_pages(w.node, NULL);
		return NULL;
	case 2:
		pcp_decay(w.node);
		return NULL;
	case 3:
		slab_shrink_node(w.node);
		return NULL;
	case 4:
		vmalloc_work(w.vmalloc);
		vmalloc_purge(w.vmalloc);
		return NULL;
	case 5:
		churn_new_marks();
		return NULL;
	case 6:
		EXPECT(pcp_set_fraction(w.node, churn_pick(2) * 8) == 0);
		return NULL;
	case 7:
		churn_fail_one();
		return NULL;
	case 8:
		exclusive_balance(w.node);
		return NULL;
	case 9:
		machine_advance(1 + churn_pick(1U << 20));
		return NULL;
	default:
		return churn_space_step();
	}
}

/* ---- The course ------------------------------------------------------------ */

static const char *churn_check(void)
{
	static char text[200];
	const char *wrong = mm_check(text, sizeof(text));

	if (wrong == NULL)
		wrong = vmalloc_check(w.vmalloc, text, sizeof(text));
	if (wrong == NULL)
		wrong = exclusive_check(w.node, false, text, sizeof(text));
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(vmstat_read(&w.node->stat, VMSTAT_free_refused),
	             w.refused);
	EXPECT_EQUAL(vmstat_read(&w.node->stat, VMSTAT_bad_page), 0);
	return NULL;
}

const char *churn_step(void)
{
	struct holding *h = &w.holding[churn_pick(HOLDINGS)];
	const char *wrong;

	/* Requests that fail rest up to sixteen times each: those of one step count. */
	machine_set_wait_hook(NULL);
	if (churn_pick(8) == 0)
		wrong = churn_world_step();
	else if (h->kind == KIND_none)
		wrong = churn_ways[1 + churn_pick(KIND_COUNT - 1)].take(h);
	else
		wrong = churn_hold_step(h);
	if (wrong == NULL && ++w.steps % CHECK_EVERY == 0)
		wrong = churn_check();
	return wrong;
}

static unsigned long churn_free_slots(void)
{
	return w.anon.slots;
}

static void churn_begin_area(void)
{
	kassert(alloc_contig_range(CMA_BASE, CMA_BASE + CMA_COUNT,
	                           MIGRATE_MOVABLE, GFP_KERNEL) == 0);
	for (unsigned long pfn = CMA_BASE; pfn < CMA_BASE + CMA_COUNT; pfn++) {
		struct page *page = pfn_to_page(pfn);
		struct zone *zone = page_zone(w.node, page);

		memset(page, 0, sizeof(*page));
		zone->used_pages--;
		zone->managed--;
	}
	kassert(cma_init_area(&w.cma, w.node, CMA_BASE, CMA_COUNT, 0,
	                      w.cma_bits) == 0);
}

static void churn_begin_caches(void)
{
	w.cache[0] = kmem_cache_create("churn-small", 40, 0, 0, NULL);
	w.cache[1] = kmem_cache_create("churn-page", 1000, 64,
	                               SLAB_RECLAIM_ACCOUNT, NULL);
	w.cache[2] = kmem_cache_create(
		"churn-checked", 120, 0,
		SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON, NULL);
	w.pool[0] = mempool_create_page_pool(4, 1);
	w.pool[1] = mempool_create_kmalloc_pool(8, 300);
	kassert(w.cache[0] != NULL && w.cache[1] != NULL && w.cache[2] != NULL);
	kassert(w.pool[0] != NULL && w.pool[1] != NULL);
}

void churn_begin(const struct churn_source *source)
{
	static const unsigned long pages[ZONE_COUNT] = {
		[ZONE_DMA] = DMA_PAGES,
		[ZONE_DMA32] = DMA32_PAGES,
		[ZONE_NORMAL] = NORMAL_PAGES,
		[ZONE_MOVABLE] = MOVABLE_PAGES,
	};

	memset(&w, 0, sizeof(w));
	w.source = *source;
	machine_start(CHURN_PAGES);
	w.node = machine_zones(0, pages);
	w.node->min_free_kbytes = 512;
	watermark_setup(w.node);
	machine_start_exclusive(w.node, 64);
	w.vmalloc = machine_start_vmalloc(w.node);
	churn_begin_area();
	pcp_start(w.node, w.lists, 1);
	machine_set_reclaim_hook(w.node, reclaim_try_to_free_pages,
	                         zone_reclaimable_pages);
	machine_set_compact_hook(w.node, compact_for_request);
	space_init(&w.file, SPACE_PLAIN);
	space_init(&w.anon, SPACE_ANON);
	w.anon.slots = 512;
	reclaim_set_swap(w.node, churn_free_slots);
	churn_begin_caches();
	machine_begin_thread(&w.other, "other");
}

static const char *churn_empty(struct space *space)
{
	const char *wrong = churn_look_at_space(space);

	space_end_writes(space, SPACE_PAGES);
	space_clear(space);
	return wrong;
}

/* A machine ends: add what happened there. */
static void churn_count_events(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(churn_events); i++)
		happened[i] +=
			vmstat_read(&w.node->stat, churn_events[i].event);
}

const char *churn_end(void)
{
	const char *wrong = churn_empty(&w.file);

	fail_nth_set(machine_main(), 0, false);
	if (wrong == NULL)
		wrong = churn_empty(&w.anon);
	for (unsigned int i = 0; i < HOLDINGS && wrong == NULL; i++) {
		if (w.holding[i].kind != KIND_none)
			wrong = churn_give(&w.holding[i]);
	}
	if (wrong == NULL)
		wrong = churn_check();
	if (wrong != NULL)
		return wrong;
	churn_count_events();
	EXPECT_EQUAL(cma_taken(&w.cma), 0);
	mempool_destroy(w.pool[0]);
	mempool_destroy(w.pool[1]);
	for (unsigned int i = 0; i < CACHES; i++)
		kmem_cache_destroy(w.cache[i]);
	pcp_stop(w.node);
	machine_end_thread(&w.other);
	wrong = machine_finish();
	machine_stop();
	return wrong;
}

const char *churn_never_done(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(churn_events); i++) {
		if (happened[i] == 0)
			return churn_events[i].what;
	}
	for (unsigned int kind = KIND_none + 1; kind < KIND_COUNT; kind++) {
		if (got[kind] == 0)
			return kind_names[kind];
	}
	return NULL;
}
