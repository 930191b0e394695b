/* SPDX-License-Identifier: BSD-3-Clause
 *
 * OBJECT: how a value is kept, and how it has been used.
 */
#include "app/commands/keys.h"
#include "app/keyspace/types/obj.h"

/* The entry to look into, untouched. Replies null when there is none. */
static struct entry *object(struct client *c)
{
	struct entry *e = lookup_db(c, c->db, &c->argv[2], false);

	if (!e)
		reply_null(c);
	return e;
}

static bool policy_is_lfu(const struct client *c)
{
	int policy = atomic_load_explicit(&c->srv->cfg->maxmemory_policy, memory_order_relaxed);

	return policy == KS_ALLKEYS_LFU || policy == KS_VOLATILE_LFU;
}

void key_cmd_object_encoding(struct client *c)
{
	struct entry *e = object(c);

	if (e)
		reply_bulk_str(c, obj_enc_name(entry_enc(e)));
}

void key_cmd_object_freq(struct client *c)
{
	struct entry *e = object(c);

	if (!e)
		return;
	if (policy_is_lfu(c))
		reply_int(c, entry_freq(c->srv->ks, e, c->now_ms));
	else
		reply_err(c, "ERR An LFU maxmemory policy is not selected, access frequency not "
			     "tracked. Please note that when switching between policies at "
			     "runtime LRU and LFU data will take some time to adjust.");
}

void key_cmd_object_idletime(struct client *c)
{
	struct entry *e = object(c);

	if (!e)
		return;
	if (!policy_is_lfu(c))
		reply_int(c, (int64_t)entry_idle_s(c->srv->ks, e, c->now_ms));
	else
		reply_err(c, "ERR An LFU maxmemory policy is selected, idle time not tracked. "
			     "Please note that when switching between policies at runtime LRU "
			     "and LFU data will take some time to adjust.");
}

/* Values are never shared between keys here. redis-server keeps one object for each small integer
 * where no policy needs access times of its own for each key, and reports INT_MAX for it; so do we,
 * for its tests look at that. */
void key_cmd_object_refcount(struct client *c)
{
	const struct config *cfg = c->srv->cfg;
	struct entry *e = object(c);
	int64_t v;

	if (!e)
		return;
	int policy = atomic_load_explicit(&cfg->maxmemory_policy, memory_order_relaxed);
	bool own_times = policy_is_lfu(c) || policy == KS_ALLKEYS_LRU || policy == KS_VOLATILE_LRU;
	bool shares =
		!own_times || atomic_load_explicit(&cfg->maxmemory, memory_order_relaxed) == 0;

	reply_int(c, shares && entry_int(e, &v) && v >= 0 && v < 10000 ? INT32_MAX : 1);
}

void key_cmd_object_help(struct client *c)
{
	static const char *const lines[] = {
		"ENCODING <key>",
		"    How the value of <key> is kept in memory.",
		"FREQ <key>",
		"    How often <key> was used lately, on a logarithmic scale. Needs an LFU",
		"    maxmemory-policy.",
		"IDLETIME <key>",
		"    Seconds since <key> was last used. Needs a maxmemory-policy other than LFU.",
		"REFCOUNT <key>",
		"    How many keys share the value of <key>.",
		NULL,
	};

	reply_help(c, lines);
}
