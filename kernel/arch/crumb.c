/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/crumb.c -- breadcrumbs: which step of the boot is going on?
 *
 * A machine that resets leaves nothing but what it has said before.  So each
 * step of the boot says a word when it begins, and the last word is where the
 * boot died.  boot/early.asm says the first ones, in 32-bit code, and prints the
 * last one in the sentence of a fault.
 *
 * COM1 has been set up there.  Nobody waits for a port that is not ready within
 * a tenth of a second: then it is absent or stuck.
 *
 * Source: National Semiconductor PC16550D data sheet, section 8.
 */
#include "kernel/arch/crumb.h"

#include "kernel/arch/io.h"

#define DEBUG_CONSOLE  0xe9
#define COM1_DATA      0x3f8
#define COM1_STATUS    0x3fd
#define COM1_READY     0x20
#define COM1_ALL_EMPTY 0x40
#define COM1_POLLS     100000

const char *boot_crumb_last = "loader";

static bool serial_left;

static void wait_com1(uint8_t bits)
{
	for (unsigned int i = 0; i < COM1_POLLS; i++) {
		if (inb(COM1_STATUS) & bits)
			return;
	}
}

static void write_com1(char character)
{
	if (serial_left)
		return;
	wait_com1(COM1_READY);
	outb((uint8_t)character, COM1_DATA);
}

static void crumb_write(char character)
{
	outb((uint8_t)character, DEBUG_CONSOLE);
	write_com1(character);
}

void boot_crumb(const char *word)
{
	boot_crumb_last = word;
	for (; *word != '\0'; word++)
		crumb_write(*word);
	crumb_write(' ');
}

void boot_crumb_leave_serial(void)
{
	write_com1('\r');
	write_com1('\n');
	wait_com1(COM1_ALL_EMPTY);
	serial_left = true;
}
