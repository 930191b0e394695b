/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/evict.h"

#include "app/commands/dispatch.h"
#include "app/commands/notify.h"
#include "app/latency.h"
#include "dataplane/clock.h"

/* Victims before one command, and in one turn of the loop, so that a burst stays short. */
#define EVICT_COMMAND 64
#define EVICT_TURN    16

enum evicted {
	EVICT_WITHIN,  /* the limit */
	EVICT_GOES_ON, /* above it; there is more that can go */
	EVICT_NOTHING, /* above it, and nothing can go */
};

static bool evict_log(void *ctx, uint32_t part, int db, const struct entry *e)
{
	struct app_core *ac = ctx;
	struct slice key = entry_key(e);

	/* Asked again under the lock: a replica's log takes nothing but its master's stream. */
	if (flag_on(&ac->srv->is_replica) || propagate_admit_del(ac, entry_key(e)))
		return false;
	propagate_del(ac, part, db, key, flag_on(&ac->srv->cfg->lazyfree_eviction));
	notify_now(ac, NOTIFY_EVICTED, "evicted", db, &key, ks_part_written(ac->srv->ks, part));
	ac->evicted_keys++;
	return true;
}

static enum evicted evict_keys(struct app_core *ac, uint64_t max, int nr)
{
	struct server *srv = ac->srv;
	bool lazy = flag_on(&srv->cfg->lazyfree_eviction);

	for (int i = 0; server_used_memory(srv) > max; i++) {
		if (flag_on(&srv->is_replica))
			return EVICT_NOTHING;
		if (i == nr)
			return EVICT_GOES_ON;
		/* Busy partitions and a full log pass. */
		if (ks_evict_one(srv->ks, ac->id, ac->now_ms, lazy, evict_log, ac) == 0)
			return ks_can_evict(srv->ks) ? EVICT_GOES_ON : EVICT_NOTHING;
	}
	return EVICT_WITHIN;
}

static enum evicted evict(struct app_core *ac, uint64_t max, int nr)
{
	uint64_t start;
	enum evicted rc;

	if (server_used_memory(ac->srv) <= max)
		return EVICT_WITHIN;
	start = clock_cycles();
	rc = evict_keys(ac, max, nr);
	latency_add_us(ac->srv, "eviction-cycle", app_core_us(ac, clock_cycles() - start));
	return rc;
}

/* The limit that is to be kept now; 0: none. A pause is for a log that rests. */
static uint64_t limit_of(const struct app_core *ac)
{
	struct server *srv = ac->srv;

	if (flag_on(&srv->loading))
		return 0;
	if (flag_on(&srv->is_replica) && flag_on(&srv->cfg->replica_ignore_maxmemory))
		return 0;
	if (atomic_load_explicit(&srv->pause_until_ms, memory_order_relaxed) > ac->now_ms)
		return 0;
	return atomic_load_explicit(&srv->cfg->maxmemory, memory_order_relaxed);
}

bool evict_for_command(struct app_core *ac)
{
	uint64_t max = limit_of(ac);

	return max == 0 || evict(ac, max, EVICT_COMMAND) != EVICT_NOTHING;
}

bool evict_core_work(struct app_core *ac)
{
	uint64_t max = limit_of(ac);

	if (max == 0 || flag_on(&ac->srv->is_replica) || flag_on(&ac->srv->loading))
		return false;
	return evict(ac, max, EVICT_TURN) == EVICT_GOES_ON;
}
