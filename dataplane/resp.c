/* SPDX-License-Identifier: BSD-3-Clause
 *
 * RESP requests: incremental parser.
 *
 *   request:  '*' count CRLF ( '$' length CRLF bytes CRLF ) x count     or an inline line
 *
 *   |<--------------------- len -------------------->|
 *   *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nvvvvvvvv
 *                                  ^pos               need = pos + 1000000 + 2
 *
 * - pos never decreases within a request, and every pass of a loop either raises it or returns.
 * - Bytes are read only below len; a length is used only after it was checked against its limit.
 * - The arrays grow with arguments received, never with the number announced.
 * - As Redis does, the two bytes behind a line's end or an argument are skipped unread: CR opens
 *   the pair, what follows it is not looked at.
 */
#include "dataplane/resp.h"

#include "checks.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An idle parser keeps room for this many arguments and this many bytes of inline text. */
#define KEEP_ARGS   1024
#define KEEP_INLINE 4096

void resp_parser_init(struct resp_parser *p)
{
	memset(p, 0, sizeof(*p));
	resp_parser_reset(p);
}

void resp_parser_fini(struct resp_parser *p)
{
	free(p->argv);
	free(p->offs);
	free(p->inline_buf);
	resp_parser_init(p);
}

void resp_parser_reset(struct resp_parser *p)
{
	p->argc = 0;
	p->nr_left = -1;
	p->bulk_len = -1;
	p->pos = 0;
	p->need = 0;
	p->scanned = 0;
}

