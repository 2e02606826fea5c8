/* SPDX-License-Identifier: MIT */
/*
 * drivers/ioapic.c -- the I/O APIC, and the local APIC that it talks to.
 *
 * On a PC the timer's line is connected to input 0 of the first 8259 and to pin 2
 * of the I/O APIC, whose registers are at fec0'0000.  A pin has two registers; its
 * interrupt goes as a message to the local APIC of the CPU that is named there,
 * and if its delivery mode says so it is an NMI, whatever that CPU masks.
 *
 * The 8259 goes on through the local APIC's input LINT0 ("virtual wire"), where
 * the firmware has left it.  A local APIC that the firmware has not switched on
 * is switched on with LINT0 for the 8259 and LINT1 for NMIs, as that is how the
 * processor's pins work without it.
 *
 * An address at which no device answers reads as zeroes or ones; a pin's vector
 * can be written and read back while it is masked.
 *
 * Sources: Intel SDM vol. 3A, 10.4 "Local APIC", 10.5.1 "Local Vector Table",
 * 10.6.1 "Interrupt Command Register (ICR)"; Intel 82093AA data sheet, 3.2.4
 * "IOREDTBL"; Intel MultiProcessor Specification 1.4, 3.6.2.2 "Virtual Wire Mode".
 */
#include "drivers/ioapic.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/registers.h"
#include "lib/errno.h"

#define CPUID_EDX_APIC      (1U << 9)
#define MSR_APIC_BASE       0x1bU
#define APIC_BASE_X2APIC    (1UL << 10)
#define APIC_BASE_ENABLED   (1UL << 11)
#define APIC_BASE_ADDRESS   0x000ffffffffff000UL

/* Registers of the local APIC. */
#define LOCAL_ID            0x20
#define LOCAL_SPURIOUS      0xf0
#define LOCAL_COMMAND       0x300
#define LOCAL_COMMAND_HIGH  0x310
#define LOCAL_LINT0         0x350
#define LOCAL_LINT1         0x360
#define SPURIOUS_ENABLED    (1U << 8)
#define SPURIOUS_VECTOR     0xffU
#define COMMAND_PENDING     (1U << 12)
#define COMMAND_ASSERT      (1U << 14)

/* Registers of the I/O APIC; behind SELECT, by their number. */
#define IO_PHYSICAL         0xfec00000UL
#define IO_SELECT           0x00
#define IO_DATA             0x10
#define IO_VERSION          0x01
#define IO_PIN_LOW(pin)     (0x10U + 2 * (pin))
#define IO_PIN_HIGH(pin)    (0x11U + 2 * (pin))
#define VERSION_LAST(value) ((value) >> 16 & 0xff)

#define VECTOR_BITS         0xffU
#define DELIVER_NMI         (4U << 8)
#define DELIVER_EXTINT      (7U << 8)
#define PIN_MASKED          (1U << 16)

#define TIMER_PIN           2U
#define LEAST_LAST_PIN      15U

static volatile uint32_t *local_apic;
static volatile uint32_t *io_apic;

static uint32_t read_local(unsigned int offset)
{
	return readl(&local_apic[offset / sizeof(uint32_t)]);
}

static void write_local(unsigned int offset, uint32_t value)
{
	writel(value, &local_apic[offset / sizeof(uint32_t)]);
}

static uint32_t read_io(uint32_t number)
{
	writel(number, &io_apic[IO_SELECT / sizeof(uint32_t)]);
	return readl(&io_apic[IO_DATA / sizeof(uint32_t)]);
}

static void write_io(uint32_t number, uint32_t value)
{
	writel(number, &io_apic[IO_SELECT / sizeof(uint32_t)]);
	writel(value, &io_apic[IO_DATA / sizeof(uint32_t)]);
}

/* Where this CPU's local APIC is; 0: it has none, or speaks to it otherwise. */
static uint64_t local_physical(void)
{
	uint64_t base;

	if (!(read_cpuid(1, 0).edx & CPUID_EDX_APIC))
		return 0;
	base = read_msr(MSR_APIC_BASE);
	if (!(base & APIC_BASE_ENABLED) || (base & APIC_BASE_X2APIC))
		return 0;
	return base & APIC_BASE_ADDRESS;
}

/* Does the low half of the timer's pin keep VECTOR?  It is masked afterwards. */
static bool pin_keeps(uint32_t vector)
{
	write_io(IO_PIN_LOW(TIMER_PIN), PIN_MASKED | vector);
	return (read_io(IO_PIN_LOW(TIMER_PIN)) & VECTOR_BITS) == vector;
}

static bool io_apic_answers(void)
{
	uint32_t version = read_io(IO_VERSION);

	if (version == 0 || version == UINT32_MAX ||
	    VERSION_LAST(version) < LEAST_LAST_PIN)
		return false;
	return pin_keeps(0x5a) && pin_keeps(0xa5);
}

static void switch_local_on(void)
{
	if (read_local(LOCAL_SPURIOUS) & SPURIOUS_ENABLED)
		return;
	write_local(LOCAL_SPURIOUS, SPURIOUS_ENABLED | SPURIOUS_VECTOR);
	/* They can be written only now. */
	write_local(LOCAL_LINT0, DELIVER_EXTINT);
	write_local(LOCAL_LINT1, DELIVER_NMI);
}

int ioapic_init(void)
{
	uint64_t physical = local_physical();
	unsigned int level;
	bool enabled;

	/* Memory at that address: it must not be written to. */
	if (physical == 0 ||
	    paging_lookup((uintptr_t)phys_to_virt(IO_PHYSICAL), &level) != 0)
		return -ENODEV;
	local_apic = (volatile uint32_t *)paging_map_device(physical);
	io_apic = (volatile uint32_t *)paging_map_device(IO_PHYSICAL);
	if (local_apic == NULL || io_apic == NULL || !io_apic_answers())
		return -ENODEV;
	enabled = arch_irq_save();
	switch_local_on();
	arch_irq_restore(enabled);
	return 0;
}

void ioapic_ticks_as_nmi(bool on)
{
	write_io(IO_PIN_HIGH(TIMER_PIN), read_local(LOCAL_ID));
	write_io(IO_PIN_LOW(TIMER_PIN), DELIVER_NMI | (on ? 0 : PIN_MASKED));
}

void ioapic_nmi_self(void)
{
	while (read_local(LOCAL_COMMAND) & COMMAND_PENDING)
		arch_relax();
	write_local(LOCAL_COMMAND_HIGH, read_local(LOCAL_ID));
	write_local(LOCAL_COMMAND, DELIVER_NMI | COMMAND_ASSERT);
}
