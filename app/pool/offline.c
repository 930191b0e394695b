/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pool/offline.h"

#include "app/acl/acl.h"
#include "app/commands/command.h"
#include "app/commands/function_store.h"
#include "app/commands/script_run.h"
#include "app/latency.h"
#include "app/pubsub.h"
#include "app/rdb/save.h"
#include "app/recovery.h"
#include "app/replication.h"
#include "app/slowlog.h"
#include "app/snapshot.h"
#include "app/threads.h"
#include "dataplane/clock.h"
#include "persist/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What is worth a warning of the node's goes where errors go, not between the data. */
static int configure(struct server *srv, int databases)
{
	srv->cfg = config_create();
	if (!srv->cfg)
		return -ENOMEM;
	free(srv->cfg->logfile);
	srv->cfg->logfile = strdup("/dev/stderr");
	atomic_store(&srv->cfg->loglevel, 3);
	srv->cfg->databases = databases;
	return srv->cfg->logfile ? 0 : -ENOMEM;
}

static int create_keyspace(struct server *srv)
{
	struct ks_config kc = {
		.nr_parts = srv->cfg->partitions, .nr_dbs = (uint32_t)srv->cfg->databases};

	if (getrandom(kc.hash_seed, sizeof(kc.hash_seed), 0) != sizeof(kc.hash_seed))
		return -EIO;
	srv->ks_cfg = kc;
	srv->ks = ks_create(&kc);
	return srv->ks ? 0 : -ENOMEM;
}

int offline_start(struct server *srv, struct pool *pool, int databases, char *err, size_t err_len)
{
	int rc;

	server_init(srv);
	command_table_setup();
	srv->pool = pool;
	snprintf(err, err_len, "out of memory");
	if ((rc = configure(srv, databases)) || (rc = create_keyspace(srv)))
		goto err_stop;
	srv->acl = acl_create();
	srv->slowlog = slowlog_create();
	srv->latency = latency_create();
	rc = srv->acl && srv->slowlog && srv->latency ? 0 : -ENOMEM;
	if (rc || (rc = pubsub_create(srv)) || (rc = scripts_create(srv)) ||
		(rc = repl_create(srv, &srv->repl)) || (rc = snapshot_create(srv)))
		goto err_stop;
	if ((rc = threads_create_cores(srv, err, err_len)) ||
		(rc = recovery_run_alone(srv, err, err_len)))
		goto err_stop;
	return 0;

err_stop:
	offline_stop(srv);
	return rc;
}

void offline_stop(struct server *srv)
{
	repl_destroy(&srv->repl);
	snapshot_destroy(srv);
	pool_close(&srv->pool, false);
	ks_destroy(&srv->ks);
	threads_destroy_cores(srv);
	pubsub_destroy(srv);
	scripts_destroy(srv);
	slowlog_destroy(&srv->slowlog);
	latency_destroy(&srv->latency);
	acl_destroy(&srv->acl);
	config_destroy(&srv->cfg);
}

static void save_entry(void *ctx, int db, struct entry *e)
{
	rdb_save_entry(ctx, db, e); /* errors stick */
}

int offline_save(struct server *srv, struct rdb_sink sink)
{
	struct rdb_saver saver;
	struct pool_repl ids;
	char head[512];
	size_t len;

	pool_repl_get(srv->pool, &ids);
	rdb_saver_init(&saver, sink.write, sink.ctx, true);
	saver.writer.flags |= RDB_WRITE_CRC;
	len = rdb_save_prefix(head, sizeof(head), clock_unix_us() / 1000000,
		server_used_memory(srv), atomic_load(&srv->repl->stream_db), ids.replid,
		log_tail(srv->log));
	rdb_write_raw(&saver.writer, head, len);
	functions_write(srv, &saver.writer);
	for (uint32_t db = 0; db < ks_nr_dbs(srv->ks); db++) {
		for (uint32_t part = 0; part < ks_nr_parts(srv->ks); part++)
			ks_walk_part(srv->ks, part, (int)db, save_entry, &saver);
	}
	rdb_write_eof(&saver.writer);
	return rdb_saver_fini(&saver);
}
