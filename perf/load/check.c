/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/check.h"

#include <stdio.h>

#define NR_LEFT_MAX (UINT64_C(1) << 32)

void checker_init(struct checker *cr, const struct values *values)
{
	memset(cr, 0, sizeof(*cr));
	cr->values = values;
	if (values->min == values->max)
		cr->head_len = (uint32_t)snprintf(
			(char *)cr->head, sizeof(cr->head), "$%u\r\n", values->min);
}

static void complain(struct checker *cr, const struct expect *e, const char *what, const char *text,
	uint32_t len)
{
	static const char *const kinds[] = {"+OK", "+PONG", "an integer", "a value", "no error"};
	int n;

	if (cr->complaint[0])
		return;
	n = snprintf(cr->complaint, sizeof(cr->complaint), "%s (expected %s, key %u): ", what,
		kinds[e->kind], e->key);
	for (uint32_t i = 0; i < len && (size_t)n + 1 < sizeof(cr->complaint); i++) {
		const char ch = text[i];

		cr->complaint[n++] = ch >= ' ' && ch < 127 ? ch : '?';
	}
	cr->complaint[n] = 0;
}

/* A decimal number with an optional minus, nothing else. */
static bool number(const char *text, uint32_t len, int64_t *out)
{
	const bool minus = len > 0 && text[0] == '-';
	uint64_t n = 0;

	if (len == minus || len > 19u + minus)
		return false;
	for (uint32_t i = minus; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (n > (UINT64_C(1) << 63) - !minus)
		return false;
	*out = minus ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

/* The reply is not what it has to be; it is read to its end all the same. */
static void is_wrong(struct checker *cr, struct check *c, const struct expect *e)
{
	const uint32_t kept = c->line_len < CHECK_LINE_KEPT ? c->line_len : CHECK_LINE_KEPT;

	complain(cr, e, "wrong reply", c->line, kept);
	c->result = CHECK_WRONG;
}

static bool simple_is_right(const struct check *c, const struct expect *e)
{
	switch (e->kind) {
	case EXPECT_OK: return c->line_len == 3 && memcmp(c->line, "+OK", 3) == 0;
	case EXPECT_PONG: return c->line_len == 5 && memcmp(c->line, "+PONG", 5) == 0;
	default: return e->kind == EXPECT_ANY;
	}
}

/* "$n": false if that is not a length. */
static bool bulk_begin(struct checker *cr, struct check *c, const struct expect *e, int64_t n)
{
	const bool may = c->is_inner || e->kind == EXPECT_ANY || e->kind == EXPECT_VALUE;

	if (n < -1 || n > VALUE_LEN_MAX)
		return false;
	if (!may)
		is_wrong(cr, c, e);
	c->is_value = !c->is_inner && e->kind == EXPECT_VALUE;
	if (n == -1) {
		if (c->is_value)
			c->result = CHECK_MISS;
		return true;
	}
	c->body_left = (uint32_t)n;
	c->phase = CHECK_BODY;
	if (c->is_value)
		value_scan_begin(&c->scan, e->key, (uint32_t)n);
	return true;
}

static bool array_begin(struct checker *cr, struct check *c, const struct expect *e, int64_t n)
{
	if (n < -1 || n > (int64_t)NR_LEFT_MAX || c->nr_left > NR_LEFT_MAX)
		return false;
	if (!c->is_inner && e->kind != EXPECT_ANY)
		is_wrong(cr, c, e);
	if (n > 0)
		c->nr_left += (uint64_t)n;
	return true;
}

/* A line is complete, without its CRLF. False: no reply looks like that. */
static bool line_take(struct checker *cr, struct check *c, const struct expect *e)
{
	const bool is_number = c->line_len > 1 && c->line_len < CHECK_LINE_KEPT;
	int64_t n = 0;

	if (c->line_len == 0)
		return false;
	switch (c->line[0]) {
	case '+':
		if (!c->is_inner && !simple_is_right(c, e))
			is_wrong(cr, c, e);
		return true;
	case '-': is_wrong(cr, c, e); return true;
	case ':':
	case '$':
	case '*':
		if (!is_number || !number(c->line + 1, c->line_len - 1, &n))
			return false;
		if (c->line[0] == '$')
			return bulk_begin(cr, c, e, n);
		if (c->line[0] == '*')
			return array_begin(cr, c, e, n);
		if (!c->is_inner && e->kind != EXPECT_INTEGER && e->kind != EXPECT_ANY)
			is_wrong(cr, c, e);
		return true;
	default: return false;
	}
}

/* Collects a line; the end of a long one is not kept. True: it is complete, the CRLF taken off. */
static bool line_feed(struct check *c, const uint8_t *data, uint32_t len, uint32_t *used)
{
	const uint8_t *end = memchr(data, '\n', len);
	const uint32_t n = end ? (uint32_t)(end - data) + 1 : len;
	const uint32_t room = c->line_len < CHECK_LINE_KEPT ? CHECK_LINE_KEPT - c->line_len : 0;

	memcpy(c->line + (room ? c->line_len : 0), data, n < room ? n : room);
	c->line_len += n;
	*used += n;
	return end;
}

/* The CRLF at the line's end, as far as it was kept. */
static bool line_chop(struct check *c)
{
	if (c->line_len < 2 || c->line_len > CHECK_LINE_MAX)
		return false;
	c->line_len -= 2;
	return c->line_len >= CHECK_LINE_KEPT || c->line[c->line_len] == '\r';
}

static void body_feed(
	struct checker *cr, struct check *c, const uint8_t *data, uint32_t len, uint32_t *used)
{
	const uint32_t n = len < c->body_left ? len : c->body_left;

	if (c->is_value)
		value_scan_feed(cr->values, &c->scan, data, n);
	c->body_left -= n;
	*used += n;
}

/* The body is complete. */
static void body_take(struct checker *cr, struct check *c, const struct expect *e)
{
	if (!c->is_value || value_scan_end(cr->values, &c->scan))
		return;
	complain(cr, e, "not a value of this key", (char *)c->scan.head,
		c->scan.len < VALUE_HEAD ? c->scan.len : VALUE_HEAD);
	c->result = CHECK_WRONG;
}

static bool crlf_feed(struct check *c, uint8_t byte)
{
	return byte == (c->line_len++ == 0 ? '\r' : '\n');
}

/* An element has ended: has the reply? */
static bool element_end(struct check *c)
{
	c->phase = CHECK_LINE;
	c->line_len = 0;
	c->is_value = false;
	if (c->is_inner)
		c->nr_left--;
	c->is_inner = true;
	return c->nr_left == 0;
}

static enum check_result broken(struct checker *cr, struct check *c, const struct expect *e,
	const uint8_t *data, uint32_t len)
{
	complain(cr, e, "not a reply", (const char *)data, len < 40 ? len : 40);
	return CHECK_BROKEN;
}

enum check_result check_slow(struct checker *cr, struct check *c, const struct expect *e,
	const uint8_t *data, uint32_t len, uint32_t *used)
{
	enum check_result result;
	uint32_t at = 0;
	bool ended = false;

	if (!c->is_inner && c->phase == CHECK_LINE && c->line_len == 0)
		c->result = CHECK_RIGHT;
	while (at < len && !ended) {
		const uint32_t from = at;

		if (c->phase == CHECK_BODY) {
			body_feed(cr, c, data + at, len - at, &at);
		} else if (c->phase == CHECK_BODY_END) {
			if (!crlf_feed(c, data[at++]))
				return broken(cr, c, e, data + from, len - from);
			ended = c->line_len == 2 && element_end(c);
		} else if (line_feed(c, data + at, len - at, &at)) {
			if (!line_chop(c) || !line_take(cr, c, e))
				return broken(cr, c, e, data + from, len - from);
			ended = c->phase == CHECK_LINE && element_end(c);
		} else if (c->line_len > CHECK_LINE_MAX) {
			return broken(cr, c, e, data + from, len - from);
		}
		if (c->phase == CHECK_BODY && c->body_left == 0) {
			body_take(cr, c, e);
			c->phase = CHECK_BODY_END;
			c->line_len = 0;
		}
	}
	*used = at;
	if (!ended)
		return CHECK_MORE;
	result = c->result;
	c->is_inner = false;
	return result;
}
