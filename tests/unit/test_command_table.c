/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command table: look-up, places of keys, categories; and the COMMAND family on top of it.
 */
#include "app/commands/command.h"

#include "app/commands/command_facts.h"
#include "app/commands/server_cmds.h"
#include "dataplane/obuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* --- families of the test's own --------------------------------------------------------------- */

static int zmpop_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	int64_t nr;

	if (!arg_int(&argv[1], &nr) || nr < 1 || nr > (int64_t)argc - 2)
		return -1;
	for (uint32_t i = 0; i < nr && i < max; i++)
		pos[i] = i + 2;
	return (int)nr;
}

static struct command object_subs[] = {
	{"freq", NULL, 3, CMD_READONLY, .first_key = 2, .last_key = 2, .key_step = 1,
		.categories = "keyspace"},
	{"help", NULL, 2, CMD_LOADING | CMD_STALE},
	{0},
};

struct command string_commands[] = {
	{"get", NULL, 2, CMD_READONLY | CMD_FAST, 1, 1, 1, "string", .since = "1.0.0",
		.categories = "string"},
	{"set", NULL, -3, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", .since = "1.0.0",
		.categories = "string"},
	{"psetex", NULL, 4, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "string", .since = "2.6.0",
		.complexity = "O(1)", .summary = "S", .categories = "string"},
	{"mset", NULL, -3, CMD_WRITE | CMD_DENYOOM, 1, -1, 2, "string", .categories = "string"},
	{"lcs", NULL, -3, CMD_READONLY, 1, 2, 1, "string", .categories = "string"},
	{0},
};
struct command bitmap_commands[] = {
	{"bitfield", NULL, -2, CMD_WRITE | CMD_DENYOOM, 1, 1, 1, "bitmap", .categories = "bitmap"},
	{"bitop", NULL, -4, CMD_WRITE | CMD_DENYOOM, 2, -1, 1, "bitmap", .categories = "bitmap"},
	{0},
};
struct command key_commands[] = {
	{"object", NULL, -2, 0, .group = "generic", .subs = object_subs},
	{"zmpop", NULL, -4, CMD_WRITE | CMD_MOVABLE_KEYS, .keys = zmpop_keys,
		.categories = "sortedset"},
	{"own-thing", NULL, -2, CMD_WRITE, 1, -1, 1},
	{0},
};
struct command connection_commands[] = {
	{"ping", NULL, -1, CMD_FAST, .group = "connection", .categories = "connection"},
	{"getset", NULL, 3, CMD_WRITE | CMD_FAST, 1, 1, 1, "string", .since = "1.0.0",
		.summary = "S"},
	{0},
};
struct command server_commands[] = {
	{"command", command_command, -1, CMD_LOADING | CMD_STALE, .group = "server",
		.subs = command_subcommands},
	{"shutdown", NULL, -1, CMD_ADMIN | CMD_NOSCRIPT, .group = "server"},
	{0},
};
struct command repl_commands[] = {{0}};
struct command pubsub_commands[] = {{0}};
struct command multi_commands[] = {{0}};
struct command script_commands[] = {{0}};
struct command hash_commands[] = {{0}};
struct command list_commands[] = {{0}};
struct command stream_commands[] = {{0}};
struct command set_commands[] = {{0}};
struct command hll_commands[] = {{0}};
struct command geo_commands[] = {{0}};
struct command zset_commands[] = {{0}};

#define NR_TOP 14

/* --- a client whose output can be read -------------------------------------------------------- */

struct fixture {
	struct server *srv;
	struct app_core *ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c;
	struct slice argv[16];
	char text[32768];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv = calloc(1, sizeof(*f->srv));
	f->ac = calloc(1, sizeof(*f->ac));
	assert_non_null(f->srv);
	assert_non_null(f->ac);
	rte_spinlock_init(&f->srv->err_lock);
	TAILQ_INIT(&f->ac->dirty);
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->out, &f->pool);
	f->c.srv = f->srv;
	f->c.ac = f->ac;
	f->c.out = &f->out;
	f->c.resp = 2;
	f->c.argv = f->argv;
	command_table_setup();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(f->c.deferred);
	obuf_fini(&f->out);
	obuf_pool_fini(&f->pool);
	free(f->srv);
	free(f->ac);
	free(f);
	return 0;
}

