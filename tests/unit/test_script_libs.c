/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Libraries that scripts have in Lua: cmsgpack, struct, and that the others are there.
 */
#include "tests/unit/script_fixture.h"

/* --- libraries of Lua ------------------------------------------------------------------------- */

static void cmsgpack_has_its_forms(void **state)
{
#define HEX(value)                                                                                 \
	"return (cmsgpack.pack(" value "):gsub('.', function(c) "                                  \
	"return string.format('%02x', c:byte()) end))"
#define IS(hex_len, hex) "$" hex_len "\r\n" hex "\r\n"
	static const struct example cases[] = {
		{HEX("0"), IS("2", "00")},
		{HEX("127"), IS("2", "7f")},
		{HEX("128"), IS("4", "cc80")},
		{HEX("65535"), IS("6", "cdffff")},
		{HEX("65536"), IS("10", "ce00010000")},
		{HEX("4294967296"), IS("18", "cf0000000100000000")},
		{HEX("-1"), IS("2", "ff")},
		{HEX("-32"), IS("2", "e0")},
		{HEX("-33"), IS("4", "d0df")},
		{HEX("-129"), IS("6", "d1ff7f")},
		{HEX("-32769"), IS("10", "d2ffff7fff")},
		{HEX("-2147483649"), IS("18", "d3ffffffff7fffffff")},
		{HEX("1.5"), IS("10", "ca3fc00000")},
		{HEX("0.1"), IS("18", "cb3fb999999999999a")},
		{HEX("true, false, nil"), IS("6", "c3c2c0")},
		{HEX("'ab'"), IS("6", "a26162")},
		{HEX("{}"), IS("2", "90")},
		{HEX("{1, 2}"), IS("6", "920102")},
		{HEX("{a = 1}"), IS("8", "81a16101")},
		{HEX("{[3] = 4}"), IS("6", "810304")},
		{HEX("print0"), "-ERR user_script:1: Script attempted to access nonexistent global "
				"variable 'print0' script: sha, on @user_script:1.\r\n"},
		{"return #cmsgpack.pack(('x'):rep(31)) .. ' ' .. #cmsgpack.pack(('x'):rep(32)) .. ' ' .. "
		 "#cmsgpack.pack(('x'):rep(256)) .. ' ' .. #cmsgpack.pack(('x'):rep(65536))",
			"$15\r\n32 34 259 65541\r\n"},
	};
#undef HEX
#undef IS

	check_all(*state, cases, NR(cases));
}

