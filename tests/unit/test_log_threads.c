/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Several writers, a flusher, a control thread that publishes snapshots and a lagging reader, each
 * in a thread of its own. "test_log_threads <seed>".
 *
 * A record names its length, its writer and its number, and is filled with a byte made of them. So
 * the reader finds any byte that is missing, doubled, torn, shown too early or overwritten too
 * soon.
 */
#include "persist/log.h"

#include "tests/support/pool_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NR_RECORDS 4000 /* per writer */
#define RECORD_MAX 400

struct record_head {
	uint16_t len; /* of the whole */
	uint16_t writer;
	uint32_t number;
};

struct run {
	struct pool_fixture f;
	pthread_mutex_t partition; /* stands for the partition lock: order in the log */
	_Atomic unsigned int nr_writing;
	uint64_t seed;
};

struct writer_arg {
	struct run *run;
	unsigned int idx;
};

static uint64_t first_seed = 1;

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 11;
}

static void *writer_main(void *ctx)
{
	struct writer_arg *arg = ctx;
	struct run *run = arg->run;
	struct log_writer *w = run->f.w[arg->idx];
	uint64_t x = run->seed * 1000 + arg->idx + 1;
	uint8_t record[RECORD_MAX];
	uint64_t end = 0;

	for (uint32_t n = 0; n < NR_RECORDS;) {
		unsigned int burst = 1 + (unsigned int)next_random(&x) % 8;
		for (; burst > 0 && n < NR_RECORDS; burst--) {
			struct record_head head = {
				.len = (uint16_t)(sizeof(head) +
						  next_random(&x) % (RECORD_MAX - sizeof(head))),
				.writer = (uint16_t)arg->idx,
				.number = n,
			};
			if (log_admit(w, head.len) != 0)
				break;
			memset(record, (int)(n + arg->idx), head.len);
			memcpy(record, &head, sizeof(head));
			pthread_mutex_lock(&run->partition);
			end = log_append(w, record, head.len);
			pthread_mutex_unlock(&run->partition);
			n++;
		}
		log_commit(w);
		if (next_random(&x) % 16 == 0)
			sched_yield();
	}
	log_admit_done(w);
	/* Everybody's bytes below become durable, whoever committed last. */
	while (log_reply_mark(run->f.log) < end)
		sched_yield();
	atomic_fetch_sub(&run->nr_writing, 1);
	return NULL;
}

static void *flusher_main(void *ctx)
{
	struct run *run = ctx;

	while (atomic_load(&run->nr_writing) > 0) {
		if (log_flush_due(run->f.log))
			log_flush(run->f.log);
		sched_yield();
	}
	return NULL;
}

static void snapshot_publish(struct run *run, uint64_t off)
{
	struct snap_meta meta = {0};
	struct snap *snap;
	int rc;

	BUG_ON(snap_begin(run->f.pool, off, &snap) != 0);
	BUG_ON(snap_seal(snap, "REDIS", 5, &meta, false) != 0);
	rc = snap_publish(&snap);
	BUG_ON(rc != 0);
}

/* Reads the stream record by record, as a replica's sender would; returns bytes checked. */
static uint64_t follow(struct run *run, uint32_t next[FIXTURE_WRITERS])
{
	struct log *log = run->f.log;
	uint8_t record[RECORD_MAX];
	uint64_t off = 0;

	for (;;) {
		bool over = atomic_load(&run->nr_writing) == 0;
		uint64_t end = log_watermark(log);
		struct record_head head;
		if (off == end && over)
			return off;
		while (off < end) {
			assert_int_equal(log_copy(log, off, &head, sizeof(head)), 0);
			assert_in_range(head.len, sizeof(head), RECORD_MAX);
			assert_true(off + head.len <= end);
			assert_int_equal(log_copy(log, off, record, head.len), 0);
			assert_in_range(head.writer, 0, FIXTURE_WRITERS - 1);
			assert_int_equal(head.number, next[head.writer]++);
			for (size_t i = sizeof(head); i < head.len; i++)
				assert_int_equal(record[i], (uint8_t)(head.number + head.writer));
			off += head.len;
		}
		/* Only now may the writers overwrite what has been read. */
		snapshot_publish(run, off);
		sched_yield();
	}
}

