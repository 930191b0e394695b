/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Configuration: defaults, values and their refusals, words, CONFIG SET as a whole.
 */
#include "tests/unit/config_fixture.h"

/* --- values ----------------------------------------------------------------------------------- */

static void defaults_are_those_of_redis(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->cfg->port, 6379);
	assert_int_equal(f->cfg->databases, 16);
	assert_int_equal(f->cfg->nr_save, 3);
	assert_int_equal(f->cfg->repl_backlog_size, 1 << 20);
	assert_int_equal(f->cfg->slowlog_slower_than_us, 10000);
	assert_true(f->cfg->protected_mode);
	assert_int_equal(f->cfg->durability, DURABILITY_ALWAYS);
	assert_false(f->cfg->poll_mode_set);
	assert_value(f, "client-output-buffer-limit",
		"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
	assert_value(f, "bind", "127.0.0.1 -::1");
	assert_value(f, "dir", f->dir);
	assert_value(f, "replicaof", "");
}

static void sizes_take_units_of_both_kinds(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t bytes;
	} cases[] = {
		{"0", true, 0},
		{"10", true, 10},
		{"10b", true, 10},
		{"1k", true, 1000},
		{"1Kb", true, 1024},
		{"2M", true, 2000000},
		{"2mB", true, 2097152},
		{"3g", true, 3000000000},
		{"3GB", true, 3221225472},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"17179869184gb", false, 0},
		{"", false, 0},
		{"k", false, 0},
		{"-1", false, 0},
		{"1 k", false, 0},
		{"1kib", false, 0},
		{"1.5gb", false, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0;

		assert_int_equal(config_parse_size(cases[i].text, &bytes), cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(bytes, cases[i].bytes);
	}
}

static void integers_have_one_spelling(void **state)
{
	static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "01", "-0", "0x1", "1e3",
		"9223372036854775808", "-9223372036854775809"};
	int64_t v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(config_parse_int(bad[i], &v));
	assert_true(config_parse_int("-9223372036854775808", &v));
	assert_true(v == INT64_MIN);
	assert_true(config_parse_int("9223372036854775807", &v));
	assert_true(v == INT64_MAX);
	assert_true(config_parse_int("0", &v));
	assert_int_equal(v, 0);
}

static void every_directive_takes_its_own_value_back(void **state)
{
	struct fixture *f = *state;

	for (const struct directive *d = config_directives; d->name; d++) {
		char *value = config_get(f->cfg, d->name);
		struct config_pair pair = {d->name, value};
		int rc = config_set_many(f->cfg, 1, &pair, true, f->err, sizeof(f->err));

		if (!(d->flags & DIR_IMMUTABLE) || (d->flags & DIR_STARTUP))
			assert_int_equal(rc, 0);
		else
			assert_int_equal(rc, -EPERM);
		assert_value(f, d->name, value);
		free(value);
	}
}

static void no_two_directives_share_a_name(void **state)
{
	for (const struct directive *d = config_directives; d->name; d++) {
		assert_ptr_equal(config_find(d->name), d);
		if (d->alias)
			assert_ptr_equal(config_find(d->alias), d);
	}
}

static void alias_and_name_are_one_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, "SLAVE-priority", "7"), 0);
	assert_value(f, "replica-priority", "7");
	assert_int_equal(f->cfg->replica_priority, 7);
	assert_int_equal(set(f, "lua-time-limit", "12"), 0);
	assert_value(f, "busy-reply-threshold", "12");
}

static void values_without_a_field_are_checked_and_kept(void **state)
{
	struct fixture *f = *state;
	int64_t v;

	assert_int_equal(set(f, "list-max-ziplist-size", "-5"), 0);
	assert_value(f, "list-max-listpack-size", "-5");
	assert_true(config_get_int(f->cfg, "list-max-listpack-size", &v));
	assert_int_equal(v, -5);
	assert_int_equal(set(f, "io-threads", "4"), -EPERM);
	assert_int_equal(set(f, "active-expire-effort", "11"), -EINVAL);
	assert_int_equal(set(f, "hash-max-listpack-value", "1kb"), 0);
	assert_value(f, "hash-max-ziplist-value", "1024");
}

static void values_out_of_reach_are_moved_into_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, "hz", "0"), 0);
	assert_int_equal(f->cfg->hz, 1);
	assert_int_equal(set(f, "hz", "10000"), 0);
	assert_value(f, "hz", "500");
	assert_int_equal(set(f, "repl-backlog-size", "1"), 0);
	assert_value(f, "repl-backlog-size", "16384");
}

