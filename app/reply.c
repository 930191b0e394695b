/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replies: formatting into the client's output.
 *
 *   reply_*() -> put() -> top of the stack of deferred replies, if there is one
 *                      -> c->out, and the client joins its core's list of those with new output
 *
 * - A deferred reply is a buffer of its own; its end writes the header to what lies below it, then
 *   the buffer. Values are then copied, never referenced.
 * - After memory ran out the client is marked for closing and takes no further byte, so that a
 *   reply with a gap is never sent.
 */
#include "app/reply.h"

#include "app/commands/command.h"
#include "app/server.h"
#include "checks.h"
#include "dataplane/obuf.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value at least this long is sent from where it lies. From about 8 KB on that costs no more than
 * a copy (perf/feed/run --op bulk). */
#define REF_MIN_BYTES (16 * 1024)
/* What a command replies to a script. */
#define CAPTURE_MAX ((size_t)1 << 30)

const char REPLY_SYNTAX[] = "ERR syntax error";
const char REPLY_WRONGTYPE[] = "WRONGTYPE Operation against a key holding the wrong kind of value";
const char REPLY_NOT_INT[] = "ERR value is not an integer or out of range";
const char REPLY_NOT_FLOAT[] = "ERR value is not a valid float";
const char REPLY_NO_KEY[] = "ERR no such key";
const char REPLY_OOM[] = "OOM command not allowed when used memory > 'maxmemory'.";
const char REPLY_OUT_OF_RANGE[] = "ERR index out of range";

/* A reply under construction. */
struct deferred {
	struct deferred *below;
	size_t len, cap;
	char *buf;
};

static bool drops(const struct client *c)
{
	return (!c->out && !((c->flags & CLIENT_SCRIPT) && c->deferred)) ||
	       (c->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP | CLIENT_CLOSED | CLIENT_ASAP));
}

static void out_of_memory(struct client *c)
{
	client_flags_change(c, CLIENT_ASAP, 0);
}

static void mark_dirty(struct client *c)
{
	if (c->in_dirty)
		return;
	c->in_dirty = true;
	TAILQ_INSERT_TAIL(&c->ac->dirty, c, dirty_link);
}

static bool deferred_append(struct deferred *d, const void *data, size_t len)
{
	if (len > d->cap - d->len) {
		size_t cap = d->cap ? d->cap : 512;

		while (cap - d->len < len)
			cap *= 2;
		char *buf = realloc(d->buf, cap);

		if (!buf)
			return false;
		d->buf = buf;
		d->cap = cap;
	}
	memcpy(d->buf + d->len, data, len);
	d->len += len;
	return true;
}

/* A script's replies are no client's, whose limits would hold. */
static bool is_too_long(const struct client *c, size_t len)
{
	const struct deferred *d = c->deferred;

	return (c->flags & CLIENT_SCRIPT) && (len > CAPTURE_MAX || d->len > CAPTURE_MAX - len);
}

static void put(struct client *c, const void *data, size_t len)
{
	if (len == 0 || drops(c))
		return;
	if (c->deferred) {
		if (is_too_long(c, len) || !deferred_append(c->deferred, data, len))
			out_of_memory(c);
		return;
	}
	if (obuf_append(c->out, data, len) != 0)
		out_of_memory(c);
	mark_dirty(c); /* closing is seen there too */
}

/* Writes n in decimal so that it ends at end. Returns its first character. */
static char *int_text(char *end, int64_t n)
{
	uint64_t v = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (n < 0)
		*--end = '-';
	return end;
}

/* "<mark><n>\r\n" */
static void put_int_line(struct client *c, char mark, int64_t n)
{
	char text[KS_INT_STR_MAX + 4];
	char *end = text + sizeof(text);

	*--end = '\n';
	*--end = '\r';
	char *start = int_text(end, n);

	*--start = mark;
	put(c, start, (size_t)(text + sizeof(text) - start));
}

static void put_str(struct client *c, const char *s)
{
	put(c, s, strlen(s));
}

void reply_raw(struct client *c, const void *data, size_t len)
{
	put(c, data, len);
}

void reply_ok(struct client *c)
{
	put(c, "+OK\r\n", 5);
}

