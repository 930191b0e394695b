/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What millrace-load sends: requests, the frames made of them, and the schedule of an open loop.
 */
#include "perf/load/request.h"

#include "dataplane/ip/csum.h"
#include "perf/load/frame.h"
#include "perf/load/schedule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 1}, mac_b[6] = {2, 0, 0, 0, 0, 2};

static struct request make(
	const char *words, uint32_t key_size, uint32_t nr, uint32_t min, uint32_t max)
{
	static struct values values;
	struct key_format f;
	struct request r;
	char err[128];

	values_fini(&values);
	assert_int_equal(values_init(&values, min, max), 0);
	assert_int_equal(key_format_init(&f, key_size, nr), 0);
	assert_int_equal(request_init(&r, words, &f, &values, err, sizeof(err)), 0);
	return r;
}

static void bytes_are(
	const struct request *r, const uint32_t *keys, uint32_t size, const char *want)
{
	uint8_t bytes[512];
	const uint32_t n = request_head_write(r, keys, size, bytes);

	assert_true(n <= request_head_max(r));
	bytes[n] = 0;
	assert_string_equal((char *)bytes, want);
}

static void requests_are_written_as_resp(void **state)
{
	static const uint32_t keys[2] = {1234567, 89};
	struct request r = make("GET {key}", 14, 10000000, 32, 32);

	bytes_are(&r, keys, 0, "*2\r\n$3\r\nGET\r\n$14\r\nkey:0001234567\r\n");
	assert_int_equal(r.expect, EXPECT_VALUE);
	request_fini(&r);
	r = make("SET {key} {value}", 20, 10000000, 32, 32);
	bytes_are(&r, keys, 32, "*3\r\n$3\r\nSET\r\n$20\r\nkey:0000000001234567\r\n$32\r\n");
	assert_int_equal(r.expect, EXPECT_OK);
	request_fini(&r);
	r = make("set {key} {value}", 7, 10000000, 1, 100000);
	bytes_are(&r, keys, 100000, "*3\r\n$3\r\nset\r\n$7\r\n1234567\r\n$100000\r\n");
	bytes_are(&r, keys, 9, "*3\r\n$3\r\nset\r\n$7\r\n1234567\r\n$9\r\n");
	request_fini(&r);
	r = make("MGET {key} {key}", 10, 10000000, 32, 32);
	bytes_are(&r, keys, 0, "*3\r\n$4\r\nMGET\r\n$10\r\nkey1234567\r\n$10\r\nkey0000089\r\n");
	request_fini(&r);
	r = make("PING", 14, 1, 32, 32);
	bytes_are(&r, keys, 0, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(r.expect, EXPECT_PONG);
	request_fini(&r);
}

static void commands_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *words, *said;
	} cases[] = {
		{"", "1 to 31 words"},
		{"  ", "1 to 31 words"},
		{"SET {value} {key}", "last word"},
		{"DEL {key} {key} {key} {key} {key} {key} {key} {key} {key} {key} {key} {key} "
		 "{key} {key} {key} {key} {key}",
			"16 keys"},
	};
	struct values values;
	struct key_format f;
	struct request r;
	char err[128];

	assert_int_equal(values_init(&values, 1, 1), 0);
	assert_int_equal(key_format_init(&f, 0, 1000), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			request_init(&r, cases[i].words, &f, &values, err, sizeof(err)), -EINVAL);
		assert_non_null(strstr(err, cases[i].said));
	}
	assert_int_equal(key_format_init(&f, 3, 1001), -EINVAL);
	assert_int_equal(key_format_init(&f, 3, 1000), 0);
	values_fini(&values);
}

