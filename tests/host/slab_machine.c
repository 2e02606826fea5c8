/* SPDX-License-Identifier: MIT */
#include "lib/string.h"
#include "mm/slab/slab_internal.h"
#include "tests/host/slab.h"
#include "tests/suite.h"

unsigned int slab_machine_constructed;

struct node *slab_machine(unsigned long frames, unsigned int cpus)
{
	unsigned long pages[ZONE_COUNT] = {
		[ZONE_DMA] = 64,
		[ZONE_NORMAL] = frames,
	};
	struct node *node;

	machine_start(frames + 64);
	node = machine_zones(0, pages);
	set_main_node(node);
	slab_machine_constructed = 0;
	if (!slab_start(node, cpus, 0x9e3779b97f4a7c15))
		panic("the slab allocator does not start");
	return node;
}

const char *slab_machine_end(struct node *node, struct kmem_cache *cache)
{
	char text[160];

	if (slab_check(node, text, sizeof(text)) != NULL)
		return test_failure("%s", text);
	kmem_cache_destroy(cache);
	if (!slab_stop(node))
		return "objects are left at the end";
	if (node_check(node, NULL, false, text, sizeof(text)) != NULL)
		return test_failure("%s", text);
	if (node_free(node) != node_managed(node))
		return test_failure("%lu pages are not free at the end",
		                    node_managed(node) - node_free(node));
	return NULL;
}

static uint8_t slab_machine_byte(const void *object, size_t at)
{
	return (uint8_t)(((uintptr_t)object >> 3) * 31 + at * 7 + 1);
}

void slab_machine_sign(void *object, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)object)[i] = slab_machine_byte(object, i);
}

bool slab_machine_is_signed(const void *object, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (((const uint8_t *)object)[i] !=
		    slab_machine_byte(object, i))
			return false;
	}
	return true;
}

bool slab_machine_distinct(void *const *object, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int j = 0; j < i; j++) {
			if (object[i] == object[j])
				return false;
		}
	}
	return true;
}

void slab_machine_construct(void *object)
{
	memset(object, 0x3c, 64);
	slab_machine_constructed++;
}
