/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swapfile.c -- areas on and off.
 *
 * swapon: read slot 0, check it, get one page of bookkeeping for each 768
 * slots.  swapoff: no new slots, then everything that is there comes back:
 *
 *	ON --swap_area_going()--> GOING --unuse(), used 0--> OFF
 *	 ^                          |
 *	 +---- no memory, error ----+
 *
 * A page that is on its way in while unuse() passes by is caught by the
 * next pass.  While the area is going, no page can leave for it, so each pass
 * finds less; SWAPOFF_PASSES without an end mean that somebody has a page and
 * does not give it back.
 *
 * Locking: none here; two swapoffs of one area meet in swap_area_going().
 */
#include "mm/swap/swapfile.h"

#include "kernel/arch/copy.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/page_lock.h"

#define SWAPOFF_PASSES 16

/* Brings back what is on an area; mm/user/ registers it. */
static int (*swapoff_unuse)(unsigned int type);

void swapoff_register(int (*unuse)(unsigned int type))
{
	kassert(unuse != NULL);
	swapoff_unuse = unuse;
}

/* ---- The pages of bookkeeping -------------------------------------------- */

static void free_clusters(struct swap_cluster **clusters)
{
	for (unsigned long i = 0; i < SWAP_MAX_CLUSTERS; i++)
		free_page((uintptr_t)clusters[i]);
	free_page((uintptr_t)clusters);
}

/* For SLOTS slots; NULL: no memory. */
static struct swap_cluster **alloc_clusters(unsigned long slots)
{
	struct swap_cluster **clusters =
		(struct swap_cluster **)get_zeroed_page(GFP_KERNEL);

	if (clusters == NULL)
		return NULL;
	slots = min(slots, SWAP_MAX_SLOTS);
	for (unsigned long i = 0; i * SWAP_CLUSTER < slots; i++) {
		clusters[i] =
			(struct swap_cluster *)get_zeroed_page(GFP_KERNEL);
		if (clusters[i] == NULL) {
			free_clusters(clusters);
			return NULL;
		}
	}
	return clusters;
}

/* ---- On ------------------------------------------------------------------ */

/* Use what the header in PAGE describes. */
static int use_header(struct swap_device *device, const struct page *page,
                      int priority, const char **why)
{
	struct swap_header header;
	struct swap_cluster **clusters;
	int type;

	*why = swap_read_header(page_address(page), device->pages, &header);
	if (*why != NULL)
		return -EINVAL;
	kassert(header.slots > 1 && header.slots <= device->pages);
	clusters = alloc_clusters(header.slots);
	if (clusters == NULL)
		return -ENOMEM;
	type = swap_area_add(device, &header, priority, clusters);
	if (type < 0) {
		free_clusters(clusters);
		return type;
	}
	return 0;
}

/* The thread holds DEVICE until the area does. */
static int swapfile_claim(struct swap_device *device)
{
	int error = device->claim != NULL ? device->claim(device) : 0;

	if (error == 0)
		held_take(HELD_DEVICE, device, RETURN_ADDRESS());
	return error;
}

static void swapfile_release(struct swap_device *device)
{
	held_drop(HELD_DEVICE, device);
	if (device->release != NULL)
		device->release(device);
}

/* Read the header of DEVICE, and use what it describes. */
static int use_device(struct swap_device *device, int priority,
                      const char **why)
{
	struct page *page = alloc_page(GFP_KERNEL);
	int error;

	if (page == NULL)
		return -ENOMEM;
	lock_page(page);
	error = device->read(device, 0, page);
	if (error == 0)
		error = use_header(device, page, priority, why);
	unlock_page(page);
	put_page(page);
	return error;
}

int swapon(struct swap_device *device, int priority, const char **why)
{
	unsigned int held = held_total();
	const char *sentence = NULL;
	int error = why == NULL ? 0 : clear_caller(why, sizeof(*why));

	if (error != 0)
		return error;
	if (swap_area_find(device) >= 0)
		return -EBUSY;
	error = swapfile_claim(device);
	if (error != 0)
		return error;
	error = use_device(device, priority, &sentence);
	if (error != 0)
		swapfile_release(device);
	else
		held_hand_on(HELD_DEVICE, device);
	held_expect(held, __func__);
	if (why != NULL)
		*why = sentence;
	return error;
}

/* ---- Off ----------------------------------------------------------------- */

/* Everything on area TYPE comes back. */
static int empty_area(unsigned int type, struct swap_cluster ***clusters)
{
	int error = 0;

	for (int pass = 0; pass < SWAPOFF_PASSES; pass++) {
		error = swapoff_unuse != NULL ? swapoff_unuse(type) : 0;
		if (error == 0)
			error = swap_area_remove(type, clusters);
		if (error != -EBUSY)
			break;
	}
	return error;
}

int swapoff(struct swap_device *device)
{
	unsigned int held = held_total();
	struct swap_cluster **clusters;
	int type = swap_area_find(device);
	int error;

	if (type < 0)
		return -ENXIO;
	error = swap_area_going((unsigned int)type, true);
	if (error != 0)
		return error;
	error = empty_area((unsigned int)type, &clusters);
	held_expect(held, __func__);
	if (error != 0)
		return swap_area_going((unsigned int)type, false) != 0 ? -ENXIO
		                                                       : error;
	kassert(clusters != NULL);
	free_clusters(clusters);
	swapfile_release(device);
	return 0;
}
