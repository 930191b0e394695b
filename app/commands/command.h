/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Commands: the table, and what a command's function may rely on.
 *
 * A function runs with the partitions of all its keys locked (the table tells where the keys are),
 * by the core that owns the client, and replies exactly once. A write command that changed
 * something calls cmd_dirty(): then its own arguments go into the log as they came, unless it said
 * otherwise with the prop_ calls. Refusals that precede execution (arity, NOAUTH, READONLY, OOM,
 * MISCONF, LOADING ...) are the dispatcher's.
 */
#ifndef MILLRACE_APP_COMMANDS_COMMAND_H
#define MILLRACE_APP_COMMANDS_COMMAND_H

#include "app/client.h"
#include "app/client_cold.h"
#include "app/keyspace/keyspace.h"
#include "app/reply.h"
#include "app/server.h"

#include <stdbool.h>
#include <stdint.h>

/* Names in COMMAND INFO are Redis'. */
enum command_flags {
	CMD_WRITE = 1u << 0,
	CMD_READONLY = 1u << 1,
	CMD_DENYOOM = 1u << 2,
	CMD_ADMIN = 1u << 3,
	CMD_PUBSUB = 1u << 4,
	CMD_NOSCRIPT = 1u << 5,
	CMD_BLOCKING = 1u << 6,
	CMD_LOADING = 1u << 7,
	CMD_STALE = 1u << 8,
	CMD_SKIP_MONITOR = 1u << 9,
	CMD_SKIP_SLOWLOG = 1u << 10,
	CMD_FAST = 1u << 11,
	CMD_NO_AUTH = 1u << 12,
	CMD_MAY_REPLICATE = 1u << 13,
	CMD_NO_MULTI = 1u << 14,
	CMD_MOVABLE_KEYS = 1u << 15,
	CMD_PROTECTED = 1u << 16,
	CMD_ALLOW_BUSY = 1u << 17,
	CMD_NO_MANDATORY_KEYS = 1u << 18,
	CMD_NO_ASYNC_LOADING = 1u << 19,
	CMD_ASKING = 1u << 20,
	/* ours */
	CMD_LOCK_ALL =
		1u
		<< 24, /* runs with every partition locked (KEYS, FLUSHALL, SWAPDB, DEBUG DIGEST) */
	CMD_LOCK_SELF = 1u << 25, /* takes partition locks itself (SCAN, RANDOMKEY); may answer with
				     cmd_retry() */
	CMD_CONTAINER = 1u << 26, /* has subcommands */
	CMD_KEY_FIRST_RW = 1u << 27,
	CMD_LOCK_QUEUED = 1u << 29, /* EXEC: the partitions of what is queued */
	CMD_SCRIPT = 1u << 30,      /* runs a script: script_run.h */
	CMD_NOT_KEYS = 1u << 28,    /* what COMMAND INFO calls its keys are channels */
};

typedef void (*command_fn)(struct client *c);
/* Writes the positions (in argv) of the keys to pos, at most max, and returns their number (which
 * may be larger than max: call again), or -1 when the arguments make no sense. For commands whose
 * keys the first/last/step rule cannot tell. */
typedef int (*command_keys_fn)(
	const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max);

struct command {
	const char
		*name; /* lower case; "config|get" for a subcommand is name "get" below "config" */
	command_fn fn;
	int arity; /* as Redis: negative means at least */
	uint32_t flags;
	int first_key, last_key, key_step; /* as COMMAND INFO */
	const char *group; /* string, generic, connection, server, bitmap ... (COMMAND DOCS) */
	const char *since, *complexity, *summary;
	const char *categories; /* ACL categories beyond those that follow from the flags: "string
				   hash" */
	command_keys_fn keys;
	/* Whether these arguments reach keys that are not among them, so that every partition has
	 * to be locked (SORT BY). NULL: never. Only with a keys function. */
	bool (*locks_all)(const struct slice *argv, uint32_t argc);
	struct command *subs;         /* ended by a NULL name */
	const struct command *parent; /* filled in at set-up */
	uint16_t id;                  /* filled in: index of its statistics */
};

