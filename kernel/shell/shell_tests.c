/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_tests.c -- the recorder, the storm, pressure, the self-test, and
 * real faults on request.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/block/block.h"
#include "kernel/core/console.h"
#include "kernel/core/fault.h"
#include "kernel/core/lock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/panic.h"
#include "kernel/core/semaphore.h"
#include "kernel/demo/crowd.h"
#include "kernel/demo/map.h"
#include "kernel/demo/mistake.h"
#include "kernel/demo/pressure.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/storm.h"
#include "kernel/files.h"
#include "kernel/selftest/selftest.h"
#include "kernel/shell/shell_command.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/page_lock.h"
#include "mm/scope.h"
#include "mm/slab/vmalloc.h"
#include "mm/user/anon.h"

/* `storm` alone: 10 kHz, three acts of 10000 ticks. */
#define STORM_HZ    10000U
#define STORM_TICKS 10000U

/* ---- recorder ------------------------------------------------------------ */

static void print_recorder_line(enum recorder_line line)
{
	struct recorder_statistics statistics;

	recorder_statistics(line, &statistics);
	console_printf("%-9s %10llu %10llu %8llu %8llu %8llu %7llu  %s\n",
	               statistics.name, (unsigned long long)statistics.taken,
	               (unsigned long long)statistics.seen,
	               (unsigned long long)statistics.dropped,
	               (unsigned long long)statistics.pending,
	               (unsigned long long)statistics.pages,
	               (unsigned long long)statistics.errors,
	               statistics.running ? "running" : "stopped");
}

static void print_recorder(void)
{
	console_printf("%-9s %10s %10s %8s %8s %8s %7s\n", "line", "taken",
	               "seen", "dropped", "pending", "pages", "errors");
	for (unsigned int i = 0; i < RECORDER_LINES; i++)
		print_recorder_line((enum recorder_line)i);
}

static int run_recorder(int argc, char **argv)
{
	int error;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && strcmp(argv[1], "stop") == 0) {
		error = recorder_stop();
		if (error != 0)
			console_printf("recorder: a line did not stop: error "
			               "%d\n",
			               -error);
	} else if (argc == 2 && strcmp(argv[1], "start") == 0) {
		recorder_start();
	} else if (argc == 2) {
		return -EINVAL;
	}
	print_recorder();
	return 0;
}

static const char *recorder_candidate(const char *word __unused,
                                      unsigned int index)
{
	static const char *const name[] = { "start", "stop" };

	return index < ARRAY_SIZE(name) ? name[index] : NULL;
}

/* ---- threads ------------------------------------------------------------- */

/* `threads` alone. */
#define CROWD_THREADS 1000U

static int run_crowd(int argc, char **argv)
{
	struct crowd_report report;
	uint64_t count = CROWD_THREADS;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 &&
	    shell_number(argv[1], "threads: N", 1, WINDOW_COUNT, &count) != 0)
		return 0;
	crowd_run((unsigned int)count, NULL, shell_interrupted, &report);
	console_fold(2,
	             "threads: %u lived at the same time, each with a window; "
	             "%u had an exclusive page, %u of these were intact",
	             report.threads, report.pages, report.intact);
	if (report.error == -ENOMEM)
		console_printf("threads: no memory for another one\n");
	return 0;
}

/* ---- storm and selftest -------------------------------------------------- */

/* The map is shown while a test runs, where the screen and memory allow it; true: it
 * was not before. */
static bool show_map_meanwhile(void)
{
	return !map_is_shown() && map_show(MAP_STATE) == 0;
}

static int run_storm(int argc, char **argv)
{
	static struct storm_report report;
	uint64_t hz = STORM_HZ;
	uint64_t ticks = STORM_TICKS;
	bool meanwhile;

	if (argc > 3)
		return -EINVAL;
	if (argc > 1 && shell_number(argv[1], "storm: HZ", PIT_HZ_MIN,
	                             PIT_HZ_MAX, &hz) != 0)
		return 0;
	if (argc > 2 &&
	    shell_number(argv[2], "storm: TICKS", 1, 10000000, &ticks) != 0)
		return 0;
	meanwhile = show_map_meanwhile();
	storm_run((unsigned int)hz, (unsigned int)ticks, true, &report);
	if (meanwhile)
		map_hide();
	storm_print(&report);
	/* The storm leaves it stopped. */
	recorder_start();
	return 0;
}

