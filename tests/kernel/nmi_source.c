/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/nmi_source.c -- NMIs of the machine's own making.
 *
 * The kernel itself has no use for the APICs, and its direct map leaves them
 * out.  While a test needs them, they are mapped where the region of the stacks
 * has two pages that nobody uses: below the guard page of the last slot.  The
 * firmware has set their memory type to uncached.
 *
 * The timer's line is connected to the 8259 and to pin 2 of the I/O APIC.
 *
 * Source: Intel SDM vol. 3A, 10.4.4 "Local APIC Status and Location", 10.6.1
 * "Interrupt Command Register"; Intel 82093AA data sheet, 3.2.4 "IOREDTBL".
 */
#include "tests/kernel/nmi_source.h"

#include "kernel/arch/paging.h"
#include "kernel/arch/registers.h"

#define CPUID_EDX_APIC     (1U << 9)
#define MSR_APIC_BASE      0x1bU
#define APIC_BASE_ENABLED  (1UL << 11)
#define APIC_BASE_X2APIC   (1UL << 10)
#define APIC_BASE_ADDRESS  0x000ffffffffff000UL

#define IOAPIC_PHYSICAL    0xfec00000UL
#define LOCAL_ADDRESS      (STACK_BASE + (STACK_SLOTS - 1) * STACK_SLOT_SIZE)
#define IO_ADDRESS         (LOCAL_ADDRESS + PAGE_SIZE)

/* Registers of the local APIC. */
#define LOCAL_ID           0x20
#define LOCAL_COMMAND      0x300
#define LOCAL_COMMAND_HIGH 0x310
#define COMMAND_PENDING    (1U << 12)
#define COMMAND_ASSERT     (1U << 14)

/* Registers of the I/O APIC, by their number. */
#define IO_SELECT          0x00
#define IO_DATA            0x10
#define IO_VERSION         0x01
#define IO_TIMER_PIN       (0x10 + 2 * 2)

#define DELIVER_NMI        (4U << 8)
#define PIN_MASKED         (1U << 16)

static volatile uint32_t *reg(uintptr_t address)
{
	return (volatile uint32_t *)address;
}

static uint32_t read_io(uint32_t number)
{
	*reg(IO_ADDRESS + IO_SELECT) = number;
	return *reg(IO_ADDRESS + IO_DATA);
}

static void write_io(uint32_t number, uint32_t value)
{
	*reg(IO_ADDRESS + IO_SELECT) = number;
	*reg(IO_ADDRESS + IO_DATA) = value;
}

bool nmi_source_begin(void)
{
	uint64_t base;
	uint32_t version;

	if (!(read_cpuid(1, 0).edx & CPUID_EDX_APIC))
		return false;
	base = read_msr(MSR_APIC_BASE);
	if (!(base & APIC_BASE_ENABLED) || (base & APIC_BASE_X2APIC))
		return false;
	paging_map_stack_page(LOCAL_ADDRESS, base & APIC_BASE_ADDRESS);
	paging_map_stack_page(IO_ADDRESS, IOAPIC_PHYSICAL);
	version = read_io(IO_VERSION);
	if (version != 0 && version != UINT32_MAX)
		return true;
	nmi_source_end();
	return false;
}

void nmi_source_end(void)
{
	paging_unmap_stack_page(LOCAL_ADDRESS);
	paging_unmap_stack_page(IO_ADDRESS);
}

void nmi_raise(void)
{
	while (*reg(LOCAL_ADDRESS + LOCAL_COMMAND) & COMMAND_PENDING)
		;
	*reg(LOCAL_ADDRESS + LOCAL_COMMAND_HIGH) =
		*reg(LOCAL_ADDRESS + LOCAL_ID);
	*reg(LOCAL_ADDRESS + LOCAL_COMMAND) = DELIVER_NMI | COMMAND_ASSERT;
}

void nmi_on_ticks(bool on)
{
	write_io(IO_TIMER_PIN + 1, *reg(LOCAL_ADDRESS + LOCAL_ID));
	write_io(IO_TIMER_PIN, DELIVER_NMI | (on ? 0 : PIN_MASKED));
}