/* Each family offers its commands as a table ended by a NULL name; table.c lists the families. */
extern struct command string_commands[];
extern struct command zset_commands[];
extern struct command hll_commands[];
extern struct command geo_commands[];
extern struct command bitmap_commands[];
extern struct command key_commands[]; /* generic */
extern struct command hash_commands[];
extern struct command set_commands[];
extern struct command pubsub_commands[];
extern struct command multi_commands[]; /* MULTI EXEC WATCH ... */
extern struct command list_commands[];
extern struct command stream_commands[];
extern struct command connection_commands[]; /* AUTH HELLO CLIENT ... */
extern struct command script_commands[];     /* EVAL FCALL SCRIPT FUNCTION ... */
extern struct command server_commands[];     /* CONFIG INFO COMMAND DEBUG ... */
extern struct command repl_commands[];       /* REPLICAOF PSYNC REPLCONF WAIT ROLE ... */

/* Look-up by name, any case, subcommands included when argc > 1. NULL: unknown. *container is set
 * to the container when a subcommand was not found. */
const struct command *command_lookup(const struct server *srv, const struct slice *argv,
	uint32_t argc, const struct command **container);
/* The positions of a command's keys, as command_keys_fn. */
int command_keys(const struct command *cmd, const struct slice *argv, uint32_t argc, uint32_t *pos,
	uint32_t max);

/* A command_keys_fn's work where argv[at] tells how many keys follow it. */
int command_keys_counted(
	const struct slice *argv, uint32_t argc, uint32_t at, uint32_t *pos, uint32_t max);

/* Builds the look-up table and fills in parent and id of every command. Once, before any other call
 * below; read-only afterwards, so any thread may look commands up. Aborts when two commands share a
 * name. */
void command_table_setup(void);
/* The i-th command, subcommands not counted; NULL behind the last. For walking all of them. */
const struct command *command_at(const struct server *srv, unsigned i);
/* By full name as COMMAND INFO takes it, any case: "get", "config|set". NULL: unknown. */
const struct command *command_by_name(const char *name, size_t len);
/* Writes the full name ("config|set") to buf, cut to size. Returns buf. */
#define COMMAND_NAME_MAX 64
const char *command_full_name(const struct command *cmd, char buf[COMMAND_NAME_MAX]);
/* The ACL categories of a command, bit i standing for command_category_name(i): those its table
 * names, and those that follow from its flags. */
uint32_t command_categories(const struct command *cmd);
/* Name of a category without the @ ("keyspace"), in Redis' order; NULL behind the last. */
const char *command_category_name(unsigned i);

/* --- the log --- */

/* Something changed: n is added to the count of changes since the last save
 * (rdb_changes_since_last_save). */
void cmd_dirty(struct client *c, uint64_t n);
/* Replaces what goes into the log for this command; the arguments are copied. */
void prop_replace(struct client *c, int argc, const struct slice *argv);
/* Adds an effect behind (prop_also) or before (prop_before; a lazy expiry's DEL) what else goes
 * into the log. More than one effect becomes a MULTI..EXEC run. */
void prop_also(struct client *c, int argc, const struct slice *argv);
void prop_before(struct client *c, int db, int argc, const struct slice *argv);
void prop_force(struct client *c); /* its arguments go into the log, though no key has changed */
void prop_none(struct client *c); /* nothing of this command goes into the log, whatever is dirty */
/* Before anything has changed: room in the log for len bytes of effects that do not come out of the
 * command's arguments. False: the command runs again later, or has been refused (inside EXEC too
 * when it would have to wait: what ran before it cannot run again); it returns at once. */
bool prop_admit(struct client *c, size_t len);

/* --- keyspace notifications --- */

