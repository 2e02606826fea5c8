/* SPDX-License-Identifier: MIT */
/*
 * lib/format.c -- printf into a buffer.
 *
 * A conversion is read into a struct spec first, then one function for each
 * kind of argument writes it.  Characters go through format_put(), which drops what
 * does not fit; padding and precision are cut to the rest of the buffer before
 * they are written, so that "%2000000000d" costs nothing.
 *
 *	%[flags][width][.precision][length]conversion
 *
 *	flags		- left   0 zeroes   + sign   space sign   # 0x or 0
 *	width		number or *; a negative * means the flag -
 *	precision	number or *; digits at least, or characters at most
 *	length		hh h l ll z t j
 *
 * A pointer is always 0x and 16 digits: addresses line up below each other.
 *
 * Source of the rules: ISO C11, 7.21.6.1.
 */
#include "lib/format.h"

#include "lib/string.h"

/* 64 bits in octal, the longest form. */
#define DIGITS_MAX 22

struct output {
	char *at;
	char *end; /* the place of the closing NUL */
};

struct spec {
	bool left;
	bool zero;
	bool plus;
	bool space;
	bool alternate;
	size_t width;
	bool has_precision;
	size_t precision;
	unsigned int size; /* of an integer argument, in bytes */
	char conversion;
};

/* The arguments, in a struct so that functions can pass them on. */
struct arguments {
	va_list list;
};

static void format_put(struct output *out, char c)
{
	if (out->at < out->end)
		*out->at++ = c;
}

static void put_many(struct output *out, char c, size_t count)
{
	count = min(count, (size_t)(out->end - out->at));
	memset(out->at, c, count);
	out->at += count;
}

static void format_put_text(struct output *out, const char *text, size_t length)
{
	length = min(length, (size_t)(out->end - out->at));
	memcpy(out->at, text, length);
	out->at += length;
}

/* TEXT in a field of at least WIDTH, filled with blanks. */
static void put_field(struct output *out, const struct spec *spec,
                      const char *text, size_t length)
{
	size_t fill = spec->width > length ? spec->width - length : 0;

	if (!spec->left)
		put_many(out, ' ', fill);
	format_put_text(out, text, length);
	if (spec->left)
		put_many(out, ' ', fill);
}

/* ---- Reading a conversion --------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool read_flag(struct spec *spec, char c)
{
	switch (c) {
	case '-':
		spec->left = true;
		return true;
	case '0':
		spec->zero = true;
		return true;
	case '+':
		spec->plus = true;
		return true;
	case ' ':
		spec->space = true;
		return true;
	case '#':
		spec->alternate = true;
		return true;
	default:
		return false;
	}
}

/* A decimal number at *FORMAT; stops growing long before it overflows. */
static size_t read_number(const char **format)
{
	size_t number = 0;

	for (; is_digit(**format); (*format)++) {
		if (number < SIZE_MAX / 20)
			number = number * 10 + (size_t)(**format - '0');
	}
	return number;
}

static void read_width(struct spec *spec, const char **format,
                       struct arguments *arguments)
{
	if (**format != '*') {
		spec->width = read_number(format);
		return;
	}
	(*format)++;
	long width = va_arg(arguments->list, int);

	if (width < 0) {
		spec->left = true;
		width = -width;
	}
	spec->width = (size_t)width;
}

static void read_precision(struct spec *spec, const char **format,
                           struct arguments *arguments)
{
	if (**format != '.')
		return;
	(*format)++;
	if (**format != '*') {
		spec->has_precision = true;
		spec->precision = read_number(format);
		return;
	}
	(*format)++;
	int precision = va_arg(arguments->list, int);

	/* A negative one counts as none. */
	spec->has_precision = precision >= 0;
	spec->precision = precision >= 0 ? (size_t)precision : 0;
}

static void read_length(struct spec *spec, const char **format)
{
	char first = **format;

	spec->size = sizeof(int);
	if (first == '\0' || strchr("hlztj", first) == NULL)
		return;
	(*format)++;
	spec->size = first == 'h' ? sizeof(short) : sizeof(long);
	if ((first != 'h' && first != 'l') || **format != first)
		return;
	(*format)++;
	if (first == 'h')
		spec->size = sizeof(char);
}

/* Read the conversion after a % at FORMAT.  Returns the text after it. */
static const char *read_spec(struct spec *spec, const char *format,
                             struct arguments *arguments)
{
	*spec = (struct spec){ 0 };
	while (read_flag(spec, *format))
		format++;
	read_width(spec, &format, arguments);
	read_precision(spec, &format, arguments);
	read_length(spec, &format);
	spec->conversion = *format;
	return *format == '\0' ? format : format + 1;
}

/* ---- Writing an argument ------------------------------------------------ */

/* The digits of VALUE, ending at END.  Returns where they begin; none for 0. */
static char *write_digits(char *end, uint64_t value, unsigned int base,
                          bool capitals)
{
	const char *digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; value != 0; value /= base)
		*--end = digits[value % base];
	return end;
}

