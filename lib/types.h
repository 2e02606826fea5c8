/* SPDX-License-Identifier: MIT */
/*
 * lib/types.h -- the basic types and macros of every other file.
 *
 * lib/ is plain C without a machine: lists, bitmaps, ranges, strings, numbers, text.
 * It knows no lock and no context, so that it runs in any, and on the host as well.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define static_assert _Static_assert

#define __must_check __attribute__((warn_unused_result))
#define __noreturn   __attribute__((noreturn))
#define __cold       __attribute__((cold))
#define __packed     __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __used       __attribute__((used))
#define __unused     __attribute__((unused))
#define __noinline   __attribute__((noinline))
#ifndef __always_inline /* the host's C library may have it */
#define __always_inline inline __attribute__((always_inline))
#endif
#define likely(condition)   __builtin_expect((condition) != 0, 1)
#define unlikely(condition) __builtin_expect((condition) != 0, 0)
#define __section(name)     __attribute__((section(name), used))
#define __printf(at, from)  __attribute__((format(printf, at, from)))

#define ARRAY_SIZE(array)   (sizeof(array) / sizeof((array)[0]))

/* The struct of TYPE whose MEMBER is at POINTER. */
#define container_of(pointer, type, member)                                    \
	((type *)((uintptr_t)(pointer)-offsetof(type, member)))

#define min(a, b)                                                              \
	({                                                                     \
		__typeof__(a) min_a = (a);                                     \
		__typeof__(b) min_b = (b);                                     \
		min_a < min_b ? min_a : min_b;                                 \
	})
#define max(a, b)                                                              \
	({                                                                     \
		__typeof__(a) max_a = (a);                                     \
		__typeof__(b) max_b = (b);                                     \
		max_a > max_b ? max_a : max_b;                                 \
	})
#define clamp(value, low, high)  min(max(value, low), high)

/* Round to a multiple of ALIGN, a power of two. */
#define ALIGN_DOWN(value, align) ((value) & ~((__typeof__(value))(align)-1))
#define ALIGN_UP(value, align)   ALIGN_DOWN((value) + (align)-1, align)

#define KIB                      1024UL
#define MIB                      (1024UL * KIB)
#define GIB                      (1024UL * MIB)

#define PAGE_SHIFT               12
#define PAGE_SIZE                (1UL << PAGE_SHIFT)

/* One read or write that the compiler may neither repeat nor leave out. */
#define READ_ONCE(x)             (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)     (*(volatile __typeof__(x) *)&(x) = (value))

/* The address that the caller of this function returns to. */
#define RETURN_ADDRESS()         ((uintptr_t)__builtin_return_address(0))

#endif
