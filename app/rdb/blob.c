/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/rdb/blob.h"

#include "app/keyspace/entry.h"
#include "app/keyspace/hash.h"
#include "app/keyspace/rand.h"

#include <stdlib.h>
#include <string.h>

#define FEW_NAMES 16 /* up to here each is compared with each */
#define NUM_MAX   128

bool rdb_blob_listpack(
	struct rdb_build *b, const struct rdb_item *item, size_t group, unsigned char **lp)
{
	if (!lp_valid(item->str.bytes, item->str.len, true))
		return rdb_build_refuse(b, "a listpack is damaged");
	if (lp_count(item->str.bytes) % group != 0)
		return rdb_build_refuse(b, "a listpack lacks an element");
	*lp = lp_copy(item->str.bytes, item->str.len);
	return *lp ? true : rdb_build_no_memory(b);
}

/* --- names that must not come twice --- */

static const unsigned char *next_name(const unsigned char *lp, const unsigned char *p, size_t group)
{
	while (p && group-- > 0)
		p = lp_next(lp, p);
	return p;
}

static bool same(const unsigned char *p, const struct slice *name)
{
	char buf[KS_INT_STR_MAX];
	struct slice other = lp_text(p, buf);

	return other.len == name->len && memcmp(other.ptr, name->ptr, name->len) == 0;
}

static bool few_differ(const unsigned char *lp, size_t group)
{
	const unsigned char *p = lp_first(lp);

	for (; p; p = next_name(lp, p, group)) {
		char buf[KS_INT_STR_MAX];
		struct slice name = lp_text(p, buf);

		for (const unsigned char *q = lp_first(lp); q != p; q = next_name(lp, q, group))
			if (same(q, &name))
				return false;
	}
	return true;
}

/* The names' places in a table by their hash, which nobody can foresee. */
static bool many_differ(
	struct rdb_build *b, const unsigned char *lp, size_t group, size_t nr, bool *differ)
{
	struct hash_seed seed = {ks_rand(), ks_rand()};
	size_t mask = 1;

	while (mask < 2 * nr)
		mask *= 2;
	const unsigned char **slots = calloc(mask--, sizeof(*slots));

	if (!slots)
		return rdb_build_no_memory(b);
	*differ = true;
	for (const unsigned char *p = lp_first(lp); p && *differ; p = next_name(lp, p, group)) {
		char buf[KS_INT_STR_MAX];
		struct slice name = lp_text(p, buf);
		size_t at = hash_key(&seed, name.ptr, name.len) & mask;

		while (slots[at] && !same(slots[at], &name))
			at = (at + 1) & mask;
		*differ = slots[at] == NULL;
		slots[at] = p;
	}
	free(slots);
	return true;
}

bool rdb_blob_named(
	struct rdb_build *b, const struct rdb_item *item, size_t group, unsigned char **lp)
{
	bool differ = true, good;

	if (!rdb_blob_listpack(b, item, group, lp))
		return false;
	size_t nr = lp_count(*lp) / group;

	if (nr <= FEW_NAMES) {
		differ = few_differ(*lp, group);
		good = true;
	} else {
		good = many_differ(b, *lp, group, nr, &differ);
	}
	if (good && !differ)
		good = rdb_build_refuse(b, "a listpack has a field or member twice");
	if (!good) {
		lp_free(*lp);
		*lp = NULL;
	}
	return good;
}

/* --- old encodings --- */

static bool is_zipmap(const struct rdb_build *b)
{
	return b->form == RDB_TYPE_HASH_ZIPMAP;
}

bool rdb_blob_old(struct rdb_build *b, const struct rdb_item *item, rdb_old_fn fn)
{
	struct rdb_old old;
	struct rdb_old_elem e;
	enum rdb_old_step step;
	char buf[KS_INT_STR_MAX];

	if (is_zipmap(b))
		rdb_old_zipmap(&old, item->str.bytes, item->str.len);
	else
		rdb_old_ziplist(&old, item->str.bytes, item->str.len);
	while ((step = rdb_old_next(&old, &e)) == RDB_OLD_ELEM) {
		struct slice text = {.ptr = e.str, .len = e.len};

		if (!e.str)
			text = (struct slice){buf, int_to_str(e.num, buf)};
		if (!fn(b, text))
			return false;
	}
	return step == RDB_OLD_END ||
	       rdb_build_refuse(b, is_zipmap(b) ? "a zipmap is damaged" : "a ziplist is damaged");
}

/* --- elements --- */

bool rdb_text_double(struct slice text, double *out)
{
	char num[NUM_MAX];
	char *end;

	if (text.len == 0 || text.len >= sizeof(num))
		return false;
	memcpy(num, text.ptr, text.len);
	num[text.len] = '\0';
	*out = strtod(num, &end);
	return end == num + text.len;
}

void rdb_write_val(struct rdb_writer *w, const struct lp_val *val)
{
	char buf[KS_INT_STR_MAX];

	if (val->str)
		rdb_write_string(w, val->str, val->len);
	else
		rdb_write_string(w, buf, int_to_str(val->num, buf));
}
