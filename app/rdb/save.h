/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the keyspace into RDB records.
 */
#ifndef MILLRACE_APP_RDB_SAVE_H
#define MILLRACE_APP_RDB_SAVE_H

#include "app/keyspace/keyspace.h"
#include "app/rdb/codec.h"
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
/* The same in parts: of about max bytes, each beginning where the one before has ended (*at all
 * zeros: at the beginning). True: it is complete, or the error makes it so. What the entry holds
 * must not change between them, and nothing else may be saved. Elements are never divided, but long
 * strings are, and are not compressed then. */
bool rdb_save_entry_part(struct rdb_saver *s, int db, const struct entry *e,
	struct rdb_progress *at, uint64_t max, int *rc);
int rdb_saver_fini(struct rdb_saver *s); /* 0 or the sticky error */
/* A value alone: the type that stands ahead of it, and its bytes, which the writer may hold back
 * until rdb_write_record_end(). */
enum rdb_type rdb_save_form(const struct entry *e);
void rdb_save_value(struct rdb_writer *w, const struct entry *e);
/* Header and aux fields. Returns the length. */
size_t rdb_save_prefix(char *buf, size_t size, int64_t ctime_s, uint64_t used_memory, int stream_db,
	const char *replid, uint64_t off);

#endif
