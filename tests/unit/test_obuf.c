/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Output buffer: order, references, pieces, holding back, and a random run against a plain array.
 */
#include "dataplane/obuf.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <cmocka.h>

static struct obuf_pool pool;
static struct obuf ob;

static int set_up(void **state)
{
	obuf_pool_init(&pool, 0);
	obuf_init(&ob, &pool);
	return 0;
}

static int tear_down(void **state)
{
	obuf_fini(&ob);
	if (pool.used_bytes)
		return -1;
	obuf_pool_fini(&pool);
	return 0;
}

static void count_release(void *ctx)
{
	++*(int *)ctx;
}

static void appended_bytes_come_out_in_order(void **state)
{
	char out[16];

	assert_int_equal(obuf_append(&ob, "hello ", 6), 0);
	assert_int_equal(obuf_append(&ob, "world", 5), 0);
	assert_int_equal(obuf_len(&ob), 11);
	obuf_copy_at(&ob, 0, out, 11);
	assert_memory_equal(out, "hello world", 11);
	obuf_consume(&ob, 6);
	obuf_copy_at(&ob, 0, out, 5);
	assert_memory_equal(out, "world", 5);
	obuf_consume(&ob, 5);
	assert_int_equal(obuf_len(&ob), 0);
	assert_int_equal(pool.used_bytes, 0);
}

static void reservation_counts_only_once_committed(void **state)
{
	uint8_t *room = obuf_reserve(&ob, 100);
	char out[3];

	assert_non_null(room);
	memcpy(room, "abc", 3);
	assert_int_equal(obuf_len(&ob), 0);
	obuf_commit(&ob, 3);
	assert_int_equal(obuf_len(&ob), 3);
	obuf_copy_at(&ob, 0, out, 3);
	assert_memory_equal(out, "abc", 3);
	room = obuf_reserve(&ob, OBUF_RESERVE_MAX);
	memset(room, 'x', OBUF_RESERVE_MAX);
	obuf_commit(&ob, OBUF_RESERVE_MAX);
	obuf_consume(&ob, 3 + OBUF_RESERVE_MAX - 1);
	obuf_copy_at(&ob, 0, out, 1);
	assert_int_equal(out[0], 'x');
}

static void reservation_given_up_leaves_nothing(void **state)
{
	assert_non_null(obuf_reserve(&ob, 10));
	obuf_commit(&ob, 0);
	assert_int_equal(obuf_append(&ob, "z", 1), 0);
	obuf_consume(&ob, 1);
	assert_int_equal(pool.used_bytes, 0);
}

static void reference_is_released_when_consumed(void **state)
{
	static const char big[100000] = "start";
	int released = 0;
	char out[8];

	assert_int_equal(obuf_append(&ob, "<", 1), 0);
	assert_int_equal(obuf_append_ref(&ob, big, sizeof(big), count_release, &released), 0);
	assert_int_equal(obuf_append(&ob, ">", 1), 0);
	obuf_copy_at(&ob, 0, out, 6);
	assert_memory_equal(out, "<start", 6);
	obuf_consume(&ob, sizeof(big));
	assert_int_equal(released, 0);
	obuf_consume(&ob, 1);
	assert_int_equal(released, 1);
	obuf_copy_at(&ob, 0, out, 1);
	assert_int_equal(out[0], '>');
}

static void reference_is_released_when_discarded(void **state)
{
	int released = 0;

	assert_int_equal(obuf_append_ref(&ob, "abc", 3, count_release, &released), 0);
	assert_int_equal(obuf_append_ref(&ob, "abc", 3, count_release, &released), 0);
	assert_int_equal(obuf_append_ref(&ob, "", 0, count_release, &released), 0);
	assert_int_equal(released, 1);
	obuf_fini(&ob);
	assert_int_equal(released, 3);
	obuf_init(&ob, &pool);
}

static void pieces_show_the_bytes_where_they_lie(void **state)
{
	static const char big[1000] = "start";
	struct obuf_piece pieces[4];
	uint32_t len;
	int released = 0;

	obuf_append(&ob, "<<", 2);
	obuf_append_ref(&ob, big, sizeof(big), count_release, &released);
	obuf_append(&ob, ">>", 2);
	assert_int_equal(obuf_pieces_get(&ob, 1, 1003, pieces, 4, &len), 3);
	assert_int_equal(len, 1003);
	assert_int_equal(pieces[0].len, 1);
	assert_ptr_equal(pieces[1].bytes, big);
	assert_int_equal(pieces[1].len, 1000);
	assert_memory_equal(pieces[2].bytes, ">>", 2);
	for (int i = 0; i < 3; i++)
		obuf_seg_put(pieces[i].seg);
	/* No more than were asked for, and from within. */
	assert_int_equal(obuf_pieces_get(&ob, 501, 503, pieces, 1, &len), 1);
	assert_int_equal(len, 501);
	assert_ptr_equal(pieces[0].bytes, big + 499);
	obuf_seg_put(pieces[0].seg);
	obuf_consume(&ob, 1004);
	assert_int_equal(released, 1);
}

