/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scripts' Lua: conversions both ways, errors, the sandbox, and the end of a script.
 */
#include "tests/unit/script_fixture.h"

/* --- conversions ------------------------------------------------------------------------------ */

static void values_become_replies(void **state)
{
	static const struct example cases[] = {
		{"return 3.9", ":3\r\n"},
		{"return -3.9", ":-3\r\n"},
		{"return 'x'", "$1\r\nx\r\n"},
		{"return true", ":1\r\n"},
		{"return false", "$-1\r\n"},
		{"return nil", "$-1\r\n"},
		{"return", "$-1\r\n"},
		{"return print",
			"-ERR user_script:1: Script attempted to access nonexistent global "
			"variable 'print' script: sha, on @user_script:1.\r\n"},
		{"return {}", "*0\r\n"},
		{"return {1, 'a', {2}, nil, 5}", "*3\r\n:1\r\n$1\r\na\r\n*1\r\n:2\r\n"},
		{"return {ok = 'fine\\r\\n!'}", "+fine  !\r\n"},
		{"return {err = 'MY error'}", "-MY error\r\n"},
		{"return {double = 1.5}", "$3\r\n1.5\r\n"},
		{"return {double = 0 / 0}", "$4\r\n-nan\r\n"},
		{"return {big_number = '123'}", "$3\r\n123\r\n"},
		{"return {map = {a = 1}}", "*2\r\n$1\r\na\r\n:1\r\n"},
		{"return {set = {a = true}}", "*1\r\n$1\r\na\r\n"},
		{"return {verbatim_string = {format = 'txt', string = 'v'}}", "$1\r\nv\r\n"},
		{"return redis.error_reply('MY text')", "-MY text\r\n"},
		{"return redis.error_reply('-MY text')", "-MY text\r\n"},
		{"return redis.error_reply('text')", "-ERR text\r\n"},
		{"return redis.status_reply('s')", "+s\r\n"},
		{"return redis.status_reply(1)", "-ERR wrong number or type of arguments\r\n"},
		{"return {KEYS[1], ARGV[2], #KEYS, #ARGV}",
			"*4\r\n$1\r\nk\r\n$1\r\nb\r\n:1\r\n:2\r\n"},
		{"return redis.sha1hex('')", "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void values_become_replies_in_resp3(void **state)
{
	static const struct example cases[] = {
		{"return nil", "_\r\n"},
		{"return false", "_\r\n"},
		{"redis.setresp(3) return false", "#f\r\n"},
		{"redis.setresp(3) return true", "#t\r\n"},
		{"return {double = 1.5}", ",1.5\r\n"},
		{"return {big_number = '12\\r\\n'}", "(12  \r\n"},
		{"return {map = {a = 1}}", "%1\r\n$1\r\na\r\n:1\r\n"},
		{"return {set = {a = true}}", "~1\r\n$1\r\na\r\n"},
		{"return {verbatim_string = {format = 'txt', string = 'v'}}", "=5\r\ntxt:v\r\n"},
	};
	struct fixture *f = *state;

	f->c.resp = 3;
	check_all(f, cases, NR(cases));
}

static void replies_become_values(void **state)
{
#define OF(reply, test) "local r = redis.call('reply', '" reply "') return " test
	static const struct example cases[] = {
		{OF(":-7\\r\\n", "r == -7"), ":1\r\n"},
		{OF("$-1\\r\\n", "r == false"), ":1\r\n"},
		{OF("*-1\\r\\n", "r == false"), ":1\r\n"},
		{OF("$4\\r\\n\\r\\n\\0x\\r\\n", "r == '\\r\\n\\0x'"), ":1\r\n"},
		{OF("+OK\\r\\n", "r.ok == 'OK'"), ":1\r\n"},
		{OF("*2\\r\\n:1\\r\\n*1\\r\\n$1\\r\\nx\\r\\n", "r[1] == 1 and r[2][1] == 'x'"),
			":1\r\n"},
		{OF("_\\r\\n", "r == nil"), ":1\r\n"},
		{OF("#t\\r\\n", "r == true"), ":1\r\n"},
		{OF(",-inf\\r\\n", "r.double == -1/0"), ":1\r\n"},
		{OF("(123\\r\\n", "r.big_number == '123'"), ":1\r\n"},
		{OF("=5\\r\\ntxt:v\\r\\n", "r.verbatim_string.format == 'txt' and "
					   "r.verbatim_string.string == 'v'"),
			":1\r\n"},
		{OF("%1\\r\\n+k\\r\\n:1\\r\\n", "next(r.map).ok == 'k'"), ":1\r\n"},
		{OF("~1\\r\\n$1\\r\\nm\\r\\n", "r.set.m == true"), ":1\r\n"},
		{OF("|1\\r\\n+a\\r\\n:1\\r\\n:5\\r\\n", "r == 5"), ":1\r\n"},
	};
#undef OF

	check_all(*state, cases, NR(cases));
}

static void errors_of_calls_are_raised_or_returned(void **state)
{
	static const struct example cases[] = {
		{"return redis.call('reply', '-MY bad\\r\\n')",
			"-MY bad script: sha, on @user_script:1.\r\n"},
		{"return redis.pcall('reply', '-MY bad\\r\\n').err", "$6\r\nMY bad\r\n"},
		{"return redis.call('no')", "-ERR refused no script: sha, on @user_script:1.\r\n"},
		{"return redis.pcall('no')", "-ERR refused no\r\n"},
		{"return redis.call()",
			"-ERR Please specify at least one argument for this redis lib call script: sha, "
			"on @user_script:1.\r\n"},
		{"return redis.call('a', {})",
			"-ERR Lua redis lib command arguments must be strings or integers script: sha, "
			"on @user_script:1.\r\n"},
		{"return {pcall(redis.call, 'no')}", "*2\r\n$-1\r\n$14\r\nERR refused no\r\n"},
		{"\n\nerror('x')", "-ERR user_script:3: x script: sha, on @user_script:3.\r\n"},
		{"error({err = 'MY x'})", "-MY x script: sha, on @user_script:1.\r\n"},
		{"return redis.acl_check_cmd('get')", ":1\r\n"},
		{"return redis.acl_check_cmd('set')", "$-1\r\n"},
		{"return redis.acl_check_cmd('none')",
			"-ERR Invalid command passed to redis.acl_check_cmd() script: sha, on "
			"@user_script:1.\r\n"},
		{"return redis.setresp(4)",
			"-ERR RESP version must be 2 or 3. script: sha, on @user_script:1.\r\n"},
		{"return (", "ERR Error compiling script (new function): user_script:1: unexpected "
			     "symbol near '<eof>'"},
	};

	check_all(*state, cases, NR(cases));
}

static void reply_that_goes_round_ends(void **state)
{
	char *got = outcome(*state, "local t = {} t[1] = t return t");

	assert_non_null(strstr(got, "-ERR reached lua stack limit\r\n"));
	free(got);
}

/* --- the sandbox ------------------------------------------------------------------------------ */

static void shared_tables_cannot_be_written(void **state)
{
#define RO_AT                                                                                      \
	"-ERR user_script:1: Attempt to modify a readonly table script: sha, on @user_script:1.\r\n"
#define RO "-ERR Attempt to modify a readonly table script: sha, on @user_script:1.\r\n"
	static const struct example cases[] = {
		{"x = 1", RO_AT},
		{"_G = {}", RO_AT},
		{"_G.x = 1", RO_AT},
		{"redis.call = nil", RO_AT},
		{"string.rep = nil", RO_AT},
		{"cjson.encode = nil", RO_AT},
		{"cmsgpack.pack = nil", RO_AT},
		{"struct.pack = nil", RO_AT},
		{"bit.bor = nil", RO_AT},
		{"math.pi = 3", RO_AT},
		{"getmetatable(_G).__index = {}", RO_AT},
		{"getmetatable('').__index = {}", RO_AT},
		{"setmetatable(_G, {})", RO},
		{"setmetatable(redis, {})", RO},
		{"rawset(_G, 'x', 1)", RO},
		{"rawset(redis, 'x', 1)", RO},
		{"table.insert(redis, 1)", RO},
		{"table.remove(redis)", RO},
		{"table.sort(redis)", RO},
		/* none of it has had an effect */
		{"return {rawget(_G, 'x'), type(redis.call), #_G, type(getmetatable(_G).__index)}",
			"*0\r\n"},
		{"return {type(redis.call), type(rawget(_G, 'redis')), ('x'):rep(2)}",
			"*3\r\n$8\r\nfunction\r\n$5\r\ntable\r\n$2\r\nxx\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void shared_tables_can_be_walked(void **state)
{
	static const struct example cases[] = {
		{"local n = 0 for k, v in pairs(bit) do n = n + 1 end return n > 5", ":1\r\n"},
		{"return next(struct) ~= nil", ":1\r\n"},
		{"local seen for k, v in pairs(_G) do if v == redis then seen = true end end return seen",
			":1\r\n"},
		{"local t = {} for k, v in pairs({a = 1, b = 2}) do t[#t + 1] = v end return #t",
			":2\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void what_reaches_outside_is_not_there(void **state)
{
	static const char *const names[] = {"print", "dofile", "loadfile", "require", "module",
		"package", "io", "os", "debug", "newproxy", "getfenv", "setfenv"};
	char code[64], want[256];

	for (size_t i = 0; i < NR(names); i++) {
		snprintf(code, sizeof(code), "return %s", names[i]);
		snprintf(want, sizeof(want),
			"-ERR user_script:1: Script attempted to access nonexistent global variable "
			"'%s' script: sha, on @user_script:1.\r\n",
			names[i]);
		check(*state, code, want);
	}
}

static void compiled_code_is_not_taken(void **state)
{
	static const struct example cases[] = {
		{"return loadstring(string.dump(function() return 1 end)) == nil", ":1\r\n"},
		{"local s = string.dump(function() return 1 end) local done "
		 "return load(function() if done then return nil end done = true return s end) == nil",
			":1\r\n"},
		{"return loadstring('return 5')()", ":5\r\n"},
		{"return loadstring('return type(redis)')()", "$5\r\ntable\r\n"},
		{"local done return load(function() if done then return nil end done = true "
		 "return 'return 6' end)()",
			":6\r\n"},
		{"return loadstring('x = 1')()",
			"-ERR [string \"x = 1\"]:1: Attempt to modify a readonly table script: sha, on "
			"x = 1:1.\r\n"},
	};

	check_all(*state, cases, NR(cases));
	check(*state, "\033Lua",
		"ERR Error compiling script (new function): user_script:1: unexpected "
		"symbol near 'char(27)'");
}

static void killed_script_ends_whatever_it_catches(void **state)
{
	struct fixture *f = *state;

	f->kill_at = 3;
	check(f, "while true do pcall(function() while true do end end) end",
		"-ERR Script killed by user with SCRIPT KILL... script: sha, on @user_script:1.\r\n");
	f->kill_at = f->interrupts = 0;
	check(f, "for i = 1, 300000 do end return 7", ":7\r\n");
	assert_true(f->interrupts >= 2);
}

static void deep_patterns_are_refused(void **state)
{
	check(*state, "return string.find(('a'):rep(100000), ('a?'):rep(100000))",
		"-ERR user_script:1: pattern too complex script: sha, on @user_script:1.\r\n");
	check(*state,
		"return string.find(('a'):rep(100000) .. 'b', ('a'):rep(100000) .. 'b', 1, true)",
		":1\r\n");
}

static void memory_has_a_bound(void **state)
{
	static const struct example cases[] = {
		{"local s = 'x' while true do s = s .. s end",
			"-ERR Error running script sha, not enough memory\r\n"},
		{"local t = {} for i = 1, 1e9 do t[i] = i end",
			"-ERR Error running script sha, not enough memory\r\n"},
		{"return {pcall(string.rep, 'x', 1e8)}",
			"*2\r\n$-1\r\n$17\r\nnot enough memory\r\n"},
		{"return #cmsgpack.pack({}, ('x'):rep(1e6), ('x'):rep(1e6))", ":2000011\r\n"},
	};
	struct fixture *f = *state;

	script_vm_set_limit(f->vm, 64 << 20);
	for (int i = 0; i < 3; i++)
		check_all(f, cases, NR(cases));
	assert_true(script_vm_bytes(f->vm) < 64 << 20);
}

static void reply_has_a_bound(void **state)
{
	check(*state,
		"local s = ('x'):rep(1e6) local t = {s, s, s, s, s, s, s, s} "
		"for i = 1, 8 do t = {t, t, t, t} end return t",
		"-ERR the script's reply is too long\r\n");
}

static void values_are_unpacked(void **state)
{
#define MANY "-ERR user_script:1: too many results to unpack script: sha, on @user_script:1.\r\n"
	static const struct example cases[] = {
		{"return {unpack({1, 2, 3})}", "*3\r\n:1\r\n:2\r\n:3\r\n"},
		{"return {unpack({1, 2, 3}, 2)}", "*2\r\n:2\r\n:3\r\n"},
		{"return {unpack({1, 2, 3}, 2, 2)}", "*1\r\n:2\r\n"},
		{"return {unpack({}, 1, 0)}", "*0\r\n"},
		{"return select('#', unpack({}, 1, 7900))", ":7900\r\n"},
		{"return unpack({}, 1, 1e8)", MANY},
		{"return unpack({}, 0, 2^31 - 1)", MANY},
		{"return unpack({}, -2^31, 2^31 - 1)", MANY},
		{"return select('#', unpack({}, 2^31 - 3, 2^31 - 1))", ":3\r\n"},
	};
#undef MANY

	check_all(*state, cases, NR(cases));
}

static void recursion_has_a_bound(void **state)
{
	static const char *const scripts[] = {
		"local function f() return f() + 1 end return f()",
		"local function f() return pcall(f) end f() return 1",
		"local function f() coroutine.wrap(f)() end f()",
		"local function f() return string.gsub('x', 'x', f) end f()",
		"local function f() return table.sort({1, 2}, f) end f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end "
		"return t.x",
		"return xpcall(function() error('x') end, function() local function g() return g() + 1 end "
		"return g() end)",
		"return loadstring('return ' .. ('('):rep(100000))",
		"return loadstring('return ' .. ('{'):rep(100000))",
		"return loadstring(('do '):rep(100000))",
		"return loadstring('return ' .. ('- '):rep(100000) .. '1')",
		"return cjson.decode(('['):rep(100000))",
		"cjson.decode_max_depth(1000000) return cjson.decode(('['):rep(100000))",
		"cjson.encode_max_depth(1000000) local t = {} local r = t "
		"for i = 1, 100000 do t[1] = {} t = t[1] end return cjson.encode(r)",
	};

	for (size_t i = 0; i < NR(scripts); i++)
		free(outcome(*state, scripts[i]));
	check(*state, "return 1", ":1\r\n");
}

static void long_strings_are_repeated(void **state)
{
	static const struct example cases[] = {
		{"return ('ab'):rep(3)", "$6\r\nababab\r\n"},
		{"return ('abc'):rep(5)", "$15\r\nabcabcabcabcabc\r\n"},
		{"return ('x'):rep(1)", "$1\r\nx\r\n"},
		{"return ('x'):rep(0)", "$0\r\n\r\n"},
		{"return ('x'):rep(-1)", "$0\r\n\r\n"},
		{"return (''):rep(1e9)", "$0\r\n\r\n"},
		{"local s = ('abc'):rep(1e7) return {#s, s:sub(-4)}",
			"*2\r\n:30000000\r\n$4\r\ncabc\r\n"},
		{"return ('xx'):rep(2^31 - 1)",
			"-ERR user_script:1: not enough memory script: sha, on "
			"@user_script:1.\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void random_numbers_follow_their_seed(void **state)
{
	struct fixture *f = *state;

	check(f, "math.randomseed(1) return math.random(1000000)", ":41631\r\n");
	check(f, "math.randomseed(1) return math.random(1000000)", ":41631\r\n");
	check(f, "local r = math.random(3, 5) return r >= 3 and r <= 5", ":1\r\n");
}

static void log_reaches_the_host(void **state)
{
	struct fixture *f = *state;

	check(f, "redis.log(redis.LOG_WARNING, 'a', 1)", "$-1\r\n");
	assert_int_equal(f->level, 3);
	assert_string_equal(f->log, "a 1");
	check(f, "redis.log(9, 'x')",
		"-ERR Invalid debug level. script: sha, on @user_script:1.\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_become_replies),
		TEST(values_become_replies_in_resp3),
		TEST(replies_become_values),
		TEST(errors_of_calls_are_raised_or_returned),
		TEST(reply_that_goes_round_ends),
		TEST(shared_tables_cannot_be_written),
		TEST(shared_tables_can_be_walked),
		TEST(what_reaches_outside_is_not_there),
		TEST(compiled_code_is_not_taken),
		TEST(killed_script_ends_whatever_it_catches),
		TEST(deep_patterns_are_refused),
		TEST(memory_has_a_bound),
		TEST(reply_has_a_bound),
		TEST(values_are_unpacked),
		TEST(recursion_has_a_bound),
		TEST(long_strings_are_repeated),
		TEST(random_numbers_follow_their_seed),
		TEST(log_reaches_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
