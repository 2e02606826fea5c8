/* SPDX-License-Identifier: MIT */
/*
 * kernel/main.c -- the boot, told as a story.
 *
 * boot/boot.asm has brought the CPU into long mode and to the higher half, on
 * page tables that know the first GiB only.  kmain() makes a kernel of that, in
 * the order in which one thing needs another: a voice, ears for faults, the
 * words of the command line, memory, time, threads, devices, people.
 *
 * kernel/ ties the parts together.  Its own files are on the top floor: what knows
 * both the allocator and the machine.
 *
 *	main, services, boot_memory	the start, the first thread, the others
 *	thread, refiller, swap_device	what mm/ needs from threads and disks
 *	failure_dump, tracer		its reports
 *	sysctl, fail, files		settings; the mounted file system
 *	core/ arch/ block/ fs/		locks and threads; the CPU; disks; ext2
 *	shell/ demo/ selftest/		the users of all that
 */
#include "drivers/ata.h"
#include "drivers/framebuffer.h"
#include "drivers/i8042.h"
#include "drivers/ioapic.h"
#include "drivers/keyboard.h"
#include "drivers/pic.h"
#include "drivers/pit.h"
#include "drivers/screen.h"
#include "drivers/serial.h"
#include "drivers/vga.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/crumb.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/stack_protector.h"
#include "kernel/block/block.h"
#include "kernel/boot_memory.h"
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
#include "kernel/demo/bench.h"
#include "kernel/demo/map.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/storm.h"
#include "kernel/detectors.h"
#include "kernel/fail.h"
#include "kernel/files.h"
#include "kernel/selftest/replay.h"
#include "kernel/selftest/selftest.h"
#include "kernel/services.h"
#include "kernel/shell/shell_keeper.h"
#include "kernel/thread.h"
#include "kernel/tracer.h"
#include "mm/pcp.h"
#include "mm/slab/kvmalloc.h"

__noreturn void kmain(uint32_t magic, uint64_t info_physical,
                      uint64_t entry_cycles);

/* The storm of the GRUB menu: 10 kHz, three acts of a second each. */
#define STORM_HZ      10000
#define STORM_TICKS   10000

/* That Page Up can look back at. */
#define SCREEN_LINES  1000U
/* A machine with less has only those of the screen's first ring. */
#define SCREEN_MEMORY (16 * MIB)

static bool hears_lines;  /* there are interrupt controllers */
static bool hears_serial; /* ... and these use them */
static bool hears_keyboard;

/* The loader's framebuffer, or the VGA's text. */
static void begin_screen(uint32_t magic, uint64_t info_physical)
{
	const struct screen_display *display = NULL;
	void *pixels = NULL;

	if (info_physical < BOOT_MAPPED)
		pixels = boot_map_pixels(
			magic, (const void *)(KERNEL_BASE + info_physical),
			BOOT_MAPPED - info_physical);
	if (pixels != NULL)
		display = framebuffer_init(&boot_information()->framebuffer,
		                           pixels);
	screen_init(display != NULL ? display : vga_init());
}

/* Lines to look back at, and a worker that draws; not where memory is so short. */
static void give_screen_a_ring(struct node *node)
{
	size_t cells = (size_t)SCREEN_LINES * screen_columns();
	uint16_t *drawn = NULL;
	uint16_t *ring = NULL;

	if (framebuffer_present() &&
	    node_managed(node) >= SCREEN_MEMORY / PAGE_SIZE)
		ring = kvmalloc(cells * sizeof(*ring), GFP_KERNEL);
	if (ring != NULL)
		drawn = kvcalloc(SCREEN_CELLS, sizeof(*drawn), GFP_KERNEL);
	if (drawn != NULL)
		screen_use_ring(ring, cells, drawn);
	else
		kvfree(ring);
}

static void begin_to_speak(uint32_t magic, uint64_t info_physical)
{
	boot_crumb_leave_serial();
	serial_early_init();
	begin_screen(magic, info_physical);
	pr_notice("Labyrinth: a kernel whose memory manager is the real "
	          "thing\n");
}

/* A loop with interrupts off is detected by NMIs, where they are available. */
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
	screen_scroll_key(keyboard_poll_key());
}

/* Print it last, where the user looks for the prompt. */
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
}

/* Disks need threads that wait, and the timer: its first tick comes while they are looked
 * for. */
static void begin_disks(void)
{
	unsigned int disks;

	bio_init();
	disks = ata_init();
	if (pit_check() == 0)
		begin_nmi_watch();
	if (disks == 0)
		return;
	if (thread_create("block", block_thread, NULL) == NULL)
		panic("the block thread cannot be started");
	ata_register();
}

static __noreturn void replay_module(void)
{
	const struct boot_info *boot = boot_information();
	const struct boot_range *module = &boot->module[0];

	if (boot->modules == 0)
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
	map_start();
	if (storm_wanted()) {
		storm_run(STORM_HZ, STORM_TICKS, true, &report);
		storm_print(&report);
		recorder_start();
	}
	pr_info("boot: %llu microseconds from the kernel's entry to the "
	        "prompt\n",
	        (unsigned long long)clock_microseconds());
	bench_note_boot(clock_cycles());
	say_what_is_deaf();
	shell_keep();
}

void kmain(uint32_t magic, uint64_t info_physical, uint64_t entry_cycles)
{
	struct node *node;

	boot_crumb("kmain");
	stack_protector_init(entry_cycles);
	cpu_init();
	boot_crumb("voice");
	clock_init(entry_cycles);
	begin_to_speak(magic, info_physical);
	boot_crumb("faults");
	fault_init();
	nmi_init();
	owner_init();
	/* To empty lists, until mm_init() has a node. */
	pcp_shortcut_update();

	/* The loader's words, through the boot tables. */
	if (info_physical >= BOOT_MAPPED)
		panic("the boot information is out of reach: %#llx",
		      (unsigned long long)info_physical);
	pr_info("cpu: %s\n", cpu_description());
	boot_crumb("information");
	read_boot_info(magic, (const void *)(KERNEL_BASE + info_physical),
	               BOOT_MAPPED - info_physical);
	params_parse(boot_information()->command_line);
	prepare_verdict();

	boot_crumb("memmap");
	/* Which memory exists, and which is in use? */
	find_memory(info_physical);
	boot_crumb("mapping");
	map_memory(info_physical);
	vga_remap();
	boot_crumb("mapped");
	/* The same words again: their old address is gone. */
	read_boot_info(magic, phys_to_virt(info_physical),
	               boot_information()->size);
	boot_crumb("memory");
	node = mm_init(info_physical);
	detectors_start();
	panic_register_reporter("memory", report_memory);
	check_boot_mappings();

	boot_crumb("threads");
	begin_threads();
	boot_crumb("devices");
	begin_devices();
	give_screen_a_ring(node);
	begin_service_threads(node);
	begin_disks();
	recorder_init();
	tracer_start();
	fail_start();
	boot_crumb("people");
	irq_boot_is_over();
	serve_people();
}
