/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_trace.c -- the trace, fault injection and the knobs.
 */
#include "kernel/core/console.h"
#include "kernel/fail.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell_command.h"
#include "kernel/sysctl.h"
#include "kernel/tracer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

#define TRACE_SHOWN 20 /* what `trace show` alone shows */

/* ---- trace --------------------------------------------------------------- */

static void print_events(const struct trace *trace)
{
	for (unsigned int i = 0; i < TRACE_EVENT_COUNT; i++) {
		enum trace_event event = (enum trace_event)i;

		console_printf("  %-3s %s\n",
		               trace_is_on(trace, event) ? "on" : "",
		               trace_event_name(event));
	}
}

static void print_trace(const struct trace *trace)
{
	uint64_t next = READ_ONCE(trace->next);
	struct tracer_statistics stream = tracer_statistics();
	struct trace_reader reader;

	trace_read_begin(&reader, trace, UINT64_MAX);
	print_events(trace);
	console_printf("%llu recorded, the last %llu kept; room for %llu\n",
	               (unsigned long long)next,
	               (unsigned long long)(next - reader.next),
	               (unsigned long long)trace->count);
	console_printf("stream to COM2: %s, %llu sent, %llu lost\n",
	               stream.streaming ? "on" : "off",
	               (unsigned long long)stream.sent,
	               (unsigned long long)stream.lost);
}

static void show_records(const struct trace *trace, uint64_t last)
{
	static char text[TRACE_LINE_MAX]; /* one shell */
	struct trace_record record;
	struct trace_reader reader;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	trace_read_begin(&reader, trace, last);
	/* Records that are written meanwhile are for the next time. */
	for (uint64_t end = READ_ONCE(trace->next);
	     reader.next < end && !shell_interrupted();) {
		answer = trace_read(&reader, &record, &number, &count);
		if (answer == TRACE_NOTHING)
			return;
		if (answer == TRACE_LOST)
			console_printf("[%llu records lost]\n",
			               (unsigned long long)count);
		else
			console_fold(6, "%s",
			             trace_format(text, sizeof(text), &record));
	}
}

static void enable(struct trace *trace, uint32_t mask)
{
	if (trace_enable(trace, mask) != 0)
		console_printf("trace: there is no ring\n");
}

static int run_stream(int argc, char **argv)
{
	int error = -EINVAL;

	if (argc == 3 && strcmp(argv[2], "on") == 0)
		error = tracer_stream_begin(false);
	else if (argc == 3 && strcmp(argv[2], "frames") == 0)
		error = tracer_stream_begin(true);
	else if (argc == 3 && strcmp(argv[2], "off") == 0)
		error = tracer_stream_end();
	if (error == -ENODEV)
		console_printf("trace: no UART answers at COM2\n");
	else if (error == -EBUSY || error == -ENOENT)
		console_printf("trace: it is %s already\n",
		               error == -EBUSY ? "on" : "off");
	else if (error == -ENOMEM)
		console_printf("trace: no memory for the thread\n");
	return error == -EINVAL ? error : 0;
}

static int run_show(struct trace *trace, int argc, char **argv)
{
	uint64_t last = TRACE_SHOWN;

	if (argc > 3)
		return -EINVAL;
	if (argc == 3 &&
	    shell_number(argv[2], "trace show", 1, UINT32_MAX, &last) != 0)
		return 0;
	show_records(trace, last);
	return 0;
}

/* trace EVENT...: these and no others. */
static int run_choose(struct trace *trace, int argc, char **argv)
{
	char words[LINE_SIZE];
	uint32_t mask;

	if (tracer_parse(shell_join(words, sizeof(words), argv, 1, argc),
	                 &mask) != 0) {
		console_printf("trace: no event begins like this; 'trace' "
		               "lists them\n");
		return 0;
	}
	enable(trace, mask);
	return 0;
}

static int run_trace(int argc, char **argv)
{
	struct trace *trace = &main_node()->trace;

	if (argc == 1)
		print_trace(trace);
	else if (strcmp(argv[1], "stream") == 0)
		return run_stream(argc, argv);
	else if (strcmp(argv[1], "show") == 0)
		return run_show(trace, argc, argv);
	else if (argc == 2 && strcmp(argv[1], "on") == 0)
		enable(trace, TRACE_ALL);
	else if (argc == 2 && strcmp(argv[1], "off") == 0)
		enable(trace, 0);
	else if (argc == 2 && strcmp(argv[1], "clear") == 0)
		trace_clear(trace);
	else
		return run_choose(trace, argc, argv);
	return 0;
}

static const char *trace_candidate(const char *word __unused,
                                   unsigned int index)
{
	static const char *const name[] = { "on", "off", "show", "clear",
		                            "stream" };

	if (index < ARRAY_SIZE(name))
		return name[index];
	index -= ARRAY_SIZE(name);
	return index < TRACE_EVENT_COUNT
	               ? trace_event_name((enum trace_event)index)
	               : NULL;
}

