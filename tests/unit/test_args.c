/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Arguments of commands: words, numbers, glob patterns.
 */
#include "app/commands/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static void words_match_in_any_case(void **state)
{
	struct slice a = slice_str("KeepTTL");

	assert_true(arg_is(&a, "keepttl"));
	assert_false(arg_is(&a, "keepttls"));
	assert_false(arg_is(&a, "keeptt"));
	a.len = 4;
	assert_true(arg_is(&a, "keep"));
	a.len = 0;
	assert_false(arg_is(&a, "keep"));
}

static void integers_are_canonical(void **state)
{
	struct slice good = slice_str("-9223372036854775808"), bad = slice_str("+1");
	int64_t v = 7;

	assert_true(arg_int(&good, &v));
	assert_int_equal(v, INT64_MIN);
	v = 7;
	assert_false(arg_int(&bad, &v));
	assert_int_equal(v, 7);
}

static void floats_are_read_as_redis_reads_them(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
		bool good;
		long double value;
	} cases[] = {
		{"0", 0, true, 0},
		{"3.25", 0, true, 3.25L},
		{"-.5", 0, true, -0.5L},
		{"+1", 0, true, 1},
		{"1e5", 0, true, 100000},
		{"0x10", 0, true, 16},
		{"9223372036854775807", 0, true, 9223372036854775807.0L},
		{"inf", 0, true, INFINITY},
		{"-infinity", 0, true, -INFINITY},
		{"", 0, false, 0},
		{" 1", 0, false, 0},
		{"\t1", 0, false, 0},
		{"1 ", 0, false, 0},
		{"1x", 0, false, 0},
		{"nan", 0, false, 0},
		{"-nan", 0, false, 0},
		{"abc", 0, false, 0},
		{"1e5000", 0, false, 0},
		{"-1e5000", 0, false, 0},
		{"1e-5000", 0, false, 0},
		{"1\0002", 3, false, 0},
		{"1\0", 2, false, 0},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		struct slice a = {
			cases[i].text, cases[i].len ? cases[i].len : strlen(cases[i].text)};
		long double v = 42;
		bool good = arg_long_double(&a, &v);

		if (good != cases[i].good || v != (good ? cases[i].value : 42))
			fail_msg("case %zu: \"%s\"", i, cases[i].text);
	}
}

static void a_float_of_any_length_is_bounded(void **state)
{
	char text[6000];
	struct slice a = {text, 5119};
	long double v;

	memset(text, '0', sizeof(text));
	assert_true(arg_long_double(&a, &v));
	a.len = 5120;
	assert_false(arg_long_double(&a, &v));
}

static void floats_are_written_in_human_form(void **state)
{
	static const struct {
		long double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0L, "0"},
		{3, "3"},
		{100, "100"},
		{-10.5L, "-10.5"},
		{0.1L, "0.1"},
		{3.14L, "3.14"},
		{1e17L, "100000000000000000"},
		{1e-17L, "0.00000000000000001"},
		{-1e-18L, "0"},
		{17179869184.0L + 1, "17179869185"},
		{INFINITY, "inf"},
		{-INFINITY, "-inf"},
	};
	char buf[5 * 1024];

	for (size_t i = 0; i < NR(cases); i++) {
		size_t len = format_long_double(buf, sizeof(buf), cases[i].value);

		assert_string_equal(buf, cases[i].text);
		assert_int_equal(len, strlen(cases[i].text));
	}
	/* the largest has 4933 digits */
	assert_int_equal(format_long_double(buf, sizeof(buf), 1e4932L), 4933);
	assert_int_equal(format_long_double(buf, 100, 1e4932L), 0);
}

struct glob_case {
	const char *pat, *s;
	bool nocase, match;
};

