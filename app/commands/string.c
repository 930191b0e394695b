/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Strings: reading, editing in place, and counting.
 */
#include "app/commands/string_cmds.h"

#include "app/commands/keys.h"

#include <math.h>
#include <string.h>

/* Longest text of a long double in human form, as in Redis. */
#define LONG_DOUBLE_TEXT_MAX (5 * 1024)

void string_cmd_get(struct client *c)
{
	bool bad = false;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	if (e)
		reply_entry(c, e);
	else
		reply_null(c);
}

void string_cmd_mget(struct client *c)
{
	reply_array(c, c->argc - 1);
	for (uint32_t i = 1; i < c->argc; i++) {
		struct entry *e = lookup_read(c, &c->argv[i]);

		if (e && entry_type(e) == OBJ_STRING)
			reply_entry(c, e);
		else
			reply_null(c);
	}
}

void string_cmd_strlen(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	bool bad = false;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (!bad)
		reply_int(c, e ? (int64_t)entry_str(e, buf).len : 0);
}

void string_cmd_getrange(struct client *c)
{
	char buf[KS_INT_STR_MAX];
	int64_t start, end;
	bool bad = false;

	if (!arg_int_reply(c, &c->argv[2], &start) || !arg_int_reply(c, &c->argv[3], &end))
		return;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	struct slice s = e ? entry_str(e, buf) : slice_str("");
	int64_t len = (int64_t)s.len;

	if (start < 0 && end < 0 && start > end) {
		reply_bulk(c, "", 0);
		return;
	}
	if (start < 0)
		start = start + len > 0 ? start + len : 0;
	if (end < 0)
		end = end + len > 0 ? end + len : 0;
	if (end >= len)
		end = len - 1;
	if (start > end)
		reply_bulk(c, "", 0);
	else
		reply_bulk(c, s.ptr + start, (size_t)(end - start + 1));
}

void string_cmd_setrange(struct client *c)
{
	const struct slice *key = &c->argv[1], *val = &c->argv[3];
	char buf[KS_INT_STR_MAX];
	char *data;
	int64_t offset;
	bool bad = false;

	if (!arg_int_reply(c, &c->argv[2], &offset))
		return;
	if (offset < 0) {
		reply_err(c, "ERR offset is out of range");
		return;
	}
	struct entry *e = lookup_write_str(c, key, &bad);

	if (bad)
		return;
	size_t len = e ? entry_str(e, buf).len : 0;

	if (val->len == 0) {
		reply_int(c, (int64_t)len);
		return;
	}
	if (!key_len_allowed(c, (uint64_t)offset, val->len))
		return;
	size_t end = (size_t)offset + val->len;

	if (end > len)
		len = end;
	if (!key_edit(c, key, e, len, &data)) {
		key_no_memory(c, false);
		return;
	}
	memcpy(data + offset, val->ptr, val->len);
	cmd_notify(c, NOTIFY_STRING, "setrange", key);
	cmd_dirty(c, 1);
	reply_int(c, (int64_t)len);
}

void string_cmd_append(struct client *c)
{
	const struct slice *key = &c->argv[1], *val = &c->argv[2];
	char buf[KS_INT_STR_MAX];
	char *data;
	bool bad = false;
	struct entry *e = lookup_write_str(c, key, &bad);
	size_t len = 0;

	if (bad)
		return;
	if (!e) {
		e = key_store(c, key, val->ptr, val->len, 0);
	} else {
		len = entry_str(e, buf).len;
		if (!key_len_allowed(c, len, val->len))
			return;
		e = key_edit(c, key, e, len + val->len, &data);
		if (e)
			memcpy(data + len, val->ptr, val->len);
	}
	if (!e) {
		key_no_memory(c, false);
		return;
	}
	cmd_notify(c, NOTIFY_STRING, "append", key);
	cmd_dirty(c, 1);
	reply_int(c, (int64_t)(len + val->len));
}

static void incr_by(struct client *c, int64_t by)
{
	const struct slice *key = &c->argv[1];
	char buf[KS_INT_STR_MAX];
	int64_t v = 0;
	bool bad = false;
	struct entry *e = lookup_write_str(c, key, &bad);

	if (bad)
		return;
	if (e && !entry_int(e, &v)) {
		struct slice s = entry_str(e, buf);

		if (!arg_int_reply(c, &s, &v))
			return;
	}
	if (__builtin_add_overflow(v, by, &v)) {
		reply_err(c, "ERR increment or decrement would overflow");
		return;
	}
	if (!key_store_int(c, key, v, e ? KS_KEEP_TTL : 0)) {
		key_no_memory(c, false);
		return;
	}
	cmd_notify(c, NOTIFY_STRING, "incrby", key);
	cmd_dirty(c, 1);
	reply_int(c, v);
}

void string_cmd_incr(struct client *c)
{
	incr_by(c, 1);
}

void string_cmd_decr(struct client *c)
{
	incr_by(c, -1);
}

void string_cmd_incrby(struct client *c)
{
	int64_t by;

	if (arg_int_reply(c, &c->argv[2], &by))
		incr_by(c, by);
}

void string_cmd_decrby(struct client *c)
{
	int64_t by;

	if (!arg_int_reply(c, &c->argv[2], &by))
		return;
	if (by == INT64_MIN)
		reply_err(c, "ERR decrement would overflow");
	else
		incr_by(c, -by);
}

void string_cmd_incrbyfloat(struct client *c)
{
	const struct slice *key = &c->argv[1];
	char text[LONG_DOUBLE_TEXT_MAX];
	char buf[KS_INT_STR_MAX];
	long double v = 0, by;
	bool bad = false;
	struct entry *e = lookup_write_str(c, key, &bad);

	if (bad)
		return;
	struct slice s = e ? entry_str(e, buf) : slice_str("0");

	if (!arg_long_double(&s, &v) || !arg_long_double(&c->argv[2], &by)) {
		reply_err(c, REPLY_NOT_FLOAT);
		return;
	}
	v += by;
	if (isnan(v) || isinf(v)) {
		reply_err(c, "ERR increment would produce NaN or Infinity");
		return;
	}
	struct slice result = {.ptr = text, .len = format_long_double(text, sizeof(text), v)};

	if (!prop_admit(c, result.len))
		return;
	if (!key_store(c, key, result.ptr, result.len, e ? KS_KEEP_TTL : 0)) {
		key_no_memory(c, false);
		return;
	}
	/* as a SET, so that no difference in floating-point arithmetic can reach a replica */
	struct slice argv[4] = {slice_str("SET"), *key, result, slice_str("KEEPTTL")};

	prop_replace(c, 4, argv);
	cmd_notify(c, NOTIFY_STRING, "incrbyfloat", key);
	cmd_dirty(c, 1);
	reply_bulk(c, result.ptr, result.len);
}
