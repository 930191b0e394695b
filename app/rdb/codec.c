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

struct members {
	struct rdb_writer *w;
	rdb_member_fn fn;
};

static void write_member(void *ctx, struct entry *e)
{
	const struct members *m = ctx;

	m->fn(m->w, e);
}

bool rdb_write_dict(struct rdb_writer *w, const struct dict *d, struct rdb_progress *at,
	uint64_t until, rdb_member_fn fn)
{
	struct members m = {w, fn};

	if (at->stage == 0) {
		rdb_write_len(w, dict_count(d));
		at->stage = 1;
	}
	for (uint64_t nr = table_units(&d->t); at->unit < nr; at->unit++) {
		if (w->nr_bytes >= until)
			return false;
		table_unit_walk(&d->t, at->unit, write_member, &m);
	}
	return true;
}

const struct rdb_codec *rdb_codec(enum obj_type type)
{
	return type < sizeof(codecs) / sizeof(codecs[0]) ? codecs[type] : NULL;
}
