/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/obj_limits.h"

struct obj_limits obj_limits_get(const struct config *cfg)
{
#define LIMIT(field) .field = atomic_load_explicit(&cfg->field, memory_order_relaxed)
	return (struct obj_limits){
		LIMIT(hash_max_listpack_entries),
		LIMIT(hash_max_listpack_value),
		LIMIT(set_max_intset_entries),
		LIMIT(zset_max_listpack_entries),
		LIMIT(zset_max_listpack_value),
		LIMIT(stream_node_max_bytes),
		LIMIT(stream_node_max_entries),
		LIMIT(list_max_listpack_size),
	};
#undef LIMIT
}
