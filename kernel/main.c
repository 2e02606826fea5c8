/* SPDX-License-Identifier: MIT */
/*
 * kernel/main.c -- the boot, told as a story.
 *
 * boot/boot.asm has brought the CPU into long mode and to the higher half, on
 * page tables that know the first GiB only.  kmain() makes a kernel of that, in
 * the order in which one thing needs another: a voice, ears for faults, the
 * words of the command line, memory, time, threads, devices, people.
 */
#include "drivers/ata.h"
#include "drivers/i8042.h"
#include "drivers/ioapic.h"
#include "drivers/keyboard.h"
#include "drivers/pic.h"
#include "drivers/pit.h"
#include "drivers/serial.h"
#include "drivers/vga.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/crumb.h"
#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/stack_protector.h"
#include "kernel/arch/switch.h"
#include "kernel/block/block.h"
#include "kernel/boot_map.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/fault.h"
#include "kernel/core/irq.h"
#include "kernel/core/multiboot2.h"
#include "kernel/core/nmi.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/work.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/storm.h"
#include "kernel/fail.h"
#include "kernel/failure_dump.h"
#include "kernel/files.h"
#include "kernel/refiller.h"
#include "kernel/selftest/replay.h"
#include "kernel/selftest/selftest.h"
#include "kernel/shell/shell_keeper.h"
#include "kernel/sysctl.h"
#include "kernel/thread.h"
#include "kernel/tracer.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "mm/exclusive/exclusive.h"
#include "mm/memmap.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/oom.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"
#include "mm/task.h"
#include "mm/user/anon.h"
#include "mm/watermark.h"

__noreturn void kmain(uint32_t magic, uint64_t info_physical,
                      uint64_t entry_cycles);

/* The boot page tables reach this far. */
#define BOOT_MAPPED GIB

/* The storm of the GRUB menu: 10 kHz, three acts of a second each. */
#define STORM_HZ    10000
#define STORM_TICKS 10000

static struct boot_info boot;
static struct memmap memmap;
static struct node node;
static struct mm_task main_task;
static struct thread main_thread = { .mm = &main_task };
static uint64_t mem_limit;
static bool hears_lines;  /* there are interrupt controllers */
static bool hears_serial; /* ... and these use them */
static bool hears_keyboard;

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

static int main_set_oom_score_adj(const char *value)
{
	int64_t adj;
	int error = parse_signed(value, &adj);

	if (error == 0 && (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX))
		error = -ERANGE;
	if (error == 0)
		main_task.oom_score_adj = (short)adj;
	return error;
}

PARAM(oom_score_adj, "oom_score_adj",
      "=N: -1000..1000, how gladly the shell is killed for its memory",
      main_set_oom_score_adj);

/* ---- What the loader said ---------------------------------------------------- */

static void read_boot_info(uint32_t magic, const void *info, uint64_t limit)
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

static void main_must(int error)
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

/* Everything that lies in memory and is needed is taken; what the loader put
 * there and nobody reads (sections of the image's file) is not. */
static void take_what_is_used(uint64_t info_physical)
{
	main_must(memmap_take(&memmap, 0, PAGE_SIZE));
	main_must(memmap_take(&memmap, image_physical_start(),
	                      image_physical_end()));
	if (boot.modules_dropped > 0)
		panic("%u modules: %u are the most that can be kept from the "
		      "allocator",
		      boot.modules + boot.modules_dropped, BOOT_MAX_MODULES);
	main_must(memmap_take_loaded(&memmap, info_physical));
	for (unsigned int i = 0; i < boot.modules; i++)
		pr_info("boot: module %u at %#llx..%#llx stays reserved\n", i,
		        (unsigned long long)boot.module[i].start,
		        (unsigned long long)boot.module[i].end);
	if (boot.sections > 0)
		pr_debug("boot: %u sections of the image's file are not "
		         "needed: released\n",
		         boot.sections + boot.sections_dropped);
}

/*
 * A loader can be told to say that memory in use is none (GRUB's cutmem and badram).
 * What is no memory is not mapped, so what lies there would be gone without a word.
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

/* All memory is mapped, also what mem= keeps from the allocator: the image and
 * the boot information may be there. */
static void map_memory(uint64_t info_physical)
{
	static struct memmap whole;
	struct boot_range range = { 0, 0 };

	memmap_init(&whole, &boot, 0);
	check_what_is_used(&whole, info_physical);
	paging_begin(take_table_frame);
	while (memmap_next_usable(&whole, range.end, &range))
		paging_map_ram(range.start, range.end);
	paging_switch();
}

/* ---- Memory -------------------------------------------------------------------- */

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
			        zone->managed * kb, zone->watermark[WMARK_MIN],
			        zone->watermark[WMARK_LOW],
			        zone->watermark[WMARK_HIGH]);
	}
	pr_info("mm: %lu KiB of memory, %lu KiB free, %lu KiB for the page "
	        "array\n",
	        present * kb, node_free(&node) * kb,
	        node.page_count * sizeof(struct page) / KIB);
}

