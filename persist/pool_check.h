/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading a pool through, for damage: every checksum that there is, and every structure.
 *
 * Two kinds of findings. A fault: something that the pool claims to hold is not there as it was
 * stored. A note: a structure is bad, but nothing is lost by it, because another one stands in or
 * because a power cut may leave it so (a torn hint cell, a torn commit record).
 *
 * What has no checksum of its own is the part of the log whose commit records have been overwritten
 * since; how much of it could be verified is told.
 */
#ifndef MILLRACE_PERSIST_POOL_CHECK_H
#define MILLRACE_PERSIST_POOL_CHECK_H

#include "persist/pool.h"

enum pool_finding {
	POOL_NOTE,
	POOL_FAULT,
};

/* @place names the structure and where in the file it lies. Strings are borrowed for the call. */
typedef void (*pool_report_fn)(
	void *ctx, enum pool_finding kind, const char *place, const char *what);

struct pool_checked {
	uint32_t sb_copies;         /* good ones, of 2 */
	uint32_t commit_records;    /* intact ones */
	uint64_t log_bytes;         /* held: from the log's start to its end */
	uint64_t log_bytes_checked; /* of them, those that a commit record vouches for */
	uint32_t snapshot_extents;
	uint64_t snapshot_bytes;
	uint32_t nr_notes, nr_faults;
};

/*
 * Reads a pool that pool_view() has just opened, before recover_open(). Changes nothing. Returns 0
 * when all has been looked at, whatever was found, or -ENOMEM.
 */
int pool_check(struct pool *pool, pool_report_fn report, void *ctx, struct pool_checked *checked);

#endif
