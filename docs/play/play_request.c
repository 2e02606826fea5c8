/* SPDX-License-Identifier: MIT */
/*
 * docs/play/play_request.c -- requests in all contexts, what they got, and their way.
 *
 * A context is entered as the machine enters it: an interrupt arrives and returns, a
 * scope begins and ends.  The allocator finds out by itself where it is called.
 *
 * A single request is recorded by mm/debug/trace.h, unless a page lies ready on this
 * CPU's list: the shortcut is closed while somebody traces, and the request would take
 * another way than it was going to.
 */
#include "docs/play/play.h"
#include "kernel/core/context.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/contig/contig.h"
#include "mm/debug/explain.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/route.h"
#include "mm/scope.h"
#include "tests/host/libmm.h"

#define MOST_BLOCKS   65536U
#define TRACE_RECORDS 1024U
#define BLOCKS_TOLD   64U

enum play_context {
	PLAY_THREAD,
	PLAY_IRQ,
	PLAY_SOFTIRQ,
	PLAY_NMI,
	PLAY_IRQSOFF,
	PLAY_RECLAIM,
	PLAY_NOIO,
	PLAY_NOFS,
	PLAY_CONTEXTS,
};

static const char *const context_names[PLAY_CONTEXTS] = {
	[PLAY_THREAD] = "thread",   [PLAY_IRQ] = "irq",
	[PLAY_SOFTIRQ] = "softirq", [PLAY_NMI] = "nmi",
	[PLAY_IRQSOFF] = "irqsoff", [PLAY_RECLAIM] = "reclaim",
	[PLAY_NOIO] = "noio",       [PLAY_NOFS] = "nofs",
};

/* The arguments of a command. */
struct wish {
	enum play_context context;
	unsigned long count;
	unsigned int order;
	gfp_t gfp;
};

/* A block of a request; its id is its place + 1. */
struct block {
	struct page *page; /* NULL: free again */
	unsigned int order;
	enum play_context context; /* for exclusive pages: their owner's */
};

static struct {
	struct block block[MOST_BLOCKS];
	unsigned int
		blocks; /* places in use, the free ones among them included */
	unsigned long contig_pfn, contig_count; /* 0: nobody has a range */
	struct owner line;                      /* whose interrupts these are */
	struct trace_record records[TRACE_RECORDS];
	struct alloc_route route;
} asked;

void play_request_start(void)
{
	asked.blocks = 0;
	asked.contig_count = 0;
	memset(&asked.line, 0, sizeof(asked.line));
	machine_begin_line(&asked.line, "network");
	memset(asked.records, 0, sizeof(asked.records));
	trace_init(&play_node()->trace, asked.records, TRACE_RECORDS);
}

/* ---- Contexts ------------------------------------------------------------ */

static unsigned int enter(enum play_context context)
{
	switch (context) {
	case PLAY_IRQ:
		machine_enter_irq(&asked.line);
		break;
	case PLAY_SOFTIRQ:
		machine_enter_softirq();
		break;
	case PLAY_NMI:
		machine_enter_nmi();
		break;
	case PLAY_IRQSOFF:
		arch_irq_disable();
		break;
	case PLAY_RECLAIM:
		return memalloc_noreclaim_save();
	case PLAY_NOIO:
		return memalloc_noio_save();
	case PLAY_NOFS:
		return memalloc_nofs_save();
	case PLAY_THREAD:
	case PLAY_CONTEXTS:
		break;
	}
	return 0;
}

static void leave(enum play_context context, unsigned int scope)
{
	switch (context) {
	case PLAY_IRQ:
		machine_leave_irq();
		break;
	case PLAY_SOFTIRQ:
		machine_leave_softirq();
		break;
	case PLAY_NMI:
		machine_leave_nmi();
		break;
	case PLAY_IRQSOFF:
		arch_irq_enable();
		break;
	case PLAY_RECLAIM:
		memalloc_noreclaim_restore(scope);
		break;
	case PLAY_NOIO:
		memalloc_noio_restore(scope);
		break;
	case PLAY_NOFS:
		memalloc_nofs_restore(scope);
		break;
	case PLAY_THREAD:
	case PLAY_CONTEXTS:
		break;
	}
}

static bool parse_context(const char *word, enum play_context *context)
{
	for (unsigned int i = 0; i < PLAY_CONTEXTS; i++) {
		if (strcmp(word, context_names[i]) == 0) {
			*context = (enum play_context)i;
			return true;
		}
	}
	return false;
}

