/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Libraries of functions, the cache of scripts, first lines, fibers.
 */
#include "app/script/library.h"

#include "app/script/cache.h"
#include "app/script/fiber.h"
#include "tests/unit/script_fixture.h"

/* --- functions -------------------------------------------------------------------------------- */

static void check_load(struct fixture *f, struct library_set *set, const char *code, bool replace,
	const char *want)
{
	char err[SCRIPT_ERR_MAX];
	const char *name =
		library_load(set, f->functions, code, strlen(code), replace, LIBRARY_LOAD_MS, err);

	assert_string_equal(name ? name : err, want);
}

static char *outcome_of(struct fixture *f, const struct library_set *set, const char *name)
{
	struct slice text = slice_str(name);
	const struct library_function *fn = library_find_function(set, &text);
	struct script_run run = {.host = &host, .name = fn->name.ptr, .c = &f->c, .resp = 2};
	char *got;
	size_t len;

	reply_capture_begin(&f->c);
	script_vm_run_function(f->functions, fn->lib->id, &run);
	got = reply_capture_end(&f->c, &len);
	assert_non_null(got);
	return got;
}

static void check_function(
	struct fixture *f, const struct library_set *set, const char *name, const char *want)
{
	char *got = outcome_of(f, set, name);

	assert_string_equal(got, want);
	free(got);
}

static void libraries_register_functions(void **state)
{
	struct library_set set = {0};
	struct slice name = slice_str("LIB"), lib = slice_str("lib");
	uint32_t flags = 0;

	check_load(*state, &set,
		"#!lua name=lib\nredis.register_function('one', function(k, a) return #k + 1 end)\n"
		"redis.register_function{function_name = 'two', callback = function() return redis.call("
		"'no') end, flags = {'no-writes'}, description = 'd'}",
		false, "lib");
	check_function(*state, &set, "one", ":1\r\n");
	check_function(
		*state, &set, "TWO", "-ERR refused no script: two, on @user_function:3.\r\n");
	name = slice_str("tWo");
	assert_true(library_function_flags(&set, &name, &flags));
	assert_int_equal(flags, SCRIPT_NO_WRITES);
	assert_non_null(library_find(&set, &lib));
	assert_true(library_delete(&set, &lib));
	assert_false(library_delete(&set, &lib));
	assert_int_equal(set.nr_functions, 0);
	assert_int_equal(set.bytes, 0);
	library_set_fini(&set);
}

static void libraries_are_refused_with_a_reason(void **state)
{
	static const struct example cases[] = {
		{"return 1", "ERR Missing library metadata"},
		{"#!lua name=x", "ERR Invalid library metadata"},
		{"#!lua\n", "ERR Library name was not given"},
		{"#!lua name=a-b\n", "ERR Library names can only contain letters, numbers, or "
				     "underscores(_) and must be at least one character long"},
		{"#!js name=x\n", "ERR Engine 'js' not found"},
		{"#!lua name=x foo=bar\n", "ERR Invalid metadata value given: foo=bar"},
		{"#!lua name=x name=y\n",
			"ERR Invalid metadata value, name argument was given multiple times"},
		{"#!lua name=x\n", "ERR No functions registered"},
		{"#!lua name=x\nbad code",
			"ERR Error compiling function: user_function:2: '=' expected near 'code'"},
		{"#!lua name=x\nredis.call('get')",
			"ERR Error registering functions: ERR user_function:2: Script attempted to access "
			"nonexistent global variable 'call'"},
		{"#!lua name=x\nlocal y = math.pi",
			"ERR Error registering functions: ERR user_function:2: Script attempted to access "
			"nonexistent global variable 'math'"},
		{"#!lua name=x\nfunction g() end",
			"ERR Error registering functions: ERR user_function:2: Attempt to modify a "
			"readonly table"},
		{"#!lua name=x\nredis.register_function('f')",
			"ERR Error registering functions: ERR calling redis.register_function with a "
			"single argument is only applicable to Lua table (representing named "
			"arguments)."},
		{"#!lua name=x\nredis.register_function('f', 1)",
			"ERR Error registering functions: ERR second argument to "
			"redis.register_function must be a function"},
		{"#!lua name=x\nredis.register_function{function_name = 'f', callback = function() end, "
		 "flags = {'bad'}}",
			"ERR Error registering functions: ERR unknown flag given"},
		{"#!lua name=x\nredis.register_function('f-', function() end)",
			"ERR Error registering functions: ERR Library names can only contain letters, "
			"numbers, or underscores(_) and must be at least one character long"},
		{"#!lua name=x\nwhile true do end",
			"ERR Error registering functions: ERR FUNCTION LOAD timeout"},
		{"#!lua name=lib\n", "ERR Library 'lib' already exists"},
		{"#!lua name=x\nredis.register_function('F', function() end)",
			"ERR Function F already exists"},
	};
	struct library_set set = {0};

	check_load(*state, &set, "#!lua name=lib\nredis.register_function('f', function() end)",
		false, "lib");
	for (size_t i = 0; i < NR(cases); i++)
		check_load(*state, &set, cases[i].code, false, cases[i].want);
	assert_int_equal(set.nr, 1);
	assert_int_equal(set.nr_functions, 1);
	library_set_fini(&set);
}