bool resp_int_parse(const char *s, size_t len, int64_t *out)
{
	/* "-9223372036854775808" */
	if (len == 0 || len > 20)
		return false;
	bool negative = s[0] == '-';
	size_t i = negative;

	if (i == len)
		return false;
	if (s[i] == '0') {
		if (len != 1)
			return false;
		*out = 0;
		return true;
	}
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	uint64_t v = 0;

	for (; i < len; i++) {
		unsigned digit = (unsigned char)s[i] - '0';

		if (digit > 9 || v > (limit - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static enum resp_status fail(struct resp_parser *p, const char *text)
{
	snprintf(p->err, sizeof(p->err), "Protocol error: %s", text);
	return RESP_ERR;
}

static enum resp_status more(struct resp_parser *p, size_t need)
{
	p->need = need;
	return RESP_MORE;
}

/* Gives back what an unusually large request left behind; the slices of the last one are dead
 * now. */
static void trim(struct resp_parser *p)
{
	if (p->argv_cap > KEEP_ARGS) {
		free(p->argv);
		free(p->offs);
		p->argv = NULL;
		p->offs = NULL;
		p->argv_cap = 0;
	}
	if (p->inline_cap > KEEP_INLINE) {
		free(p->inline_buf);
		p->inline_buf = NULL;
		p->inline_cap = 0;
	}
}

static bool args_grow(struct resp_parser *p)
{
	uint32_t cap = p->argv_cap ? p->argv_cap * 2 : 8;

	if (cap < p->argv_cap)
		return false;
	struct slice *argv = realloc(p->argv, cap * sizeof(*argv));

	if (!argv)
		return false;
	p->argv = argv;
	uint64_t *offs = realloc(p->offs, cap * sizeof(*offs));

	if (!offs)
		return false;
	p->offs = offs;
	p->argv_cap = cap;
	return true;
}

static bool arg_push(struct resp_parser *p, size_t off, size_t len)
{
	if (p->argc == p->argv_cap && !args_grow(p))
		return false;
	p->offs[p->argc] = off;
	p->argv[p->argc].ptr = NULL;
	p->argv[p->argc].len = len;
	p->argc++;
	return true;
}

static void args_place(struct resp_parser *p, const char *base)
{
	for (uint32_t i = 0; i < p->argc; i++)
		p->argv[i].ptr = base + p->offs[i];
}

/* --- inline requests -------------------------------------------------------------------------- */

static bool is_blank(char ch)
{
	return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* The byte that the escape behind a backslash stands for; *pos moves behind the escape. */
static char unescape(const char *s, size_t len, size_t *pos)
{
	size_t i = *pos;

	if (s[i] == 'x' && i + 2 < len && hex_digit(s[i + 1]) >= 0 && hex_digit(s[i + 2]) >= 0) {
		*pos = i + 3;
		return (char)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2]));
	}
	*pos = i + 1;
	switch (s[i]) {
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'b': return '\b';
	case 'a': return '\a';
	default: return s[i];
	}
}

/* Copies the quoted run that opens at *pos to out. The closing quote must end the argument. Returns
 * false when it does not, or is missing. */
static bool unquote(const char *s, size_t len, size_t *pos, char *out, size_t *out_len)
{
	char quote = s[*pos];
	size_t i = *pos + 1, o = *out_len;

	while (i < len && s[i] != quote) {
		if (s[i] != '\\' || i + 1 >= len) {
			out[o++] = s[i++];
		} else if (quote == '"') {
			i++;
			out[o++] = unescape(s, len, &i);
		} else if (s[i + 1] == '\'') {
			out[o++] = '\'';
			i += 2;
		} else {
			out[o++] = s[i++];
		}
	}
	*pos = i + 1;
	*out_len = o;
	return i < len && (i + 1 == len || is_blank(s[i + 1]));
}

/* Cuts the line into arguments. What comes out is never longer than what went in. */
static enum resp_status inline_split(struct resp_parser *p, const char *s, size_t len)
{
	char *out = p->inline_buf;
	size_t i = 0, o = 0;

	while (true) {
		while (i < len && is_blank(s[i]))
			i++;
		if (i == len)
			break;
		size_t start = o;

		/* A vertical tab or form feed separates arguments but does not end one. */
		while (i < len && s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n') {
			if (s[i] != '"' && s[i] != '\'') {
				out[o++] = s[i++];
				continue;
			}
			if (!unquote(s, len, &i, out, &o))
				return fail(p, "unbalanced quotes in request");
			break;
		}
		if (!arg_push(p, start, o - start))
			return fail(p, "out of memory");
	}
	args_place(p, out);
	return RESP_OK;
}

static enum resp_status parse_inline(
	struct resp_parser *p, const char *buf, size_t len, size_t *consumed)
{
	const char *nl = memchr(buf + p->scanned, '\n', len - p->scanned);
	size_t line = nl ? (size_t)(nl - buf) : len;

	if (line > RESP_INLINE_MAX)
		return fail(p, "too big inline request");
	if (!nl) {
		p->scanned = len;
		return more(p, len + 1);
	}
	*consumed = line + 1;
	if (line > 0 && buf[line - 1] == '\r')
		line--;
	if (line > p->inline_cap) {
		char *grown = realloc(p->inline_buf, line);

		if (!grown)
			return fail(p, "out of memory");
		p->inline_buf = grown;
		p->inline_cap = line;
	}
	return inline_split(p, buf, line);
}

/* --- arrays of bulk strings ------------------------------------------------------------------- */

/* Finds the line that starts at pos. On RESP_OK *end is the index of its CR, and the byte behind
 * that is there too. */
static enum resp_status find_line(
	struct resp_parser *p, const char *buf, size_t len, const char *too_big, size_t *end)
{
	size_t from = p->pos + p->scanned;
	const char *cr = from < len ? memchr(buf + from, '\r', len - from) : NULL;
	size_t at = cr ? (size_t)(cr - buf) : len;

	if (at - p->pos > RESP_INLINE_MAX)
		return fail(p, too_big);
	if (at + 1 >= len) {
		p->scanned = at - p->pos;
		return more(p, at + 2);
	}
	p->scanned = 0;
	*end = at;
	return RESP_OK;
}

static enum resp_status parse_header(
	struct resp_parser *p, const struct resp_limits *limits, const char *buf, size_t len)
{
	size_t end = 0;
	enum resp_status st = find_line(p, buf, len, "too big mbulk count string", &end);
	int64_t n = 0;

	if (st != RESP_OK)
		return st;
	if (!resp_int_parse(buf + 1, end - 1, &n) || n > INT_MAX)
		return fail(p, "invalid multibulk length");
	if (n > limits->max_multibulk)
		return fail(p, limits->max_bulk_unauth ? "unauthenticated multibulk length"
						       : "invalid multibulk length");
	p->nr_left = n > 0 ? n : 0;
	p->pos = end + 2;
	return RESP_OK;
}

static enum resp_status parse_bulk_len(
	struct resp_parser *p, const struct resp_limits *limits, const char *buf, size_t len)
{
	size_t end = 0;
	enum resp_status st = find_line(p, buf, len, "too big bulk count string", &end);
	int64_t n = 0;

	if (st != RESP_OK)
		return st;
	if (buf[p->pos] != '$') {
		snprintf(p->err, sizeof(p->err), "Protocol error: expected '$', got '%c'",
			buf[p->pos]);
		return RESP_ERR;
	}
	if (!resp_int_parse(buf + p->pos + 1, end - p->pos - 1, &n) || n < 0 ||
		n > limits->max_bulk_len)
		return fail(p, "invalid bulk length");
	if (limits->max_bulk_unauth && n > limits->max_bulk_unauth)
		return fail(p, "unauthenticated bulk length");
	p->bulk_len = n;
	p->pos = end + 2;
	return RESP_OK;
}

static enum resp_status parse_array(struct resp_parser *p, const struct resp_limits *limits,
	const char *buf, size_t len, size_t *consumed)
{
	enum resp_status st;

	if (p->nr_left < 0) {
		st = parse_header(p, limits, buf, len);
		if (st != RESP_OK)
			return st;
	}
	while (p->nr_left > 0) {
		if (p->bulk_len < 0) {
			st = parse_bulk_len(p, limits, buf, len);
			if (st != RESP_OK)
				return st;
		}
		/* pos may lie one byte beyond len only if a line's end was not complete: never
		 * here */
		ASSERT(p->pos <= len);
		size_t bytes = (size_t)p->bulk_len;

		if (len - p->pos < 2 || len - p->pos - 2 < bytes)
			return more(p, p->pos + bytes + 2);
		if (!arg_push(p, p->pos, bytes))
			return fail(p, "out of memory");
		p->pos += bytes + 2;
		p->bulk_len = -1;
		p->nr_left--;
	}
	args_place(p, buf);
	*consumed = p->pos;
	return RESP_OK;
}

/* Reads "<mark><1 to 3 digits>\r?" at s, which has 6 bytes at least. Returns what lies behind it, or
 * NULL when it is anything else. */
static inline const char *short_line(const char *s, char mark, uint32_t *n)
{
	uint32_t v = (uint8_t)s[1] - '0', d;

	if (s[0] != mark || v > 9)
		return NULL;
	*n = v;
	if (s[2] == '\r')
		return s + 4;
	d = (uint8_t)s[2] - '0';
	if (v == 0 || d > 9)
		return NULL;
	*n = v = v * 10 + d;
	if (s[3] == '\r')
		return s + 5;
	d = (uint8_t)s[3] - '0';
	*n = v * 10 + d;
	return d <= 9 && s[4] == '\r' ? s + 6 : NULL;
}

/* The usual request: an array that is there as a whole, of arguments below 1000 bytes. Returns its
 * length, or 0: parse_array() has to look at it, nothing has changed. */
static size_t parse_short(
	struct resp_parser *p, const struct resp_limits *limits, const char *buf, size_t len)
{
	const char *s = buf, *end = buf + len;
	int64_t max = limits->max_bulk_unauth ? limits->max_bulk_unauth : limits->max_bulk_len;
	struct slice *arg = p->argv;
	uint32_t argc, n;

	if (len < 6 || !(s = short_line(s, '*', &argc)) || argc == 0 || argc > p->argv_cap ||
		argc > limits->max_multibulk || p->argv_cap > KEEP_ARGS ||
		p->inline_cap > KEEP_INLINE) /* trim() has work */
		return 0;
	if (max > limits->max_bulk_len)
		max = limits->max_bulk_len;
	for (const struct slice *last = arg + argc; arg < last; arg++) {
		if (end - s < 6 || !(s = short_line(s, '$', &n)) || end - s < (ptrdiff_t)n + 2 ||
			n > max)
			return 0;
		*arg = (struct slice){s, n};
		s += n + 2;
	}
	p->argc = argc;
	return (size_t)(s - buf);
}

enum resp_status resp_parse(struct resp_parser *p, const struct resp_limits *limits,
	const char *buf, size_t len, size_t *consumed)
{
	if (p->need == 0) {
		/* a new request */
		*consumed = parse_short(p, limits, buf, len);
		if (*consumed)
			return RESP_OK;
		trim(p);
		resp_parser_reset(p);
	}
	if (len == 0 || len < p->need)
		return RESP_MORE;
	enum resp_status st = buf[0] == '*' ? parse_array(p, limits, buf, len, consumed)
					    : parse_inline(p, buf, len, consumed);
	if (st == RESP_MORE)
		return st;
	/* argc and argv stay for the caller; the rest is ready for the next request */
	p->need = 0;
	return st;
}