static void frames_are_what_was_sent(void **state)
{
	struct request r = make("GET {key}", 14, 1000, 32, 32);
	uint8_t sent[FRAME_MAX], back[FRAME_MAX];
	const uint32_t keys[2] = {7, 42};
	struct frame_format f;

	assert_int_equal(frame_format_init(&f, &r, 2), 0);
	assert_int_equal(f.len, 14 + 20 + 32 + 2 * 34);
	frame_write(&f, sent, 300, 5, mac_a, mac_b, keys);
	assert_int_equal(csum_fold(csum_add(0, sent + 14, 20)), 0xffff);
	assert_int_equal(get_be16(sent + 16), f.len - 14);
	assert_int_equal(frame_flow(&f, sent, f.len), 300);
	assert_memory_equal(sent + 66 + 34, "*2\r\n$3\r\nGET\r\n$14\r\nkey:0000000042\r\n", 34);
	frame_write(&f, back, 300, 5, mac_b, mac_a, keys);
	assert_true(frame_is_same(&f, back, sent));
	for (uint32_t i = 12; i < f.len; i++) {
		back[i] ^= 1;
		assert_false(frame_is_same(&f, back, sent));
		back[i] ^= 1;
	}
	request_fini(&r);
}

static void foreign_frames_have_no_flow(void **state)
{
	struct request r = make("GET {key}", 14, 1000, 32, 32);
	uint8_t frame[FRAME_MAX];
	const uint32_t key = 1;
	struct frame_format f;

	assert_int_equal(frame_format_init(&f, &r, 1), 0);
	frame_write(&f, frame, 0, 1, mac_a, mac_b, &key);
	assert_int_equal(frame_flow(&f, frame, f.len), 0);
	for (uint32_t len = 0; len < f.len; len++)
		assert_int_equal(frame_flow(&f, frame, len), UINT32_MAX);
	frame[12] = 0x86;
	assert_int_equal(frame_flow(&f, frame, f.len), UINT32_MAX);
	frame_write(&f, frame, 0, 1, mac_a, mac_b, &key);
	frame[FRAME_IP + 9] = IP_PROTO_UDP;
	assert_int_equal(frame_flow(&f, frame, f.len), UINT32_MAX);
	assert_int_equal(frame_format_init(&f, &r, 0), -EINVAL);
	assert_int_equal(frame_format_init(&f, &r, 42), 0);
	assert_true(f.len <= FRAME_MAX);
	assert_int_equal(frame_format_init(&f, &r, 43), -EINVAL);
	request_fini(&r);
}

/* Whatever happens in between, n requests are due after n intervals, and threads take turns. */
static void schedule_does_not_drift(void **state)
{
	struct schedule s[3];
	uint64_t nr = 0;

	for (unsigned i = 0; i < 3; i++)
		schedule_begin(&s[i], 1000, 1e9, 7e5, i, 3);
	assert_int_equal(schedule_next(&s[0]), 1000);
	assert_in_range(schedule_next(&s[1]), 1000 + 1428, 1000 + 1429);
	for (uint64_t now = 1000; now <= 1000 + 1000000000; now += 33333333) {
		for (unsigned i = 0; i < 3; i++) {
			for (; schedule_is_due(&s[i], now); s[i].nr++) {
				assert_true(schedule_next(&s[i]) <= now);
				nr++;
			}
		}
	}
	assert_in_range(nr, 699950, 700001);
}

static void nothing_is_due_after_the_end(void **state)
{
	struct schedule s = {.interval = 0};

	assert_false(schedule_is_due(&s, UINT64_MAX));
	assert_true(schedule_is_over(&s));
	schedule_begin(&s, 0, 1e9, 1e3, 0, 1);
	assert_false(schedule_is_over(&s));
	schedule_end(&s, 2500000);
	for (; schedule_is_due(&s, 10000000); s.nr++)
		;
	assert_int_equal(s.nr, 3);
	assert_true(schedule_is_over(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_written_as_resp),
		cmocka_unit_test(commands_that_cannot_be_are_refused),
		cmocka_unit_test(frames_are_what_was_sent),
		cmocka_unit_test(foreign_frames_have_no_flow),
		cmocka_unit_test(schedule_does_not_drift),
		cmocka_unit_test(nothing_is_due_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
