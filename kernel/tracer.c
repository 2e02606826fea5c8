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
 * says.  Together they have no gap.  If frames are wanted, too, there are lines between
 * them that say how memory is (kernel/tracer_look.c).  Then somebody watches, and wants
 * to see a busy machine as well: the thread has high priority, and sleeps at least as
 * long as it was awake.
 */
#include "kernel/tracer.h"

#include "drivers/serial2.h"
#include "kernel/core/clock.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/thread.h"
#include "kernel/tracer_look.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

#define LOOK_EVERY     10000 /* microseconds */
#define COUNTERS_EVERY 200000
#define BURST          128U /* records, between two rests of the watched machine */

static uint32_t wanted_events; /* by trace= */
static bool wanted_stream;
static bool wanted_frames;

/* The stream.  `streaming` is changed by the shell and by the tracer at its
 * end; the others are the tracer's. */
static bool streaming;
static bool ending;  /* go to `end` and no further */
static uint64_t end; /* number */
static struct thread *tracer;
static struct trace_reader reader;
static uint64_t sent;
static struct tracer_look *look; /* NULL: frames are not wanted */

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
	wanted_frames = value != NULL && strcmp(value, "frames") == 0;
	wanted_stream = value == NULL || wanted_frames;
	return wanted_stream ? 0 : -EINVAL;
}

PARAM(trace, "trace", "=EVENT,...: record these events (all)", set_trace);
PARAM(trace_stream, "trace_stream",
      "[=frames]: send the trace over COM2, and the state of all frames",
      set_stream);

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

	if (look != NULL)
		tracer_look_send_name(look, number, record->owner);
	trace_format_json(line, sizeof(line) - 1, number, record);
	tracer_send(line, strlen(line));
	WRITE_ONCE(sent, sent + 1);
}

static bool at_end(void)
{
	return READ_ONCE(ending) && reader.next >= READ_ONCE(end);
}

/* Send what there is up to number UNTIL; if frames are wanted, a burst at most. */
static void send_all(uint64_t until)
{
	static struct trace_record record;
	unsigned int burst = look != NULL ? BURST : UINT32_MAX;
	enum trace_answer answer;
	uint64_t number;
	uint64_t count;

	for (; burst > 0 && !at_end() && reader.next < until; burst--) {
		answer = trace_read(&reader, &record, &number, &count);
		if (answer == TRACE_NOTHING)
			return;
		if (answer == TRACE_LOST)
			send_mark("lost", number, "lost", count);
		else
			send_record(number, &record);
	}
}

/* It was awake since BEGAN: sleep. */
static void rest_since(uint64_t began)
{
	uint64_t awake = clock_microseconds() - began;

	thread_sleep(look != NULL ? max(awake, (uint64_t)LOOK_EVERY)
	                          : LOOK_EVERY);
}

/* Send all of it: a record that is still being written is waited for. */
static void send_until(uint64_t until)
{
	while (!at_end() && reader.next < until) {
		uint64_t began = clock_microseconds();

		send_all(until);
		if (reader.next < until)
			rest_since(began);
	}
}

static void send_counters(void)
{
	send_until(tracer_look_take_counters(look));
	tracer_look_send_counters(look, reader.next);
}

/* The stream ends where they are exact, not where its end was asked for. */
static void send_last_counters(void)
{
	uint64_t number = tracer_look_take_counters(look);

	WRITE_ONCE(end, max(number, end));
	send_until(number);
	tracer_look_send_counters(look, reader.next);
}

/* Memory, and sometimes the counters: *COUNTERS is when they are due. */
static void send_look(uint64_t *counters)
{
	uint64_t number;

	if (clock_microseconds() >= *counters) {
		*counters = clock_microseconds() + COUNTERS_EVERY;
		send_counters();
	}
	tracer_look_take(look);
	while (tracer_look_due(look, &number)) {
		send_until(number);
		tracer_look_send(look, reader.next);
	}
}

static void tracer_run(void *data __unused)
{
	uint64_t counters = 0;

	send_mark("begin", reader.next, "records", reader.trace->count);
	if (look != NULL)
		tracer_look_send_machine(look, reader.next);
	for (;;) {
		uint64_t began = clock_microseconds();

		if (look != NULL && !READ_ONCE(ending))
			send_look(&counters);
		send_all(UINT64_MAX);
		if (at_end())
			break;
		rest_since(began);
	}
	if (look != NULL)
		send_last_counters();
	send_mark("end", reader.next, "sent", sent);
	tracer_look_end(look);
	look = NULL;
	WRITE_ONCE(streaming, false);
}

static int tracer_begin_look(bool frames)
{
	kassert(look == NULL);
	if (frames)
		look = tracer_look_begin(main_node());
	return frames && look == NULL ? -ENOMEM : 0;
}

int tracer_stream_begin(bool frames)
{
	const struct trace *trace = &main_node()->trace;

	if (READ_ONCE(streaming))
		return -EBUSY;
	if (tracer != NULL)
		thread_join(tracer);
	tracer = NULL;
	if (trace->count == 0 || serial2_init() != 0)
		return -ENODEV;
	if (tracer_begin_look(frames) != 0)
		return -ENOMEM;
	WRITE_ONCE(ending, false);
	WRITE_ONCE(sent, 0);
	trace_read_begin(&reader, trace, 0);
	WRITE_ONCE(streaming, true);
	tracer = thread_create_priority("tracer",
	                                frames ? PRIORITY_HIGH : PRIORITY_LOW,
	                                tracer_run, NULL);
	if (tracer != NULL)
		return 0;
	tracer_look_end(look);
	look = NULL;
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

	/* The events first: then the counters that the stream begins with are not ahead
	 * of them. */
	if (wanted_events != 0)
		error = trace_enable(trace, wanted_events);
	if (error == 0 && wanted_stream)
		error = tracer_stream_begin(wanted_frames);
	if (error != 0)
		pr_err("trace: not possible: error %d\n", -error);
}
