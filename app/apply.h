/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Applying a replication stream: the log's own at start (replay), and a master's (as its replica).
 *
 * A stream is a sequence of commands, some of them in MULTI..EXEC runs. A run is executed as a
 * whole, with the partitions of all its keys locked, when its EXEC has come. As a replica, the
 * bytes of each command or run are appended to the log exactly as they came, while its partitions
 * are locked, so offsets agree with the master's.
 */
#ifndef MILLRACE_APP_APPLY_H
#define MILLRACE_APP_APPLY_H

#include "app/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct apply;

/* replay: the bytes are in the log already. NULL: no memory. */
struct apply *apply_create(struct app_core *ac, bool replay);
void apply_destroy(struct apply **a);
/* Takes stream bytes and executes what is complete. False: set aside (a partition is busy, the log
 * is full): no more bytes until apply_resume() has returned true. */
bool apply_bytes(struct apply *a, const char *data, size_t len);
bool apply_resume(struct apply *a);
/* Forgets what is incomplete: the link was lost, or a run was cut. */
void apply_reset(struct apply *a);
/* Bytes of a command or run that is not complete yet. */
size_t apply_pending(const struct apply *a);
int apply_db(const struct apply *a);
void apply_set_db(struct apply *a, int db);
uint64_t apply_nr_commands(const struct apply *a);
/* The client that executes the commands. */
struct client *apply_client(const struct apply *a);
/* NULL, or why the stream cannot be followed any more (a protocol error). */
const char *apply_error(const struct apply *a);

#endif
