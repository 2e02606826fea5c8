/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask.h -- what questions.c needs of the kernel that it asks.
 *
 * The questions are compiled twice: into a module of Linux (linux.c) and into a program
 * of the host with Labyrinth's mm/ (labyrinth.c).  Both sides have alloc_pages(),
 * __free_pages() and so on by their own headers; what is here they write themselves.
 *
 * A scene is one zone, DMA32, or NORMAL in a larger machine, with the same number of
 * managed pages on both sides.  All its pages are taken, and so are those of other zones;
 * ARENA_PAGES of them, aligned to 1024, belong to the questions, which free some of them
 * and then ask.  A place is the number of a page in there.  Per-CPU lists are off.  Nobody else allocates, reclaims or
 * kills: the scene's story scripts reclaim, compaction, the killer and kswapd.
 */
#ifndef TESTS_CONFORMANCE_ASK_H
#define TESTS_CONFORMANCE_ASK_H

#ifdef MODULE
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
/* Linux 6.14 has the other name. */
#define alloc_pages_bulk alloc_pages_bulk_array
#else
#include "tests/host/libmm.h"
#endif

#define ARENA_BLOCKS      16UL
#define ARENA_PAGES       (ARENA_BLOCKS * 512)
/* And so many pages of DMA, aligned likewise. */
#define ARENA_LOW_PAGES   1024UL
/* The managed pages of that zone, pretended. */
#define ARENA_LOW_MANAGED 3840UL

enum scene_context {
	SCENE_THREAD,
	SCENE_MEMALLOC,      /* a thread with PF_MEMALLOC */
	SCENE_VICTIM,        /* one that the OOM killer chose */
	SCENE_SOFT,          /* a softirq */
	SCENE_SOFT_MEMALLOC, /* the same on top of a thread with PF_MEMALLOC */
	SCENE_HARD,          /* a hard interrupt */
	SCENE_HARD_MEMALLOC, /* the same on top of a thread with PF_MEMALLOC */
};

/* A new scene: all is taken, all pageblocks are MOVABLE, marks, reserves, boost and
 * boost's factor are 0, the zones have their size, no script is set. */
void scene_begin(void);

void scene_set_marks(unsigned long lowest, unsigned long low,
                     unsigned long high);
void scene_set_boost(unsigned long factor, unsigned long pages);

/* Requests whose highest zone is above this one leave PAGES more. */
void scene_set_reserve(unsigned long pages);

/* The same of zone DMA: COUNT single pages become free, at most half of ARENA_LOW_PAGES;
 * marks, and the reserve that requests leave which may go higher; free pages. */
void scene_free_low(unsigned long count);
void scene_set_low_marks(unsigned long lowest, unsigned long low,
                         unsigned long high, unsigned long reserve);
unsigned long scene_low_pages(void);

/* Is the zone NORMAL? */
bool scene_is_normal(void);

/* The limits of a CPU's lists of the zone, after scene_compute_marks(). */
void scene_lists(int *batch, int *high_min, int *high_max);

/* They are on, with these limits, until the next scene; the pages on them. */
void scene_lists_on(void);
unsigned long scene_listed(void);

/* Was PAGE taken without marks? */
bool scene_is_pfmemalloc(const struct page *page);

/* Linux's counters of that name; pgalloc of the zone. */
enum scene_counter {
	SCENE_PGALLOC,
	SCENE_PGFREE,
	SCENE_COMPACT_STALL,
	SCENE_COMPACT_FAIL,
	SCENE_COMPACT_SUCCESS,
	SCENE_COUNTERS,
};

unsigned long scene_counter(enum scene_counter counter);

/* Pretend that zone number TYPE has so many managed pages. */
void scene_set_managed(int type, unsigned long pages);

/* Marks and reserves of the four zones from MIN_FREE_KBYTES (0: as the kernel computes
 * it) and watermark_scale_factor; returns min_free_kbytes. */
unsigned long scene_compute_marks(unsigned long min_free_kbytes,
                                  unsigned int scale);
