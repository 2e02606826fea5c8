/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap.c -- which slot of which device holds which page.
 *
 * An area is a row of slots, known by one page for each 768 of them:
 *
 *	area ----> cluster 0     cluster 1     cluster 2
 *	           slots 0..767  768..1535     1536..2303
 *	           count[768]    how many refer to the slot; is it bad?
 *	           cached[768]   which frame has the same contents?
 *
 * A slot is found by next fit: the one behind the last that was given, so that
 * pages that leave memory together are neighbours on the disk.  At the end of a
 * cluster an empty one is looked for first, then any with room, round the area
 * once.  Interrupts are off meanwhile, so clusters are found in two bitmaps, and
 * slots 8 at a time: at most 2 * 8 words and 2 * 96.
 *
 *	                slot_alloc                 swap_duplicate
 *	   count 0  ------------------>  count 1  -----------------> count 2 ..
 *	      ^      cached: the page       |  ^                        |
 *	      +------------ swap_free ------+  +------- swap_free ------+
 *
 * Invariants, checked by swap_check():
 *
 *  V1  A cluster's `used` is the number of its slots with references, `free` of
 *      those that are neither used nor bad; the area's are the sums.
 *  V2  A slot with a page in the cache has a count.
 *  V3  A page in the cache has PG_swapcache and names the slot that names it.
 *  V4  A cluster's bit in `full` is clear if it has free slots; its bit in
 *      `in_use` is clear if it has such and no used one.  Bits of no cluster are
 *      set.
 *
 * When a write fails, the page is dirty again, so nothing is lost, and the slot
 * is bad: whoever writes the page next takes another (mm/user/anon.c).  When a read
 * fails the reader hears of it, and the slot keeps what it has.
 *
 * Locking: swap.lock, innermost of all of mm/, interrupts off.
 *
 * Further reading: Gorman, Understanding the Linux Virtual Memory Manager,
 * chapter 11; swapon(2); mkswap(8).
 */
#include "mm/swap/swap.h"

#include "kernel/arch/copy.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/page_bits.h"
#include "mm/reclaim/page_lock.h"

/* Field locks: (s) swap.lock, (c) constant while it is on. */
struct swap_area {
	enum swap_state state;          /* (s) */
	struct swap_device *device;     /* (c) */
	struct swap_cluster **clusters; /* (c) the pointers, (s) the clusters */
	unsigned long slots;            /* (c) with the header */
	int priority;                   /* (c) */
	unsigned long pages;            /* (s) slots that are not bad */
	unsigned long free;             /* (s) */
	unsigned long used;             /* (s) */
	unsigned long bad;              /* (s) without slot 0 */
	unsigned long next;             /* (s) where the search begins */
	uint64_t turn;                  /* (s) when it last gave a slot */
	char label[17];                 /* (c) */
	unsigned long full[BITMAP_LONGS(SWAP_MAX_CLUSTERS)];   /* (s) V4 */
	unsigned long in_use[BITMAP_LONGS(SWAP_MAX_CLUSTERS)]; /* (s) V4 */
};

static struct {
	struct spinlock lock;
	struct node *node;
	struct swap_area area[MAX_SWAPFILES];
	int least_priority;
	uint64_t turns;
	unsigned long cached;  /* (s) pages in the cache */
	unsigned long changes; /* (s) times that somebody had the lock */
	struct ratelimit said; /* errors of devices */
} swap;

/* Whoever takes the lock may change something: checks are told. */
static bool swap_lock(void)
{
	bool enabled = spin_lock_irqsave(&swap.lock);

	swap.changes++;
	return enabled;
}

void swap_start(struct node *node)
{
	memset(&swap, 0, sizeof(swap));
	swap.lock = (struct spinlock)SPINLOCK_INIT("swap");
	swap.node = node;
	swap.least_priority = -1;
	swap.said = (struct ratelimit){ .interval = 10000000, .burst = 10 };
}

/* ---- The header ----------------------------------------------------------------- */

