/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/io.h -- the I/O ports.  The order of arguments is Linux's: value,
 * then port.  Any context.
 */
#ifndef KERNEL_ARCH_IO_H
#define KERNEL_ARCH_IO_H

#include "lib/types.h"

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outb(uint8_t value, uint16_t port)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outw(uint16_t value, uint16_t port)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outl(uint32_t value, uint16_t port)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* COUNT words, one after the other, from PORT into memory or the other way. */
static inline void insw(uint16_t port, void *to, size_t count)
{
	__asm__ volatile("rep insw"
	                 : "+D"(to), "+c"(count)
	                 : "d"(port)
	                 : "memory");
}

static inline void outsw(uint16_t port, const void *from, size_t count)
{
	__asm__ volatile("rep outsw"
	                 : "+S"(from), "+c"(count)
	                 : "d"(port)
	                 : "memory");
}

/*
 * Give an old device a microsecond: a write to port 0x80, which the BIOS uses
 * for its progress codes and nobody reads.
 */
static inline void io_wait(void)
{
	outb(0, 0x80);
}

#endif
