/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parser of requests: every case whole, cut once at every byte, and byte by byte.
 *
 * What a stream yields is written down as text: "[GET|k]" for a request, "[]" for an empty one,
 * "!text" for an error, "..." when the rest is incomplete. The bytes lie in memory of exactly their
 * number, and elsewhere at each call.
 */
#include "dataplane/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct resp_limits limits = {
	.max_bulk_len = 512 * 1024 * 1024, .max_multibulk = 1024 * 1024};
static const struct resp_limits unauth = {
	.max_bulk_len = 512 * 1024 * 1024, .max_multibulk = 10, .max_bulk_unauth = 16 * 1024};

/* Growing text. */
struct text {
	char *s;
	size_t len, cap;
};

static void text_add(struct text *t, const char *s, size_t len)
{
	if (t->len + len + 1 > t->cap) {
		t->cap = (t->len + len + 1) * 2;
		t->s = realloc(t->s, t->cap);
		assert_non_null(t->s);
	}
	memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}

static void text_request(struct text *t, const struct resp_parser *p)
{
	text_add(t, "[", 1);
	for (uint32_t i = 0; i < p->argc; i++) {
		if (i > 0)
			text_add(t, "|", 1);
		text_add(t, p->argv[i].ptr, p->argv[i].len);
	}
	text_add(t, "]", 1);
}

/* A connection that parses: bytes not yet consumed, in a block of exactly their number. */
struct feed {
	struct resp_parser p;
	const struct resp_limits *limits;
	char *buf;
	size_t len;
	bool failed;
	struct text out;
};

static void feed_bytes(struct feed *f, const char *data, size_t len)
{
	char *buf = malloc(f->len + len ? f->len + len : 1);
	size_t pos = 0, consumed = 0;
	enum resp_status st = RESP_MORE;

	assert_non_null(buf);
	if (f->len)
		memcpy(buf, f->buf, f->len);
	memcpy(buf + f->len, data, len);
	free(f->buf);
	len += f->len;
	while (!f->failed && pos < len) {
		st = resp_parse(&f->p, f->limits, buf + pos, len - pos, &consumed);
		if (st == RESP_MORE) {
			assert_true(f->p.need > len - pos);
			break;
		}
		if (st == RESP_ERR) {
			f->failed = true;
			text_add(&f->out, "!", 1);
			text_add(&f->out, f->p.err, strlen(f->p.err));
			break;
		}
		assert_in_range(consumed, 1, len - pos);
		text_request(&f->out, &f->p);
		pos += consumed;
	}
	f->len = len - pos;
	f->buf = malloc(f->len ? f->len : 1);
	assert_non_null(f->buf);
	memcpy(f->buf, buf + pos, f->len);
	free(buf);
}

static void feed_init(struct feed *f, const struct resp_limits *lim)
{
	memset(f, 0, sizeof(*f));
	f->limits = lim;
	resp_parser_init(&f->p);
	text_add(&f->out, "", 0);
}

static void feed_check(struct feed *f, const char *want, const char *how, size_t at)
{
	if (!f->failed && f->len > 0)
		text_add(&f->out, "...", 3);
	if (strcmp(f->out.s, want) != 0) {
		fprintf(stderr, "cut %s at %zu:\n  got  %s\n  want %s\n", how, at, f->out.s, want);
		fail();
	}
	resp_parser_fini(&f->p);
	free(f->buf);
	free(f->out.s);
}

