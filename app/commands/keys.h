/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the families of commands on keys and strings share: times of expiry, and storing a value.
 *
 * All calls run inside a command's function, with the key's partition locked, on the client's core.
 */
#ifndef MILLRACE_APP_COMMANDS_KEYS_H
#define MILLRACE_APP_COMMANDS_KEYS_H

#include "app/commands/command.h"

/* How a time is given. */
enum key_time {
	KEY_TIME_S,    /* seconds from now */
	KEY_TIME_MS,   /* milliseconds from now */
	KEY_TIME_AT_S, /* Unix time in seconds */
	KEY_TIME_AT_MS,
};

/* Makes *at_ms (Unix time in ms) of the number v. Returns false when it does not fit. */
bool key_time_abs(const struct client *c, enum key_time unit, int64_t v, int64_t *at_ms);
/* The same from an argument, which must be above 0 (SET, GETEX): replies the error that 7.0
 * gives. */
bool key_time_arg(struct client *c, enum key_time unit, const struct slice *arg, int64_t *at_ms);
/* "ERR invalid expire time in '<command>' command" */
void key_time_error(struct client *c);
/* Whether a time is over for a node that may delete: never on a replica or while a stream is
 * applied. */
bool key_time_over(const struct client *c, int64_t at_ms);

/* Stores a string. flags: KS_*. NULL: memory is out, nothing has changed or been replied. */
struct entry *key_store(
	struct client *c, const struct slice *key, const void *val, size_t len, unsigned flags);
struct entry *key_store_int(struct client *c, const struct slice *key, int64_t val, unsigned flags);
/* Makes room for writing len bytes of a string value, created empty when e is NULL. NULL: memory is
 * out, nothing has changed or been replied. */
struct entry *key_edit(
	struct client *c, const struct slice *key, struct entry *e, size_t len, char **data);
/* Memory ran out. The error is the reply, or the end of the connection when a reply is on its
 * way. */
void key_no_memory(struct client *c, bool replied);
/* Deletes e as the effect of the command: "DEL key" (or UNLINK) goes into the log instead of it. */
void key_delete_effect(struct client *c, struct entry *e, const struct slice *key, bool unlink);
/* Removes what holds the key, also an entry that is over and that lookup_write() hides from a
 * replica's own client. Returns whether there was one. */
bool key_clear(struct client *c, int db, const struct slice *key);
/* Whether a string may become size + extra bytes long; replies the error when it may not. */
bool key_len_allowed(struct client *c, uint64_t size, uint64_t extra);

/* Deletes an expired entry of the locked partition at once, with its record in the log: for
 * commands that meet keys outside their arguments (SCAN, RANDOMKEY). Returns false, and leaves it,
 * where that must not be (a replica) or cannot be now (the log is full). */
bool key_expire_found(struct client *c, struct entry *e, const struct ks_key *k);

/* The options of a SCAN. ptr NULL: none was given, or a pattern that matches all. */
struct key_scan_opts {
	struct slice pattern, type;
	int64_t count;
};
/* The cursor, which is any number that strtoul() takes but for leading blanks, as in Redis. */
bool key_scan_cursor(struct client *c, const struct slice *arg, uint64_t *cursor);
/* argv from there on; TYPE only where keys are scanned. Both reply the error. */
bool key_scan_opts(struct client *c, uint32_t from, bool keys, struct key_scan_opts *opts);

/* As TYPE says it; "none" for NULL. */
const char *key_type_name(const struct entry *e);

/* The functions of key_commands. */
void key_cmd_copy(struct client *c);
void key_cmd_del(struct client *c);
void key_cmd_dump(struct client *c);
void key_cmd_exists(struct client *c);
void key_cmd_expire(struct client *c);
void key_cmd_expireat(struct client *c);
void key_cmd_expiretime(struct client *c);
void key_cmd_keys(struct client *c);
void key_cmd_move(struct client *c);
void key_cmd_object_encoding(struct client *c);
void key_cmd_object_freq(struct client *c);
void key_cmd_object_help(struct client *c);
void key_cmd_object_idletime(struct client *c);
void key_cmd_object_refcount(struct client *c);
void key_cmd_persist(struct client *c);
void key_cmd_pexpire(struct client *c);
void key_cmd_pexpireat(struct client *c);
void key_cmd_pexpiretime(struct client *c);
void key_cmd_pttl(struct client *c);
void key_cmd_randomkey(struct client *c);
void key_cmd_rename(struct client *c);
void key_cmd_renamenx(struct client *c);
void key_cmd_restore(struct client *c);
void key_cmd_scan(struct client *c);
void key_cmd_touch(struct client *c);
void key_cmd_ttl(struct client *c);
void key_cmd_type(struct client *c);
void key_cmd_unlink(struct client *c);

#endif
