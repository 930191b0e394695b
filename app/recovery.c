/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/recovery.h"

#include "app/apply.h"
#include "app/commands/function_store.h"
#include "app/control.h"
#include "app/obj_limits.h"
#include "app/rdb/load.h"
#include "app/replication.h"
#include "dataplane/clock.h"
#include "persist/recover.h"
#include "repl/rdb_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int load_snapshot(
	struct server *srv, struct snap *snap, struct rdb_loader *loader, char *err, size_t err_len)
{
	struct rdb_limits limits = {.max_string_bytes = 1u << 30, .max_record_bytes = 2u << 30};
	struct obj_limits obj_limits = obj_limits_get(srv->cfg);
	struct function_intake functions = {.srv = srv};
	struct rdb_reader *reader;
	uint64_t pos = 0;
	const void *ptr;
	size_t len;
	int rc = 0;

	rdb_loader_init(loader, srv->ks, &obj_limits, clock_unix_us() / 1000);
	loader->on_function = function_intake_add;
	loader->function_ctx = &functions;
	reader = rdb_reader_create(&rdb_loader_upcalls, loader, &limits);
	if (!reader)
		return -ENOMEM;
	while (rc == 0 && (rc = snap_span(snap, pos, &ptr, &len)) == 0 && len) {
		if (rdb_reader_feed(reader, ptr, len) < 0)
			rc = -EBADMSG;
		pos += len;
	}
	if (rc == 0 && rdb_reader_finish(reader))
		rc = -EBADMSG;
	if (rc)
		snprintf(err, err_len, "the snapshot in the pool cannot be loaded: %s%s%s",
			rdb_reader_fault(reader)->text, loader->err[0] ? ": " : "", loader->err);
	rdb_reader_destroy(&reader);
	rdb_loader_fini(loader);
	if (rc == 0)
		function_intake_swap(&functions);
	function_intake_fini(&functions);
	if (loader->nr_empty > 0)
		server_log(srv, 3, "recovery: empty keys skipped n=%llu",
			(unsigned long long)loader->nr_empty);
	atomic_store(&srv->last_load_keys, loader->nr_keys);
	atomic_store(&srv->last_load_expired, loader->nr_expired);
	return rc;
}

/* *end: behind the last whole command before to. */
static int replay(struct server *srv, uint64_t from, uint64_t to, int db, uint64_t *end, char *err,
	size_t err_len)
{
	struct apply *a = apply_create(srv->cores[0], true);
	int64_t told = clock_unix_us();
	uint64_t off = from;
	int rc = 0;

	if (!a)
		return -ENOMEM;
	apply_set_db(a, db);
	srv->cores[0]->now_ms = clock_unix_us() / 1000;
	while (off < to) {
		const void *ptr;
		size_t len;

		rc = log_read(srv->log, off, &ptr, &len);
		if (rc || len == 0) {
			snprintf(err, err_len, "the log ends at offset %llu, not at %llu",
				(unsigned long long)off, (unsigned long long)to);
			rc = -EBADMSG;
			break;
		}
		if (len > to - off)
			len = (size_t)(to - off);
		if (len > 1u << 20)
			len = 1u << 20;
		apply_bytes(a, ptr, len); /* nobody else holds a partition */
		off += len;
		if (apply_error(a)) {
			snprintf(err, err_len,
				"the log is not a command stream before offset %llu: %s",
				(unsigned long long)off, apply_error(a));
			rc = -EBADMSG;
			break;
		}
		if (clock_unix_us() - told > 1000000) {
			told = clock_unix_us();
			server_log(srv, 2, "recovery: replaying the log done=%.0f%% commands=%llu",
				100.0 * (double)(off - from) / (double)(to - from),
				(unsigned long long)apply_nr_commands(a));
		}
	}
	*end = off - apply_pending(a);
	atomic_store(&srv->repl->stream_db, apply_db(a));
	apply_destroy(&a);
	return rc;
}

/* The crash has torn the last append: the log goes on behind the last whole command. */
static int cut_torn(struct server *srv, uint64_t end, uint64_t *res_end)
{
	int rc = log_truncate(srv->log, end);

	if (rc)
		return rc;
	server_log(srv, 2, "recovery: discarded a torn command at the log's end bytes=%llu",
		(unsigned long long)(*res_end - end));
	*res_end = end;
	return 0;
}

/* What is here continues no history that anybody knows. */
static void new_replid(struct server *srv, const char *reason)
{
	struct pool_repl ids;

	pool_repl_get(srv->pool, &ids);
	repl_random_id(ids.replid);
	memset(ids.replid2, '0', POOL_REPLID_LEN);
	ids.second_repl_offset = -1;
	ids.is_copy = false;
	pool_repl_set(srv->pool, &ids);
	server_log(srv, 3, "recovery: new replication id: %s", reason);
}

int recovery_run(struct server *srv, char *err, size_t err_len)
{
	int64_t start = clock_unix_us();
	struct rdb_loader loader;
	struct recover_result res;
	uint64_t end;
	int rc = recover_open(srv->pool, &res, err, err_len);

	if (rc)
		return rc;
	end = res.end;
	srv->log = pool_log(srv->pool);
	loader.stream_db = -1;
	if (res.base == RECOVER_BASE_SNAPSHOT) {
		rc = load_snapshot(srv, res.snap, &loader, err, err_len);
		snap_put(&res.snap);
	}
	if (rc == 0 && res.base != RECOVER_BASE_NONE)
		rc = replay(srv, res.base_off, res.end, loader.stream_db > 0 ? loader.stream_db : 0,
			&end, err, err_len);
	if (rc == 0 && end < res.end)
		rc = cut_torn(srv, end, &res.end);
	if (rc)
		return rc;
	if (res.base == RECOVER_BASE_NONE)
		new_replid(srv,
			"the pool holds no state that the log could be replayed on; the node is empty");
	else if (res.replid_suspect)
		new_replid(srv,
			"the node was not shut down before the machine rebooted, and its durability mode or "
			"medium does not survive that");
	server_log(srv, 2,
		"recovery: done offset=%llu snapshot_offset=%llu keys=%llu clean=%d took_ms=%lld",
		(unsigned long long)res.end, (unsigned long long)res.base_off,
		(unsigned long long)server_nr_keys(srv), res.clean,
		(long long)((clock_unix_us() - start) / 1000));
	return 0;
}
