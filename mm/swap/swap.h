/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/ -- swap areas: which slot of which device holds which page.
 *
 *	swap.h		the interface to mm/user/ and to devices: this file
 *	swapfile.h	swapon() and swapoff()
 *	swap_header.c	the header that mkswap(8) writes; trusts nothing
 *	swap.c		the areas, their invariants V1..V4
 *	swap_slots.c	allocating, counting and freeing slots
 *	swap_cache.c	pages that have a copy on an area
 *	swap_io.c	reading and writing a slot
 *	swap_check.c	the invariants, checked
 *
 * Devices are the kernel's (kernel/swap_device.c) and reach this folder as struct
 * swap_device.  Linux: mm/swapfile.c, mm/swap_state.c, mm/page_io.c.
 *
 *	area	a device with mkswap's header; at most MAX_SWAPFILES are on
 *	slot	4096 bytes of an area; slot 0 is the header
 *	entry	area and slot in one number: it replaces the page
 *	count	references to a slot: one for each entry, and one for the cache
 *	cache	from an entry to the page that has the same contents
 *
 * The functions here need no memory: swapon (mm/swap/swapfile.h) brings it.  Any
 * context but NMI unless it says otherwise; all take one lock for a short time.
 */
#ifndef MM_SWAP_SWAP_H
#define MM_SWAP_SWAP_H

#include "mm/node.h"

#define MAX_SWAPFILES 4

/* 0 stands for no entry: slot 0 is never given out. */
typedef struct {
	uint32_t value;
} swp_entry_t;

#define SWP_OFFSET_BITS 28

static inline swp_entry_t swp_entry(unsigned int type, unsigned long offset)
{
	return (swp_entry_t){ type << SWP_OFFSET_BITS | (uint32_t)offset };
}

static inline unsigned int swp_type(swp_entry_t entry)
{
	return entry.value >> SWP_OFFSET_BITS;
}

static inline unsigned long swp_offset(swp_entry_t entry)
{
	return entry.value & ((1U << SWP_OFFSET_BITS) - 1);
}

/* ---- The device ---------------------------------------------------------- */

/*
 * The device of an area.  All functions are called in a thread, read and write with
 * the page locked.  These two may sleep; they allocate from mempools only.
 */
struct swap_device {
	const char *name;
	unsigned long pages; /* how large it is */
	/* Fill PAGE; returns when it is done.  0 or -errno. */
	int (*read)(struct swap_device *device, unsigned long slot,
	            struct page *page);
	/* The device is for swap alone from now on, until release().  0, -EBUSY.
	 * Both may be NULL. */
	int (*claim)(struct swap_device *device);
	void (*release)(struct swap_device *device);
	/*
	 * Begin to write PAGE, which is under writeback.  0: swap_write_end()
	 * will be called, once, any time from now on.  -errno: it will not.
	 */
	int (*write)(struct swap_device *device, unsigned long slot,
	             struct page *page);
	void *driver;
};

/* ---- The header ---------------------------------------------------------- */

#define SWAP_MAX_BADPAGES 637U /* what fits between 1536 and the magic */

/* The header written by mkswap(8), checked. */
struct swap_header {
	unsigned long slots; /* last_page + 1: the header is one of them */
	unsigned int nr_badpages;
	const void *badpages; /* in the page that was read, little endian */
	uint8_t uuid[16];
	char label[17];
};

/*
 * Read the header in the 4096 bytes at PAGE of a device of DEVICE_PAGES pages.
 * NULL, or the reason why this is not a swap area that we support.  Trusts nothing.
 * Source: mkswap(8); Linux, include/linux/swap.h, union swap_header.
 */
const char *swap_read_header(const void *page, unsigned long device_pages,
                             struct swap_header *header);

/* The slot of bad page NUMBER < nr_badpages. */
unsigned long swap_header_badpage(const struct swap_header *header,
                                  unsigned int number);

/* ---- Areas --------------------------------------------------------------- */

/* The state of SWAP_CLUSTER neighbouring slots, in one page. */
#define SWAP_CLUSTER 768U
struct swap_cluster {
	uint32_t cached[SWAP_CLUSTER]; /* 0, or 1 + the frame in the cache */
	uint8_t count[SWAP_CLUSTER];   /* SWAP_SLOT_BAD, and references */
	uint16_t free;                 /* slots that are 0 */
	uint16_t used;                 /* slots with references */
};
static_assert(sizeof(struct swap_cluster) <= PAGE_SIZE, "one page");

#define SWAP_SLOT_BAD     0x80U
#define SWAP_SLOT_COUNT   0x7fU
#define SWAP_MAX_CLUSTERS (PAGE_SIZE / sizeof(struct swap_cluster *))
#define SWAP_MAX_SLOTS    (SWAP_MAX_CLUSTERS * SWAP_CLUSTER)

