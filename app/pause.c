/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pause.h"

#include "app/server.h"

/* What the cores look at. Under clients_lock. */
static void publish(struct server *srv)
{
	int64_t until = 0, all_until = 0;

	for (int i = 0; i < PAUSE_NR_REASONS; i++) {
		const struct pause *p = &srv->pauses[i];

		if (p->until_ms > until)
			until = p->until_ms;
		if (!p->writes_only && p->until_ms > all_until)
			all_until = p->until_ms;
	}
	atomic_store_explicit(&srv->pause_all_until_ms, all_until, memory_order_relaxed);
	atomic_store_explicit(&srv->pause_until_ms, until, memory_order_release);
}

void pause_begin(struct server *srv, enum pause_reason reason, int64_t now_ms, int64_t until_ms,
	bool writes_only)
{
	struct pause *p = &srv->pauses[reason];

	rte_spinlock_lock(&srv->clients_lock);
	if (p->until_ms > now_ms) {
		writes_only = writes_only && p->writes_only;
		until_ms = p->until_ms > until_ms ? p->until_ms : until_ms;
	}
	*p = (struct pause){.until_ms = until_ms, .writes_only = writes_only};
	publish(srv);
	rte_spinlock_unlock(&srv->clients_lock);
}

void pause_end(struct server *srv, enum pause_reason reason)
{
	rte_spinlock_lock(&srv->clients_lock);
	srv->pauses[reason] = (struct pause){0};
	publish(srv);
	rte_spinlock_unlock(&srv->clients_lock);
}
