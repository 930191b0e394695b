/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/appcore.h"

#include "app/acl/client.h"
#include "app/commands/dispatch.h"
#include "app/commands/evict.h"
#include "app/commands/notify.h"
#include "app/commands/script_run.h"
#include "app/latency.h"
#include "app/pubsub.h"
#include "app/recovery.h"
#include "app/replication.h"
#include "app/snapshot.h"
#include "app/waiting.h"
#include "dataplane/clock.h"
#include "persist/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Active expiry: how often, partitions looked at, and keys removed from one at a time. All of 1024
 * partitions are seen within 7 ms. */
#define EXPIRE_EVERY_US 100
#define EXPIRE_PARTS    16
#define EXPIRE_KEYS     16
#define RECLAIM_KEYS    64

static bool expire_log(void *ctx, uint32_t part, int db, const struct entry *e)
{
	struct app_core *ac = ctx;
	bool unlink = atomic_load_explicit(&ac->srv->cfg->lazyfree_expire, memory_order_relaxed);

	if (propagate_admit_del(ac, entry_key(e)))
		return false; /* later */
	struct slice key = entry_key(e);

	propagate_del(ac, part, db, key, unlink);
	notify_now(ac, NOTIFY_EXPIRED, "expired", db, &key, ks_part_written(ac->srv->ks, part));
	ac->expired_keys++;
	return true;
}

static unsigned expire_part(struct app_core *ac, uint32_t part)
{
	struct keyspace *ks = ac->srv->ks;
	uint64_t start = clock_cycles();
	unsigned n = 0;

	if (!ks_part_trylock(ks, part))
		return 0;
	if (!atomic_load_explicit(&ac->srv->is_replica, memory_order_relaxed))
		n = ks_expire_part(ks, ac->id, part, ac->now_ms, EXPIRE_KEYS, expire_log, ac);
	ks_part_unlock(ks, part);
	latency_add_us(ac->srv, "expire-cycle", app_core_us(ac, clock_cycles() - start));
	return n;
}

/* Each core looks after every nr_cores-th partition, a few at a time; at once again when there was
 * more to remove. */
static bool expire_work(struct app_core *ac)
{
	struct server *srv = ac->srv;
	uint32_t nr = ks_nr_parts(srv->ks);
	bool more = false;

	if (!ac->expire_more && ac->now_us - ac->expire_us < EXPIRE_EVERY_US)
		return false;
	ac->expire_us = ac->now_us;
	ac->expire_more = false;
	if (atomic_load_explicit(&srv->is_replica, memory_order_relaxed) ||
		!atomic_load_explicit(&srv->active_expire, memory_order_relaxed) ||
		atomic_load_explicit(&srv->pause_until_ms, memory_order_relaxed) > ac->now_ms)
		return false;
	for (int i = 0; i < EXPIRE_PARTS; i++) {
		uint32_t part = (uint32_t)ac->expire_part;

		ac->expire_part += srv->nr_cores;
		if (ac->expire_part >= nr)
			ac->expire_part = ac->id;
		if (part < nr && ks_part_next_expire(srv->ks, part) < ac->now_ms)
			more |= expire_part(ac, part) == EXPIRE_KEYS;
	}
	ac->expire_more = more;
	return more;
}

static bool work(struct core *core)
{
	struct app_core *ac = core->app;
	bool more = false;
	struct track_msg *news;

	acl_core_look(ac, NULL);
	pubsub_core_work(ac);
	more |= listeners_core_work(ac);
	news = tracking_core_take(ac);
	more |= waiting_core_work(ac);
	tracking_core_work(ac, news);
	more |= client_core_work(ac);
	if (atomic_load_explicit(&ac->srv->loading, memory_order_acquire))
		return more | recovery_core_work(ac);
	more |= snapshot_core_work(ac);
	more |= expire_work(ac);
	more |= evict_core_work(ac);
	more |= ks_reclaim(ac->srv->ks, RECLAIM_KEYS);
	repl_core_work(ac);
	return more;
}

static void received(struct core *core)
{
	batch_run(core->app);
}

static bool burst_end(struct core *core)
{
	struct app_core *ac = core->app;
	bool waits;

	batch_run(ac); /* a client that was let go on may have parsed more */
	tracking_core_burst_end(ac);
	waits = client_core_burst_end(ac);

	if (!atomic_load_explicit(&ac->srv->loading, memory_order_relaxed))
		waits |= repl_core_burst_end(ac);
	return waits;
}

static void clock_tick(struct core *core)
{
	struct app_core *ac = core->app;

	ac->now_ms = core->now_ms;
	ac->now_us = core->now_us;
}

const struct core_ops app_core_ops = {
	.clock = clock_tick,
	.accept = client_accept,
	.received = received,
	.work = work,
	.burst_end = burst_end,
};

static uint64_t measure_us_per_cycle(void)
{
	uint64_t us = clock_mono_us(), cycles = clock_cycles();

	while (clock_mono_us() - us < 2000)
		;
	return (uint64_t)(0x1p32 * (double)(clock_mono_us() - us) /
			  (double)(clock_cycles() - cycles));
}

int app_core_create(struct server *srv, unsigned id, struct core **cores, bool adaptive)
{
	struct app_core *ac = NULL;
	int rc;

	if (posix_memalign((void **)&ac, 64, sizeof(*ac)))
		return -ENOMEM;
	memset(ac, 0, sizeof(*ac));
	ac->srv = srv;
	ac->id = id;
	ac->expire_part = id;
	resp_parser_init(&ac->parser);
	listeners_core_init(ac);
	waiting_core_init(ac);
	tracking_core_init(ac);
	TAILQ_INIT(&ac->clients);
	TAILQ_INIT(&ac->dirty);
	TAILQ_INIT(&ac->waiters);
	TAILQ_INIT(&ac->retry);
	TAILQ_INIT(&ac->blocked);
	TAILQ_INIT(&ac->monitors);
	TAILQ_INIT(&ac->replicas);
	ac->us_per_cycle = measure_us_per_cycle();
	ac->now_ms = clock_unix_us() / 1000;
	rc = propagation_create(&ac->prop);
	if (rc == 0)
		rc = core_create(id, srv->nr_cores, cores, &app_core_ops, adaptive, &ac->core);
	if (rc) {
		propagation_destroy(&ac->prop);
		free(ac);
		return rc;
	}
	ac->core->app = ac;
	cores[id] = ac->core;
	srv->cores[id] = ac;
	return 0;
}

int app_core_open_log(struct app_core *ac)
{
	return log_writer_open(ac->srv->log, ac->id, &ac->log);
}

void app_core_destroy(struct app_core **acp)
{
	struct app_core *ac = *acp;

	if (!ac)
		return;
	script_core_destroy(ac);
	core_destroy(&ac->core);
	propagation_destroy(&ac->prop);
	encbuf_fini(&ac->events);
	group_fini(&ac->group);
	tracking_core_fini(ac);
	resp_parser_fini(&ac->parser);
	free(ac);
	*acp = NULL;
}
