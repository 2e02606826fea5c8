/* SPDX-License-Identifier: MIT */
/*
 * drivers/pic.c -- the two 8259 interrupt controllers.
 *
 *	lines 0..7   master 0x20  --INT-->  CPU          vectors 32..39
 *	lines 8..15  slave  0xa0  --INT-->  line 2       vectors 40..47
 *
 * A request sets its bit in IRR; when the CPU acknowledges it the bit moves to
 * ISR, where it stays until an end-of-interrupt command clears it.  The command
 * used here is the specific one (OCW2 0x60 | line): it clears the named bit
 * whatever else is in service, so handlers may nest in any order.  An interrupt
 * of the slave occupies line 2 of the master too, and needs both.
 *
 * Spurious interrupts: a request that goes away between INT and the
 * acknowledgement is reported as the lowest-priority line of the chip, 7 or 15,
 * without its ISR bit.  A spurious 7 gets no end-of-interrupt; a spurious 15
 * gets one for line 2 of the master, which did see a real request.
 *
 * Locking: kernel/core/irq.c calls the functions below one at a time.
 *
 * Source: Intel 8259A data sheet, "Initialization Command Words", "Operation
 * Command Words", "Reading the 8259A status".
 */
#include "drivers/pic.h"

#include "kernel/arch/io.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/trap.h"
#include "kernel/core/irq.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xa0
#define SLAVE_DATA     0xa1

#define CASCADE        2 /* the master's line that the slave is on */

#define ICW1_INIT      0x11 /* edge triggered, cascaded, ICW4 follows */
#define ICW4_8086      0x01 /* 8086 mode, explicit end of interrupt */
#define OCW2_SPECIFIC  0x60 /* end of interrupt for line 0..7 */
#define OCW3_READ_IRR  0x0a
#define OCW3_READ_ISR  0x0b
#define LINES_PER_CHIP 8
#define LAST_OF_MASTER 7
#define LAST_OF_SLAVE  15

static uint16_t masked = 0xffff & ~(1U << CASCADE); /* one bit a line */

static bool on_slave(unsigned int irq)
{
	return irq >= LINES_PER_CHIP;
}

/* Write the mask register of the chip that IRQ is on. */
static void write_mask(unsigned int irq)
{
	if (on_slave(irq))
		outb((uint8_t)(masked >> LINES_PER_CHIP), SLAVE_DATA);
	else
		outb((uint8_t)masked, MASTER_DATA);
}

static void pic_mask(unsigned int irq)
{
	masked |= (uint16_t)(1U << irq);
	write_mask(irq);
}

static void pic_unmask(unsigned int irq)
{
	masked &= (uint16_t) ~(1U << irq);
	write_mask(irq);
}

static void pic_acknowledge(unsigned int irq)
{
	if (on_slave(irq)) {
		outb(OCW2_SPECIFIC | (irq - LINES_PER_CHIP), SLAVE_COMMAND);
		outb(OCW2_SPECIFIC | CASCADE, MASTER_COMMAND);
	} else {
		outb((uint8_t)(OCW2_SPECIFIC | irq), MASTER_COMMAND);
	}
}

/*
 * Is the ISR bit of the last line of the chip at COMMAND clear?  An NMI reads the
 * IRR of the master (kernel/core/nmi_watch.c), and is told when it cannot.
 */
static bool last_line_is_idle(uint16_t command)
{
	uint8_t in_service;

	this_cpu_write(irr_hidden, true);
	outb(OCW3_READ_ISR, command);
	in_service = inb(command);
	outb(OCW3_READ_IRR, command);
	this_cpu_write(irr_hidden, false);
	return (in_service & 0x80) == 0;
}

static bool pic_spurious(unsigned int irq)
{
	if (irq == LAST_OF_MASTER)
		return last_line_is_idle(MASTER_COMMAND);
	if (irq != LAST_OF_SLAVE || !last_line_is_idle(SLAVE_COMMAND))
		return false;
	outb(OCW2_SPECIFIC | CASCADE, MASTER_COMMAND);
	return true;
}

static bool pic_begin(unsigned int irq)
{
	if (pic_spurious(irq))
		return false;
	pic_mask(irq);
	pic_acknowledge(irq);
	return true;
}

static const struct irq_chip pic_chip = {
	.name = "XT-PIC",
	.begin = pic_begin,
	.mask = pic_mask,
	.unmask = pic_unmask,
};

/* A mask register that keeps what is written to it belongs to an 8259. */
static bool chip_answers(uint16_t data)
{
	outb(0x5a, data);
	io_wait();
	if (inb(data) != 0x5a)
		return false;
	outb(0xff, data);
	io_wait();
	return inb(data) == 0xff;
}

static void init_chip(uint16_t command, uint16_t data, uint8_t vector,
                      uint8_t cascade)
{
	outb(ICW1_INIT, command);
	io_wait();
	outb(vector, data);
	io_wait();
	outb(cascade, data);
	io_wait();
	outb(ICW4_8086, data);
	io_wait();
}

int pic_init(void)
{
	if (!chip_answers(MASTER_DATA) || !chip_answers(SLAVE_DATA)) {
		pr_err("pic: no pair of 8259s answers: no interrupts");
		return -ENODEV;
	}
	init_chip(MASTER_COMMAND, MASTER_DATA, VECTOR_IRQ_BASE, 1U << CASCADE);
	init_chip(SLAVE_COMMAND, SLAVE_DATA, VECTOR_IRQ_BASE + LINES_PER_CHIP,
	          CASCADE);
	write_mask(0);
	write_mask(LINES_PER_CHIP);
	irq_register_chip(&pic_chip);
	return 0;
}
