/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool export: the state as an RDB file, or a part of the log as RESP.
 */
#include "app/pool/tool.h"

#include "app/newfile.h"
#include "app/pool/offline.h"
#include "dataplane/resp.h"
#include "persist/log.h"
#include "persist/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
	const char *pool, *file, *from, *to;
	bool snapshot, force;
	int databases;
};

/* A file that appears when it is whole, or standard output. */
struct output {
	struct newfile file;
	bool is_stdout;
	char *buf; /* owned; small pieces are gathered here */
	size_t len;
};

#define OUTPUT_BYTES (1u << 16)

static int output_flush(struct output *o)
{
	int rc = newfile_write(&o->file, o->buf, o->len);

	o->len = 0;
	return rc;
}

static int output_write(void *ctx, const void *data, size_t len)
{
	struct output *o = ctx;
	int rc = 0;

	if (len > OUTPUT_BYTES - o->len)
		rc = output_flush(o);
	if (rc == 0 && len > OUTPUT_BYTES)
		return newfile_write(&o->file, data, len);
	if (rc == 0) {
		memcpy(o->buf + o->len, data, len);
		o->len += len;
	}
	return rc;
}

static int output_open(struct output *o, const struct request *r)
{
	int rc = 0;

	memset(o, 0, sizeof(*o));
	o->is_stdout = strcmp(r->file, "-") == 0;
	o->buf = malloc(OUTPUT_BYTES);
	if (!o->buf)
		return -ENOMEM;
	if (o->is_stdout)
		o->file.fd = STDOUT_FILENO;
	else if (!r->force && access(r->file, F_OK) == 0)
		rc = -EEXIST;
	else
		rc = newfile_open(&o->file, r->file);
	if (rc)
		free(o->buf);
	return rc;
}

/* Ends it: whole if @rc is 0, else not at all. */
static int output_close(struct output *o, int rc)
{
	if (rc == 0)
		rc = output_flush(o);
	if (!o->is_stdout && rc)
		newfile_abort(&o->file);
	else if (!o->is_stdout)
		rc = newfile_commit(&o->file);
	free(o->buf);
	return rc;
}

static int write_snapshot(struct output *o, const struct snap *snap)
{
	uint64_t pos = 0;
	const void *ptr;
	size_t len;
	int rc = 0;

	while (rc == 0 && snap_span(snap, pos, &ptr, &len) == 0 && len) {
		rc = output_write(o, ptr, len);
		pos += len;
	}
	return rc;
}

static int write_log(struct output *o, const struct log *log, uint64_t from, uint64_t to)
{
	const void *ptr;
	size_t len;
	int rc = 0;

	while (rc == 0 && from < to) {
		rc = log_read(log, from, &ptr, &len);
		if (len > to - from)
			len = (size_t)(to - from);
		if (rc == 0)
			rc = output_write(o, ptr, len);
		from += len;
	}
	return rc;
}

static int failed(const struct request *r, int rc)
{
	if (rc == -EEXIST)
		return tool_fail("%s: is there already; --force replaces it", r->file);
	return tool_fail("%s: cannot be written: %s", r->file, strerror(-rc));
}

static bool offset_parse(const char *text, const struct recover_result *found, uint64_t *off)
{
	int64_t v;

	if (strcmp(text, "start") == 0)
		*off = found->log_start;
	else if (strcmp(text, "end") == 0)
		*off = found->end;
	else if (resp_int_parse(text, strlen(text), &v) && v >= 0)
		*off = (uint64_t)v;
	else
		return false;
	return true;
}

static int export_log(const struct request *r, const struct tool_view *v)
{
	const struct recover_result *found = &v->found;
	struct output out;
	uint64_t from, to;
	int rc;

	if (!offset_parse(r->from, found, &from) || !offset_parse(r->to, found, &to))
		return tool_fail("--log: an offset is a number, 'start' or 'end'");
	if (from < found->log_start || to > found->end || from > to)
		return tool_fail("%s: the log holds offsets %llu to %llu, not %llu to %llu",
			r->pool, (unsigned long long)found->log_start,
			(unsigned long long)found->end, (unsigned long long)from,
			(unsigned long long)to);
	rc = output_open(&out, r);
	if (rc == 0)
		rc = output_close(&out, write_log(&out, pool_log(v->pool), from, to));
	return rc ? failed(r, rc) : TOOL_OK;
}

