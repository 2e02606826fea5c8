/* SPDX-License-Identifier: MIT */
/*
 * kernel/boot_memory.c -- from the loader's memory map to the page allocator.
 *
 * The boot information gives the map and the addresses of the image, the modules
 * and itself.  Everything in use is taken from the map, all memory is mapped, the
 * page array and other early tables are allocated from the map, and the rest
 * goes to the buddy allocator.
 */
#include "kernel/boot_memory.h"

#include "drivers/framebuffer.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/vmap.h"
#include "kernel/cma_area.h"
#include "kernel/core/multiboot2.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/detectors.h"
#include "kernel/kfence_pool.h"
#include "kernel/movable_zone.h"
#include "kernel/sysctl.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/boot/memmap.h"
#include "mm/debug/page_owner.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/reclaim/reclaim.h"
#include "mm/slab/vmalloc.h"
#include "mm/user/anon.h"
#include "mm/watermark.h"

static struct boot_info boot;
static struct memmap memmap;
static struct node node;
static struct vmalloc_space vmalloc_space;
static uint64_t mem_limit;

static int set_mem(const char *value)
{
	uint64_t limit;
	int error = value == NULL ? -EINVAL : parse_size(value, &limit);

	if (error != 0)
		return error;
	if (limit == 0)
		return -ERANGE;
	mem_limit = limit;
	return 0;
}

PARAM(mem, "mem", "=SIZE: use memory below this address only", set_mem);

/* ---- What the loader said ------------------------------------------------ */

void read_boot_info(uint32_t magic, const void *info, uint64_t limit)
{
	const char *fault;

	if (magic != MULTIBOOT2_BOOT_MAGIC)
		panic("not started by a multiboot2 loader: eax is %#x", magic);
	fault = multiboot2_read(info, limit, &boot);
	if (fault != NULL)
		panic("the boot information is broken: %s", fault);
	if (boot.map_entries == 0)
		panic("the boot information has no memory map");
}

void *boot_map_pixels(uint32_t magic, const void *info, uint64_t limit)
{
	const struct boot_framebuffer *pixels = &boot.framebuffer;

	if (magic != MULTIBOOT2_BOOT_MAGIC ||
	    multiboot2_read(info, limit, &boot) != NULL ||
	    boot_framebuffer_fault(&boot) != NULL)
		return NULL;
	return paging_map_pixels_early(
		pixels->address, (uint64_t)pixels->pitch * pixels->height);
}

static void boot_memory_must(int error)
{
	if (error != 0)
		panic("too many reserved ranges in the boot information");
}

/* As the loader gave it; for people who look for their memory. */
static void print_map(void)
{
	for (uint32_t i = 0; i < boot.map_entries; i++) {
		uint64_t base;
		uint64_t length;
		uint32_t type = boot_map_entry(&boot, i, &base, &length);

		pr_debug("boot: map %#llx+%#llx type %u\n",
		         (unsigned long long)base, (unsigned long long)length,
		         type);
	}
}

const struct memmap *boot_memmap(void)
{
	return &memmap;
}

const struct boot_info *boot_information(void)
{
	return &boot;
}

/* Everything that lies in memory and is needed is taken; what the loader put
 * there and nobody reads (sections of the image's file) is not. */
static void take_what_is_used(uint64_t info_physical)
{
	boot_memory_must(memmap_take(&memmap, 0, PAGE_SIZE));
	boot_memory_must(memmap_take(&memmap, image_physical_start(),
	                             image_physical_end()));
	if (boot.modules_dropped > 0)
		panic("%u modules: %u are the most that can be kept from the "
		      "allocator",
		      boot.modules + boot.modules_dropped, BOOT_MAX_MODULES);
	boot_memory_must(memmap_take_loaded(&memmap, info_physical));
	for (unsigned int i = 0; i < boot.modules; i++)
		pr_info("boot: module %u at %#llx..%#llx stays reserved\n", i,
		        (unsigned long long)boot.module[i].start,
		        (unsigned long long)boot.module[i].end);
	if (boot.sections > 0)
		pr_debug("boot: %u sections of the image's file are not "
		         "needed: released\n",
		         boot.sections + boot.sections_dropped);
}

void find_memory(uint64_t info_physical)
{
	print_map();
	memmap_init(&memmap, &boot, mem_limit);
	take_what_is_used(info_physical);
	if (memmap_end_pfn(&memmap) == 0)
		panic("the memory map has no usable memory");
}

