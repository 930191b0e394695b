/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking the keyspace: SCAN, KEYS and RANDOMKEY.
 *
 * SCAN and RANDOMKEY hold one partition at a time, so that they never stop the other cores. Keys
 * that are over are not shown; SCAN and RANDOMKEY also remove them where the node may.
 */
#include "app/commands/keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Buckets visited for each key asked for, when they are empty. */
#define SCAN_STEPS_PER_KEY 10
/* Expired keys remembered from one bucket; those beyond it go next time. */
#define SCAN_EXPIRED_MAX 16

struct scan {
	struct client *c;
	struct key_scan_opts opts;
	size_t nr_keys;
	struct entry *expired[SCAN_EXPIRED_MAX];
	unsigned nr_expired;
};

/* Unlocking a partition behind a look at it: the reply waits until what was seen is durable. */
static void unlock_seen(struct client *c, uint32_t part)
{
	uint64_t off = ks_part_written(c->srv->ks, part);

	if (off > c->gate)
		c->gate = off;
	cmd_part_unlock(c, part);
}

static bool expire_entry(struct client *c, struct entry *e)
{
	struct slice name = entry_key(e);
	struct ks_key k = ks_key(c->srv->ks, name.ptr, name.len);

	return key_expire_found(c, e, &k);
}

/* --- SCAN ------------------------------------------------------------------------------------- */

static bool matches(const struct slice *pattern, const struct slice *s)
{
	return !pattern->ptr || glob_match(pattern->ptr, pattern->len, s->ptr, s->len, false);
}

static void scan_visit(void *ctx, int db, struct entry *e)
{
	struct scan *s = ctx;
	struct slice key = entry_key(e);

	if (!matches(&s->opts.pattern, &key))
		return;
	if (entry_expired(e, s->c->now_ms)) {
		if (s->nr_expired < SCAN_EXPIRED_MAX)
			s->expired[s->nr_expired++] = e;
		return;
	}
	if (s->opts.type.ptr && !arg_is(&s->opts.type, key_type_name(e)))
		return;
	reply_bulk(s->c, key.ptr, key.len);
	s->nr_keys++;
}

/* Removing moves no other entry, so those remembered stay good. */
static void scan_expire(struct scan *s)
{
	for (unsigned i = 0; i < s->nr_expired; i++)
		expire_entry(s->c, s->expired[i]);
	s->nr_expired = 0;
}

/* Visits buckets from *cursor on until count keys were replied, enough buckets were empty, the end
 * is reached, or a partition is busy. Returns false when the first one is. */
static bool scan_run(struct scan *s, uint64_t *cursor, uint64_t count)
{
	struct keyspace *ks = s->c->srv->ks;
	uint64_t cur = *cursor;
	uint64_t steps =
		count > UINT64_MAX / SCAN_STEPS_PER_KEY ? UINT64_MAX : count * SCAN_STEPS_PER_KEY;
	uint32_t part = ks_scan_part(ks, cur);

	if (!cmd_part_trylock(s->c, part))
		return false;
	do {
		uint32_t next = ks_scan_part(ks, cur);

		if (next != part) {
			unlock_seen(s->c, part);
			part = next;
			if (!cmd_part_trylock(s->c, part)) {
				*cursor = cur;
				return true;
			}
		}
		cur = ks_scan(ks, s->c->db, cur, scan_visit, s);
		scan_expire(s);
	} while (cur != 0 && --steps > 0 && s->nr_keys < count);
	unlock_seen(s->c, part);
	*cursor = cur;
	return true;
}

bool key_scan_cursor(struct client *c, const struct slice *arg, uint64_t *cursor)
{
	char text[32];
	char *end = text;

	if (arg->len < sizeof(text)) {
		memcpy(text, arg->ptr, arg->len);
		text[arg->len] = '\0';
		errno = 0;
		*cursor = strtoull(text, &end, 10); /* of nothing: 0 */
		if (!isspace((unsigned char)text[0]) && *end == '\0' && errno == 0)
			return true;
	}
	reply_err(c, "ERR invalid cursor");
	return false;
}

