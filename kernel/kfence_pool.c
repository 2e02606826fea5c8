/* SPDX-License-Identifier: MIT */
/*
 * kernel/kfence_pool.c -- the pool of sampled objects of this machine, `kfence=MS`.
 *
 * The menu's first entry has the word, and so has `make run`.  The memory is found while
 * nothing is free yet, at the highest place.  On a small machine there is no pool.
 *
 * After a sample the worker opens the pool again when the interval is over.  So a machine on
 * which nobody asks for objects is not woken for it.
 */
#include "kernel/kfence_pool.h"

#include "kernel/arch/paging.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/work.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "mm/slab/kfence.h"

#define KFENCE_MOST_MS 3600000UL /* an hour */

static struct kfence_settings pool; /* pages 0: there is none */

static int kfence_pool_set_interval(const char *value)
{
	uint64_t interval;
	int error = value == NULL ? -EINVAL : parse_number(value, &interval);

	if (error == 0 && interval > KFENCE_MOST_MS)
		error = -ERANGE;
	if (error == 0)
		pool.interval = (unsigned long)interval;
	return error;
}

PARAM(kfence, "kfence",
      "=MS: so often an object is put between guards; 0: never",
      kfence_pool_set_interval);

void kfence_pool_reserve(struct memmap *map)
{
	unsigned long pages = kfence_pool_pages(memmap_usable_pages(map));
	uint64_t size = pages * PAGE_SIZE;
	uint64_t base;

	if (pool.interval == 0 || pages == 0)
		return;
	base = memmap_alloc(map, size, size, 0, true);
	if (base == 0)
		return;
	paging_use_small_pages(base, base + size);
	pool.pfn = base / PAGE_SIZE;
	pool.pages = pages;
}

/* ---- When ---------------------------------------------------------------- */

static struct delayed_work kfence_work;

static void kfence_pool_open(struct work *work __unused)
{
	kfence_open(main_node());
}

static void kfence_pool_again(unsigned long interval)
{
	queue_delayed_work(&kfence_work, interval * 1000);
}

void kfence_pool_start(struct node *node)
{
	struct kfence_counts counts;

	if (pool.pages == 0)
		return;
	work_init(&kfence_work.work, kfence_pool_open);
	pool.again = kfence_pool_again;
	if (!kfence_start(node, &pool)) {
		pr_warn("kfence: there is no memory for its records\n");
		return;
	}
	kfence_explain_faults();
	panic_register_reporter("kfence", kfence_print_fault);
	kfence_read(node, &counts);
	pr_info("kfence: a sample each %lu ms, room for %lu objects at pfn "
	        "%#lx\n",
	        pool.interval, counts.objects, pool.pfn);
}