/* ---- fail ---------------------------------------------------------------- */

static void print_setting(const char *name, const char *value)
{
	console_printf("  %-20s %s\n", name, value);
}

static const char *fail_error(int error)
{
	if (error == -ERANGE)
		return "is out of range";
	return error == -ENOENT ? "is no place in the code" : "makes no sense";
}

static int shell_fail(enum fail_point point, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "off") == 0) {
		fail_reset(point);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		int error = fail_set(point, argv[i]);

		if (error != 0) {
			console_printf("%s: '%s' %s\n", argv[0], argv[i],
			               fail_error(error));
			return 0;
		}
	}
	if (argc > 1)
		return 0;
	fail_visit(point, print_setting);
	console_printf("  %-20s %lu\n", "fault_injected",
	               vmstat_read(&main_node()->stat, VMSTAT_fault_injected));
	return 0;
}

static int run_fail(int argc, char **argv)
{
	return shell_fail(FAIL_PAGE_ALLOC, argc, argv);
}

static int run_failslab(int argc, char **argv)
{
	return shell_fail(FAIL_SLAB, argc, argv);
}

#define FAIL_WORDS_OF_PAGES 5 /* the last ones are settings of pages alone */

static const char *const fail_words[] = {
	"off",
	"probability=",
	"interval=",
	"times=",
	"space=",
	"verbose=",
	"task-filter=",
	"context=",
	"require=",
	"reject=",
	"stacktrace-depth=",
	"ignore-gfp-wait=",
	"make-it-fail=",
	"seed=",
	"min-order=",
	"max-order=",
	"zone=",
	"ignore-gfp-highmem=",
	"fail-nth=",
};

static const char *fail_candidate(const char *word __unused, unsigned int index)
{
	return index < ARRAY_SIZE(fail_words) ? fail_words[index] : NULL;
}

static const char *failslab_candidate(const char *word __unused,
                                      unsigned int index)
{
	return index < ARRAY_SIZE(fail_words) - FAIL_WORDS_OF_PAGES
	               ? fail_words[index]
	               : NULL;
}

/* ---- sysctl -------------------------------------------------------------- */

static void print_knob(const struct sysctl *knob)
{
	console_printf("%s =", knob->name);
	for (unsigned int i = 0; i < knob->count; i++)
		console_printf(" %lld", (long long)knob->get(main_node(), i));
	console_printf("\n");
}

static void set_knob(const struct sysctl *knob, const char *text)
{
	int error = sysctl_set(knob, main_node(), text);

	if (error == 0)
		print_knob(knob);
	else if (error == -ENOMEM)
		console_printf("sysctl: %s: too much for this machine\n",
		               knob->name);
	else
		console_printf("sysctl: %s: out of range, or not as many "
		               "numbers: it takes %u of %lld..%lld\n",
		               knob->name, knob->count, (long long)knob->low,
		               (long long)knob->high);
}

static void print_knobs(void)
{
	const struct sysctl *knob;

	for (unsigned int i = 0; (knob = sysctl_at(i)) != NULL; i++)
		print_knob(knob);
}

static int run_sysctl(int argc, char **argv)
{
	const struct sysctl *knob;
	char text[LINE_SIZE];
	const char *equals;
	size_t length;

	if (argc == 1) {
		print_knobs();
		return 0;
	}
	shell_join(text, sizeof(text), argv, 1, argc);
	equals = strchr(text, '=');
	length = equals == NULL ? strlen(text) : (size_t)(equals - text);
	knob = sysctl_find(text, length);
	if (knob == NULL)
		console_printf("sysctl: there is no '%s'\n", text);
	else if (equals == NULL)
		print_knob(knob);
	else
		set_knob(knob, equals + 1);
	return 0;
}

static const char *sysctl_candidate(const char *word __unused,
                                    unsigned int index)
{
	const struct sysctl *knob = sysctl_at(index);

	return knob == NULL ? NULL : knob->name;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("trace", "[on|off|show|clear|EVENT]", run_trace,
	              trace_candidate,
	              "what the allocator did; stream: over COM2"),
	SHELL_COMMAND("fail", "[off|NAME=VALUE ...]", run_fail, fail_candidate,
	              "allocations fail on purpose"),
	SHELL_COMMAND("failslab", "[off|NAME=VALUE ...]", run_failslab,
	              failslab_candidate, "the same for objects"),
	SHELL_COMMAND("sysctl", "[NAME[=VALUE ...]]", run_sysctl,
	              sysctl_candidate, "marks, reserves, swappiness"),
};

SHELL_TABLE(shell_trace_commands, "knobs",
            "tracing, failures on purpose, settings", commands);