/* Where mkswap puts things. */
enum {
	HEADER_VERSION = 1024,
	HEADER_LAST_PAGE = 1028,
	HEADER_NR_BADPAGES = 1032,
	HEADER_UUID = 1036,
	HEADER_LABEL = 1052,
	HEADER_BADPAGES = 1536,
	HEADER_MAGIC = 4086,
};
static_assert(HEADER_MAGIC == PAGE_SIZE - 10, "at the end of the page");
static_assert(HEADER_BADPAGES + SWAP_MAX_BADPAGES * 4 <= HEADER_MAGIC, "fits");

static uint32_t read_le32(const void *from)
{
	const uint8_t *byte = from;

	return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
	       (uint32_t)byte[3] << 24;
}

static bool has_magic(const uint8_t *bytes, const char *magic)
{
	for (unsigned int i = 0; i < 10; i++) {
		if (bytes[HEADER_MAGIC + i] != (uint8_t)magic[i])
			return false;
	}
	return true;
}

static const char *check_format(const uint8_t *bytes)
{
	if (has_magic(bytes, "SWAP-SPACE"))
		return "the swap header is of the old version 0";
	if (!has_magic(bytes, "SWAPSPACE2"))
		return "there is no swap header";
	if (read_le32(bytes + HEADER_VERSION) == 1U << 24)
		return "the swap header is of another byte order";
	if (read_le32(bytes + HEADER_VERSION) != 1)
		return "the swap header is of an unknown version";
	return NULL;
}

static const char *check_size(uint32_t last_page, unsigned long device_pages)
{
	if (last_page == 0)
		return "the swap area is empty";
	if (last_page >= device_pages)
		return "the device is shorter than its swap header says";
	return NULL;
}

unsigned long swap_header_badpage(const struct swap_header *header,
                                  unsigned int number)
{
	return read_le32((const uint8_t *)header->badpages + 4UL * number);
}

static const char *check_badpages(const struct swap_header *header)
{
	if (header->nr_badpages > SWAP_MAX_BADPAGES)
		return "the swap header has too many bad pages";
	for (unsigned int i = 0; i < header->nr_badpages; i++) {
		unsigned long slot = swap_header_badpage(header, i);

		if (slot == 0 || slot >= header->slots)
			return "a bad page of the swap header is outside";
	}
	return NULL;
}

/* Text that somebody else wrote, for people. */
static void copy_label(char *label, const uint8_t *from)
{
	unsigned int length = 0;

	while (length < 16 && from[length] != 0) {
		bool printable = from[length] >= ' ' && from[length] <= '~';

		label[length] = '?';
		if (printable)
			label[length] = (char)from[length];
		length++;
	}
	label[length] = '\0';
}

const char *swap_read_header(const void *page, unsigned long device_pages,
                             struct swap_header *header)
{
	const uint8_t *bytes = page;
	uint32_t last_page = read_le32(bytes + HEADER_LAST_PAGE);
	const char *wrong = check_format(bytes);

	if (wrong == NULL)
		wrong = check_size(last_page, device_pages);
	if (wrong != NULL)
		return wrong;
	header->slots = last_page + 1UL;
	header->nr_badpages = read_le32(bytes + HEADER_NR_BADPAGES);
	header->badpages = bytes + HEADER_BADPAGES;
	memcpy(header->uuid, bytes + HEADER_UUID, sizeof(header->uuid));
	copy_label(header->label, bytes + HEADER_LABEL);
	return check_badpages(header);
}

/* ---- Clusters -------------------------------------------------------------------- */

static struct swap_area *area_of(swp_entry_t entry)
{
	struct swap_area *area;

	if (swp_type(entry) >= MAX_SWAPFILES)
		return NULL;
	area = &swap.area[swp_type(entry)];
	if (area->state == SWAP_OFF || swp_offset(entry) >= area->slots)
		return NULL;
	return area;
}

static struct swap_cluster *cluster_of(const struct swap_area *area,
                                       unsigned long slot)
{
	return area->clusters[slot / SWAP_CLUSTER];
}

static unsigned long cluster_count(const struct swap_area *area)
{
	return (area->slots + SWAP_CLUSTER - 1) / SWAP_CLUSTER;
}

/* Slots of cluster NUMBER: the last one may be short. */
static unsigned int cluster_slots(const struct swap_area *area,
                                  unsigned long number)
{
	unsigned long left = area->slots - number * SWAP_CLUSTER;

	return (unsigned int)min(left, (unsigned long)SWAP_CLUSTER);
}

