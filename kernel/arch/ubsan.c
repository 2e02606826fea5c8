/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/ubsan.c -- undefined behaviour, reported in a sentence.
 *
 * -fsanitize=undefined puts a check in front of each operation that could have no defined
 * result.  If it finds one it calls __ubsan_handle_...(), with a record of the place in the
 * source and of the types, and the operands.  A function here makes a sentence of them,
 * and then executes an invalid opcode, so that it goes the way of all faults
 * (kernel/core/fault.c): a test can catch it, everybody else panics.
 *
 * The names and the records are those of gcc's and clang's libubsan (LLVM's
 * compiler-rt/lib/ubsan/ubsan_handlers.h, ubsan_value.h).  This file is compiled without
 * the checks.  Null pointers, divisions by zero, and bools are not checked (Makefile).
 *
 * Locking: none.  One sentence is kept.  While it is being made, whatever else is undefined
 * (the formatter is checked as well) traps without one.
 */
#include "kernel/arch/ubsan.h"

#include "kernel/arch/trap.h"
#include "lib/format.h"

/* ---- The trap ------------------------------------------------------------ */

static char ubsan_sentence[160];
static bool ubsan_is_busy; /* atomic: it is being made */

/* Without a frame: that of the caller, a function below, leads to the one to blame. */
static __attribute__((naked)) __noinline __noreturn void ubsan_trap(void)
{
	__asm__ volatile("ud2");
}

const char *ubsan_trapped(const struct trap_frame *frame)
{
	return frame->vector == VECTOR_INVALID_OP &&
	                       frame->rip == (uintptr_t)ubsan_trap &&
	                       !READ_ONCE(ubsan_is_busy) &&
	                       ubsan_sentence[0] != '\0'
	               ? ubsan_sentence
	               : NULL;
}

#ifdef CHECKED

/* ---- The compiler's records ---------------------------------------------- */

struct ubsan_place {
	const char *file;
	uint32_t line;
	uint32_t column;
};

struct ubsan_type {
	uint16_t kind; /* 0: an integer */
	uint16_t info; /* bit 0: it is signed; above: log2 of its bits */
	char name[];   /* in quotes */
};

/* The beginning of all records; some have no type. */
struct ubsan_data {
	struct ubsan_place place;
	const struct ubsan_type *type;
	const struct ubsan_type *other; /* of the second operand, or an index */
};

/* Of an access to an object that is too small or not aligned. */
struct ubsan_access {
	struct ubsan_place place;
	const struct ubsan_type *type;
	uint8_t log2_align;
	uint8_t what;
};

/* ---- The sentence -------------------------------------------------------- */

#define UBSAN_BITS_MOST 64U

/* VALUE as one of TYPE.  Above 64 bits the compiler passes an address instead. */
static const char *ubsan_format(char *text, size_t size,
                                const struct ubsan_type *type, uintptr_t value)
{
	unsigned int bits = 1U << (type->info >> 1);
	bool is_signed = (type->info & 1) != 0;

	if (type->kind != 0 || bits > UBSAN_BITS_MOST)
		scnprintf(text, size, "a value");
	else if (is_signed)
		scnprintf(text, size, "%lld",
		          (long long)(value << (64 - bits)) >> (64 - bits));
	else
		scnprintf(text, size, "%llu", (unsigned long long)value);
	return text;
}

/* Makes the sentence, and traps. */
static __noreturn __printf(2,
                           3) void ubsan_report(const struct ubsan_place *place,
                                                const char *format, ...)
{
	va_list arguments;
	int length;

	if (!__atomic_test_and_set(&ubsan_is_busy, __ATOMIC_ACQUIRE)) {
		va_start(arguments, format);
		length = vscnprintf(ubsan_sentence, sizeof(ubsan_sentence),
		                    format, arguments);
		va_end(arguments);
		scnprintf(ubsan_sentence + length,
		          sizeof(ubsan_sentence) - (size_t)length,
		          ", at %s:%u:%u", place->file, place->line,
		          place->column);
		__atomic_clear(&ubsan_is_busy, __ATOMIC_RELEASE);
	}
	ubsan_trap();
}

