/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/map.c -- all memory as a picture, while the kernel runs.
 *
 * A look goes over the struct pages from head to head, as one state holds for a whole
 * block, and finds the kind of each block.  Cells that differ from those shown are
 * drawn:
 *
 *	struct pages --head by head--> kind --cell by cell--> what differs --> screen
 *
 * A cell of several frames has the kind that comes last in the list of its mode: one
 * exclusive page among thousands is seen.  Pages that are exclusive flash when they
 * change hands: the cell keeps what its holder was.
 *
 * A look costs some instructions for each block and each cell.  The thread measures it
 * and then rests nineteen times as long, and a tenth of a second at least.
 *
 * The owners of MAP_OWNER get their colours in the order in which they are met, and keep
 * them until the map is shown in another mode.
 *
 * Locking: map_lock, held for a look and while the map comes and goes.  The pages are
 * read without a lock: map.h.
 */
#include "kernel/demo/map.h"

#include "drivers/framebuffer.h"
#include "drivers/screen.h"
#include "kernel/core/clock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/demo/map_picture.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/debug/page_why.h"
#include "mm/node.h"
#include "mm/pageblock.h"
#include "mm/slab/kvmalloc.h"

#define PERIOD  100000U /* microseconds */
#define PART    19U     /* sleep so many times as long as a look took */
#define FLASHES 3U      /* looks */
#define NOTHING 0xffU   /* the kind of a cell that was not drawn yet */

/* ---- Kinds --------------------------------------------------------------- */

enum state_kind {
	STATE_RESERVED,
	STATE_FREE,
	STATE_LISTED,
	STATE_USED,
	STATE_FILE,
	STATE_ANON,
	STATE_SLAB,
	STATE_MAPPED,
	STATE_TABLE,
	STATE_PARKED,
	STATE_OWNED,
	STATE_HANDOVER,
	STATE_BAD,
};

static const struct map_kind state_kinds[] = {
	[STATE_RESERVED] = { "reserved", '-', 0x3a404a },
	[STATE_FREE] = { "free", '.', 0x23513a },
	[STATE_LISTED] = { "on a CPU's list", ':', 0x3c8c5c },
	[STATE_USED] = { "in use", 'u', 0x8a94a6 },
	[STATE_FILE] = { "page cache", 'f', 0x4f7fd0 },
	[STATE_ANON] = { "anonymous", 'a', 0x8e6bd0 },
	[STATE_SLAB] = { "slab, kmalloc", 's', 0x4fb3bf },
	[STATE_MAPPED] = { "stack, vmalloc", 'v', 0xb9a15a },
	[STATE_TABLE] = { "page table", 't', 0xa5d68b },
	[STATE_PARKED] = { "parked", 'p', 0xd98a3a },
	[STATE_OWNED] = { "exclusive", 'X', 0xff5a4f },
	[STATE_HANDOVER] = { "handed over", '>', 0xff8fc8 },
	[STATE_BAD] = { "bad", '!', 0xffffff },
};

static const uint8_t kind_of_why[WHY_COUNT] = {
	[WHY_RESERVED] = STATE_RESERVED, [WHY_FREE] = STATE_FREE,
	[WHY_ISOLATED] = STATE_FREE,     [WHY_LISTED] = STATE_LISTED,
	[WHY_IN_FLIGHT] = STATE_LISTED,  [WHY_BAD] = STATE_BAD,
	[WHY_PARKED] = STATE_PARKED,     [WHY_OWNED] = STATE_OWNED,
	[WHY_HANDOVER] = STATE_HANDOVER, [WHY_SATURATED] = STATE_USED,
	[WHY_GUARD] = STATE_USED,        [WHY_SLAB] = STATE_SLAB,
	[WHY_LARGE] = STATE_SLAB,        [WHY_TABLE] = STATE_TABLE,
	[WHY_RESERVE] = STATE_USED,      [WHY_UNEVICTABLE] = STATE_ANON,
	[WHY_WRITEBACK] = STATE_FILE,    [WHY_ANON] = STATE_ANON,
	[WHY_ANON_SAVED] = STATE_ANON,   [WHY_FILE_DIRTY] = STATE_FILE,
	[WHY_FILE_CLEAN] = STATE_FILE,   [WHY_MAPPED] = STATE_MAPPED,
	[WHY_PLAIN] = STATE_USED,
};

