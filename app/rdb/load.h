/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From RDB records into a keyspace.
 */
#ifndef MILLRACE_APP_RDB_LOAD_H
#define MILLRACE_APP_RDB_LOAD_H

#include "app/keyspace/keyspace.h"
#include "app/rdb/build.h"
#include "repl/rdb_read.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Loads RDB records into a keyspace that nobody else uses, or that several do. */
struct rdb_loader {
	struct keyspace *ks;
	bool shared;   /* partitions have to be locked */
	unsigned core; /* index of the poll core that loads */
	int db;        /* selected */
	/* so many keys at the most are believed, when the numbers of keys are announced; 0: they
	 * are not looked at. Nobody else may use the keyspace then. */
	uint64_t reserve_max;
	int64_t now_ms;
	uint64_t nr_keys, nr_expired;
	uint64_t nr_empty;    /* collections without elements: skipped, as Redis does */
	bool drop_expired;    /* own snapshot of a master */
	int stream_db;        /* repl-stream-db aux, -1: none */
	char replid[41];      /* repl-id aux */
	int64_t repl_offset;  /* repl-offset aux, -1 */
	uint64_t used_memory; /* used-mem aux */
	char err[256];
	struct rdb_key key; /* whose value is being built; name is owned */
	struct rdb_build build;
	/* takes the source of a library of functions: 0, or an error and its text; NULL: libraries
	 * are passed over */
	int (*on_function)(void *ctx, const void *source, size_t len, char *err, size_t err_len);
	void *function_ctx;
};
void rdb_loader_init(
	struct rdb_loader *l, struct keyspace *ks, const struct obj_limits *limits, int64_t now_ms);
/* Frees what an unfinished input has left. */
void rdb_loader_fini(struct rdb_loader *l);
extern const struct rdb_upcalls rdb_loader_upcalls; /* ctx: struct rdb_loader */

#endif
