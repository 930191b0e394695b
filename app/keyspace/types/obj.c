/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/keyspace/types/obj.h"

#include "app/keyspace/types/hash.h"
#include "app/keyspace/types/list.h"
#include "app/keyspace/types/set.h"
#include "app/keyspace/types/stream.h"
#include "app/keyspace/types/zset.h"
#include "checks.h"

/* By enum obj_type. */
static const struct obj_ops *const types[] = {
	[OBJ_SET] = &set_ops,
	[OBJ_HASH] = &hash_ops,
	[OBJ_ZSET] = &zset_ops,
	[OBJ_LIST] = &list_ops,
	[OBJ_STREAM] = &stream_ops,
};

const struct obj_ops *obj_ops(const struct obj *o)
{
	const struct obj_ops *ops;

	BUG_ON(o->type >= sizeof(types) / sizeof(types[0]));
	ops = types[o->type];
	BUG_ON(!ops);
	return ops;
}

const char *obj_enc_name(enum obj_enc enc)
{
	switch (enc) {
	case OBJ_ENC_INT: return "int";
	case OBJ_ENC_EMBSTR: return "embstr";
	case OBJ_ENC_RAW: return "raw";
	case OBJ_ENC_LISTPACK: return "listpack";
	case OBJ_ENC_INTSET: return "intset";
	case OBJ_ENC_HASHTABLE: return "hashtable";
	case OBJ_ENC_QUICKLIST: return "quicklist";
	case OBJ_ENC_SKIPLIST: return "skiplist";
	case OBJ_ENC_STREAM: return "stream";
	}
	return "unknown";
}