static void mm_init(uint64_t info_physical)
{
	unsigned long pages = memmap_end_pfn(&memmap);
	unsigned long tables = exclusive_region_tables(pages);
	struct page *array =
		early_memory(pages * sizeof(struct page), "the page array");
	void *table = early_memory(tables * PAGE_SIZE,
	                           "tables that split the direct map");
	uint64_t records = trace_records_wanted(pages);
	void *ring = early_memory(records * sizeof(struct trace_record),
	                          "the trace");
	const char *broken;
	char sentence[160];

	/* Each frame gets a struct page; all are taken. */
	node_init(&node, array, 0, pages);
	trace_init(&node.trace, ring, records);
	/* The boot code has done its work. */
	main_must(memmap_give(&memmap, boot_physical_start(),
	                      boot_physical_end()));
	/* GRUB may have put the boot information into a gap of it, another
	 * loader a module over it. */
	main_must(memmap_take_loaded(&memmap, info_physical));
	/* Every frame that nobody has goes to the buddies. */
	memmap_release_free(&memmap, &node);
	/* The marks follow from what they got. */
	node.min_free_kbytes = watermark_min_free_kbytes(node_managed(&node) *
	                                                 (PAGE_SIZE / KIB));
	watermark_setup(&node);
	exclusive_pool_init(&node, table, tables);
	/* From here on alloc_pages() works. */
	set_main_node(&node);
	exclusive_start(&node);
	/* The command line knows better. */
	sysctl_start(&node);
	swap_start(&node);
	anon_start();
	reclaim_set_swap(&node, get_nr_swap_pages);
	broken = mm_check(sentence, sizeof(sentence));
	if (broken != NULL)
		panic("memory does not add up at boot: %s", broken);
	print_memory();
}

/* ---- Reports for panics ------------------------------------------------------------ */

static void report_memory(void)
{
	char sentence[160];
	struct page_columns columns;
	const char *broken =
		node_check(&node, &columns, true, sentence, sizeof(sentence));

	show_mem(&node);
	pr_emerg("pages: %lu free, %lu parked, %lu used, %lu exclusive, %lu "
	         "bad, %lu in flight, %lu reserved\n",
	         columns.free, columns.parked, columns.used, columns.exclusive,
	         columns.bad, columns.loose, columns.reserved);
	pr_emerg("accounting: %s\n", broken == NULL ? "adds up" : broken);
}

/* ---- The story ------------------------------------------------------------------------ */

static void begin_to_speak(void)
{
	boot_crumb_leave_serial();
	serial_early_init();
	vga_init();
	pr_notice("Labyrinth: a kernel whose memory manager is the real "
	          "thing\n");
}

static void begin_threads(void)
{
	sched_init(&main_thread);
	if (owner_begin(&main_thread.owner, OWNER_THREAD, "shell") != 0)
		panic("not enough memory for the first thread's window");
	window_open(&main_thread.owner.window);
}

/* The first thread was not created by anybody.  It ends if the shell does. */
static void visit_all_threads(void (*each)(struct thread *thread, void *data),
                              void *data)
{
	if (READ_ONCE(main_thread.state) != THREAD_ENDED)
		each(&main_thread, data);
	thread_visit(each, data);
}

static struct oom_reaper anon_reaper = {
	.reap = anon_reap,
	.link = LIST_INIT(anon_reaper.link),
};

/* From here on the front door has whom to ask for memory, and a request that may
 * wait is worth somebody's life. */
static void begin_recovery(void)
{
	node.recovery.reclaim = reclaim_try_to_free_pages;
	node.recovery.reclaimable = zone_reclaimable_pages;
	node.recovery.throttle = throttle_direct_reclaim;
	node.recovery.too_dirty = node_too_dirty;
	node.wake_kswapd = wakeup_kswapd;
	if (thread_create("kswapd0", kswapd_run, &node) == NULL)
		panic("kswapd cannot be started");
	if (thread_create("flusher", flusher_run, &node) == NULL)
		panic("the flusher cannot be started");
	oom_register_threads(visit_all_threads);
	oom_register_swap(total_swap_pages);
	oom_register_reaper(&anon_reaper);
	if (thread_create_priority("oom_reaper", PRIORITY_HIGH, oom_reaper_run,
	                           NULL) == NULL)
		panic("the OOM reaper cannot be started");
	node.recovery.oom = out_of_memory;
}

