/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Collections: what all types but strings have in common.
 *
 * An entry whose value is a collection holds a pointer to it in its slot. What it points to depends
 * on type and encoding:
 *
 *     list    QUICKLIST   struct list        set     INTSET      the intset itself
 *     hash    LISTPACK    the listpack       set     HASHTABLE   struct dict
 *     hash    HASHTABLE   struct dict        zset    LISTPACK    the listpack
 *     stream  STREAM      struct stream      zset    SKIPLIST    struct zset
 *
 * struct obj is a handle to pass around; its functions may reallocate what it points to, or change
 * its encoding, so the handle goes back into the entry afterwards: ks_obj_put(). All calls need the
 * partition's lock, or an object that nobody else knows yet.
 */
#ifndef MILLRACE_APP_KEYSPACE_TYPES_OBJ_H
#define MILLRACE_APP_KEYSPACE_TYPES_OBJ_H

#include "app/keyspace/keyspace.h"

/* Sizes up to which the compact encodings are used: the directives of the same names. */
struct obj_limits {
	uint64_t hash_max_listpack_entries, hash_max_listpack_value;
	uint64_t set_max_intset_entries;
	uint64_t zset_max_listpack_entries, zset_max_listpack_value;
	uint64_t stream_node_max_bytes, stream_node_max_entries;
	int list_max_listpack_size; /* elements; negative: -1 4 KB ... -5 64 KB a node */
};

struct obj_digest; /* app/keyspace/digest.h */

/* What the keyspace asks of a type. */
struct obj_ops {
	/* Frees the collection. */
	void (*free)(struct obj *o);
	/* Allocations that freeing it takes, about. NULL: few. */
	size_t (*nr_parts)(const struct obj *o);
	/* Frees about max of them; true: all is gone, as after free(). *at is 0 at first and the
	 * type's own then. Nothing else may be done with the collection meanwhile. NULL: it goes as
	 * a whole. */
	bool (*free_parts)(struct obj *o, uint64_t *at, unsigned max);
	/* Makes an equal one. False: no memory. */
	bool (*copy)(const struct obj *o, struct obj *out);
	/* Elements: pairs of a hash, entries of a stream. */
	size_t (*count)(const struct obj *o);
	/* Allocated bytes; of elements kept one by one, samples are measured and the rest is
	 * estimated from them (0: all are measured). */
	size_t (*mem)(const struct obj *o, size_t samples);
	/* Its part of DEBUG DIGEST, as Redis 7.0 computes it. */
	void (*digest)(const struct obj *o, struct obj_digest *d);
};

/* The operations of a collection's type. */
const struct obj_ops *obj_ops(const struct obj *o);

/* As OBJECT ENCODING says it, for strings too. */
const char *obj_enc_name(enum obj_enc enc);

#endif
