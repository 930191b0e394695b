/* SPDX-License-Identifier: BSD-3-Clause
 *
 * bit: Debian's, but for one argument of tohex whose sign it cannot change, and then writes where
 * it should not.
 */
#include "app/script/lua_lib.h"

#include <lua-bitop.h>
#include <stdint.h>

/* Upvalues: the library's own tohex and tobit. The second argument is how many digits there are to
 * be, in capitals if it is negative; more than eight are eight. */
static int bit_tohex(lua_State *L)
{
	lua_CFunction tohex = lua_tocfunction(L, lua_upvalueindex(1));

	if (lua_isnumber(L, 2)) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_pushvalue(L, 2);
		lua_call(L, 1, 1);
		if (lua_tonumber(L, -1) < -8) {
			lua_pushinteger(L, -8);
			lua_replace(L, 2);
		}
		lua_pop(L, 1);
	}
	return tohex(L);
}

int luaopen_script_bit(lua_State *L)
{
	lua_settop(L, 0);
	luaopen_bit(L);
	lua_getfield(L, -1, "tohex");
	lua_getfield(L, -2, "tobit");
	lua_pushcclosure(L, bit_tohex, 2);
	lua_setfield(L, -2, "tohex");
	return 1;
}
