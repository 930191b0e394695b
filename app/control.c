/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/control.h"

#include "app/listen.h"
#include "app/network.h"
#include "app/newfile.h"
#include "app/pool_space.h"
#include "app/recovery.h"
#include "app/replication.h"
#include "app/snapshot.h"
#include "checks.h"
#include "dataplane/clock.h"
#include "persist/log.h"
#include "persist/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS           100
#define MAX_SAVERS        32
#define CLIENT_NOBODY     0
#define RETRY_SNAPSHOT_MS 5000

struct control {
	struct server *srv;
	int epoll_fd, wake_fd, signal_fd;
	struct listeners *listeners;

	/* from other threads, under lock */
	pthread_mutex_t lock;
	struct control_job *jobs, **jobs_tail;
	bool save_wanted, save_export;
	uint64_t savers[MAX_SAVERS]; /* clients that wait in SAVE */
	unsigned nr_savers;
	bool shutdown_wanted;
	unsigned shutdown_flags;
	uint64_t shutdown_client;

	/* this thread only */
	bool ready; /* the data are loaded */
	bool shutdown_begun, export_this, savers_this, stop;
	int64_t shutdown_deadline_ms;
	int64_t tick_ms;
	uint64_t last_commands, last_in, last_out, last_repl_in, last_repl_out, last_log;
	int64_t last_rate_ms;
	int64_t retry_snapshot_ms;
	bool point_reached;    /* a `save` point: the snapshot to come becomes an RDB file */
	bool room_made;        /* the pool has grown since the last snapshot found no room */
	uint64_t failed_bytes; /* memory in use when the last snapshot found no room */
};

int control_create(struct server *srv, struct control **out, char *err, size_t err_len)
{
	struct control *c = calloc(1, sizeof(*c));
	struct epoll_event ev = {.events = EPOLLIN};
	sigset_t set;
	int rc;

	if (!c)
		return -ENOMEM;
	c->srv = srv;
	c->jobs_tail = &c->jobs;
	pthread_mutex_init(&c->lock, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any other thread is started */
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	c->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	ev.data.fd = c->wake_fd;
	epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &ev);
	ev.data.fd = c->signal_fd;
	epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->signal_fd, &ev);
	srv->control = c;
	rc = listeners_open(srv, c->epoll_fd, &c->listeners, err, err_len);
	if (rc) {
		control_destroy(&c);
		srv->control = NULL;
		return rc;
	}
	*out = c;
	return 0;
}

