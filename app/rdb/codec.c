/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb/codec.h"

/* By enum obj_type. */
static const struct rdb_codec *const codecs[] = {
	[OBJ_SET] = &rdb_set,
	[OBJ_ZSET] = &rdb_zset,
	[OBJ_HASH] = &rdb_hash,
	[OBJ_LIST] = &rdb_list,
	[OBJ_STREAM] = &rdb_stream,
};

const struct rdb_codec *rdb_codec(enum obj_type type)
{
	return type < sizeof(codecs) / sizeof(codecs[0]) ? codecs[type] : NULL;
}
