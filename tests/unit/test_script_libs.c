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
		{"return cmsgpack.unpack(('\\145'):rep(100000))",
			"-ERR user_script:1: stack overflow (in function mp_decode_to_lua_array) script: "
			"sha, on @user_script:1.\r\n"},
		{"return cmsgpack.pack(unpack({}, 1, 7000))",
			"-ERR user_script:1: bad argument #0 to 'pack' (Too many arguments for MessagePack "
			"pack.) script: sha, on @user_script:1.\r\n"},
		{"return cmsgpack.unpack_one()",
			"-ERR user_script:1: bad argument #1 to 'unpack_one' (string expected, got no "
			"value) script: sha, on @user_script:1.\r\n"},
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
		{"return struct.unpack('s', 'abc', -5)",
			ARG_ERR("bad argument #2 to 'unpack' (data string too short)")},
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
		{"return bit.tohex(255, -4)", "$4\r\n00FF\r\n"},
		{"return bit.tohex(255, -9) .. bit.tohex(1, 99)", "$16\r\n000000FF00000001\r\n"},
		{"return bit.tohex(1, -2147483648)", "$8\r\n00000001\r\n"},
		{"return bit.tohex(1, {})",
			"-ERR user_script:1: bad argument #2 to 'tohex' (number expected, got table) "
			"script: sha, on @user_script:1.\r\n"},
	};

	check_all(*state, cases, NR(cases));
}

static void json_is_written(void **state)
{
#define ENC(value) "return cjson.encode(" value ")"
#define ERR(text)  "-ERR user_script:1: " text " script: sha, on @user_script:1.\r\n"
	static const struct example cases[] = {
		{ENC("'\\0\\1\\31\\127\\128\"/\\\\\\b\\t\\n\\f\\r'"),
			"$43\r\n\"\\u0000\\u0001\\u001f\\u007f\x80\\\"\\/\\\\\\b\\t\\n\\f\\r\"\r\n"},
		{ENC("{1e15, 0.1, -0, 123456789012345678}"),
			"$34\r\n[1e+15,0.1,-0,1.2345678901235e+17]\r\n"},
		{ENC("{{}, {{}}}"), "$9\r\n[{},[{}]]\r\n"},
		{ENC("{1, nil, 3}"), "$10\r\n[1,null,3]\r\n"},
		{ENC("{[1] = 1, [1.5] = 2}"), "$15\r\n{\"1\":1,\"1.5\":2}\r\n"},
		{ENC("{[0] = true}"), "$10\r\n{\"0\":true}\r\n"},
		{ENC("{[10] = false}"),
			"$52\r\n[null,null,null,null,null,null,null,null,null,false]\r\n"},
		{ENC("{[11] = 1}"), ERR("Cannot serialise table: excessively sparse array")},
		{ENC("1 / 0"), ERR("Cannot serialise number: must not be NaN or Inf")},
		{ENC("{[true] = 1}"),
			ERR("Cannot serialise boolean: table key must be a number or string")},
		{ENC("{redis.call}"), ERR("Cannot serialise function: type not supported")},
		{ENC(""), ERR("bad argument #1 to 'encode' (expected 1 argument)")},
		{"local t = {} t[1] = t return cjson.encode(t)",
			ERR("Cannot serialise, excessive nesting (1001)")},
		{"return cjson.encode_max_depth(2) .. cjson.encode({{{}}})",
			ERR("Cannot serialise, excessive nesting (3)")},
		{"return cjson.encode_max_depth(1000)", ":1000\r\n"},
		{"return cjson.encode_max_depth(0)",
			ERR("bad argument #1 to 'encode_max_depth' (expected integer between 1 and "
			    "2147483647)")},
		{"cjson.encode_number_precision(3) return cjson.encode(0.123456)",
			"$5\r\n0.123\r\n"},
		{"return cjson.encode_number_precision(14)", ":14\r\n"},
		{"return {cjson.encode_sparse_array(true, 3, 9)}", "*3\r\n:1\r\n:3\r\n:9\r\n"},
		{ENC("{[100] = 1}"), "$9\r\n{\"100\":1}\r\n"},
		{"return cjson.new().encode_sparse_array()", "$-1\r\n"},
		{"return {cjson.encode_invalid_numbers(true), cjson.encode({1/0, -1/0, 0/0})}",
			"*2\r\n:1\r\n$14\r\n[inf,-inf,nan]\r\n"},
		{"cjson.encode_invalid_numbers('null') return cjson.encode({1/0})",
			"$6\r\n[null]\r\n"},
		{"return cjson.encode_keep_buffer('x')",
			ERR("bad argument #1 to 'encode_keep_buffer' (invalid option 'x')")},
		{"local s = ('\\0'):rep(1e7) return #cjson.encode(s)", ":60000002\r\n"},
		{"local t = {} for i = 1, 1e5 do t[i] = {a = i} end "
		 "return #cjson.decode(cjson.encode(t))",
			":100000\r\n"},
	};
#undef ENC
#undef ERR

	check_all(*state, cases, NR(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cmsgpack_has_its_forms),
		TEST(cmsgpack_reads_what_it_writes),
		TEST(struct_has_its_forms),
		TEST(json_and_bits_are_there),
		TEST(json_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
