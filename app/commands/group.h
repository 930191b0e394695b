/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A group: commands of one key each, of a core's batch, whose records are reserved in the log at
 * once.
 *
 *	run a (locks A) --> run b (locks B) --> ... --> group_end(): one append, gates, unlock A, B
 *
 * Were each record reserved by itself, those of two cores would alternate: each would be a run of
 * its own with a commit record, share its first and last cache line with one of the other core, and
 * the log's tail would go from core to core with every command.
 *
 * Invariants: a partition that a command of the group has changed stays locked until the record is
 * reserved, so per-key order in the log is execution order, and nobody reads what has no
 * offset yet but the group itself, whose gates are raised at its end. Who has to wait for a lock
 * ends the group first: with a group open a lock is tried once, so nobody waits while he is
 * waited for.
 */
#ifndef MILLRACE_APP_COMMANDS_GROUP_H
#define MILLRACE_APP_COMMANDS_GROUP_H

#include "app/commands/encode.h"

#include <stdbool.h>
#include <stdint.h>

/* Commands: others wait as long for a lock as it takes to run so many. */
#define GROUP_MAX 16
/* Bytes from which on it ends. */
#define GROUP_BYTES 16384

struct app_core;
struct client;

/* A command that touched a partition which the group has changed. */
struct group_note {
	struct client *c;
	uint32_t part;
	bool wrote;
	size_t end; /* bytes of the group until behind it */
};

struct group {
	bool is_open; /* it goes on after a command */
	unsigned nr_parts, nr_notes;
	uint32_t parts[GROUP_MAX]; /* locked by it */
	struct group_note notes[GROUP_MAX];
	struct encbuf bytes; /* the records */
};

/* How a command came to a partition. */
enum group_lock {
	GROUP_BUSY,  /* it did not */
	GROUP_TAKEN, /* locked for it */
	GROUP_HELD,  /* the group has it already */
};

/* From here on commands are gathered; until here they are. Core's own thread, as all that follows.
 */
void group_open(struct app_core *ac);
void group_close(struct app_core *ac);
/* Logs what has been gathered, raises the gates of its clients and lets the partitions go. Before
 * anything else takes several locks, waits, or ends a client. Nearly free when there is nothing. */
void group_end(struct app_core *ac);
void group_fini(struct group *g);

/* Bytes of log that the group will take: they are admitted, and have to be again with more. */
static inline size_t group_bytes(const struct group *g)
{
	return g->bytes.len;
}

/* Before the command: its partition. May end the group. */
enum group_lock group_part_lock(struct app_core *ac, uint32_t part);
/* The command has not run after all. */
void group_part_unlock(struct app_core *ac, uint32_t part, enum group_lock lock);
/* The command has run: its effects, its client's gate, its events (which end the group, for they
 * need the gate). The partition is let go now or at the group's end. */
void group_command_done(struct client *c, uint32_t part, enum group_lock lock);

#endif
