/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool check: reads everything. First the pool's own structures and checksums
 * (persist/pool_check.h), then what lies in them: the snapshot as RDB, value by value, and the log
 * as commands.
 */
#include "app/pool/tool.h"

#include "app/pool/rdb_check.h"
#include "dataplane/resp.h"
#include "persist/log.h"
#include "persist/pool_check.h"
#include "persist/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
	bool quiet;
	uint32_t nr_faults, nr_notes;
};

static void finding(void *ctx, enum pool_finding kind, const char *place, const char *what)
{
	struct report *r = ctx;

	if (kind == POOL_FAULT)
		r->nr_faults++;
	else
		r->nr_notes++;
	if (kind == POOL_FAULT || !r->quiet)
		printf("%s: %s: %s\n", kind == POOL_FAULT ? "fault" : "note", place, what);
}

/* --- the snapshot --- */

static int check_snapshot(struct report *r, struct tool_view *view)
{
	struct rdb_check *c = rdb_check_create();
	uint64_t pos = 0;
	const void *ptr;
	size_t len;
	int rc = 0;

	if (!c)
		return -ENOMEM;
	while (rc == 0 && snap_span(view->found.snap, pos, &ptr, &len) == 0 && len) {
		rc = rdb_check_feed(c, ptr, len);
		pos += len;
	}
	if (rc || rdb_check_finish(c))
		finding(r, POOL_FAULT, "snapshot, as RDB", rdb_check_fault(c));
	else
		printf("snapshot: %llu keys at offset %llu\n",
			(unsigned long long)rdb_check_nr_keys(c),
			(unsigned long long)snap_offset(view->found.snap));
	rdb_check_destroy(&c);
	return 0;
}

/* --- the log --- */

/* A command may lie around the ring's end, so those that do not fit in a span are put together. */
struct stream {
	struct resp_parser parser;
	char *kept;
	size_t len, cap;
	uint64_t nr_commands;
};

static const struct resp_limits stream_limits = {
	.max_bulk_len = 1ll << 30, .max_multibulk = INT_MAX};

static bool keep(struct stream *s, const char *data, size_t len)
{
	if (len > s->cap - s->len) {
		size_t cap = 2 * s->cap > s->len + len ? 2 * s->cap : s->len + len;
		char *more = realloc(s->kept, cap);

		if (!more)
			return false;
		s->kept = more;
		s->cap = cap;
	}
	memcpy(s->kept + s->len, data, len);
	s->len += len;
	return true;
}

/* Parses what is whole of the kept bytes. False: not a stream of commands. */
static bool parse(struct stream *s)
{
	size_t off = 0, used;
	enum resp_status st;

	while (off < s->len) {
		st = resp_parse(&s->parser, &stream_limits, s->kept + off, s->len - off, &used);
		if (st == RESP_ERR)
			return false;
		if (st == RESP_MORE)
			break;
		s->nr_commands += s->parser.argc > 0;
		off += used;
	}
	memmove(s->kept, s->kept + off, s->len - off);
	s->len -= off;
	return true;
}

static int check_log(struct report *r, struct tool_view *view)
{
	const struct log *log = pool_log(view->pool);
	uint64_t off = view->found.base_off;
	struct stream s = {0};
	char what[160];
	const void *ptr;
	size_t len;
	int rc = 0;

	resp_parser_init(&s.parser);
	while (off < view->found.end && log_read(log, off, &ptr, &len) == 0 && len) {
		if (len > 1u << 20)
			len = 1u << 20;
		if (!keep(&s, ptr, len)) {
			rc = -ENOMEM;
			break;
		}
		off += len;
		if (parse(&s))
			continue;
		snprintf(what, sizeof(what), "not a command, before offset %llu: %s",
			(unsigned long long)off, s.parser.err);
		finding(r, POOL_FAULT, "log", what);
		s.len = 0;
		break;
	}
	snprintf(what, sizeof(what), "ends inside a command: its last %zu bytes are of no use",
		s.len);
	if (rc == 0 && s.len)
		finding(r, view->found.clean ? POOL_FAULT : POOL_NOTE, "log", what);
	printf("log: %llu commands from offset %llu to %llu are replayed at the start\n",
		(unsigned long long)s.nr_commands, (unsigned long long)view->found.base_off,
		(unsigned long long)off);
	resp_parser_fini(&s.parser);
	free(s.kept);
	return rc;
}

/* --- all --- */

/* Everything that needs no recovery. Returns an enum tool_status. */
static int check_structures(struct report *r, const char *path)
{
	struct pool_checked sum;
	char err[TOOL_ERR_LEN];
	struct pool *pool;
	int rc = pool_view(path, &pool, err, sizeof(err));

	if (rc == -EBADMSG || rc == -ENODATA || rc == -EPROTONOSUPPORT || rc == -EMEDIUMTYPE) {
		finding(r, POOL_FAULT, "superblock", err);
		return TOOL_FAULTS;
	}
	if (rc)
		return tool_fail("%s", err);
	rc = pool_check(pool, finding, r, &sum);
	pool_close(&pool, false);
	if (rc)
		return tool_fail("%s: %s", path, strerror(-rc));
	printf("superblock: %u of 2 copies are good\n"
	       "log: %llu bytes held, %llu of them verified by %u commit records\n"
	       "snapshot: %u extents, %llu bytes\n",
		sum.sb_copies, (unsigned long long)sum.log_bytes,
		(unsigned long long)sum.log_bytes_checked, sum.commit_records, sum.snapshot_extents,
		(unsigned long long)sum.snapshot_bytes);
	return r->nr_faults ? TOOL_FAULTS : TOOL_OK;
}

static int check_contents(struct report *r, const char *path)
{
	struct tool_view view;
	int rc = 0;

	if (tool_view_open(path, &view))
		return TOOL_FAILED;
	if (view.found.snap)
		rc = check_snapshot(r, &view);
	if (rc == 0 && view.found.base != RECOVER_BASE_NONE)
		rc = check_log(r, &view);
	tool_view_close(&view);
	return rc ? tool_fail("%s: %s", path, strerror(-rc)) : TOOL_OK;
}

static int run(int argc, char **argv)
{
	struct report r = {0};
	const char *path = NULL;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quiet") == 0 || strcmp(argv[i], "-q") == 0)
			r.quiet = true;
		else if (argv[i][0] == '-' && argv[i][1])
			return tool_usage(&tool_check, "no option %s", argv[i]);
		else if (path)
			return tool_usage(&tool_check, "one pool at a time");
		else
			path = argv[i];
	}
	if (!path)
		return tool_usage(&tool_check, "which pool?");
	tool_guard_media(path);
	rc = check_structures(&r, path);
	if (rc == TOOL_OK)
		rc = check_contents(&r, path);
	if (rc == TOOL_FAILED)
		return rc;
	printf("%s: %s, %u faults, %u notes\n", path, r.nr_faults ? "DAMAGED" : "sound",
		r.nr_faults, r.nr_notes);
	return r.nr_faults ? TOOL_FAULTS : TOOL_OK;
}

const struct tool_command tool_check = {
	.name = "check",
	.run = run,
	.usage = "[--quiet] POOL",
	.what = "reads everything in a pool and verifies every checksum and structure",
	.help = "  -q, --quiet   faults only, no notes (what a power cut may leave, and loses nothing)\n",
};
