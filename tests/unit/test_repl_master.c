/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sending to a replica: what goes out, in which order, how far, and what happens to one that is too
 * slow.
 */
#include "repl/master.h"

#include "persist/recover.h"
#include "tests/support/fake_conn.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEM_BYTES  (8u << 20)
#define RING_BYTES (256u << 10)
#define OUT_BYTES  (4u << 20)
#define OUTPUT_MAX (1u << 20)
#define BIG_RDB    (1400u << 10) /* does not fit in the output at once */
#define ID         "0123456789abcdef0123456789abcdef01234567"
#define ID2        "76543210fedcba9876543210fedcba9876543210"

static struct fixture {
	uint8_t *mem;
	struct pool *pool;
	struct log *log;
	struct log_writer *w;
	struct fake_net net;
	struct conn *conn;
	struct replica *r;
	unsigned nr_closed;
	uint8_t *out; /* what the replica has received */
	size_t out_len;
} f;

/* --- fixture --- */

static void on_data(struct conn *conn, const char *data, size_t len)
{
}

static void on_closed(struct conn *conn, int reason)
{
	f.nr_closed++;
	replica_destroy(&f.r);
}

static const struct conn_ops conn_ops = {.data = on_data, .closed = on_closed};

/* Plain memory; what was copied is durable with log_flush() only, so that the watermark can lag. */
static void plain_copy(void *ctx, void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
}

static void plain_fence(void *ctx)
{
}

static int plain_sync(void *ctx, const void *addr, size_t len)
{
	return 0;
}

static const struct flush_ops plain_ops = {
	.name = "plain",
	.grouped = true,
	.copy = plain_copy,
	.fence = plain_fence,
	.sync = plain_sync,
	.persist = plain_sync,
};

static void pool_setup(void)
{
	const struct flush flush = {.ops = &plain_ops};
	const struct pool_cfg cfg = {
		.boot_id = "11111111-2222-3333-4444-555555555555",
		.ring_size = RING_BYTES,
		.nr_writers = 1,
		.commit_slots = 128,
		.extent_size = 256 << 10,
	};
	struct recover_result res;
	char err[200];

	f.mem = aligned_alloc(4096, MEM_BYTES);
	assert_non_null(f.mem);
	assert_int_equal(pool_image_format(&flush, f.mem, MEM_BYTES, &cfg, err, sizeof(err)), 0);
	assert_int_equal(
		pool_image_open(&flush, f.mem, MEM_BYTES, &cfg, &f.pool, err, sizeof(err)), 0);
	assert_int_equal(recover_open(f.pool, &res, err, sizeof(err)), 0);
	f.log = pool_log(f.pool);
	assert_int_equal(log_writer_open(f.log, 0, &f.w), 0);
}

static int setup(void **state)
{
	memset(&f, 0, sizeof(f));
	f.out = malloc(OUT_BYTES);
	assert_non_null(f.out);
	pool_setup();
	fake_net_init(&f.net);
	f.conn = fake_conn_open(&f.net, &conn_ops, NULL);
	f.r = replica_create(f.conn, f.log, 7);
	assert_non_null(f.r);
	f.r->psync = f.r->capa_psync2 = true;
	return 0;
}

static int teardown(void **state)
{
	replica_destroy(&f.r);
	fake_net_fini(&f.net);
	pool_close(&f.pool, false);
	free(f.mem);
	free(f.out);
	return 0;
}

/* The byte at an offset of the log. Differs from what lay there one turn of the ring before. */
static uint8_t log_byte(uint64_t off)
{
	return (uint8_t)(off * 31 + off / 251 + off / RING_BYTES * 7);
}

static void log_sync(void)
{
	log_commit(f.w);
	log_flush(f.log);
}

/* Appends n bytes; durable only with log_sync(). */
static void log_write(size_t n)
{
	uint8_t buf[1000];

	while (n) {
		size_t len = n < sizeof(buf) ? n : sizeof(buf);
		uint64_t off = log_tail(f.log);

		for (size_t i = 0; i < len; i++)
			buf[i] = log_byte(off + i);
		while (log_admit(f.w, len))
			log_sync();
		log_append(f.w, buf, len);
		n -= len;
	}
}

