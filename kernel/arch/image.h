/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/image.h -- where the parts of the kernel's image lie.
 *
 * The names are linker.ld's; each part begins and ends on a page boundary.
 * Virtual addresses, but for boot_begin and boot_end, which are physical (that
 * part is linked where it lies).  Constants: any context.
 */
#ifndef KERNEL_ARCH_IMAGE_H
#define KERNEL_ARCH_IMAGE_H

#include "kernel/arch/paging.h"
#include "lib/types.h"

extern const char boot_begin[], boot_end[]; /* of no use after boot */
extern const char text_begin[], text_end[]; /* RX */
extern const char tests_text_begin[], tests_text_end[]; /* part of it */
extern const char rodata_begin[], rodata_end[];         /* R */
extern const char data_begin[], data_end[]; /* RW: .data, .bss, stacks */

/* The first byte of a stack's guard page, and the first behind the stack. */
extern const char boot_stack_guard[], boot_stack_top[];
extern const char double_fault_stack_guard[], double_fault_stack_top[];
extern const char nmi_stack_guard[], nmi_stack_top[];

/* In the boot part: the page directory of the boot tables for a framebuffer. */
extern const char boot_pixels[];

/* The registered tests (tests/suite.h). */
extern const char suites_begin[], suites_end[];

/* An address inside the image but not in its boot part. */
static inline uint64_t image_to_phys(const void *address)
{
	return (uint64_t)(uintptr_t)address - KERNEL_BASE;
}

/* The boot part: physical, whole frames, free to use after paging_switch(). */
static inline uint64_t boot_physical_start(void)
{
	return (uint64_t)(uintptr_t)boot_begin;
}

static inline uint64_t boot_physical_end(void)
{
	return (uint64_t)(uintptr_t)boot_end;
}

/* All of the image, the boot part included: physical, whole frames. */
static inline uint64_t image_physical_start(void)
{
	return boot_physical_start();
}

static inline uint64_t image_physical_end(void)
{
	return image_to_phys(data_end);
}

/* Is ADDRESS code of the self-test's suites? */
static inline bool image_is_tests_text(uintptr_t address)
{
	return address >= (uintptr_t)tests_text_begin &&
	       address < (uintptr_t)tests_text_end;
}

/* Is ADDRESS code of the kernel? */
static inline bool image_is_text(uintptr_t address)
{
	return address >= (uintptr_t)text_begin &&
	       address < (uintptr_t)text_end;
}

#endif