void control_destroy(struct control **cp)
{
	struct control *c = *cp;

	if (!c)
		return;
	listeners_close(&c->listeners);
	while (c->jobs) { /* came too late */
		struct control_job *job = c->jobs;

		c->jobs = job->next;
		free(job);
	}
	close(c->signal_fd);
	close(c->wake_fd);
	close(c->epoll_fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*cp = NULL;
}

void control_wake(struct server *srv)
{
	uint64_t one = 1;

	if (srv->control && write(srv->control->wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it wakes anyway */
}

void control_post(struct server *srv, struct control_job *job)
{
	struct control *c = srv->control;

	job->next = NULL;
	job->srv = srv;
	pthread_mutex_lock(&c->lock);
	*c->jobs_tail = job;
	c->jobs_tail = &job->next;
	pthread_mutex_unlock(&c->lock);
	control_wake(srv);
}

static void job_done(struct core *core, struct core_msg *msg)
{
	struct control_job *job = (struct control_job *)msg;

	job->done(job->srv, job);
}

static void run_jobs(struct control *c)
{
	struct control_job *job, *next;

	pthread_mutex_lock(&c->lock);
	job = c->jobs;
	c->jobs = NULL;
	c->jobs_tail = &c->jobs;
	pthread_mutex_unlock(&c->lock);
	for (; job; job = next) {
		next = job->next;
		job->run(c->srv, job);
		if (!job->done) {
			free(job);
			continue;
		}
		job->msg.fn = job_done;
		while (core_post(job->core, &job->msg)) /* the inbox is full for a moment */
			usleep(100);
	}
}

/* --- snapshots --- */

enum save_result control_save(struct server *srv, uint64_t client_id)
{
	struct control *c = srv->control;
	enum save_result rc = SAVE_STARTED;

	pthread_mutex_lock(&c->lock);
	if (c->save_wanted || (!client_id && atomic_load(&srv->save_in_progress)))
		rc = SAVE_BUSY;
	if (client_id && rc == SAVE_STARTED && c->nr_savers == MAX_SAVERS)
		rc = SAVE_BUSY;
	if (client_id && rc == SAVE_STARTED)
		c->savers[c->nr_savers++] = client_id;
	if (rc == SAVE_STARTED) { /* behind one that is under way, a new one follows */
		c->save_wanted = c->save_export = true;
		atomic_store(&srv->save_in_progress, true);
	}
	pthread_mutex_unlock(&c->lock);
	control_wake(srv);
	return rc;
}

/* The snapshot as an ordinary RDB file. */
static int export_rdb(struct server *srv)
{
	char name[256], path[512];
	struct newfile file;
	struct snap *snap;
	const void *ptr;
	uint64_t pos = 0;
	size_t len;
	int rc;

	if (config_get_str(srv->cfg, &srv->cfg->dbfilename, name, sizeof(name)) == 0)
		return 0;
	config_get_str(srv->cfg, &srv->cfg->dir, path, sizeof(path) - sizeof(name) - 1);
	snprintf(
		path + strlen(path), sizeof(path) - strlen(path), "%s%s", path[0] ? "/" : "", name);
	snap = snap_newest_get(srv->pool);
	if (!snap)
		return -ENOENT;
	rc = newfile_open(&file, path);
	while (rc == 0 && (rc = snap_span(snap, pos, &ptr, &len)) == 0 && len) {
		rc = newfile_write(&file, ptr, len);
		pos += len;
	}
	snap_put(&snap);
	if (rc)
		newfile_abort(&file);
	else
		rc = newfile_commit(&file);
	if (rc)
		server_log(srv, 3, "save: %s cannot be written: %s", path, strerror(-rc));
	return rc;
}

static void answer_savers(struct control *c, bool ok)
{
	static const char good[] = "+OK\r\n", bad[] = "-ERR the snapshot failed, see the log\r\n";
	uint64_t ids[MAX_SAVERS];
	unsigned n;

	pthread_mutex_lock(&c->lock);
	n = c->nr_savers;
	memcpy(ids, c->savers, n * sizeof(ids[0]));
	c->nr_savers = 0;
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < n; i++)
		client_send_unblock(
			c->srv, ids[i], ok ? good : bad, ok ? sizeof(good) - 1 : sizeof(bad) - 1);
}

static void snapshot_begin(struct control *c)
{
	struct server *srv = c->srv;

	pool_space_watch(srv);
	if (!snapshot_start(srv))
		return;
	pthread_mutex_lock(&c->lock);
	c->export_this = c->save_export || c->point_reached;
	c->savers_this = c->save_wanted;
	c->save_wanted = c->save_export = false;
	c->room_made = false;
	c->point_reached = false;
	pthread_mutex_unlock(&c->lock);
	atomic_store(&srv->save_in_progress, true);
	atomic_store(&srv->save_started_s, clock_unix_us() / 1000000);
	atomic_store(&srv->last_save_try_s, clock_unix_us() / 1000000);
	atomic_store(&srv->dirty_at_try, SERVER_SUM(srv, dirty_count));
}

static void snapshot_ended(struct control *c, int rc)
{
	struct server *srv = c->srv;
	int64_t now_s = clock_unix_us() / 1000000;
	bool ok = rc == 0;

	if (ok && c->export_this && export_rdb(srv))
		ok = false;
	atomic_store(&srv->last_save_ok, ok);
	atomic_store(&srv->snapshot_no_room, rc == -ENOSPC);
	atomic_store(&srv->snapshot_failed, !ok);
	atomic_store(&srv->last_save_took_s, now_s - atomic_load(&srv->save_started_s));
	if (ok && c->export_this) { /* one of the log's own is no save: the RDB file is older */
		atomic_store(&srv->last_save_s, now_s);
		atomic_store(&srv->dirty_at_save, atomic_load(&srv->dirty_at_try));
	}
	if (ok) {
		atomic_fetch_add(&srv->nr_saves, 1);
		pool_space_learn(srv);
		repl_snapshot_published(srv);
	} else {
		c->retry_snapshot_ms = c->tick_ms + RETRY_SNAPSHOT_MS;
		c->failed_bytes = server_used_memory(srv);
	}
	if (c->savers_this) {
		c->savers_this = false;
		answer_savers(c, ok);
	}
	pthread_mutex_lock(&c->lock);
	atomic_store(&srv->save_in_progress, c->save_wanted);
	pthread_mutex_unlock(&c->lock);
}

/* What did not fit into the pool is so much smaller now that it may fit. */
static bool has_shrunk(const struct control *c)
{
	return atomic_load(&c->srv->snapshot_no_room) &&
	       server_used_memory(c->srv) < c->failed_bytes - c->failed_bytes / 4;
}

/* Any of the `save` directives. After a failure there is a pause, as in Redis. */
static bool save_point_reached(const struct control *c)
{
	struct server *srv = c->srv;
	struct config *cfg = srv->cfg;
	int64_t since_s = c->tick_ms / 1000 - atomic_load(&srv->last_save_s);
	uint64_t dirty = server_dirty(srv);
	bool reached = false;

	if (!atomic_load(&srv->last_save_ok) &&
		c->tick_ms / 1000 - atomic_load(&srv->last_save_try_s) <= RETRY_SNAPSHOT_MS / 1000)
		return false;
	rte_spinlock_lock(&cfg->lock);
	for (unsigned i = 0; i < cfg->nr_save; i++)
		reached |= dirty >= (uint64_t)cfg->save[i].changes &&
			   since_s > (int64_t)cfg->save[i].seconds;
	rte_spinlock_unlock(&cfg->lock);
	return reached;
}

/* True if the log, a replica, a `save` point or a user wants one now. */
static bool snapshot_wanted(struct control *c)
{
	struct server *srv = c->srv;
	struct snap_stats st;
	bool asked;

	pthread_mutex_lock(&c->lock);
	asked = c->save_wanted;
	pthread_mutex_unlock(&c->lock);
	if (asked)
		return true;
	if (c->tick_ms < c->retry_snapshot_ms && !has_shrunk(c))
		return false;
	c->point_reached = save_point_reached(c);
	if (c->point_reached)
		server_log(srv, 2, "save: %llu changes since the last one. Saving...",
			(unsigned long long)server_dirty(srv));
	snap_stats_get(srv->pool, &st);
	return c->point_reached || c->room_made || atomic_load(&srv->repl->snapshot_wanted) ||
	       log_tail(srv->log) - st.newest_offset > log_ring_size(srv->log) / 2;
}

void control_snapshot_soon(struct server *srv)
{
	srv->control->retry_snapshot_ms = 0;
	if (atomic_load(&srv->snapshot_no_room))
		srv->control->room_made = true;
}

static void snapshot_cron(struct control *c)
{
	int rc;

	if (snapshot_control(c->srv, &rc))
		snapshot_ended(c, rc);
	if (!snapshot_active(c->srv) && !atomic_load(&c->srv->repl->syncing) && snapshot_wanted(c))
		snapshot_begin(c);
}

/* --- shutdown --- */

void control_shutdown(struct server *srv, unsigned flags, uint64_t client_id)
{
	struct control *c = srv->control;

	pthread_mutex_lock(&c->lock);
	c->shutdown_wanted = true;
	c->shutdown_flags = flags;
	c->shutdown_client = client_id;
	pthread_mutex_unlock(&c->lock);
	control_wake(srv);
}

/* False: none was under way. */
static bool shutdown_cancel(struct control *c)
{
	static const char text[] = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";
	uint64_t client;
	bool was;

	pthread_mutex_lock(&c->lock);
	was = c->shutdown_wanted;
	c->shutdown_wanted = false;
	client = c->shutdown_client;
	pthread_mutex_unlock(&c->lock);
	if (was && client)
		client_send_unblock(c->srv, client, text, sizeof(text) - 1);
	return was;
}

bool control_shutdown_abort(struct server *srv)
{
	return shutdown_cancel(srv->control);
}

static void shutdown_begin(struct control *c, unsigned flags)
{
	struct server *srv = c->srv;

	c->shutdown_begun = true;
	c->shutdown_deadline_ms = c->tick_ms + 1000ll * atomic_load(&srv->cfg->shutdown_timeout_s);
	server_log(srv, 2, "shutdown: requested");
	pause_begin(srv, PAUSE_SHUTDOWN, c->tick_ms, INT64_MAX, true);
	if (flags & SHUTDOWN_SAVE) { /* behind one that is under way, another: of all there is */
		pthread_mutex_lock(&c->lock);
		c->save_wanted = c->save_export = true;
		atomic_store(&srv->save_in_progress, true);
		pthread_mutex_unlock(&c->lock);
	}
	if (c->ready) /* nothing may be added to a log that is still being read */
		repl_post_request_acks(srv);
}

static void shutdown_resume(struct control *c)
{
	c->shutdown_begun = false;
	pause_end(c->srv, PAUSE_SHUTDOWN);
	server_log(c->srv, 2, "shutdown: aborted");
}

/* Lagging replicas get shutdown-timeout to catch up, with writes paused. */
static void shutdown_cron(struct control *c)
{
	struct server *srv = c->srv;
	bool wanted;
	unsigned flags;

	pthread_mutex_lock(&c->lock);
	wanted = c->shutdown_wanted;
	flags = c->shutdown_flags;
	pthread_mutex_unlock(&c->lock);
	if (!wanted) {
		if (c->shutdown_begun)
			shutdown_resume(c);
		return;
	}
	if (!c->ready) /* nothing to save, as in Redis, and nobody who could catch up */
		flags = (flags & ~SHUTDOWN_SAVE) | SHUTDOWN_NOW;
	if (!c->shutdown_begun)
		shutdown_begin(c, flags);
	if (flags & SHUTDOWN_SAVE) {
		if (atomic_load(&srv->save_in_progress))
			return;
		if (!atomic_load(&srv->last_save_ok) && !(flags & SHUTDOWN_FORCE)) {
			server_log(srv, 3,
				"shutdown: the data could not be saved, so it does not happen");
			shutdown_cancel(c);
			shutdown_resume(c);
			return;
		}
	}
	if (!(flags & SHUTDOWN_NOW) && c->tick_ms < c->shutdown_deadline_ms &&
		!repl_all_caught_up(srv))
		return;
	server_log(srv, 2, "shutdown: ready to exit, bye bye");
	c->stop = true;
}

/* --- the loop --- */

/* Stores how much a count has grown a second, and remembers it. */
static void measure(atomic_ullong *rate, uint64_t now, uint64_t *last, int64_t ms)
{
	/* CONFIG RESETSTAT takes counts back to 0. */
	uint64_t a_second = (now > *last ? now - *last : 0) * 1000 / (uint64_t)ms;

	atomic_store(
		rate, (7 * atomic_load(rate) + a_second) / 8); /* smooth, over about a second */
	*last = now;
}

static void measure_rates(struct control *c)
{
	struct server *srv = c->srv;
	int64_t ms = c->tick_ms - c->last_rate_ms;
	uint64_t used = server_used_memory(srv);

	if (ms <= 0)
		return;
	measure(&srv->ops_per_sec, SERVER_SUM(srv, nr_commands), &c->last_commands, ms);
	measure(&srv->input_bytes_per_sec, SERVER_SUM(srv, bytes_in), &c->last_in, ms);
	measure(&srv->output_bytes_per_sec, SERVER_SUM(srv, bytes_out), &c->last_out, ms);
	measure(&srv->repl_input_bytes_per_sec, SERVER_SUM(srv, repl_bytes_in), &c->last_repl_in,
		ms);
	measure(&srv->repl_output_bytes_per_sec, SERVER_SUM(srv, repl_bytes_out), &c->last_repl_out,
		ms);
	measure(&srv->log_bytes_per_sec, srv->log ? log_tail(srv->log) : 0, &c->last_log, ms);
	if (c->ready)
		pool_space_watch(srv);
	if (used > atomic_load(&srv->peak_memory))
		atomic_store(&srv->peak_memory, used);
	c->last_rate_ms = c->tick_ms;
}

static void handle_signal(struct control *c)
{
	const struct config *cfg = c->srv->cfg;
	struct signalfd_siginfo si;

	while (read(c->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (c->shutdown_begun) {
			server_log(c->srv, 3, "shutdown: second signal, exiting now");
			c->stop = true;
			return;
		}
		server_log(c->srv, 2, "shutdown: received %s",
			si.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
		control_shutdown(c->srv,
			(unsigned)atomic_load(si.ssi_signo == SIGINT ? &cfg->shutdown_on_sigint
								     : &cfg->shutdown_on_sigterm),
			CLIENT_NOBODY);
	}
}

/* What is done at each tick; while the data are being loaded, less. */
static int tick(struct control *c, char *err, size_t err_len)
{
	struct server *srv = c->srv;
	int rc = 0;

	c->tick_ms = clock_unix_us() / 1000;
	run_jobs(c);
	if (!c->ready) {
		if (atomic_load(&srv->loading))
			rc = recovery_control(srv, err, err_len);
		c->ready = rc == 0 && !atomic_load(&srv->loading);
		if (c->ready) {
			pool_space_learn(srv);
			server_log(srv, 2, "Ready to accept connections");
		}
	}
	if (c->ready)
		snapshot_cron(c);
	shutdown_cron(c);
	network_tick(srv, c->tick_ms);
	if (c->tick_ms - c->last_rate_ms >= TICK_MS)
		measure_rates(c);
	return rc;
}

int control_run(struct control *c, char *err, size_t err_len)
{
	struct epoll_event ev[16];
	uint64_t count;
	int rc = tick(c, err, err_len);

	while (!c->stop && rc == 0) {
		int n = epoll_wait(c->epoll_fd, ev, 16, TICK_MS);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == c->wake_fd) {
				if (read(c->wake_fd, &count, sizeof(count)) < 0)
					continue;
			} else if (ev[i].data.fd == c->signal_fd) {
				handle_signal(c);
			} else {
				listeners_accept(c->listeners, ev[i].data.fd);
			}
		}
		rc = tick(c, err, err_len);
	}
	atomic_store(&c->srv->shutting_down, true);
	return rc;
}