static __noreturn void ubsan_report_binary(const struct ubsan_data *data,
                                           const char *sign, uintptr_t left,
                                           uintptr_t right)
{
	char first[24];
	char second[24];

	ubsan_report(&data->place, "%s %s %s is outside of %s",
	             ubsan_format(first, sizeof(first), data->type, left), sign,
	             ubsan_format(second, sizeof(second), data->type, right),
	             data->type->name);
}

/* ---- What the compiler calls --------------------------------------------- */

#define UBSAN_HANDLER(name, ...)                                               \
	__noreturn void __ubsan_handle_##name(__VA_ARGS__);                    \
	void __ubsan_handle_##name(__VA_ARGS__)

UBSAN_HANDLER(add_overflow_abort, const struct ubsan_data *data, uintptr_t left,
              uintptr_t right)
{
	ubsan_report_binary(data, "+", left, right);
}

UBSAN_HANDLER(sub_overflow_abort, const struct ubsan_data *data, uintptr_t left,
              uintptr_t right)
{
	ubsan_report_binary(data, "-", left, right);
}

UBSAN_HANDLER(mul_overflow_abort, const struct ubsan_data *data, uintptr_t left,
              uintptr_t right)
{
	ubsan_report_binary(data, "*", left, right);
}

UBSAN_HANDLER(divrem_overflow_abort, const struct ubsan_data *data,
              uintptr_t left, uintptr_t right)
{
	ubsan_report_binary(data, "/", left, right);
}

UBSAN_HANDLER(negate_overflow_abort, const struct ubsan_data *data,
              uintptr_t value)
{
	char number[24];

	ubsan_report(&data->place, "-(%s) is outside of %s",
	             ubsan_format(number, sizeof(number), data->type, value),
	             data->type->name);
}

UBSAN_HANDLER(shift_out_of_bounds_abort, const struct ubsan_data *data,
              uintptr_t value, uintptr_t bits)
{
	char number[24];
	char distance[24];

	ubsan_report(
		&data->place, "%s of %s shifted by %s",
		ubsan_format(number, sizeof(number), data->type, value),
		data->type->name,
		ubsan_format(distance, sizeof(distance), data->other, bits));
}

UBSAN_HANDLER(out_of_bounds_abort, const struct ubsan_data *data,
              uintptr_t index)
{
	char number[24];

	ubsan_report(&data->place, "index %s is outside of %s",
	             ubsan_format(number, sizeof(number), data->other, index),
	             data->type->name);
}

UBSAN_HANDLER(type_mismatch_v1_abort, const struct ubsan_access *data,
              uintptr_t address)
{
	uintptr_t alignment = (uintptr_t)1 << data->log2_align;

	ubsan_report(&data->place, "%s at %#lx: %s", data->type->name, address,
	             address % alignment != 0 ? "it is not aligned"
	                                      : "there is no room for it");
}

UBSAN_HANDLER(pointer_overflow_abort, const struct ubsan_data *data,
              uintptr_t base, uintptr_t result)
{
	ubsan_report(&data->place, "a pointer goes from %#lx to %#lx", base,
	             result);
}

UBSAN_HANDLER(load_invalid_value_abort, const struct ubsan_data *data,
              uintptr_t value)
{
	char number[24];

	ubsan_report(&data->place, "%s is not a value of %s",
	             ubsan_format(number, sizeof(number), data->type, value),
	             data->type->name);
}

UBSAN_HANDLER(vla_bound_not_positive_abort, const struct ubsan_data *data,
              uintptr_t bound)
{
	char number[24];

	ubsan_report(&data->place, "an array of %s elements",
	             ubsan_format(number, sizeof(number), data->type, bound));
}

UBSAN_HANDLER(invalid_builtin_abort, const struct ubsan_data *data)
{
	ubsan_report(&data->place, "bits of 0 are counted");
}

UBSAN_HANDLER(nonnull_arg_abort, const struct ubsan_data *data)
{
	ubsan_report(&data->place, "an argument must not be NULL");
}

UBSAN_HANDLER(builtin_unreachable, const struct ubsan_data *data)
{
	ubsan_report(&data->place, "a place is reached that cannot be");
}

#endif
