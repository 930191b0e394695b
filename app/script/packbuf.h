/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes that grow, in a userdata of Lua's: an error frees them, and they count as the state's.
 */
#ifndef MILLRACE_APP_SCRIPT_PACKBUF_H
#define MILLRACE_APP_SCRIPT_PACKBUF_H

#include "app/script/lua_lib.h"

#include <stdint.h>
#include <string.h>

struct packbuf {
	lua_State *L;
	int slot; /* of the stack, where the userdata is */
	uint8_t *ptr;
	size_t len, cap;
};

/* Pushes the userdata, which stays where it is until the bytes are not needed any more. */
static inline void packbuf_init(struct packbuf *b, lua_State *L)
{
	b->L = L;
	b->cap = 512;
	b->len = 0;
	b->ptr = lua_newuserdata(L, b->cap);
	b->slot = lua_gettop(L);
}

/* Needs a place on the stack, and raises an error when memory runs out. */
static inline void packbuf_add(struct packbuf *b, const void *data, size_t len)
{
	if (len > b->cap - b->len) {
		size_t cap = b->cap * 2;

		while (cap - b->len < len)
			cap *= 2;
		uint8_t *ptr = lua_newuserdata(b->L, cap);

		memcpy(ptr, b->ptr, b->len);
		lua_replace(b->L, b->slot);
		b->ptr = ptr;
		b->cap = cap;
	}
	memcpy(b->ptr + b->len, data, len);
	b->len += len;
}

#endif
