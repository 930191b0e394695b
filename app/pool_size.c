/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pool_size.h"

#include "app/control.h"
#include "app/reply.h"
#include "persist/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ull

struct grow_job {
	struct control_job job;
	uint64_t client_id; /* 0: nobody waits */
};

static uint64_t wanted(const struct server *srv)
{
	return __atomic_load_n(&srv->cfg->pmem_size, __ATOMIC_RELAXED) & ~(PAGE - 1);
}

static uint64_t present(const struct server *srv)
{
	return atomic_load_explicit(&srv->pool_bytes, memory_order_relaxed);
}

/* CONFIG GET tells what there is. */
static void adopt(struct server *srv)
{
	struct pool_info info;

	pool_info_get(srv->pool, &info);
	atomic_store(&srv->pool_bytes, info.size);
	__atomic_store_n(&srv->cfg->pmem_size, info.size, __ATOMIC_RELAXED);
}

/* Control thread, or none runs yet. 0 or -errno with err. */
static int grow(struct server *srv, char *err, size_t err_len)
{
	uint64_t from = present(srv), to = wanted(srv);
	int rc = pool_grow(srv->pool, to, err, err_len);

	adopt(srv);
	if (rc)
		server_log(srv, 3, "pool: cannot grow from=%llu to=%llu reason=%s",
			(unsigned long long)from, (unsigned long long)to, err);
	else
		server_log(srv, 2, "pool: has grown from=%llu to=%llu", (unsigned long long)from,
			(unsigned long long)present(srv));
	return rc;
}

void pool_size_setup(struct server *srv)
{
	bool given = config_given(srv->cfg, "pmem-size");
	struct pool_info info;
	char err[300];

	pool_info_get(srv->pool, &info);
	atomic_store(&srv->pool_bytes, info.size);
	if (given && wanted(srv) > info.size) {
		grow(srv, err, sizeof(err));
		return;
	}
	if (given && wanted(srv) < info.size)
		server_log(srv, 3,
			"pool: keeps its size=%llu, which is more than pmem-size=%llu; "
			"'millrace-pool resize' makes it smaller",
			(unsigned long long)info.size, (unsigned long long)wanted(srv));
	adopt(srv);
}

int pool_size_check(struct server *srv, char *err, size_t err_len)
{
	if (wanted(srv) >= present(srv))
		return 0;
	snprintf(err, err_len,
		"the pool has %llu bytes and cannot be made smaller while the node runs "
		"(millrace-pool resize)",
		(unsigned long long)present(srv));
	return -EINVAL;
}

bool pool_size_wanted(const struct server *srv)
{
	return srv->pool && wanted(srv) > present(srv);
}

static void grow_run(struct server *srv, struct control_job *job)
{
	struct grow_job *g = (struct grow_job *)job;
	char err[300], text[500] = "+OK\r\n";

	if (grow(srv, err, sizeof(err)))
		snprintf(text, sizeof(text),
			"-ERR CONFIG SET failed (possibly related to argument 'pmem-size') - %s\r\n",
			err);
	else
		control_snapshot_soon(srv);
	if (g->client_id)
		client_send_unblock(srv, g->client_id, text, strlen(text));
}

void pool_size_grow(struct client *c)
{
	struct grow_job *g = calloc(1, sizeof(*g));

	if (!g) {
		reply_err(c, "ERR out of memory");
		return;
	}
	g->job.run = grow_run;
	if (c->ac->in_exec) {
		reply_ok(c);
	} else {
		g->client_id = c->id;
		c->block = BLOCK_CONTROL;
		c->block_until_ms = 0;
		client_flags_change(c, CLIENT_BLOCKED, 0);
	}
	control_post(c->srv, &g->job);
}
