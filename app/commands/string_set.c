/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SET and its kin: commands that replace a whole string, or its time to live while reading it.
 *
 * What reaches the log never depends on the clock: times are absolute there, and a time that is
 * over arrives as a DEL.
 */
#include "app/commands/string_cmds.h"

#include "app/commands/keys.h"

#include <stdio.h>

enum set_opts {
	OPT_NX = 1u << 0,
	OPT_XX = 1u << 1,
	OPT_GET = 1u << 2,
	OPT_KEEPTTL = 1u << 3,
	OPT_PERSIST = 1u << 4,
	OPT_EX = 1u << 5,
	OPT_PX = 1u << 6,
	OPT_EXAT = 1u << 7,
	OPT_PXAT = 1u << 8,
};

#define OPTS_TIME  (OPT_EX | OPT_PX | OPT_EXAT | OPT_PXAT)
#define OPTS_SET   (OPT_NX | OPT_XX | OPT_GET | OPT_KEEPTTL | OPTS_TIME)
#define OPTS_GETEX (OPT_PERSIST | OPTS_TIME)

/* An option may come again, but not with another of its group. */
static const struct {
	const char *word;
	unsigned opt, excludes;
} set_words[] = {
	{"nx", OPT_NX, OPT_XX},
	{"xx", OPT_XX, OPT_NX},
	{"get", OPT_GET, 0},
	{"keepttl", OPT_KEEPTTL, OPT_PERSIST | OPTS_TIME},
	{"persist", OPT_PERSIST, OPT_KEEPTTL | OPTS_TIME},
	{"ex", OPT_EX, OPT_KEEPTTL | OPT_PERSIST | (OPTS_TIME & ~OPT_EX)},
	{"px", OPT_PX, OPT_KEEPTTL | OPT_PERSIST | (OPTS_TIME & ~OPT_PX)},
	{"exat", OPT_EXAT, OPT_KEEPTTL | OPT_PERSIST | (OPTS_TIME & ~OPT_EXAT)},
	{"pxat", OPT_PXAT, OPT_KEEPTTL | OPT_PERSIST | (OPTS_TIME & ~OPT_PXAT)},
};

#define NR_SET_WORDS (sizeof(set_words) / sizeof(set_words[0]))

/* Reads the options from argv[from] on. *time is the argument of the option of time, if one is
 * given. Replies the error when they make no sense. */
static bool parse_opts(struct client *c, uint32_t from, unsigned allowed, unsigned *opts,
	const struct slice **time)
{
	unsigned set = 0;

	for (uint32_t i = from; i < c->argc; i++) {
		size_t w = 0;

		while (w < NR_SET_WORDS && !arg_is(&c->argv[i], set_words[w].word))
			w++;
		if (w == NR_SET_WORDS || !(set_words[w].opt & allowed) ||
			(set_words[w].excludes & set))
			goto syntax;
		set |= set_words[w].opt;
		if (!(set_words[w].opt & OPTS_TIME))
			continue;
		if (++i == c->argc)
			goto syntax;
		*time = &c->argv[i];
	}
	*opts = set;
	return true;
syntax:
	reply_err(c, REPLY_SYNTAX);
	return false;
}

static enum key_time time_unit(unsigned opts)
{
	if (opts & OPT_EX)
		return KEY_TIME_S;
	if (opts & OPT_PX)
		return KEY_TIME_MS;
	return opts & OPT_EXAT ? KEY_TIME_AT_S : KEY_TIME_AT_MS;
}

/* Formats v into buf, of KS_INT_STR_MAX bytes. */
static struct slice int_slice(char *buf, int64_t v)
{
	int len = snprintf(buf, KS_INT_STR_MAX, "%lld", (long long)v);

	return (struct slice){.ptr = buf, .len = (size_t)len};
}

/* Logs "SET key value PXAT at_ms". */
static void prop_set_pxat(
	struct client *c, const struct slice *key, const struct slice *val, int64_t at_ms)
{
	char buf[KS_INT_STR_MAX];
	struct slice argv[5] = {
		slice_str("SET"), *key, *val, slice_str("PXAT"), int_slice(buf, at_ms)};

	prop_replace(c, 5, argv);
}

