/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sums over the cores, and the log file.
 */
#include "app/server.h"

#include "app/control.h"
#include "app/keyspace/mem.h"
#include "app/replication.h"
#include "dataplane/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void server_init(struct server *srv)
{
	memset(srv, 0, sizeof(*srv));
	rte_spinlock_init(&srv->clients_lock);
	rte_spinlock_init(&srv->err_lock);
	TAILQ_INIT(&srv->clients);
	atomic_store(&srv->next_client_id, 1);
	atomic_store(&srv->active_expire, true);
	atomic_store(&srv->last_save_ok, true);
	srv->pid = getpid();
	srv->start_ms = clock_unix_us() / 1000;
	atomic_store(&srv->last_save_s, srv->start_ms / 1000);
	repl_random_id(srv->run_id);
	if (readlink("/proc/self/exe", srv->exe, sizeof(srv->exe) - 1) < 0)
		srv->exe[0] = 0;
}

uint64_t server_sum(const struct server *srv, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < srv->nr_cores; i++)
		sum += __atomic_load_n(
			(const uint64_t *)((const char *)srv->cores[i] + offset), __ATOMIC_RELAXED);
	return sum;
}

uint64_t server_nr_keys(const struct server *srv)
{
	uint64_t n = 0;

	for (uint32_t db = 0; db < ks_nr_dbs(srv->ks); db++)
		n += ks_size(srv->ks, (int)db);
	return n;
}

uint64_t server_used_memory(const struct server *srv)
{
	return mem_used();
}

uint64_t server_dirty(const struct server *srv)
{
	uint64_t now = SERVER_SUM(srv, dirty_count), saved = atomic_load(&srv->dirty_at_save);

	return now > saved ? now - saved : 0;
}

void server_reset_stats(struct server *srv)
{
	for (unsigned i = 0; i < srv->nr_cores; i++) {
		struct app_core *ac = srv->cores[i];

		memset(ac->stats, 0, sizeof(ac->stats)); /* a count under way may survive; it is
							    only statistics */
		ac->nr_commands = ac->keyspace_hits = ac->keyspace_misses = 0;
		ac->expired_keys = ac->evicted_keys = 0;
		ac->bytes_in = ac->bytes_out = ac->total_connections = ac->rejected_connections = 0;
		ac->repl_bytes_in = ac->repl_bytes_out = ac->evicted_clients = 0;
		ac->error_replies = ac->protocol_errors = 0;
	}
	ks_lazy_freed_reset(srv->ks);
	atomic_store(&srv->repl->sync_full, 0);
	atomic_store(&srv->repl->sync_partial_ok, 0);
	atomic_store(&srv->repl->sync_partial_err, 0);
	rte_spinlock_lock(&srv->err_lock);
	srv->nr_errors = 0;
	rte_spinlock_unlock(&srv->err_lock);
	atomic_fetch_add(&srv->stat_reset_gen, 1);
}

static void log_line(struct server *srv, int level, const char *text)
{
	static const char marks[] = {'.', '-', '*', '#'};
	char file[512], stamp[64], line[1400];
	struct timeval tv;
	struct tm tm;
	int fd = STDOUT_FILENO, n;

	gettimeofday(&tv, NULL);
	localtime_r(&tv.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%d %b %Y %H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "%d:%c %s.%03d %c %s\n", srv->pid,
		atomic_load_explicit(&srv->is_replica, memory_order_relaxed) ? 'S' : 'M', stamp,
		(int)(tv.tv_usec / 1000), marks[level & 3], text);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (config_get_str(srv->cfg, &srv->cfg->logfile, file, sizeof(file))) {
		fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return;
	}
	if (write(fd, line, (size_t)n) < 0 && fd == STDOUT_FILENO)
		return; /* nobody reads our output: there is no place to say so */
	if (fd != STDOUT_FILENO)
		close(fd);
}

void server_log(struct server *srv, int level, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	if (level < atomic_load_explicit(&srv->cfg->loglevel, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_line(srv, level, text);
}
