/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_vmalloc.c -- vmalloc() on the machine: real page tables, a real
 * TLB, and frees in real interrupts.  The rules are tests/host/test_vmalloc.c's.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/provoke.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/fault.h"
#include "kernel/core/work.h"
#include "kernel/refiller.h"
#include "kernel/shell/shell.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/slab/vmalloc.h"
#include "tests/suite.h"

SUITE(vmalloc);

#define AREA_PAGES 63UL

struct test_vmalloc_touch {
	volatile char *address;
	struct fault_area area; /* what the handler says */
};

static bool test_vmalloc_match(const struct fault *fault, void *data)
{
	struct test_vmalloc_touch *touch = data;

	if (fault->address != (uintptr_t)touch->address ||
	    fault->kind != FAULT_VMALLOC)
		return false;
	touch->area = fault->area;
	return true;
}

static void test_vmalloc_write(void *data)
{
	*((struct test_vmalloc_touch *)data)->address = 1;
}

/* Does a write at ADDRESS fault?  *AREA says which area it is in. */
static bool write_faults(void *address, struct fault_area *area)
{
	struct test_vmalloc_touch touch = { .address = address };
	struct fault_expect expect = { .match = test_vmalloc_match,
		                       .data = &touch };
	bool caught = fault_catch(&expect, test_vmalloc_write, &touch);

	*area = touch.area;
	return caught;
}

CASE(vmalloc, pages_in_a_row_with_a_guard_behind_them)
{
	struct fault_area area;
	struct paging_check check;
	char *memory = vzalloc(5 * PAGE_SIZE);

	EXPECT(memory != NULL);
	for (size_t i = 0; i < 5 * PAGE_SIZE; i++) {
		EXPECT(memory[i] == 0);
		memory[i] = (char)(i >> 8);
	}
	for (size_t i = 0; i < 5 * PAGE_SIZE; i += PAGE_SIZE) {
		struct page *page = vmalloc_to_page(memory + i);

		EXPECT(page != NULL && page_mapcount(page) == 1);
		EXPECT(memcmp(page_address(page), memory + i, PAGE_SIZE) == 0);
	}
	EXPECT(write_faults(memory + 5 * PAGE_SIZE, &area));
	EXPECT_EQUAL(area.start, (uintptr_t)memory);
	EXPECT_EQUAL(area.size, 5 * PAGE_SIZE);
	check = paging_check();
	EXPECT_EQUAL(check.wrong, 0);
	vfree(memory);
	vmalloc_purge(main_vmalloc());
	EXPECT(write_faults(memory, &area));
	EXPECT_EQUAL(area.size, 0);
	return NULL;
}

/* A page that holds what would be entries of a table is still no table. */
CASE(vmalloc, an_address_that_is_mapped_lacks_no_table)
{
	uint64_t *memory = vmalloc(PAGE_SIZE);
	unsigned int missing;

	EXPECT(memory != NULL);
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*memory); i++)
		memory[i] = PTE_PRESENT;
	missing = vmap_missing_table((uintptr_t)memory);
	vfree(memory);
	EXPECT_EQUAL(missing, 0);
	/* Nothing is mapped in its last 2 MiB yet. */
	EXPECT_EQUAL(vmap_missing_table(vmap_base + vmap_size - PAGE_SIZE), 2);
	return NULL;
}

static bool test_vmalloc_match_fetch(const struct fault *fault, void *data)
{
	return fault->address == (uintptr_t)data &&
	       (fault->frame->error & PF_FETCH) != 0;
}

CASE(vmalloc, its_memory_is_not_executable)
{
	char *memory = vmalloc(PAGE_SIZE);
	struct fault_expect expect = { .match = test_vmalloc_match_fetch,
		                       .data = memory };
	bool caught;

	EXPECT(memory != NULL);
	if (pte_nx() == 0) {
		vfree(memory);
		SKIP("NX");
	}
	memset(memory, 0xc3, PAGE_SIZE);
	caught = fault_catch(&expect, provoke_jump, memory);
	vfree(memory);
	vmalloc_purge(main_vmalloc());
	EXPECT(caught);
	return NULL;
}

CASE(vmalloc, a_read_only_mapping_is_read_only)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct fault_area area;
	char *memory = vmap(&page, 1, VM_MAP, PAGE_KERNEL_RO);
	bool caught;

	EXPECT(page != NULL && memory != NULL);
	EXPECT(memory[0] == 0);
	caught = write_faults(memory, &area);
	vunmap(memory);
	__free_page(page);
	vmalloc_purge(main_vmalloc());
	EXPECT(caught);
	EXPECT_EQUAL(area.size, PAGE_SIZE);
	return NULL;
}

/* ---- Flushing ------------------------------------------------------------ */

/* Interrupts are off, so that nothing else flushes.  How many of PAGES pages of MEMORY
 * can be written after they were cleared and flushed. */
static unsigned long writable_after_flush(char *memory, unsigned long pages)
{
	unsigned long pfn[40];
	unsigned long writable = 0;
	struct fault_area area;

	for (unsigned long i = 0; i < pages; i++)
		memory[i * PAGE_SIZE] = 1;
	for (unsigned long i = 0; i < pages; i++)
		pfn[i] = vmap_clear((uintptr_t)memory + i * PAGE_SIZE);
	vmap_flush();
	/* Each fault may flush all; so the last page is tried first. */
	for (unsigned long i = pages; i > 0; i--)
		writable += !write_faults(memory + (i - 1) * PAGE_SIZE, &area);
	for (unsigned long i = 0; i < pages; i++)
		vmap_set((uintptr_t)memory + i * PAGE_SIZE, pfn[i], true);
	return writable;
}