static uint8_t *count_of(const struct swap_area *area, unsigned long slot)
{
	return &cluster_of(area, slot)->count[slot % SWAP_CLUSTER];
}

static uint32_t *cached_at(const struct swap_area *area, unsigned long slot)
{
	return &cluster_of(area, slot)->cached[slot % SWAP_CLUSTER];
}

static void swap_set_bit(unsigned long *map, unsigned long bit, bool set)
{
	if (set)
		bitmap_set(map, bit);
	else
		bitmap_clear(map, bit);
}

/* V4: the counts of the cluster of SLOT have changed. */
static void swap_note_cluster(struct swap_area *area, unsigned long slot)
{
	const struct swap_cluster *cluster = cluster_of(area, slot);
	unsigned long number = slot / SWAP_CLUSTER;
	bool full = cluster->free == 0;

	swap_set_bit(area->full, number, full);
	swap_set_bit(area->in_use, number, full || cluster->used > 0);
}

/* The slot is bad from now on; it may be in use. */
static void swap_make_bad(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = count_of(area, slot);

	if (*count & SWAP_SLOT_BAD)
		return;
	if (*count == 0) {
		cluster_of(area, slot)->free--;
		area->free--;
		swap_note_cluster(area, slot);
	}
	*count |= SWAP_SLOT_BAD;
	area->pages--;
	area->bad++;
}

/* ---- Areas ------------------------------------------------------------------------- */

int swap_area_find(const struct swap_device *device)
{
	bool enabled = swap_lock();
	int found = -ENXIO;

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		if (swap.area[type].state != SWAP_OFF &&
		    swap.area[type].device == device)
			found = type;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return found;
}

static int find_off(const struct swap_device *device)
{
	int found = -ENOSPC;

	for (int type = MAX_SWAPFILES - 1; type >= 0; type--) {
		if (swap.area[type].state == SWAP_OFF)
			found = type;
		else if (swap.area[type].device == device)
			return -EBUSY;
	}
	return found;
}

static void prepare_clusters(struct swap_area *area,
                             const struct swap_header *header)
{
	memset(area->full, 0xff, sizeof(area->full));
	memset(area->in_use, 0xff, sizeof(area->in_use));
	for (unsigned long i = 0; i < cluster_count(area); i++) {
		area->clusters[i]->free = (uint16_t)cluster_slots(area, i);
		swap_note_cluster(area, i * SWAP_CLUSTER);
	}
	area->pages = area->slots;
	area->free = area->slots;
	swap_make_bad(area, 0);
	area->bad = 0;
	for (unsigned int i = 0; i < header->nr_badpages; i++) {
		unsigned long slot = swap_header_badpage(header, i);

		/* The area may be shorter than the header says. */
		if (slot < area->slots)
			swap_make_bad(area, slot);
	}
}