static void library_that_cannot_come_leaves_the_old_one(void **state)
{
	static const char good[] =
		"#!lua name=lib\nredis.register_function('f', function() return 1 end)";
	struct library_set set = {0};

	check_load(*state, &set, good, false, "lib");
	check_load(*state, &set, "#!lua name=lib\n", true, "ERR No functions registered");
	check_function(*state, &set, "f", ":1\r\n");
	check_load(*state, &set,
		"#!lua name=lib\nredis.register_function('f', function() return 2 end)", true,
		"lib");
	check_function(*state, &set, "f", ":2\r\n");
	library_set_fini(&set);
}

static void sets_join_as_a_whole_or_not_at_all(void **state)
{
	static const char one[] = "#!lua name=one\nredis.register_function('f', function() end)";
	static const char two[] = "#!lua name=two\nredis.register_function('F', function() end)";
	static const char one_more[] =
		"#!lua name=one\nredis.register_function('g', function() end)";
	struct library_set node = {0}, set = {0};
	char err[SCRIPT_ERR_MAX];

	check_load(*state, &node, one, false, "one");
	check_load(*state, &set, two, false, "two");
	assert_false(library_join(&node, &set, true, err));
	assert_string_equal(err, "ERR Function F already exists");
	assert_int_equal(set.nr, 1);
	library_set_fini(&set);
	check_load(*state, &set, one_more, false, "one");
	assert_false(library_join(&node, &set, false, err));
	assert_string_equal(err, "ERR Library one already exists");
	assert_true(library_join(&node, &set, true, err));
	assert_int_equal(node.nr, 1);
	assert_string_equal(node.functions[0]->name.ptr, "g");
	assert_int_equal(set.nr, 0);
	library_set_fini(&node);
}

/* --- the cache, first lines, fibers ----------------------------------------------------------- */

static void first_lines_are_read(void **state)
{
	static const struct {
		const char *code;
		uint32_t flags;
		size_t skip;
		const char *err;
	} cases[] = {
		{"return 1", SCRIPT_COMPAT, 0, NULL},
		{"#!lua\n", 0, 5, NULL},
		{"#!lua flags=no-writes,allow-stale\n", SCRIPT_NO_WRITES | SCRIPT_ALLOW_STALE, 33,
			NULL},
		{"#!lua", 0, 0, "ERR Invalid script shebang"},
		{"#!not-lua\n", 0, 0, "ERR Unexpected engine in script shebang: #!not-lua"},
		{"#!lua badger=data\n", 0, 0, "ERR Unknown lua shebang option: badger=data"},
		{"#!lua flags=no-writes,what?\n", 0, 0,
			"ERR Unexpected flag in script shebang: what?"},
	};
	char err[SCRIPT_ERR_MAX];

	for (size_t i = 0; i < NR(cases); i++) {
		uint32_t flags;
		size_t skip;
		bool ok = script_shebang(cases[i].code, strlen(cases[i].code), &flags, &skip, err);

		assert_int_equal(ok, cases[i].err == NULL);
		if (!ok) {
			assert_string_equal(err, cases[i].err);
			continue;
		}
		assert_int_equal(flags, cases[i].flags);
		assert_int_equal(skip, cases[i].skip);
	}
}

static void cache_keeps_scripts_until_it_is_flushed(void **state)
{
	struct script_cache *cache = script_cache_create();
	char code[32], sha[SCRIPT_SHA_LEN + 1], err[SCRIPT_ERR_MAX];
	struct script_text *t;

	assert_non_null(cache);
	for (int i = 0; i < 1000; i++) { /* so that it grows */
		snprintf(code, sizeof(code), "return %d", i);
		script_sha(code, strlen(code), sha);
		t = script_text_create(code, strlen(code), sha, err);
		assert_non_null(t);
		script_cache_add(cache, t);
		script_cache_add(cache, t);
		script_text_put(t);
	}
	assert_int_equal(script_cache_count(cache), 1000);
	t = script_cache_get(cache, sha);
	assert_non_null(t);
	assert_int_equal(t->len, 10);
	script_cache_flush(cache);
	assert_memory_equal(t->code, "return 999", 10); /* who has it keeps it */
	script_text_put(t);
	assert_null(script_cache_get(cache, sha));
	assert_int_equal(script_cache_count(cache), 0);
	assert_int_equal(script_cache_generation(cache), 1);
	script_cache_destroy(&cache);
}

static struct fiber *fiber;

static void three_steps(void *arg)
{
	int *steps = arg;

	for (int i = 0; i < 3; i++) {
		++*steps;
		fiber_leave(fiber);
	}
}

static void fiber_is_left_and_gone_on_with(void **state)
{
	int steps = 0;

	fiber = fiber_create(1 << 20);
	assert_non_null(fiber);
	for (int round = 0; round < 2; round++) {
		steps = 0;
		assert_false(fiber_run(fiber, three_steps, &steps));
		assert_int_equal(steps, 1);
		assert_false(fiber_is_inside(fiber));
		assert_false(fiber_resume(fiber));
		assert_false(fiber_resume(fiber));
		assert_true(fiber_resume(fiber));
		assert_int_equal(steps, 3);
	}
	assert_false(fiber_run(fiber, three_steps, &steps)); /* and given up */
	fiber_destroy(&fiber);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(libraries_register_functions),
		TEST(libraries_are_refused_with_a_reason),
		TEST(library_that_cannot_come_leaves_the_old_one),
		TEST(sets_join_as_a_whole_or_not_at_all),
		TEST(first_lines_are_read),
		TEST(cache_keeps_scripts_until_it_is_flushed),
		TEST(fiber_is_left_and_gone_on_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
