/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Replies: what a command says to its client, in RESP2 or RESP3 as the client negotiated.
 *
 * All calls append to the client's output; nothing leaves before the end of the burst. Clients
 * without a connection, and those with CLIENT REPLY OFF or SKIP, take the calls and drop the bytes.
 * Called by the core that owns the client. Running out of memory closes the client, never the node.
 */
#ifndef MILLRACE_APP_REPLY_H
#define MILLRACE_APP_REPLY_H

#include "app/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void reply_raw(struct client *c, const void *data, size_t len); /* bytes already in RESP form */
/* The same by reference, if they are many: then true, and release(ctx) is called when they have
 * been sent or dropped. Otherwise they were copied. */
bool reply_raw_ref(
	struct client *c, const void *data, size_t len, void (*release)(void *ctx), void *ctx);
/* What is sent unasked (a message, an invalidation) passes CLIENT REPLY OFF and SKIP: between these
 * two, so does everything. reply_mute() gets what reply_unmute() returned. */
uint32_t reply_unmute(struct client *c);
void reply_mute(struct client *c, uint32_t muted);
/* Between these two, replies are kept aside while what is sent unasked goes out before them. */
void reply_aside_begin(struct client *c);
void reply_aside_end(struct client *c);
void reply_ok(struct client *c);
void reply_status(struct client *c, const char *text); /* +text */
/* -text: text begins with its code ("ERR ...", "WRONGTYPE ..."). Line breaks become blanks. Counted
 * in errorstats. */
void reply_err(struct client *c, const char *text);
void reply_errf(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_err_uncounted(struct client *c, const char *text); /* errorstats knows it already */
/* Counts an error that is told by somebody else: text as in reply_err(). */
void reply_count_error(struct client *c, const char *text);
void reply_int(struct client *c, int64_t n);
void reply_bulk(struct client *c, const void *data, size_t len);
void reply_bulk_str(struct client *c, const char *s);
void reply_bulk_int(struct client *c, int64_t n); /* the number as a bulk string */
void reply_entry(
	struct client *c, const struct entry *e); /* a string value; large ones by reference */
void reply_null(struct client *c);                /* $-1 or _ */
void reply_null_array(struct client *c);          /* *-1 or _ */
void reply_array(struct client *c, size_t n);
void reply_map(struct client *c, size_t n);                  /* n pairs: *2n or %n */
void reply_set(struct client *c, size_t n);                  /* *n or ~n */
void reply_push(struct client *c, size_t n);                 /* *n or >n */
void reply_bool(struct client *c, bool b);                   /* :1 :0 or #t #f */
void reply_double(struct client *c, double d);               /* bulk or , */
void reply_big_number(struct client *c, const char *digits); /* bulk or ( */
void reply_verbatim(
	struct client *c, const char *text, size_t len, const char ext[3]); /* bulk or = */

/* A reply whose number of elements is known only afterwards: what is replied between begin and end
 * is kept aside, then follows the header. May nest. */
void reply_defer_begin(struct client *c);
void reply_defer_end_array(struct client *c, size_t n);
void reply_defer_end_map(struct client *c, size_t n);
void reply_defer_end_set(struct client *c, size_t n);
/* [cursor as a bulk string, array of n]: the SCAN family. */
void reply_defer_end_cursor(struct client *c, uint64_t cursor, size_t n);
/* Forgets what was replied since the begin: the command runs again later, or fails after all. */
void reply_defer_drop(struct client *c);

/* A client without a connection, CLIENT_SCRIPT: its replies are kept between these two. The end
 * gives them, and the caller frees them; NULL: there are none, or memory ran out. */
void reply_capture_begin(struct client *c);
char *reply_capture_end(struct client *c, size_t *len);

/* Frees replies under construction: the client is going. */
void reply_discard(struct client *c);

/* Texts that many commands share. */
extern const char REPLY_SYNTAX[]; /* "ERR syntax error" */
extern const char REPLY_WRONGTYPE[];
extern const char REPLY_NOT_INT[]; /* "ERR value is not an integer or out of range" */
extern const char REPLY_NOT_FLOAT[];
extern const char REPLY_NO_KEY[]; /* "ERR no such key" */
extern const char REPLY_OOM[];    /* "OOM command not allowed when used memory > 'maxmemory'." */
extern const char REPLY_OUT_OF_RANGE[]; /* "ERR index out of range" */
void reply_arity(struct client *c);     /* wrong number of arguments for '<name>' command */
/* "ERR unknown subcommand or wrong number of arguments for 'x'. Try CMD HELP." as 7.0 words it */
void reply_subcommand_syntax(struct client *c);
void reply_help(
	struct client *c, const char *const *lines); /* the HELP subcommands: NULL-ended list */

#endif