static int run_pressure(int argc, char **argv)
{
	static struct pressure_report report;
	uint64_t rounds = 2;
	uint64_t pages = 0;
	bool meanwhile;

	if (argc > 3)
		return -EINVAL;
	if (argc > 1 &&
	    shell_number(argv[1], "pressure: ROUNDS", 1, 1000, &rounds) != 0)
		return 0;
	if (argc > 2 && shell_number(argv[2], "pressure: PAGES", 1,
	                             ANON_MAX_PAGES, &pages) != 0)
		return 0;
	console_printf("pressure: %llu rounds; ^C ends it\n",
	               (unsigned long long)rounds);
	meanwhile = show_map_meanwhile();
	pressure_run((unsigned int)rounds, pages, files(), &report);
	if (meanwhile)
		map_hide();
	pressure_print(&report);
	/* The test leaves it stopped. */
	recorder_start();
	return 0;
}

static int run_selftest(int argc, char **argv)
{
	struct selftest_result result;
	int error;

	if (argc > 2)
		return -EINVAL;
	/* Suites mount it themselves, and a cache looks like a leak. */
	error = files_leave();
	if (error != 0) {
		console_printf("selftest: the disk cannot be unmounted: error "
		               "%d\n",
		               -error);
		return 0;
	}
	recorder_stop();
	/* An allocation of a case is not cut short; ^C is seen between cases. */
	console_leave(current_thread());
	selftest_run(argc == 2 ? argv[1] : NULL, console_interrupted, &result);
	recorder_start();
	files_return();
	console_printf("selftest: %u passed, %u failed, %u skipped%s\n",
	               result.passed, result.failed, result.skipped,
	               result.ended ? "; ended by ^C" : "");
	return 0;
}

/* ---- panic --------------------------------------------------------------- */

/* 0, but the compiler does not know. */
static volatile uintptr_t zero;

static void fault_null(void)
{
	*(volatile int *)zero = 1;
}

/* Use up the stack in steps until the page below it is touched. */
static void fault_stack(void)
{
	for (;;) {
		volatile char *more = __builtin_alloca(256);

		more[0] = 1;
	}
}

/* Write behind what vmalloc() gave. */
static void fault_guard(void)
{
	volatile char *memory = vmalloc(3 * PAGE_SIZE);

	if (memory == NULL)
		console_printf("no memory\n");
	else
		memory[3 * PAGE_SIZE] = 1;
}

/* Write to an area whose addresses are free again. */
static void fault_freed(void)
{
	volatile char *memory = vmalloc(PAGE_SIZE);

	vfree((const void *)(uintptr_t)memory);
	vmalloc_purge(main_vmalloc());
	if (memory != NULL)
		memory[0] = 1;
}

static void fault_text(void)
{
	volatile uint8_t *code = (volatile uint8_t *)(uintptr_t)fault_text;

	*code = 0xc3;
}

static void fault_divide(void)
{
	volatile uintptr_t number = 1;

	number = number / zero;
}

static void fault_opcode(void)
{
	__builtin_trap();
}

/* Write LENGTH bytes, whatever the size of the array. */
static __noinline void shell_tests_fill(volatile uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = 0x5a;
}

/* 16 bytes too many: over the guard, and not over the return address. */
static void fault_smash(void)
{
	uint8_t array[24];

	shell_tests_fill(array, sizeof(array) + 16 + zero);
}

static void fault_assert(void)
{
	volatile bool shell_is_careful = false;

	kassert(shell_is_careful);
}

static struct spinlock fault_spinlock = SPINLOCK_INIT("fault_lock");

/* An early return leaves the lock held. */
static __noinline bool fault_lock_is_left(void)
{
	spin_lock(&fault_spinlock);
	if (zero == 0)
		return true;
	spin_unlock(&fault_spinlock);
	return false;
}

/* And at the next wait it is still held, together with a mutex. */
static void fault_lock(void)
{
	static struct mutex mutex;

	mutex_init(&mutex, "fault_mutex");
	mutex_lock(&mutex);
	if (fault_lock_is_left())
		thread_sleep(1);
}