static void lists_print_as_redis_prints_them(void **state)
{
	static const struct {
		const char *name, *text, *shown; /* NULL: refused */
	} cases[] = {
		{"notify-keyspace-events", "KEA", "AKE"},
		{"notify-keyspace-events", "g$lshzxetd", "A"},
		{"notify-keyspace-events", "mnKE", "nKEm"},
		{"notify-keyspace-events", "Kg$lshzxetdmn", "AKm"},
		{"notify-keyspace-events", "X", NULL}, {"notify-keyspace-events", "", ""},
		{"save", "900 1 300 10", "900 1 300 10"}, {"save", "1 0", "1 0"},
		{"save", "0 1", NULL}, {"save", "900", NULL}, {"save", "900  1", NULL},
		{"save", "", ""},
		{"client-output-buffer-limit", "Replica 1k 1kb 9",
			"normal 0 0 0 slave 1000 1024 9 pubsub 33554432 8388608 60"},
		{"client-output-buffer-limit", "normal 1 1 1 pubsub 0 0", NULL},
		{"client-output-buffer-limit", "master 1 1 1", NULL},
		{"client-output-buffer-limit", "normal 1 1 -1", NULL},
		{"shutdown-on-sigterm", "SAVE now", "save now"},
		{"shutdown-on-sigterm", "save nosave", NULL},
		{"shutdown-on-sigterm", "never", NULL}, {"shutdown-on-sigterm", "", NULL},
		{"shutdown-on-sigterm", "default", "default"},
		{"latency-tracking-info-percentiles", "0 1e1 .5 99.99", "0 10 0.5 99.99"},
		{"latency-tracking-info-percentiles", "100.1", NULL},
		{"latency-tracking-info-percentiles", "nan", NULL},
		{"latency-tracking-info-percentiles", "", ""},
		{"oom-score-adj-values", "-2000 0 2000", "-2000 0 2000"},
		{"oom-score-adj-values", "0 0", NULL}, {"oom-score-adj-values", "0 0 2001", NULL},
		{"maxmemory-clients", "10%", "10%"}, {"maxmemory-clients", "101%", NULL},
		{"maxmemory-clients", "1mb", "1048576"}, {"maxmemory-clients", "%", NULL},
		{"proc-title-template", "{title} {port} x", "{title} {port} x"},
		{"proc-title-template", "{nope}", NULL},
		{"cluster-announce-hostname", "a.b-c", "a.b-c"},
		{"cluster-announce-hostname", "a_b", NULL}, {"oom-score-adj", "relative", "yes"},
		{"unixsocketperm", "700", NULL}, /* not at run time */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *before = config_get(f->cfg, cases[i].name);
		int rc = set(f, cases[i].name, cases[i].text);

		assert_int_equal(rc == 0, cases[i].shown != NULL);
		assert_value(f, cases[i].name, cases[i].shown ? cases[i].shown : before);
		free(before);
	}
}

static void too_many_save_points_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, "save", "1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8"), 0);
	assert_int_equal(set(f, "save", "1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9"), -EINVAL);
	assert_int_equal(f->cfg->nr_save, 8);
}

static void dir_changes_the_working_directory_and_stays_absolute(void **state)
{
	struct fixture *f = *state;
	struct config_pair pair = {"dir", "sub"};
	char want[128], cwd[128];

	snprintf(want, sizeof(want), "%s/sub", f->dir);
	assert_int_equal(set(f, "dir", "sub"), -EPERM);
	assert_int_equal(config_set_many(f->cfg, 1, &pair, true, f->err, sizeof(f->err)), -EINVAL);
	assert_string_equal(f->err,
		"ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or "
		"directory");
	assert_int_equal(mkdir("sub", 0700), 0);
	assert_int_equal(config_set_many(f->cfg, 1, &pair, true, f->err, sizeof(f->err)), 0);
	assert_string_equal(getcwd(cwd, sizeof(cwd)), want);
	assert_value(f, "dir", want);
}

/* --- words ------------------------------------------------------------------------------------ */

