/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keyspace notifications: from what a command says with cmd_notify() to messages on the channels
 * __keyspace@<db>__:<key> and __keyevent@<db>__:<event>.
 *
 * A command's events wait in its core until its effects are in the log: then they are published
 * under the locks of its partitions, so that those of one key come in the order of its changes,
 * and with the gate of its reply, so that nobody hears of a change that a crash can take back.
 */
#ifndef MILLRACE_APP_COMMANDS_NOTIFY_H
#define MILLRACE_APP_COMMANDS_NOTIFY_H

#include "app/commands/command.h"

/* Of each event in a core's events; the key follows. */
struct event_head {
	const char *event; /* NULL: a message of PUBLISH in EXEC, to the channel of that name */
	size_t key_len;
	size_t text_len; /* the message behind the channel */
	int db;          /* a message: enum pubsub_kind */
};

/* Does the node's configuration ask for events of the class? */
static inline bool notify_wanted(const struct server *srv, unsigned class)
{
	unsigned on = atomic_load_explicit(&srv->cfg->notify_events, memory_order_relaxed);

	return on & class && on & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT);
}

/* Publishes what has been said on the core since the last call, and forgets it; what its changes
 * mean to clients that track keys, too. gate: offset behind the effects. */
void notify_publish_all(struct app_core *ac, uint64_t gate);
static inline void notify_publish(struct app_core *ac, uint64_t gate)
{
	if (ac->events.len || tracking_has_news(&ac->tracking))
		notify_publish_all(ac, gate);
}
/* PUBLISH in EXEC: the message takes its place among the events. */
void notify_add_message(
	struct app_core *ac, int kind, const struct slice *channel, const struct slice *text);
/* Forgets it: the command runs again later. */
void notify_forget(struct app_core *ac);
/* A command has run: what it has said is published with its client's gate, or it runs again. */
static inline void notify_tell(struct client *c)
{
	if (c->retry)
		notify_forget(c->ac);
	else
		notify_publish(c->ac, c->gate);
}
/* One event outside any command: expiry, eviction. The key's partition is locked. */
void notify_now(struct app_core *ac, unsigned class, const char *event, int db,
	const struct slice *key, uint64_t gate);

#endif