static void piece_outlives(bool is_own)
{
	static const char big[1000] = "start";
	struct obuf_piece pieces[4];
	uint32_t len;
	int released = 0;

	pool.is_own = is_own;
	obuf_append(&ob, "<", 1);
	obuf_append_ref(&ob, big, sizeof(big), count_release, &released);
	assert_int_equal(obuf_pieces_get(&ob, 0, 1001, pieces, 4, &len), 2);
	obuf_seg_get(pieces[1].seg);
	obuf_consume(&ob, 1001);
	assert_int_equal(released, 0);
	assert_memory_equal(pieces[0].bytes, "<", 1);
	assert_true(pool.used_bytes > 0);
	obuf_seg_put(pieces[0].seg);
	obuf_seg_put(pieces[1].seg);
	obuf_pool_reap(&pool);
	assert_int_equal(released, 0);
	obuf_seg_put(pieces[1].seg);
	assert_int_equal(released, 0); /* not by whoever put it: by the owner */
	obuf_pool_reap(&pool);
	assert_int_equal(released, 1);
	assert_int_equal(pool.used_bytes, 0);
}

static void piece_outlives_what_was_consumed(void **state)
{
	piece_outlives(false);
	piece_outlives(true);
}

#define NR_PIECES 20000

struct putter {
	struct obuf_seg *segs[NR_PIECES];
	atomic_uint nr;
};

static void *put_thread(void *arg)
{
	struct putter *p = arg;

	for (unsigned i = 0; i < NR_PIECES; i++) {
		while (atomic_load_explicit(&p->nr, memory_order_acquire) <= i)
			sched_yield();
		obuf_seg_put(p->segs[i]);
	}
	return NULL;
}

/* A driver on another core gives pieces back while the owner goes on. */
static void pieces_come_back_from_another_thread(void **state)
{
	static struct putter p;
	static const char big[100] = "x";
	struct obuf_piece piece;
	pthread_t thread;
	uint32_t len;
	int released = 0;

	atomic_init(&p.nr, 0);
	assert_int_equal(pthread_create(&thread, NULL, put_thread, &p), 0);
	for (unsigned i = 0; i < NR_PIECES; i++) {
		assert_int_equal(obuf_append_ref(&ob, big, 100, count_release, &released), 0);
		assert_int_equal(obuf_pieces_get(&ob, 0, 100, &piece, 1, &len), 1);
		p.segs[i] = piece.seg;
		atomic_store_explicit(&p.nr, i + 1, memory_order_release);
		obuf_consume(&ob, 100);
		obuf_pool_reap(&pool);
	}
	pthread_join(thread, NULL);
	obuf_pool_reap(&pool);
	assert_int_equal(released, NR_PIECES);
}

static void held_bytes_are_not_sendable(void **state)
{
	struct iovec iov[4];
	uint64_t mark;

	obuf_append(&ob, "12345", 5);
	obuf_hold(&ob);
	obuf_append(&ob, "67890", 5);
	mark = obuf_end(&ob);
	obuf_hold(&ob); /* holding already: changes nothing */
	obuf_append(&ob, "abcde", 5);
	assert_int_equal(obuf_sendable(&ob), 5);
	assert_int_equal(obuf_iov(&ob, iov, 4), 1);
	assert_int_equal(iov[0].iov_len, 5);
	obuf_release_to(&ob, mark);
	assert_int_equal(obuf_sendable(&ob), 10);
	obuf_release_to(&ob, mark - 3); /* never goes back */
	assert_int_equal(obuf_sendable(&ob), 10);
	obuf_consume(&ob, 10);
	assert_int_equal(obuf_iov(&ob, iov, 4), 0);
	obuf_release_all(&ob);
	assert_int_equal(obuf_sendable(&ob), 5);
	obuf_append(&ob, "f", 1);
	assert_int_equal(obuf_sendable(&ob), 6);
}