/* Logs the SET as it came, without its GETs. */
static void prop_set_without_get(struct client *c)
{
	struct slice argv[16];
	int n = 0;

	for (uint32_t i = 0; i < c->argc; i++) {
		if (i >= 3 && arg_is(&c->argv[i], "get"))
			continue;
		/* NX again and again: then as it came, GET changes nothing on a replica */
		if (n == (int)(sizeof(argv) / sizeof(argv[0])))
			return;
		argv[n++] = c->argv[i];
	}
	prop_replace(c, n, argv);
}

/* Stores with an expiry. A value must not outlive its time for want of memory: then it goes. */
static bool store_until(
	struct client *c, const struct slice *key, const struct slice *val, int64_t at_ms)
{
	struct entry *e = key_store(c, key, val->ptr, val->len, 0);

	if (!e)
		return false;
	if (ks_set_expire(c->srv->ks, c->core_id, c->db, e, at_ms))
		return true;
	key_delete_effect(c, e, key, false);
	return false;
}

/* Replies the old value, as GET. Returns false after WRONGTYPE. */
static bool reply_value(struct client *c, const struct slice *key)
{
	bool bad = false;
	struct entry *e = lookup_read_str(c, key, &bad);

	if (bad)
		return false;
	if (e)
		reply_entry(c, e);
	else
		reply_null(c);
	return true;
}

/* The storing part of SET with options; what has to be replied before, was. */
static bool store_with_opts(struct client *c, unsigned opts, int64_t at_ms)
{
	const struct slice *key = &c->argv[1], *val = &c->argv[2];
	unsigned flags = 0;

	if (at_ms != KS_NO_EXPIRE) {
		if (!store_until(c, key, val, at_ms))
			return false;
		prop_set_pxat(c, key, val, at_ms);
		return true;
	}
	/* an entry that is over and only hides must not lend its time to the new value */
	if ((opts & OPT_KEEPTTL) && lookup_write(c, key))
		flags = KS_KEEP_TTL;
	if (!key_store(c, key, val->ptr, val->len, flags))
		return false;
	if (opts & OPT_GET)
		prop_set_without_get(c);
	return true;
}

static void set_done(struct client *c, bool expires)
{
	cmd_notify(c, NOTIFY_STRING, "set", &c->argv[1]);
	if (expires)
		cmd_notify(c, NOTIFY_GENERIC, "expire", &c->argv[1]);
	cmd_dirty(c, 1);
}

static void set_with_opts(struct client *c)
{
	const struct slice *key = &c->argv[1];
	const struct slice *time = NULL;
	unsigned opts = 0;
	int64_t at_ms = KS_NO_EXPIRE;

	if (!parse_opts(c, 3, OPTS_SET, &opts, &time))
		return;
	if (time && !key_time_arg(c, time_unit(opts), time, &at_ms))
		return;
	bool refused = false;

	if (opts & (OPT_NX | OPT_XX))
		refused = (lookup_write(c, key) != NULL) == !!(opts & OPT_NX);
	if ((opts & OPT_GET) && !reply_value(c, key))
		return;
	if (refused) {
		if (!(opts & OPT_GET))
			reply_null(c);
		return;
	}
	if (!store_with_opts(c, opts, at_ms)) {
		key_no_memory(c, opts & OPT_GET);
		return;
	}
	set_done(c, at_ms != KS_NO_EXPIRE);
	if (!(opts & OPT_GET))
		reply_ok(c);
}

void string_cmd_set(struct client *c)
{
	if (c->argc > 3) {
		set_with_opts(c);
		return;
	}
	if (!key_store(c, &c->argv[1], c->argv[2].ptr, c->argv[2].len, 0)) {
		key_no_memory(c, false);
		return;
	}
	set_done(c, false);
	reply_ok(c);
}

void string_cmd_setnx(struct client *c)
{
	if (lookup_write(c, &c->argv[1])) {
		reply_int(c, 0);
		return;
	}
	if (!key_store(c, &c->argv[1], c->argv[2].ptr, c->argv[2].len, 0)) {
		key_no_memory(c, false);
		return;
	}
	set_done(c, false);
	reply_int(c, 1);
}

static void set_ex(struct client *c, enum key_time unit)
{
	const struct slice *key = &c->argv[1], *val = &c->argv[3];
	int64_t at_ms;

	if (!key_time_arg(c, unit, &c->argv[2], &at_ms))
		return;
	if (!store_until(c, key, val, at_ms)) {
		key_no_memory(c, false);
		return;
	}
	prop_set_pxat(c, key, val, at_ms);
	set_done(c, true);
	reply_ok(c);
}

