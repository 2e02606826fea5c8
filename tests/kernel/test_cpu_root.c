/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_cpu_root.c -- one root a CPU, and traps that change their CPU.
 *
 * One CPU runs.  These cases make the root of a second one and let the processor go on
 * as that CPU for a moment (cpu_become()), with interrupts off.  Everything that a
 * context finds through its struct cpu moves along; the stack and the descriptor tables
 * stay.  A case that fails goes back to CPU 0 before it says so.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/provoke.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/trap.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/owner.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/test_exclusive.h"
#include "tests/suite.h"

SUITE(cpu_root);

#define SECOND 1U
/* The last group: it takes 16,384 windows for the kernel to make it. */
#define GROUP  (WINDOW_GROUPS - 1U)
#define WINDOW (GROUP * WINDOW_GROUP + 5U)
/* A root, its table of level 3, and a directory for each group that there may be. */
#define MOST   (2 + WINDOW_GROUPS)

/* ---- Frames for tables --------------------------------------------------- */

static unsigned int test_cpu_root_taken;
static unsigned int test_cpu_root_limit;

static uint64_t test_cpu_root_take(void)
{
	struct page *page;

	if (test_cpu_root_taken == test_cpu_root_limit)
		return 0;
	page = alloc_page(GFP_KERNEL);
	if (page == NULL)
		return 0;
	test_cpu_root_taken++;
	return (uint64_t)page_to_pfn(page) << PAGE_SHIFT;
}

static void test_cpu_root_give(uint64_t frame)
{
	test_cpu_root_taken--;
	__free_page(pfn_to_page(frame >> PAGE_SHIFT));
}

static void *test_cpu_root_zeroed(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL);
}

/* ---- A second CPU -------------------------------------------------------- */

static bool test_cpu_root_watch;
static bool test_cpu_root_enabled;

/* Make it, and switch interrupts off: none of them, nor a tick's NMI, comes to it. */
static int second_begin(void)
{
	int error;

	test_cpu_root_limit = MOST;
	error = paging_make_root(SECOND, test_cpu_root_take,
	                         test_cpu_root_give);
	if (error != 0)
		return error;
	test_cpu_root_watch = nmi_watch_pause();
	test_cpu_root_enabled = arch_irq_save();
	return 0;
}

/* The context that runs goes on at CPU number ID. */
static void go_on_at(unsigned int id)
{
	struct cpu *from = this_cpu();
	struct cpu *to = &cpu_data[id];

	if (from == to)
		return;
	to->thread = from->thread;
	to->preempt = from->preempt;
	to->expect = from->expect;
	to->owner = from->owner;
	cpu_become(id);
	from->thread = NULL;
	from->expect = NULL;
	from->owner = &owner_nobody;
	from->preempt = PREEMPT_NO_RESCHED;
}

/* The opposite of second_begin().  CPU 0 opens the window of the thread again, as it was
 * before, and SECOND closes what it has open. */
static void second_end(void)
{
	go_on_at(SECOND);
	window_open(NULL);
	go_on_at(0);
	window_open(&current_owner()->window);
	arch_irq_restore(test_cpu_root_enabled);
	nmi_watch_resume(test_cpu_root_watch);
	paging_unmake_root(SECOND, test_cpu_root_give);
}

/* How many entries of CPU's directories are not 0; *NUMBER: the last of these. */
static unsigned int open_entries(unsigned int cpu, unsigned int *number)
{
	unsigned int count = 0;

	for (unsigned int id = 0; id < WINDOW_COUNT; id++) {
		const uint64_t *directory =
			cpu_data[cpu].window_directory[id / WINDOW_GROUP];

		if (directory == NULL || directory[id % WINDOW_GROUP] == 0)
			continue;
		*number = id;
		count++;
	}
	return count;
}