static void words_follow_the_quoting_of_redis_conf(void **state)
{
	static const struct {
		const char *line;
		int argc; /* -1: refused */
		const char *argv[4];
	} cases[] = {
		{"", 0, {NULL}},
		{" \t ", 0, {NULL}},
		{"a b  c", 3, {"a", "b", "c"}},
		{"a \"b c\"", 2, {"a", "b c"}},
		{"a 'b c'", 2, {"a", "b c"}},
		{"a \"\" ''", 3, {"a", "", ""}},
		{"\"\\n\\r\\t\\b\\a\\q\\\"\\x41\\xzz\"", 1, {"\n\r\t\b\aq\"Axzz"}},
		{"'\\n\\''", 1, {"\\n'"}},
		{"ab\"cd\"", 1, {"abcd"}},
		{"\"a\"b", -1, {NULL}},
		{"'a'b", -1, {NULL}},
		{"\"a", -1, {NULL}},
		{"'a", -1, {NULL}},
		{"\"a\\", -1, {NULL}},
		{"\"\\x00\"", -1, {NULL}},
		{"a\\nb", 1, {"a\\nb"}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int argc;
		char **argv = config_split(cases[i].line, &argc);

		assert_int_equal(argc, cases[i].argc);
		for (int k = 0; k < argc; k++)
			assert_string_equal(argv[k], cases[i].argv[k]);
		config_split_free(argv, argc);
	}
}

static void quoted_words_read_back_whatever_their_bytes(void **state)
{
	char word[3] = "";

	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char *quoted, **argv;
			int argc;

			word[0] = (char)a;
			word[1] = (char)b;
			quoted = config_quote(word);
			argv = config_split(quoted, &argc);
			assert_int_equal(argc, 1);
			assert_string_equal(argv[0], word);
			config_split_free(argv, argc);
			free(quoted);
			if (a == 0)
				break;
		}
	}
}

/* --- CONFIG SET ------------------------------------------------------------------------------- */

static void refusals_have_the_texts_of_redis(void **state)
{
	static const struct {
		const char *name, *value, *err;
	} cases[] = {
		{"x", "1", "ERR Unknown option or number of arguments for CONFIG SET - 'x'"},
		{"maxmemory-eviction-tenacity", "101",
			"argument must be between 0 and 100 inclusive"},
		{"timeout", "a", "argument couldn't be parsed into an integer"},
		{"maxmemory", "a", "argument must be a memory value"},
		{"proto-max-bulk-len", "1",
			"argument must be between 1048576 and 9223372036854775807 inclusive"},
		{"dynamic-hz", "1", "argument must be 'yes' or 'no'"},
		{"appendfsync", "never",
			"argument(s) must be one of the following: everysec, always, no"},
		{"maxclients", "0", "argument must be between 1 and 4294967295 inclusive"},
		{"databases", "4", "can't set immutable config"},
		{"dbfilename", "a", "can't set protected config"},
		{"save", "1", "Invalid save parameters"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[256];

		snprintf(want, sizeof(want), "%s%s%s%s",
			*cases[i].err == 'E'
				? ""
				: "ERR CONFIG SET failed (possibly related to argument '",
			*cases[i].err == 'E' ? "" : cases[i].name,
			*cases[i].err == 'E' ? "" : "') - ", cases[i].err);
		assert_int_not_equal(set(f, cases[i].name, cases[i].value), 0);
		assert_string_equal(f->err, want);
	}
}

static void own_immutable_directives_take_the_text_that_they_show_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, "poll-mode", "adaptive"), 0);
	assert_int_not_equal(set(f, "poll-mode", "spin"), 0);
	assert_non_null(strstr(f->err, "can't set immutable config"));
	assert_value(f, "poll-mode", "adaptive");
}

static void several_pairs_change_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct config_pair pairs[] = {{"maxmemory", "5mb"}, {"save", "1 1"},
		{"requirepass", "secret"}, {"timeout", "-1"}};
	struct config_pair twice[] = {{"timeout", "1"}, {"TIMEOUT", "2"}};
	struct config_pair alias[] = {
		{"min-slaves-max-lag", "1"}, {"min-replicas-max-lag", "2"}, {"timeout", "x"}};

	assert_int_equal(config_set_many(f->cfg, 4, pairs, false, f->err, sizeof(f->err)), -EINVAL);
	assert_non_null(strstr(f->err, "'timeout'"));
	assert_value(f, "maxmemory", "0");
	assert_value(f, "save", "3600 1 300 100 60 10000");
	assert_value(f, "requirepass", "");
	assert_int_equal(config_set_many(f->cfg, 3, pairs, false, f->err, sizeof(f->err)), 0);
	assert_int_equal(f->cfg->maxmemory, 5 << 20);
	assert_string_equal(f->cfg->requirepass, "secret");
	assert_int_equal(config_set_many(f->cfg, 2, twice, false, f->err, sizeof(f->err)), -EINVAL);
	assert_non_null(strstr(f->err, "'TIMEOUT') - duplicate parameter"));
	assert_int_equal(config_set_many(f->cfg, 3, alias, false, f->err, sizeof(f->err)), -EINVAL);
	assert_value(f, "min-replicas-max-lag", "10");
	assert_int_equal(config_set_many(f->cfg, 2, alias, false, f->err, sizeof(f->err)), 0);
	assert_value(f, "min-replicas-max-lag", "2");
}

