/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_memory.c -- frames, the direct map and windows on the
 * host.
 *
 * Physical memory is a memory file, mapped in up to three places:
 *
 *	frame N   ->  direct_map_base + N * 4096   while it is visible
 *	          ->  an entry of a window           while that window is open
 *	          ->  pages of the vmap region     until they are flushed
 *	          ->  machine_physical(N)          always: the eyes of a test
 *
 * Hidden pages and closed windows are mapped without any access, so a
 * stranger's touch is a real SIGSEGV, with or without sanitizers.  A window's
 * table is a page of that memory with entries as the machine would have them;
 * opening the window maps what they say.
 *
 *  M1  A frame is hidden or shown, a region split or joined, only from the
 *      opposite state, in a thread, with interrupts on.
 *  M2  An entry is filled only when it is empty, and emptied only when filled.
 *  M4  A page of the vmap region is mapped only where its tables are, where nothing
 *      is mapped, and not before it was flushed: until then it can be reached, as by
 *      a TLB that forgets nothing.
 *  M3  Windows are opened with interrupts off and closed last in, first out.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/copy.h"
#include "kernel/arch/mapping.h"
#include "kernel/arch/vmap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/host/machine.h"

#define MAX_RESOLVERS    4

/* Pages that can be mapped besides the direct map and the windows. */
#define MACHINE_MAPPINGS 4

/* The vmap region: two tables of level 2. */
#define VMAP_LEVEL2      2UL
#define VMAP_PAGES       (VMAP_LEVEL2 * GIB / PAGE_SIZE)

/* The state of a region of 512 frames. */
struct region {
	void *table; /* NULL: one entry maps it all */
	bool at_boot;
};

static struct {
	int file;
	unsigned long frames; /* without those for tables */
	unsigned long total;
	char *eyes;
	bool *hidden;          /* by frame */
	struct region *region; /* by region */
	char *windows;         /* WINDOW_COUNT of them, from the first on */
	uint64_t *table[WINDOW_COUNT];
	void *group
		[WINDOW_GROUPS]; /* a page of each; NULL: it does not exist */
	fault_resolver resolver[MAX_RESOLVERS];
	unsigned int resolvers;
	char *mappings; /* MACHINE_MAPPINGS pages, for machine_map() */
	unsigned long mapped[MACHINE_MAPPINGS]; /* frame there, or -1UL */
	uint64_t *level2[VMAP_LEVEL2];          /* tables of the vmap region */
	bool *stale; /* by page of it: cleared and not flushed */
	unsigned long stale_pages;
	unsigned long stale_from; /* the first and the last of these */
	unsigned long stale_to;
	unsigned long vmap_flushes;
} memory;

uintptr_t direct_map_base;
uintptr_t vmap_base;
size_t vmap_size = VMAP_PAGES * PAGE_SIZE;

/* ---- Frames -------------------------------------------------------------- */

static void map_or_die(void *at, size_t size, int file, off_t offset)
{
	int flags = MAP_FIXED |
	            (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
	                      : MAP_SHARED);
	int access = file < 0 ? PROT_NONE : PROT_READ | PROT_WRITE;

	if (mmap(at, size, access, flags, file, offset) != at)
		panic("the host cannot map %zu bytes", size);
}

static void map_frame(uintptr_t address, unsigned long pfn)
{
	map_or_die((void *)address, PAGE_SIZE, memory.file,
	           (off_t)(pfn * PAGE_SIZE));
}

static void unmap_frames(uintptr_t address, unsigned long count)
{
	map_or_die((void *)address, count * PAGE_SIZE, -1, 0);
}