static uint8_t rdb_byte(uint64_t pos)
{
	return (uint8_t)(pos * 17 + pos / 253);
}

/* A new snapshot at the log's end, of a little more than len bytes. */
static void snapshot_make(size_t len)
{
	static const struct snap_meta meta = {.stream_db = -1};
	struct snap_stream *stream;
	struct snap *snap;
	uint8_t buf[4096];

	log_sync();
	assert_int_equal(snap_begin(f.pool, log_tail(f.log), &snap), 0);
	assert_int_equal(snap_stream_open(snap, 0, &stream), 0);
	for (size_t pos = 0; pos < len; pos += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = rdb_byte(pos + i);
		assert_int_equal(snap_stream_write(stream, buf,
					 len - pos < sizeof(buf) ? len - pos : sizeof(buf)),
			0);
	}
	assert_int_equal(snap_stream_done(stream), 0);
	assert_int_equal(snap_seal(snap, "REDIS0010", 9, &meta, false), 0);
	assert_int_equal(snap_publish(&snap), 0);
}

static struct snap *newest(void)
{
	struct snap *snap = snap_newest_get(f.pool);

	assert_non_null(snap);
	return snap;
}

static uint64_t newest_size(void)
{
	struct snap_stats st;

	snap_stats_get(f.pool, &st);
	return st.newest_bytes;
}

/* The replica takes up to max bytes of what was pushed. */
static size_t take(size_t max)
{
	size_t n;

	if (max > OUT_BYTES - f.out_len)
		max = OUT_BYTES - f.out_len;
	n = fake_conn_take(f.conn, f.out + f.out_len, max);
	f.out_len += n;
	return n;
}

/* Sends and takes, piece by piece, until nothing comes any more. */
static void drain(size_t piece)
{
	do {
		replica_pump(f.r);
		assert_true(obuf_len(conn_obuf(f.conn)) <= OUTPUT_MAX + (128 << 10));
	} while (take(piece));
}

static size_t expect_text(size_t at, const char *text)
{
	assert_true(f.out_len - at >= strlen(text));
	assert_memory_equal(f.out + at, text, strlen(text));
	return at + strlen(text);
}

static size_t expect_log(size_t at, uint64_t from, uint64_t to)
{
	assert_true(f.out_len - at >= to - from);
	for (uint64_t off = from; off < to; off++)
		assert_int_equal(f.out[at++], log_byte(off));
	return at;
}

/* The prefix, the stream; the trailer is whatever the pool made of it. */
static size_t expect_rdb(size_t at, size_t size, size_t body)
{
	assert_true(f.out_len - at >= size);
	expect_text(at, "REDIS0010");
	for (size_t i = 0; i < body; i++)
		assert_int_equal(f.out[at + 9 + i], rdb_byte(i));
	return at + size;
}

static size_t expect_header(bool psync, uint64_t off, uint64_t size)
{
	char text[128];

	if (psync)
		snprintf(text, sizeof(text), "+FULLRESYNC %s %llu\r\n$%llu\r\n", ID,
			(unsigned long long)off, (unsigned long long)size);
	else
		snprintf(text, sizeof(text), "$%llu\r\n", (unsigned long long)size);
	return expect_text(0, text);
}

/* --- partial --- */

static void continues_from_the_offset_asked_for(void **state)
{
	log_write(5000);
	log_sync();
	replica_start_partial(f.r, ID, 1234, 100);
	assert_int_equal(f.r->state, REPLICA_ONLINE);
	drain(OUT_BYTES);
	assert_int_equal(expect_log(expect_text(0, "+CONTINUE " ID "\r\n"), 1234, 5000), f.out_len);
	assert_int_equal(f.r->sent_off, 5000);
	log_write(100);
	log_sync();
	drain(OUT_BYTES);
	expect_log(f.out_len - 100, 5000, 5100);
}

