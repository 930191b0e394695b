/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients from inside: what client.c, client_input.c and batch.c share. All on the owning core.
 */
#ifndef MILLRACE_APP_CLIENT_PRIV_H
#define MILLRACE_APP_CLIENT_PRIV_H

#include "app/client.h"

struct conn;

/* It parses and runs nothing more for now, or never. */
static inline bool client_is_stopped(const struct client *c)
{
	return c->flags & (CLIENT_BLOCKED | CLIENT_RETRY | CLIENT_CLOSE_AFTER | CLIENT_CLOSED);
}

/* client.c */
void client_block_add(struct client *c, enum client_block why, int64_t until_ms);
void client_publish_flags(struct client *c);
/* What it takes of memory by itself, for others to read: it changes slowly, the sweep asks. */
void client_publish_own(struct client *c);
/* Makes the figures that other cores read those of now. */
void client_publish(struct client *c);

/* client_input.c */
/* conn_ops.data of a client. */
void client_on_data(struct conn *conn, const char *data, size_t len);
/* Puts bytes that were taken for run back in front of what waits in c->in. False: no memory. */
bool client_input_unread(struct client *c, const char *data, size_t len);
/* A client that says nothing for a while keeps no room for what it may say: gives it back, unless
 * a request is incomplete or waits to be run. */
void client_input_trim(struct client *c);
/* Forgets what was known of an incomplete request: it will be read from its first byte on. */
void client_partial_drop(struct client *c);
/* Runs the command in c->argv. cmd: what it was found to be, or NULL. False: it has to be run
 * again, its bytes stay. */
bool client_run_one(struct client *c, const struct command *cmd);
/* The same for one that command_run_read() may take. */
bool client_run_read(struct client *c, const struct command *cmd, uint32_t part);

#endif