void reply_status(struct client *c, const char *text)
{
	put(c, "+", 1);
	put_str(c, text);
	put(c, "\r\n", 2);
}

/* --- errors ----------------------------------------------------------------------------------- */

/* Counts an error under its code, the first word of the text. The table is short and finite: codes
 * that find it full are counted in the total only. */
static void count_error(struct client *c, const char *text)
{
	struct server *srv = c->srv;
	size_t len = strcspn(text, " ");

	if (c->ac)
		c->ac->error_replies++;
	if (!srv || len == 0 || len >= sizeof(srv->errors[0].code))
		return;
	rte_spinlock_lock(&srv->err_lock);
	unsigned i = 0;

	while (i < srv->nr_errors &&
		(strncmp(srv->errors[i].code, text, len) != 0 || srv->errors[i].code[len] != '\0'))
		i++;
	if (i == srv->nr_errors && i < ERRSTATS_MAX) {
		memcpy(srv->errors[i].code, text, len);
		srv->errors[i].code[len] = '\0';
		srv->errors[i].count = 0;
		srv->nr_errors++;
	}
	if (i < srv->nr_errors)
		srv->errors[i].count++;
	rte_spinlock_unlock(&srv->err_lock);
}

void reply_count_error(struct client *c, const char *text)
{
	count_error(c, text);
}

void reply_err(struct client *c, const char *text)
{
	count_error(c, text);
	reply_err_uncounted(c, text);
}

void reply_err_uncounted(struct client *c, const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n'))
		len--;
	put(c, "-", 1);
	while (len > 0) {
		size_t run = 0;

		while (run < len && text[run] != '\r' && text[run] != '\n')
			run++;
		put(c, text, run);
		if (run < len) {
			put(c, " ", 1);
			run++;
		}
		text += run;
		len -= run;
	}
	put(c, "\r\n", 2);
}

void reply_errf(struct client *c, const char *fmt, ...)
{
	char small[512];
	char *text = small;
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(small, sizeof(small), fmt, ap);

	va_end(ap);
	if (len < 0)
		small[0] = '\0';
	if (len >= (int)sizeof(small)) {
		text = malloc((size_t)len + 1);
		if (text) {
			va_start(ap, fmt);
			vsnprintf(text, (size_t)len + 1, fmt, ap);
			va_end(ap);
		} else {
			text = small;
		}
	}
	reply_err(c, text);
	if (text != small)
		free(text);
}

bool reply_raw_ref(
	struct client *c, const void *data, size_t len, void (*release)(void *ctx), void *ctx)
{
	bool taken;

	if (len < REF_MIN_BYTES || c->deferred || drops(c)) {
		put(c, data, len);
		return false;
	}
	taken = obuf_append_ref(c->out, data, len, release, ctx) == 0;
	if (!taken)
		out_of_memory(c);
	mark_dirty(c); /* closing is seen there too */
	return taken;
}

uint32_t reply_unmute(struct client *c)
{
	uint32_t muted = c->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP);

	c->flags &= ~muted;
	return muted;
}

void reply_mute(struct client *c, uint32_t muted)
{
	c->flags |= muted;
}

/* --- scalars ---------------------------------------------------------------------------------- */

void reply_int(struct client *c, int64_t n)
{
	put_int_line(c, ':', n);
}

