/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool create and import: a new pool, empty or with the state of an RDB file.
 *
 * The pool is made without a name and gets it when everything in it is durable: a crash before that
 * leaves nothing under the name, a crash after it the whole. An existing file is never touched.
 */
#include "app/pool/tool.h"

#include "app/pool/rdb_check.h"
#include "app/server.h"
#include "persist/snapshot.h"
#include "repl/rdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)

struct request {
	const struct tool_command *cmd;
	const char *rdb, *pool;
	uint64_t size, log_size;
};

static int parse(struct request *r, int argc, char **argv, bool with_rdb)
{
	const char *operand[2] = {NULL, NULL};
	unsigned n = 0, wanted = with_rdb ? 2 : 1;

	for (int i = 1; i < argc; i++) {
		bool log = strcmp(argv[i], "--log-size") == 0;

		if (log || strcmp(argv[i], "--size") == 0) {
			uint64_t *to = log ? &r->log_size : &r->size;

			if (i + 1 == argc || !tool_size(argv[i + 1], to) || *to == 0)
				return tool_usage(r->cmd, "%s takes a size, as 512mb", argv[i]);
			i++;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return tool_usage(r->cmd, "no option %s", argv[i]);
		} else if (n == wanted) {
			return tool_usage(r->cmd, "too many arguments");
		} else {
			operand[n++] = argv[i];
		}
	}
	if (n < wanted)
		return tool_usage(
			r->cmd, with_rdb ? "an RDB file and a pool are needed" : "which pool?");
	r->rdb = with_rdb ? operand[0] : NULL;
	r->pool = operand[n - 1];
	return TOOL_OK;
}

static int make(const struct request *r, struct pool **pool)
{
	struct pool_cfg cfg = {.nr_writers = MILLRACE_MAX_CORES, .ring_size = r->log_size};
	char err[TOOL_ERR_LEN];

	return pool_make(r->pool, r->size, &cfg, pool, err, sizeof(err)) ? tool_fail("%s", err)
									 : TOOL_OK;
}

/* Gives it its name. Closes it in any case. */
static int place(struct pool **pool)
{
	char err[TOOL_ERR_LEN];
	int rc = pool_place(*pool, err, sizeof(err));

	pool_close(pool, rc == 0);
	return rc ? tool_fail("%s", err) : TOOL_OK;
}

static int create_run(int argc, char **argv)
{
	struct request r = {.cmd = &tool_create, .size = 1ull << 30};
	int status = parse(&r, argc, argv, false);
	struct pool *pool;

	if (status == TOOL_OK)
		status = make(&r, &pool);
	return status ? status : place(&pool);
}

/* --- import --- */

