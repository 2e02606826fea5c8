/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc_random.c -- vmalloc() beside a model, in random order.
 *
 * The model is a table of areas with a tag of the bytes in each.  After every step one
 * area is compared, and every few steps the counters, the guards and the check.
 */
#include "kernel/arch/vmap.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/pcp.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/vmalloc_internal.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(vmalloc_random);

#define FRAMES 1024UL
#define AREAS  24UL
#define MOST   60UL /* pages of an area */

enum model_kind {
	MODEL_NONE,
	MODEL_VMALLOC,
	MODEL_VMAP,
	MODEL_PUT,
	MODEL_DEFERRED, /* freed, and the worker has not run */
};

struct model_area {
	enum model_kind kind;
	unsigned char *memory;
	unsigned long pages;
	unsigned char tag;
	struct page **page; /* of MODEL_VMAP and MODEL_PUT */
};

static struct {
	struct node *node;
	struct vmalloc_space *space;
	struct random random;
	struct model_area area[AREAS];
	unsigned char tags;
} world;

static unsigned long vm_pick(unsigned long bound)
{
	return random_below(&world.random, bound);
}

static void vm_model_write(struct model_area *area)
{
	area->tag = ++world.tags;
	for (unsigned long i = 0; i < area->pages; i++)
		memset(area->memory + i * PAGE_SIZE,
		       area->tag + (unsigned char)i, PAGE_SIZE);
}

static const char *vm_model_read(const struct model_area *area)
{
	for (unsigned long i = 0; i < area->pages; i++) {
		const unsigned char *page = area->memory + i * PAGE_SIZE;
		unsigned char tag = area->tag + (unsigned char)i;

		EXPECT(page[0] == tag && page[PAGE_SIZE - 1] == tag);
		if (area->page != NULL)
			EXPECT(vmalloc_to_page(page) == area->page[i]);
	}
	EXPECT(vmalloc_to_page(area->memory + area->pages * PAGE_SIZE) == NULL);
	return NULL;
}

static void vm_model_vmalloc(struct model_area *area)
{
	gfp_t gfp = vm_pick(2) ? GFP_KERNEL : GFP_NOFS;

	area->pages = 1 + vm_pick(MOST);
	area->memory = __vmalloc(area->pages * PAGE_SIZE - vm_pick(PAGE_SIZE),
	                         gfp | __GFP_NOWARN);
	area->page = NULL;
	if (area->memory != NULL)
		area->kind = MODEL_VMALLOC;
}

/* An array of COUNT pages, or NULL. */
static struct page **vm_model_pages(unsigned long count)
{
	struct page **page = kcalloc(count, sizeof(*page), GFP_KERNEL);
	unsigned long got = 0;

	if (page == NULL)
		return NULL;
	while (got < count &&
	       (page[got] = alloc_page(GFP_KERNEL | __GFP_NOWARN)) != NULL)
		got++;
	if (got == count)
		return page;
	while (got > 0)
		__free_page(page[--got]);
	kfree(page);
	return NULL;
}

static void vm_model_free_pages(struct model_area *area)
{
	for (unsigned long i = 0; i < area->pages; i++)
		__free_page(area->page[i]);
	kfree(area->page);
}

static void vm_model_vmap(struct model_area *area)
{
	bool put = vm_pick(2);

	area->pages = 1 + vm_pick(8);
	area->page = vm_model_pages(area->pages);
	if (area->page == NULL)
		return;
	area->memory = vmap(area->page, (unsigned int)area->pages,
	                    put ? VM_MAP_PUT_PAGES : VM_MAP, PAGE_KERNEL);
	if (area->memory != NULL)
		area->kind = put ? MODEL_PUT : MODEL_VMAP;
	else
		vm_model_free_pages(area);
}

static void vm_model_end(struct model_area *area)
{
	bool later = vm_pick(3) == 0;

	if (area->kind == MODEL_VMAP) {
		vunmap(area->memory);
		vm_model_free_pages(area);
		later = false;
	} else if (later && vm_pick(2)) {
		machine_enter_irq(NULL);
		vfree(area->memory);
		machine_leave_irq();
	} else if (later) {
		vfree_atomic(area->memory);
	} else {
		vfree(area->memory);
	}
	area->kind = later ? MODEL_DEFERRED : MODEL_NONE;
}

static void vm_model_realloc(struct model_area *area)
{
	unsigned long pages = 1 + vm_pick(MOST);
	unsigned char *memory = vrealloc(area->memory, pages * PAGE_SIZE,
	                                 GFP_KERNEL | __GFP_NOWARN);

	if (memory == NULL)
		return;
	area->memory = memory;
	area->pages = max(pages, area->pages);
	vm_model_write(area);
}

/* The worker has run, by itself or because there were no addresses: which areas are
 * still there? */
