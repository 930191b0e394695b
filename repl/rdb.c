/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of RDB types, and the messages of a refused input.
 */
#include "repl/rdb.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const type_names[RDB_TYPE_MAX + 1] = {
	[RDB_TYPE_STRING] = "string",
	[RDB_TYPE_LIST] = "list",
	[RDB_TYPE_SET] = "set",
	[RDB_TYPE_ZSET] = "zset with text scores",
	[RDB_TYPE_HASH] = "hash",
	[RDB_TYPE_ZSET_2] = "zset",
	[RDB_TYPE_MODULE] = "module, first format",
	[RDB_TYPE_MODULE_2] = "module",
	[RDB_TYPE_HASH_ZIPMAP] = "hash zipmap",
	[RDB_TYPE_LIST_ZIPLIST] = "list ziplist",
	[RDB_TYPE_SET_INTSET] = "set intset",
	[RDB_TYPE_ZSET_ZIPLIST] = "zset ziplist",
	[RDB_TYPE_HASH_ZIPLIST] = "hash ziplist",
	[RDB_TYPE_LIST_QUICKLIST] = "list of ziplists",
	[RDB_TYPE_STREAM_LISTPACKS] = "stream, format 1",
	[RDB_TYPE_HASH_LISTPACK] = "hash listpack",
	[RDB_TYPE_ZSET_LISTPACK] = "zset listpack",
	[RDB_TYPE_LIST_QUICKLIST_2] = "list",
	[RDB_TYPE_STREAM_LISTPACKS_2] = "stream, format 2",
	[RDB_TYPE_SET_LISTPACK] = "set listpack",
	[RDB_TYPE_STREAM_LISTPACKS_3] = "stream, format 3",
	[RDB_TYPE_HASH_METADATA_PRE_GA] = "hash with field expiry, pre-release",
	[RDB_TYPE_HASH_LISTPACK_EX_PRE_GA] = "hash listpack with field expiry, pre-release",
	[RDB_TYPE_HASH_METADATA] = "hash with field expiry",
	[RDB_TYPE_HASH_LISTPACK_EX] = "hash listpack with field expiry",
};

const char *rdb_type_name(unsigned type)
{
	return type <= RDB_TYPE_MAX ? type_names[type] : NULL;
}

void rdb_fault_set(struct rdb_fault *f, enum rdb_error error, uint64_t at, const char *fmt, ...)
{
	if (f->error != RDB_OK)
		return;
	f->error = error;
	f->at = at;
	int n = snprintf(f->text, sizeof(f->text), "offset %llu: ", (unsigned long long)at);
	va_list args;
	va_start(args, fmt);
	vsnprintf(f->text + n, sizeof(f->text) - (size_t)n, fmt, args);
	va_end(args);
}

/* Width of a byte in a message. */
static size_t text_width(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '\\' ? 1 : 4;
}

void rdb_text_escape(const void *bytes, size_t len, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	size_t width = 0, room = cap - 1, shown = 0;

	while (shown < len && width + text_width(p[shown]) <= room)
		width += text_width(p[shown++]);
	bool cut = shown < len;
	while (cut && shown > 0 && width + 3 > room)
		width -= text_width(p[--shown]);
	for (size_t i = 0; i < shown; i++) {
		if (text_width(p[i]) == 1) {
			*out++ = (char)p[i];
			continue;
		}
		*out++ = '\\';
		*out++ = 'x';
		*out++ = hex[p[i] >> 4];
		*out++ = hex[p[i] & 15];
	}
	for (size_t dots = cut ? 3 : 0; dots > 0 && width < room; dots--, width++)
		*out++ = '.';
	*out = '\0';
}