/* Cuts the line at blanks into words. Returns their number. */
static uint32_t words(struct slice argv[16], const char *line)
{
	uint32_t argc = 0;

	while (*line) {
		size_t len = strcspn(line, " ");

		argv[argc++] = (struct slice){line, len};
		line += len + (line[len] == ' ');
	}
	return argc;
}

/* Runs a command line and returns what was replied. */
static const char *run(struct fixture *f, const char *line)
{
	const struct command *cmd;
	size_t len;

	f->c.argc = words(f->argv, line);
	cmd = command_lookup(f->srv, f->argv, f->c.argc, NULL);
	assert_non_null(cmd);
	f->c.cmd = cmd;
	cmd->fn(&f->c);
	len = (size_t)obuf_len(&f->out);
	assert_true(len < sizeof(f->text));
	obuf_copy_at(&f->out, 0, f->text, (uint32_t)len);
	f->text[len] = '\0';
	obuf_consume(&f->out, len);
	return f->text;
}

static const struct command *find(const char *line, const struct command **container)
{
	struct slice argv[16];

	return command_lookup(NULL, argv, words(argv, line), container);
}

/* --- look-up ---------------------------------------------------------------------------------- */

static void names_are_found_in_any_case(void **state)
{
	assert_ptr_equal(find("get", NULL), &string_commands[0]);
	assert_ptr_equal(find("GeT a b c", NULL), &string_commands[0]);
	assert_ptr_equal(find("OBJECT", NULL), &key_commands[0]);
	assert_null(find("ge", NULL));
	assert_null(find("gett", NULL));
	assert_null(find("a-name-that-is-longer-than-any-command-has", NULL));
	assert_null(find("g\x05t", NULL)); /* folds to e, as hashed */
	assert_null(find("", NULL));
}

static void subcommands_are_found_below_their_container_only(void **state)
{
	const struct command *container = NULL;

	assert_ptr_equal(find("object FREQ k", &container), &object_subs[0]);
	assert_null(container);
	assert_null(find("object nope", &container));
	assert_ptr_equal(container, &key_commands[0]);
	assert_null(find("freq", &container));
	assert_null(container);
	assert_string_equal(find("object help", NULL)->name, "help");
	assert_ptr_not_equal(find("object help", NULL), find("command help", NULL));
}

static void full_names_are_taken_strictly(void **state)
{
	assert_ptr_equal(command_by_name("object|freq", 11), &object_subs[0]);
	assert_ptr_equal(command_by_name("OBJECT", 6), &key_commands[0]);
	assert_null(command_by_name("get|x", 5));
	assert_null(command_by_name("object|", 7));
	assert_null(command_by_name("|freq", 5));
	assert_null(command_by_name("object|freq|x", 13));
}

static void set_up_numbers_and_links_everything(void **state)
{
	bool seen[MILLRACE_MAX_COMMANDS] = {false};
	const struct command *cmd;
	unsigned nr = 0;

	for (; (cmd = command_at(NULL, nr)); nr++) {
		assert_false(seen[cmd->id]);
		seen[cmd->id] = true;
		assert_null(cmd->parent);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++) {
			assert_false(seen[sub->id]);
			seen[sub->id] = true;
			assert_ptr_equal(sub->parent, cmd);
			assert_string_equal(sub->group, cmd->group);
		}
		assert_int_equal((cmd->flags & CMD_CONTAINER) != 0, cmd->subs != NULL);
	}
	assert_int_equal(nr, NR_TOP);
}

static void keys_follow_first_last_and_step(void **state)
{
	static const struct {
		const char *line;
		int nr;
		uint32_t pos[4];
	} cases[] = {
		{"get a", 1, {1}}, {"mset a 1 b 2", 2, {1, 3}}, {"mset a 1 b", 2, {1, 3}},
		{"lcs a b idx", 2, {1, 2}}, {"bitop and d a b", 3, {2, 3, 4}},
		{"object freq k", 1, {2}}, {"zmpop 2 a b min", 2, {2, 3}},
		{"zmpop 9 a b min", -1, {0}}, {"ping x", 0, {0}}, {"get", -1, {0}},
		{"bitop and", 0, {0}}, /* none: the arity is checked elsewhere */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice argv[16];
		uint32_t pos[4] = {0}, argc = words(argv, cases[i].line);
		const struct command *cmd = command_lookup(NULL, argv, argc, NULL);

		assert_int_equal(command_keys(cmd, argv, argc, pos, 4), cases[i].nr);
		for (int k = 0; k < cases[i].nr; k++)
			assert_int_equal(pos[k], cases[i].pos[k]);
	}
}

