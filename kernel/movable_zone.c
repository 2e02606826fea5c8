/* SPDX-License-Identifier: MIT */
/*
 * kernel/movable_zone.c -- ZONE_MOVABLE of this machine, `kernelcore=` and `movablecore=`.
 *
 * All memory of the map counts, also what the kernel's image and early tables use; they may
 * lie in ZONE_MOVABLE as reserved pages, as in Linux.  Frame 0 is not counted: no page has
 * it.
 */
#include "kernel/movable_zone.h"

#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "mm/boot/zone_movable.h"

static struct movable_amount kernelcore;
static struct movable_amount movablecore;

static int movable_zone_set(const char *name, const char *value,
                            struct movable_amount *amount)
{
	int error =
		value == NULL ? -EINVAL : movable_amount_parse(value, amount);

	if (error == -ENODEV)
		pr_warn("%s=mirror: the memory map does not say which memory "
		        "is mirrored\n",
		        name);
	if (error == -ERANGE)
		pr_warn("%s=%s: more than there can be\n", name, value);
	return error;
}

static int movable_zone_set_core(const char *value)
{
	return movable_zone_set("kernelcore", value, &kernelcore);
}

static int movable_zone_set_movable(const char *value)
{
	return movable_zone_set("movablecore", value, &movablecore);
}

PARAM(kernelcore, "kernelcore",
      "=SIZE or N%: what the kernel can use; above it ZONE_MOVABLE",
      movable_zone_set_core);
PARAM(movablecore, "movablecore", "=SIZE or N%: the size of ZONE_MOVABLE",
      movable_zone_set_movable);

static bool movable_zone_next(const void *data, unsigned int node,
                              unsigned long from, unsigned long *start,
                              unsigned long *end)
{
	const struct memmap *map = data;
	struct boot_range range;

	kassert(node == 0);
	if (!memmap_next_usable(map, max(from, 1UL) * PAGE_SIZE, &range))
		return false;
	*start = range.start / PAGE_SIZE;
	*end = range.end / PAGE_SIZE;
	return true;
}

unsigned long movable_zone_start(const struct memmap *map)
{
	const struct movable_memory memory = { movable_zone_next, map, 1 };
	unsigned long start;

	zone_movable_find(&memory, &kernelcore, &movablecore, &start);
	if (start != 0)
		return start;
	if ((kernelcore.pages | kernelcore.per_cent | movablecore.pages |
	     movablecore.per_cent) != 0)
		pr_warn("kernelcore=, movablecore=: the kernel keeps all "
		        "memory, there is no ZONE_MOVABLE\n");
	return ~0UL;
}