/* PREFIX, zeroes and VALUE's digits in a field. */
static void put_number(struct output *out, const struct spec *spec,
                       const char *prefix, uint64_t value, unsigned int base)
{
	char buffer[DIGITS_MAX];
	char *end = buffer + sizeof(buffer);
	char *text = write_digits(end, value, base, spec->conversion == 'X');
	size_t length = (size_t)(end - text);
	size_t digits = spec->has_precision ? spec->precision : 1;
	size_t prefix_length = strlen(prefix);
	size_t total;

	/* %#o promises a leading 0, which may be a digit there anyway. */
	if (base == 8 && spec->alternate)
		digits = max(digits, length + 1);
	digits = max(digits, length);
	if (spec->zero && !spec->left && !spec->has_precision &&
	    spec->width > prefix_length)
		digits = max(digits, spec->width - prefix_length);

	total = prefix_length + digits;
	if (!spec->left && spec->width > total)
		put_many(out, ' ', spec->width - total);
	format_put_text(out, prefix, prefix_length);
	put_many(out, '0', digits - length);
	format_put_text(out, text, length);
	if (spec->left && spec->width > total)
		put_many(out, ' ', spec->width - total);
}

static void put_signed(struct output *out, const struct spec *spec,
                       struct arguments *arguments)
{
	int64_t value = spec->size == sizeof(long)
	                        ? va_arg(arguments->list, long)
	                        : va_arg(arguments->list, int);
	const char *sign = spec->plus ? "+" : spec->space ? " " : "";
	unsigned int spare = 64 - 8 * spec->size;
	uint64_t magnitude;

	value = (int64_t)((uint64_t)value << spare) >> spare;
	magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	put_number(out, spec, value < 0 ? "-" : sign, magnitude, 10);
}

static void put_unsigned(struct output *out, const struct spec *spec,
                         struct arguments *arguments, unsigned int base)
{
	uint64_t value = spec->size == sizeof(long)
	                         ? va_arg(arguments->list, unsigned long)
	                         : va_arg(arguments->list, unsigned int);
	const char *prefix = "";

	if (spec->size == sizeof(short))
		value = (unsigned short)value;
	else if (spec->size == sizeof(char))
		value = (unsigned char)value;
	if (base == 16 && spec->alternate && value != 0)
		prefix = spec->conversion == 'X' ? "0X" : "0x";
	put_number(out, spec, prefix, value, base);
}

static void put_pointer(struct output *out, struct spec *spec,
                        struct arguments *arguments)
{
	spec->has_precision = true;
	spec->precision = 16;
	put_number(out, spec, "0x", (uintptr_t)va_arg(arguments->list, void *),
	           16);
}

static void put_string(struct output *out, const struct spec *spec,
                       struct arguments *arguments)
{
	const char *text = va_arg(arguments->list, const char *);

	if (text == NULL)
		text = "(null)";
	put_field(out, spec, text,
	          strnlen(text,
	                  spec->has_precision ? spec->precision : SIZE_MAX));
}

/* Write the argument of SPEC.  False: there is no such conversion. */
static bool put_argument(struct output *out, struct spec *spec,
                         struct arguments *arguments)
{
	char c;

	switch (spec->conversion) {
	case 'd':
	case 'i':
		put_signed(out, spec, arguments);
		return true;
	case 'u':
		put_unsigned(out, spec, arguments, 10);
		return true;
	case 'x':
	case 'X':
		put_unsigned(out, spec, arguments, 16);
		return true;
	case 'o':
		put_unsigned(out, spec, arguments, 8);
		return true;
	case 'c':
		c = (char)va_arg(arguments->list, int);
		put_field(out, spec, &c, 1);
		return true;
	case 's':
		put_string(out, spec, arguments);
		return true;
	case 'p':
		put_pointer(out, spec, arguments);
		return true;
	case '%':
		format_put(out, '%');
		return true;
	default:
		return false;
	}
}

int vscnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct output out = { buffer, buffer + size - 1 };
	struct arguments left;
	struct spec spec;

	if (size == 0)
		return 0;
	va_copy(left.list, arguments);
	while (*format != '\0') {
		const char *begin = format++;

		if (*begin != '%') {
			format_put(&out, *begin);
			continue;
		}
		format = read_spec(&spec, format, &left);
		if (!put_argument(&out, &spec, &left))
			format_put_text(&out, begin, (size_t)(format - begin));
	}
	va_end(left.list);
	*out.at = '\0';
	return (int)(out.at - buffer);
}

int scnprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}

size_t fold_length(const char *text, size_t width)
{
	size_t at = 0;
	size_t best = 0;

	while (text[at] == ' ' && at < width)
		at++;
	for (; text[at] != '\0'; at++) {
		if (text[at] == ' ')
			best = at;
		if (at == width)
			return best > 0 ? best : width;
		if (text[at] == '|')
			best = at + 1;
	}
	return at;
}