int swap_area_add(struct swap_device *device, const struct swap_header *header,
                  int priority, struct swap_cluster **clusters)
{
	struct swap_area made = {
		.state = SWAP_ON,
		.device = device,
		.clusters = clusters,
		.slots = min(header->slots, SWAP_MAX_SLOTS),
		.next = 1,
		.priority = priority,
	};
	bool enabled = swap_lock();
	int type = find_off(device);

	spin_unlock_irqrestore(&swap.lock, enabled);
	if (type < 0)
		return type;
	/* All of its clusters, while nobody else knows them. */
	memcpy(made.label, header->label, sizeof(made.label));
	prepare_clusters(&made, header);
	enabled = swap_lock();
	type = find_off(device);
	if (type >= 0) {
		if (priority < 0)
			made.priority = --swap.least_priority;
		swap.area[type] = made;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return type;
}

int swap_area_going(unsigned int type, bool going)
{
	bool enabled = swap_lock();
	enum swap_state from = going ? SWAP_ON : SWAP_GOING;
	int error = -ENXIO;

	if (type < MAX_SWAPFILES && swap.area[type].state == from) {
		swap.area[type].state = going ? SWAP_GOING : SWAP_ON;
		error = 0;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

int swap_area_remove(unsigned int type, struct swap_cluster ***clusters)
{
	struct swap_area *area = &swap.area[type];
	int error = clear_caller(clusters, sizeof(*clusters));
	bool enabled;

	if (error != 0)
		return error;
	error = -EBUSY;
	enabled = swap_lock();
	if (area->state == SWAP_GOING && area->used == 0) {
		*clusters = area->clusters;
		area->state = SWAP_OFF;
		error = 0;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

bool swap_area_info(unsigned int type, struct swap_info *info)
{
	bool enabled = swap_lock();
	bool there = type < MAX_SWAPFILES && swap.area[type].state != SWAP_OFF;
	struct swap_info now = { 0 };

	if (there) {
		const struct swap_area *area = &swap.area[type];

		now = (struct swap_info){
			.state = area->state,
			.device = area->device,
			.priority = area->priority,
			.pages = area->pages,
			.used = area->used,
			.bad = area->bad,
		};
		memcpy(now.label, area->label, sizeof(now.label));
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	/* Under no lock: INFO is the caller's. */
	if (there)
		*info = now;
	return there;
}

/* Sums of the areas that are on. */
static void sum_areas(unsigned long *total, unsigned long *free)
{
	bool enabled = swap_lock();

	*total = 0;
	*free = 0;
	for (int type = 0; type < MAX_SWAPFILES; type++) {
		const struct swap_area *area = &swap.area[type];

		if (area->state != SWAP_ON)
			continue;
		*total += area->pages;
		*free += area->free;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
}

unsigned long total_swap_pages(void)
{
	unsigned long total;
	unsigned long free;

	sum_areas(&total, &free);
	return total;
}

unsigned long get_nr_swap_pages(void)
{
	unsigned long total;
	unsigned long free;

	sum_areas(&total, &free);
	return free;
}

bool vm_swap_full(void)
{
	unsigned long total;
	unsigned long free;

	sum_areas(&total, &free);
	return free * 2 < total;
}

unsigned long total_swapcache_pages(void)
{
	return READ_ONCE(swap.cached);
}

/* ---- Slots ------------------------------------------------------------------------------ */

/* The cluster to go on in when cluster FROM is full: an empty one, or one with
 * room, from FROM on and round; the number of clusters if there is none. */
static unsigned long find_cluster(const struct swap_area *area,
                                  unsigned long from, bool empty)
{
	unsigned long at = bitmap_find_clear(empty ? area->in_use : area->full,
	                                     SWAP_MAX_CLUSTERS, from);

	return min(at, cluster_count(area));
}

/* Are the eight counts from COUNT on, aligned, all used or bad? */
static bool swap_none_is_free(const uint8_t *count)
{
	const uint64_t ones = 0x0101010101010101ULL;
	const uint64_t tops = 0x8080808080808080ULL;
	uint64_t eight = *(const uint64_t *)(const void *)count;

	/* A byte of 0 borrows from its top bit, which was clear. */
	return ((eight - ones) & ~eight & tops) == 0;
}

/* The first free slot of cluster NUMBER at or behind FROM, or 0. */
static unsigned long find_in_cluster(const struct swap_area *area,
                                     unsigned long number, unsigned long from)
{
	const uint8_t *count = area->clusters[number]->count;
	unsigned long i = from;

	while (i < cluster_slots(area, number)) {
		bool whole = i % 8 == 0;

		if (whole && swap_none_is_free(&count[i]))
			i += 8;
		else if (count[i] != 0)
			i++;
		else
			return number * SWAP_CLUSTER + i;
	}
	return 0;
}

/* A free slot of AREA, which has one. */
static unsigned long find_slot(const struct swap_area *area)
{
	unsigned long at = area->next / SWAP_CLUSTER % cluster_count(area);
	unsigned long from = area->next % SWAP_CLUSTER;
	unsigned long slot = from == 0 ? 0 : find_in_cluster(area, at, from);
	unsigned long other;

	if (slot != 0)
		return slot;
	other = find_cluster(area, at, true);
	if (other == cluster_count(area))
		other = find_cluster(area, at, false);
	return find_in_cluster(area, other, 0);
}

/* Is A to be asked before B? */
static bool is_preferred(const struct swap_area *a, const struct swap_area *b)
{
	if (b == NULL || a->priority != b->priority)
		return b == NULL || a->priority > b->priority;
	return a->turn < b->turn;
}

/* The area that gives the next slot, or NULL. */
static struct swap_area *choose_area(void)
{
	struct swap_area *best = NULL;

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_area *area = &swap.area[type];

		if (area->state == SWAP_ON && area->free > 0 &&
		    is_preferred(area, best))
			best = area;
	}
	return best;
}

static void put_in_cache(struct swap_area *area, unsigned long slot,
                         struct page *page)
{
	unsigned int type = (unsigned int)(area - swap.area);

	*cached_at(area, slot) = (uint32_t)node_pfn(swap.node, page) + 1;
	page->slot = swp_entry(type, slot).value;
	page_set(page, PG_swapcache);
	swap.cached++;
}

/* One more reference of SLOT, which is free or has some. */
static void add_reference(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = count_of(area, slot);

	if (*count == 0) {
		cluster_of(area, slot)->free--;
		cluster_of(area, slot)->used++;
		area->free--;
		area->used++;
		swap_note_cluster(area, slot);
	}
	++*count;
}

static void drop_reference(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = count_of(area, slot);

	--*count;
	if ((*count & SWAP_SLOT_COUNT) == 0) {
		cluster_of(area, slot)->used--;
		area->used--;
	}
	if (*count == 0) {
		cluster_of(area, slot)->free++;
		area->free++;
	}
	swap_note_cluster(area, slot);
}

swp_entry_t swap_slot_alloc(struct page *page)
{
	bool enabled = swap_lock();
	struct swap_area *area = choose_area();
	swp_entry_t entry = { 0 };

	if (area != NULL) {
		unsigned long slot = find_slot(area);

		area->next = slot + 1;
		area->turn = ++swap.turns;
		add_reference(area, slot);
		put_in_cache(area, slot, page);
		entry = page_swap_entry(page);
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return entry;
}

/* References of ENTRY's slot.  swap.lock held. */
static unsigned int references(swp_entry_t entry)
{
	const struct swap_area *area = area_of(entry);

	return area == NULL
	               ? 0
	               : *count_of(area, swp_offset(entry)) & SWAP_SLOT_COUNT;
}

unsigned int swap_count(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = references(entry);

	spin_unlock_irqrestore(&swap.lock, enabled);
	return count;
}

int swap_duplicate(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = references(entry);
	int error = 0;

	if (count == 0)
		error = -ENOENT;
	else if (count == SWAP_SLOT_COUNT)
		error = -ENOMEM;
	else if (area_of(entry)->state == SWAP_GOING)
		error = -EBUSY;
	else
		add_reference(area_of(entry), swp_offset(entry));
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

static void report_swap_free(swp_entry_t entry, uintptr_t caller)
{
	char place[PLACE_SIZE];

	pr_err("BUG: swap_free() of slot %lu of area %u by %s at %s: it has no "
	       "such reference\n",
	       swp_offset(entry), swp_type(entry), context_name(),
	       caller_format(place, sizeof(place), caller));
	backtrace_print_from(caller);
}

void swap_free(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = references(entry);

	/* The cache's own reference goes with the page. */
	if (count > 1 ||
	    (count == 1 && *cached_at(area_of(entry), swp_offset(entry)) == 0))
		drop_reference(area_of(entry), swp_offset(entry));
	else
		count = 0;
	spin_unlock_irqrestore(&swap.lock, enabled);
	if (count == 0)
		report_swap_free(entry, RETURN_ADDRESS());
}

bool swap_slot_is_bad(swp_entry_t entry)
{
	bool enabled = swap_lock();
	const struct swap_area *area = area_of(entry);
	bool bad = area == NULL ||
	           (*count_of(area, swp_offset(entry)) & SWAP_SLOT_BAD) != 0;

	spin_unlock_irqrestore(&swap.lock, enabled);
	return bad;
}

/* ---- The swap cache ------------------------------------------------------------------------ */

int swap_cache_add(swp_entry_t entry, struct page *page)
{
	bool enabled = swap_lock();
	unsigned int count = references(entry);
	int error = 0;

	if (count == 0) {
		error = -ENOENT;
	} else if (*cached_at(area_of(entry), swp_offset(entry)) != 0) {
		error = -EEXIST;
	} else if (count == SWAP_SLOT_COUNT) {
		error = -ENOMEM;
	} else {
		add_reference(area_of(entry), swp_offset(entry));
		put_in_cache(area_of(entry), swp_offset(entry), page);
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

void swap_cache_remove(struct page *page)
{
	bool enabled = swap_lock();
	swp_entry_t entry = page_swap_entry(page);
	struct swap_area *area = area_of(entry);

	*cached_at(area, swp_offset(entry)) = 0;
	drop_reference(area, swp_offset(entry));
	page->slot = 0;
	page_clear(page, PG_swapcache);
	swap.cached--;
	spin_unlock_irqrestore(&swap.lock, enabled);
}

struct page *swap_cache_get(swp_entry_t entry)
{
	bool enabled = swap_lock();
	struct page *page = NULL;
	uint32_t cached = 0;

	if (references(entry) != 0)
		cached = *cached_at(area_of(entry), swp_offset(entry));
	if (cached != 0) {
		page = node_page(swap.node, cached - 1);
		/* It has one: it leaves the cache before its last is gone.  With
		 * too many it is as if it were busy: the caller looks again. */
		if (!page_add_reference(page))
			page = NULL;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	if (page != NULL)
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	return page;
}

/* ---- Input and output ------------------------------------------------------------------------ */

int swap_readpage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_device *device = swap.area[swp_type(entry)].device;
	int error = device->read(device, swp_offset(entry), page);

	if (error == 0)
		vmstat_add(&swap.node->stat, VMSTAT_pswpin, 1);
	else if (ratelimit_pass(&swap.said))
		pr_err("Read-error on swap-device (%s:%lu): error %d\n",
		       device->name, swp_offset(entry), -error);
	return error;
}

int swap_writepage(struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct swap_device *device = swap.area[swp_type(entry)].device;

	return device->write(device, swp_offset(entry), page);
}

static void write_has_failed(struct page *page, int error)
{
	swp_entry_t entry = page_swap_entry(page);
	bool enabled = swap_lock();
	struct swap_area *area = area_of(entry);

	swap_make_bad(area, swp_offset(entry));
	spin_unlock_irqrestore(&swap.lock, enabled);
	page_set(page, PG_error);
	set_page_dirty(page);
	if (!ratelimit_pass(&swap.said))
		return;
	pr_err("Write-error on swap-device (%s:%lu): error %d; the page stays "
	       "in memory\n",
	       area->device->name, swp_offset(entry), -error);
}

void swap_write_end(struct page *page, int error)
{
	if (error == 0)
		vmstat_add(&swap.node->stat, VMSTAT_pswpout, 1);
	else
		write_has_failed(page, error);
	end_page_writeback(page);
}

/* ---- Checks ------------------------------------------------------------------------------------ */

static bool cached_is_right(swp_entry_t entry, uint32_t cached, uint8_t count)
{
	const struct page *page;

	if (cached == 0)
		return true;
	page = node_page(swap.node, cached - 1);
	return (count & SWAP_SLOT_COUNT) != 0 && /* V2 */
	       page != NULL && page_swap_entry(page).value == entry.value &&
	       page_has(page, PG_swapcache); /* V3 */
}

struct swap_sums {
	unsigned long free, used, good, cached;
};

/* A check of all areas, in slices: mm/check.h. */
struct swap_walk {
	bool enabled;
	bool moved; /* somebody else had the lock: sums say nothing */
	unsigned long changes;
	char *buffer;
	size_t size;
};

/* Let others at the lock. */
static void swap_pause(struct swap_walk *walk)
{
	spin_unlock_irqrestore(&swap.lock, walk->enabled);
	walk->enabled = spin_lock_irqsave(&swap.lock);
	walk->moved = walk->moved || swap.changes != walk->changes;
}

/* Is there such a slot still? */
static bool has_slot(unsigned int type, unsigned long slot)
{
	const struct swap_area *area = &swap.area[type];

	return area->state != SWAP_OFF && slot < area->slots;
}

/* V2, V3: all slots of one cluster, added to SUMS.  NULL or a sentence. */
static const char *check_slots(struct swap_walk *walk, unsigned int type,
                               unsigned long number, struct swap_sums *sums)
{
	const struct swap_area *area = &swap.area[type];

	for (unsigned int i = 0; i < SWAP_CLUSTER; i++) {
		unsigned long slot = number * SWAP_CLUSTER + i;
		const struct swap_cluster *cluster;

		if (i % CHECK_SLICE == 0)
			swap_pause(walk);
		if (!has_slot(type, slot))
			break;
		cluster = area->clusters[number];
		sums->free += cluster->count[i] == 0;
		sums->used += (cluster->count[i] & SWAP_SLOT_COUNT) != 0;
		sums->good += (cluster->count[i] & SWAP_SLOT_BAD) == 0;
		sums->cached += cluster->cached[i] != 0;
		if (cached_is_right(swp_entry(type, slot), cluster->cached[i],
		                    cluster->count[i]))
			continue;
		scnprintf(walk->buffer, walk->size,
		          "swap area %u: the page in the cache for slot %lu "
		          "is another",
		          type, slot);
		return walk->buffer;
	}
	return NULL;
}

/* V4 */
static bool bits_are_right(const struct swap_area *area, unsigned long number)
{
	const struct swap_cluster *cluster = area->clusters[number];
	bool full = cluster->free == 0;

	return bitmap_test(area->full, number) == full &&
	       bitmap_test(area->in_use, number) == (full || cluster->used > 0);
}

/* One cluster, added to ALL. */
static const char *check_cluster(struct swap_walk *walk, unsigned int type,
                                 unsigned long number, struct swap_sums *all)
{
	struct swap_sums sums = { 0 };
	const char *broken = check_slots(walk, type, number, &sums);
	const struct swap_cluster *cluster;

	all->free += sums.free;
	all->used += sums.used;
	all->good += sums.good;
	all->cached += sums.cached;
	if (broken != NULL || walk->moved)
		return broken;
	cluster = swap.area[type].clusters[number];
	if (sums.free == cluster->free && sums.used == cluster->used &&
	    bits_are_right(&swap.area[type], number))
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap area %u: the counts of cluster %lu are wrong", type,
	          number);
	return walk->buffer;
}

static const char *check_area(struct swap_walk *walk, unsigned int type,
                              unsigned long *cached)
{
	const struct swap_area *area = &swap.area[type];
	struct swap_sums sums = { 0 };
	const char *broken = NULL;

	for (unsigned long i = 0;
	     broken == NULL && has_slot(type, i * SWAP_CLUSTER); i++)
		broken = check_cluster(walk, type, i, &sums);
	*cached += sums.cached;
	if (broken != NULL || walk->moved || area->state == SWAP_OFF)
		return broken;
	if (sums.free == area->free && sums.used == area->used &&
	    sums.good == area->pages)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap area %u: %lu free, %lu used of %lu; counted %lu, %lu "
	          "of %lu",
	          type, area->free, area->used, area->pages, sums.free,
	          sums.used, sums.good);
	return walk->buffer;
}

static const char *swap_check_once(struct swap_walk *walk)
{
	unsigned long cached = 0;

	walk->moved = false;
	walk->changes = swap.changes;
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		const char *broken = check_area(walk, type, &cached);

		if (broken != NULL)
			return broken;
	}
	if (walk->moved || cached == swap.cached)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap cache: %lu pages, counted %lu", swap.cached, cached);
	return walk->buffer;
}

const char *swap_check(char *buffer, size_t size)
{
	struct swap_walk walk = { .moved = true, .size = size };
	const char *broken = check_buffer(buffer, size);

	if (broken != NULL)
		return broken;
	walk.buffer = buffer;
	walk.enabled = spin_lock_irqsave(&swap.lock);
	for (unsigned int i = 0;
	     i < CHECK_WALKS && walk.moved && broken == NULL; i++)
		broken = swap_check_once(&walk);
	spin_unlock_irqrestore(&swap.lock, walk.enabled);
	return broken;
}