/* A type's free pages, then its others. */
static const struct map_kind type_kinds[] = {
	{ "reserved", '-', 0x3a404a },
	{ "free, unmovable", '.', 0x5a2a2d },
	{ "free, movable", ',', 0x23513a },
	{ "free, reclaimable", ';', 0x26436e },
	{ "free, highatomic", '\'', 0x6e4a1e },
	{ "free, CMA", '"', 0x1e5a60 },
	{ "free, isolated", '`', 0x555555 },
	{ "unmovable", 'U', 0xd9626b },
	{ "movable", 'M', 0x7fb069 },
	{ "reclaimable", 'R', 0x5a8fdc },
	{ "highatomic", 'H', 0xf2a84b },
	{ "CMA", 'C', 0x4fc3cf },
	{ "isolated", 'I', 0xaaaaaa },
};
#define TYPE_FREE 1U
#define TYPE_USED (TYPE_FREE + MIGRATE_TYPES)

static const struct map_kind age_kinds[] = {
	{ "older", '.', 0x26303c },    { "10 minutes", '1', 0x2f4468 },
	{ "a minute", '2', 0x5a5aa8 }, { "10 seconds", '3', 0xb0628c },
	{ "a second", '4', 0xf2a84b }, { "just now", '5', 0xfff2b0 },
};

/* Microseconds up to which a kind is right, the youngest first. */
static const uint64_t ages[] = { 200000, 1000000, 10000000, 60000000,
	                         600000000 };

/* Names come when they are met: owner_kind(). */
#define OWNER_FREE    1U
#define OWNER_UNKNOWN 2U
#define OWNER_OTHERS  3U
#define OWNER_FIRST   4U
static const struct map_kind owner_kinds[MAP_KINDS] = {
	{ "reserved", '-', 0x3a404a },  { "free", '.', 0x23513a },
	{ "not known", '?', 0x6b7280 }, { "others", 'o', 0x9aa3b2 },
	{ "", 'a', 0x5a8fdc },          { "", 'b', 0xd9626b },
	{ "", 'c', 0xf2cf6b },          { "", 'd', 0xb784d6 },
	{ "", 'e', 0x4fb3bf },          { "", 'f', 0xff8fc8 },
	{ "", 'g', 0xa5d68b },          { "", 'h', 0xd98a3a },
	{ "", 'i', 0x82b1ff },          { "", 'j', 0xffffff },
	{ "", 'k', 0xc8b08a },          { "", 'l', 0x8e6bd0 },
};

static const struct {
	const char *name;
	const struct map_kind *kind;
	unsigned int kinds;
} modes[MAP_MODES] = {
	[MAP_STATE] = { "state", state_kinds, ARRAY_SIZE(state_kinds) },
	[MAP_TYPE] = { "type", type_kinds, ARRAY_SIZE(type_kinds) },
	[MAP_OWNER] = { "owner", owner_kinds, ARRAY_SIZE(owner_kinds) },
	[MAP_AGE] = { "age", age_kinds, ARRAY_SIZE(age_kinds) },
};

/* ---- The map ------------------------------------------------------------- */

struct cell {
	uint64_t
		since; /* when its state's kind changed; 0: before the first look */
	uint32_t holder;
	uint8_t state; /* enum state_kind */
	uint8_t drawn; /* the kind that is shown; NOTHING */
	uint8_t flash; /* looks for which it is still lit */
	bool seen;     /* by a look */
};

static struct mutex map_lock = MUTEX_INIT(map_lock, "map");
static struct wait_queue map_pause = WAIT_QUEUE_INIT(map_pause);
static struct {
	struct thread *thread; /* NULL: it is not shown */
	struct cell *cells;
	struct map_shape shape;
	enum map_mode mode;
	bool ending; /* the thread is to end; without the lock */
	uint64_t now;
	uint64_t took; /* microseconds, by the last look */
	uint64_t owner[MAP_KINDS];
	unsigned int owners; /* kinds from OWNER_FIRST on that are in use */
	unsigned long count[MAP_KINDS];
	/* The cell that is being put together. */
	unsigned long at;
	uint32_t holder;
	uint8_t state;
	uint8_t kind;
} map;

static unsigned int owner_kind(uint64_t taker)
{
	if (taker == 0)
		return OWNER_UNKNOWN;
	for (unsigned int i = 0; i < map.owners; i++) {
		if (map.owner[OWNER_FIRST + i] == taker)
			return OWNER_FIRST + i;
	}
	if (OWNER_FIRST + map.owners == MAP_KINDS)
		return OWNER_OTHERS;
	map.owner[OWNER_FIRST + map.owners] = taker;
	return OWNER_FIRST + map.owners++;
}

static unsigned int age_kind(uint64_t since)
{
	unsigned int kind = ARRAY_SIZE(age_kinds) - 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(ages); i++) {
		if (map.now - since > ages[i])
			kind = ARRAY_SIZE(age_kinds) - 2 - i;
	}
	return kind;
}