static void more_keys_than_room_are_counted_only(void **state)
{
	struct slice argv[16];
	uint32_t pos[2] = {0, 77}, argc = words(argv, "mset a 1 b 2 c 3");

	assert_int_equal(command_keys(&string_commands[3], argv, argc, pos, 1), 3);
	assert_int_equal(pos[0], 1);
	assert_int_equal(pos[1], 77);
}

/* --- facts ------------------------------------------------------------------------------------ */

static void check_args(struct slice list, unsigned nr_specs)
{
	struct arg_doc arg;

	while (arg_doc_next(&list, &arg)) {
		assert_true(arg.name.len > 0);
		assert_non_null(arg_doc_type_name(arg.type));
		assert_true(arg.key_spec < (int)nr_specs);
		if (arg.children.ptr) {
			assert_true(arg.children.len > 0);
			check_args(arg.children, nr_specs);
		}
	}
	assert_int_equal(list.len, 0);
}

static void every_row_of_facts_is_sorted_and_parses(void **state)
{
	const struct command_facts *const tables[] = {command_facts_base, command_facts_types};

	for (int t = 0; t < 2; t++) {
		for (const struct command_facts *row = tables[t]; row->name; row++) {
			const char *text = row->keys;
			struct key_spec spec;
			unsigned nr = 0;

			if (row[1].name)
				assert_true(strcmp(row->name, row[1].name) < 0);
			while (key_spec_next(&text, &spec))
				nr++;
			assert_true(nr <= KEY_SPECS_MAX);
			if (row->args)
				check_args((struct slice){row->args, strlen(row->args)}, nr);
			assert_int_equal(row->deprecated_since != NULL, row->replaced_by != NULL);
		}
	}
}

static void specifications_cover_the_keys_and_nothing_else(void **state)
{
	static const struct {
		const char *spec, *line, *covered; /* an x below each key */
	} cases[] = {
		{"RO 1 range/0/1/0", "get a b", ".x."},
		{"RO 1 range/-1/2/0", "mset a 1 b 2", ".x.x."},
		{"RO 2 keynum/0/1/1", "eval s 2 a b c", "...xx."},
		{"RO 2 keynum/0/1/1", "eval s 9 a b c", "......"},
		{"RO 2 keynum/0/1/1", "eval s x a", "...."},
		{"RO STREAMS/1 range/-1/1/2", "xread count 2 streams a b 0 0", "....xx.."},
		{"RO STREAMS/1 range/-1/1/2", "xread count 2", "..."},
		{"RW KEYS/-2 range/-1/1/0", "migrate h p x 0 9 keys a b", ".......xx"},
		{"RW ? ?", "sort a store b", "...."},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].spec;
		struct slice argv[16];
		uint32_t argc = words(argv, cases[i].line);
		struct key_spec spec;

		assert_true(key_spec_next(&text, &spec));
		for (uint32_t pos = 0; pos < argc; pos++)
			assert_int_equal(key_spec_covers(&spec, argv, argc, pos),
				cases[i].covered[pos] == 'x');
	}
}

static void arguments_read_in_all_their_parts(void **state)
{
	static const char text[] = "a~k#2 b{c~t='*' d~t=D_1@1.0.0}=T@2.0.0^3.0.0?*+ ip:port(x~s)";
	struct slice list = {text, strlen(text)}, inner;
	struct arg_doc arg;

	assert_int_equal(arg_doc_count(list), 3);
	assert_true(arg_doc_next(&list, &arg));
	assert_int_equal(arg.type, 'k');
	assert_int_equal(arg.key_spec, 2);
	assert_false(arg.has_token);
	assert_true(arg_doc_next(&list, &arg));
	assert_int_equal(arg.type, '{');
	assert_int_equal(arg.token.len, 1);
	assert_memory_equal(arg.since.ptr, "2.0.0", 5);
	assert_memory_equal(arg.deprecated_since.ptr, "3.0.0", 5);
	assert_int_equal(arg.flags, ARG_OPTIONAL | ARG_MULTIPLE | ARG_MULTIPLE_TOKEN);
	inner = arg.children;
	assert_true(arg_doc_next(&inner, &arg));
	assert_int_equal(*arg.token.ptr, '*');
	assert_true(arg_doc_next(&inner, &arg));
	assert_int_equal(arg.token.len, 3);
	assert_int_equal(arg.since.len, 5);
	assert_false(arg_doc_next(&inner, &arg));
	assert_true(arg_doc_next(&list, &arg));
	assert_int_equal(arg.name.len, 7);
	assert_false(arg_doc_next(&list, &arg));
}

