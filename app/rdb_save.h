/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Entries and RDB: from the keyspace into RDB records, and from RDB records into a keyspace.
 */
#ifndef MILLRACE_APP_RDB_SAVE_H
#define MILLRACE_APP_RDB_SAVE_H

#include "app/keyspace/keyspace.h"
#include "repl/rdb_read.h"
#include "repl/rdb_write.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream of records, legal by itself: SELECTDB comes before the first entry and at each change.
 */
struct rdb_saver {
	struct rdb_writer writer;
	int64_t db; /* selected; -1: none yet */
};

/* compress: LZF. write returns 0 or -errno, which is sticky. */
void rdb_saver_init(struct rdb_saver *s, int (*write)(void *ctx, const void *data, size_t len),
	void *ctx, bool compress);
int rdb_save_entry(struct rdb_saver *s, int db, const struct entry *e);
int rdb_saver_fini(struct rdb_saver *s); /* 0 or the sticky error */
/* Header and aux fields. Returns the length. */
size_t rdb_save_prefix(char *buf, size_t size, int64_t ctime_s, uint64_t used_memory, int stream_db,
	const char *replid, uint64_t off);

/* Loads RDB records into a keyspace that nobody else uses. */
struct rdb_loader {
	struct keyspace *ks;
	int64_t now_ms;
	uint64_t nr_keys, nr_expired;
	bool drop_expired;   /* own snapshot of a master */
	int stream_db;       /* repl-stream-db aux, -1: none */
	char replid[41];     /* repl-id aux */
	int64_t repl_offset; /* repl-offset aux, -1 */
	char err[256];
};
void rdb_loader_init(struct rdb_loader *l, struct keyspace *ks, int64_t now_ms);
extern const struct rdb_upcalls rdb_loader_upcalls; /* ctx: struct rdb_loader */

#endif