static void failed_append_changes_nothing(void **state)
{
	static const char big[200000];
	int released = 0;
	char out[3];
	uint64_t used;

	obuf_append(&ob, "abc", 3);
	pool.used_bytes_max = pool.used_bytes + 40000;
	used = pool.used_bytes;
	assert_int_equal(obuf_append(&ob, big, sizeof(big)), -ENOMEM);
	assert_int_equal(obuf_len(&ob), 3);
	assert_int_equal(pool.used_bytes, used);
	obuf_copy_at(&ob, 0, out, 3);
	assert_memory_equal(out, "abc", 3);
	pool.used_bytes_max = pool.used_bytes;
	assert_int_equal(obuf_append_ref(&ob, big, 10, count_release, &released), -ENOMEM);
	assert_int_equal(released, 0);
	assert_null(obuf_reserve(&ob, 4000));
	assert_int_equal(obuf_append(&ob, "def", 3), 0); /* fits where there is room already */
	obuf_fini(&ob);
	obuf_init(&ob, &pool);
	assert_int_equal(obuf_append(&ob, "x", 1), 0);
}

#define MODEL_MAX 300000u

/* The same operations on the obuf and on an array. */
struct model {
	uint8_t bytes[MODEL_MAX];
	uint32_t start, end, limit;
	int nr_refs, nr_released;
};

static void model_append(struct model *m, uint32_t n, bool by_ref)
{
	uint8_t *copy;

	if (m->end + n > MODEL_MAX)
		return;
	for (uint32_t i = 0; i < n; i++)
		m->bytes[m->end + i] = (uint8_t)rand();
	if (by_ref && n) {
		m->nr_refs++;
		assert_int_equal(
			obuf_append_ref(&ob, m->bytes + m->end, n, count_release, &m->nr_released),
			0);
	} else if (n & 1) {
		assert_int_equal(obuf_append(&ob, m->bytes + m->end, n), 0);
	} else {
		copy = obuf_reserve(&ob, n + (uint32_t)rand() % 100);
		memcpy(copy, m->bytes + m->end, n);
		obuf_commit(&ob, n);
	}
	m->end += n;
}

static void model_check(struct model *m)
{
	static uint8_t out[MODEL_MAX];
	struct iovec iov[64];
	uint32_t len = m->end - m->start, sendable, off, n, at = m->start;
	int nr;

	sendable = (m->limit < m->end ? m->limit : m->end) - m->start;
	assert_int_equal(obuf_len(&ob), len);
	assert_int_equal(obuf_sendable(&ob), sendable);
	off = len ? (uint32_t)rand() % len : 0;
	n = len ? (uint32_t)rand() % (len - off + 1) : 0;
	obuf_copy_at(&ob, off, out, n);
	assert_memory_equal(out, m->bytes + m->start + off, n);
	nr = obuf_iov(&ob, iov, 64);
	for (int i = 0; i < nr; i++) {
		assert_memory_equal(iov[i].iov_base, m->bytes + at, iov[i].iov_len);
		at += (uint32_t)iov[i].iov_len;
	}
	assert_true(at - m->start <= sendable);
	assert_true(nr == 64 || at - m->start == sendable);
}

static void random_run_matches_an_array(void **state)
{
	static struct model m;
	const char *env = getenv("TEST_SEED");
	const unsigned seed = env ? (unsigned)strtoul(env, NULL, 0) : 7;

	print_message("seed %u\n", seed);
	srand(seed);
	memset(&m, 0, sizeof(m));
	m.limit = UINT32_MAX;
	for (int i = 0; i < 5000; i++) {
		uint32_t sendable = (m.limit < m.end ? m.limit : m.end) - m.start;

		switch (rand() % 6) {
		case 0:
		case 1:
			model_append(&m, (uint32_t)rand() % (rand() % 8 ? 300 : 5000), false);
			break;
		case 2: model_append(&m, (uint32_t)rand() % 3000, true); break;
		case 3:
			sendable = sendable ? (uint32_t)rand() % (sendable + 1) : 0;
			obuf_consume(&ob, sendable);
			m.start += sendable;
			break;
		case 4:
			if (m.limit == UINT32_MAX)
				m.limit = m.end;
			obuf_hold(&ob);
			break;
		case 5:
			if (rand() % 2) {
				obuf_release_all(&ob);
				m.limit = UINT32_MAX;
			} else if (m.limit != UINT32_MAX) {
				m.limit += (uint32_t)rand() % (m.end - m.limit + 1);
				obuf_release_to(&ob, m.limit);
			}
			break;
		}
		model_check(&m);
		if (m.end > MODEL_MAX - 6000) {
			obuf_fini(&ob);
			obuf_init(&ob, &pool);
			assert_int_equal(m.nr_refs, m.nr_released);
			assert_int_equal(pool.used_bytes, 0);
			memset(&m, 0, sizeof(m));
			m.limit = UINT32_MAX;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			appended_bytes_come_out_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reservation_counts_only_once_committed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reservation_given_up_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reference_is_released_when_consumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reference_is_released_when_discarded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			pieces_show_the_bytes_where_they_lie, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			piece_outlives_what_was_consumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			pieces_come_back_from_another_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(held_bytes_are_not_sendable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_append_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_run_matches_an_array, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