/* NULL, or a sentence: CPU has window number ID open and no other; 0: none at all. */
static const char *expect_open_on(unsigned int cpu, unsigned int id)
{
	unsigned int number = 0;
	unsigned int count = open_entries(cpu, &number);

	if (count != (id != 0) || number != id)
		return test_failure("CPU %u: %u windows are open, the last one "
		                    "is %u, expected %u",
		                    cpu, count, number, id);
	if (id != 0 && cpu_data[cpu].open_window != id)
		return test_failure(
			"CPU %u: window %u is open, its number is "
			"%llu",
			cpu, id, (unsigned long long)cpu_data[cpu].open_window);
	return NULL;
}

static bool test_cpu_root_match(const struct fault *fault, void *data)
{
	return fault->kind == FAULT_EXCLUSIVE &&
	       fault->address == (uintptr_t)data;
}

/* Does reading a byte at ADDRESS fault, in a window? */
static bool test_cpu_root_faults(void *address)
{
	struct fault_expect expect = { .match = test_cpu_root_match,
		                       .data = address };

	return fault_catch(&expect, read_it, address);
}

/* ---- Roots --------------------------------------------------------------- */

CASE(cpu_root, a_second_root_has_the_same_kernel_half_but_for_the_windows)
{
	const unsigned int slot = level_index(WINDOW_BASE, ROOT_LEVEL);
	const uint64_t *first = phys_to_virt(cpu_data[0].root);
	const uint64_t *second;
	unsigned int differ = 0;
	bool windows_differ;
	uint64_t cr3;

	EXPECT_EQUAL(second_begin(), 0);
	second = phys_to_virt(cpu_data[SECOND].root);
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		differ += first[i] != second[i];
	windows_differ = first[slot] != second[slot] && second[slot] != 0;
	go_on_at(SECOND);
	cr3 = read_cr3();
	differ += arch_cpu_id() != SECOND || cr3 != cpu_data[SECOND].root;
	go_on_at(0);
	second_end();
	EXPECT_EQUAL(differ, 1);
	EXPECT(windows_differ);
	EXPECT(cr3 != cpu_data[0].root && read_cr3() == cpu_data[0].root);
	EXPECT_EQUAL(cpu_data[SECOND].root, 0);
	EXPECT_EQUAL(test_cpu_root_taken, 0);
	return NULL;
}

CASE(cpu_root, a_root_that_memory_does_not_suffice_for_gives_back_what_it_took)
{
	unsigned int needed = 0;
	int error = -ENOMEM;

	while (error != 0 && needed < MOST) {
		test_cpu_root_limit = needed;
		error = paging_make_root(SECOND, test_cpu_root_take,
		                         test_cpu_root_give);
		if (error == 0)
			break;
		EXPECT_EQUAL(error, -ENOMEM);
		EXPECT_EQUAL(test_cpu_root_taken, 0);
		EXPECT_EQUAL(cpu_data[SECOND].root, 0);
		EXPECT(window_has_group(0));
		needed++;
	}
	EXPECT_EQUAL(test_cpu_root_taken, needed);
	paging_unmake_root(SECOND, test_cpu_root_give);
	EXPECT_EQUAL(test_cpu_root_taken, 0);
	EXPECT(needed >= 3);
	return NULL;
}

/* ---- Windows ------------------------------------------------------------- */

static const char *open_on_one_only(uint8_t *page)
{
	struct owner *me = current_owner();
	const char *wrong = NULL;

	go_on_at(SECOND);
	if (window_is_open(&me->window))
		wrong = "the window is open on the second CPU, too";
	if (wrong == NULL)
		wrong = expect_exclusive_fault(page, false, me, me);
	if (wrong == NULL)
		wrong = expect_exclusive_fault(page, true, me, me);
	if (wrong == NULL)
		wrong = expect_open_on(0, me->window.id);
	if (wrong != NULL)
		return wrong;
	/* The other way round. */
	window_open(&me->window);
	if (!is_filled(page, 0x3c))
		return "the second CPU does not see the page";
	go_on_at(0);
	window_open(NULL);
	wrong = expect_exclusive_fault(page, false, me, me);
	if (wrong == NULL)
		wrong = expect_open_on(0, 0);
	return wrong == NULL ? expect_open_on(SECOND, me->window.id) : wrong;
}