/* The words from AT on: [COUNT] ORDER FLAGS... */
static const char *parse_wish(const struct play_words *words, bool counted,
                              struct wish *wish)
{
	char text[PLAY_LINE] = "";
	char bad[40];
	unsigned long order;
	unsigned int at = 1;
	size_t length = 0;

	*wish = (struct wish){ .count = 1 };
	if (words->count < (counted ? 5U : 4U))
		return "a request wants a context, an order and flags";
	if (!parse_context(words->word[at++], &wish->context))
		return "there is no such context";
	if (counted &&
	    !play_parse(words->word[at++], 1, MOST_BLOCKS, &wish->count))
		return "the count is 1 to 65536";
	if (!play_parse(words->word[at++], 0, MAX_ORDER + 1, &order))
		return "the order is 0 to 10";
	wish->order = (unsigned int)order;
	for (; at < words->count; at++)
		length +=
			(size_t)scnprintf(text + length, sizeof(text) - length,
		                          "%s ", words->word[at]);
	if (gfp_parse(text, &wish->gfp, bad, sizeof(bad)) != 0)
		return "there is no such flag";
	return NULL;
}

/* ---- The way ------------------------------------------------------------- */

static const char *const rung_keys[RUNG_COUNT + 1] = {
	[RUNG_SHORTCUT] = "shortcut",
	[RUNG_FAST] = "fast",
	[RUNG_WAKE] = "wake",
	[RUNG_MIN] = "min",
	[RUNG_EARLY_COMPACT] = "early_compact",
	[RUNG_AGAIN] = "again",
	[RUNG_RECLAIM] = "reclaim",
	[RUNG_COMPACT] = "compact",
	[RUNG_RETRY] = "retry",
	[RUNG_LISTS] = "lists",
	[RUNG_KILL] = "kill",
	[RUNG_NEVER_FAIL] = "never_fail",
	[RUNG_COUNT] = "fail",
};

static const char *outcome_key(enum route_outcome outcome)
{
	switch (outcome) {
	case ROUTE_GIVES:
		return "gives";
	case ROUTE_REFUSES:
		return "refuses";
	case ROUTE_ACTS:
		return "acts";
	case ROUTE_CLOSED:
		return "closed";
	}
	return "?";
}

static const char *source_text(enum route_source source)
{
	switch (source) {
	case SOURCE_LIST:
		return "this CPU's list";
	case SOURCE_OWN:
		return "free blocks of its type";
	case SOURCE_CMA:
		return "a CMA pageblock";
	case SOURCE_HIGHATOMIC:
		return "a pageblock for urgent requests";
	case SOURCE_CLAIM:
		return "a pageblock of another type, which it claims";
	case SOURCE_STEAL:
		return "a pageblock of another type, which stays so";
	case SOURCE_POOL:
		return "the parked pool";
	case SOURCE_NONE:
		break;
	}
	return "nowhere";
}

static const char *mark_name(enum watermark mark)
{
	static const char *const names[WMARK_COUNT] = { "min", "low", "high",
		                                        "promo" };

	return mark < WMARK_COUNT ? names[mark] : "?";
}

/* Each zone of a refusing pass has a sentence, from the highest. */
static void tell_refusals(const struct alloc_request *request,
                          const struct route_step *step)
{
	char text[EXPLANATION_SIZE];

	play_open("refusals", '[');
	for (int type = (int)request->highest_zone; type >= ZONE_DMA; type--) {
		const struct zone *zone = &play_node()->zone[type];

		if (zone->managed > 0 && !request->exclusive &&
		    alloc_explain(text, sizeof(text), zone, request, step->mark,
		                  step->right))
			play_string(NULL, text);
	}
	play_close(']');
}

static void tell_step(const struct alloc_route *route, enum alloc_rung rung)
{
	const struct route_step *step = &route->step[rung];

	play_open(NULL, '{');
	play_string("rung", rung_keys[rung]);
	play_string("outcome", outcome_key(step->outcome));
	if (step->pass) {
		play_string("mark", mark_name(step->mark));
		play_string("right", reserve_right_name(step->right));
	}
	if (step->outcome == ROUTE_GIVES) {
		play_string("zone", step->zone->name);
		play_string("source", source_text(step->source));
	} else if (step->outcome != ROUTE_REFUSES) {
		play_string("why", step->why == NULL ? "" : step->why);
	} else if (step->pass) {
		tell_refusals(&route->request, step);
	}
	play_close('}');
}

