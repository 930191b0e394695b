/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The applier from inside: apply.c (the stream, runs, single commands) and apply_group.c (plain
 * commands, many together).
 *
 *	in:  [ executed | a group, or one command, or a run under way | received ]
 *	                ^ start                                       ^ pos
 *
 * `start` is where the log ends too: what has been executed is what has been appended. A snapshot's
 * cut, taken between two loops, relies on that.
 */
#ifndef MILLRACE_APP_APPLY_PRIV_H
#define MILLRACE_APP_APPLY_PRIV_H

#include "app/apply.h"

#define APPLY_GROUP       32          /* commands: others wait so long for a partition */
#define APPLY_GROUP_BYTES (64 * 1024) /* and bytes, beyond which a group takes no more */
#define APPLY_ARGS        6           /* of a command of a group at most */

struct command;

/* A command of a MULTI..EXEC run, as a range of the run's bytes. */
struct queued {
	size_t off, len;
};

/* A command of a group. */
struct planned {
	const struct command *cmd;
	struct ks_key key;
	size_t end; /* behind it, in the kept bytes */
	uint32_t argc;
	struct slice argv[APPLY_ARGS];
};

struct apply {
	struct client *client;
	struct resp_parser parser;
	bool replay;
	struct encbuf in; /* received, not yet executed; a run stays here until its EXEC */
	size_t pos;       /* parsed so far (bytes of a run under way lie before it) */
	size_t start;     /* first byte not executed: equals pos outside a run */
	bool in_run;
	struct queued *queue;
	size_t nr_queued, cap_queued;
	uint64_t nr_commands;
	const char *error;

	/* the group under way */
	unsigned nr_planned, nr_locked;
	struct planned planned[APPLY_GROUP];
	uint32_t locked[APPLY_GROUP]; /* partitions */
};

/* apply.c */
/* Parses the command at off of the kept bytes into the client. */
enum resp_status apply_parse_at(struct apply *a, size_t off, size_t *used);
/* Room for the bytes in the log, or a replay that needs none. */
bool apply_has_room(struct apply *a, size_t len);
/* Executes the command in the client's argv. Its partitions are locked. */
void apply_execute(struct apply *a, const struct command *cmd);

/* apply_group.c */
enum apply_took {
	APPLY_NONE,  /* what comes next is not of that kind, or is incomplete */
	APPLY_SOME,  /* start and pos have moved */
	APPLY_STUCK, /* a partition is busy or the log full; they may have moved */
};
/* Executes the plain commands that come next, if there are any. Outside a run. */
enum apply_took apply_group(struct apply *a);

#endif
