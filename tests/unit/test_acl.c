/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ACLs: rules read and written, commands checked against them, the table of users, the log.
 */
#include "app/acl/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- families of the test's own --------------------------------------------------------------- */

static struct command config_subs[] = {
	{"get", NULL, -3, CMD_ADMIN | CMD_NOSCRIPT},
	{"set", NULL, -4, CMD_ADMIN | CMD_NOSCRIPT},
	{0},
};

struct command string_commands[] = {
	{"get", NULL, 2, CMD_READONLY | CMD_FAST, 1, 1, 1, .categories = "string"},
	{"set", NULL, -3, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, .categories = "string"},
	{"append", NULL, 3, CMD_WRITE | CMD_DENYOOM | CMD_FAST, 1, 1, 1, .categories = "string"},
	{"mget", NULL, -2, CMD_READONLY | CMD_FAST, 1, -1, 1, .categories = "string"},
	{0},
};
struct command key_commands[] = {
	{"del", NULL, -2, CMD_WRITE, 1, -1, 1, .categories = "keyspace"},
	{"copy", NULL, -3, CMD_WRITE, 1, 2, 1, .categories = "keyspace"},
	{"exists", NULL, -2, CMD_READONLY | CMD_FAST, 1, -1, 1, .categories = "keyspace"},
	{0},
};
struct command connection_commands[] = {
	{"auth", NULL, -2, CMD_NO_AUTH | CMD_FAST, .categories = "connection"},
	{"select", NULL, 2, CMD_FAST, .categories = "connection"},
	{0},
};
struct command server_commands[] = {
	{"config", NULL, -2, 0, .subs = config_subs},
	{"flushall", NULL, -1, CMD_WRITE, .categories = "keyspace dangerous"},
	{0},
};
struct command pubsub_commands[] = {
	{"publish", NULL, 3, CMD_PUBSUB | CMD_FAST},
	{"psubscribe", NULL, -2, CMD_PUBSUB},
	{"subscribe", NULL, -2, CMD_PUBSUB},
	{"ssubscribe", NULL, -2, CMD_PUBSUB | CMD_NOT_KEYS, 1, -1, 1},
	{0},
};
struct command repl_commands[] = {{0}};
struct command multi_commands[] = {{0}};
struct command script_commands[] = {{0}};
struct command hash_commands[] = {{0}};
struct command list_commands[] = {{0}};
struct command stream_commands[] = {{0}};
struct command set_commands[] = {{0}};
struct command hll_commands[] = {{0}};
struct command geo_commands[] = {{0}};
struct command bitmap_commands[] = {{0}};
struct command zset_commands[] = {{0}};

/* --- fixture ---------------------------------------------------------------------------------- */

struct fixture {
	struct acl *acl;
	char text[1024];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	command_table_setup();
	f->acl = acl_create();
	assert_non_null(f->acl);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	acl_destroy(&f->acl);
	free(f);
	return 0;
}

#define MAX_WORDS 16

/* The words of a line. Valid until the next one. */
static uint32_t words(const char *line, struct slice argv[MAX_WORDS])
{
	uint32_t argc = 0;

	while (*line) {
		size_t len = strcspn(line, " ");

		assert_in_range(argc, 0, MAX_WORDS - 1);
		argv[argc++] = (struct slice){line, len};
		line += len + (line[len] == ' ');
	}
	return argc;
}

static int try_set(struct fixture *f, const char *name, const char *rules)
{
	struct slice argv[MAX_WORDS], who = slice_str(name);
	uint32_t argc = words(rules, argv);
	struct textbuf err;
	int rc;

	textbuf_init(&err);
	rc = acl_set(f->acl, &who, argc, argv, &err);
	snprintf(f->text, sizeof(f->text), "%s", textbuf_str(&err));
	textbuf_fini(&err);
	return rc;
}

static void set(struct fixture *f, const char *name, const char *rules)
{
	assert_int_equal(try_set(f, name, rules), 0);
}