static unsigned int type_kind(struct node *node, const struct page *page,
                              unsigned long pfn, bool unused)
{
	const struct zone *zone = &node->zone[page->zone % ZONE_COUNT];

	if (!zone_contains(zone, pfn))
		return 0;
	return (unused ? TYPE_FREE : TYPE_USED) + pageblock_type(zone, pfn);
}

/* The kind of the block at PAGE; but for MAP_AGE, which is a matter of cells. */
static unsigned int map_kind(struct node *node, const struct page *page,
                             unsigned long pfn, uint8_t state)
{
	bool unused = state == STATE_FREE || state == STATE_LISTED;

	if (map.mode == MAP_TYPE)
		return state == STATE_RESERVED
		               ? 0
		               : type_kind(node, page, pfn, unused);
	if (map.mode == MAP_OWNER && state != STATE_RESERVED)
		return unused ? OWNER_FREE : owner_kind(page->taker);
	return state;
}

/* ---- A look -------------------------------------------------------------- */

/* All frames of the cell have been seen. */
static void end_cell(void)
{
	struct cell *cell = &map.cells[map.at];
	bool exclusive = map.holder != 0 || cell->holder != 0;
	unsigned int kind = map.kind;
	bool lit = cell->flash != 0;

	if (exclusive && map.holder != cell->holder && cell->seen)
		cell->flash = FLASHES;
	else if (cell->flash > 0)
		cell->flash--;
	if (cell->state != map.state || map.holder != cell->holder)
		cell->since = cell->seen ? map.now : 0;
	cell->seen = true;
	cell->state = map.state;
	cell->holder = map.holder;
	if (map.mode == MAP_AGE) {
		kind = cell->since == 0 ? 0 : age_kind(cell->since);
		map.count[kind] += map.shape.frames;
	}
	if (kind == cell->drawn && lit == (cell->flash != 0))
		return;
	cell->drawn = (uint8_t)kind;
	map_draw_cell(&map.shape, map.at, &modes[map.mode].kind[kind],
	              cell->flash != 0);
}

/* FRAMES frames from number FRAME on are so. */
static void see_frames(unsigned long frame, unsigned long frames, uint8_t state,
                       uint8_t kind, uint32_t holder)
{
	unsigned long last = (frame + frames - 1) / map.shape.frames;

	if (map.mode != MAP_AGE)
		map.count[kind] += frames;
	for (unsigned long at = frame / map.shape.frames; at <= last; at++) {
		if (at != map.at) {
			end_cell();
			map.at = at;
			map.kind = 0;
			map.state = 0;
			map.holder = 0;
		}
		map.kind = max(map.kind, kind);
		map.state = max(map.state, state);
		map.holder += holder;
	}
}

/* A number that changes with the state of an exclusive page, and with its owner. */
static uint32_t holder_of(const struct page *page, uint8_t state)
{
	uintptr_t owner = (uintptr_t)READ_ONCE(page->owner);

	if (state != STATE_PARKED && state != STATE_OWNED &&
	    state != STATE_HANDOVER)
		return 0;
	if (state != STATE_OWNED)
		owner = 0;
	return (uint32_t)(owner >> 4) * 2 + state;
}

/* The block that begins at FRAME: see it, and return how many frames it has. */
static unsigned long see_block(struct node *node, unsigned long frame)
{
	const struct page *page = &node->pages[frame];
	unsigned long left = node->page_count - frame;
	unsigned int order = READ_ONCE(page->order);
	unsigned long frames = 1;
	uint8_t state = STATE_RESERVED;
	unsigned long pfn = node_pfn(node, page);
	const struct page *head;

	if (READ_ONCE(page->state) != PAGE_NONE) {
		order = min(order, (unsigned int)MAX_ORDER);
		frames = min(1UL << order, left);
		state = kind_of_why[page_why(node, pfn, &head)];
	}
	see_frames(frame, frames, state,
	           (uint8_t)map_kind(node, page, pfn, state),
	           holder_of(page, state));
	return frames;
}

static void name_owners(struct map_kind *named)
{
	memcpy(named, owner_kinds, sizeof(owner_kinds));
	for (unsigned int i = 0; i < map.owners; i++)
		named[OWNER_FIRST + i].name =
			owner_name(map.owner[OWNER_FIRST + i]);
}

static void map_look(struct node *node)
{
	uint64_t began = clock_microseconds();
	struct map_kind named[MAP_KINDS];
	const struct map_kind *kind = modes[map.mode].kind;
	unsigned int kinds = modes[map.mode].kinds;

	memset(map.count, 0, sizeof(map.count));
	map.now = began;
	map.at = 0;
	map.kind = 0;
	map.state = 0;
	map.holder = 0;
	for (unsigned long frame = 0; frame < node->page_count;)
		frame += see_block(node, frame);
	end_cell();
	if (map.mode == MAP_OWNER) {
		name_owners(named);
		kind = named;
		kinds = OWNER_FIRST + map.owners;
	}
	map_draw_panel(&map.shape, node, modes[map.mode].name, kind, kinds,
	               map.count, map.took);
	map.took = clock_microseconds() - began;
}

