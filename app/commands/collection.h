/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A key that holds a collection, under the hands of a command.
 *
 *     struct coll set;
 *
 *     if (!coll_open(c, &c->argv[1], OBJ_SET, &set))
 *         return;                          WRONGTYPE has been replied
 *     if (!coll_edit(c, &set) && !make(&set.obj))
 *         return no_memory(c);
 *     ... change set.obj ...
 *     coll_close(c, &set);                 stored; or the key removed, when nothing is left in it
 *
 * All calls run inside a command's function, with the key's partition locked, on the client's core.
 */
#ifndef MILLRACE_APP_COMMANDS_COLLECTION_H
#define MILLRACE_APP_COMMANDS_COLLECTION_H

#include "app/commands/command.h"
#include "app/keyspace/types/listpack.h"
#include "app/keyspace/types/obj.h"

struct coll {
	const struct slice *key; /* borrowed */
	int db;
	struct entry *e; /* NULL: there is no such key */
	struct obj obj;  /* ptr NULL: no such key, and none was made */
	uint8_t type;
};

/* For reading: counts hits and misses. A key that is not there is no failure: obj.ptr is NULL.
 * False: the key holds another type, WRONGTYPE has been replied. */
bool coll_read(struct client *c, const struct slice *key, enum obj_type type, struct coll *coll);
/* The same for a command that may write. */
bool coll_open(struct client *c, const struct slice *key, enum obj_type type, struct coll *coll);
/* Before the first change: coll->obj may be changed from here on. False: there is no such key; a
 * new collection may be put into coll->obj. */
bool coll_edit(struct client *c, struct coll *coll);
/* After the last change: coll->obj goes into the key, which is made if need be; an empty one goes,
 * and its key with it. Whoever waits for such a key is told. Returns whether the key is there now.
 * Out of memory for a new key: the collection is freed, and OOM is the reply (or, after
 * *replied, the end of the connection). */
bool coll_close(struct client *c, struct coll *coll, bool replied);
/* Puts o (taken) in the place of whatever the key holds, without its time to live; an empty one
 * only removes the key. For the STORE forms. Returns what coll_close() does. */
bool coll_store(struct client *c, const struct slice *key, struct obj *o, bool replied);

/* The limits in force. */
struct obj_limits coll_limits(const struct client *c);

/* --- replies --- */

/* An element as a bulk string. */
void coll_reply(struct client *c, const struct lp_val *val);

/* No command replies more random elements than this, which would keep a core busy for seconds. */
#define COLL_RANDOM_MAX ((size_t)1 << 26)

/* HSCAN, SSCAN, ZSCAN. */
struct coll_scan {
	struct client *c;
	struct slice pattern; /* ptr NULL: all */
	size_t nr_visited;
	size_t nr_replied;
};
/* Visits some members of o by coll_scan_visit() and returns the next cursor, 0 at the end. */
typedef uint64_t (*coll_scan_fn)(struct coll_scan *scan, const struct obj *o, uint64_t cursor);
/* Runs the command: key and cursor are argv[1] and argv[2], its options follow. */
void coll_scan(struct client *c, enum obj_type type, coll_scan_fn step);
/* A member, which goes into the reply if it matches, and what stands beside it (may be NULL). */
void coll_scan_visit(
	struct coll_scan *scan, const struct lp_val *name, const struct lp_val *beside);

#endif