static void refused(struct fixture *f, const char *rules, const char *why)
{
	assert_int_equal(try_set(f, "eve", rules), -EINVAL);
	assert_string_equal(f->text, why);
	assert_null(acl_find(f->acl, "eve", 3)); /* nothing has been made */
}

static const char *line_of(struct fixture *f, const char *name)
{
	struct acl_user *u = acl_find(f->acl, name, strlen(name));
	struct textbuf tb;

	assert_non_null(u);
	textbuf_init(&tb);
	acl_user_print(&tb, &f->acl->catalog, u);
	snprintf(f->text, sizeof(f->text), "%s", textbuf_str(&tb));
	textbuf_fini(&tb);
	acl_user_put(u);
	return f->text;
}

static enum acl_verdict verdict(struct fixture *f, const char *name, const char *line, uint32_t *at)
{
	struct acl_user *u = acl_find(f->acl, name, strlen(name));
	struct slice argv[MAX_WORDS];
	uint32_t argc = words(line, argv);
	const struct command *cmd = command_lookup(NULL, argv, argc, NULL);
	enum acl_verdict v;

	assert_non_null(u);
	assert_non_null(cmd);
	v = acl_check(u, cmd, argv, argc, at);
	acl_user_put(u);
	return v;
}

static enum acl_verdict tried(struct fixture *f, const char *line)
{
	uint32_t at;

	return verdict(f, "bob", line, &at);
}

/* --- rules ------------------------------------------------------------------------------------ */

static void default_may_do_everything(void **state)
{
	struct fixture *f = *state;
	uint32_t at;

	assert_string_equal(line_of(f, "default"), "on nopass ~* &* +@all");
	assert_int_equal(verdict(f, "default", "config set a b", &at), ACL_ALLOWED);
	assert_true(acl_is_open(f->acl));
}

static void new_user_may_do_nothing(void **state)
{
	struct fixture *f = *state;

	set(f, "bob", "");
	assert_string_equal(line_of(f, "bob"), "off resetchannels -@all");
	assert_int_equal(tried(f, "get a"), ACL_DENIED_COMMAND);
	assert_int_equal(tried(f, "auth x"), ACL_ALLOWED);
	atomic_store(&f->acl->all_channels, true);
	set(f, "joe", "(+get)");
	assert_string_equal(line_of(f, "joe"), "off &* -@all (&* -@all +get)");
}

#define HASH_X "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

