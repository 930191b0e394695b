/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading RDB (repl/rdb.h has the format) that arrives in pieces of any size.
 *
 *   caller's bytes -> record by record, in place -> upcalls
 *                      \ the beginning of a record cut by the end of a piece is kept here
 *
 * A value that is no string is not one record: it comes item by item (repl/rdb_value.h), each of
 * which is what is said of records below.
 *
 * - The result does not depend on how the input is cut.
 * - Nothing is trusted. A length over its limit is refused when its bytes are seen, before room
 *   is made for it. The buffer of a record grows with the bytes received, at most to twice their
 *   number, never with bytes announced; a compressed string is given the room it announces, at
 *   most 88 times its bytes and the limit, once it is complete, and must fill it exactly.
 * - The scan of a record resumes where it stopped: a record that comes in n pieces is copied once
 *   and parsed once.
 * - The reader stops behind the last byte of the RDB. What follows belongs to the caller.
 * - Keys are delivered before the checksum has been seen: a caller that must not show a damaged
 *   set keeps it aside until on_end.
 *
 * Malformed input: a version outside 1-12, an unknown opcode, a type that is not supported,
 * a length field where bits must be 0, an integer in a wider form than it needs, LZF that does
 * not yield its announced length, expiry, idle time or frequency without a key after it, a wrong
 * CRC.
 * Skipped and counted: module aux data, slot hints.
 *
 * One thread at a time per reader; any thread.
 */
#ifndef MILLRACE_REPL_RDB_READ_H
#define MILLRACE_REPL_RDB_READ_H

#include "repl/rdb.h"

#include <sys/types.h>

/* Each may be NULL: ignored. Pointers are borrowed for the call. A non-zero return stops the
 * reader with RDB_ERR_UPCALL; the value is in rdb_reader_refusal(). An upcall does not feed or
 * destroy the reader. */
struct rdb_upcalls {
	int (*on_aux)(
		void *ctx, const void *name, size_t name_len, const void *value, size_t value_len);
	int (*on_select)(void *ctx, uint32_t db);
	int (*on_resize)(void *ctx, uint64_t nr_keys, uint64_t nr_expires);
	/* a key that holds a string */
	int (*on_key)(void *ctx, const struct rdb_key *key, const struct rdb_value *value);
	/* one that holds another type: then come its items, then the end of the value */
	int (*on_value)(void *ctx, const struct rdb_key *key, enum rdb_type type);
	int (*on_item)(void *ctx, const struct rdb_item *item);
	int (*on_value_end)(void *ctx);
	int (*on_function)(void *ctx, const void *source, size_t len);
	int (*on_end)(void *ctx); /* complete, checksum good or absent */
};

struct rdb_limits {
	size_t max_string_bytes; /* of one string, compressed or not: proto-max-bulk-len */
	size_t max_record_bytes; /* of one record or item on the wire, with all its parts */
	bool ignore_checksum;    /* rdbchecksum no */
	/* The input is a sequence of whole records without header and trailer. It may end behind
	 * each of them; its bytes are checked otherwise. */
	bool is_fragment;
};

struct rdb_counters {
	uint64_t nr_keys;
	uint64_t nr_aux;
	uint64_t nr_functions;
	uint64_t nr_module_aux; /* skipped */
	uint64_t nr_slot_infos; /* skipped */
};

enum rdb_status {
	RDB_STATUS_MORE,   /* feed on */
	RDB_STATUS_END,    /* all read: on_end was called */
	RDB_STATUS_FAILED, /* see rdb_reader_fault() */
};

struct rdb_reader;

/* Returns owned, or NULL without memory. upcalls and limits are copied, ctx is borrowed. */
struct rdb_reader *rdb_reader_create(
	const struct rdb_upcalls *upcalls, void *ctx, const struct rdb_limits *limits);

/* NULL-safe, sets NULL. */
void rdb_reader_destroy(struct rdb_reader **reader);

/* Takes the next len bytes. Returns how many belonged to the RDB: all of them until the end is
 * reached, then fewer or 0; or -1 when the input is refused, now or before. */
ssize_t rdb_reader_feed(struct rdb_reader *r, const void *data, size_t len);

/* Tells the reader that there is no more input. Returns 0 if the RDB was complete, else -1 with
 * RDB_ERR_TRUNCATED (or the earlier fault). */
int rdb_reader_finish(struct rdb_reader *r);

enum rdb_status rdb_reader_status(const struct rdb_reader *r);

/* Borrowed, lives as long as the reader. error is RDB_OK unless failed. */
const struct rdb_fault *rdb_reader_fault(const struct rdb_reader *r);

/* What the upcall returned, when the fault is RDB_ERR_UPCALL, else 0. */
int rdb_reader_refusal(const struct rdb_reader *r);

/* Borrowed, lives as long as the reader. */
const struct rdb_counters *rdb_reader_counters(const struct rdb_reader *r);

/* The file's version, 0 before the header was read. */
unsigned rdb_reader_version(const struct rdb_reader *r);

/* Bytes of the RDB consumed so far, those kept for an unfinished record included. */
uint64_t rdb_reader_offset(const struct rdb_reader *r);

#endif