static void run_threads(bool grouped)
{
	struct run *run = calloc(1, sizeof(*run));
	struct writer_arg args[FIXTURE_WRITERS];
	pthread_t writers[FIXTURE_WRITERS], flusher;
	uint32_t next[FIXTURE_WRITERS] = {0};
	struct log_stats stats;
	uint64_t bytes;

	assert_non_null(run);
	run->seed = first_seed;
	fixture_setup_plain(&run->f, grouped);
	pthread_mutex_init(&run->partition, NULL);
	atomic_store(&run->nr_writing, FIXTURE_WRITERS);
	for (unsigned int i = 0; i < FIXTURE_WRITERS; i++) {
		args[i] = (struct writer_arg){run, i};
		assert_int_equal(pthread_create(&writers[i], NULL, writer_main, &args[i]), 0);
	}
	assert_int_equal(pthread_create(&flusher, NULL, flusher_main, run), 0);
	bytes = follow(run, next);
	for (unsigned int i = 0; i < FIXTURE_WRITERS; i++)
		pthread_join(writers[i], NULL);
	pthread_join(flusher, NULL);
	for (unsigned int i = 0; i < FIXTURE_WRITERS; i++)
		assert_int_equal(next[i], NR_RECORDS);
	log_stats_get(run->f.log, &stats);
	printf("seed %llu: bytes %llu runs %llu commits %llu stalls %llu hints %llu\n",
		(unsigned long long)first_seed, (unsigned long long)bytes,
		(unsigned long long)stats.runs, (unsigned long long)stats.commits,
		(unsigned long long)stats.stalls, (unsigned long long)stats.hints);
	assert_int_equal(stats.bytes, bytes);
	assert_int_equal(stats.appends, FIXTURE_WRITERS * NR_RECORDS);
	assert_int_equal(stats.slot_waits, 0);
	assert_true(bytes > 4 * FIXTURE_RING);
	assert_int_equal(stats.watermark, stats.tail);

	/* What memory holds is a whole log. */
	fixture_close(&run->f, false);
	fixture_open(&run->f);
	assert_int_equal(run->f.res.end, bytes);
	fixture_teardown_plain(&run->f);
	pthread_mutex_destroy(&run->partition);
	free(run);
}

static void fenced_stream_is_whole_and_in_order(void **state)
{
	run_threads(false);
}

static void grouped_stream_is_whole_and_in_order(void **state)
{
	run_threads(true);
}

/* ---- The watermark, raced for by two writers whose bursts are as short as can be ---- */

#define RACE_BYTES  (12u << 20)
#define RACE_RING   (8u << 20) /* never lapped */
#define NR_BURSTS   200000
#define NR_MEETINGS 20000

struct race {
	struct pool *pool;
	struct log *log;
	const uint8_t *ring;
	struct log_writer *w[2];
	_Atomic unsigned int arrived;
	_Atomic uint64_t nr_wrong;
};

struct racer {
	struct race *race;
	unsigned int idx;
};

static void race_setup(struct race *race, uint8_t *mem)
{
	struct flush flush = {.ops = &flush_memory_ops};
	struct pool_cfg cfg = fixture_cfg();
	struct recover_result res;
	char err[200];
	const void *ring;
	size_t len;

	memset(race, 0, sizeof(*race));
	cfg.ring_size = RACE_RING;
	assert_int_equal(pool_image_format(&flush, mem, RACE_BYTES, &cfg, err, sizeof(err)), 0);
	assert_int_equal(
		pool_image_open(&flush, mem, RACE_BYTES, &cfg, &race->pool, err, sizeof(err)), 0);
	assert_int_equal(recover_open(race->pool, &res, err, sizeof(err)), 0);
	race->log = pool_log(race->pool);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(log_writer_open(race->log, i, &race->w[i]), 0);
	assert_int_equal(log_read(race->log, 0, &ring, &len), 0);
	race->ring = ring;
}

/* The last record below the watermark, which nobody writes any more. */
static bool mark_is_wrong(const struct race *race)
{
	uint64_t mark = log_watermark(race->log), record;

	if (mark == 0)
		return false;
	memcpy(&record, race->ring + mark - sizeof(record), sizeof(record));
	return (record & 0xffffffff) != 0xabcdef01;
}

static void *short_bursts_main(void *ctx)
{
	struct racer *racer = ctx;
	struct race *race = racer->race;
	struct log_writer *w = race->w[racer->idx];

	for (uint64_t n = 0; n < NR_BURSTS; n++) {
		uint64_t record = n << 32 | 0xabcdef01;
		while (log_admit(w, sizeof(record)) != 0)
			log_commit(w);
		log_append(w, &record, sizeof(record));
		log_commit(w);
		if (mark_is_wrong(race))
			atomic_fetch_add(&race->nr_wrong, 1);
	}
	return NULL;
}