static const char *verdict_key(enum gfp_verdict verdict)
{
	switch (verdict) {
	case GFP_OK:
		return "ok";
	case GFP_REFUSED:
		return "refused";
	case GFP_TOO_LARGE:
		return "too large";
	case GFP_MUST_SLEEP:
		return "must sleep";
	case GFP_IN_NMI:
		return "in an NMI";
	}
	return "?";
}

static void find_route(const struct wish *wish)
{
	unsigned int scope = enter(wish->context);
	struct alloc_context context = gfp_context();

	leave(wish->context, scope);
	alloc_route(play_node(), wish->gfp, wish->order, &context,
	            &asked.route);
}

static void tell_request(const struct wish *wish)
{
	const struct alloc_request *request = &asked.route.request;
	char names[200];

	play_string("mask", gfp_format(names, sizeof(names), wish->gfp));
	play_string("flags", gfp_format_flags(names, sizeof(names), wish->gfp));
	play_string("context", context_names[wish->context]);
	play_number("order", wish->order);
	play_string("verdict", verdict_key(asked.route.verdict));
	if (asked.route.verdict != GFP_OK) {
		play_string("why", asked.route.why);
		return;
	}
	play_string("zone", zone_type_name(request->highest_zone));
	play_string("type", migratetype_name(request->migratetype));
	play_string("right", reserve_right_name(request->right));
	play_string("last_right", reserve_right_name(request->last_right));
	play_bool("sleeps", request->may_sleep);
	play_bool("waits", asked.route.waits);
	play_string("rung", rung_keys[asked.route.rung]);
}

const char *play_route(const struct play_words *words)
{
	struct wish wish;
	const char *wrong = parse_wish(words, false, &wish);

	if (wrong != NULL)
		return wrong;
	find_route(&wish);
	tell_request(&wish);
	play_open("steps", '[');
	for (enum alloc_rung rung = RUNG_SHORTCUT;
	     rung < RUNG_COUNT && asked.route.verdict == GFP_OK; rung++)
		tell_step(&asked.route, rung);
	play_close(']');
	return NULL;
}

/* ---- Requests ------------------------------------------------------------ */

/* A place for what COUNT requests get; false: there is none. */
static bool has_room(unsigned long count)
{
	while (asked.blocks > 0 && asked.block[asked.blocks - 1].page == NULL)
		asked.blocks--;
	return asked.blocks + count <= MOST_BLOCKS;
}

static unsigned long request_all(const struct wish *wish)
{
	unsigned long got = 0;

	for (; got < wish->count; got++) {
		unsigned int scope = enter(wish->context);
		struct page *page =
			alloc_pages_node(play_node(), wish->gfp, wish->order);

		leave(wish->context, scope);
		if (page == NULL)
			break;
		asked.block[asked.blocks++] = (struct block){
			.page = page,
			.order = wish->order,
			.context = wish->context,
		};
	}
	return got;
}

static void tell_blocks(unsigned int from)
{
	play_open("blocks", '[');
	for (unsigned int i = from; i < asked.blocks && i < from + BLOCKS_TOLD;
	     i++) {
		play_open(NULL, '[');
		play_number(NULL, i + 1);
		play_number(NULL, node_pfn(play_node(), asked.block[i].page));
		play_number(NULL, asked.block[i].order);
		play_close(']');
	}
	play_close(']');
}

static void tell_events(struct trace_reader *reader)
{
	struct trace_record record;
	char line[TRACE_LINE_MAX];
	uint64_t number;
	uint64_t count;

	play_open("events", '[');
	while (trace_read(reader, &record, &number, &count) == TRACE_GOT)
		play_string(NULL, trace_format(line, sizeof(line), &record));
	play_close(']');
}