/* A mutex that nobody has, taken in a handler. */
static __noinline void fault_mutex_in_handler(void *data)
{
	struct completion *done = data;
	static struct mutex mutex;

	mutex_init(&mutex, "fault_mutex");
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	pit_set_listener(NULL, NULL);
	complete(done);
}

static void fault_mutex(void)
{
	struct completion done;

	init_completion(&done);
	pit_set_listener(fault_mutex_in_handler, &done);
	wait_for_completion(&done);
}

/* Freed twice: the second is refused. */
static __noinline void fault_free_twice(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return;
	__free_page(page);
	__free_page(page);
}

static void shell_tests_touch(void *address)
{
	*(volatile uint8_t *)address = 1;
}

/* Another thread touches an exclusive page of the shell's: that thread is
 * ended, and the shell goes on. */
static void fault_intrude(void (*intruder)(void *page))
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	struct thread *thread;

	if (page == NULL) {
		console_printf("panic: no exclusive page to touch\n");
		return;
	}
	thread = thread_create("intruder", intruder, page);
	if (thread != NULL)
		console_printf("panic: the intruder %s\n",
		               thread_join(thread) == THREAD_END_INTRUDED
		                       ? "was ended"
		                       : "got away with it");
	exclusive_release(page);
}

/* ... unless it holds something: that is a panic, which names it. */
static void touch_with_lock(void *address)
{
	spin_lock(&fault_spinlock);
	shell_tests_touch(address);
	spin_unlock(&fault_spinlock);
}

static void touch_with_mutex(void *address)
{
	static struct mutex mutex;

	mutex_init(&mutex, "fault_mutex");
	mutex_lock(&mutex);
	shell_tests_touch(address);
	mutex_unlock(&mutex);
}

static void touch_with_page_lock(void *address)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);

	lock_page(page);
	shell_tests_touch(address);
	unlock_page(page);
	__free_page(page);
}

static void touch_with_pin(void *address)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NOFAIL);

	if (pin_page(page) == 0) {
		shell_tests_touch(address);
		put_page(page);
	}
	__free_page(page);
}

static void touch_with_scope(void *address)
{
	unsigned int scope = memalloc_nofs_save();

	shell_tests_touch(address);
	memalloc_nofs_restore(scope);
}

/* With the first device that nobody has claimed. */
static void touch_with_claim(void *address)
{
	struct block_device *device;

	for (unsigned int i = 0; (device = block_device_at(i)) != NULL; i++) {
		if (bd_claim(device) != 0)
			continue;
		shell_tests_touch(address);
		bd_release(device);
		return;
	}
}

static void touch_with_bio(void *address)
{
	struct bio *bio = bio_alloc(GFP_KERNEL);

	if (bio == NULL)
		return;
	shell_tests_touch(address);
	bio_put(bio);
}

/* It has held one of each, and holds nothing now: it is ended. */
static void touch_after_all(void *address)
{
	uint8_t own = 0;

	touch_with_lock(&own);
	touch_with_mutex(&own);
	touch_with_page_lock(&own);
	touch_with_pin(&own);
	touch_with_scope(&own);
	touch_with_claim(&own);
	touch_with_bio(&own);
	shell_tests_touch(address);
}

/* The shell touches a page that it has released: it is ended, and started
 * again. */
static void fault_release(void)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (page == NULL) {
		console_printf("panic: no exclusive page to touch\n");
		return;
	}
	exclusive_release(page);
	shell_tests_touch(page);
}

static bool touch_and_refuse(const struct fault *fault __unused, void *page)
{
	shell_tests_touch(page);
	return false;
}

/* The same in a handler of the shell's own faults, on top of the fault. */
static void fault_nested(void)
{
	struct fault_expect expect = {
		.match = touch_and_refuse,
		.data = labyrinth_void_alloc_page_gfp_atomic_exclusive(),
	};

	if (expect.data == NULL) {
		console_printf("panic: no exclusive page to touch\n");
		return;
	}
	exclusive_release(expect.data);
	fault_catch(&expect, shell_tests_touch, (void *)zero);
}

/* The next timer interrupt touches it: a handler that intrudes is a panic. */
static void fault_handler(void)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (page == NULL) {
		console_printf("panic: no exclusive page to touch\n");
		return;
	}
	pit_set_listener(shell_tests_touch, page);
	thread_sleep(1000000);
}

