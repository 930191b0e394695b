/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The functions of stream_commands, and what they and the commands that wait for entries are made
 * of. Each runs as command.h describes.
 */
#ifndef MILLRACE_APP_COMMANDS_STREAM_CMDS_H
#define MILLRACE_APP_COMMANDS_STREAM_CMDS_H

#include "app/commands/collection.h"
#include "app/commands/command.h"
#include "app/keyspace/types/stream.h"

/* --- arguments (stream_args.c) --- */

/* "ms-seq" or "ms", which stands for ms-seq with the seq given. False: it is none, and nothing is
 * replied; stream_id_arg() replies the error. */
bool stream_id_read(const struct slice *arg, uint64_t seq, struct stream_id *id);
bool stream_id_arg(struct client *c, const struct slice *arg, struct stream_id *id);
/* An end of a range, first or last: an ID, "(ID", "-" or "+". False: replied. */
bool stream_bound_arg(struct client *c, const struct slice *arg, bool last, struct stream_id *id);
/* argv[from] on, each an ID: owned by the caller. NULL: replied. */
struct stream_id *stream_ids_arg(struct client *c, uint32_t from);

/* What stands between the key of XADD or XTRIM and the fields. */
struct stream_add_args {
	struct stream_id id;
	bool id_given;  /* not "*" */
	bool seq_given; /* not "ms-*" */
	bool no_create;
	bool trims;
	struct stream_trim trim;
	uint32_t trim_at; /* where MAXLEN's or MINID's value is */
	uint32_t id_at;
};
/* False: replied. */
bool stream_add_args(struct client *c, bool add, struct stream_add_args *args);

/* --- replies (stream_reply.c) --- */

void stream_reply_id(struct client *c, const struct stream_id *id);
/* What the walk has found: [id, [field, value ...]]. */
void stream_reply_entry(struct client *c, struct stream_iter *it);
/* The entry of that ID. False: there is none, and nothing is replied. */
bool stream_reply_one(struct client *c, const struct stream *s, const struct stream_id *id);
/* An array of up to count entries (0: all) of a range. */
void stream_reply_range(struct client *c, const struct stream *s, struct stream_id from,
	struct stream_id to, uint64_t count, bool back);

/* --- groups (stream_claim.c) --- */

/* Reads the key argv[1] and finds its group argv[2], to be changed after coll_edit(). NULL: there
 * is no such key or group, or *failed: another type, and the error has been replied. */
struct stream_group *stream_group_open(struct client *c, struct coll *coll, bool *failed);
/* The same; NOGROUP is replied, too. */
struct stream_group *stream_group_must(struct client *c, struct coll *coll);
/* The consumer, seen now, and made if need be. NULL: no memory. */
struct stream_consumer *stream_consumer_get(struct client *c, const struct slice *key,
	struct stream_group *g, const struct slice *name, bool *created);
/* How long ago a time was. RESTORE takes times of any value: this one wraps. */
static inline int64_t stream_idle_ms(const struct client *c, int64_t time_ms)
{
	return (int64_t)((uint64_t)c->now_ms - (uint64_t)time_ms);
}
/* Bytes of stream_log_claim() at most, but for the three names. */
#define STREAM_CLAIM_BYTES 512
/* Adds XCLAIM ... FORCE JUSTID LASTID to the log: whom an entry is pending with. */
void stream_log_claim(struct client *c, const struct slice *key, const struct stream_group *g,
	const struct stream_pending *p);
/* Adds XGROUP SETID: how far the group has read. */
void stream_log_group_id(struct client *c, const struct slice *key, const struct stream_group *g);

/* --- reading (stream_read.c) --- */

struct stream_read {
	bool grouped;                 /* XREADGROUP */
	bool noack;                   /* what is delivered is not pending */
	struct slice group, consumer; /* borrowed */
	uint64_t count;               /* at most; 0: all */
};

enum stream_read_result {
	STREAM_READ_DONE,
	STREAM_READ_NOTHING, /* nothing has been replied */
	STREAM_READ_FAILED,  /* an error has been replied, or the connection ends */
};
/* Replies the entries of a stream behind the ID, or with a group those that it has not delivered
 * (*after is not looked at), which are delivered then: [key, [entry ...]], in RESP3 only the two,
 * for a map. What has changed is logged as effects of its own; the command itself must not be
 * (prop_none()). A key that is no stream, or a group that is not there, is an error. */
enum stream_read_result stream_read_new(struct client *c, const struct slice *key,
	const struct stream_read *read, const struct stream_id *after);
/* The same for a client that has waited, in an array or a map of its own: also when nothing is
 * left of what has woken it, or the group has gone. */
void stream_read_waited(struct client *c, const struct slice *key, const struct stream_read *read,
	const struct stream_id *after);
/* Upper bound of what stream_read_new() adds to the log: for prop_admit(). */
size_t stream_read_log_bytes(
	const struct stream_read *read, const struct slice *key, const struct stream *s);

/* XREAD and XREADGROUP, taken apart. */
struct stream_read_args {
	struct stream_read read;
	int64_t block_ms; /* -1: no BLOCK; 0: for ever; from now on it never overflows */
	uint32_t keys_at; /* nr keys, then as many IDs */
	uint32_t nr;
};
/* Nothing is there: the client waits for what comes behind the IDs, one a key (stream_wait.c). */
void stream_wait(
	struct client *c, const struct stream_read_args *args, const struct stream_id *after);
/* False: replied. */
bool stream_read_args(struct client *c, struct stream_read_args *args);

/* --- the commands --- */

/* stream.c */
void stream_cmd_xadd(struct client *c);
void stream_cmd_xdel(struct client *c);
void stream_cmd_xlen(struct client *c);
void stream_cmd_xrange(struct client *c); /* XRANGE XREVRANGE */
void stream_cmd_xsetid(struct client *c);
void stream_cmd_xtrim(struct client *c);

/* stream_read.c */
void stream_cmd_xread(struct client *c); /* XREAD XREADGROUP */

/* stream_group.c: XGROUP */
void stream_cmd_group_create(struct client *c);
void stream_cmd_group_createconsumer(struct client *c);
void stream_cmd_group_delconsumer(struct client *c);
void stream_cmd_group_destroy(struct client *c);
void stream_cmd_group_help(struct client *c);
void stream_cmd_group_setid(struct client *c);

/* stream_claim.c, stream_pending.c */
void stream_cmd_xack(struct client *c);
void stream_cmd_xautoclaim(struct client *c);
void stream_cmd_xclaim(struct client *c);
void stream_cmd_xpending(struct client *c);

/* stream_info.c: XINFO */
void stream_cmd_info_consumers(struct client *c);
void stream_cmd_info_groups(struct client *c);
void stream_cmd_info_help(struct client *c);
void stream_cmd_info_stream(struct client *c);

#endif