const char *play_alloc(const struct play_words *words)
{
	struct trace *trace = &play_node()->trace;
	struct trace_reader reader;
	struct wish wish;
	const char *wrong = parse_wish(words, true, &wish);
	unsigned int from;
	bool traced;

	if (wrong != NULL)
		return wrong;
	if (!has_room(wish.count))
		return "the page has no room for so many blocks";
	find_route(&wish);
	tell_request(&wish);
	traced = wish.count == 1 && (asked.route.verdict != GFP_OK ||
	                             asked.route.rung != RUNG_SHORTCUT);
	trace_read_begin(&reader, trace, 0);
	if (traced && trace_enable(trace, TRACE_ALL) != 0)
		return "there is no ring for the trace";
	from = asked.blocks;
	play_number("got", request_all(&wish));
	play_number("asked", wish.count);
	if (traced && trace_enable(trace, 0) != 0)
		return "there is no ring for the trace";
	tell_blocks(from);
	tell_events(&reader);
	return NULL;
}

/* ---- Frees --------------------------------------------------------------- */

static void free_block(struct block *block)
{
	struct page *page = block->page;
	unsigned int scope;

	block->page = NULL;
	if (!page_is_exclusive(page)) {
		free_pages_node(play_node(), page, block->order, 0);
		return;
	}
	scope = enter(block->context);
	if (exclusive_release(exclusive_address(page)) != 0)
		panic("an exclusive page is not its owner's");
	leave(block->context, scope);
}

/* Each Nth of the blocks that are not free. */
static unsigned long free_each(unsigned long each)
{
	unsigned long seen = 0;
	unsigned long freed = 0;

	for (unsigned int i = 0; i < asked.blocks; i++) {
		if (asked.block[i].page == NULL || ++seen % each != 0)
			continue;
		free_block(&asked.block[i]);
		freed++;
	}
	return freed;
}

static unsigned long free_last(unsigned long count)
{
	unsigned long freed = 0;

	for (unsigned int i = asked.blocks; i > 0 && freed < count; i--) {
		if (asked.block[i - 1].page == NULL)
			continue;
		free_block(&asked.block[i - 1]);
		freed++;
	}
	return freed;
}

/* All ids are looked at before the first one is freed. */
static const char *free_ids(const struct play_words *words,
                            unsigned long *freed)
{
	unsigned long id;

	for (unsigned int i = 1; i < words->count; i++) {
		if (!play_parse(words->word[i], 1, asked.blocks, &id) ||
		    asked.block[id - 1].page == NULL)
			return "there is no such block";
	}
	for (unsigned int i = 1; i < words->count; i++) {
		if (!play_parse(words->word[i], 1, asked.blocks, &id) ||
		    asked.block[id - 1].page == NULL)
			continue;
		free_block(&asked.block[id - 1]);
		++*freed;
	}
	return NULL;
}

const char *play_free(const struct play_words *words)
{
	unsigned long freed = 0;
	unsigned long number;
	const char *wrong = NULL;

	if (words->count < 2)
		return "free wants the numbers of blocks, or: all, each N, "
		       "last N";
	if (strcmp(words->word[1], "all") == 0)
		freed = free_each(1);
	else if (words->count == 3 && strcmp(words->word[1], "each") == 0 &&
	         play_parse(words->word[2], 1, MOST_BLOCKS, &number))
		freed = free_each(number);
	else if (words->count == 3 && strcmp(words->word[1], "last") == 0 &&
	         play_parse(words->word[2], 1, MOST_BLOCKS, &number))
		freed = free_last(number);
	else
		wrong = free_ids(words, &freed);
	if (wrong == NULL)
		play_number("freed", freed);
	return wrong;
}

/* ---- Ranges -------------------------------------------------------------- */

static const char *free_contig(void)
{
	if (asked.contig_count == 0)
		return "there is no range";
	free_contig_range(asked.contig_pfn, asked.contig_count);
	play_number("freed", asked.contig_count);
	asked.contig_count = 0;
	return NULL;
}

const char *play_contig(const struct play_words *words)
{
	struct page *page;
	unsigned long count;

	if (words->count == 2 && strcmp(words->word[1], "free") == 0)
		return free_contig();
	if (words->count != 2 ||
	    !play_parse(words->word[1], 1, MOST_BLOCKS, &count))
		return "contig wants a number of pages, or: free";
	if (asked.contig_count > 0)
		return "there is a range already: contig free";
	page = alloc_contig_pages(count, GFP_KERNEL);
	play_number("got", page == NULL ? 0 : count);
	play_number("asked", count);
	if (page == NULL)
		return NULL;
	asked.contig_pfn = node_pfn(play_node(), page);
	asked.contig_count = count;
	play_number("pfn", asked.contig_pfn);
	return NULL;
}