/* --- COMMAND ---------------------------------------------------------------------------------- */

static void info_has_the_shape_of_redis_in_resp2(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(run(f, "command info get nope"),
		"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
		"*3\r\n"
		"+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n"
		"+access\r\n"
		"$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n"
		"$5\r\nindex\r\n"
		":1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n"
		"$7\r\nlastkey"
		"\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
	assert_string_equal(run(f, "command info object|freq"),
		"*1\r\n*10\r\n$11\r\nobject|freq\r\n:3\r\n*1\r\n+readonly\r\n:2\r\n:2\r\n:1\r\n"
		"*3\r\n"
		"+@keyspace\r\n+@read\r\n+@slow\r\n*1\r\n$23\r\nnondeterministic_output\r\n*1\r\n"
		"*6\r\n"
		"$5\r\nflags\r\n*1\r\n+RO\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\n"
		"index\r\n"
		"$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:2\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n"
		"$5\r\nrange"
		"\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\n"
		"limit\r\n:0\r\n"
		"*0\r\n");
}

static void info_has_the_shape_of_redis_in_resp3(void **state)
{
	struct fixture *f = *state;

	f->c.resp = 3;
	assert_string_equal(run(f, "command info zmpop x"),
		"*2\r\n*10\r\n$5\r\nzmpop\r\n:-4\r\n~2\r\n+write\r\n+movablekeys\r\n:0\r\n:0\r\n"
		":0\r\n~3\r\n"
		"+@write\r\n+@sortedset\r\n+@slow\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~3\r\n"
		"+RW\r\n+access\r\n"
		"+delete\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\n"
		"spec\r\n%1\r\n"
		"$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$6\r\nkeynum\r\n"
		"$4\r\nspec\r\n"
		"%3\r\n$9\r\nkeynumidx\r\n:0\r\n$8\r\nfirstkey\r\n:1\r\n$7\r\nkeystep\r\n:1\r\n"
		"~0\r\n_\r\n");
}

static void docs_have_the_shape_of_redis(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(run(f, "command docs nope"), "*0\r\n");
	assert_string_equal(run(f, "command docs psetex nope"),
		"*2\r\n$6\r\npsetex\r\n*10\r\n$7\r\nsummary\r\n$1\r\nS\r\n$5\r\nsince\r\n$5\r\n"
		"2.6.0\r\n"
		"$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$9\r\n"
		"arguments\r\n*3\r\n"
		"*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\n"
		"key_spec_index\r\n:0\r\n"
		"*4\r\n$4\r\nname\r\n$12\r\nmilliseconds\r\n$4\r\ntype\r\n$7\r\ninteger\r\n"
		"*4\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n");
	f->c.resp = 3;
	assert_string_equal(run(f, "command docs getset"),
		"%1\r\n$6\r\ngetset\r\n%7\r\n$7\r\nsummary\r\n$1\r\nS\r\n$5\r\nsince\r\n$5\r\n"
		"1.0.0\r\n"
		"$5\r\ngroup\r\n$6\r\nstring\r\n$9\r\ndoc_flags\r\n~1\r\n+deprecated\r\n$16\r\n"
		"deprecated_since"
		"\r\n$5\r\n6.2.0\r\n$11\r\nreplaced_by\r\n$12\r\nSET with GET\r\n$9\r\n"
		"arguments\r\n*2\r\n"
		"%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\n"
		"key_spec_index\r\n:0\r\n"
		"%2\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n");
}

static void whole_table_replies_without_names(void **state)
{
	struct fixture *f = *state;
	char first[32768];

	assert_memory_equal(run(f, "command"), "*14\r\n*10\r\n$3\r\nget\r\n", 19);
	strcpy(first, f->text);
	assert_string_equal(run(f, "command info"), first);
	assert_memory_equal(run(f, "command docs"), "*28\r\n$3\r\nget\r\n", 14);
	assert_string_equal(run(f, "command count"), ":14\r\n");
}

static void list_filters_by_category_and_pattern(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(run(f, "command list filterby pattern OBJECT*"),
		"*3\r\n$6\r\nobject\r\n$11\r\nobject|freq\r\n$11\r\nobject|help\r\n");
	assert_string_equal(run(f, "command list FILTERBY aclcat BitMap"),
		"*2\r\n$8\r\nbitfield\r\n$5\r\nbitop\r\n");
	assert_string_equal(
		run(f, "command list filterby aclcat dangerous"), "*1\r\n$8\r\nshutdown\r\n");
	assert_string_equal(run(f, "command list filterby aclcat nope"), "*0\r\n");
	assert_string_equal(run(f, "command list filterby module get"), "*0\r\n");
	assert_string_equal(run(f, "command list filterby get x"), "-ERR syntax error\r\n");
	assert_string_equal(run(f, "command list x"), "-ERR syntax error\r\n");
	assert_memory_equal(run(f, "command list"), "*23\r\n", 5);
}

static void getkeys_finds_keys_or_says_why_not(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(run(f, "command getkeys mset a b c d"), "*2\r\n$1\r\na\r\n$1\r\nc\r\n");
	assert_string_equal(run(f, "command getkeys object freq k"), "*1\r\n$1\r\nk\r\n");
	assert_string_equal(run(f, "command getkeys nope x"), "-ERR Invalid command specified\r\n");
	assert_string_equal(
		run(f, "command getkeys object nope"), "-ERR Invalid command specified\r\n");
	assert_string_equal(
		run(f, "command getkeys ping x"), "-ERR The command has no key arguments\r\n");
	assert_string_equal(run(f, "command getkeys get a b"),
		"-ERR Invalid number of arguments specified for command\r\n");
	assert_string_equal(run(f, "command getkeys zmpop 9 a min"),
		"-ERR Invalid arguments specified for command\r\n");
}

static void getkeysandflags_tells_what_happens_to_each_key(void **state)
{
	static const struct {
		const char *line, *reply;
	} cases[] = {
		{"set a b get", "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n"},
		{"set a b", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n"},
		{"bitfield a get u8 1", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n"},
		{"bitfield a get u8 1 set u8 1 1",
			"*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n"},
		{"bitop and d a b",
			"*3\r\n*2\r\n$1\r\nd\r\n*2\r\n+OW\r\n+update\r\n*2\r\n$1\r\na\r\n*2\r\n"
			"+RO\r\n"
			"+access\r\n*2\r\n$1\r\nb\r\n*2\r\n+RO\r\n+access\r\n"},
		{"own-thing a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RW\r\n+update\r\n"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[128] = "command getkeysandflags ";

		strcat(line, cases[i].line);
		assert_string_equal(run(f, line), cases[i].reply);
	}
	f->c.resp = 3;
	assert_string_equal(run(f, "command getkeysandflags get a"),
		"*1\r\n*2\r\n$1\r\na\r\n~2\r\n+RO\r\n+access\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_found_in_any_case),
		TEST(subcommands_are_found_below_their_container_only),
		TEST(full_names_are_taken_strictly),
		TEST(set_up_numbers_and_links_everything),
		TEST(keys_follow_first_last_and_step),
		TEST(more_keys_than_room_are_counted_only),
		TEST(every_row_of_facts_is_sorted_and_parses),
		TEST(specifications_cover_the_keys_and_nothing_else),
		TEST(arguments_read_in_all_their_parts),
		TEST(info_has_the_shape_of_redis_in_resp2),
		TEST(info_has_the_shape_of_redis_in_resp3),
		TEST(docs_have_the_shape_of_redis),
		TEST(whole_table_replies_without_names),
		TEST(list_filters_by_category_and_pattern),
		TEST(getkeys_finds_keys_or_says_why_not),
		TEST(getkeysandflags_tells_what_happens_to_each_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