static void rules_are_written_as_read(void **state)
{
	static const char *const cases[][2] = {
		{"on nopass", "on nopass resetchannels -@all"},
		{"on >x >x", "on #" HASH_X " resetchannels -@all"},
		{">x <x", "off resetchannels -@all"},
		{"#" HASH_X " !" HASH_X, "off resetchannels -@all"},
		{"nopass >x", "off #" HASH_X " resetchannels -@all"},
		{">x nopass", "off nopass resetchannels -@all"},
		{">x resetpass", "off resetchannels -@all"},
		{"SKIP-SANITIZE-PAYLOAD", "off skip-sanitize-payload resetchannels -@all"},
		{"~a ~b ~a %R~c %W~c %r~d %Wr~e", "off ~a ~b ~c %R~d ~e resetchannels -@all"},
		{"~a ~*", "off ~* resetchannels -@all"},
		{"allkeys resetkeys ~x", "off ~x resetchannels -@all"},
		{"&a &b &a", "off resetchannels &a &b -@all"},
		{"&a allchannels", "off &* -@all"},
		{"+@all", "off resetchannels +@all"},
		{"+get +SET", "off resetchannels -@all +get +set"},
		{"+@all -get", "off resetchannels +@all -get"},
		{"+@all -@string", "off resetchannels +@all -@string"},
		{"+@string -append", "off resetchannels -@all +@string -append"},
		{"+config", "off resetchannels -@all +@admin +config"},
		{"+config|get", "off resetchannels -@all +config|get"},
		{"+@all -config|set", "off resetchannels +@all -config|set"},
		{"+select|0 +select|1 +select|0", "off resetchannels -@all +select|0 +select|1"},
		{"+select|0 -select", "off resetchannels -@all"},
		{"+select|0 +@connection", "off resetchannels -@all +@connection"},
		{"(~a +get)", "off resetchannels -@all (~a resetchannels -@all +get)"},
		{"(~a +get) (~b +set) clearselectors", "off resetchannels -@all"},
		{"on >x ~* &* +@all (~a) reset", "off sanitize-payload resetchannels -@all"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f = *state;

		set(f, "bob", cases[i][0]);
		assert_string_equal(line_of(f, "bob"), cases[i][1]);
		acl_delete(f->acl, "bob", 3);
		set(f, "bob", cases[i][1]); /* and read as written */
		assert_string_equal(line_of(f, "bob"), cases[i][1]);
		acl_delete(f->acl, "bob", 3);
	}
}

#define IN(rule) "Error in ACL SETUSER modifier '" rule "': "

static void wrong_rules_change_nothing(void **state)
{
	struct fixture *f = *state;

	refused(f, "on nonsense", IN("nonsense") "Syntax error");
	refused(f, "+nonsense", IN("+nonsense") "Unknown command or category name in ACL");
	refused(f, "+@nonsense", IN("+@nonsense") "Unknown command or category name in ACL");
	refused(f, "-get|x", IN("-get|x") "Unknown command or category name in ACL");
	refused(f, "+config|x", IN("+config|x") "Unknown command or category name in ACL");
	refused(f, "+select|", IN("+select|") "Syntax error");
	refused(f, "+config|get|x",
		IN("+config|get|x") "Allowing first-arg of a subcommand is not supported");
	refused(f, "%~a", IN("%~a") "Syntax error");
	refused(f, "%RR~a", IN("%RR~a") "Syntax error");
	refused(f, "~a\tb", IN("~a\tb") "Syntax error");
	refused(f, "<x",
		IN("<x") "The password you are trying to remove from the user does not "
			 "exist");
	refused(f, "#abc",
		IN("#abc") "The password hash must be exactly 64 characters and contain "
			   "only lowercase hexadecimal characters");
	refused(f, "(~a", "Unmatched parenthesis in acl selector starting at '(~a'.");
	refused(f, "(on)", IN("(on)") "Syntax error");
	assert_int_equal(try_set(f, "eve", "~* ~a"), -EINVAL);
	assert_int_equal(try_set(f, "eve", "&* &a"), -EINVAL);
}

static void one_wrong_rule_undoes_the_others(void **state)
{
	struct fixture *f = *state;

	set(f, "bob", "on +get");
	assert_int_equal(try_set(f, "bob", "off +set nonsense"), -EINVAL);
	assert_string_equal(line_of(f, "bob"), "on resetchannels -@all +get");
}

static void passwords_have_to_be_whole(void **state)
{
	struct fixture *f = *state;
	struct acl_user *u;

	set(f, "bob", "on >sesame >x");
	u = acl_find(f->acl, "bob", 3);
	assert_true(acl_user_accepts(u, "sesame", 6));
	assert_true(acl_user_accepts(u, "x", 1));
	assert_false(acl_user_accepts(u, "sesam", 5));
	assert_false(acl_user_accepts(u, "", 0));
	set(f, "bob", "off");
	assert_true(acl_user_accepts(u, "x", 1)); /* a state of before is as it was */
	assert_true(atomic_load(&u->stale));
	acl_user_put(u);
	u = acl_find(f->acl, "bob", 3);
	assert_false(acl_user_accepts(u, "x", 1));
	acl_user_put(u);
}

/* --- checks ----------------------------------------------------------------------------------- */

static void keys_are_checked_by_what_happens_to_them(void **state)
{
	struct fixture *f = *state;
	uint32_t at;

	set(f, "bob", "on +@all %R~r* %W~w* ~a*");
	assert_int_equal(tried(f, "get r1"), ACL_ALLOWED);
	assert_int_equal(tried(f, "get w1"), ACL_DENIED_KEY);
	assert_int_equal(tried(f, "set w1 v"), ACL_ALLOWED);
	assert_int_equal(tried(f, "set r1 v"), ACL_DENIED_KEY);
	assert_int_equal(tried(f, "set w1 v get"), ACL_DENIED_KEY); /* reads it too */
	assert_int_equal(tried(f, "set a v get"), ACL_ALLOWED);
	assert_int_equal(tried(f, "copy r1 w1"), ACL_ALLOWED);
	assert_int_equal(tried(f, "copy w1 r1"), ACL_DENIED_KEY);
	assert_int_equal(tried(f, "exists w1 r1"), ACL_ALLOWED); /* no access to the value */
	assert_int_equal(tried(f, "exists x"), ACL_DENIED_KEY);
	assert_int_equal(verdict(f, "bob", "mget a1 r1 x1 x2", &at), ACL_DENIED_KEY);
	assert_int_equal(at, 3);
}

static void many_keys_are_all_checked(void **state)
{
	struct fixture *f = *state;
	const struct command *cmd = command_by_name("mget", 4);
	struct slice argv[200];
	struct acl_user *u;
	uint32_t at;

	set(f, "bob", "+mget ~a");
	argv[0] = slice_str("mget");
	for (int i = 1; i < 200; i++)
		argv[i] = slice_str("a");
	u = acl_find(f->acl, "bob", 3);
	assert_int_equal(acl_check(u, cmd, argv, 200, &at), ACL_ALLOWED);
	argv[199] = slice_str("b");
	assert_int_equal(acl_check(u, cmd, argv, 200, &at), ACL_DENIED_KEY);
	assert_int_equal(at, 199);
	acl_user_put(u);
}

static void any_selector_is_enough(void **state)
{
	struct fixture *f = *state;

	set(f, "bob", "+get ~a (+set ~b) (+@all %R~c)");
	assert_int_equal(tried(f, "get a"), ACL_ALLOWED);
	assert_int_equal(tried(f, "set b 1"), ACL_ALLOWED);
	assert_int_equal(tried(f, "mget c c"), ACL_ALLOWED);
	assert_int_equal(tried(f, "set a 1"), ACL_DENIED_KEY);
	assert_int_equal(tried(f, "mget a c"), ACL_DENIED_KEY); /* by one alone */
	set(f, "bob", "clearselectors");
	assert_int_equal(tried(f, "set b 1"), ACL_DENIED_COMMAND);
}

static void first_arguments_and_subcommands(void **state)
{
	struct fixture *f = *state;

	set(f, "bob", "+select|1 +config|get");
	assert_int_equal(tried(f, "select 1"), ACL_ALLOWED);
	assert_int_equal(tried(f, "select 2"), ACL_DENIED_COMMAND);
	assert_int_equal(tried(f, "config get x"), ACL_ALLOWED);
	assert_int_equal(tried(f, "config set x y"), ACL_DENIED_COMMAND);
	set(f, "bob", "+config -config|get");
	assert_int_equal(tried(f, "config get x"), ACL_DENIED_COMMAND);
	assert_int_equal(tried(f, "config set x y"), ACL_ALLOWED);
}

static void channels_match_and_patterns_are_equal(void **state)
{
	struct fixture *f = *state;

	set(f, "bob", "+@all ~* &a* &b");
	assert_int_equal(tried(f, "publish a1 m"), ACL_ALLOWED);
	assert_int_equal(tried(f, "publish c m"), ACL_DENIED_CHANNEL);
	assert_int_equal(tried(f, "subscribe a1 b"), ACL_ALLOWED);
	assert_int_equal(tried(f, "subscribe a1 c"), ACL_DENIED_CHANNEL);
	assert_int_equal(tried(f, "ssubscribe a1 c"), ACL_DENIED_CHANNEL);
	assert_int_equal(tried(f, "psubscribe a*"), ACL_ALLOWED);
	assert_int_equal(tried(f, "psubscribe a1*"), ACL_DENIED_CHANNEL);
	/* a channel is no key */
	set(f, "bob", "resetkeys ~k &*");
	assert_int_equal(tried(f, "ssubscribe x"), ACL_ALLOWED);
}

static void sort_patterns_need_every_key(void **state)
{
	const struct command *get = command_by_name("get", 3);
	struct slice argv[] = {{"get", 3}, {"a", 1}};
	static const struct {
		const char *rules;
		bool allowed;
	} cases[] = {
		{"+@all ~*", true},
		{"+@all %R~*", true},
		{"+@all %W~* ~a", false},
		{"+@all ~a", false},
		{"+get ~a (+@all ~*)", true},
		{"+get ~a (+set ~*)", false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl_user *u;

		set(f, "bob", cases[i].rules);
		u = acl_find(f->acl, "bob", 3);
		assert_int_equal(acl_check_all_keys(u, get, argv, 2, ACL_READ), cases[i].allowed);
		acl_user_put(u);
		acl_delete(f->acl, "bob", 3);
	}
}

static void channels_that_are_kept(void **state)
{
	static const struct {
		const char *before, *now;
		bool kept;
	} cases[] = {
		{"&a &b", "&b &a &c", true},
		{"&a (&b)", "&b &a", true},
		{"&a &b", "&a", false},
		{"allchannels", "&*x", false},
		{"&a", "allchannels", true},
		{"&a", "(&*)", true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct acl_user *before, *now;

		set(f, "bob", cases[i].before);
		before = acl_find(f->acl, "bob", 3);
		set(f, "bob", "resetchannels clearselectors");
		set(f, "bob", cases[i].now);
		now = acl_find(f->acl, "bob", 3);
		assert_int_equal(acl_channels_kept(before, now), cases[i].kept);
		assert_int_equal(before->account, now->account);
		acl_user_put(before);
		acl_user_put(now);
		acl_delete(f->acl, "bob", 3);
	}
}

/* --- the table -------------------------------------------------------------------------------- */

static void users_are_in_order_of_their_names(void **state)
{
	struct fixture *f = *state;
	struct acl_user **users;
	unsigned nr;

	set(f, "zoe", "");
	set(f, "ann", "");
	set(f, "anna", "");
	users = acl_users(f->acl, &nr);
	assert_int_equal(nr, 4);
	assert_string_equal(users[0]->name, "ann");
	assert_string_equal(users[1]->name, "anna");
	assert_string_equal(users[2]->name, "default");
	assert_string_equal(users[3]->name, "zoe");
	acl_users_put(users, nr);
	assert_true(acl_delete(f->acl, "ann", 3));
	assert_false(acl_delete(f->acl, "ann", 3));
	assert_null(acl_find(f->acl, "ann", 3));
}

static void who_has_the_name_again_is_another(void **state)
{
	struct fixture *f = *state;
	struct acl_user *first, *second;
	unsigned before;

	set(f, "bob", "on");
	first = acl_find(f->acl, "bob", 3);
	before = atomic_load(&f->acl->changes);
	acl_delete(f->acl, "bob", 3);
	assert_int_not_equal(atomic_load(&f->acl->changes), before);
	set(f, "bob", "on");
	second = acl_find(f->acl, "bob", 3);
	assert_int_not_equal(first->account, second->account);
	assert_true(atomic_load(&first->stale));
	assert_false(atomic_load(&second->stale));
	acl_user_put(first);
	acl_user_put(second);
}

static void requirepass_is_the_password_of_default(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(acl_default_password(f->acl, "x"), 0);
	assert_string_equal(line_of(f, "default"), "on #" HASH_X " ~* &* +@all");
	assert_false(acl_is_open(f->acl));
	assert_int_equal(acl_default_password(f->acl, ""), 0);
	assert_string_equal(line_of(f, "default"), "on nopass ~* &* +@all");
	assert_true(acl_is_open(f->acl));
	set(f, "default", "off");
	assert_false(acl_is_open(f->acl));
}

static void all_are_replaced_but_default_stays(void **state)
{
	struct fixture *f = *state;
	struct acl_user *was, *is, *bob, *user;

	set(f, "bob", "on");
	set(f, "default", "off");
	was = acl_find(f->acl, "default", 7);
	bob = acl_find(f->acl, "bob", 3);
	user = acl_user_create("bob", 3, false);
	assert_int_equal(acl_replace_all(f->acl, &user, 1), 0);
	is = acl_find(f->acl, "default", 7);
	assert_int_equal(was->account, is->account);
	assert_true(atomic_load(&was->stale));
	assert_true(is->enabled);
	assert_true(acl_is_open(f->acl));
	assert_int_not_equal(bob->account, user->account);
	acl_user_put(was);
	acl_user_put(is);
	acl_user_put(bob);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void log_add(struct fixture *f, const char *object, int64_t now_ms)
{
	struct slice what = slice_str(object), who = slice_str("bob");

	acl_log_add(
		&f->acl->log, ACL_DENIED_KEY, ACL_CONTEXT_TOPLEVEL, &what, &who, "id=1", now_ms, 3);
}

static void like_entries_are_counted_together(void **state)
{
	struct acl_log_entry *e;
	struct fixture *f = *state;
	struct acl_log_list list;

	log_add(f, "a", 1000);
	log_add(f, "b", 2000);
	log_add(f, "a", 61000); /* within a minute */
	log_add(f, "b", 62001); /* not */
	assert_int_equal(acl_log_take(&f->acl->log, 10, &list), 3);
	e = TAILQ_FIRST(&list);
	assert_string_equal(e->object, "b");
	assert_int_equal(e->count, 1);
	e = TAILQ_NEXT(e, link);
	assert_string_equal(e->object, "a");
	assert_int_equal(e->count, 2);
	assert_int_equal(e->time_ms, 61000);
	acl_log_list_free(&list);
}

static void log_keeps_so_many(void **state)
{
	struct fixture *f = *state;
	struct acl_log_list list;
	char name[2] = "a";

	for (; name[0] < 'f'; name[0]++)
		log_add(f, name, 1000);
	assert_int_equal(acl_log_take(&f->acl->log, 2, &list), 2);
	assert_string_equal(TAILQ_FIRST(&list)->object, "e");
	acl_log_list_free(&list);
	assert_int_equal(acl_log_take(&f->acl->log, 10, &list), 3);
	acl_log_list_free(&list);
	acl_log_reset(&f->acl->log);
	assert_int_equal(acl_log_take(&f->acl->log, 10, &list), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(default_may_do_everything),
		TEST(new_user_may_do_nothing),
		TEST(rules_are_written_as_read),
		TEST(wrong_rules_change_nothing),
		TEST(one_wrong_rule_undoes_the_others),
		TEST(passwords_have_to_be_whole),
		TEST(keys_are_checked_by_what_happens_to_them),
		TEST(many_keys_are_all_checked),
		TEST(any_selector_is_enough),
		TEST(first_arguments_and_subcommands),
		TEST(channels_match_and_patterns_are_equal),
		TEST(sort_patterns_need_every_key),
		TEST(channels_that_are_kept),
		TEST(users_are_in_order_of_their_names),
		TEST(who_has_the_name_again_is_another),
		TEST(requirepass_is_the_password_of_default),
		TEST(all_are_replaced_but_default_stays),
		TEST(like_entries_are_counted_together),
		TEST(log_keeps_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