/* Reads the file into the snapshot's stream, checking it. */
static int copy_in(const struct request *r, int fd, struct snap_stream *stream, struct rdb_check *c)
{
	char *buf = malloc(READ_BYTES);
	ssize_t n;
	int rc = buf ? 0 : -ENOMEM;

	while (rc == 0 && (n = read(fd, buf, READ_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : rdb_check_feed(c, buf, (size_t)n);
		if (rc == 0)
			rc = snap_stream_write(stream, buf, (size_t)n);
	}
	free(buf);
	if (rc == 0)
		rc = rdb_check_finish(c);
	if (rc == 0)
		rc = snap_stream_done(stream);
	if (rc == -EBADMSG)
		return tool_fail("%s: %s", r->rdb, rdb_check_fault(c));
	if (rc == -ENOSPC)
		return tool_fail("%s: a pool of %llu bytes is too small for it", r->rdb,
			(unsigned long long)r->size);
	if (rc == 0 && rdb_check_version(c) > RDB_VERSION_WRITTEN)
		return tool_fail("%s: RDB version %u; replicas of Redis 7.0 could not load it",
			r->rdb, rdb_check_version(c));
	return rc ? tool_fail("%s: %s", r->rdb, strerror(-rc)) : TOOL_OK;
}

/* The file becomes the snapshot at offset 0, where the log begins. The new pool has a random
 * replication id already: it is nobody's history. */
static int publish(struct pool *pool, struct snap **snap, uint64_t nr_keys)
{
	struct snap_meta meta = {
		.nr_keys = nr_keys, .ctime_s = (uint64_t)time(NULL), .stream_db = 0};
	struct pool_repl ids;
	int rc;

	pool_repl_get(pool, &ids);
	rc = snap_seal(*snap, NULL, 0, &meta, true);
	if (rc == 0)
		rc = snap_publish_foreign(snap, &ids);
	return rc ? tool_fail("cannot store the snapshot: %s", strerror(-rc)) : TOOL_OK;
}

/* A node writes its next snapshot beside this one, and that one will be no smaller. */
static int check_room(const struct request *r, struct pool *pool)
{
	struct snap_stats stats;
	uint64_t all, free_bytes;

	snap_stats_get(pool, &stats);
	all = stats.extents_bytes;
	free_bytes = all / stats.extents_total * stats.extents_free;
	if (free_bytes >= all / 2)
		return TOOL_OK;
	return tool_fail(
		"%s: a pool of %llu bytes has no room for the next snapshot beside this one; "
		"about %llu are needed",
		r->pool, (unsigned long long)r->size,
		(unsigned long long)(r->size + 3 * (all - 2 * free_bytes)));
}

static int fill(const struct request *r, int fd, struct pool *pool)
{
	struct rdb_check *c = rdb_check_create();
	struct recover_result found;
	struct snap_stream *stream;
	struct snap *snap = NULL;
	char err[TOOL_ERR_LEN] = "out of memory";
	int status;

	if (!c || recover_open(pool, &found, err, sizeof(err)) || snap_begin(pool, 0, &snap) ||
		snap_stream_open(snap, 0, &stream))
		status = tool_fail("%s: %s", r->pool, err);
	else
		status = copy_in(r, fd, stream, c);
	if (status == TOOL_OK)
		status = check_room(r, pool);
	if (status == TOOL_OK)
		status = publish(pool, &snap, rdb_check_nr_keys(c));
	if (status == TOOL_OK)
		printf("%s: %llu keys\n", r->pool, (unsigned long long)rdb_check_nr_keys(c));
	snap_abort(&snap);
	rdb_check_destroy(&c);
	return status;
}

static int import_run(int argc, char **argv)
{
	struct request r = {.cmd = &tool_import};
	int status = parse(&r, argc, argv, true);
	struct pool *pool;
	struct stat st;
	int fd;

	if (status)
		return status;
	fd = open(r.rdb, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return tool_fail("%s: %s", r.rdb, strerror(errno));
	if (r.size == 0) { /* room for two such snapshots, a larger third one and the log */
		r.size = 6 * (uint64_t)st.st_size;
		if (r.size < 1ull << 30)
			r.size = 1ull << 30;
	}
	status = make(&r, &pool);
	if (status == TOOL_OK) {
		status = fill(&r, fd, pool);
		if (status == TOOL_OK)
			status = place(&pool);
		else
			pool_close(&pool, false);
	}
	close(fd);
	return status;
}

#define SIZE_HELP                                                                                  \
	"  --log-size N   of the log, a part of it (a quarter)\n"                                  \
	"Sizes are bytes, or have a unit: kb, mb, gb (of 1024), k, m, g (of 1000).\n"

const struct tool_command tool_create = {
	.name = "create",
	.run = create_run,
	.usage = "[--size N] [--log-size N] POOL",
	.what = "makes an empty pool",
	.help = "  --size N       of the pool (1gb)\n" SIZE_HELP,
};

const struct tool_command tool_import = {
	.name = "import",
	.run = import_run,
	.usage = "[--size N] [--log-size N] RDB POOL",
	.what = "makes a pool with the state of an RDB file, and a new replication ID",
	.help = "  --size N       of the pool (six times the file, at least 1gb)\n" SIZE_HELP,
};