static void begin_service_threads(void)
{
	watchdog_register_threads(visit_all_threads);
	refiller_start();
	if (thread_create_priority("printk", PRIORITY_HIGH, log_thread, NULL) ==
	    NULL)
		panic("the thread that prints the log cannot be started");
	if (thread_create_priority("worker", PRIORITY_HIGH, work_thread,
	                           NULL) == NULL)
		panic("the worker thread cannot be started");
	failure_dump_start();
	begin_recovery();
}

/* A loop with interrupts off is seen by NMIs, where they can be had. */
static void begin_nmi_watch(void)
{
	if (watchdog_limit() == 0)
		return;
	if (ioapic_init() == 0)
		nmi_watch_begin(ioapic_ticks_as_nmi);
	else
		pr_notice("watchdog: no I/O APIC: loops with interrupts off "
		          "are not seen\n");
}

/* The machine has panicked, and somebody sits before its screen. */
static void look_back(void)
{
	vga_scroll_key(keyboard_poll_key());
}

/* Behind all that was said before, where people look for the prompt. */
static void say_what_is_deaf(void)
{
	if (!hears_lines)
		pr_err("boot: this machine is deaf: no interrupt reaches the "
		       "kernel, so no key is heard and nobody is woken; turn it "
		       "off by its switch\n");
	else if (clock_ticks() == 0)
		pr_err("boot: no timer interrupts come: who waits for a time is "
		       "never woken\n");
	else if (!hears_serial && !hears_keyboard)
		pr_err("boot: this machine is deaf: it has neither a serial "
		       "line nor a keyboard that interrupts\n");
}

static void begin_devices(void)
{
	hears_lines = pic_init() == 0;
	irq_init();
	pit_init();
	arch_irq_enable();
	hears_serial = serial_init() == 0;
	i8042_init();
	hears_keyboard = keyboard_init() == 0;
	panic_set_poll(look_back);
	if (pit_check() == 0)
		begin_nmi_watch();
}

/* Disks need threads that wait, and the timer. */
static void begin_disks(void)
{
	bio_init();
	if (ata_init() == 0)
		return;
	if (thread_create("block", block_thread, NULL) == NULL)
		panic("the block thread cannot be started");
	ata_register();
}

static void main_check_mappings(void)
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

static __noreturn void replay_module(void)
{
	const struct boot_range *module = &boot.module[0];

	if (boot.modules == 0)
		replay_main(NULL, 0);
	replay_main(phys_to_virt(module->start), module->end - module->start);
}

/* A machine that runs tests ends with a status, after a panic, too. */
static void prepare_verdict(void)
{
	const char *filter;

	if (selftest_wanted(&filter) || replay_wanted())
		selftest_prepare();
}

static __noreturn void serve_people(void)
{
	const char *filter;
	struct storm_report report;

	if (selftest_wanted(&filter))
		selftest_main(filter);
	if (replay_wanted())
		replay_module();
	files_init();
	recorder_start();
	if (storm_wanted()) {
		storm_run(STORM_HZ, STORM_TICKS, true, &report);
		storm_print(&report);
		recorder_start();
	}
	pr_info("boot: %llu microseconds from the kernel's entry to the "
	        "prompt\n",
	        (unsigned long long)clock_microseconds());
	say_what_is_deaf();
	shell_keep();
}

void kmain(uint32_t magic, uint64_t info_physical, uint64_t entry_cycles)
{
	boot_crumb("kmain");
	stack_protector_init(entry_cycles);
	cpu_init();
	boot_crumb("voice");
	clock_init(entry_cycles);
	begin_to_speak();
	boot_crumb("faults");
	fault_init();
	nmi_init();

	/* The loader's words, through the boot tables. */
	if (info_physical >= BOOT_MAPPED)
		panic("the boot information is out of reach: %#llx",
		      (unsigned long long)info_physical);
	pr_info("cpu: %s\n", cpu_description());
	boot_crumb("information");
	read_boot_info(magic, (const void *)(KERNEL_BASE + info_physical),
	               BOOT_MAPPED - info_physical);
	params_parse(boot.command_line);
	prepare_verdict();

	boot_crumb("memmap");
	/* Which memory is there, and who has it? */
	print_map();
	memmap_init(&memmap, &boot, mem_limit);
	take_what_is_used(info_physical);
	if (memmap_end_pfn(&memmap) == 0)
		panic("the memory map has no usable memory");
	boot_crumb("mapping");
	map_memory(info_physical);
	vga_remap();
	boot_crumb("mapped");
	/* The same words again: their old address is gone. */
	read_boot_info(magic, phys_to_virt(info_physical), boot.size);
	boot_crumb("memory");
	mm_init(info_physical);
	panic_register_reporter("memory", report_memory);
	main_check_mappings();

	boot_crumb("threads");
	begin_threads();
	boot_crumb("devices");
	begin_devices();
	begin_service_threads();
	begin_disks();
	recorder_init();
	tracer_start();
	fail_start();
	boot_crumb("people");
	irq_boot_is_over();
	serve_people();
}