static void continue_has_no_id_without_psync2(void **state)
{
	f.r->capa_psync2 = false;
	replica_start_partial(f.r, ID, 0, 100);
	drain(OUT_BYTES);
	assert_int_equal(expect_text(0, "+CONTINUE\r\n"), f.out_len);
}

static void start_is_pushed_by_the_pump_only(void **state)
{
	replica_start_partial(f.r, ID, 0, 100);
	assert_int_equal(take(100), 0);
	assert_true(replica_pump(f.r));
	assert_true(take(100) > 0);
	assert_false(replica_pump(f.r));
}

static void it_is_behind_by_what_was_written_since_it_began(void **state)
{
	uint64_t queued = 0;

	f.r->bytes_out = &queued;
	log_write(5000);
	log_sync();
	assert_int_equal(replica_behind(f.r), 0); /* has not begun */
	replica_start_partial(f.r, ID, 0, 100);
	assert_int_equal(replica_behind(f.r), 0); /* the gap it came with is forgiven */
	log_write(300);
	log_sync();
	assert_int_equal(replica_behind(f.r), 300);
	replica_pump(f.r); /* queued is not sent yet */
	assert_int_equal(replica_behind(f.r), 300);
	assert_int_equal(queued, 5300);
	drain(OUT_BYTES);
	assert_int_equal(replica_behind(f.r), 0);
}

static void nothing_past_the_watermark_is_sent(void **state)
{
	size_t at;

	log_write(1000);
	log_sync();
	log_write(500);
	log_commit(f.w); /* copied, not durable */
	replica_start_partial(f.r, ID, 0, 100);
	drain(OUT_BYTES);
	at = expect_log(expect_text(0, "+CONTINUE " ID "\r\n"), 0, 1000);
	assert_int_equal(at, f.out_len);
	log_flush(f.log);
	drain(OUT_BYTES);
	assert_int_equal(expect_log(at, 1000, 1500), f.out_len);
}

/* An offset beyond it could be taken back by a crash. */
static void a_sync_without_data_starts_at_the_watermark(void **state)
{
	size_t at;

	log_write(1000);
	log_sync();
	log_write(500);
	log_commit(f.w); /* copied, not durable */
	replica_start_bare(f.r, ID, log_watermark(f.log), "RDB", 3, 100);
	drain(OUT_BYTES);
	at = expect_text(expect_header(true, 1000, 3), "RDB");
	assert_int_equal(at, f.out_len);
	log_flush(f.log);
	drain(OUT_BYTES);
	assert_int_equal(expect_log(at, 1000, 1500), f.out_len);
}

static void a_replica_ahead_of_the_watermark_waits(void **state)
{
	size_t at;

	log_write(1000);
	log_sync();
	log_write(500);
	replica_start_partial(f.r, ID, 1400, 100);
	drain(OUT_BYTES);
	at = expect_text(0, "+CONTINUE " ID "\r\n");
	assert_int_equal(at, f.out_len);
	assert_int_equal(f.r->state, REPLICA_ONLINE);
	log_sync();
	drain(OUT_BYTES);
	assert_int_equal(expect_log(at, 1400, 1500), f.out_len);
}

static void the_log_is_sent_across_the_rings_end(void **state)
{
	size_t at;

	log_write(RING_BYTES - 5000);
	snapshot_make(100);
	replica_start_partial(f.r, ID, RING_BYTES - 10000, 100);
	log_write(50000);
	log_sync();
	drain(3000);
	at = expect_text(0, "+CONTINUE " ID "\r\n");
	assert_int_equal(expect_log(at, RING_BYTES - 10000, RING_BYTES + 45000), f.out_len);
}

