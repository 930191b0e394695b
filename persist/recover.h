/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recovery: what a pool that has just been opened holds, and the step that makes it writable again.
 *
 * The end of the log. h is the highest of the hints (superblock, hint cells of the same
 * incarnation, S); everything below h was durable when it was written down. From p = h: find the
 * commit record of this incarnation with off <= p < off + len; if the ring's bytes match its
 * checksum, p becomes off + len, else stop. Each byte of an incarnation is reserved once, so at
 * most one true record covers p, and one that does not match ends the search.
 *   Nothing acknowledged is lost: W never passed a run whose data and record were not durable, and
 *   neither is overwritten while it ends above a durable hint. So the walk crosses every run up to
 * W. What lies past W and is found whole is kept: it was executed, and nobody was told otherwise.
 *
 * Stale records. The walk may stop short of records that are durable further on (their
 * predecessor was torn). If they could match later, after a second crash, at the same offsets, they
 * would bring back a discarded tail. So before the first new write one superblock update sets hint
 * = end AND an incarnation above any that is written anywhere in the pool, atomically: before it,
 * the discarded records are still unreachable behind the same gap (nothing has been written since);
 * after it, they carry an old incarnation and are never looked at again.
 *   Bytes that are only in caches (the process was killed, the machine runs on) are made durable
 * before the superblock claims them; so are the superblock copies themselves before one is updated.
 */
#ifndef MILLRACE_PERSIST_RECOVER_H
#define MILLRACE_PERSIST_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "persist/log.h"
#include "persist/pool.h"
#include "persist/snapshot.h"

enum recover_base {
	RECOVER_BASE_EMPTY,    /* nothing at base_off: a new pool; replay from there */
	RECOVER_BASE_SNAPSHOT, /* load snap, then replay from base_off */
	RECOVER_BASE_NONE,     /* the state at base_off is not in the pool: a full sync is needed */
};

struct recover_result {
	enum recover_base base;
	struct snap *snap;   /* pinned for the caller (snap_put()), or NULL */
	uint64_t base_off;   /* S: replay [base_off, end) on top of the base, with log_read() */
	uint64_t end;        /* end of the log: the replication offset */
	uint64_t log_start;  /* oldest offset still held */
	uint64_t nr_records; /* commit records followed */
	bool clean;          /* the last user closed the pool */
	bool rebooted;       /* not closed, and the kernel has booted since (or boot id unknown) */

	/*
	 * The last user could not promise that all it sent to replicas survives a reboot
	 * (durability `no` on a file, or a forced medium), and there was one. A new replication id
	 * is needed; set again at each open until pool_repl_set().
	 */
	bool replid_suspect;
};

/*
 * Recovers the log of @pool, once, and makes it writable: pool_log() works from here on. Control
 * thread. Returns 0, or -errno with one line in @err: -EBADMSG (damaged; nothing was changed),
 * -ENOMEM, -EOVERFLOW (incarnations used up). Aborts if the medium fails.
 */
int recover_open(struct pool *pool, struct recover_result *res, char *err, size_t err_len);

#endif
