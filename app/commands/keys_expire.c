/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time to live: EXPIRE and its kin, TTL and its kin, PERSIST.
 *
 * The log carries Unix times in milliseconds only. A time that is over deletes the key, and the log
 * says so.
 */
#include "app/commands/keys.h"

#include <stdio.h>

enum expire_cond {
	COND_NX = 1u << 0,
	COND_XX = 1u << 1,
	COND_GT = 1u << 2,
	COND_LT = 1u << 3,
};

static bool parse_conds(struct client *c, unsigned *out)
{
	unsigned set = 0;

	for (uint32_t i = 3; i < c->argc; i++) {
		const struct slice *a = &c->argv[i];

		if (arg_is(a, "nx")) {
			set |= COND_NX;
		} else if (arg_is(a, "xx")) {
			set |= COND_XX;
		} else if (arg_is(a, "gt")) {
			set |= COND_GT;
		} else if (arg_is(a, "lt")) {
			set |= COND_LT;
		} else {
			reply_errf(c, "ERR Unsupported option %.*s",
				(int)(a->len < 1024 ? a->len : 1024), a->ptr);
			return false;
		}
	}
	if ((set & COND_NX) && (set & ~COND_NX)) {
		reply_err(c, "ERR NX and XX, GT or LT options at the same time are not compatible");
		return false;
	}
	if ((set & COND_GT) && (set & COND_LT)) {
		reply_err(c, "ERR GT and LT options at the same time are not compatible");
		return false;
	}
	*out = set;
	return true;
}

/* now: the present expiry. A key without one lives for ever, longer than any time. */
static bool conds_hold(unsigned conds, int64_t now, int64_t at_ms)
{
	bool has = now != KS_NO_EXPIRE;

	if ((conds & COND_NX) && has)
		return false;
	if ((conds & COND_XX) && !has)
		return false;
	if ((conds & COND_GT) && (!has || at_ms <= now))
		return false;
	if ((conds & COND_LT) && has && at_ms >= now)
		return false;
	return true;
}

/* Logs "PEXPIREAT key at_ms" with the conditions as they came. */
static void prop_pexpireat(struct client *c, int64_t at_ms)
{
	char buf[KS_INT_STR_MAX];
	struct slice argv[8] = {slice_str("PEXPIREAT"), c->argv[1]};
	int n = 3, len = snprintf(buf, sizeof(buf), "%lld", (long long)at_ms);

	argv[2] = (struct slice){.ptr = buf, .len = (size_t)len};
	/* the conditions held here, and the same state decides alike on a replica; more than these
	 * are repetitions */
	for (uint32_t i = 3; i < c->argc && n < 8; i++)
		argv[n++] = c->argv[i];
	prop_replace(c, n, argv);
}

static void expire(struct client *c, enum key_time unit)
{
	const struct slice *key = &c->argv[1];
	unsigned conds = 0;
	int64_t v, at_ms;

	if (!parse_conds(c, &conds) || !arg_int_reply(c, &c->argv[2], &v))
		return;
	if (!key_time_abs(c, unit, v, &at_ms)) {
		key_time_error(c);
		return;
	}
	struct entry *e = lookup_write(c, key);

	if (!e || !conds_hold(conds, entry_expire(e), at_ms)) {
		reply_int(c, 0);
		return;
	}
	if (key_time_over(c, at_ms)) {
		key_delete_effect(c, e, key, atomic_load(&c->srv->cfg->lazyfree_expire));
		reply_int(c, 1);
		return;
	}
	/* a time before 1970, as a replica's own client may give: over, but not KS_NO_EXPIRE */
	if (at_ms < 0)
		at_ms = 0;
	if (!ks_set_expire(c->srv->ks, c->core_id, c->db, e, at_ms)) {
		key_no_memory(c, false);
		return;
	}
	if (unit != KEY_TIME_AT_MS)
		prop_pexpireat(c, at_ms);
	cmd_notify(c, NOTIFY_GENERIC, "expire", key);
	cmd_dirty(c, 1);
	reply_int(c, 1);
}

void key_cmd_expire(struct client *c)
{
	expire(c, KEY_TIME_S);
}

void key_cmd_pexpire(struct client *c)
{
	expire(c, KEY_TIME_MS);
}

void key_cmd_expireat(struct client *c)
{
	expire(c, KEY_TIME_AT_S);
}

void key_cmd_pexpireat(struct client *c)
{
	expire(c, KEY_TIME_AT_MS);
}

void key_cmd_persist(struct client *c)
{
	struct entry *e = lookup_write(c, &c->argv[1]);

	if (!e || entry_expire(e) == KS_NO_EXPIRE) {
		reply_int(c, 0);
		return;
	}
	if (!ks_set_expire(c->srv->ks, c->core_id, c->db, e, KS_NO_EXPIRE)) {
		key_no_memory(c, false);
		return;
	}
	cmd_notify(c, NOTIFY_GENERIC, "persist", &c->argv[1]);
	cmd_dirty(c, 1);
	reply_int(c, 1);
}

static void reply_time(struct client *c, bool relative, bool seconds)
{
	struct entry *e = lookup_db(c, c->db, &c->argv[1], false);
	int64_t at_ms = e ? entry_expire(e) : KS_NO_EXPIRE;

	if (!e || at_ms == KS_NO_EXPIRE) {
		reply_int(c, e ? -1 : -2);
		return;
	}
	if (relative)
		at_ms = at_ms > c->now_ms ? at_ms - c->now_ms : 0;
	/* Redis rounds to the nearest second; in two steps, for adding 500 could overflow */
	reply_int(c, seconds ? at_ms / 1000 + (at_ms % 1000 >= 500) : at_ms);
}

void key_cmd_ttl(struct client *c)
{
	reply_time(c, true, true);
}

void key_cmd_pttl(struct client *c)
{
	reply_time(c, true, false);
}

void key_cmd_expiretime(struct client *c)
{
	reply_time(c, false, true);
}

void key_cmd_pexpiretime(struct client *c)
{
	reply_time(c, false, false);
}
