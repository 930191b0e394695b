/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Output is looked at when it is sent, and ten times a second for who does not read. Memory is
 * summed over all cores by core 0, from the copies that every client's owner makes of its figures.
 */
#include "app/client_limits.h"

#include "app/client_cold.h"
#include "app/client_priv.h"
#include "app/control.h"
#include "app/server.h"
#include "dataplane/conn.h"

#define QUIET_MS     2000
#define SYNC_REST_MS 5000

static uint64_t load(const uint64_t *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

static const struct output_limit *limit_of(const struct client *c)
{
	enum client_class class = CLASS_NORMAL;

	if (c->flags & CLIENT_REPLICA)
		class = CLASS_REPLICA;
	else if (c->flags & CLIENT_PUBSUB)
		class = CLASS_PUBSUB;
	return &c->srv->cfg->output_limits[class];
}

/* A replica's is never below repl-backlog-size, as in Redis: it would be dropped for a gap that it
 * was just allowed to continue over. */
static uint64_t hard_limit(const struct client *c)
{
	uint64_t bytes = load(&limit_of(c)->hard_bytes), backlog;

	if (bytes == 0 || !(c->flags & CLIENT_REPLICA))
		return bytes;
	backlog = atomic_load_explicit(&c->srv->cfg->repl_backlog_size, memory_order_relaxed);
	return bytes > backlog ? bytes : backlog;
}

uint64_t client_output_pending(const struct client *c)
{
	uint64_t bytes = c->out ? obuf_len(c->out) : 0;

	/* What is queued while the RDB is sent is the RDB itself, which is no debt of the
	 * replica's. */
	if (c->replica && c->flags & CLIENT_REPLICA)
		bytes = replica_behind(c->replica);
	return bytes;
}

/* What its full sync has let grow costs no memory, and dropping it would begin it anew: as long as
 * it takes something, or says that it lives. */
static bool is_on_its_way(const struct client *c)
{
	return c->replica && (c->flags & CLIENT_REPLICA) && replica_is_syncing(c->replica) &&
	       c->ac->now_ms - replica_progress(c->replica, c->ac->now_ms) < SYNC_REST_MS;
}

bool client_output_exceeds(struct client *c)
{
	const struct output_limit *lim = limit_of(c);
	uint64_t hard = hard_limit(c), soft = load(&lim->soft_bytes);
	uint64_t len = client_output_pending(c);
	int64_t soft_ms = 1000ll * __atomic_load_n(&lim->soft_seconds, __ATOMIC_RELAXED);
	bool over = hard && len >= hard;

	if (is_on_its_way(c))
		return false;

	if (!soft || len < soft) {
		c->soft_limit_since_ms = 0;
	} else {
		if (c->soft_limit_since_ms == 0)
			c->soft_limit_since_ms = c->ac->now_ms;
		over = over || c->ac->now_ms - c->soft_limit_since_ms > soft_ms;
	}
	if (over)
		server_log(c->srv, 3,
			"client: closed id=%llu peer=%s reason=output buffer limit bytes=%llu",
			(unsigned long long)c->id, client_peer(c, (char[CLIENT_ADDR]){0}),
			(unsigned long long)len);
	return over;
}

void client_output_check(struct client *c)
{
	uint64_t hard;

	if (!c->out || c->replica)
		return;
	hard = load(&limit_of(c)->hard_bytes);
	if (hard && obuf_len(c->out) >= hard && client_output_exceeds(c))
		client_flags_change(c, CLIENT_ASAP, 0);
}

/* --- maxmemory-clients ------------------------------------------------------------------------ */

/* Replicas have a limit of their own. Who asked not to be evicted still counts, as in Redis. */
static uint64_t clients_sum(const struct server *srv, struct client **largest)
{
	uint64_t sum = 0, most = 0;
	struct client *c;

	*largest = NULL;
	TAILQ_FOREACH(c, &srv->clients, registry_link) {
		uint32_t flags = atomic_load_explicit(&c->pub_flags, memory_order_relaxed);
		size_t bytes = client_memory(c);

		if ((flags & (CLIENT_REPLICA | CLIENT_MASTER)) ||
			atomic_load_explicit(&c->kill, memory_order_relaxed))
			continue;
		sum += bytes;
		if (!(flags & CLIENT_NO_EVICT) && bytes > most) {
			most = bytes;
			*largest = c;
		}
	}
	return sum;
}

static void evict_clients(struct app_core *ac)
{
	struct server *srv = ac->srv;
	int64_t limit = atomic_load_explicit(&srv->cfg->maxmemory_clients, memory_order_relaxed);
	struct client *c;

	if (limit < 0) /* a share of maxmemory, in percent */
		limit = (int64_t)(atomic_load_explicit(&srv->cfg->maxmemory, memory_order_relaxed) /
				  100 * (uint64_t)-limit);
	if (limit == 0)
		return;
	rte_spinlock_lock(&srv->clients_lock);
	while (clients_sum(srv, &c) >= (uint64_t)limit && c) {
		ac->evicted_clients++;
		client_kick(c);
		server_log(srv, 2, "client: evicted id=%llu peer=%s bytes=%zu",
			(unsigned long long)c->id, client_peer(c, (char[CLIENT_ADDR]){0}),
			client_memory(c));
	}
	rte_spinlock_unlock(&srv->clients_lock);
}

/* --- the sweep -------------------------------------------------------------------------------- */

static bool is_idle(const struct client *c, int64_t timeout_ms)
{
	return timeout_ms > 0 &&
	       !(c->flags & (CLIENT_REPLICA | CLIENT_BLOCKED | CLIENT_MONITOR | CLIENT_PUBSUB)) &&
	       c->ac->now_ms - c->last_active_ms > timeout_ms;
}

/* Redis looks at query buffers after two seconds, too. */
static bool is_quiet(const struct client *c)
{
	return c->ac->now_ms - c->last_active_ms > QUIET_MS;
}

void client_limits_sweep(struct app_core *ac)
{
	int64_t timeout_ms =
		1000ll * atomic_load_explicit(&ac->srv->cfg->timeout_s, memory_order_relaxed);
	struct client *c, *next;

	for (c = TAILQ_FIRST(&ac->clients); c; c = next) {
		next = TAILQ_NEXT(c, core_link);
		if (is_quiet(c)) {
			client_input_trim(c);
			client_cold_trim(c);
		}
		client_publish_own(c);
		client_publish(c);
		if (atomic_load_explicit(&c->kill, memory_order_relaxed) ||
			is_idle(c, timeout_ms) || (c->out && client_output_exceeds(c)))
			client_abort(c);
	}
	if (ac->id == 0)
		evict_clients(ac);
}
