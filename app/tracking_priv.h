/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Client-side caching from inside: what tracking.c (who is to be told) and tracking_send.c (telling
 * them) share.
 */
#ifndef MILLRACE_APP_TRACKING_PRIV_H
#define MILLRACE_APP_TRACKING_PRIV_H

#include "app/server.h"
#include "app/tracking.h"
#include "app/tracking_table.h"

#include <rte_rwlock.h>
#include <rte_spinlock.h>

enum track_kind {
	TRACK_KEY,      /* to the clients in ids: bytes is a key */
	TRACK_BCAST,    /* to those with a prefix of it: bytes is a key */
	TRACK_FLUSH,    /* to all: everything has gone */
	TRACK_REDIRECT, /* to client ids[0], for the one of id from: bytes is the RESP to send */
	TRACK_BROKEN,   /* to client ids[0]: the one that it redirects to has gone */
};

struct track_msg {
	struct track_msg *next;
	enum track_kind kind;
	uint64_t gate;
	uint64_t caller; /* client whose command has done it; 0: nobody's */
	uint64_t writer; /* the same, a script being a client of its own; 0 for what expired, too */
	uint64_t from;
	unsigned from_core;
	uint32_t nr_ids;
	size_t len;
	char *bytes; /* behind the ids */
	uint64_t ids[];
};

/* A prefix that clients of some core are interested in. Guarded by the tracking's lock. */
struct prefix {
	TAILQ_ENTRY(prefix) link;
	uint32_t cores; /* a bit each */
	size_t len;
	char name[];
};
TAILQ_HEAD(prefix_list, prefix);

struct mailbox_of_tracking {
	rte_spinlock_t lock;
	struct track_msg *first, *last; /* guarded by lock */
	atomic_bool full;               /* there is something in it */
	atomic_uint nr_clients;         /* of the core, that track */
} __attribute__((aligned(64)));

struct tracking {
	struct track_table *table;
	rte_rwlock_t lock; /* prefixes; and listening, for writing */
	struct prefix_list prefixes;
	atomic_uint nr_prefixes;
	atomic_uint nr_clients;
	bool is_listening; /* to all of the keyspace */
	rte_spinlock_t limit_lock;
	struct mailbox_of_tracking boxes[TRACKING_CORES];
};

/* The ids of the table tell the core as well. */
static inline uint64_t track_id(uint64_t client_id, unsigned core)
{
	return client_id * TRACKING_CORES + core;
}
static inline uint64_t track_id_client(uint64_t id)
{
	return id / TRACKING_CORES;
}
static inline unsigned track_id_core(uint64_t id)
{
	return (unsigned)(id % TRACKING_CORES);
}

/* tracking.c. A message with room for ids; copies the bytes. */
struct track_msg *track_msg_create(
	enum track_kind kind, uint32_t max_ids, const void *bytes, size_t len);
void track_post(struct app_core *ac, unsigned core, struct track_msg *m);

/* tracking_send.c. Delivers on the core whose clients it is for; the caller frees it. */
void track_deliver(struct app_core *ac, struct track_msg *m);

#endif