static void fault_preempt(void)
{
	preempt_enable();
}

static void fault_panic(void)
{
	panic("asked for at the shell");
}

/* Interrupts off, and never on again. */
static void fault_irqs_off(void)
{
	arch_irq_disable();
	while (zero == 0)
		;
}

static const struct {
	const char *name;
	void (*run)(void);
	void (*intruder)(void *page); /* instead: a thread that intrudes */
} faults[] = {
	{ "null", fault_null, NULL },
	{ "stack", fault_stack, NULL },
	{ "guard", fault_guard, NULL },
	{ "freed", fault_freed, NULL },
	{ "text", fault_text, NULL },
	{ "divide", fault_divide, NULL },
	{ "opcode", fault_opcode, NULL },
	{ "assert", fault_assert, NULL },
	{ "intrude", NULL, shell_tests_touch },
	{ "intrude-lock", NULL, touch_with_lock },
	{ "intrude-mutex", NULL, touch_with_mutex },
	{ "intrude-page-lock", NULL, touch_with_page_lock },
	{ "intrude-pin", NULL, touch_with_pin },
	{ "intrude-scope", NULL, touch_with_scope },
	{ "intrude-claim", NULL, touch_with_claim },
	{ "intrude-bio", NULL, touch_with_bio },
	{ "intrude-after", NULL, touch_after_all },
	{ "handler", fault_handler, NULL },
	{ "preempt", fault_preempt, NULL },
	{ "smash", fault_smash, NULL },
	{ "irqs-off", fault_irqs_off, NULL },
	{ "lock", fault_lock, NULL },
	{ "mutex", fault_mutex, NULL },
	{ "free", fault_free_twice, NULL },
	{ "release", fault_release, NULL },
	{ "nested", fault_nested, NULL },
};

static const char *panic_candidate(const char *word __unused,
                                   unsigned int index)
{
	return index < ARRAY_SIZE(faults) ? faults[index].name : NULL;
}

static int run_panic(int argc, char **argv)
{
	if (argc > 2)
		return -EINVAL;
	if (argc == 1)
		fault_panic();
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(argv[1], faults[i].name) == 0) {
			if (faults[i].intruder != NULL)
				fault_intrude(faults[i].intruder);
			else
				faults[i].run();
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- mistake ------------------------------------------------------------- */

static const char *mistake_candidate(const char *word __unused,
                                     unsigned int index)
{
	const struct mistake *mistake = mistake_at(index);

	return mistake == NULL ? NULL : mistake->name;
}

static int run_mistake(int argc, char **argv)
{
	const struct mistake *mistake;

	if (argc > 2)
		return -EINVAL;
	for (unsigned int i = 0; (mistake = mistake_at(i)) != NULL; i++) {
		if (argc == 1) {
			console_printf("  %-20s%s\n", mistake->name,
			               mistake->about);
		} else if (strcmp(argv[1], mistake->name) == 0) {
			mistake->commit();
			return 0;
		}
	}
	return argc == 1 ? 0 : -EINVAL;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("recorder", "[start|stop]", run_recorder,
	              recorder_candidate, "samples taken, seen, dropped"),
	SHELL_COMMAND("threads", "[N]", run_crowd, NULL,
	              "N threads, with an exclusive page each; 1000"),
	SHELL_COMMAND("storm", "[HZ [TICKS]]", run_storm, NULL,
	              "all interrupts together, no memory; ^C ends it"),
	SHELL_COMMAND("pressure", "[ROUNDS [PAGES]]", run_pressure, NULL,
	              "swap twice the memory, write files; ^C ends it"),
	SHELL_COMMAND("selftest", "[SUITE[.CASE]]", run_selftest, NULL,
	              "run the suites; KTAP on the serial port"),
	SHELL_COMMAND("panic", "[FAULT]", run_panic, panic_candidate,
	              "null stack text divide opcode assert smash lock; and "
	              "others, by Tab"),
	SHELL_COMMAND("mistake", "[NAME]", run_mistake, mistake_candidate,
	              "make one on purpose, and see the report; all names"),
};

SHELL_TABLE(shell_test_commands, "tests",
            "what strains memory, and what it costs", commands);