/*
 * A loader can be told to remove memory from its map (GRUB's cutmem and badram).
 * Addresses that are not memory are not mapped, so an object there would vanish
 * silently.
 */
static void must_be_memory(const struct memmap *whole, uint64_t start,
                           uint64_t end, const char *what)
{
	struct boot_range range = { 0, 0 };

	if (memmap_next_usable(whole, start, &range) &&
	    range.start <= ALIGN_UP(start, PAGE_SIZE) && range.end >= end)
		return;
	panic("the memory map says that there is no memory at %#llx..%#llx, "
	      "where %s lies: is it cut by the loader (cutmem, badram)?",
	      (unsigned long long)start, (unsigned long long)end, what);
}

static void check_what_is_used(const struct memmap *whole,
                               uint64_t info_physical)
{
	must_be_memory(whole, ALIGN_DOWN(image_physical_start(), PAGE_SIZE),
	               image_physical_end(), "the kernel");
	must_be_memory(whole, ALIGN_DOWN(info_physical, PAGE_SIZE),
	               info_physical + boot.size, "the boot information");
	for (unsigned int i = 0; i < boot.modules; i++)
		must_be_memory(whole,
		               ALIGN_DOWN(boot.module[i].start, PAGE_SIZE),
		               boot.module[i].end, "a module");
}

static uint64_t take_table_frame(void)
{
	uint64_t frame =
		memmap_alloc(&memmap, PAGE_SIZE, PAGE_SIZE, BOOT_MAPPED, false);

	if (frame == 0)
		panic("not enough memory for the page tables: %lu KiB usable",
		      memmap_usable_pages(&memmap) * (PAGE_SIZE / KIB));
	return frame;
}

static void *map_pixels(void)
{
	const struct boot_framebuffer *pixels = &boot.framebuffer;

	return paging_map_pixels(pixels->address,
	                         (uint64_t)pixels->pitch * pixels->height);
}

/* All memory is mapped, also what mem= keeps from the allocator: the image and
 * the boot information may be there. */
void map_memory(uint64_t info_physical)
{
	static struct memmap whole;
	struct boot_range range = { 0, 0 };
	void *pixels;

	memmap_init(&whole, &boot, 0);
	check_what_is_used(&whole, info_physical);
	kfence_pool_reserve(&memmap);
	paging_begin(take_table_frame);
	if (detectors()->unmap)
		paging_use_small_pages(0, UINT64_MAX);
	while (memmap_next_usable(&whole, range.end, &range))
		paging_map_ram(range.start, range.end);
	pixels = framebuffer_present() ? map_pixels() : NULL;
	paging_switch();
	if (pixels != NULL)
		framebuffer_remap(pixels);
}

/* ---- Memory -------------------------------------------------------------- */

/* SIZE bytes before there is an allocator, or a panic that says what for. */
static void *early_memory(uint64_t size, const char *what)
{
	uint64_t physical = memmap_alloc(&memmap, size, PAGE_SIZE, 0, true);

	if (physical == 0)
		panic("not enough memory: %lu KiB for %s do not fit into %lu "
		      "KiB",
		      (unsigned long)(size / KIB), what,
		      memmap_usable_pages(&memmap) * (PAGE_SIZE / KIB));
	return phys_to_virt(physical);
}

static void print_memory(void)
{
	const unsigned long kb = PAGE_SIZE / KIB;
	unsigned long present = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node.zone[type];

		present += zone->present;
		if (zone->present > 0)
			pr_info("mm: zone %-6s %lu KiB present, %lu KiB "
			        "managed, min/low/high %lu/%lu/%lu pages\n",
			        zone->name, zone->present * kb,
			        zone->managed * kb,
			        wmark_pages(zone, WMARK_MIN),
			        wmark_pages(zone, WMARK_LOW),
			        wmark_pages(zone, WMARK_HIGH));
	}
	pr_info("mm: %lu KiB of memory, %lu KiB free, %lu KiB for the page "
	        "array\n",
	        present * kb, node_free(&node) * kb,
	        node.page_count * sizeof(struct page) / KIB);
}