void string_cmd_setex(struct client *c)
{
	set_ex(c, KEY_TIME_S);
}

void string_cmd_psetex(struct client *c)
{
	set_ex(c, KEY_TIME_MS);
}

void string_cmd_getset(struct client *c)
{
	struct slice argv[3] = {slice_str("SET"), c->argv[1], c->argv[2]};

	if (!reply_value(c, &c->argv[1]))
		return;
	if (!key_store(c, &c->argv[1], c->argv[2].ptr, c->argv[2].len, 0)) {
		key_no_memory(c, true);
		return;
	}
	prop_replace(c, 3, argv);
	set_done(c, false);
}

/* The effect of GETEX on the time to live. */
static void getex_apply(
	struct client *c, struct entry *e, unsigned opts, const struct slice *time, int64_t at_ms)
{
	const struct slice *key = &c->argv[1];
	char buf[KS_INT_STR_MAX];

	if ((opts & (OPT_EXAT | OPT_PXAT)) && key_time_over(c, at_ms)) {
		key_delete_effect(c, e, key, atomic_load(&c->srv->cfg->lazyfree_expire));
		return;
	}
	if (!time && (!(opts & OPT_PERSIST) || entry_expire(e) == KS_NO_EXPIRE))
		return;
	if (!ks_set_expire(c->srv->ks, c->core_id, c->db, e, time ? at_ms : KS_NO_EXPIRE)) {
		key_no_memory(c, true);
		return;
	}
	if (time) {
		struct slice argv[3] = {slice_str("PEXPIREAT"), *key, int_slice(buf, at_ms)};

		prop_replace(c, 3, argv);
		cmd_notify(c, NOTIFY_GENERIC, "expire", key);
	} else {
		struct slice argv[2] = {slice_str("PERSIST"), *key};

		prop_replace(c, 2, argv);
		cmd_notify(c, NOTIFY_GENERIC, "persist", key);
	}
	cmd_dirty(c, 1);
}

void string_cmd_getex(struct client *c)
{
	const struct slice *time = NULL;
	unsigned opts = 0;
	int64_t at_ms = KS_NO_EXPIRE;
	bool bad = false;

	if (!parse_opts(c, 2, OPTS_GETEX, &opts, &time))
		return;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	if (!e) {
		reply_null(c);
		return;
	}
	if (time && !key_time_arg(c, time_unit(opts), time, &at_ms))
		return;
	reply_entry(c, e);
	getex_apply(c, e, opts, time, at_ms);
}

void string_cmd_getdel(struct client *c)
{
	bool bad = false;
	struct entry *e = lookup_read_str(c, &c->argv[1], &bad);

	if (bad)
		return;
	if (!e) {
		reply_null(c);
		return;
	}
	reply_entry(c, e);
	key_delete_effect(c, e, &c->argv[1], atomic_load(&c->srv->cfg->lazyfree_user_del));
}

/* Stores the pairs in argv from 1 on. Returns false after an error: then the pairs stored so far
 * are the effect that is logged. */
static bool store_pairs(struct client *c)
{
	for (uint32_t i = 1; i < c->argc; i += 2) {
		if (key_store(c, &c->argv[i], c->argv[i + 1].ptr, c->argv[i + 1].len, 0)) {
			cmd_notify(c, NOTIFY_STRING, "set", &c->argv[i]);
			continue;
		}
		if (i > 1) {
			struct slice mset = c->argv[0];

			/* an MSETNX cut short has set what it has set */
			c->argv[0] = slice_str("MSET");
			prop_replace(c, (int)i, c->argv);
			c->argv[0] = mset;
			cmd_dirty(c, (i - 1) / 2);
		}
		key_no_memory(c, false);
		return false;
	}
	cmd_dirty(c, (c->argc - 1) / 2);
	return true;
}

void string_cmd_mset(struct client *c)
{
	if (c->argc % 2 == 0) {
		reply_arity(c);
		return;
	}
	if (store_pairs(c))
		reply_ok(c);
}

void string_cmd_msetnx(struct client *c)
{
	if (c->argc % 2 == 0) {
		reply_arity(c);
		return;
	}
	for (uint32_t i = 1; i < c->argc; i += 2) {
		if (lookup_write(c, &c->argv[i])) {
			reply_int(c, 0);
			return;
		}
	}
	if (store_pairs(c))
		reply_int(c, 1);
}
