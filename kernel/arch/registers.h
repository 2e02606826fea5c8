/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/registers.h -- control registers, MSRs and CPUID, for this floor
 * and for reports.  Source: Intel SDM vol. 3A, 2.5, and vol. 4.
 */
#ifndef KERNEL_ARCH_REGISTERS_H
#define KERNEL_ARCH_REGISTERS_H

#include "lib/types.h"

#define CR0_PE              (1UL << 0)
#define CR0_MP              (1UL << 1)
#define CR0_TS              (1UL << 3)
#define CR0_ET              (1UL << 4)
#define CR0_NE              (1UL << 5)
#define CR0_WP              (1UL << 16)
#define CR0_PG              (1UL << 31)

#define CR4_PAE             (1UL << 5)
#define CR4_MCE             (1UL << 6)
#define CR4_PGE             (1UL << 7)
#define CR4_UMIP            (1UL << 11)
#define CR4_SMEP            (1UL << 20)
#define CR4_SMAP            (1UL << 21)

#define RFLAGS_TF           (1UL << 8)
#define RFLAGS_IF           (1UL << 9)
#define RFLAGS_DF           (1UL << 10)
#define RFLAGS_AC           (1UL << 18)

/* Debug status: Intel SDM vol. 3B, 17.2.3.  BS: a single step. */
#define DR6_BS              (1UL << 14)
#define DR6_NONE            0xffff0ff0UL

#define MSR_PAT             0x00000277U
#define MSR_EFER            0xc0000080U
#define MSR_GS_BASE         0xc0000101U
/* Types of memory for PWT = 0 and 1, PCD = 0 and 1: back, combining, UC-, uncached. */
#define PAT_COMBINING       0x0007010600070106UL

#define EFER_NXE            (1UL << 11)

/* Machine checks: Intel SDM vol. 3B, 15.3.  Four MSRs for each bank. */
#define MSR_MCG_CAP         0x179U
#define MSR_MC_STATUS(bank) (0x401U + 4 * (bank))
#define MSR_MC_ADDR(bank)   (0x402U + 4 * (bank))
#define MCG_CAP_BANKS       0xffU
#define MC_STATUS_VALID     (1UL << 63)
#define MC_STATUS_ADDRV     (1UL << 58)

static inline uint64_t read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline void write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline uint64_t read_cr3(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static inline void write_dr6(uint64_t value)
{
	__asm__ volatile("mov %0, %%dr6" : : "r"(value) : "memory");
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
	                 :
	                 : "c"(msr), "a"((uint32_t)value),
	                   "d"((uint32_t)(value >> 32))
	                 : "memory");
}

struct cpuid {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

static inline struct cpuid read_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid cpuid;

	__asm__ volatile("cpuid"
	                 : "=a"(cpuid.eax), "=b"(cpuid.ebx), "=c"(cpuid.ecx),
	                   "=d"(cpuid.edx)
	                 : "a"(leaf), "c"(subleaf));
	return cpuid;
}

/* Forget what the TLB knows about ADDRESS, global or not, on this CPU. */
static inline void flush_address(uintptr_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Forget everything that is not global, on this CPU. */
static inline void flush_local(void)
{
	write_cr3(read_cr3());
}

#endif