static bool map_is_ending(void *data __unused)
{
	return READ_ONCE(map.ending);
}

static void map_thread(void *unused)
{
	(void)unused;
	while (!READ_ONCE(map.ending)) {
		uint64_t pause;

		mutex_lock(&map_lock);
		map_look(main_node());
		pause = max(map.took * PART, (uint64_t)PERIOD);
		mutex_unlock(&map_lock);
		/* Woken by map_hide(), also on a machine without a timer. */
		(void)wait_event_timeout(&map_pause, map_is_ending, NULL,
		                         pause);
	}
}

/* ---- On and off ---------------------------------------------------------- */

/* The next look draws all cells. */
static void draw_all_again(void)
{
	for (unsigned long i = 0; i < map.shape.cells; i++)
		map.cells[i].drawn = NOTHING;
	map.owners = 0;
}

static int map_begin(void)
{
	const struct node *node = main_node();

	if (!map_picture_begin(&map.shape, node->page_count))
		return -ENOSPC;
	map.cells = kvcalloc(map.shape.cells, sizeof(*map.cells), GFP_KERNEL);
	if (map.cells == NULL)
		return -ENOMEM;
	draw_all_again();
	WRITE_ONCE(map.ending, false);
	/* Whatever runs, it is seen; the pauses bound the cost. */
	map.thread =
		thread_create_priority("map", PRIORITY_HIGH, map_thread, NULL);
	return map.thread == NULL ? -ENOMEM : 0;
}

static void map_end(void)
{
	map_picture_end();
	kvfree(map.cells);
	map.cells = NULL;
	map.thread = NULL;
}

int map_show(enum map_mode mode)
{
	int error = 0;

	kassert(mode < MAP_MODES);
	mutex_lock(&map_lock);
	map.mode = mode;
	if (map.thread != NULL) {
		draw_all_again();
		map_picture_clear(&map.shape);
		map_look(main_node());
	} else {
		error = map_begin();
		if (error != 0)
			map_end();
	}
	mutex_unlock(&map_lock);
	return error;
}

void map_hide(void)
{
	struct thread *thread;

	mutex_lock(&map_lock);
	thread = map.thread;
	WRITE_ONCE(map.ending, true);
	mutex_unlock(&map_lock);
	if (thread == NULL)
		return;
	wake_up(&map_pause);
	(void)thread_join(thread);
	mutex_lock(&map_lock);
	map_end();
	mutex_unlock(&map_lock);
}

/* ---- At boot ------------------------------------------------------------- */

static enum map_mode wanted_mode = MAP_MODES;

static int set_map(const char *value)
{
	wanted_mode = MAP_STATE;
	if (value == NULL)
		return 0;
	while (wanted_mode < MAP_MODES &&
	       strcmp(value, modes[wanted_mode].name) != 0)
		wanted_mode++;
	return wanted_mode < MAP_MODES ? 0 : -EINVAL;
}

PARAM(map, "map", "[=MODE]: show the map: state, type, owner or age", set_map);

void map_start(void)
{
	int error = wanted_mode < MAP_MODES ? map_show(wanted_mode) : 0;

	if (error != 0)
		pr_err("map: %s\n", error == -ENOSPC ? "the screen is too small"
		                                     : "no memory");
}

bool map_is_shown(void)
{
	return READ_ONCE(map.thread) != NULL;
}

const char *map_mode_name(enum map_mode mode)
{
	return mode < MAP_MODES ? modes[mode].name : "?";
}

unsigned long map_count(unsigned int kind)
{
	return kind < MAP_KINDS ? map.count[kind] : 0;
}

const char *map_kind_name(unsigned int kind)
{
	return kind < modes[map.mode].kinds ? modes[map.mode].kind[kind].name
	                                    : NULL;
}

unsigned int map_kind_of(unsigned long pfn)
{
	const struct node *node = main_node();
	const struct page *page = node_page(node, pfn);
	unsigned int kind = MAP_KINDS;

	mutex_lock(&map_lock);
	if (page != NULL && map.cells != NULL)
		kind = map.cells[(size_t)(page - node->pages) /
		                 map.shape.frames]
		               .drawn;
	mutex_unlock(&map_lock);
	return kind;
}

void map_refresh(void)
{
	mutex_lock(&map_lock);
	if (map.cells != NULL)
		map_look(main_node());
	mutex_unlock(&map_lock);
}

unsigned int map_cell_frames(void)
{
	return map.shape.frames;
}

unsigned int map_cell_pixels(void)
{
	return map.shape.pixels;
}
