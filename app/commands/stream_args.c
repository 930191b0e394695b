/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: IDs and the options of XADD and XTRIM.
 */
#include "app/commands/stream_cmds.h"

#include "app/commands/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID_TEXT_MAX 128

static bool is_word(const struct slice *arg, char word)
{
	return arg->len == 1 && arg->ptr[0] == word;
}

/* As Redis reads them: a signed number that is not negative, or whatever strtoull() takes. */
static bool u64_read(const char *text, uint64_t *out)
{
	const struct slice whole = {text, strlen(text)};
	int64_t num;
	char *end;

	if (arg_int(&whole, &num)) {
		*out = (uint64_t)num;
		return num >= 0;
	}
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *text != '\0' && *end == '\0';
}

/* *any_seq (may be NULL): "ms-*" is good, too, and this is such a one. */
static bool id_read(const struct slice *arg, uint64_t seq, bool *any_seq, struct stream_id *id)
{
	char text[ID_TEXT_MAX], *dash;

	if (arg->len >= sizeof(text) || is_word(arg, '-') || is_word(arg, '+'))
		return false;
	memcpy(text, arg->ptr, arg->len);
	text[arg->len] = '\0';
	dash = strchr(text, '-');
	if (dash)
		*dash++ = '\0';
	id->seq = seq;
	if (!u64_read(text, &id->ms))
		return false;
	if (!dash)
		return true;
	if (any_seq && strcmp(dash, "*") == 0) {
		*any_seq = true;
		id->seq = 0;
		return true;
	}
	return u64_read(dash, &id->seq);
}

static bool reply_invalid(struct client *c)
{
	reply_err(c, "ERR Invalid stream ID specified as stream command argument");
	return false;
}

bool stream_id_read(const struct slice *arg, uint64_t seq, struct stream_id *id)
{
	return id_read(arg, seq, NULL, id);
}

bool stream_id_arg(struct client *c, const struct slice *arg, struct stream_id *id)
{
	return id_read(arg, 0, NULL, id) || reply_invalid(c);
}

bool stream_bound_arg(struct client *c, const struct slice *arg, bool last, struct stream_id *id)
{
	uint64_t seq = last ? UINT64_MAX : 0;

	if (is_word(arg, '-') || is_word(arg, '+')) {
		*id = arg->ptr[0] == '-' ? STREAM_ID_MIN : STREAM_ID_MAX;
		return true;
	}
	if (arg->len > 1 && arg->ptr[0] == '(') {
		const struct slice bare = {arg->ptr + 1, arg->len - 1};

		if (!id_read(&bare, seq, NULL, id))
			return reply_invalid(c);
		if (last ? stream_id_prev(id) : stream_id_next(id))
			return true;
		reply_errf(c, "ERR invalid %s ID for the interval", last ? "end" : "start");
		return false;
	}
	return id_read(arg, seq, NULL, id) || reply_invalid(c);
}

struct stream_id *stream_ids_arg(struct client *c, uint32_t from)
{
	struct stream_id *ids = malloc((c->argc - from) * sizeof(*ids));

	if (!ids) {
		key_no_memory(c, false);
		return NULL;
	}
	for (uint32_t i = from; i < c->argc; i++) {
		if (!stream_id_arg(c, &c->argv[i], &ids[i - from])) {
			free(ids);
			return NULL;
		}
	}
	return ids;
}

/* --- XADD and XTRIM --- */

static bool max_len_arg(struct client *c, const struct slice *arg, struct stream_trim *trim)
{
	int64_t len;

	if (!arg_int_reply(c, arg, &len))
		return false;
	if (len < 0) {
		reply_err(c, "ERR The MAXLEN argument must be >= 0.");
		return false;
	}
	trim->max_len = (uint64_t)len;
	return true;
}

/* MAXLEN or MINID is at *i; moves it to the value. */
static bool trim_option(struct client *c, uint32_t *i, bool by_id, struct stream_add_args *args)
{
	bool room = *i + 2 < c->argc;
	const struct slice *next = &c->argv[*i + 1];

	if (args->trims) {
		reply_err(c, "ERR syntax error, MAXLEN and MINID options at the same time are not "
			     "compatible");
		return false;
	}
	args->trims = true;
	args->trim.by_id = by_id;
	args->trim.approx = room && is_word(next, '~');
	*i += room && (is_word(next, '~') || is_word(next, '=')) ? 2 : 1;
	args->trim_at = *i;
	if (by_id)
		return stream_id_arg(c, &c->argv[*i], &args->trim.min_id);
	return max_len_arg(c, &c->argv[*i], &args->trim);
}

static bool limit_option(struct client *c, const struct slice *arg, struct stream_trim *trim)
{
	int64_t limit;

	if (!arg_int_reply(c, arg, &limit))
		return false;
	if (limit < 0) {
		reply_err(c, "ERR The LIMIT argument must be >= 0.");
		return false;
	}
	trim->limit = (uint64_t)limit;
	return true;
}

static bool add_id(struct client *c, uint32_t i, struct stream_add_args *args)
{
	bool any_seq = false;

	args->id_at = i;
	if (is_word(&c->argv[i], '*'))
		return true;
	if (!id_read(&c->argv[i], 0, &any_seq, &args->id))
		return reply_invalid(c);
	args->id_given = true;
	args->seq_given = !any_seq;
	return true;
}

/* How much an approximate trimming does at most, when nobody says. */
static uint64_t usual_limit(struct client *c)
{
	uint64_t entries = coll_limits(c).stream_node_max_entries;

	if (entries == 0)
		return 10000;
	return entries > 10000 ? 1000000 : 100 * entries;
}

/* What is wrong with the options together; sets the limit. */
static bool settle(struct client *c, bool add, bool limit_given, struct stream_add_args *args)
{
	const char *fault = NULL;

	if (args->trim.limit && !args->trims)
		fault = "ERR syntax error, LIMIT cannot be used without specifying a trimming "
			"strategy";
	else if (!add && !args->trims)
		fault = "ERR syntax error, XTRIM must be called with a trimming strategy";
	else if (c->flags & (CLIENT_MASTER | CLIENT_REPLAY))
		args->trim.limit = 0; /* it was obeyed where the command comes from */
	else if (limit_given && !args->trim.approx)
		fault = "ERR syntax error, LIMIT cannot be used without the special ~ option";
	else if (!limit_given)
		args->trim.limit = args->trim.approx ? usual_limit(c) : 0;
	if (fault)
		reply_err(c, fault);
	return !fault;
}

bool stream_add_args(struct client *c, bool add, struct stream_add_args *args)
{
	bool limit_given = false;
	uint32_t i;

	*args = (struct stream_add_args){.id_at = c->argc};
	for (i = 2; i < c->argc; i++) {
		const struct slice *arg = &c->argv[i];
		bool more = i + 1 < c->argc, max_len = arg_is(arg, "maxlen");

		if (add && is_word(arg, '*'))
			break;
		if (more && (max_len || arg_is(arg, "minid"))) {
			if (!trim_option(c, &i, !max_len, args))
				return false;
		} else if (more && arg_is(arg, "limit")) {
			if (!limit_option(c, &c->argv[++i], &args->trim))
				return false;
			limit_given = true;
		} else if (add && arg_is(arg, "nomkstream")) {
			args->no_create = true;
		} else if (add) {
			break;
		} else {
			reply_err(c, REPLY_SYNTAX);
			return false;
		}
	}
	if (i < c->argc && !add_id(c, i, args))
		return false;
	return settle(c, add, limit_given, args);
}
