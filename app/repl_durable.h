/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The synchronous mode, min-replicas-durable N: no reply is sent before N replicas have what it
 * rests on.
 *
 *	log:   ---------+---------------+----------+---->
 *	                durable mark    reply mark tail
 *	                (N have it)     (durable here)
 *
 * The rule of the log (persist/log.h), one step further: a reply waits until both marks have passed
 * the last write to every partition that its command touched. That holds for reads too, so nobody
 * is shown what a failover could take back; for EXEC and scripts as a whole; and for messages
 * about keys.
 *
 * What counts: the ACK of every replica that is online and came by PSYNC. From millrace it means
 * durable there, from redis-server received and applied.
 *
 * Who says it at once: replicas that have told `capa burst-acks` acknowledge each burst of theirs
 * from `REPLCONF GETACK burst` in the stream on, until `REPLCONF GETACK rest` or the end of the
 * link. redis-server takes both for GETACK; it is asked for an ACK each millisecond while one is
 * owed.
 *
 * With fewer than N replicas that answer, writes are refused with NOREPLICAS before anything
 * changes. A reply that is held longer than min-replicas-durable-timeout ends its connection, as
 * does the loss of the master's role: that the write was made is never said, nor that it was
 * not.
 *
 * What a history holds when its master's term begins (a start, a promotion, the mode is switched
 * on) is the history: it is shown without waiting.
 */
#ifndef MILLRACE_APP_REPL_DURABLE_H
#define MILLRACE_APP_REPL_DURABLE_H

#include "app/replication.h"

/* The configured number has changed; at start: before the cores run. */
void repl_durable_configure(struct server *srv);
/* A term of ours as a master begins at the log's tail. */
void repl_durable_begin(struct server *srv);
/* An ACK has come, or a replica has come or gone: moves the mark. Any poll core. */
void repl_durable_update(struct server *srv, int64_t now_ms);
/* A replica is online. Its core. */
void repl_durable_online(struct server *srv, const struct replica *rep, int64_t now_ms);
/* Core 0, as a master: asks for ACKs. */
void repl_durable_work(struct app_core *ac);
/* Core 0: an ACK has to be asked for soon. */
bool repl_durable_asks(const struct server *srv);
/* Enough replicas answer for a write to be let in. */
bool repl_durable_enough(const struct server *srv);

/* True if replies wait for repl->durable.mark too. */
static inline bool repl_durable_on(const struct server *srv)
{
	return atomic_load_explicit(&srv->repl->durable.need, memory_order_relaxed) > 0 &&
	       !flag_on(&srv->is_replica);
}

#endif