/* Writes "$<len>\r\n" at at; len is below 1000. Returns what is behind it. */
static inline uint8_t *short_head(uint8_t *at, uint32_t len)
{
	*at++ = '$';
	if (len >= 100)
		*at++ = (uint8_t)('0' + len / 100);
	if (len >= 10)
		*at++ = (uint8_t)('0' + len / 10 % 10);
	*at++ = (uint8_t)('0' + len % 10);
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

/* The usual reply, written where it is sent from. */
static void put_short_bulk(struct client *c, const void *data, uint32_t len)
{
	uint8_t *room, *at;

	if (drops(c))
		return;
	room = obuf_reserve(c->out, len + 8);
	mark_dirty(c); /* closing is seen there too */
	if (!room) {
		out_of_memory(c);
		return;
	}
	at = short_head(room, len);
	memcpy(at, data, len);
	at += len;
	*at++ = '\r';
	*at++ = '\n';
	obuf_commit(c->out, (uint32_t)(at - room));
}

void reply_bulk(struct client *c, const void *data, size_t len)
{
	if (len < 1000 && !c->deferred) {
		put_short_bulk(c, data, (uint32_t)len);
		return;
	}
	put_int_line(c, '$', (int64_t)len);
	put(c, data, len);
	put(c, "\r\n", 2);
}

void reply_bulk_str(struct client *c, const char *s)
{
	reply_bulk(c, s, strlen(s));
}

void reply_bulk_int(struct client *c, int64_t n)
{
	char text[KS_INT_STR_MAX];
	char *start = int_text(text + sizeof(text), n);

	reply_bulk(c, start, (size_t)(text + sizeof(text) - start));
}

static void release_blob(void *ctx)
{
	blob_put(ctx);
}

void reply_entry(struct client *c, const struct entry *e)
{
	char buf[KS_INT_STR_MAX];
	struct slice s = entry_str(e, buf);
	struct blob *b = entry_blob(e);

	if (!b || s.len < REF_MIN_BYTES || c->deferred || drops(c)) {
		reply_bulk(c, s.ptr, s.len);
		return;
	}
	put_int_line(c, '$', (int64_t)s.len);
	blob_get(b);
	if (obuf_append_ref(c->out, s.ptr, s.len, release_blob, b) != 0) {
		blob_put(b);
		out_of_memory(c);
	}
	put(c, "\r\n", 2);
}

void reply_null(struct client *c)
{
	if (c->resp == 3)
		put(c, "_\r\n", 3);
	else
		put(c, "$-1\r\n", 5);
}

void reply_null_array(struct client *c)
{
	if (c->resp == 3)
		put(c, "_\r\n", 3);
	else
		put(c, "*-1\r\n", 5);
}

void reply_bool(struct client *c, bool b)
{
	if (c->resp == 3)
		put(c, b ? "#t\r\n" : "#f\r\n", 4);
	else
		put(c, b ? ":1\r\n" : ":0\r\n", 4);
}

void reply_double(struct client *c, double d)
{
	char text[64];
	int len;

	if (isinf(d))
		len = snprintf(text, sizeof(text), "%s", d > 0 ? "inf" : "-inf");
	else if (isnan(d))
		len = snprintf(text, sizeof(text), "%s", signbit(d) ? "-nan" : "nan");
	else
		len = snprintf(text, sizeof(text), "%.17g", d);
	if (c->resp != 3) {
		reply_bulk(c, text, (size_t)len);
		return;
	}
	put(c, ",", 1);
	put(c, text, (size_t)len);
	put(c, "\r\n", 2);
}

void reply_big_number(struct client *c, const char *digits)
{
	if (c->resp != 3) {
		reply_bulk_str(c, digits);
		return;
	}
	put(c, "(", 1);
	put_str(c, digits);
	put(c, "\r\n", 2);
}

void reply_verbatim(struct client *c, const char *text, size_t len, const char ext[3])
{
	if (c->resp != 3) {
		reply_bulk(c, text, len);
		return;
	}
	put_int_line(c, '=', (int64_t)len + 4);
	put(c, ext, 3);
	put(c, ":", 1);
	put(c, text, len);
	put(c, "\r\n", 2);
}

/* --- aggregates ------------------------------------------------------------------------------- */

void reply_array(struct client *c, size_t n)
{
	put_int_line(c, '*', (int64_t)n);
}

void reply_map(struct client *c, size_t n)
{
	if (c->resp == 3)
		put_int_line(c, '%', (int64_t)n);
	else
		put_int_line(c, '*', (int64_t)n * 2);
}

void reply_set(struct client *c, size_t n)
{
	put_int_line(c, c->resp == 3 ? '~' : '*', (int64_t)n);
}

void reply_push(struct client *c, size_t n)
{
	put_int_line(c, c->resp == 3 ? '>' : '*', (int64_t)n);
}

static bool defer_push(struct client *c)
{
	struct deferred *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	d->below = c->deferred;
	c->deferred = d;
	return true;
}

void reply_defer_begin(struct client *c)
{
	if (drops(c) || defer_push(c))
		return;
	out_of_memory(c);
	if (c->out)
		mark_dirty(c);
}

/* Takes the top off the stack, or returns NULL where nothing is being kept. */
static struct deferred *defer_pop(struct client *c)
{
	struct deferred *d = c->deferred;

	if (d)
		c->deferred = d->below;
	return d;
}

static void defer_finish(struct client *c, struct deferred *d)
{
	if (!d)
		return;
	put(c, d->buf, d->len);
	free(d->buf);
	free(d);
}

void reply_capture_begin(struct client *c)
{
	if (!defer_push(c))
		out_of_memory(c);
}

/* The buffers of an aggregate that was not ended are above it: there are none. */
char *reply_capture_end(struct client *c, size_t *len)
{
	bool failed = c->flags & CLIENT_ASAP;
	struct deferred *d = defer_pop(c);
	char *bytes;

	client_flags_change(c, 0, CLIENT_ASAP);
	*len = d ? d->len : 0;
	if (d && !failed && !deferred_append(d, "", 1)) /* a zero behind them */
		failed = true;
	bytes = d ? d->buf : NULL;
	free(d);
	if (!failed && *len > 0)
		return bytes;
	free(bytes);
	return NULL;
}

void reply_aside_begin(struct client *c)
{
	reply_defer_begin(c);
}

void reply_aside_end(struct client *c)
{
	defer_finish(c, defer_pop(c));
}

void reply_discard(struct client *c)
{
	struct deferred *d;

	while ((d = defer_pop(c))) {
		free(d->buf);
		free(d);
	}
}

void reply_defer_end_array(struct client *c, size_t n)
{
	struct deferred *d = defer_pop(c);

	reply_array(c, n);
	defer_finish(c, d);
}

void reply_defer_end_map(struct client *c, size_t n)
{
	struct deferred *d = defer_pop(c);

	reply_map(c, n);
	defer_finish(c, d);
}

void reply_defer_end_set(struct client *c, size_t n)
{
	struct deferred *d = defer_pop(c);

	reply_set(c, n);
	defer_finish(c, d);
}

void reply_defer_end_cursor(struct client *c, uint64_t cursor, size_t n)
{
	struct deferred *d = defer_pop(c);
	char text[KS_INT_STR_MAX];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);

	reply_array(c, 2);
	reply_bulk(c, text, (size_t)len);
	reply_array(c, n);
	defer_finish(c, d);
}