/* Tables of the detectors for PAGES frames; none if all are off. */
static void take_detector_tables(struct page_debug *debug, unsigned long pages)
{
	if (!detectors_wanted())
		return;
	kassert(debug->mark == NULL && pages > 0);
	debug->mark = early_memory(pages, "the marks of detectors");
	memset(debug->mark, 0, pages);
	if (detectors_want_entries()) {
		debug->entries = early_memory(pages * sizeof(*debug->entries),
		                              "the counts of page_table_check");
		memset(debug->entries, 0, pages * sizeof(*debug->entries));
	}
	if (!detectors_want_owner())
		return;
	debug->owner = early_memory(pages * sizeof(*debug->owner),
	                            "the records of page_owner");
	memset(debug->owner, 0, pages * sizeof(*debug->owner));
}

struct node *mm_init(uint64_t info_physical)
{
	unsigned long pages = memmap_end_pfn(&memmap);
	unsigned long tables = exclusive_region_tables(pages);
	struct page *array =
		early_memory(pages * sizeof(struct page), "the page array");
	struct pageblock *blocks =
		early_memory(NODE_PAGEBLOCKS(pages) * sizeof(*blocks),
	                     "the types of pageblocks");
	void *table = early_memory(tables * PAGE_SIZE,
	                           "tables that split the direct map");
	uint64_t records = trace_records_wanted(pages);
	void *ring = early_memory(records * sizeof(struct trace_record),
	                          "the trace");
	struct vmstat_row *rows =
		early_memory(MAX_CPUS * sizeof(*rows), "the event counters");
	struct page_debug debug = *detectors();
	const char *broken;
	char sentence[240];

	take_detector_tables(&debug, pages);
	/* Each frame gets a struct page; all are taken. */
	node_init_movable(&node, array, blocks, 0, pages,
	                  movable_zone_start(&memmap));
	memset(rows, 0, MAX_CPUS * sizeof(*rows));
	vmstat_start(&node.stat, rows, MAX_CPUS);
	trace_init(&node.trace, ring, records);
	/* The boot code has done its work. */
	boot_memory_must(memmap_give(&memmap, boot_physical_start(),
	                             boot_physical_end()));
	/* GRUB may have put the boot information into a gap of it, another
	 * loader a module over it. */
	boot_memory_must(memmap_take_loaded(&memmap, info_physical));
	cma_area_reserve(&memmap);
	/* Every frame that nobody has goes to the buddies. */
	memmap_release_free(&memmap, &node);
	cma_area_start(&node);
	/* Grouping and the marks follow from what they got. */
	pageblock_group_by_mobility(&node);
	node.min_free_kbytes = watermark_min_free_kbytes(node_lowmem(&node) *
	                                                 (PAGE_SIZE / KIB));
	watermark_setup(&node);
	exclusive_pool_init(&node, table, tables);
	if (debug.mark != NULL)
		page_debug_start(&node, &debug);
	/* From here on alloc_pages() works. */
	set_main_node(&node);
	exclusive_start(&node);
	vmalloc_space_init(&vmalloc_space, &node, vmap_base,
	                   vmap_base + vmap_size, 1);
	set_main_vmalloc(&vmalloc_space);
	/* The command line knows better. */
	sysctl_start(&node);
	swap_start(&node);
	anon_start();
	reclaim_set_swap(&node, get_nr_swap_pages);
	broken = mm_check(sentence, sizeof(sentence));
	if (broken != NULL)
		panic("memory does not add up at boot: %s", broken);
	print_memory();
	return &node;
}

void check_boot_mappings(void)
{
	struct paging_check check = paging_check();

	if (check.wrong != 0)
		panic("%lu of %lu mappings are wrong, the first at %#lx: %s",
		      check.wrong, check.mappings, (unsigned long)check.address,
		      check.what);
	if (cpu_has(CPU_NX))
		pr_info("paging: no page is both writable and executable, "
		        "open to user mode, page 0 or a guard: %lu mappings "
		        "looked at\n",
		        check.mappings);
	else
		pr_warn("paging: this CPU has no NX: data can be executed\n");
}

/* ---- Reports for panics -------------------------------------------------- */

void report_memory(void)
{
	char sentence[240];
	struct page_columns columns;
	const char *broken =
		node_check(&node, &columns, true, sentence, sizeof(sentence));

	show_mem(&node);
	pr_emerg("pages: %lu free, %lu isolated, %lu on lists, %lu parked, %lu "
	         "used, %lu exclusive, %lu bad, %lu in flight, %lu reserved\n",
	         columns.free, columns.isolated, columns.pcp, columns.parked,
	         columns.used, columns.exclusive, columns.bad, columns.loose,
	         columns.reserved);
	pr_emerg("accounting: %s\n", broken == NULL ? "adds up" : broken);
}
