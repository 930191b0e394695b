/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/script/cache.h"

#include "app/config_table.h"

#include <rte_spinlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 256

struct script_cache {
	rte_spinlock_t lock; /* guards the table */
	struct script_text **buckets;
	size_t nr_buckets;
	atomic_uint nr;
	atomic_size_t bytes;
	atomic_ullong generation;
};

/* --- one script ------------------------------------------------------------------------------- */

char **script_shebang_words(const char *code, size_t len, int *argc)
{
	char *line = strndup(code, len);
	char **words;

	*argc = 0;
	if (!line)
		return NULL;
	words = config_split(line, argc);
	free(line);
	return words;
}

static bool add_flag(const char *name, size_t len, uint32_t *flags)
{
	const char *known;

	for (unsigned bit = 0; (known = script_flag_name(bit)); bit++) {
		if (strlen(known) == len && memcmp(known, name, len) == 0) {
			*flags |= 1u << bit;
			return true;
		}
	}
	return false;
}

/* "no-writes,allow-oom"; nothing is no flag. */
static bool read_flags(const char *list, uint32_t *flags, char err[SCRIPT_ERR_MAX])
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (!add_flag(list, len, flags)) {
			snprintf(err, SCRIPT_ERR_MAX, "ERR Unexpected flag in script shebang: %.*s",
				(int)len, list);
			return false;
		}
		list += len;
		if (*list == ',' && list[1] == '\0') {
			snprintf(err, SCRIPT_ERR_MAX, "ERR Unexpected flag in script shebang: ");
			return false;
		}
		list += *list == ',';
	}
	return true;
}

static bool read_words(char **words, int nr, uint32_t *flags, char err[SCRIPT_ERR_MAX])
{
	if (!words || nr <= 0) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Invalid engine in script shebang");
		return false;
	}
	if (strcmp(words[0], "#!lua") != 0) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Unexpected engine in script shebang: %s",
			words[0]);
		return false;
	}
	for (int i = 1; i < nr; i++) {
		if (strncmp(words[i], "flags=", 6) == 0) {
			if (!read_flags(words[i] + 6, flags, err))
				return false;
			continue;
		}
		snprintf(err, SCRIPT_ERR_MAX, "ERR Unknown lua shebang option: %s", words[i]);
		return false;
	}
	return true;
}

bool script_shebang(
	const char *code, size_t len, uint32_t *flags, size_t *skip, char err[SCRIPT_ERR_MAX])
{
	const char *end;
	char **words;
	int nr;
	bool ok;

	*flags = SCRIPT_COMPAT;
	*skip = 0;
	if (len < 2 || memcmp(code, "#!", 2) != 0)
		return true;
	end = memchr(code, '\n', len);
	if (!end) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Invalid script shebang");
		return false;
	}
	*flags = 0;
	*skip = (size_t)(end - code);
	words = script_shebang_words(code, *skip, &nr);
	ok = read_words(words, nr, flags, err);
	config_split_free(words, nr);
	return ok;
}

struct script_text *script_text_create(
	const char *code, size_t len, const char *sha, char err[SCRIPT_ERR_MAX])
{
	struct script_text *t;
	uint32_t flags;
	size_t skip;

	if (!script_shebang(code, len, &flags, &skip, err))
		return NULL;
	t = malloc(sizeof(*t) + len);
	if (!t) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR out of memory");
		return NULL;
	}
	atomic_init(&t->refs, 1);
	t->next = NULL;
	snprintf(t->sha, sizeof(t->sha), "%s", sha);
	t->flags = flags;
	t->skip = skip;
	t->len = len;
	memcpy(t->code, code, len);
	return t;
}

void script_text_put(struct script_text *t)
{
	if (t && atomic_fetch_sub(&t->refs, 1) == 1)
		free(t);
}

/* --- all of them ------------------------------------------------------------------------------ */

struct script_cache *script_cache_create(void)
{
	struct script_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	rte_spinlock_init(&c->lock);
	c->nr_buckets = FIRST_BUCKETS;
	c->buckets = calloc(c->nr_buckets, sizeof(*c->buckets));
	if (!c->buckets) {
		free(c);
		return NULL;
	}
	return c;
}

void script_cache_destroy(struct script_cache **cp)
{
	struct script_cache *c = *cp;

	if (!c)
		return;
	script_cache_flush(c);
	free(c->buckets);
	free(c);
	*cp = NULL;
}

/* sha1 is as even as any hash. */
static size_t bucket_of(const char *sha, size_t nr_buckets)
{
	size_t h = 0;

	for (int i = 0; i < 12; i++)
		h = h * 16 + (size_t)(sha[i] <= '9' ? sha[i] - '0' : sha[i] - 'a' + 10);
	return h & (nr_buckets - 1);
}

/* The place of its pointer, or of the one behind the last. */
static struct script_text **find(struct script_cache *c, const char *sha)
{
	struct script_text **at = &c->buckets[bucket_of(sha, c->nr_buckets)];

	while (*at && strcmp((*at)->sha, sha) != 0)
		at = &(*at)->next;
	return at;
}

struct script_text *script_cache_get(struct script_cache *c, const char *sha)
{
	struct script_text *t;

	rte_spinlock_lock(&c->lock);
	t = *find(c, sha);
	if (t)
		atomic_fetch_add(&t->refs, 1);
	rte_spinlock_unlock(&c->lock);
	return t;
}

/* Doubles the buckets; without memory it stays slower. */
static void grow(struct script_cache *c)
{
	size_t nr = c->nr_buckets * 2;
	struct script_text **buckets = calloc(nr, sizeof(*buckets)), *t;

	if (!buckets)
		return;
	for (size_t i = 0; i < c->nr_buckets; i++) {
		while ((t = c->buckets[i])) {
			struct script_text **to = &buckets[bucket_of(t->sha, nr)];

			c->buckets[i] = t->next;
			t->next = *to;
			*to = t;
		}
	}
	free(c->buckets);
	c->buckets = buckets;
	c->nr_buckets = nr;
}

void script_cache_add(struct script_cache *c, struct script_text *t)
{
	struct script_text **at;

	rte_spinlock_lock(&c->lock);
	at = find(c, t->sha);
	if (!*at) {
		atomic_fetch_add(&t->refs, 1);
		*at = t;
		atomic_fetch_add(&c->bytes, sizeof(*t) + t->len);
		if (atomic_fetch_add(&c->nr, 1) >= c->nr_buckets)
			grow(c);
	}
	rte_spinlock_unlock(&c->lock);
}

void script_cache_flush(struct script_cache *c)
{
	struct script_text *t, *all = NULL;

	rte_spinlock_lock(&c->lock);
	for (size_t i = 0; i < c->nr_buckets; i++) {
		while ((t = c->buckets[i])) {
			c->buckets[i] = t->next;
			t->next = all;
			all = t;
		}
	}
	atomic_store(&c->nr, 0);
	atomic_store(&c->bytes, 0);
	atomic_fetch_add(&c->generation, 1);
	rte_spinlock_unlock(&c->lock);
	while ((t = all)) {
		all = t->next;
		script_text_put(t);
	}
}

uint64_t script_cache_generation(const struct script_cache *c)
{
	return atomic_load_explicit(&c->generation, memory_order_acquire);
}

unsigned script_cache_count(const struct script_cache *c)
{
	return atomic_load_explicit(&c->nr, memory_order_relaxed);
}

size_t script_cache_bytes(const struct script_cache *c)
{
	return atomic_load_explicit(&c->bytes, memory_order_relaxed) +
	       script_cache_count(c) * sizeof(void *);
}