unsigned long scene_mark(int type, int mark);
unsigned long scene_reserve(int type, int highest);

/* The type of pageblock number BLOCK of the arena, all of whose pages are taken. */
void scene_set_type(unsigned long block, int type);
int scene_type(unsigned long block);

/* The block of ORDER at PLACE becomes free. */
void scene_free(unsigned long place, unsigned int order);

/* COUNT pages from PLACE on are on the lists of reclaim: they can be moved. */
void scene_set_movable(unsigned long place, unsigned long count);

/* Until scene_leave() the caller is in CONTEXT. */
void scene_enter(enum scene_context context);
void scene_leave(void);

/* The free pages of the zone, by its counter; those of them that are in HIGHATOMIC
 * pageblocks; the pages of these; the zone's boost. */
unsigned long scene_free_pages(void);
unsigned long scene_free_highatomic(void);
unsigned long scene_reserved(void);
unsigned long scene_boost(void);

/* The place of PAGE, -1 for NULL; or -2 for one outside of the arena, as those of DMA; the
 * page at PLACE; the page at ADDRESS. */
long scene_place(const struct page *page);
long scene_place_or_low(const struct page *page);
struct page *scene_page(unsigned long place);
struct page *scene_page_at(void *address);

/* The places of the free blocks of ORDER and TYPE, first to last, at most MAX; their
 * number. */
unsigned long scene_list(unsigned int order, int type, long *places,
                         unsigned long max);

/* ---- The story ----------------------------------------------------------- */

enum scene_compact {
	SCENE_SKIPPED,
	SCENE_DEFERRED,
	SCENE_FAILED,
	SCENE_CONTENDED,
	SCENE_SUCCESS,
};

/* The answers of reclaim, compaction and the killer. */
struct scene_script {
	unsigned int rounds;       /* reclaims, the first ones, that progress */
	unsigned long progress;    /* pages, as they say */
	unsigned long reclaimable; /* pages; 0: the free ones, as in Linux */
	enum scene_compact compact;
	unsigned int kills; /* the first ones, that find a victim */
	/* In reclaim number GIFT (0: never) two blocks of order 10 become free. */
	unsigned int gift;
};

void scene_script(const struct scene_script *script);

/* Where these are. */
#define SCENE_GIFT 2048UL

/*
 * Letters of what the requests did since scene_begin(): p a pass over the zones, w
 * kswapd woken, r reclaim (i without FS, n without IO, too), a compaction (l light, f full), o
 * a kill.
 */
const char *scene_story(void);

/* ---- Questions ----------------------------------------------------------- */

/* A line of the answers: "question: answer". */
__printf(1, 2) void scene_say(const char *format, ...);

/* All questions, one after the other. */
void ask_questions(void);

void ask_marks(void);
void ask_blocks(void);
void ask_walks(void);
void ask_types(void);
void ask_rungs(void);
void ask_pages(void);
void ask_scenes(void);

#define ASK_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ASK_MASK(m)                                                            \
	{                                                                      \
#m, m                                                          \
	}

struct ask_mask {
	const char *name;
	gfp_t mask;
};

/* Numbers that follow from the seed, the same on both sides. */
void ask_seed(unsigned int seed);
unsigned int ask_random(unsigned int below);

/* DIGEST with the four lowest bytes of VALUE; it begins with ASK_DIGEST (FNV-1a). */
#define ASK_DIGEST 2166136261U
unsigned int ask_digest(unsigned int digest, unsigned long value);

/* An answer in pieces: empty, longer, as it is. */
void ask_clear(void);
__printf(1, 2) void ask_add(const char *format, ...);
const char *ask_text(void);

/* Add STORY: what is repeated more than twice once, "(pwr)x17". */
void ask_add_story(const char *story);

/* Add the free lists: "ORDER TYPE PLACE...", first to last. */
void ask_add_lists(void);

/* The block of order 10 at PLACE becomes free, and of it all but COUNT pages are taken
 * again. */
void ask_leave(unsigned long place, unsigned long count);

#endif
