/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Payloads of DUMP: type, value, version (2), CRC64 (8).
 */
#ifndef MILLRACE_REPL_RDB_DUMP_H
#define MILLRACE_REPL_RDB_DUMP_H

#include "repl/rdb_decode.h"

struct rdb_dump_limits {
	unsigned max_version; /* Redis 7.0 takes versions up to 10 from its clients */
	unsigned max_type;    /* and types up to 19 */
	size_t max_string_bytes;
};

/* Where the value goes. As the upcalls of the reader (repl/rdb_read.h), but strings come in this
 * way too, as one item. None is NULL. */
struct rdb_dump_upcalls {
	int (*on_value)(void *ctx, enum rdb_type type);
	int (*on_item)(void *ctx, const struct rdb_item *item);
};

/* Reads a payload: version and checksum, then one value, nothing behind it. What items borrow lies
 * in payload, or in scratch until the next item. Returns 0 or -1 with the fault set:
 * RDB_ERR_TRUNCATED, RDB_ERR_VERSION and RDB_ERR_CHECKSUM are what RESTORE reports as a wrong
 * version or checksum, any other as bad data. */
int rdb_dump_parse(const void *payload, size_t len, const struct rdb_dump_limits *limits,
	const struct rdb_dump_upcalls *up, void *ctx, struct rdb_scratch *scratch,
	struct rdb_fault *fault);

#endif