static void a_lapped_replica_is_dropped(void **state)
{
	replica_start_partial(f.r, ID, 0, 100);
	drain(OUT_BYTES);
	log_write(RING_BYTES / 2);
	snapshot_make(100);
	log_write(RING_BYTES / 2 + 20000);
	log_sync();
	assert_true(log_start(f.log) > 0);
	f.out_len = 0;
	assert_false(replica_pump(f.r));
	assert_int_equal(f.r->state, REPLICA_DROPPED);
	assert_string_equal(f.r->reason, "overrun by writers");
	assert_int_equal(take(OUT_BYTES), 0);
	assert_false(replica_pump(f.r));
}

/* --- full --- */

static void full_sync_sends_header_rdb_and_then_the_log(void **state)
{
	uint64_t size;
	size_t at;

	log_write(3000);
	snapshot_make(5000);
	size = newest_size();
	log_write(700);
	log_sync();
	replica_start_full(f.r, ID, newest(), 100);
	assert_int_equal(f.r->state, REPLICA_SEND_RDB);
	drain(OUT_BYTES);
	assert_int_equal(f.r->state, REPLICA_ONLINE);
	at = expect_rdb(expect_header(true, 3000, size), size, 5000);
	assert_int_equal(expect_log(at, 3000, 3700), f.out_len);
	assert_null(f.r->snap);
}

static void a_big_rdb_goes_out_in_order_as_output_drains(void **state)
{
	uint64_t size;
	size_t at;

	log_write(3000);
	snapshot_make(BIG_RDB);
	size = newest_size();
	log_write(700);
	log_sync();
	replica_start_full(f.r, ID, newest(), 100);
	replica_pump(f.r);
	assert_int_equal(f.r->state, REPLICA_SEND_RDB);
	replica_pump(f.r);
	assert_true(obuf_len(conn_obuf(f.conn)) < OUTPUT_MAX + (128 << 10));
	drain(77777);
	at = expect_rdb(expect_header(true, 3000, size), size, BIG_RDB);
	assert_int_equal(expect_log(at, 3000, 3700), f.out_len);
}

static void an_online_replicas_time_begins_with_the_last_rdb_byte(void **state)
{
	snapshot_make(BIG_RDB);
	replica_start_full(f.r, ID, newest(), f.net.core.now_ms);
	fake_net_advance(&f.net, 300000);
	drain(OUT_BYTES);
	assert_int_equal(f.r->state, REPLICA_ONLINE);
	assert_int_equal(f.r->ack_ms, f.net.core.now_ms);
}

static void sync_gets_no_fullresync_line(void **state)
{
	uint64_t size;

	snapshot_make(100);
	size = newest_size();
	f.r->psync = false;
	replica_start_full(f.r, ID, newest(), 100);
	drain(OUT_BYTES);
	assert_int_equal(expect_rdb(expect_header(false, 0, size), size, 100), f.out_len);
}

static void rdb_only_gets_no_log(void **state)
{
	uint64_t size;

	snapshot_make(100);
	size = newest_size();
	log_write(1000);
	log_sync();
	f.r->rdb_only = true;
	replica_start_full(f.r, ID, newest(), 100);
	drain(OUT_BYTES);
	assert_int_equal(expect_rdb(expect_header(true, 0, size), size, 100), f.out_len);
}

static void a_replica_lapped_during_the_rdb_is_dropped(void **state)
{
	snapshot_make(BIG_RDB);
	replica_start_full(f.r, ID, newest(), 100);
	replica_pump(f.r);
	log_write(RING_BYTES / 2);
	snapshot_make(100);
	log_write(RING_BYTES / 2 + 20000);
	log_sync();
	take(100000); /* not enough for the rest of the RDB */
	assert_false(replica_pump(f.r));
	assert_int_equal(f.r->state, REPLICA_DROPPED);
	assert_null(f.r->snap);
}

