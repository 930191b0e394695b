/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The batch of a core: commands of a burst that were parsed and wait to be run together, so that
 * what they will touch is on its way into the cache when their turn comes.
 *
 *	parse: batch_add() --> the bucket's line is asked for
 *	batch_run():           all: the entry's lines are asked for; then all: run
 *
 * Arguments are not copied: they lie in the received packets, which stay until the burst's end
 * (tcp.h), or in the core's socket buffer, which is used again after batch_run().
 *
 * Invariants: a client's commands run in the order in which they came; a command that could
 * change how its client's later bytes are read (AUTH, MULTI, a blocking one, anything without a
 * key) is never added, its client runs the batch first; when a client stops (busy partition, log
 * full, pause), the bytes of its commands that have not run go back in front of its other input.
 * One core.
 */
#ifndef MILLRACE_APP_BATCH_H
#define MILLRACE_APP_BATCH_H

#include "app/keyspace/keyspace.h"
#include "dataplane/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_MAX  64 /* commands */
#define BATCH_ARGS 5  /* of a command at most */

struct app_core;
struct client;
struct command;

struct batch_item {
	struct client *c; /* NULL: dropped */
	const struct command *cmd;
	const char *raw; /* the request's bytes */
	size_t raw_len;
	struct ks_key key; /* the first one */
	uint32_t argc;
	struct slice argv[BATCH_ARGS];
};

/* What a short name, as its client wrote it, was found to be. */
struct batch_name {
	uint64_t word; /* the name's bytes, zeros behind them */
	size_t len;    /* of the name, which may end in zeros itself */
	const struct command *cmd;
};

#define BATCH_NAMES 32

struct batch {
	struct batch_name names[BATCH_NAMES];
	unsigned nr;
	struct batch_item items[BATCH_MAX];
};

/* Takes the client's command that the parser holds (raw: its bytes), running the batch first when
 * it is full. False: not of the kind that waits, the caller runs the batch and then the command. */
bool batch_add(struct client *c, const struct resp_parser *parser, const char *raw, size_t raw_len);

/* Runs everything. */
void batch_run(struct app_core *ac);

#endif
