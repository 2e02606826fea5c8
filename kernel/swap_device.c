/* SPDX-License-Identifier: MIT */
/*
 * kernel/swap_device.c -- a slot is eight sectors.
 *
 *	swap_readpage()  -> disk_read()  -> block_read_page(), which waits
 *	swap_writepage() -> disk_write() -> submit_bio() ... write_ended()
 *	                                                      -> swap_write_end()
 *
 * The bio of a write comes from a mempool: when there is no memory a page can
 * still be written out, maybe after those before it.  It is asked for with
 * GFP_NOIO, so that it never waits for a page that is written for its sake.
 */
#include "kernel/swap_device.h"

#include "kernel/block/block.h"
#include "kernel/core/held.h"
#include "lib/errno.h"

static struct swap_device devices[BLOCK_MAX_DEVICES];

/* The claim is the area's, which the thread that makes it holds. */
static int disk_claim(struct swap_device *device)
{
	int error = bd_claim(device->driver);

	if (error == 0)
		held_hand_on(HELD_DEVICE, device->driver);
	return error;
}

static void disk_release(struct swap_device *device)
{
	bd_release(device->driver);
}

static int disk_read(struct swap_device *device, unsigned long slot,
                     struct page *page)
{
	return block_read_page(device->driver, slot * SECTORS_PER_PAGE, page);
}

static void write_ended(struct bio *bio)
{
	struct page *page = bio->page;
	int error = bio->error;

	bio_put(bio);
	swap_write_end(page, error);
}

static int disk_write(struct swap_device *device, unsigned long slot,
                      struct page *page)
{
	struct bio *bio = bio_alloc(GFP_NOIO);

	if (bio == NULL)
		return -ENOMEM;
	bio->device = device->driver;
	bio->sector = slot * SECTORS_PER_PAGE;
	bio->write = true;
	bio->page = page;
	bio->bytes = PAGE_SIZE;
	bio->end_io = write_ended;
	submit_bio(bio);
	return 0;
}

struct swap_device *swap_device_find(const char *name)
{
	struct block_device *block = block_find(name);
	struct swap_device *device = devices;

	if (block == NULL)
		return NULL;
	/* There are as many as there can be block devices. */
	while (device->driver != NULL && device->driver != block)
		device++;
	/* One that is known may be in use. */
	if (device->driver == block)
		return device;
	*device = (struct swap_device){
		.name = block->name,
		.pages = block->sectors / SECTORS_PER_PAGE,
		.claim = disk_claim,
		.release = disk_release,
		.read = disk_read,
		.write = disk_write,
		.driver = block,
	};
	return device;
}