bool key_scan_opts(struct client *c, uint32_t from, bool keys, struct key_scan_opts *opts)
{
	*opts = (struct key_scan_opts){.count = 10};
	for (uint32_t i = from; i < c->argc; i += 2) {
		const struct slice *a = &c->argv[i], *value = &c->argv[i + 1];

		if (i + 1 == c->argc)
			goto syntax;
		if (arg_is(a, "count")) {
			if (!arg_int_reply(c, value, &opts->count))
				return false;
			if (opts->count < 1)
				goto syntax;
		} else if (arg_is(a, "match")) {
			bool all = value->len == 1 && value->ptr[0] == '*';

			opts->pattern = all ? (struct slice){0} : *value;
		} else if (keys && arg_is(a, "type")) {
			opts->type = *value;
		} else {
			goto syntax;
		}
	}
	return true;
syntax:
	reply_err(c, REPLY_SYNTAX);
	return false;
}

void key_cmd_scan(struct client *c)
{
	struct scan s = {.c = c};
	uint64_t cursor;

	if (!key_scan_cursor(c, &c->argv[1], &cursor) || !key_scan_opts(c, 2, true, &s.opts))
		return;
	reply_defer_begin(c);
	if (!scan_run(&s, &cursor, (uint64_t)s.opts.count)) {
		reply_defer_drop(c);
		cmd_retry(c);
		return;
	}
	reply_defer_end_cursor(c, cursor, s.nr_keys);
}

/* --- KEYS ------------------------------------------------------------------------------------- */

static void keys_visit(void *ctx, int db, struct entry *e)
{
	struct scan *s = ctx;
	struct slice key = entry_key(e);

	if (!matches(&s->opts.pattern, &key))
		return;
	if (entry_expired(e, s->c->now_ms))
		return;
	reply_bulk(s->c, key.ptr, key.len);
	s->nr_keys++;
}

void key_cmd_keys(struct client *c)
{
	struct scan s = {.c = c, .opts.pattern = c->argv[1]};
	uint32_t nr = ks_nr_parts(c->srv->ks);

	if (s.opts.pattern.len == 1 && s.opts.pattern.ptr[0] == '*')
		s.opts.pattern.ptr = NULL;
	reply_defer_begin(c);
	for (uint32_t part = 0; part < nr; part++)
		ks_walk_part(c->srv->ks, part, c->db, keys_visit, &s);
	reply_defer_end_array(c, s.nr_keys);
}

/* --- RANDOMKEY -------------------------------------------------------------------------------- */

/* Draws that may meet keys which are over and must stay, before one of those is shown after all. */
#define RANDOM_TRIES 100

enum drawn {
	DRAWN_KEY,   /* replied */
	DRAWN_OVER,  /* a key that is over, or none after all: draw again */
	DRAWN_RETRY, /* one that is over cannot be removed now */
};

/* Draws from the locked partition. last: a replica shows even a key that is over. */
static enum drawn draw(struct client *c, uint32_t part, bool last)
{
	struct entry *e = ks_random_entry(c->srv->ks, part, c->db);

	if (!e)
		return DRAWN_OVER;
	bool over = entry_expired(e, c->now_ms);

	if (over && key_time_over(c, entry_expire(e)))
		return expire_entry(c, e) ? DRAWN_OVER : DRAWN_RETRY;
	if (over && !last)
		return DRAWN_OVER;
	struct slice key = entry_key(e);

	reply_bulk(c, key.ptr, key.len);
	return DRAWN_KEY;
}

void key_cmd_randomkey(struct client *c)
{
	struct keyspace *ks = c->srv->ks;

	for (int tries = 1;; tries++) {
		int64_t part = ks_random_part(ks, c->db);

		if (part < 0) {
			reply_null(c);
			return;
		}
		if (!cmd_part_trylock(c, (uint32_t)part)) {
			cmd_retry(c);
			return;
		}
		enum drawn drawn = draw(c, (uint32_t)part, tries >= RANDOM_TRIES);

		unlock_seen(c, (uint32_t)part);
		if (drawn == DRAWN_KEY)
			return;
		if (drawn == DRAWN_RETRY) {
			cmd_retry(c);
			return;
		}
	}
}