static void queued_references_outlive_the_replica(void **state)
{
	struct snap_stats st;
	uint32_t free_before;
	uint64_t size;
	size_t at;

	snapshot_make(BIG_RDB);
	size = newest_size();
	replica_start_full(f.r, ID, newest(), 100);
	replica_pump(f.r);
	replica_destroy(&f.r);
	snapshot_make(100); /* the one being sent is not the newest any more */
	snapshot_make(BIG_RDB);
	snap_stats_get(f.pool, &st);
	free_before = st.extents_free;
	while (take(100000))
		;
	at = expect_header(true, 0, size);
	assert_true(f.out_len >= OUTPUT_MAX);
	expect_text(at, "REDIS0010");
	for (size_t i = at + 9; i < f.out_len; i++)
		assert_int_equal(f.out[i], rdb_byte(i - at - 9));
	snap_stats_get(f.pool, &st);
	assert_true(st.extents_free > free_before);
}

static void a_waiting_replica_gets_a_newline_each_second(void **state)
{
	uint64_t size;
	size_t at;

	replica_wait_snapshot(f.r, 1000);
	assert_int_equal(f.r->state, REPLICA_WAIT_SNAPSHOT);
	for (int64_t ms = 1000; ms <= 3500; ms += 100) {
		replica_tick(f.r, ms);
		drain(OUT_BYTES);
	}
	assert_int_equal(expect_text(0, "\n\n"), f.out_len);
	f.out_len = 0;
	snapshot_make(100);
	size = newest_size();
	replica_start_full(f.r, ID, newest(), 3500);
	for (int64_t ms = 3500; ms <= 6000; ms += 100) {
		replica_tick(f.r, ms);
		drain(OUT_BYTES);
	}
	at = expect_rdb(expect_header(true, 0, size), size, 100);
	assert_int_equal(at, f.out_len);
}

/* --- trouble --- */

static void no_memory_for_the_header_drops_it(void **state)
{
	struct snap_stats st;
	uint32_t free_before;

	snapshot_make(100);
	snap_stats_get(f.pool, &st);
	free_before = st.extents_free;
	f.net.core.obufs.used_bytes_max = 1;
	replica_start_full(f.r, ID, newest(), 100);
	assert_int_equal(f.r->state, REPLICA_DROPPED);
	assert_string_equal(f.r->reason, "out of memory");
	snapshot_make(100);
	snap_stats_get(f.pool, &st);
	assert_int_equal(st.extents_free, free_before);
}

static void no_memory_for_data_is_tried_again(void **state)
{
	size_t at;

	log_write(20000);
	log_sync();
	replica_start_partial(f.r, ID, 0, 100);
	f.net.core.obufs.used_bytes_max = f.net.core.obufs.used_bytes;
	drain(OUT_BYTES);
	at = expect_text(0, "+CONTINUE " ID "\r\n");
	f.net.core.obufs.used_bytes_max = UINT64_MAX;
	drain(OUT_BYTES);
	assert_int_equal(expect_log(at, 0, 20000), f.out_len);
}

static void a_push_that_ends_the_connection_may_destroy_the_replica(void **state)
{
	log_write(100);
	log_sync();
	replica_start_partial(f.r, ID, 0, 100);
	f.net.push_breaks = true;
	assert_true(replica_pump(f.r));
	assert_int_equal(f.nr_closed, 1);
	assert_null(f.r);
}

static void a_closed_connection_is_left_alone(void **state)
{
	struct replica *r = f.r;

	log_write(100);
	log_sync();
	f.r = NULL; /* not destroyed by closed() */
	fake_conn_end(f.conn, ECONNRESET);
	replica_start_partial(r, ID, 0, 100);
	replica_wait_snapshot(r, 0);
	replica_tick(r, 5000);
	assert_false(replica_pump(r));
	assert_int_equal(obuf_len(conn_obuf(f.conn)), 0);
	replica_destroy(&r);
}

static void acks_only_grow(void **state)
{
	replica_ack(f.r, 500, 10);
	replica_ack(f.r, 400, 20);
	assert_int_equal(f.r->ack_off, 500);
	assert_int_equal(f.r->ack_ms, 20);
}

/* --- psync_accept --- */

struct psync_case {
	const char *what, *id;
	int64_t offset;
	int64_t off; /* -1: refused */
};