CASE(cpu_root, a_window_open_under_one_root_faults_under_the_other)
{
	uint8_t *page = TAKE();
	const char *wrong;

	EXPECT(page != NULL);
	memset(page, 0x3c, PAGE_SIZE);
	EXPECT_EQUAL(second_begin(), 0);
	wrong = open_on_one_only(page);
	second_end();
	EXPECT(wrong != NULL || is_filled(page, 0x3c));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return wrong;
}

CASE(cpu_root, what_was_open_on_one_cpu_is_put_back_on_the_other)
{
	const struct window *window = &current_owner()->window;
	struct window_state state;
	const char *wrong;

	EXPECT_EQUAL(second_begin(), 0);
	state = window_open(NULL);
	go_on_at(SECOND);
	window_close(state);
	wrong = expect_open_on(SECOND, window->id);
	if (wrong == NULL)
		wrong = expect_open_on(0, 0);
	second_end();
	EXPECT(window_is_open(window));
	return wrong;
}

/* ---- Groups -------------------------------------------------------------- */

/* Map PAGE in WINDOW, which is new, and look at it as either CPU. */
static const char *use_window_of_group(struct window *window,
                                       const struct page *page)
{
	uint8_t *address = window_map(window, 0, page_to_pfn(page));
	const char *wrong = NULL;

	window_open(window);
	if (!is_filled(address, 0x77))
		wrong = "CPU 0 does not see the new window";
	go_on_at(SECOND);
	if (wrong == NULL && !test_cpu_root_faults(address))
		wrong = "the window is open on the second CPU, too";
	window_open(window);
	if (wrong == NULL && !is_filled(address, 0x77))
		wrong = "the second CPU does not see the new window";
	if (wrong == NULL)
		wrong = expect_open_on(SECOND, WINDOW);
	window_open(NULL);
	if (wrong == NULL && !test_cpu_root_faults(address))
		wrong = "a closed window of the new group can be touched";
	go_on_at(0);
	window_open(&current_owner()->window);
	window_unmap(window, 0);
	return wrong;
}

/* The pages are taken before interrupts are off. */
static const char *group_is_in_both(void *directory[2], void *table,
                                    const struct page *page)
{
	struct window window;
	const char *wrong = NULL;

	window_add_group(GROUP, directory[0]);
	if (window_has_group(GROUP))
		wrong = "the group exists with one directory";
	else
		window_add_group(GROUP, directory[1]);
	if (wrong == NULL && !window_has_group(GROUP))
		wrong = "two directories do not suffice";
	if (wrong == NULL && (cpu_data[0].window_directory[GROUP] == NULL ||
	                      cpu_data[SECOND].window_directory[GROUP] == NULL))
		wrong = "a CPU has no directory";
	if (wrong != NULL)
		return wrong;
	if (window_create(&window, WINDOW, table) != 0)
		return "the number of a window in a new group is taken";
	wrong = use_window_of_group(&window, page);
	window_destroy(&window);
	return wrong;
}

CASE(cpu_root, a_group_added_later_is_in_both)
{
	void *directory[2] = { test_cpu_root_zeroed(), test_cpu_root_zeroed() };
	void *table = test_cpu_root_zeroed();
	void *memory = test_cpu_root_zeroed();
	const char *wrong;
	void *removed[2];

	EXPECT(directory[0] != NULL && directory[1] != NULL);
	EXPECT(table != NULL && memory != NULL);
	memset(memory, 0x77, PAGE_SIZE);
	EXPECT(!window_has_group(GROUP));
	EXPECT_EQUAL(second_begin(), 0);
	wrong = group_is_in_both(directory, table, virt_to_page(memory));
	removed[0] = window_remove_directory(0, GROUP);
	removed[1] = window_remove_directory(SECOND, GROUP);
	second_end();
	EXPECT(wrong != NULL || removed[0] == directory[0]);
	EXPECT(wrong != NULL || removed[1] == directory[1]);
	for (unsigned int i = 0; i < 2; i++)
		free_page((unsigned long)(uintptr_t)directory[i]);
	free_page((unsigned long)(uintptr_t)table);
	free_page((unsigned long)(uintptr_t)memory);
	return wrong;
}

