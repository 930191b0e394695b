/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The cold part of a client: what most clients never use, or use for a while.
 *
 * A connection that says nothing costs its struct client, struct conn and struct tcp_conn and
 * nothing else (tests/integ/many.py). Whatever only some clients need (a name, what they wait for,
 * a transaction, watched keys, subscriptions, tracking) belongs here, by itself or as a pointer,
 * and not into struct client. How to add something:
 *
 * - Its value at rest is all zero bytes, set by who ends its use. The sweep gives back a part that
 *   is all zero, so nothing else has to know what is in it; what is not zeroed stays, and is not
 *   lost.
 * - It is got by client_cold_get() before it is used, which may fail: the command then says
 *   "ERR out of memory". Who only looks finds c->cold NULL as often as not.
 * - Only the owner's core changes it. What other cores look at (CLIENT LIST) is changed under
 *   srv->clients_lock, or atomic; they hold that lock, as c->cold itself comes and goes under it.
 * - What it owns is freed in client_cold_free(), and counted in client_cold_bytes().
 */
#ifndef MILLRACE_APP_CLIENT_COLD_H
#define MILLRACE_APP_CLIENT_COLD_H

#include "app/client.h"
#include "app/tracking.h"

#define CLIENT_ADDR 64 /* room for an address as text */

struct wait_set;

struct client_cold {
	char *name; /* owned; other cores look */
	/* owned: the peer's address, NUL, our own; other cores look. NULL: of a connection over a
	 * DPDK port they are its own, otherwise unknown */
	char *ends;
	int fd; /* of a kernel socket, if `ends` is set; else -1 */
	/* WAIT */
	int wait_replicas;
	uint64_t wait_offset;
	struct wait_set *waits;           /* waiting.h: for keys */
	TAILQ_ENTRY(client) monitor_link; /* CLIENT_MONITOR */
	struct client_tracking *tracking; /* tracking.h: owned; other cores look */
};

/* Returns c->cold, made if it is not there, or NULL: no memory. The owner's core, without
 * clients_lock. */
struct client_cold *client_cold_get(struct client *c);
/* Gives it back if nothing of it is in use. The owner's core, without clients_lock. */
void client_cold_trim(struct client *c);
/* With what it owns; the client is not in the registry. */
void client_cold_free(struct client *c);
/* What it takes of memory. The owner's core. */
size_t client_cold_bytes(const struct client *c);

/* What follows is for the owner's core, and for others under clients_lock. */

/* NULL: it has none. */
static inline const char *client_name(const struct client *c)
{
	return c->cold ? c->cold->name : NULL;
}

/* "ip:port" or "path:0", or "" when it is not known. Returns buf. */
const char *client_peer(const struct client *c, char buf[CLIENT_ADDR]);
const char *client_local(const struct client *c, char buf[CLIENT_ADDR]);

#endif
