/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/hotpath.c -- the instructions of a page request, one at a time.
 *
 * The hook of the stepper only notes addresses, for it runs at each instruction with
 * interrupts off; names are looked up afterwards.  A pair goes before, so that the CPU's
 * list has a page and every request takes the same way.
 *
 * Preemption is off meanwhile: the trap flag would go on with another thread.
 *
 * Locking: one caller at a time.
 */
#include "kernel/demo/hotpath.h"

#include "kernel/arch/step.h"
#include "kernel/arch/trap.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/symbols.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab/kmalloc.h"

#define HOTPATH_MOST 2000U
#define HOTPATH_LINE 0 /* no interrupt is taken by the stepper */

struct hotpath_run {
	struct page *page;
	uintptr_t at[HOTPATH_MOST];
	unsigned int count;
	bool cut;
};

/* ---- Stepping ------------------------------------------------------------ */

/* Separate functions, so that their instructions can be told from those of the path. */
static __noinline void hotpath_alloc(void *data)
{
	struct hotpath_run *run = data;

	run->page = alloc_page(GFP_ATOMIC);
}

static __noinline void hotpath_free(void *data)
{
	struct hotpath_run *run = data;

	__free_page(run->page);
	run->page = NULL;
}

static enum step_action hotpath_note(const struct step_boundary *boundary,
                                     void *data)
{
	struct hotpath_run *run = data;

	if (run->count == HOTPATH_MOST) {
		run->cut = true;
		return STEP_END;
	}
	run->at[run->count++] = boundary->frame->rip;
	return STEP_ON;
}

/* False: there was no page. */
static bool hotpath_warm(struct hotpath_run *run)
{
	hotpath_alloc(run);
	if (run->page == NULL)
		return false;
	hotpath_free(run);
	return true;
}

static void hotpath_step(enum hotpath_way way, struct hotpath_run *run)
{
	if (way == HOTPATH_ALLOC) {
		step_run(hotpath_alloc, run, HOTPATH_LINE, hotpath_note, run);
		if (run->page != NULL)
			hotpath_free(run);
		else
			run->count = 0;
		return;
	}
	hotpath_alloc(run);
	if (run->page != NULL)
		step_run(hotpath_free, run, HOTPATH_LINE, hotpath_note, run);
}

/* ---- Booking ------------------------------------------------------------- */

static uintptr_t hotpath_function(uintptr_t address)
{
	char name[SYMBOL_NAME_SIZE];
	unsigned long offset;

	(void)symbol_name(name, sizeof(name), address, &offset);
	return address - offset;
}

static struct hotpath_part *
hotpath_part_of(struct hotpath *path, uintptr_t function, const char *file)
{
	struct hotpath_part *part = path->part;

	while (part < path->part + path->parts &&
	       (part->function != function || strcmp(part->file, file) != 0))
		part++;
	if (part == path->part + HOTPATH_PARTS)
		return NULL;
	if (part == path->part + path->parts) {
		*part = (struct hotpath_part){ function, file, 0 };
		path->parts++;
	}
	return part;
}

static void hotpath_book(struct hotpath *path, uintptr_t address)
{
	uintptr_t function = hotpath_function(address);
	unsigned int line;
	const char *file = line_find(address, &line);
	struct hotpath_part *part;

	if (function == (uintptr_t)hotpath_alloc ||
	    function == (uintptr_t)hotpath_free)
		return;
	path->instructions++;
	part = hotpath_part_of(path, function, file == NULL ? "?" : file);
	if (part != NULL)
		part->instructions++;
}

int hotpath_measure(enum hotpath_way way, struct hotpath *path)
{
	struct hotpath_run *run = kmalloc(sizeof(*run), GFP_KERNEL);

	*path = (struct hotpath){ .parts = 0 };
	if (run == NULL)
		return -ENOMEM;
	run->page = NULL;
	run->count = 0;
	run->cut = false;
	preempt_disable();
	if (hotpath_warm(run))
		hotpath_step(way, run);
	preempt_enable();
	for (unsigned int i = 0; i < run->count; i++)
		hotpath_book(path, run->at[i]);
	path->cut = run->cut;
	kfree(run);
	return path->instructions > 0 ? 0 : -ENOMEM;
}