CASE(cpu_root, a_root_made_later_has_the_groups_that_there_are)
{
	void *directory = test_cpu_root_zeroed();
	void *second = NULL;
	void *removed;

	EXPECT(directory != NULL);
	window_add_group(GROUP, directory);
	if (second_begin() == 0) {
		second = cpu_data[SECOND].window_directory[GROUP];
		second_end();
	}
	removed = window_remove_directory(0, GROUP);
	EXPECT(removed == directory);
	free_page((unsigned long)(uintptr_t)directory);
	EXPECT(second != NULL && second != directory);
	EXPECT_EQUAL(test_cpu_root_taken, 0);
	return NULL;
}

/* ---- Traps --------------------------------------------------------------- */

static struct {
	unsigned int to; /* where the handler goes on */
	unsigned int traps;
	const char *wrong;
	struct window *opens; /* and leaves open; NULL: none */
} crossing;

/* A breakpoint on one CPU; the handler returns on the other. */
static void cross(struct trap_frame *frame)
{
	const unsigned int id = current_owner()->window.id;

	if (frame->window_number != id && crossing.wrong == NULL)
		crossing.wrong = "the frame has another window's number";
	for (unsigned int cpu = 0; cpu <= SECOND && crossing.wrong == NULL;
	     cpu++)
		crossing.wrong = expect_open_on(cpu, 0);
	crossing.traps++;
	go_on_at(crossing.to);
	if (crossing.opens != NULL)
		window_open(crossing.opens);
}

/* From CPU to CPU and back by traps, with PAGE filled with 0x99. */
static const char *cross_and_look(const uint8_t *page)
{
	const unsigned int id = current_owner()->window.id;

	for (unsigned int i = 0; i < 4 && crossing.wrong == NULL; i++) {
		const unsigned int from = i % 2;

		crossing.to = 1 - from;
		provoke_int3(NULL);
		if (crossing.wrong == NULL && arch_cpu_id() != crossing.to)
			crossing.wrong = "the trap returned where it came";
		if (crossing.wrong == NULL)
			crossing.wrong = expect_open_on(crossing.to, id);
		if (crossing.wrong == NULL)
			crossing.wrong = expect_open_on(from, 0);
		if (crossing.wrong == NULL && !is_filled(page, 0x99))
			crossing.wrong = "the page is another one";
	}
	return crossing.wrong;
}

/* OPENS is what the handler leaves open on the CPU where it returns. */
static const char *cross_with(struct window *opens, const uint8_t *page)
{
	trap_handler former;
	const char *wrong;
	int error;

	crossing.traps = 0;
	crossing.wrong = NULL;
	crossing.opens = opens;
	error = second_begin();
	if (error != 0)
		return "no memory for a root";
	former = trap_set_handler(VECTOR_BREAKPOINT, cross);
	wrong = cross_and_look(page);
	second_end();
	(void)trap_set_handler(VECTOR_BREAKPOINT, former);
	if (wrong == NULL && crossing.traps != 4)
		wrong = "there were not four traps";
	return wrong;
}

CASE(cpu_root, a_trap_that_returns_on_another_cpu_opens_the_window_there)
{
	uint8_t *page = TAKE();
	const char *wrong;

	EXPECT(page != NULL);
	memset(page, 0x99, PAGE_SIZE);
	wrong = cross_with(NULL, page);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return wrong;
}

/* The handler opens a window on the CPU where it returns, and forgets it. */
CASE(cpu_root, a_trap_closes_what_its_handler_left_open_there)
{
	uint8_t *page = TAKE();
	const char *wrong;

	EXPECT(page != NULL);
	memset(page, 0x99, PAGE_SIZE);
	wrong = cross_with(&timer_owner()->window, page);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return wrong;
}
