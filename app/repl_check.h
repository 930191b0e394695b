/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Master and replica compared, at one offset: a background check that the stream itself carries.
 *
 *	master, a partition locked          replica, where the record lies in the stream
 *	  walk some keys, their digests  --> its own values of these keys: other digests are counted
 *	  end of a pass: numbers of keys --> other numbers, when no key was missing: it has too many
 *
 * The record is `REPLCONF GETACK check|keys <bytes> 1`, which redis-server takes for GETACK: it
 * looks at nothing behind that word. Records are made only while a replica is online that has told
 * `capa burst-acks`, one pass each repl-check-period, spread over half of that time. What a replica
 * finds it says by `REPLCONF divergence N`, and both show it as repl_divergence in INFO. Nothing is
 * mended: a full sync does that. The count is of the last whole pass, or of the present one if that
 * has found more already.
 *
 *	bytes of check, for each key, little-endian:
 *	  0  4  length of the name
 *	  4  2  database
 *	  6  1  1: the digest covers the whole value; 0: a large one's size and time alone
 *	  7  1  0
 *	  8  8  digest
 *	 16  n  name
 *	bytes of keys: for each database 8 bytes, its number of keys
 *
 * A slice: at most 16 keys of one partition, values of 16 KB or 128 elements at most.
 */
#ifndef MILLRACE_APP_REPL_CHECK_H
#define MILLRACE_APP_REPL_CHECK_H

#include "app/replication.h"

struct repl_check; /* of struct repl */

int repl_check_create(struct server *srv);
void repl_check_destroy(struct repl *r);

/* Core 0, as a master, each loop. */
void repl_check_work(struct app_core *ac);

/* A record of our master's has come, what precedes it is applied; the arguments behind GETACK.
 * False: it is none of ours. Core 0. */
bool repl_check_record(struct app_core *ac, uint32_t argc, const struct slice *argv);
/* The link is up, or a full sync has replaced everything. Core 0. */
void repl_check_reset(struct repl *r, bool new_data);
/* Core 0, at the end of a burst: tells our master what was found. */
void repl_check_report(struct app_core *ac);

/* As a replica, what was found here; as a master, what our replicas have told. Any thread. */
uint64_t repl_check_divergence(struct server *srv);
void repl_check_info(struct server *srv, struct textbuf *tb); /* for INFO millrace */

#endif