static void feed_warm(struct feed *f)
{
	feed_bytes(f, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", 25);
	assert_int_equal(f->p.argc, 3);
	assert_in_range(f->p.argv_cap, 8, 64);
	f->out.len = 0;
	text_add(&f->out, "", 0);
}

static void check_stream(
	const struct resp_limits *lim, const char *data, size_t len, const char *want)
{
	struct feed f;

	for (size_t cut = 0; cut <= len; cut++) {
		feed_init(&f, lim);
		feed_bytes(&f, data, cut);
		feed_bytes(&f, data + cut, len - cut);
		feed_check(&f, want, "once", cut);
	}
	feed_init(&f, lim);
	for (size_t i = 0; i < len; i++)
		feed_bytes(&f, data + i, 1);
	feed_check(&f, want, "everywhere", len);
	/* A parser that has seen a request has room for arguments, and takes short ones at once. */
	for (size_t cut = 0; cut <= len; cut++) {
		feed_init(&f, lim);
		feed_warm(&f);
		feed_bytes(&f, data, cut);
		feed_bytes(&f, data + cut, len - cut);
		feed_check(&f, want, "once, after another request", cut);
	}
}

struct stream_case {
	const char *in, *want;
};

static void check_cases(const struct resp_limits *lim, const struct stream_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_stream(lim, cases[i].in, strlen(cases[i].in), cases[i].want);
}

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static void arrays_yield_their_arguments(void **state)
{
	static const struct stream_case cases[] = {
		{"*1\r\n$4\r\nPING\r\n", "[PING]"},
		{"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "[GET|k]"},
		{"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\na\r\n\r\n", "[SET||a\r\n]"},
		{"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n*1\r\n$1\r\nc", "[a][b]..."},
		{"*0\r\n*-1\r\n*-10\r\n*1\r\n$1\r\nx\r\n", "[][][][x]"},
		{"*12\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r"
		 "\n$1\r\n7\r\n$1\r\n8\r\n$1\r\n9\r\n$2\r\n10\r\n$2\r\n11\r\n",
			"[0|1|2|3|4|5|6|7|8|9|10|11]"},
		{"*2\r\n$4\r\nECHO\r\n$04\r\nabcd\r\n", "!Protocol error: invalid bulk length"},
		{"*02\r\n$4\r\nECHO\r\n$1\r\na\r\n", "!Protocol error: invalid multibulk length"},
		{"*2\r\n$4\r\nECHO\r\n#4\r\nabcd\r\n", "!Protocol error: expected '$', got '#'"},
		{"*2\r\n$4\r\nECHO\r\n$00\r\n\r\n", "!Protocol error: invalid bulk length"},
		/* the pair behind an argument is not looked at */
		{"*1\r\n$1\r\nxyz*1\r\n$1\r\ny\r\n", "[x][y]"},
	};

	check_cases(&limits, cases, NR(cases));
}

static void small_limits_hold_too(void **state)
{
	static const struct resp_limits bulk = {.max_bulk_len = 3, .max_multibulk = 10};
	static const struct resp_limits before_auth = {
		.max_bulk_len = 100, .max_multibulk = 3, .max_bulk_unauth = 3};
	static const struct stream_case bulk_cases[] = {
		{"*2\r\n$3\r\nGET\r\n$3\r\nabc\r\n", "[GET|abc]"},
		{"*2\r\n$3\r\nGET\r\n$4\r\nabcd\r\n", "!Protocol error: invalid bulk length"},
	};
	static const struct stream_case auth_cases[] = {
		{"*2\r\n$3\r\nGET\r\n$4\r\nabcd\r\n",
			"!Protocol error: unauthenticated bulk length"},
	};

	check_cases(&bulk, bulk_cases, NR(bulk_cases));
	check_cases(&before_auth, auth_cases, NR(auth_cases));
}

static void incomplete_requests_wait(void **state)
{
	static const struct stream_case cases[] = {
		{"*", "..."},
		{"*2", "..."},
		{"*2\r", "..."},
		{"*2\r\n", "..."},
		{"*2\r\n$3\r\nGET", "..."},
		{"*2\r\n$3\r\nGET\r\n$5\r\nab", "..."},
		{"*1\r\n$536870912\r\nab", "..."},
		{"*1048576\r\n$1\r\n", "..."},
		{"PING", "..."},
	};

	check_cases(&limits, cases, NR(cases));
}

static void malformed_arrays_are_refused(void **state)
{
	static const struct stream_case cases[] = {
		{"*abc\r\n", "!Protocol error: invalid multibulk length"},
		{"*\r\n", "!Protocol error: invalid multibulk length"},
		{"*+1\r\n", "!Protocol error: invalid multibulk length"},
		{"*01\r\n", "!Protocol error: invalid multibulk length"},
		{"* 1\r\n", "!Protocol error: invalid multibulk length"},
		{"*-0\r\n", "!Protocol error: invalid multibulk length"},
		{"*1048577\r\n", "!Protocol error: invalid multibulk length"},
		{"*3000000000\r\n", "!Protocol error: invalid multibulk length"},
		{"*99999999999999999999999\r\n", "!Protocol error: invalid multibulk length"},
		{"*1\r\nfoo\r\n", "!Protocol error: expected '$', got 'f'"},
		{"*1\r\n\r\n", "!Protocol error: expected '$', got '\r'"},
		{"*1\r\n*1\r\n", "!Protocol error: expected '$', got '*'"},
		{"*1\r\n$\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$-10\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$blabla\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$536870913\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$9223372036854775807\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$18446744073709551615\r\n", "!Protocol error: invalid bulk length"},
		{"*1\r\n$4\r\nPING\r\n*x\r\n", "[PING]!Protocol error: invalid multibulk length"},
	};

	check_cases(&limits, cases, NR(cases));
}

static void limits_are_lower_before_auth(void **state)
{
	static const struct stream_case cases[] = {
		{"*11\r\n", "!Protocol error: unauthenticated multibulk length"},
		{"*10\r\n", "..."},
		{"*3000000000\r\n", "!Protocol error: invalid multibulk length"},
		{"*1\r\n$16385\r\n", "!Protocol error: unauthenticated bulk length"},
		{"*1\r\n$16384\r\n", "..."},
		{"*1\r\n$536870913\r\n", "!Protocol error: invalid bulk length"},
	};

	check_cases(&unauth, cases, NR(cases));
}

static void inline_lines_are_cut_into_arguments(void **state)
{
	static const struct stream_case cases[] = {
		{"PING\r\n", "[PING]"},
		{"PING\n", "[PING]"},
		{"\r\n", "[]"},
		{"\n\n", "[][]"},
		{"   \t \r\n", "[]"},
		{"  SET  k\t v  \r\n", "[SET|k|v]"},
		{"SET k \"a b\"\r\n", "[SET|k|a b]"},
		{"SET k \"\"\r\n", "[SET|k|]"},
		{"SET k ''\r\n", "[SET|k|]"},
		{"SET k \"a\\\"b\\\\c\"\r\n", "[SET|k|a\"b\\c]"},
		{"SET k \"\\x41\\x7a\\x4G\\n\\r\\t\\b\\a\\q\"\r\n", "[SET|k|Azx4G\n\r\t\b\aq]"},
		{"SET k 'a\\'b\\n\\x41\"'\r\n", "[SET|k|a'b\\n\\x41\"]"},
		{"SET k ab\"c d\"\r\n", "[SET|k|abc d]"},
		{"SET k \"\\x4\"\r\n", "[SET|k|x4]"},
		{"a\r\nb\r\n*1\r\n$1\r\nc\r\nd", "[a][b][c]..."},
		{"$1\r\n", "[$1]"},
	};

	check_cases(&limits, cases, NR(cases));
}

static void unbalanced_quotes_are_refused(void **state)
{
	static const struct stream_case cases[] = {
		{"SET k \"abc\r\n", "!Protocol error: unbalanced quotes in request"},
		{"SET k 'abc\r\n", "!Protocol error: unbalanced quotes in request"},
		{"SET k \"abc\"x\r\n", "!Protocol error: unbalanced quotes in request"},
		{"SET k 'abc'x\r\n", "!Protocol error: unbalanced quotes in request"},
		{"SET k \"abc\\\"\r\n", "!Protocol error: unbalanced quotes in request"},
		{"\"\r\n", "!Protocol error: unbalanced quotes in request"},
		{"\"\\\r\n", "!Protocol error: unbalanced quotes in request"},
		{"\"\\x\r\n", "!Protocol error: unbalanced quotes in request"},
	};

	check_cases(&limits, cases, NR(cases));
}

/* A line of that many bytes 'a' behind prefix, then tail. Fed whole and in two sizes of pieces. */
static void check_long(const char *prefix, size_t nr, const char *tail, const char *want)
{
	static const size_t pieces[] = {SIZE_MAX, 1000, 17};
	size_t len = strlen(prefix) + nr + strlen(tail);
	char *data = malloc(len);

	assert_non_null(data);
	memcpy(data, prefix, strlen(prefix));
	memset(data + strlen(prefix), 'a', nr);
	memcpy(data + strlen(prefix) + nr, tail, strlen(tail));
	for (size_t i = 0; i < NR(pieces); i++) {
		struct feed f;

		feed_init(&f, &limits);
		for (size_t at = 0; at < len; at += pieces[i] < len ? pieces[i] : len)
			feed_bytes(&f, data + at, len - at < pieces[i] ? len - at : pieces[i]);
		/* a request of this size is checked by its length alone */
		if (!f.failed && f.len == 0) {
			assert_int_equal(f.out.len, nr + 2);
			f.out.len = 0;
			text_add(&f.out, "[long]", 6);
		}
		feed_check(&f, want, "in pieces", pieces[i]);
	}
	free(data);
}

static void lines_are_bounded(void **state)
{
	check_long("", RESP_INLINE_MAX, "\n", "[long]");
	check_long("", RESP_INLINE_MAX + 1, "\n", "!Protocol error: too big inline request");
	check_long("", RESP_INLINE_MAX + 1, "", "!Protocol error: too big inline request");
	check_long("", RESP_INLINE_MAX, "", "...");
	check_long("*", RESP_INLINE_MAX, "", "!Protocol error: too big mbulk count string");
	check_long("*", RESP_INLINE_MAX, "\r\n", "!Protocol error: too big mbulk count string");
	check_long("*", RESP_INLINE_MAX - 1, "", "...");
	check_long("*1\r\n$", RESP_INLINE_MAX, "", "!Protocol error: too big bulk count string");
	check_long("*1\r\n$", RESP_INLINE_MAX - 1, "", "...");
}

static void zero_bytes_are_ordinary(void **state)
{
	static const char bulk[] = "*2\r\n$3\r\nGET\r\n$2\r\n\0\1\r\n";
	static const char garbage[] = "*\0aaaa\r\n";
	struct feed f;

	feed_init(&f, &limits);
	feed_bytes(&f, bulk, sizeof(bulk) - 1);
	assert_int_equal(f.out.len, 8);
	assert_memory_equal(f.out.s, "[GET|\0\1]", 8);
	f.out.len = 0;
	feed_bytes(&f, garbage, sizeof(garbage) - 1);
	feed_check(&f, "!Protocol error: invalid multibulk length", "never", 0);
}

static void a_long_argument_is_not_searched_again(void **state)
{
	struct resp_parser p;
	size_t consumed;
	const char head[] = "*2\r\n$3\r\nSET\r\n$100000000\r\n";

	resp_parser_init(&p);
	assert_int_equal(resp_parse(&p, &limits, head, sizeof(head) - 1, &consumed), RESP_MORE);
	assert_int_equal(p.need, sizeof(head) - 1 + 100000000 + 2);
	/* below need, the bytes are not even looked at */
	assert_int_equal(resp_parse(&p, &limits, NULL, p.need - 1, &consumed), RESP_MORE);
	resp_parser_fini(&p);
}

static void reset_forgets_the_request_under_way(void **state)
{
	struct resp_parser p;
	size_t consumed;

	resp_parser_init(&p);
	assert_int_equal(resp_parse(&p, &limits, "*2\r\n$1\r\na\r\n", 11, &consumed), RESP_MORE);
	resp_parser_reset(&p);
	assert_int_equal(resp_parse(&p, &limits, "*1\r\n$1\r\nb\r\n", 11, &consumed), RESP_OK);
	assert_int_equal(p.argc, 1);
	assert_memory_equal(p.argv[0].ptr, "b", 1);
	resp_parser_fini(&p);
}

static void announced_arguments_take_no_memory(void **state)
{
	struct resp_parser p;
	size_t consumed;

	resp_parser_init(&p);
	assert_int_equal(
		resp_parse(&p, &limits, "*1048576\r\n$1\r\na\r\n", 17, &consumed), RESP_MORE);
	assert_in_range(p.argv_cap, 1, 64);
	resp_parser_fini(&p);
}

static void memory_of_a_large_request_is_given_back(void **state)
{
	struct feed f;

	feed_init(&f, &limits);
	feed_bytes(&f, "*5000\r\n", 7);
	for (int i = 0; i < 5000; i++)
		feed_bytes(&f, "$1\r\nx\r\n", 7);
	assert_int_equal(f.p.argc, 5000);
	feed_bytes(&f, "*1\r\n$1\r\ny\r\n", 11);
	assert_int_equal(f.p.argc, 1);
	assert_in_range(f.p.argv_cap, 1, 1024);
	f.out.len = 0;
	text_add(&f.out, "", 0);
	feed_check(&f, "", "never", 0);
}

static void integers_have_one_form(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{"0", true, 0},
		{"1", true, 1},
		{"-1", true, -1},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"-9223372036854775807", true, -INT64_MAX},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"18446744073709551616", false, 0},
		{"99999999999999999999", false, 0},
		{"100000000000000000000", false, 0},
		{"", false, 0},
		{"-", false, 0},
		{"+1", false, 0},
		{"01", false, 0},
		{"-0", false, 0},
		{"-01", false, 0},
		{"00", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"1a", false, 0},
		{"0x1", false, 0},
		{"--1", false, 0},
		{"1.0", false, 0},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		int64_t v = 42;
		bool good = resp_int_parse(cases[i].text, strlen(cases[i].text), &v);

		assert_int_equal(good, cases[i].good);
		assert_int_equal(v, good ? cases[i].value : 42);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Requests of random arguments, in random pieces, come out as they went in. */
static void random_requests_survive_random_cuts(void **state)
{
	const char *given = getenv("MILLRACE_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	uint64_t rnd = seed * 2654435761u + 1;
	struct text in = {0};
	struct feed f;
	size_t at = 0;

	print_message("seed %" PRIu64 "\n", seed);
	feed_init(&f, &limits);
	struct text want = {0};

	for (int i = 0; i < 500; i++) {
		uint32_t argc = (uint32_t)(next_random(&rnd) % 6);
		char head[32];

		text_add(&in, head, (size_t)sprintf(head, "*%u\r\n", argc));
		text_add(&want, "[", 1);
		for (uint32_t a = 0; a < argc; a++) {
			char arg[64];
			size_t len = next_random(&rnd) % sizeof(arg);

			for (size_t k = 0; k < len; k++)
				arg[k] = (char)next_random(&rnd);
			text_add(&in, head, (size_t)sprintf(head, "$%zu\r\n", len));
			text_add(&in, arg, len);
			text_add(&in, "\r\n", 2);
			if (a > 0)
				text_add(&want, "|", 1);
			text_add(&want, arg, len);
		}
		text_add(&want, "]", 1);
	}
	while (at < in.len) {
		size_t n = 1 + next_random(&rnd) % 200;

		n = n < in.len - at ? n : in.len - at;
		feed_bytes(&f, in.s + at, n);
		at += n;
	}
	assert_false(f.failed);
	assert_int_equal(f.len, 0);
	assert_int_equal(f.out.len, want.len);
	assert_memory_equal(f.out.s, want.s, want.len);
	resp_parser_fini(&f.p);
	free(f.buf);
	free(f.out.s);
	free(in.s);
	free(want.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_yield_their_arguments),
		cmocka_unit_test(small_limits_hold_too),
		cmocka_unit_test(incomplete_requests_wait),
		cmocka_unit_test(malformed_arrays_are_refused),
		cmocka_unit_test(limits_are_lower_before_auth),
		cmocka_unit_test(inline_lines_are_cut_into_arguments),
		cmocka_unit_test(unbalanced_quotes_are_refused),
		cmocka_unit_test(lines_are_bounded),
		cmocka_unit_test(zero_bytes_are_ordinary),
		cmocka_unit_test(a_long_argument_is_not_searched_again),
		cmocka_unit_test(reset_forgets_the_request_under_way),
		cmocka_unit_test(announced_arguments_take_no_memory),
		cmocka_unit_test(memory_of_a_large_request_is_given_back),
		cmocka_unit_test(integers_have_one_form),
		cmocka_unit_test(random_requests_survive_random_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
