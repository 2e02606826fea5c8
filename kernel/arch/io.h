/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/io.h -- the I/O ports, and registers in memory.  The order of arguments
 * is Linux's: value, then port.  Any context.
 *
 * An access is a compiler barrier: what stands before it in the source
 * has been stored before it happens, and what stands behind is loaded afterwards.
 * A device looks at memory when a port tells it to.
 *
 * Memory that a device reads by itself is ordered by name, as in Linux: fill a
 * descriptor, dma_wmb(), hand it over; see that it is handed back, dma_rmb(), read
 * it.  An x86 CPU keeps stores in order, and loads in order, for ordinary memory
 * (Intel SDM vol. 3A, 8.2.2), so only the compiler needs a barrier.
 */
#ifndef KERNEL_ARCH_IO_H
#define KERNEL_ARCH_IO_H

#include "lib/types.h"

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outb(uint8_t value, uint16_t port)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outw(uint16_t value, uint16_t port)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outl(uint32_t value, uint16_t port)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
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

/* The registers of a device that lie in memory; compiler barriers, too. */
static inline uint32_t readl(const volatile void *address)
{
	uint32_t value;

	__asm__ volatile("movl %1, %0"
	                 : "=r"(value)
	                 : "m"(*(const volatile uint32_t *)address)
	                 : "memory");
	return value;
}

static inline void writel(uint32_t value, volatile void *address)
{
	__asm__ volatile("movl %1, %0"
	                 : "=m"(*(volatile uint32_t *)address)
	                 : "r"(value)
	                 : "memory");
}

/* Stores before it reach memory before stores behind it. */
static inline void dma_wmb(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Loads before it are done before loads behind it. */
static inline void dma_rmb(void)
{
	__asm__ volatile("" : : : "memory");
}

/*
 * Give an old device a microsecond: a write to port 0x80, which the BIOS uses
 * for its progress codes and nobody reads.
 */
static inline void io_wait(void)
{
	outb(0, 0x80);
}

/* COUNT times VALUE at ADDRESS, which may be memory of a device. */
static inline void io_fill(volatile void *address, uint64_t value, size_t count)
{
	__asm__ volatile("rep stosq"
	                 : "+D"(address), "+c"(count)
	                 : "a"(value)
	                 : "memory");
}

#endif