/* The bits of notify-keyspace-events: g$lshzxetdnKEm. */
enum notify_class {
	NOTIFY_GENERIC = 1u << 0,
	NOTIFY_STRING = 1u << 1,
	NOTIFY_LIST = 1u << 2,
	NOTIFY_SET = 1u << 3,
	NOTIFY_HASH = 1u << 4,
	NOTIFY_ZSET = 1u << 5,
	NOTIFY_EXPIRED = 1u << 6,
	NOTIFY_EVICTED = 1u << 7,
	NOTIFY_STREAM = 1u << 8,
	NOTIFY_MODULE = 1u << 9,
	NOTIFY_NEW = 1u << 10,
	NOTIFY_KEYSPACE = 1u << 11, /* which channels; not for cmd_notify() */
	NOTIFY_KEYEVENT = 1u << 12,
	NOTIFY_KEY_MISS = 1u << 13,
};

/* Says that the event has happened to a key of the client's database (or of another one). The
 * message goes out with the command's effects; event lives for ever. Costs next to nothing while
 * notify-keyspace-events does not ask for the class. */
void cmd_notify(struct client *c, unsigned class, const char *event, const struct slice *key);
void cmd_notify_db(
	struct client *c, unsigned class, const char *event, int db, const struct slice *key);

/* --- keys --- */

/* The live entry of argv[i], or NULL. Past its time: a master deletes it and logs the DEL, a
 * replica only hides it, and the stream of our master still sees it. lookup_read counts
 * keyspace_hits and misses and touches for LRU/LFU. */
struct entry *lookup_read(struct client *c, const struct slice *key);
/* lookup_read() of a key that is not among the arguments. */
struct entry *lookup_read_beyond(struct client *c, const struct slice *key);
struct entry *lookup_write(struct client *c, const struct slice *key);
struct entry *lookup_db(struct client *c, int db, const struct slice *key, bool touch);
/* The same, for strings: replies WRONGTYPE and sets *bad for another type. */
struct entry *lookup_read_str(struct client *c, const struct slice *key, bool *bad);
struct entry *lookup_write_str(struct client *c, const struct slice *key, bool *bad);
struct ks_key cmd_key(struct client *c, const struct slice *key);
/* Delete as a command's effect. async: UNLINK. */
void cmd_delete(struct client *c, struct entry *e, int db);

/* How a CMD_LOCK_SELF function takes a partition: inside of EXEC all are locked already. */
static inline bool cmd_part_trylock(struct client *c, uint32_t part)
{
	return c->ac->in_exec || ks_part_trylock(c->srv->ks, part);
}
static inline void cmd_part_unlock(struct client *c, uint32_t part)
{
	if (!c->ac->in_exec)
		ks_part_unlock(c->srv->ks, part);
}

/* Called by a CMD_LOCK_SELF function instead of replying: a partition is busy. The command runs
 * again later. */
void cmd_retry(struct client *c);

/* --- arguments --- */

bool arg_is(const struct slice *a, const char *word); /* equal but for case */
bool arg_int(
	const struct slice *a, int64_t *out); /* canonical signed 64 bit, as Redis' string2ll */
bool arg_int_reply(
	struct client *c, const struct slice *a, int64_t *out); /* replies REPLY_NOT_INT */
bool arg_int_range_reply(struct client *c, const struct slice *a, int64_t min, int64_t max,
	int64_t *out, const char *err);
bool arg_long_double(const struct slice *a, long double *out); /* as Redis: no blanks, no nan */
/* A double as Redis takes scores: no blanks, no nan, nothing that overflows or vanishes. */
bool arg_double(const struct slice *a, double *out);
/* Replies err, or REPLY_NOT_FLOAT. */
bool arg_double_reply(struct client *c, const struct slice *a, double *out, const char *err);
struct slice slice_str(const char *s);
/* A glob pattern as KEYS, CONFIG GET and SCAN MATCH use; linear in practice, bounded against
 * hostile patterns. */
bool glob_match(const char *pat, size_t pat_len, const char *s, size_t len, bool nocase);
/* Formats as Redis formats INCRBYFLOAT results (%.17Lg-like human form). Returns the length. */
size_t format_long_double(char *buf, size_t size, long double v);

#endif