enum swap_state {
	SWAP_OFF,
	SWAP_ON,
	SWAP_GOING, /* swapoff is at work: no new slots */
};

/* Of an area, for reports. */
struct swap_info {
	enum swap_state state;
	struct swap_device *device;
	int priority;
	unsigned long pages; /* usable slots */
	unsigned long used;
	unsigned long bad; /* without the header's */
	char label[17];
};

/* No areas; NODE has the pages and the counters.  Once, before all others. */
void swap_start(struct node *node);

/*
 * An area of HEADER on DEVICE.  PRIORITY < 0: below all existing ones, from -2
 * downwards.  CLUSTERS: one zeroed page for each SWAP_CLUSTER slots.  Returns
 * the area's number, -EBUSY: DEVICE has an area, -ENOSPC: MAX_SWAPFILES are on.
 */
__must_check int swap_area_add(struct swap_device *device,
                               const struct swap_header *header, int priority,
                               struct swap_cluster **clusters);

/* The area on DEVICE, or -ENXIO. */
int swap_area_find(const struct swap_device *device);

/* Give out no more slots, or do so again.  -ENXIO: it is not on (not going). */
int swap_area_going(unsigned int type, bool going);

/* Forget a going area without used slots; *CLUSTERS are the caller's again.
 * -EBUSY: there are used ones.  -EFAULT: *CLUSTERS is not the caller's to write. */
__must_check int swap_area_remove(unsigned int type,
                                  struct swap_cluster ***clusters);

/* False: no such area. */
bool swap_area_info(unsigned int type, struct swap_info *info);

/* Sums over the areas; going ones count for neither.  Linux:
 * total_swap_pages, get_nr_swap_pages(). */
unsigned long total_swap_pages(void);
unsigned long get_nr_swap_pages(void);

/* Pages in the swap cache: SwapCached. */
unsigned long total_swapcache_pages(void);

/* Less than half is free: do not keep slots of pages that are in memory. */
bool vm_swap_full(void);

/* Do the counts add up?  NULL or a sentence in BUFFER.  Takes the lock for a slice
 * of slots at a time; others go on meanwhile, and while they do, sums are not
 * compared (mm/debug/check.h).  Any context but NMI. */
const char *swap_check(char *buffer, size_t size);

/* ---- Slots --------------------------------------------------------------- */

/* A slot for PAGE, with one reference, the cache's: from the area of the highest
 * priority that has one; areas of one priority take turns.  0: all are full. */
swp_entry_t swap_slot_alloc(struct page *page);

/* One more reference.  -ENOENT: the slot has none, -ENOMEM: too many, -EBUSY:
 * its area is going. */
__must_check int swap_duplicate(swp_entry_t entry);

/* One less; the last one frees the slot.  Without one: reported, refused. */
void swap_free(swp_entry_t entry);

/* References of a slot; 0 for free slots and for entries that make no sense. */
unsigned int swap_count(swp_entry_t entry);

/* A write has failed there: once it is free it is not used again. */
bool swap_slot_is_bad(swp_entry_t entry);

/* ---- The swap cache ------------------------------------------------------ */

/* PAGE has, or is about to be filled with, what is at ENTRY; the cache takes a
 * reference of the slot.  -EEXIST: another page has, -ENOENT: no such slot. */
__must_check int swap_cache_add(swp_entry_t entry, struct page *page);

/* PAGE, which is locked, leaves the cache, and the slot loses the reference. */
void swap_cache_remove(struct page *page);

/* TO, locked and new, has FROM's contents and takes its place in the cache; FROM, locked,
 * leaves it. */
void swap_cache_replace(struct page *from, struct page *to);

/* The page of ENTRY, with a reference for the caller, or NULL. */
struct page *swap_cache_get(swp_entry_t entry);

/* The entry of a page in the cache (PG_swapcache). */
static inline swp_entry_t page_swap_entry(const struct page *page)
{
	return (swp_entry_t){ READ_ONCE(page->private) };
}

/* ---- Input and output ---------------------------------------------------- */

/* Fill PAGE, locked and in the cache.  0 or -errno.  Thread context. */
__must_check int swap_readpage(struct page *page);

/* Begin to write PAGE, locked, in the cache and under writeback.  -errno: it
 * has not begun.  Thread context. */
__must_check int swap_writepage(struct page *page);

/* Devices say so: PAGE is written, or ERROR.  Then the page is dirty again and
 * the slot bad. */
void swap_write_end(struct page *page, int error);

#endif