static void cmsgpack_reads_what_it_writes(void **state)
{
	static const struct example cases[] = {
		{"local v = {1, -1, 200, -200, 70000, -70000, 2^40, -2^40, 1.5, 0.1, 'x', "
		 "('y'):rep(300), ('z'):rep(70000), true, {a = {b = 1}}} "
		 "local w = cmsgpack.unpack(cmsgpack.pack(v)) "
		 "for i = 1, 14 do if v[i] ~= w[i] then return i end end return w[15].a.b",
			":1\r\n"},
		{"local t = {} for i = 1, 70000 do t[i] = i end "
		 "return #cmsgpack.unpack(cmsgpack.pack(t))",
			":70000\r\n"},
		{"return {cmsgpack.unpack('\\1\\2\\3')}", "*3\r\n:1\r\n:2\r\n:3\r\n"},
		{"return {cmsgpack.unpack_one('\\1\\2\\3')}", "*2\r\n:1\r\n:1\r\n"},
		{"return {cmsgpack.unpack_one('\\1\\2\\3', 2)}", "*2\r\n:-1\r\n:3\r\n"},
		{"return {cmsgpack.unpack_limit('\\1\\2\\3', 2, 0)}", "*3\r\n:2\r\n:1\r\n:2\r\n"},
		{"return cmsgpack.unpack('\\193')",
			"-ERR user_script:1: Bad data format in input. script: sha, on @user_script:1.\r\n"},
		{"return cmsgpack.unpack('\\204')",
			"-ERR user_script:1: Missing bytes in input. script: sha, on @user_script:1.\r\n"},
		{"return cmsgpack.unpack('\\219\\255\\255\\255\\255x')",
			"-ERR user_script:1: Missing bytes in input. script: sha, on @user_script:1.\r\n"},
		{"local t = {} t[1] = t return #cmsgpack.pack(t)", ":17\r\n"},
		{"return select(2, pcall(cmsgpack.unpack, ('\\145'):rep(100000))) ~= nil",
			":1\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void struct_has_its_forms(void **state)
{
#define HEX(args)                                                                                  \
	"return (struct.pack(" args "):gsub('.', function(c) "                                     \
	"return string.format('%02x', c:byte()) end))"
#define ARG_ERR(text) "-ERR user_script:1: " text " script: sha, on @user_script:1.\r\n"
	static const struct example cases[] = {
		{HEX("'>I2', 258"), "$4\r\n0102\r\n"},
		{HEX("'<I2', 258"), "$4\r\n0201\r\n"},
		{HEX("'bBhH', -1, 255, -2, 65535"), "$12\r\nfffffeffffff\r\n"},
		{HEX("'>i3', -2"), "$6\r\nfffffe\r\n"},
		{HEX("'>l', 1"), "$16\r\n0000000000000001\r\n"},
		{HEX("'>f', 1.5"), "$8\r\n3fc00000\r\n"},
		{HEX("'>d', 1.5"), "$16\r\n3ff8000000000000\r\n"},
		{HEX("'s', 'ab'"), "$6\r\n616200\r\n"},
		{HEX("'c3', 'abcd'"), "$6\r\n616263\r\n"},
		{HEX("'Bc0', 2, 'ab'"), "$6\r\n026162\r\n"},
		{HEX("'!4>bI4', 1, 2"), "$16\r\n0100000000000002\r\n"},
		{HEX("'bxb', 1, 2"), "$6\r\n010002\r\n"},
		{"return struct.size('!8bd')", ":16\r\n"},
		{"return {struct.unpack('>I2i1', '\\1\\2\\255')}", "*3\r\n:258\r\n:-1\r\n:4\r\n"},
		{"return {struct.unpack('Bc0s', '\\2abcd\\0')}",
			"*3\r\n$2\r\nab\r\n$2\r\ncd\r\n:7\r\n"},
		{"return {struct.unpack('>I2', '\\0\\0\\1\\2', 3)}", "*2\r\n:258\r\n:5\r\n"},
		{"return struct.unpack('I4', 'abc')",
			ARG_ERR("bad argument #2 to 'unpack' (data string too short)")},
		{"return struct.unpack('s', 'abc')",
			"-ERR user_script:1: unfinished string in data script: sha, on "
			"@user_script:1.\r\n"},
		{"return struct.pack('q', 1)",
			ARG_ERR("bad argument #1 to 'pack' (invalid format option 'q')")},
		{"return struct.pack('i33', 1)",
			"-ERR user_script:1: integral size 33 is larger than limit of 32 script: sha, on "
			"@user_script:1.\r\n"},
		{"return struct.pack('!3b', 1)",
			"-ERR user_script:1: alignment 3 is not a power of 2 script: sha, on "
			"@user_script:1.\r\n"},
		{"return struct.pack('i99999999999', 1)",
			"-ERR user_script:1: integral size overflow script: sha, on @user_script:1.\r\n"},
		{"return struct.unpack('i1', 'a', 0)",
			ARG_ERR("bad argument #3 to 'unpack' (offset must be 1 or greater)")},
	};
#undef HEX
#undef ARG_ERR

	check_all(*state, cases, NR(cases));
}

static void json_and_bits_are_there(void **state)
{
	static const struct example cases[] = {
		{"return cjson.encode({1, 'a', {x = cjson.null}})",
			"$18\r\n[1,\"a\",{\"x\":null}]\r\n"},
		{"return cjson.decode('[1, {\"a\": 2}]')[2].a", ":2\r\n"},
		{"return bit.bor(1, 6)", ":7\r\n"},
		{"return bit.tohex(255, 4)", "$4\r\n00ff\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cmsgpack_has_its_forms),
		TEST(cmsgpack_reads_what_it_writes),
		TEST(struct_has_its_forms),
		TEST(json_and_bits_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