static int export_snapshot(const struct request *r, const struct tool_view *v)
{
	struct output out;
	int rc;

	if (!v->found.snap)
		return tool_fail("%s: the pool holds no snapshot", r->pool);
	if (snap_verify(v->found.snap))
		return tool_fail(
			"%s: the snapshot is damaged; 'millrace-pool check' tells where", r->pool);
	rc = output_open(&out, r);
	if (rc == 0)
		rc = output_close(&out, write_snapshot(&out, v->found.snap));
	return rc ? failed(r, rc) : TOOL_OK;
}

/* The state at the end of the log. Takes the view's place. */
static int export_state(const struct request *r)
{
	static struct server srv;
	struct rdb_sink sink = {.write = output_write};
	char err[TOOL_ERR_LEN];
	struct output out;
	struct pool *pool;
	int rc = pool_view(r->pool, &pool, err, sizeof(err));

	if (rc)
		return tool_fail("%s", err);
	if (offline_start(&srv, pool, r->databases, err, sizeof(err)))
		return tool_fail("%s: %s", r->pool, err);
	rc = output_open(&out, r);
	sink.ctx = &out;
	if (rc == 0)
		rc = output_close(&out, offline_save(&srv, sink));
	offline_stop(&srv);
	return rc ? failed(r, rc) : TOOL_OK;
}

static int parse(struct request *r, int argc, char **argv)
{
	int64_t v;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--snapshot") == 0) {
			r->snapshot = true;
		} else if (strcmp(argv[i], "--force") == 0) {
			r->force = true;
		} else if (strcmp(argv[i], "--log") == 0 && i + 2 < argc) {
			r->from = argv[++i];
			r->to = argv[++i];
		} else if (strcmp(argv[i], "--databases") == 0 && i + 1 < argc) {
			if (!resp_int_parse(argv[i + 1], strlen(argv[i + 1]), &v) || v < 1 ||
				v > 1 << 20)
				return tool_usage(&tool_export, "--databases takes 1 to 1048576");
			r->databases = (int)v;
			i++;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return tool_usage(
				&tool_export, "no option %s, or it lacks arguments", argv[i]);
		} else if (!r->pool) {
			r->pool = argv[i];
		} else if (!r->file) {
			r->file = argv[i];
		} else {
			return tool_usage(&tool_export, "one pool and one file");
		}
	}
	if (!r->file)
		return tool_usage(&tool_export, "a pool and a file are needed");
	if (r->from && r->snapshot)
		return tool_usage(&tool_export, "--log or --snapshot, not both");
	return TOOL_OK;
}

static int run(int argc, char **argv)
{
	struct request r = {.databases = 16};
	struct tool_view view;
	int status = parse(&r, argc, argv);

	if (status)
		return status;
	if ((status = tool_view_open(r.pool, &view)))
		return status;
	if (!r.from && !r.snapshot && view.found.base == RECOVER_BASE_NONE) {
		status = tool_fail(
			"%s: the pool holds no state: a full synchronisation was cut short",
			r.pool);
		tool_view_close(&view);
		return status;
	}
	if (r.from)
		status = export_log(&r, &view);
	else if (r.snapshot)
		status = export_snapshot(&r, &view);
	tool_view_close(&view);
	if (!r.from && !r.snapshot)
		status = export_state(&r);
	return status;
}

const struct tool_command tool_export = {
	.name = "export",
	.run = run,
	.usage = "[--snapshot | --log FROM TO] [--force] [--databases N] POOL FILE",
	.what = "writes the state as an RDB file, or a part of the log as RESP",
	.help = "The state is that at the end of the log. FILE - is standard output.\n"
		"  --snapshot      the newest snapshot, as it lies in the pool\n"
		"  --log FROM TO   the log between two offsets; 'start' and 'end' stand for its own\n"
		"  --force         replace a FILE that is there\n"
		"  --databases N   as many as the node has (16)\n",
};