CASE(vmalloc, a_flush_reaches_each_address_that_was_cleared)
{
	static const unsigned long pages[] = { 1, 3, 40 };
	char *memory = vmalloc(40 * PAGE_SIZE);
	unsigned long writable = 0;

	EXPECT(memory != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		bool enabled = arch_irq_save();

		writable += writable_after_flush(memory, pages[i]);
		arch_irq_restore(enabled);
	}
	vfree(memory);
	vmalloc_purge(main_vmalloc());
	EXPECT_EQUAL(writable, 0);
	return NULL;
}

CASE(vmalloc, no_frame_becomes_exclusive_before_lazy_addresses_are_flushed)
{
	struct node *node = main_node();
	unsigned long before;
	unsigned long after;
	bool stale;

	refiller_pause(true);
	refiller_settle();
	exclusive_shrink(node, 0);
	vmap_flush();
	before = vmap_flushes();
	vfree(vmalloc(PAGE_SIZE));
	after = vmap_flushes();
	exclusive_balance(node);
	stale = vmap_flush();
	refiller_pause(false);
	refiller_settle();
	vmalloc_purge(main_vmalloc());
	EXPECT_EQUAL(after, before);
	EXPECT(!stale);
	return NULL;
}

/* ---- In an interrupt ----------------------------------------------------- */

static struct {
	void *memory;
	unsigned long before; /* frame there before vfree() */
	unsigned long after;  /* and right afterwards */
	bool done;            /* atomic */
} in_tick;

static void free_in_tick(void *unused __unused)
{
	if (in_tick.done)
		return;
	in_tick.before = vmalloc_to_pfn(in_tick.memory);
	vfree(in_tick.memory);
	in_tick.after = vmalloc_to_pfn(in_tick.memory);
	__atomic_store_n(&in_tick.done, true, __ATOMIC_RELEASE);
}

CASE(vmalloc, an_interrupt_frees_and_the_worker_unmaps)
{
	struct vmalloc_space *space = main_vmalloc();
	unsigned long pages = space->pages;

	memset(&in_tick, 0, sizeof(in_tick));
	in_tick.memory = vmalloc(3 * PAGE_SIZE);
	EXPECT(in_tick.memory != NULL);
	pit_set_listener(free_in_tick, NULL);
	while (!__atomic_load_n(&in_tick.done, __ATOMIC_ACQUIRE))
		arch_wait_for_interrupt();
	pit_set_listener(NULL, NULL);
	EXPECT(in_tick.before != -1UL);
	EXPECT_EQUAL(in_tick.after, in_tick.before);
	flush_work();
	EXPECT_EQUAL(vmalloc_to_pfn(in_tick.memory), -1UL);
	EXPECT_EQUAL(space->pages, pages);
	vmalloc_purge(space);
	return NULL;
}

/* ---- The purge ----------------------------------------------------------- */

/* The areas are 64 pages with their guards: 128 of them are 32 MiB. */
CASE(vmalloc, the_worker_purges_more_than_32_mib_with_one_flush)
{
	struct vmalloc_space *space = main_vmalloc();
	unsigned long purges;
	unsigned long flushes;

	vmalloc_purge(space);
	purges = space->purges;
	for (unsigned int i = 0; i < 129; i++) {
		void *memory;

		flush_work();
		EXPECT_EQUAL(space->purges, purges);
		EXPECT_EQUAL(space->lazy_pages, i * (AREA_PAGES + 1));
		memory = vmalloc(AREA_PAGES * PAGE_SIZE);
		EXPECT(memory != NULL);
		flushes = vmap_flushes();
		vfree(memory);
	}
	flush_work();
	EXPECT_EQUAL(space->purges, purges + 1);
	EXPECT_EQUAL(space->lazy_pages, 0);
	EXPECT(vmap_flushes() > flushes);
	return NULL;
}

/* ---- The report ---------------------------------------------------------- */

static struct {
	char text[4096];
	size_t size;
} heard;

static void test_vmalloc_listen(const char *text, size_t size)
{
	size = min(size, sizeof(heard.text) - 1 - heard.size);
	memcpy(heard.text + heard.size, text, size);
	heard.size += size;
}

/* The line that begins at TEXT, without its end, is as long as the answer. */
static size_t line_length(const char *text)
{
	size_t length = 0;

	while (text[length] != '\0' && text[length] != '\n' &&
	       text[length] != '\r')
		length++;
	return length;
}

/* Where START is in TEXT, or the end of TEXT. */
static const char *find_line(const char *text, const char *start)
{
	while (*text != '\0' && strncmp(text, start, strlen(start)) != 0)
		text++;
	return text;
}

CASE(vmalloc, vmallocinfo_has_a_line_of_linux_for_each_area)
{
	static const char end[] = " pages=3 vmalloc";
	char *memory = vmalloc(3 * PAGE_SIZE);
	char line[] = "vmallocinfo";
	char start[64];
	const char *found;
	size_t length;

	EXPECT(memory != NULL);
	memset(&heard, 0, sizeof(heard));
	console_divert(test_vmalloc_listen);
	shell_execute(line);
	console_divert(NULL);
	scnprintf(start, sizeof(start), "0x%016lx-0x%016lx %7lu ",
	          (unsigned long)memory, (unsigned long)memory + 4 * PAGE_SIZE,
	          4 * PAGE_SIZE);
	found = find_line(heard.text, start);
	length = line_length(found);
	vfree(memory);
	vmalloc_purge(main_vmalloc());
	EXPECT(*found != '\0');
	EXPECT(length < 80 && length > strlen(start) + strlen(end));
	EXPECT(strncmp(found + length - strlen(end), end, strlen(end)) == 0);
	return NULL;
}