static char *reserve(size_t size)
{
	void *at = mmap(NULL, size, PROT_NONE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		panic("the host has no %zu bytes of addresses", size);
	return at;
}

static void check_frame(unsigned long pfn)
{
	if (pfn >= memory.total)
		panic("frame %#lx in a machine of %lu frames", pfn,
		      memory.total);
}

unsigned long host_frames(void)
{
	return memory.frames;
}

void *machine_physical(unsigned long pfn)
{
	check_frame(pfn);
	return memory.eyes + pfn * PAGE_SIZE;
}

/* The visible frame that a page of memory handed in is, or a panic. */
static void check_table(const void *table)
{
	uintptr_t offset = (uintptr_t)table - direct_map_base;

	if (offset % PAGE_SIZE != 0 || offset / PAGE_SIZE >= memory.total ||
	    memory.hidden[offset / PAGE_SIZE])
		panic("a table at %p: not a visible page of the direct map",
		      table);
}

/* ---- The direct map ------------------------------------------------------ */

static struct region *machine_memory_region_of(unsigned long pfn)
{
	check_frame(pfn);
	return &memory.region[pfn / REGION_FRAMES];
}

static void check_may_edit(const char *what)
{
	if (!may_sleep_here())
		panic("%s in %s, where that cannot be done", what,
		      context_name());
}

bool direct_map_is_split(unsigned long pfn)
{
	return machine_memory_region_of(pfn)->table != NULL;
}

void direct_map_split(unsigned long pfn, void *table)
{
	struct region *region = machine_memory_region_of(pfn);

	check_may_edit("direct_map_split()");
	check_table(table);
	if (region->table != NULL)
		panic("the region of frame %#lx is split twice", pfn);
	region->table = table;
	memset(table, 0x5a, PAGE_SIZE);
}

void machine_split_at_boot(unsigned long pfn)
{
	struct region *region = machine_memory_region_of(pfn);

	region->table = region;
	region->at_boot = true;
}

void *direct_map_join(unsigned long pfn)
{
	struct region *region = machine_memory_region_of(pfn);
	unsigned long first = ALIGN_DOWN(pfn, REGION_FRAMES);
	void *table = region->table;

	check_may_edit("direct_map_join()");
	if (table == NULL || region->at_boot)
		return NULL;
	for (unsigned long i = first;
	     i < first + REGION_FRAMES && i < memory.total; i++) {
		if (memory.hidden[i])
			return NULL;
	}
	region->table = NULL;
	return table;
}

void direct_map_hide(unsigned long pfn)
{
	if (!direct_map_is_split(pfn))
		panic("frame %#lx is hidden in a region that is not split",
		      pfn);
	if (memory.hidden[pfn])
		panic("frame %#lx is hidden twice", pfn);
	vmap_flush();
	memory.hidden[pfn] = true;
	unmap_frames(direct_map_base + pfn * PAGE_SIZE, 1);
}

void direct_map_show(unsigned long pfn)
{
	check_frame(pfn);
	if (!memory.hidden[pfn])
		panic("frame %#lx is shown twice", pfn);
	memory.hidden[pfn] = false;
	map_frame(direct_map_base + pfn * PAGE_SIZE, pfn);
}

/* No frame of the region that begins at PFN may be hidden already, or all must be. */
static void check_region(unsigned long pfn, bool hidden, const char *what)
{
	check_may_edit(what);
	if (pfn % REGION_FRAMES != 0 || direct_map_is_split(pfn))
		panic("%s of frame %#lx: no region, or a split one", what, pfn);
	check_frame(pfn + REGION_FRAMES - 1);
	for (unsigned long i = pfn; i < pfn + REGION_FRAMES; i++) {
		if (memory.hidden[i] != hidden)
			panic("%s: frame %#lx is %s", what, i,
			      hidden ? "visible" : "hidden");
	}
}

void direct_map_hide_region(unsigned long pfn)
{
	check_region(pfn, false, "direct_map_hide_region()");
	vmap_flush();
	memset(&memory.hidden[pfn], true, REGION_FRAMES);
	unmap_frames(direct_map_base + pfn * PAGE_SIZE, REGION_FRAMES);
}

void direct_map_show_region(unsigned long pfn)
{
	check_region(pfn, true, "direct_map_show_region()");
	for (unsigned long i = pfn; i < pfn + REGION_FRAMES; i++) {
		memory.hidden[i] = false;
		map_frame(direct_map_base + i * PAGE_SIZE, i);
	}
}

bool direct_map_visible(unsigned long pfn)
{
	return pfn < memory.total && !memory.hidden[pfn];
}

/* ---- Mappings besides the direct map and the windows --------------------- */

void *machine_map(unsigned long pfn)
{
	unsigned int i = 0;

	while (i < MACHINE_MAPPINGS && memory.mapped[i] != -1UL)
		i++;
	if (i == MACHINE_MAPPINGS)
		panic("more than %d mappings", MACHINE_MAPPINGS);
	check_frame(pfn);
	memory.mapped[i] = pfn;
	map_frame((uintptr_t)memory.mappings + i * PAGE_SIZE, pfn);
	return memory.mappings + i * PAGE_SIZE;
}

void machine_unmap(void *address)
{
	memory.mapped[((char *)address - memory.mappings) / PAGE_SIZE] = -1UL;
	unmap_frames((uintptr_t)address, 1);
}

/* ---- The vmap region ----------------------------------------------------- */

static unsigned long vmap_page_of(uintptr_t address)
{
	if (address % PAGE_SIZE != 0 || address - vmap_base >= vmap_size)
		panic("%#lx is no page of the vmap region",
		      (unsigned long)address);
	return (address - vmap_base) / PAGE_SIZE;
}

/* The table of level 1 for PAGE, or NULL. */
static uint64_t *vmap_level1(unsigned long page)
{
	const uint64_t *level2 = memory.level2[page / (512UL * 512)];
	uint64_t entry = level2 == NULL ? 0 : level2[page / 512 % 512];

	return entry & ENTRY_PRESENT
	               ? (uint64_t *)machine_physical(entry >> PAGE_SHIFT)
	               : NULL;
}

unsigned int vmap_missing_table(uintptr_t address)
{
	unsigned long page = vmap_page_of(address);

	if (memory.level2[page / (512UL * 512)] == NULL)
		return 2;
	return vmap_level1(page) == NULL ? 1 : 0;
}

void vmap_add_table(uintptr_t address, unsigned int level, void *table)
{
	unsigned long page = vmap_page_of(address);
	const uint64_t *entries = table;

	check_table(table);
	if (vmap_missing_table(address) != level)
		panic("a table of level %u for %#lx, where it is not missing",
		      level, (unsigned long)address);
	for (unsigned int i = 0; i < 512; i++) {
		if (entries[i] != 0)
			panic("a table for %#lx that is not empty",
			      (unsigned long)address);
	}
	if (level == 2)
		memory.level2[page / (512UL * 512)] = table;
	else
		memory.level2[page / (512UL * 512)][page / 512 % 512] =
			((uintptr_t)table - direct_map_base) | ENTRY_PRESENT;
}

void vmap_set(uintptr_t address, unsigned long pfn, bool writable)
{
	unsigned long page = vmap_page_of(address);
	uint64_t *table = vmap_level1(page);

	check_frame(pfn);
	if (in_nmi() || table == NULL || table[page % 512] != 0)
		panic("frame %#lx cannot be mapped at %#lx", pfn,
		      (unsigned long)address);
	if (memory.stale[page])
		panic("%#lx is mapped again before it was flushed",
		      (unsigned long)address);
	mapping_tell(pfn, MAPPING_VMAP, true);
	table[page % 512] = pfn << PAGE_SHIFT | ENTRY_PRESENT;
	map_frame(address, pfn);
	if (!writable && mprotect((void *)address, PAGE_SIZE, PROT_READ) != 0)
		panic("the host cannot protect a page");
}

unsigned long vmap_clear(uintptr_t address)
{
	unsigned long page = vmap_page_of(address);
	unsigned long pfn = vmap_frame(address);

	if (in_nmi())
		panic("a page is unmapped in an NMI");
	if (pfn == -1UL)
		return pfn;
	vmap_level1(page)[page % 512] = 0;
	mapping_tell(pfn, MAPPING_VMAP, false);
	if (memory.stale_pages == 0)
		memory.stale_from = page;
	if (memory.stale_pages == 0 || page > memory.stale_to)
		memory.stale_to = page;
	memory.stale_from = min(memory.stale_from, page);
	memory.stale[page] = true;
	memory.stale_pages++;
	return pfn;
}

unsigned long vmap_frame(uintptr_t address)
{
	unsigned long page = vmap_page_of(address);
	const uint64_t *table = vmap_level1(page);
	uint64_t entry = table == NULL ? 0 : table[page % 512];

	return entry & ENTRY_PRESENT ? entry >> PAGE_SHIFT : -1UL;
}

bool vmap_flush(void)
{
	if (memory.stale_pages == 0)
		return false;
	for (unsigned long page = memory.stale_from; page <= memory.stale_to;
	     page++) {
		if (memory.stale[page])
			unmap_frames(vmap_base + page * PAGE_SIZE, 1);
		memory.stale[page] = false;
	}
	memory.stale_pages = 0;
	memory.vmap_flushes++;
	return true;
}

unsigned long vmap_flushes(void)
{
	return memory.vmap_flushes;
}

void host_visit_vmap_tables(void (*visit)(void *table))
{
	for (unsigned long i = 0; i < VMAP_LEVEL2; i++) {
		for (unsigned long at = 0; memory.level2[i] != NULL && at < 512;
		     at++) {
			uint64_t entry = memory.level2[i][at];

			if (entry & ENTRY_PRESENT)
				visit((void *)(direct_map_base +
				               ALIGN_DOWN(entry, PAGE_SIZE)));
		}
		if (memory.level2[i] != NULL)
			visit(memory.level2[i]);
		memory.level2[i] = NULL;
	}
}

/* ADDRESS is a number: of a page of machine_map(), then of one of the vmap region. */
void (*mapping_watch)(unsigned long pfn, enum mapping_kind kind, bool mapped);

bool mapping_look(uintptr_t *address, unsigned long *pfn)
{
	unsigned long page = *address - MACHINE_MAPPINGS;
	const uint64_t *table;

	if (*address < MACHINE_MAPPINGS) {
		*pfn = memory.mapped[*address];
		++*address;
		return true;
	}
	if (page >= VMAP_PAGES)
		return false;
	*pfn = -1UL;
	table = vmap_level1(page);
	if (memory.level2[page / (512UL * 512)] == NULL) {
		*address += 512UL * 512;
	} else if (table == NULL) {
		*address += 512;
	} else {
		*pfn = vmap_frame(vmap_base + page * PAGE_SIZE);
		++*address;
	}
	return true;
}

/* ---- Windows ------------------------------------------------------------- */

static uintptr_t window_base(unsigned int id)
{
	if (memory.windows == NULL)
		memory.windows = reserve(WINDOW_SPACE);
	return (uintptr_t)memory.windows + id * WINDOW_SIZE;
}

static uintptr_t machine_memory_entry_address(unsigned int id,
                                              unsigned int index)
{
	return window_base(id) + index * PAGE_SIZE;
}

/* The number of a window that exists. */
unsigned int host_check_window(const struct window *window)
{
	if (window->id == 0 || window->id >= WINDOW_COUNT ||
	    memory.table[window->id] != window->table)
		panic("window %u does not exist", window->id);
	check_table(window->table);
	return window->id;
}

/* TABLE is to be empty. */
static void check_zeroed(const uint64_t *table, const char *what)
{
	check_table(table);
	for (unsigned int index = 0; index < WINDOW_ENTRIES; index++) {
		if (table[index] != 0)
			panic("a table for %s is not zeroed", what);
	}
}

int window_create(struct window *window, unsigned int id, void *table)
{
	if (id == 0 || id >= WINDOW_COUNT ||
	    !window_has_group(id / WINDOW_GROUP))
		panic("window %u has no group", id);
	if (memory.table[id] != NULL)
		return -EBUSY;
	check_zeroed(table, "a window");
	memory.table[id] = table;
	*window = (struct window){
		.table = table,
		.base = window_base(id),
		.id = id,
	};
	return 0;
}

unsigned int window_spare_number(void)
{
	unsigned int id = WINDOW_GROUP - 1;

	while (id > 0 && memory.table[id] != NULL)
		id--;
	return id;
}

bool window_has_group(unsigned int group)
{
	return memory.group[group] != NULL;
}

void window_add_group(unsigned int group, void *table)
{
	check_zeroed(table, "a group");
	if (group == 0 || group >= WINDOW_GROUPS || window_has_group(group))
		panic("group %u of windows is made twice", group);
	memory.group[group] = table;
}

void *window_destroy(struct window *window)
{
	unsigned int id = host_check_window(window);
	uint64_t *table = window->table;

	for (unsigned int index = 0; index < WINDOW_ENTRIES; index++) {
		if (table[index] != 0)
			panic("window %u is destroyed with entry %u in use", id,
			      index);
	}
	if (host_cpu()->window == id)
		host_switch_window(0);
	memory.table[id] = NULL;
	*window = (struct window){ 0 };
	return table;
}

void *window_map(struct window *window, unsigned int index, unsigned long pfn)
{
	unsigned int id = host_check_window(window);

	host_check_entry(index);
	check_frame(pfn);
	if (window->table[index] != 0)
		panic("entry %u of window %u is filled twice", index, id);
	mapping_tell(pfn, MAPPING_WINDOW, true);
	window->table[index] = pfn << PAGE_SHIFT | ENTRY_PRESENT;
	if (host_cpu()->window == id)
		map_frame(machine_memory_entry_address(id, index), pfn);
	return (void *)machine_memory_entry_address(id, index);
}

void window_unmap(struct window *window, unsigned int index)
{
	unsigned int id = host_check_window(window);

	host_check_entry(index);
	if (!(window->table[index] & ENTRY_PRESENT))
		panic("entry %u of window %u is emptied twice", index, id);
	mapping_tell(window_frame(window, index), MAPPING_WINDOW, false);
	window->table[index] = 0;
	if (host_cpu()->window == id)
		unmap_frames(machine_memory_entry_address(id, index), 1);
}

void host_switch_window(unsigned int id)
{
	struct host_cpu *cpu = host_cpu();
	const uint64_t *table = memory.table[id];

	if (cpu->window == id)
		return;
	if (cpu->window != 0)
		unmap_frames(window_base(cpu->window), WINDOW_ENTRIES);
	cpu->window = id;
	for (unsigned int index = 0; id != 0 && index < WINDOW_ENTRIES;
	     index++) {
		if (table[index] & ENTRY_PRESENT)
			map_frame(machine_memory_entry_address(id, index),
			          table[index] >> PAGE_SHIFT);
	}
}

struct window_state window_open(struct window *window)
{
	struct host_cpu *cpu = host_cpu();
	struct window_state before = {
		.number = ++cpu->window_depth,
		.value = cpu->window,
	};

	if (arch_irq_enabled())
		panic("a window is opened with interrupts on");
	host_switch_window(window == NULL || window->id == 0
	                           ? 0
	                           : host_check_window(window));
	return before;
}

void window_close(struct window_state previous)
{
	struct host_cpu *cpu = host_cpu();

	if (arch_irq_enabled())
		panic("a window is closed with interrupts on");
	if (previous.number != cpu->window_depth)
		panic("windows are closed in another order than they were "
		      "opened");
	cpu->window_depth--;
	host_switch_window((unsigned int)previous.value);
}

bool window_is_open(const struct window *window)
{
	return window->id != 0 && host_cpu()->window == window->id;
}

unsigned int window_of_address(uintptr_t address, unsigned int *index)
{
	uintptr_t offset = address - (uintptr_t)memory.windows;

	*index = 0;
	if (memory.windows == NULL || offset >= WINDOW_SPACE ||
	    offset < WINDOW_SIZE)
		return 0;
	*index = (unsigned int)(offset % WINDOW_SIZE / PAGE_SIZE);
	return (unsigned int)(offset / WINDOW_SIZE);
}

/* ---- Faults -------------------------------------------------------------- */

void fault_register_resolver(fault_resolver resolver)
{
	for (unsigned int i = 0; i < memory.resolvers; i++) {
		if (memory.resolver[i] == resolver)
			return;
	}
	if (memory.resolvers == MAX_RESOLVERS)
		panic("more than %d resolvers of faults", MAX_RESOLVERS);
	memory.resolver[memory.resolvers++] = resolver;
}

void host_resolve(struct fault *fault)
{
	for (unsigned int i = 0; i < memory.resolvers; i++) {
		if (memory.resolver[i](fault))
			return;
	}
}

/* Fill in EXPECT and go back to its fault_catch(), if it wants FAULT. */
static void resume_if_expected(struct fault *fault)
{
	struct fault_expect *expect = host_cpu()->expect;

	if (expect == NULL ||
	    (expect->match != NULL && !expect->match(fault, expect->data)))
		return;
	expect->frame = *fault->frame;
	expect->address = fault->address;
	siglongjmp(*(sigjmp_buf *)(uintptr_t)expect->resume_sp, 1);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	struct trap_frame frame = { .vector = VECTOR_PAGE_FAULT };
	struct fault fault = {
		.frame = &frame,
		.address = (uintptr_t)info->si_addr,
		.pfn = -1UL,
	};
	char text[160];

	(void)context;
	host_resolve(&fault);
	resume_if_expected(&fault);
	scnprintf(text, sizeof(text), "signal %d: fault at %#lx in %s%s%s",
	          number, (unsigned long)fault.address, context_name(),
	          fault.kind == FAULT_EXCLUSIVE ? ", an exclusive page of "
	                                        : "",
	          fault.kind != FAULT_EXCLUSIVE ? ""
	          : fault.owner != NULL         ? fault.owner->name
	                                        : "nobody");
	host_die(MACHINE_FAULTED, text);
}

bool fault_catch(struct fault_expect *expect, void (*function)(void *),
                 void *argument)
{
	struct host_cpu *cpu = host_cpu();
	const struct host_cpu before = *cpu;
	sigjmp_buf resume;

	expect->outer = cpu->expect;
	expect->resume_sp = (uint64_t)(uintptr_t)&resume;
	/* No signal is blocked in the handler, so no mask comes back. */
	if (sigsetjmp(resume, 0) == 0) {
		cpu->expect = expect;
		function(argument);
		cpu->expect = expect->outer;
		return false;
	}
	if (cpu->held != before.held)
		panic("a fault with lock %s held",
		      cpu->lock[cpu->held - 1]->name);
	host_switch_window(before.window);
	*cpu = before;
	return true;
}

/* ---- Callers' buffers ---------------------------------------------------- */

/* The side that may fault is the caller's. */
struct host_copy {
	void *to;
	const void *from;
	size_t size;
	const void *callers;
	long answer;
};

static bool is_callers(const struct fault *fault, void *data)
{
	const struct host_copy *copy = data;

	return fault->address - (uintptr_t)copy->callers < copy->size;
}

static int host_try_copy(struct host_copy *copy, void (*function)(void *))
{
	struct fault_expect expect = { .match = is_callers, .data = copy };

	return fault_catch(&expect, function, copy) ? -EFAULT : 0;
}

/* From the front, word by word, as kernel/arch/copy.asm does: the C library's may
 * begin at the end. */
static void do_copy(void *data)
{
	const struct host_copy *copy = data;
	size_t part;

	for (size_t at = 0; at < copy->size; at += part) {
		part = min(copy->size - at, sizeof(uint64_t));
		memcpy((char *)copy->to + at, (const char *)copy->from + at,
		       part);
	}
}

static void do_clear(void *data)
{
	const struct host_copy *copy = data;

	memset(copy->to, 0, copy->size);
}

static void do_measure(void *data)
{
	struct host_copy *copy = data;
	const volatile char *text = copy->from;

	while ((size_t)copy->answer < copy->size && text[copy->answer] != '\0')
		copy->answer++;
}

int copy_from_caller(void *to, const void *from, size_t size)
{
	struct host_copy copy = { to, from, size, from, 0 };

	return host_try_copy(&copy, do_copy);
}

int copy_to_caller(void *to, const void *from, size_t size)
{
	struct host_copy copy = { to, from, size, to, 0 };

	return host_try_copy(&copy, do_copy);
}

int clear_caller(void *to, size_t size)
{
	struct host_copy copy = { to, NULL, size, to, 0 };

	return host_try_copy(&copy, do_clear);
}

long strnlen_caller(const char *text, size_t size)
{
	struct host_copy copy = { NULL, text, size, text, 0 };
	int error = host_try_copy(&copy, do_measure);

	return error != 0 ? error : copy.answer;
}

struct touch {
	volatile char *address;
	bool write;
	struct fault *fault;
};

static void machine_memory_touch(void *data)
{
	const struct touch *want = data;
	char byte = *want->address;

	if (want->write)
		*want->address = byte;
}

static bool keep_fault(const struct fault *fault, void *data)
{
	struct touch *want = data;

	if (fault->address != (uintptr_t)want->address)
		return false;
	if (want->fault != NULL)
		*want->fault = *fault;
	return true;
}

bool machine_faults(const void *address, bool write, struct fault *fault)
{
	struct touch want = {
		.address = (volatile char *)(uintptr_t)address,
		.write = write,
		.fault = fault,
	};
	struct fault_expect expect = { .match = keep_fault, .data = &want };

	return fault_catch(&expect, machine_memory_touch, &want);
}

/* The sanitizers leave memory faults to the machine. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0";
}

/* ---- Start and stop ------------------------------------------------------ */

static void install_handlers(void)
{
	struct sigaction action = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, NULL) != 0 ||
	    sigaction(SIGBUS, &action, NULL) != 0)
		panic("the host does not let the machine handle faults");
}

