/* SPDX-License-Identifier: MIT */
/*
 * kernel/tracer.c -- the thread that sends the trace over COM2.
 *
 *	traced code --trace_write()--> ring --trace_read()--> tracer --> COM2
 *
 * The traced code does not know this thread: it wakes no thread, so that it can
 * be traced under any lock and in an NMI.  The thread looks every 10 ms.  It
 * has a priority below the others' and may be as slow as the line, 11520 bytes a
 * second, about a hundred records; what the ring could not keep for it is
 * counted and said in the stream.
 *
 * Each line covers the numbers from its "seq" on: one, or as many as its "lost"
 * says.  Together they have no gap.
 */
#include "kernel/tracer.h"

#include "drivers/serial2.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

#define LOOK_EVERY 10000 /* microseconds */

static uint32_t wanted_events; /* by trace= */
static bool wanted_stream;

/* The stream.  `streaming` is changed by the shell and by the tracer at its
 * end; the others are the tracer's. */
static bool streaming;
static bool ending;  /* go to `end` and no further */
static uint64_t end; /* number */
static struct thread *tracer;
static struct trace_reader reader;
static uint64_t sent;

/* ---- Words --------------------------------------------------------------- */

/* The next word of *WORDS into WORD; false if there is none, or it is too long
 * for any name (and then the word is empty). */
static bool tracer_next_word(const char **words, char *word, size_t size)
{
	const char *at = *words;
	size_t length = 0;

	while (*at == ',' || *at == ' ')
		at++;
	if (*at == '\0')
		return false;
	for (; *at != '\0' && *at != ',' && *at != ' '; at++) {
		if (length < size - 1)
			word[length++] = *at;
	}
	word[length] = '\0';
	*words = at;
	return true;
}

int tracer_parse(const char *words, uint32_t *mask)
{
	uint32_t events = 0;
	bool any = false;
	char word[48];

	while (tracer_next_word(&words, word, sizeof(word))) {
		uint32_t like = trace_events_like(word);

		any = true;
		if (strcmp(word, "none") == 0)
			continue;
		if (strcmp(word, "all") == 0)
			like = TRACE_ALL;
		if (like == 0)
			return -EINVAL;
		events |= like;
	}
	if (!any)
		return -EINVAL;
	*mask = events;
	return 0;
}

static int set_trace(const char *value)
{
	return value == NULL ? -EINVAL : tracer_parse(value, &wanted_events);
}

static int set_stream(const char *value)
{
	wanted_stream = value == NULL;
	return value == NULL ? 0 : -EINVAL;
}

PARAM(trace, "trace", "=EVENT,...: record these events (all)", set_trace);
PARAM(trace_stream, "trace_stream", ": send the trace over COM2", set_stream);

/* ---- The stream ---------------------------------------------------------- */

static void tracer_send(char *line, size_t length)
{
	line[length] = '\n';
	serial2_write(line, length + 1);
}

static void send_mark(const char *event, uint64_t number, const char *key,
                      uint64_t value)
{
	char line[128];

	tracer_send(line, (size_t)scnprintf(line, sizeof(line) - 1,
	                                    "{\"seq\":%llu,\"event\":\"%s\","
	                                    "\"%s\":%llu}",
	                                    (unsigned long long)number, event,
	                                    key, (unsigned long long)value));
}

static void send_record(uint64_t number, const struct trace_record *record)
{
	static char line[TRACE_LINE_MAX];

	trace_format_json(line, sizeof(line) - 1, number, record);
	tracer_send(line, strlen(line));
	WRITE_ONCE(sent, sent + 1);
}

static bool at_end(void)
{
	return READ_ONCE(ending) && reader.next >= READ_ONCE(end);
}

/* Send all there is. */
static void send_all(void)
{
	static struct trace_record record;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	while (!at_end()) {
		answer = trace_read(&reader, &record, &number, &count);
		if (answer == TRACE_NOTHING)
			return;
		if (answer == TRACE_LOST)
			send_mark("lost", number, "lost", count);
		else
			send_record(number, &record);
	}
}

static void tracer_run(void *data __unused)
{
	send_mark("begin", reader.next, "records", reader.trace->count);
	for (;;) {
		send_all();
		if (at_end())
			break;
		thread_sleep(LOOK_EVERY);
	}
	send_mark("end", reader.next, "sent", sent);
	WRITE_ONCE(streaming, false);
}

int tracer_stream_begin(void)
{
	const struct trace *trace = &main_node()->trace;

	if (READ_ONCE(streaming))
		return -EBUSY;
	if (tracer != NULL)
		thread_join(tracer);
	tracer = NULL;
	if (trace->count == 0 || serial2_init() != 0)
		return -ENODEV;
	WRITE_ONCE(ending, false);
	WRITE_ONCE(sent, 0);
	trace_read_begin(&reader, trace, 0);
	WRITE_ONCE(streaming, true);
	tracer = thread_create_priority("tracer", PRIORITY_LOW, tracer_run,
	                                NULL);
	if (tracer != NULL)
		return 0;
	WRITE_ONCE(streaming, false);
	return -ENOMEM;
}

int tracer_stream_end(void)
{
	if (!READ_ONCE(streaming))
		return -ENOENT;
	WRITE_ONCE(end, __atomic_load_n(&reader.trace->next, __ATOMIC_ACQUIRE));
	WRITE_ONCE(ending, true);
	return 0;
}

struct tracer_statistics tracer_statistics(void)
{
	return (struct tracer_statistics){
		.streaming = READ_ONCE(streaming),
		.sent = READ_ONCE(sent),
		.lost = READ_ONCE(reader.lost),
	};
}

void tracer_start(void)
{
	struct trace *trace = &main_node()->trace;
	int error = 0;

	if (wanted_stream)
		error = tracer_stream_begin();
	if (error == 0 && wanted_events != 0)
		error = trace_enable(trace, wanted_events);
	if (error != 0)
		pr_err("trace: not possible: error %d\n", -error);
}
