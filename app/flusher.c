/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/flusher.h"

#include "app/latency.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "persist/log.h"
#include "persist/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct flusher {
	struct server *srv;
	pthread_t thread;
	int fd;
	atomic_bool asleep, stop;
};

void flusher_kick(struct server *srv)
{
	struct flusher *f = srv->flusher;
	uint64_t one = 1;

	if (!f)
		return;
	atomic_thread_fence(memory_order_seq_cst); /* pairs with flusher_wait() */
	if (atomic_load_explicit(&f->asleep, memory_order_relaxed) &&
		atomic_exchange(&f->asleep, false) && write(f->fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it wakes anyway */
}

static bool due(struct flusher *f, int64_t last_ms, int64_t now_ms)
{
	if (log_flush_wanted(f->srv->log))
		return true;
	switch (f->srv->cfg->durability) {
	case DURABILITY_ALWAYS: return log_flush_due(f->srv->log);
	case DURABILITY_EVERYSEC: return now_ms - last_ms >= 1000;
	case DURABILITY_NO: break;
	}
	return false;
}

static void flusher_wait(struct flusher *f)
{
	struct pollfd pfd = {.fd = f->fd, .events = POLLIN};
	uint64_t count;

	atomic_store_explicit(&f->asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst); /* pairs with flusher_kick() */
	if (f->srv->cfg->durability == DURABILITY_ALWAYS && log_flush_due(f->srv->log)) {
		atomic_store(&f->asleep, false);
		return;
	}
	poll(&pfd, 1, 20);
	atomic_store(&f->asleep, false);
	if (read(f->fd, &count, sizeof(count)) < 0)
		return;
}

static void note_latency(struct server *srv, uint64_t us)
{
	uint64_t before = atomic_load_explicit(&srv->log_flush_us, memory_order_relaxed);

	latency_add_us(srv, "log-flush", us);
	atomic_store_explicit(
		&srv->log_flush_us, before ? (7 * before + us) / 8 : us, memory_order_relaxed);
}

static void *flusher_main(void *arg)
{
	struct flusher *f = arg;
	int64_t last_ms = 0;

	while (!atomic_load(&f->stop)) {
		uint64_t start = clock_mono_us();
		int64_t now_ms = (int64_t)(start / 1000);

		if (!due(f, last_ms, now_ms)) {
			flusher_wait(f);
			continue;
		}
		last_ms = now_ms;
		log_flush(f->srv->log);
		note_latency(f->srv, clock_mono_us() - start);
		for (unsigned i = 0; i < f->srv->nr_cores; i++)
			core_kick(f->srv->cores[i]->core); /* replies may go out */
	}
	return NULL;
}

int flusher_start(struct server *srv, struct flusher **out)
{
	struct pool_info info;
	struct flusher *f;
	int rc;

	*out = NULL;
	pool_info_get(srv->pool, &info);
	if (info.medium != POOL_MEDIUM_FILE)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->srv = srv;
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = f->fd < 0 ? -errno : -pthread_create(&f->thread, NULL, flusher_main, f);
	if (rc) {
		if (f->fd >= 0)
			close(f->fd);
		free(f);
		return rc;
	}
	pthread_setname_np(f->thread, "mr-flusher");
	for (unsigned i = 0; i < srv->nr_cores; i++)
		srv->cores[i]->core->yields = true;
	*out = f;
	return 0;
}

void flusher_stop(struct flusher **fp)
{
	struct flusher *f = *fp;
	uint64_t one = 1;

	if (!f)
		return;
	atomic_store(&f->stop, true);
	if (write(f->fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(f->thread, NULL);
	close(f->fd);
	free(f);
	*fp = NULL;
}