/* The log holds [start, 300000), the id changed at 250000. */
static void psync_accept_follows_the_rules(void **state)
{
	struct psync_ids ids = {.replid = ID, .replid2 = ID2, .second_repl_offset = 250001};
	int64_t start;

	log_write(150000);
	snapshot_make(100);
	log_write(150000);
	log_sync();
	start = (int64_t)log_start(f.log);
	assert_true(start > 0);
	const struct psync_case cases[] = {
		{"present id", ID, 290001, 290000},
		{"other case", "0123456789ABCDEF0123456789ABCDEF01234567", 290001, 290000},
		{"first byte held", ID, start + 1, start},
		{"one before", ID, start, -1},
		{"nothing missing", ID, 300001, 300000},
		{"ahead of us", ID, 300002, -1},
		{"former id", ID2, 250000, 249999},
		{"former id, up to the change", ID2, 250001, 250000},
		{"former id, past the change", ID2, 250002, -1},
		{"unknown id", "ffffffffffffffffffffffffffffffffffffffff", 290001, -1},
		{"prefix of the id", "0123456789abcdef", 290001, -1},
		{"no history", "?", -1, -1},
		{"offset 0", ID, 0, -1},
		{"offset negative", ID, -1, -1},
		{"offset least", ID, INT64_MIN, -1},
		{"offset greatest", ID, INT64_MAX, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct psync_case *c = &cases[i];
		const char *why = NULL;
		uint64_t off = 0;
		bool ok = psync_accept(&ids, f.log, c->id, c->offset, &off, &why);

		if (ok != (c->off >= 0) || (ok && off != (uint64_t)c->off) || (!ok && !why))
			fail_msg("%s: %d %llu", c->what, ok, (unsigned long long)off);
	}
}

static void psync_accept_refuses_the_id_of_none(void **state)
{
	struct psync_ids ids = {.replid = ID, .second_repl_offset = -1};
	const char *why;
	uint64_t off;

	memset(ids.replid2, '0', 40);
	log_write(100);
	log_sync();
	assert_false(psync_accept(&ids, f.log, ids.replid2, 1, &off, &why));
	assert_false(psync_accept(&ids, f.log, ids.replid2, -1, &off, &why));
}

static void states_have_the_names_of_info(void **state)
{
	assert_string_equal(replica_state_name(REPLICA_WAIT_SNAPSHOT), "wait_bgsave");
	assert_string_equal(replica_state_name(REPLICA_SEND_RDB), "send_bulk");
	assert_string_equal(replica_state_name(REPLICA_ONLINE), "online");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(continues_from_the_offset_asked_for),
		TEST(continue_has_no_id_without_psync2),
		TEST(start_is_pushed_by_the_pump_only),
		TEST(it_is_behind_by_what_was_written_since_it_began),
		TEST(nothing_past_the_watermark_is_sent),
		TEST(a_sync_without_data_starts_at_the_watermark),
		TEST(a_replica_ahead_of_the_watermark_waits),
		TEST(the_log_is_sent_across_the_rings_end),
		TEST(a_lapped_replica_is_dropped),
		TEST(full_sync_sends_header_rdb_and_then_the_log),
		TEST(a_big_rdb_goes_out_in_order_as_output_drains),
		TEST(an_online_replicas_time_begins_with_the_last_rdb_byte),
		TEST(sync_gets_no_fullresync_line),
		TEST(rdb_only_gets_no_log),
		TEST(a_replica_lapped_during_the_rdb_is_dropped),
		TEST(queued_references_outlive_the_replica),
		TEST(a_waiting_replica_gets_a_newline_each_second),
		TEST(no_memory_for_the_header_drops_it),
		TEST(no_memory_for_data_is_tried_again),
		TEST(a_push_that_ends_the_connection_may_destroy_the_replica),
		TEST(a_closed_connection_is_left_alone),
		TEST(acks_only_grow),
		TEST(psync_accept_follows_the_rules),
		TEST(psync_accept_refuses_the_id_of_none),
		TEST(states_have_the_names_of_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