static void vm_model_sync(void)
{
	for (unsigned long i = 0; i < AREAS; i++) {
		struct model_area *area = &world.area[i];
		uintptr_t at = (uintptr_t)area->memory;
		struct vmalloc_info info;

		if (area->kind == MODEL_DEFERRED &&
		    (!vmalloc_next(world.space, &at, &info) ||
		     info.start != (uintptr_t)area->memory ||
		     strcmp(info.kind, "deferred") != 0))
			area->kind = MODEL_NONE;
	}
}

/* Calls that are refused and change nothing. */
static void vm_model_misuse(const struct model_area *area)
{
	switch (vm_pick(3)) {
	case 0:
		vfree(area->memory + 1 + vm_pick(area->pages * PAGE_SIZE));
		break;
	case 1:
		if (area->kind == MODEL_VMALLOC)
			vunmap(area->memory);
		break;
	default:
		if (area->kind == MODEL_DEFERRED || area->kind == MODEL_VMAP)
			vfree(area->memory);
	}
}

static void vm_model_step(struct model_area *area)
{
	if (area->kind == MODEL_NONE) {
		if (vm_pick(3) == 0)
			vm_model_vmap(area);
		else
			vm_model_vmalloc(area);
		if (area->kind != MODEL_NONE)
			vm_model_write(area);
		return;
	}
	switch (vm_pick(8)) {
	case 0:
		vmalloc_work(world.space);
		break;
	case 1:
		vmalloc_purge(world.space);
		break;
	case 2:
		vm_model_misuse(area);
		break;
	case 3:
		if (area->kind == MODEL_VMALLOC)
			vm_model_realloc(area);
		break;
	default:
		if (area->kind != MODEL_DEFERRED)
			vm_model_end(area);
	}
}

/* Pages of vmalloc() by the model; an array has at most a page. */
static unsigned long vm_model_vmalloc_pages(void)
{
	unsigned long pages = 0;

	for (unsigned long i = 0; i < AREAS; i++) {
		const struct model_area *area = &world.area[i];

		if (area->kind == MODEL_VMALLOC ||
		    (area->kind == MODEL_DEFERRED && area->page == NULL))
			pages += area->pages;
	}
	return pages;
}

static const char *vm_model_compare_all(void)
{
	static char text[100];
	const char *broken = vmalloc_check(world.space, text, sizeof(text));

	for (unsigned long i = 0; i < AREAS && broken == NULL; i++) {
		if (world.area[i].kind != MODEL_NONE)
			broken = vm_model_read(&world.area[i]);
	}
	if (broken != NULL)
		return broken;
	EXPECT_EQUAL(world.space->pages, vm_model_vmalloc_pages());
	return NULL;
}

static void vm_world_begin(void)
{
	machine_start(FRAMES);
	memset(&world, 0, sizeof(world));
	world.random.state = test_seed();
	world.node = machine_one_zone(ZONE_NORMAL, FRAMES);
	world.space = machine_start_vmalloc(world.node);
	/* So little that each purge for want of addresses is tried, too. */
	vmalloc_space_init(world.space, world.node, vmap_base,
	                   vmap_base + FRAMES * PAGE_SIZE, 1);
}

static const char *vm_world_end(void)
{
	vmalloc_work(world.space);
	vm_model_sync();
	for (unsigned long i = 0; i < AREAS; i++) {
		if (world.area[i].kind != MODEL_NONE)
			vm_model_end(&world.area[i]);
	}
	vmalloc_work(world.space);
	vmalloc_purge(world.space);
	EXPECT_EQUAL(world.space->areas, 0);
	EXPECT_EQUAL(range_widest(&world.space->ranges), FRAMES * PAGE_SIZE);
	return NULL;
}

static const char *vm_world_run(unsigned int steps)
{
	const char *wrong = NULL;

	for (unsigned int step = 0; step < steps && wrong == NULL; step++) {
		struct model_area *area = &world.area[vm_pick(AREAS)];

		vm_model_step(area);
		vm_model_sync();
		if (area->kind != MODEL_NONE)
			wrong = vm_model_read(area);
		if (wrong == NULL && step % 16 == 0)
			wrong = vm_model_compare_all();
	}
	return wrong != NULL ? wrong : vm_model_compare_all();
}

CASE(vmalloc_random, areas_keep_what_was_written_to_them)
{
	const char *wrong;

	vm_world_begin();
	wrong = vm_world_run(4000);
	return wrong != NULL ? wrong : vm_world_end();
}

CASE(vmalloc_random, the_same_while_allocations_fail)
{
	struct fault_attr *attr;
	const char *wrong;

	vm_world_begin();
	attr = &world.node->fail_page_alloc;
	attr->probability = 5;
	pcp_shortcut_update();
	attr->times = FAULT_TIMES_ALL;
	attr->verbose = 0;
	attr->min_order = 0;
	attr->ignore_gfp_wait = false;
	attr->ignore_gfp_highmem = false;
	attr->seed = test_seed();
	wrong = vm_world_run(4000);
	attr->probability = 0;
	pcp_shortcut_update();
	EXPECT(wrong != NULL ||
	       vmstat_read(&world.node->stat, VMSTAT_fault_injected) > 20);
	return wrong != NULL ? wrong : vm_world_end();
}