static void globs_match_as_redis_matches_them(void **state)
{
	static const struct glob_case cases[] = {
		{"*", "", false, true},
		{"*", "abc", false, true},
		{"**", "abc", false, true},
		{"", "", false, true},
		{"", "a", false, false},
		{"a", "", false, false},
		{"abc", "abc", false, true},
		{"abc", "abcd", false, false},
		{"a?c", "abc", false, true},
		{"a?c", "ac", false, false},
		{"?", "", false, false},
		{"a*c", "ac", false, true},
		{"a*c", "abbbc", false, true},
		{"a*c", "abbbcd", false, false},
		{"a*b*c", "aXbYbZc", false, true},
		{"*abc", "ababc", false, true},
		{"*a?c", "aaxc", false, true},
		{"a*", "a", false, true},
		{"a**", "a", false, true},
		{"h[ae]llo", "hallo", false, true},
		{"h[ae]llo", "hillo", false, false},
		{"h[^e]llo", "hallo", false, true},
		{"h[^e]llo", "hello", false, false},
		{"h[a-b]llo", "hbllo", false, true},
		{"h[b-a]llo", "hallo", false, true},
		{"h[a-b]llo", "hcllo", false, false},
		{"[a-]", "^", false, true}, /* a range up to the bracket, then no end */
		{"[a-]", "b", false, false},
		{"[]", "a", false, false},
		{"[]a", "a", false, false},
		{"[^]", "a", false, true},
		{"[^]a", "xa", false, true},
		{"[abc", "b", false, true}, /* a class without an end */
		{"[abc", "d", false, false},
		{"[", "a", false, false},
		{"[", "[", false, false},
		{"[^", "a", false, true},
		{"[\\]]", "]", false, true},
		{"[\\-a]", "-", false, true},
		{"[a\\", "\\", false, true},
		{"[*]", "*", false, true},
		{"[*]", "a", false, false},
		{"\\*", "*", false, true},
		{"\\*", "a", false, false},
		{"\\a", "a", false, true},
		{"a\\", "a\\", false, true}, /* nothing to escape */
		{"\\?x", "?x", false, true},
		{"\\[a]", "[a]", false, true},
		{"ABC", "abc", true, true},
		{"ABC", "abc", false, false},
		{"[A-C]x", "bX", true, true},
		{"[abc]", "B", true, true},
		{"[\\a]", "A", true, false}, /* an escaped member keeps its case */
		{"\\A", "a", true, true},
		{"*[0-9]", "user:17", false, true},
		{"*[0-9]", "user:x", false, false},
		{"foo*bar*baz*", "foo1bar2baz3", false, true},
		{"\xff?", "\xff\xfe", false, true},
		{"[\x80-\xff]", "\x90", false, true},
		{"[a-\xff]", "b", false, false}, /* signed: from 0xff, which is -1, to 'a' */
		{"[a-\xff]", "A", false, true},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		const struct glob_case *g = &cases[i];

		if (glob_match(g->pat, strlen(g->pat), g->s, strlen(g->s), g->nocase) != g->match)
			fail_msg("\"%s\" against \"%s\"", g->pat, g->s);
	}
}

/* The definition: a star takes nothing, or one character and is tried again. No classes. */
static bool slow_match(const char *pat, const char *s)
{
	if (*pat == '\0')
		return *s == '\0';
	if (*pat == '*')
		return slow_match(pat + 1, s) || (*s && slow_match(pat, s + 1));
	if (*s == '\0')
		return false;
	if (*pat == '\\' && pat[1])
		return pat[1] == *s && slow_match(pat + 2, s + 1);
	return (*pat == '?' || *pat == *s) && slow_match(pat + 1, s + 1);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void random_text(uint64_t *rnd, const char *alphabet, char *out, size_t max)
{
	size_t len = next_random(rnd) % max;

	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[next_random(rnd) % strlen(alphabet)];
	out[len] = '\0';
}

static void random_globs_match_by_definition(void **state)
{
	const char *given = getenv("MILLRACE_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	uint64_t rnd = seed * 2654435761u + 1;
	unsigned nr_matches = 0;

	print_message("seed %" PRIu64 "\n", seed);
	for (int i = 0; i < 200000; i++) {
		char pat[10], s[12];

		random_text(&rnd, "ab**?\\", pat, sizeof(pat));
		random_text(&rnd, "ab", s, sizeof(s));
		bool want = slow_match(pat, s);

		nr_matches += want;
		if (glob_match(pat, strlen(pat), s, strlen(s), false) != want)
			fail_msg("\"%s\" against \"%s\"", pat, s);
	}
	assert_in_range(nr_matches, 1000, 199000);
}

/* Patterns that take exponential time where each star is a recursion. */
static void hostile_globs_end(void **state)
{
	char pat[2001], s[5000];

	for (size_t i = 0; i < 2000; i += 2)
		memcpy(pat + i, "a*", 2);
	pat[2000] = 'b';
	memset(s, 'a', sizeof(s));
	assert_false(glob_match(pat, sizeof(pat), s, sizeof(s), false));
	memset(pat, '*', sizeof(pat));
	assert_true(glob_match(pat, sizeof(pat), s, sizeof(s), false));
	for (size_t i = 0; i < 2000; i += 4)
		memcpy(pat + i, "*[a]", 4);
	assert_false(glob_match(pat, sizeof(pat), s, 400, false));
}

/* Patterns and strings in memory of exactly their size: the sanitizer sees any step too far. */
static void globs_stay_within_their_bytes(void **state)
{
	static const char *const pats[] = {"[", "[^", "[a", "[a-", "[a-z", "[\\", "\\", "a\\",
		"*\\", "*[", "[]", "[^]", "[a-]", "*", "?", "**["};

	for (size_t i = 0; i < NR(pats); i++) {
		for (size_t len = 0; len < 3; len++) {
			char *pat = malloc(strlen(pats[i]));
			char *s = malloc(len ? len : 1);

			assert_non_null(pat);
			assert_non_null(s);
			memcpy(pat, pats[i], strlen(pats[i]));
			memset(s, 'a', len);
			glob_match(pat, strlen(pats[i]), s, len, false);
			glob_match(pat, strlen(pats[i]), s, len, true);
			free(pat);
			free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_match_in_any_case),
		cmocka_unit_test(integers_are_canonical),
		cmocka_unit_test(floats_are_read_as_redis_reads_them),
		cmocka_unit_test(a_float_of_any_length_is_bounded),
		cmocka_unit_test(floats_are_written_in_human_form),
		cmocka_unit_test(globs_match_as_redis_matches_them),
		cmocka_unit_test(random_globs_match_by_definition),
		cmocka_unit_test(hostile_globs_end),
		cmocka_unit_test(globs_stay_within_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
