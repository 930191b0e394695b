/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The slow log: the latest commands that took longer than slowlog-log-slower-than, newest first.
 *
 * Shared by all cores. Its spinlock guards the list and the next id; it is taken only for commands
 * that were slow and for SLOWLOG itself, and nothing is allocated or freed while it is held. An
 * entry holds copies, cut as Redis cuts them: at most 32 arguments of at most 128 bytes, secrets
 * replaced (app/redact.h).
 */
#ifndef MILLRACE_APP_SLOWLOG_H
#define MILLRACE_APP_SLOWLOG_H

#include "app/client_cold.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SLOWLOG_MAX_ARGC 32
#define SLOWLOG_MAX_ARG  128

struct client;
struct server;
struct slowlog;

struct slowlog_arg {
	uint32_t off; /* into text */
	uint32_t len;
};

/* One allocation: the arguments' bytes follow the struct. Immutable but for next and refs. */
struct slowlog_entry {
	struct slowlog_entry *next; /* older; guarded by the log's lock */
	atomic_uint refs;           /* the log's and those of slowlog_get() */
	uint64_t id;
	int64_t time_s; /* Unix time at which it was logged */
	uint64_t duration_us;
	char peer[CLIENT_ADDR], name[64]; /* the client's; a longer name is cut */
	uint32_t nr_args;
	struct slowlog_arg args[SLOWLOG_MAX_ARGC];
	char text[];
};

struct slowlog *slowlog_create(void); /* NULL: no memory */
void slowlog_destroy(struct slowlog **sl);

/* Records the command that c has just run (c->argv, c->cmd), if it is not exempt
 * (CMD_SKIP_SLOWLOG), and drops what is beyond slowlog-max-len. The caller has compared the
 * duration with the threshold. Any core. Without memory the entry is lost. */
void slowlog_add(struct server *srv, struct client *c, uint64_t duration_us);
uint64_t slowlog_len(struct slowlog *sl);
void slowlog_reset(struct slowlog *sl); /* ids go on */

/* The newest entries, at most max, newest first, in *entries (owned: slowlog_put()). Returns
 * their number; 0 also when memory is out. */
size_t slowlog_get(struct slowlog *sl, size_t max, struct slowlog_entry ***entries);
void slowlog_put(struct slowlog_entry **entries, size_t nr);

#endif