void reply_defer_drop(struct client *c)
{
	struct deferred *d = defer_pop(c);

	if (!d)
		return;
	free(d->buf);
	free(d);
}

/* --- shared texts ----------------------------------------------------------------------------- */

void reply_arity(struct client *c)
{
	const struct command *cmd = c->cmd;

	if (cmd->parent)
		reply_errf(c, "ERR wrong number of arguments for '%s|%s' command",
			cmd->parent->name, cmd->name);
	else
		reply_errf(c, "ERR wrong number of arguments for '%s' command", cmd->name);
}

/* The command's name as the client wrote it, in capitals. */
static void name_upper(const struct client *c, char *out, size_t size)
{
	size_t len = c->argv[0].len < size - 1 ? c->argv[0].len : size - 1;

	for (size_t i = 0; i < len; i++)
		out[i] = (char)toupper((unsigned char)c->argv[0].ptr[i]);
	out[len] = '\0';
}

void reply_subcommand_syntax(struct client *c)
{
	char name[64];
	const struct slice *sub = &c->argv[c->argc > 1];

	name_upper(c, name, sizeof(name));
	reply_errf(c,
		"ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
		(int)(sub->len < 128 ? sub->len : 128), sub->ptr, name);
}

void reply_help(struct client *c, const char *const *lines)
{
	char text[160];
	char name[64];
	size_t n = 0;

	while (lines[n])
		n++;
	name_upper(c, name, sizeof(name));
	snprintf(text, sizeof(text),
		"%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
	reply_array(c, n + 3);
	reply_status(c, text);
	for (size_t i = 0; i < n; i++)
		reply_status(c, lines[i]);
	reply_status(c, "HELP");
	reply_status(c, "    Prints this help.");
}