static void meet(struct race *race, unsigned int nr)
{
	atomic_fetch_add(&race->arrived, 1);
	for (int i = 0; atomic_load(&race->arrived) < 2 * nr; i++) {
		if (i > 1000)
			sched_yield();
	}
}

static void *meetings_main(void *ctx)
{
	struct racer *racer = ctx;
	struct race *race = racer->race;
	struct log_writer *w = race->w[racer->idx];

	for (unsigned int n = 0; n < NR_MEETINGS; n++) {
		while (log_admit(w, 8) != 0)
			sched_yield();
		log_append(w, "12345678", 8);
		meet(race, 2 * n + 1);
		log_commit(w);
		meet(race, 2 * n + 2);
		/* Both are done, nobody is about to commit: it has to be there now. */
		if (log_watermark(race->log) < (uint64_t)(n + 1) * 16)
			atomic_fetch_add(&race->nr_wrong, 1);
	}
	return NULL;
}

static void race_run(void *(*racer_main)(void *ctx))
{
	uint8_t *mem = aligned_alloc(4096, RACE_BYTES);
	struct racer racers[2];
	pthread_t threads[2];
	struct race race;

	assert_non_null(mem);
	memset(mem, 0, RACE_BYTES);
	race_setup(&race, mem);
	for (unsigned int i = 0; i < 2; i++) {
		racers[i] = (struct racer){&race, i};
		assert_int_equal(pthread_create(&threads[i], NULL, racer_main, &racers[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&race.nr_wrong), 0);
	assert_int_equal(log_watermark(race.log), log_tail(race.log));
	pool_close(&race.pool, true);
	free(mem);
}

static void watermark_never_passes_bytes_that_are_not_there(void **state)
{
	race_run(short_bursts_main);
}

static void bursts_that_end_together_leave_the_watermark_at_the_tail(void **state)
{
	race_run(meetings_main);
}

static void *pin_main(void *ctx)
{
	struct run *run = ctx;
	uint64_t last = 0;

	while (atomic_load(&run->nr_writing) > 0) {
		struct snap *snap = snap_newest_get(run->f.pool);
		if (snap == NULL)
			continue;
		BUG_ON(snap_verify(snap) != 0 || snap_offset(snap) < last);
		last = snap_offset(snap);
		snap_put(&snap);
	}
	return NULL;
}

static void pinned_snapshot_stays_whole_while_others_are_published(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	static uint8_t bytes[5000];
	pthread_t readers[2];
	struct snap_stats stats;

	assert_non_null(run);
	fixture_setup_plain(&run->f, false);
	atomic_store(&run->nr_writing, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, pin_main, run), 0);
	for (uint64_t n = 1; n <= 2000; n++) {
		struct snap_meta meta = {0};
		struct snap_stream *stream;
		struct snap *snap;
		int rc;
		assert_int_equal(log_admit(run->f.w[0], 1), 0);
		log_append(run->f.w[0], "x", 1);
		log_commit(run->f.w[0]);
		while ((rc = snap_begin(run->f.pool, n, &snap)) == -EBUSY)
			sched_yield();
		assert_int_equal(rc, 0);
		assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
		memset(bytes, (int)n, sizeof(bytes));
		assert_int_equal(snap_stream_write(stream, bytes, sizeof(bytes)), 0);
		assert_int_equal(snap_stream_done(stream), 0);
		assert_int_equal(snap_seal(snap, "REDIS", 5, &meta, false), 0);
		assert_int_equal(snap_publish(&snap), 0);
	}
	atomic_store(&run->nr_writing, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	snap_stats_get(run->f.pool, &stats);
	/* The newest alone: prefix, two of data, trailer, manifest. */
	assert_int_equal(stats.extents_total - stats.extents_free, 5);
	fixture_teardown_plain(&run->f);
	free(run);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fenced_stream_is_whole_and_in_order),
		cmocka_unit_test(grouped_stream_is_whole_and_in_order),
		cmocka_unit_test(watermark_never_passes_bytes_that_are_not_there),
		cmocka_unit_test(bursts_that_end_together_leave_the_watermark_at_the_tail),
		cmocka_unit_test(pinned_snapshot_stays_whole_while_others_are_published),
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
