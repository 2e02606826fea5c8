/* SPDX-License-Identifier: MIT */
/*
 * drivers/power.c -- the ends of a machine.
 *
 *	port    value       who listens
 *	0x00f4  any         QEMU with -device isa-debug-exit,iobase=0xf4
 *	0x0604  0x2000      QEMU "pc" and "q35": PM1a control, SLP_EN in S5
 *	0xb004  0x2000      the same in older QEMU and in Bochs
 *	0x8900  "Shutdown"  Bochs
 *
 * No other device uses these ports on a PC; a machine where one does would need
 * ACPI's tables and AML.
 *
 * Sources: QEMU docs/specs "pc-testdev and debug exit", ACPI 6.4, 4.8.3.2
 * "PM1 Control Registers", Bochs user manual, "Unmapped I/O port 0x8900".
 */
#include "drivers/power.h"

#include "drivers/i8042.h"
#include "drivers/serial.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/io.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/printk.h"

#define PORT_DEBUG_EXIT  0xf4
#define PORT_PM1A_QEMU   0x604
#define PORT_PM1A_OLD    0xb004
#define PORT_BOCHS       0x8900

#define PM1_SLEEP_ENABLE 0x2000 /* with sleep type 0, which is S5 there */

static void bochs_shutdown(void)
{
	for (const char *at = "Shutdown"; *at != '\0'; at++)
		outb((uint8_t)*at, PORT_BOCHS);
}

/* An emulator continues for a moment before it acts on the request. */
static void wait_a_second(void)
{
	uint64_t end = clock_microseconds() + 1000000;

	while (clock_microseconds() < end)
		arch_relax();
}

void machine_reboot(void)
{
	log_flush();
	serial_drain();
	arch_irq_disable();
	i8042_reset_cpu();
	arch_reboot();
}

void machine_poweroff(void)
{
	log_flush();
	serial_drain();
	nmi_watch_pause();
	arch_irq_disable();
	outw(PM1_SLEEP_ENABLE, PORT_PM1A_QEMU);
	outw(PM1_SLEEP_ENABLE, PORT_PM1A_OLD);
	bochs_shutdown();
	wait_a_second();
	console_printf("This machine cannot be switched off from here.  "
	               "It has stopped.\n");
	arch_halt_forever();
}

void machine_exit(int code)
{
	log_flush();
	serial_drain();
	nmi_watch_pause();
	arch_irq_disable();
	outl((uint32_t)code, PORT_DEBUG_EXIT);
	bochs_shutdown();
	arch_halt_forever();
}
