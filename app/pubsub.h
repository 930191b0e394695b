/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pub/sub: channels, patterns and shard channels, and the messages to their subscribers on all
 * cores.
 *
 *	publisher's core                       subscriber's core
 *	  lock                                   lock
 *	  find channel, match patterns           take the whole mailbox
 *	  append to the mailbox of each          unlock
 *	   core that has a subscriber            give each message to the clients that
 *	  unlock, wake them                       are subscribed here
 *
 * Under the one lock lies the order of all messages: every subscriber sees a part of the same
 * sequence. A core brings its mailbox up to date before one of its clients subscribes or
 * unsubscribes (counts change, and the mailbox is taken, in one hold of the lock), so who is told
 * is exactly who was subscribed when the message was published, and the number that PUBLISH
 * returns is true. A mailbox has no bound of its own: nothing is lost, and nobody waits with the
 * lock held; a publisher is set aside while some core is far behind (pubsub_is_behind()). What
 * has been delivered counts against the client's output limit.
 *
 * A message waits for the reply mark as a reply of its publisher would: nobody acts on what a
 * crash can take back.
 *
 * Lock order: partitions, then this lock; nothing is locked under it.
 */
#ifndef MILLRACE_APP_PUBSUB_H
#define MILLRACE_APP_PUBSUB_H

#include "app/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pubsub_kind {
	PUBSUB_CHANNEL,
	PUBSUB_PATTERN,
	PUBSUB_SHARD,
	PUBSUB_KINDS,
};

struct client;
struct client_pubsub; /* of a client that has subscribed at some time */

int pubsub_create(struct server *srv); /* control thread; 0 or -ENOMEM */
void pubsub_destroy(struct server *srv);

/* The subscriptions of a client. Its core. 1: changed; 0: it was so before; -ENOMEM. */
int pubsub_subscribe(struct client *c, enum pubsub_kind kind, const struct slice *name);
int pubsub_unsubscribe(struct client *c, enum pubsub_kind kind, const struct slice *name);
/* One name that the client is subscribed to; false: none. Valid until it is unsubscribed. */
bool pubsub_client_any(const struct client *c, enum pubsub_kind kind, struct slice *name);
/* Does the client have a name that fails the test? */
bool pubsub_client_has_other(const struct client *c, enum pubsub_kind kind,
	bool (*test)(const void *ctx, const struct slice *name), const void *ctx);
/* How many names. The client's core, or srv->clients_lock held. */
unsigned pubsub_client_count(const struct client *c, enum pubsub_kind kind);
/* Memory of them. The client's core. */
size_t pubsub_client_bytes(const struct client *c);
/* Ends all of them without a word; also before the client goes. */
void pubsub_client_forget(struct client *c);

/* Gives a message to all who are subscribed to the channel (PUBSUB_CHANNEL: and to patterns that
 * match it, or PUBSUB_SHARD). Copies. gate: as a client's. Returns the number of clients told.
 * The core's own clients have it in pubsub_core_work(). Any poll core; partitions may be locked. */
size_t pubsub_publish(struct app_core *ac, enum pubsub_kind kind, const struct slice *channel,
	const struct slice *payload, uint64_t gate);
/* How many that would tell now. */
size_t pubsub_receivers(struct server *srv, enum pubsub_kind kind, const struct slice *channel);
/* Does somebody have so many messages to take that publishers should wait? */
bool pubsub_is_behind(const struct server *srv);
/* Takes the core's mailbox and delivers. */
void pubsub_core_work(struct app_core *ac);

/* Number of channels or patterns with subscribers. Any thread. */
unsigned pubsub_nr_names(const struct server *srv, enum pubsub_kind kind);
/* Subscribers of one channel. */
size_t pubsub_nr_subscribers(
	struct server *srv, enum pubsub_kind kind, const struct slice *channel);
/* Calls fn for each name that has subscribers, with the lock held for a part of them at a time. */
void pubsub_walk(struct server *srv, enum pubsub_kind kind,
	void (*fn)(void *ctx, const struct slice *name), void *ctx);

#endif
