/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb/build.h"

#include "app/rdb/codec.h"
#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_KEEP (64u << 10) /* more is given back after its value */

/* Which type a form holds; OBJ_STRING for those that are none of ours. */
static enum obj_type form_type(enum rdb_type form)
{
	switch (form) {
	case RDB_TYPE_LIST:
	case RDB_TYPE_LIST_ZIPLIST:
	case RDB_TYPE_LIST_QUICKLIST:
	case RDB_TYPE_LIST_QUICKLIST_2: return OBJ_LIST;
	case RDB_TYPE_SET:
	case RDB_TYPE_SET_INTSET:
	case RDB_TYPE_SET_LISTPACK: return OBJ_SET;
	case RDB_TYPE_ZSET:
	case RDB_TYPE_ZSET_2:
	case RDB_TYPE_ZSET_ZIPLIST:
	case RDB_TYPE_ZSET_LISTPACK: return OBJ_ZSET;
	case RDB_TYPE_HASH:
	case RDB_TYPE_HASH_ZIPMAP:
	case RDB_TYPE_HASH_ZIPLIST:
	case RDB_TYPE_HASH_LISTPACK: return OBJ_HASH;
	case RDB_TYPE_STREAM_LISTPACKS:
	case RDB_TYPE_STREAM_LISTPACKS_2:
	case RDB_TYPE_STREAM_LISTPACKS_3: return OBJ_STREAM;
	default: return OBJ_STRING;
	}
}

void rdb_build_init(struct rdb_build *b, const struct obj_limits *limits)
{
	*b = (struct rdb_build){.limits = *limits};
}

/* Frees what is left of a value. */
static void drop(struct rdb_build *b)
{
	if (b->codec && b->codec->drop)
		b->codec->drop(b);
	if (b->obj.ptr)
		obj_ops(&b->obj)->free(&b->obj);
	b->obj.ptr = NULL;
	b->codec = NULL;
	b->holding = false;
	if (b->held_cap > HELD_KEEP) {
		free(b->held);
		b->held = NULL;
		b->held_cap = 0;
	}
}

void rdb_build_fini(struct rdb_build *b)
{
	drop(b);
	free(b->held);
	b->held = NULL;
	b->held_cap = 0;
}

bool rdb_build_refuse(struct rdb_build *b, const char *why)
{
	snprintf(b->why, sizeof(b->why), "%s", why);
	return false;
}

bool rdb_build_no_memory(struct rdb_build *b)
{
	return rdb_build_refuse(b, "out of memory");
}

bool rdb_build_hold(struct rdb_build *b, struct slice text)
{
	if (text.len >= b->held_cap) {
		size_t cap = text.len < 64 ? 64 : text.len + 1;
		char *held = malloc(cap); /* the old content is of no use */

		if (!held)
			return rdb_build_no_memory(b);
		free(b->held);
		b->held = held;
		b->held_cap = cap;
	}
	if (text.len > 0)
		memcpy(b->held, text.ptr, text.len);
	b->held_len = text.len;
	b->holding = true;
	return true;
}

bool rdb_build_begin(struct rdb_build *b, enum rdb_type form)
{
	BUG_ON(b->codec);
	b->form = form;
	b->why[0] = '\0';
	b->codec = rdb_codec(form_type(form));
	if (b->codec)
		return true;
	snprintf(b->why, sizeof(b->why), "value type %u (%s) is not supported", (unsigned)form,
		rdb_type_name(form) ? rdb_type_name(form) : "unknown");
	return false;
}

bool rdb_build_item(struct rdb_build *b, const struct rdb_item *item)
{
	if (b->codec->item(b, item))
		return true;
	drop(b);
	return false;
}

enum rdb_built rdb_build_end(struct rdb_build *b, struct obj *out)
{
	enum rdb_built built = RDB_BUILT_VALUE;

	if (b->codec->end && !b->codec->end(b)) {
		built = RDB_BUILT_REFUSED;
	} else if (!b->obj.ptr ||
		   (b->obj.type != OBJ_STREAM && obj_ops(&b->obj)->count(&b->obj) == 0)) {
		built = RDB_BUILT_EMPTY;
	} else {
		*out = b->obj;
		b->obj.ptr = NULL;
	}
	drop(b);
	return built;
}
