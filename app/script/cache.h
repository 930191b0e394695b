/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scripts that EVAL and SCRIPT LOAD have brought, by their sha1: shared by all cores, each of
 * which compiles what it runs. SCRIPT FLUSH begins a new generation: a core that sees one throws
 * its Lua state away. Any thread; a lock guards the table, texts are immutable.
 */
#ifndef MILLRACE_APP_SCRIPT_CACHE_H
#define MILLRACE_APP_SCRIPT_CACHE_H

#include "app/script/vm.h"

struct script_cache;

struct script_text {
	atomic_uint refs;
	struct script_text *next; /* in its bucket */
	char sha[SCRIPT_SHA_LEN + 1];
	uint32_t flags;
	size_t skip; /* bytes of the first line, #!..., which is no Lua */
	size_t len;
	char code[];
};

struct script_cache *script_cache_create(void); /* NULL: no memory */
void script_cache_destroy(struct script_cache **cache);

/* With a reference for the caller, or NULL: it is not there. sha in lower case. */
struct script_text *script_cache_get(struct script_cache *cache, const char *sha);
/* Adds it, unless it is there. Takes a reference of its own. */
void script_cache_add(struct script_cache *cache, struct script_text *t);
void script_cache_flush(struct script_cache *cache);
uint64_t script_cache_generation(const struct script_cache *cache);
unsigned script_cache_count(const struct script_cache *cache);
size_t script_cache_bytes(const struct script_cache *cache);

/* Reads the first line and makes a text, which has one reference. NULL: err ("ERR ..."). */
struct script_text *script_text_create(
	const char *code, size_t len, const char *sha, char err[SCRIPT_ERR_MAX]);
void script_text_put(struct script_text *t); /* NULL-safe */
/* What the first line says: flags and its length without the line's end. False: err. */
bool script_shebang(
	const char *code, size_t len, uint32_t *flags, size_t *skip, char err[SCRIPT_ERR_MAX]);
/* The words of a first line, which begins with "#!" and ends in front of a line's end; as
 * config_split(). */
char **script_shebang_words(const char *code, size_t len, int *argc);

#endif