static void what_is_fixed_at_start_takes_only_its_present_value(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set(f, "port", "6379"), 0);
	assert_int_equal(set(f, "port", "6380"), -EPERM);
	assert_int_equal(f->cfg->port, 6379);
	assert_int_equal(set(f, "bind", "127.0.0.1"), -EPERM);
	assert_value(f, "bind", "127.0.0.1 -::1");
	assert_int_equal(set(f, "tls-port", "1"), -EINVAL);
	assert_value(f, "tls-port", "0");
}

struct seen {
	char names[128];
	const char *refuse; /* name that the hook turns down */
};

static int note_change(void *ctx, const char *name, char *err, size_t err_len)
{
	struct seen *s = ctx;

	snprintf(s->names + strlen(s->names), sizeof(s->names) - strlen(s->names), "%s ", name);
	if (!s->refuse || strcmp(name, s->refuse) != 0)
		return 0;
	snprintf(err, err_len, "not today");
	return -EINVAL;
}

static void hook_hears_of_what_changed_only(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {""};
	struct config_hooks hooks = {note_change, &seen};
	struct config_pair pairs[] = {
		{"SLAVE-priority", "5"}, {"timeout", "0"}, {"maxmemory", "1kb"}};

	config_set_hooks(f->cfg, &hooks);
	assert_int_equal(config_set_many(f->cfg, 3, pairs, false, f->err, sizeof(f->err)), 0);
	assert_string_equal(seen.names, "replica-priority maxmemory ");
}

static void hook_that_refuses_undoes_everything(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {"", "maxclients"};
	struct config_hooks hooks = {note_change, &seen};
	struct config_pair pairs[] = {{"timeout", "5"}, {"maxclients", "77"}};

	config_set_hooks(f->cfg, &hooks);
	assert_int_equal(config_set_many(f->cfg, 2, pairs, false, f->err, sizeof(f->err)), -EINVAL);
	assert_string_equal(f->err,
		"ERR CONFIG SET failed (possibly related to argument 'maxclients') - not today");
	assert_int_equal(f->cfg->timeout_s, 0);
	assert_int_equal(f->cfg->maxclients, 10000);
	assert_string_equal(seen.names, "timeout maxclients timeout maxclients ");
}

static bool match_not_hidden(void *ctx, const char *name, bool hidden)
{
	return !hidden;
}

static void count_one(void *ctx, const char *name, const char *value)
{
	++*(unsigned *)ctx;
}

static void names_of_redis_are_all_there(void **state)
{
	struct fixture *f = *state;
	unsigned nr = 0, own = 18; /* millrace's own directives */

	config_each(f->cfg, match_not_hidden, count_one, &nr);
	assert_int_equal(nr, 192 + own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_those_of_redis),
		TEST(sizes_take_units_of_both_kinds),
		TEST(integers_have_one_spelling),
		TEST(every_directive_takes_its_own_value_back),
		TEST(no_two_directives_share_a_name),
		TEST(alias_and_name_are_one_value),
		TEST(values_without_a_field_are_checked_and_kept),
		TEST(values_out_of_reach_are_moved_into_it),
		TEST(lists_print_as_redis_prints_them),
		TEST(too_many_save_points_are_refused),
		TEST(dir_changes_the_working_directory_and_stays_absolute),
		TEST(words_follow_the_quoting_of_redis_conf),
		TEST(quoted_words_read_back_whatever_their_bytes),
		TEST(refusals_have_the_texts_of_redis),
		TEST(own_immutable_directives_take_the_text_that_they_show_only),
		TEST(several_pairs_change_all_or_nothing),
		TEST(what_is_fixed_at_start_takes_only_its_present_value),
		TEST(hook_hears_of_what_changed_only),
		TEST(hook_that_refuses_undoes_everything),
		TEST(names_of_redis_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