/* Addresses of SIZE bytes that begin a region. */
static uintptr_t reserve_aligned(size_t size)
{
	const size_t align = REGION_FRAMES * PAGE_SIZE;
	uintptr_t raw = (uintptr_t)reserve(size + align);
	uintptr_t at = ALIGN_UP(raw, align);

	if (at > raw)
		munmap((void *)raw, at - raw);
	munmap((void *)(at + size), raw + align - at);
	return at;
}

void host_memory_start(unsigned long frames)
{
	size_t size;

	mapping_watch = NULL;
	memory.frames = frames;
	memory.total = frames + MACHINE_TABLES;
	/* Group 0 is made at boot. */
	memory.group[0] = &memory;
	size = memory.total * PAGE_SIZE;
	memory.file = memfd_create("frames", MFD_CLOEXEC);
	if (memory.file < 0 || ftruncate(memory.file, (off_t)size) != 0)
		panic("the host has no memory for %lu frames", frames);
	memory.eyes = reserve(size);
	map_or_die(memory.eyes, size, memory.file, 0);
	direct_map_base = reserve_aligned(size);
	map_or_die((void *)direct_map_base, size, memory.file, 0);
	memory.mappings = reserve(MACHINE_MAPPINGS * PAGE_SIZE);
	for (unsigned int i = 0; i < MACHINE_MAPPINGS; i++)
		memory.mapped[i] = -1UL;
	vmap_base = reserve_aligned(vmap_size);
	memory.stale = calloc(VMAP_PAGES, sizeof(*memory.stale));
	memory.hidden = calloc(memory.total, sizeof(*memory.hidden));
	memory.region = calloc(memory.total / REGION_FRAMES + 1,
	                       sizeof(*memory.region));
	if (memory.hidden == NULL || memory.region == NULL ||
	    memory.stale == NULL)
		panic("the host has no memory for %lu frames", frames);
	install_handlers();
}

void host_memory_stop(void)
{
	size_t size = memory.total * PAGE_SIZE;

	if (memory.total == 0)
		return;
	munmap(memory.eyes, size);
	munmap((void *)direct_map_base, size);
	if (memory.windows != NULL)
		munmap(memory.windows, WINDOW_SPACE);
	munmap(memory.mappings, MACHINE_MAPPINGS * PAGE_SIZE);
	munmap((void *)vmap_base, vmap_size);
	close(memory.file);
	free(memory.hidden);
	free(memory.region);
	free(memory.stale);
	memset(&memory, 0, sizeof(memory));
}
