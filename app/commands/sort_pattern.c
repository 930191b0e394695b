/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SORT's patterns, and which keys and locks a SORT needs.
 */
#include "app/commands/sort.h"

#include "app/keyspace/entry.h"
#include "app/keyspace/types/hash.h"
#include "dataplane/resp.h"

#include <stdlib.h>
#include <string.h>

/* Redis reads patterns as C strings: what is behind a NUL is text, but no syntax. */
void sort_pattern_parse(const struct slice *text, struct sort_pattern *p)
{
	size_t len = strnlen(text->ptr, text->len);
	const char *star = memchr(text->ptr, '*', len), *arrow, *end = text->ptr + text->len;

	*p = (struct sort_pattern){.self = len == 1 && text->ptr[0] == '#', .none = !star};
	if (p->self || p->none)
		return;
	p->before = (struct slice){text->ptr, (size_t)(star - text->ptr)};
	star++;
	arrow = memmem(star, (size_t)(text->ptr + len - star), "->", 2);
	if (arrow && arrow + 2 < text->ptr + len) {
		p->field = (struct slice){arrow + 2, (size_t)(end - arrow - 2)};
		end = arrow;
	}
	p->after = (struct slice){star, (size_t)(end - star)};
}

void sort_name_fini(struct sort_name *n)
{
	free(n->ptr);
	*n = (struct sort_name){0};
}

struct slice sort_text(const struct lp_val *val, char buf[KS_INT_STR_MAX])
{
	if (val->str)
		return (struct slice){val->str, val->len};
	return (struct slice){buf, int_to_str(val->num, buf)};
}

struct lp_val sort_val(struct slice text, const char *buf)
{
	struct lp_val val = {.str = text.ptr ? text.ptr : "", .len = (uint32_t)text.len};

	if (text.ptr == buf && resp_int_parse(text.ptr, text.len, &val.num))
		val.str = NULL;
	return val;
}

/* The name of the key, in n. */
static bool make_name(const struct sort_pattern *p, const struct lp_val *elem, struct sort_name *n,
	struct slice *key)
{
	char num[KS_INT_STR_MAX];
	struct slice text = sort_text(elem, num);
	size_t len = p->before.len + text.len + p->after.len;

	if (len > n->room) {
		char *ptr = realloc(n->ptr, len * 2);

		if (!ptr)
			return false;
		n->ptr = ptr;
		n->room = len * 2;
	}
	*key = (struct slice){n->ptr ? n->ptr : "", len};
	if (p->before.len)
		memcpy(n->ptr, p->before.ptr, p->before.len);
	if (text.len)
		memcpy(n->ptr + p->before.len, text.ptr, text.len);
	if (p->after.len)
		memcpy(n->ptr + p->before.len + text.len, p->after.ptr, p->after.len);
	return true;
}

static bool string_value(const struct entry *e, struct sort_value *out)
{
	char num[KS_INT_STR_MAX];

	if (entry_type(e) != OBJ_STRING)
		return false;
	*out = (struct sort_value){sort_val(entry_str(e, num), num), e};
	return true;
}

static bool field_value(const struct entry *e, const struct slice *field, struct sort_value *out)
{
	struct hash_pair pair;
	struct obj hash;

	if (entry_type(e) != OBJ_HASH)
		return false;
	hash = entry_obj(e);
	if (!hash_get(&hash, field->ptr, field->len, &pair))
		return false;
	*out = (struct sort_value){pair.value, pair.e};
	return true;
}

enum sort_found sort_follow(struct client *c, const struct sort_pattern *p,
	const struct lp_val *elem, struct sort_name *name, struct sort_value *out)
{
	const struct entry *e;
	struct slice key;
	bool found;

	if (p->self) {
		*out = (struct sort_value){.val = *elem};
		return SORT_FOUND;
	}
	if (p->none)
		return SORT_NOTHING;
	if (!make_name(p, elem, name, &key))
		return SORT_NO_MEMORY;
	e = lookup_read_beyond(c, &key);
	if (!e)
		return SORT_NOTHING;
	found = p->field.ptr ? field_value(e, &p->field, out) : string_value(e, out);
	return found ? SORT_FOUND : SORT_NOTHING;
}

/* --- keys and locks --------------------------------------------------------------------------- */

/* Words that belong to the option argv[i]. */
static uint32_t words_behind(const struct slice *a)
{
	return arg_is(a, "limit") ? 2 : arg_is(a, "get") || arg_is(a, "by") || arg_is(a, "store");
}

/* Of several STOREs the last counts. */
int sort_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	uint32_t store = 0;

	for (uint32_t i = 2; i < argc; i += 1 + words_behind(&argv[i])) {
		if (i + 1 < argc && arg_is(&argv[i], "store"))
			store = i + 1;
	}
	if (max > 0)
		pos[0] = 1;
	if (store && max > 1)
		pos[1] = store;
	return store ? 2 : 1;
}

int sort_ro_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max)
{
	if (max > 0)
		pos[0] = 1;
	return 1;
}

bool sort_locks_all(const struct slice *argv, uint32_t argc)
{
	for (uint32_t i = 2; i + 1 < argc; i += 1 + words_behind(&argv[i])) {
		if (!arg_is(&argv[i], "by") && !arg_is(&argv[i], "get"))
			continue;
		if (memchr(argv[i + 1].ptr, '*', argv[i + 1].len))
			return true;
	}
	return false;
}
