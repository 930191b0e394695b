/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/script/library.h"

#include "app/config_table.h"
#include "app/script/cache.h"
#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BAD_NAME                                                                                   \
	"ERR Library names can only contain letters, numbers, or underscores(_) and must be at "   \
	"least one character long"

/* --- one library ------------------------------------------------------------------------------ */

static void library_destroy(struct library **libp)
{
	struct library *lib = *libp;

	if (!lib)
		return;
	for (unsigned i = 0; i < lib->nr_functions; i++) {
		free((char *)(uintptr_t)lib->functions[i].name.ptr);
		free((char *)(uintptr_t)lib->functions[i].desc.ptr);
	}
	free(lib->functions);
	free(lib->name);
	free(lib->code);
	free(lib);
	*libp = NULL;
}

static size_t library_bytes(const struct library *lib)
{
	size_t bytes = sizeof(*lib) + strlen(lib->name) + 1 + lib->len + sizeof(void *);

	for (unsigned i = 0; i < lib->nr_functions; i++)
		bytes += sizeof(lib->functions[i]) + sizeof(void *) + lib->functions[i].name.len +
			 1 + lib->functions[i].desc.len;
	return bytes;
}

static bool is_name(const char *s, size_t len)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	for (size_t i = 0; i < len; i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return len > 0;
}

static bool out_of_memory(char err[SCRIPT_ERR_MAX])
{
	snprintf(err, SCRIPT_ERR_MAX, "ERR out of memory");
	return false;
}

/* What stands behind the engine in a library's first line. */
static bool read_options(struct library *lib, char **words, int nr, char err[SCRIPT_ERR_MAX])
{
	for (int i = 1; i < nr; i++) {
		if (strncasecmp(words[i], "name=", 5) != 0) {
			snprintf(err, SCRIPT_ERR_MAX, "ERR Invalid metadata value given: %s",
				words[i]);
			return false;
		}
		if (lib->name) {
			snprintf(err, SCRIPT_ERR_MAX,
				"ERR Invalid metadata value, name argument was given multiple "
				"times");
			return false;
		}
		lib->name = strdup(words[i] + 5);
		if (!lib->name)
			return out_of_memory(err);
	}
	if (lib->name)
		return true;
	snprintf(err, SCRIPT_ERR_MAX, "ERR Library name was not given");
	return false;
}

static bool read_words(struct library *lib, char **words, int nr, char err[SCRIPT_ERR_MAX])
{
	if (!words || nr <= 0) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Invalid library metadata");
		return false;
	}
	if (!read_options(lib, words, nr, err))
		return false;
	if (!is_name(lib->name, strlen(lib->name))) {
		snprintf(err, SCRIPT_ERR_MAX, BAD_NAME);
		return false;
	}
	if (strcasecmp(words[0] + 2, "lua") == 0)
		return true;
	snprintf(err, SCRIPT_ERR_MAX, "ERR Engine '%s' not found", words[0] + 2);
	return false;
}

static bool read_first_line(struct library *lib, char err[SCRIPT_ERR_MAX])
{
	const char *end;
	char **words;
	int nr;
	bool ok;

	if (lib->len < 2 || memcmp(lib->code, "#!", 2) != 0) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Missing library metadata");
		return false;
	}
	end = memchr(lib->code, '\n', lib->len);
	if (!end) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Invalid library metadata");
		return false;
	}
	lib->skip = (size_t)(end - lib->code);
	words = script_shebang_words(lib->code, lib->skip, &nr);
	ok = read_words(lib, words, nr, err);
	config_split_free(words, nr);
	return ok;
}

/* NULL: err. */
static struct library *library_create(const char *code, size_t len, char err[SCRIPT_ERR_MAX])
{
	static atomic_ullong ids;
	struct library *lib = calloc(1, sizeof(*lib));

	if (!lib) {
		out_of_memory(err);
		return NULL;
	}
	lib->id = atomic_fetch_add(&ids, 1) + 1;
	lib->len = len;
	lib->code = malloc(len + 1);
	if (!lib->code) {
		out_of_memory(err);
		library_destroy(&lib);
		return NULL;
	}
	memcpy(lib->code, code, len);
	lib->code[len] = '\0';
	if (!read_first_line(lib, err))
		library_destroy(&lib);
	return lib;
}

static bool function_room(struct library *lib)
{
	unsigned cap = lib->cap ? lib->cap * 2 : 4;
	struct library_function *functions;

	if (lib->nr_functions < lib->cap)
		return true;
	functions = reallocarray(lib->functions, cap, sizeof(*functions));
	if (!functions)
		return false;
	lib->functions = functions;
	lib->cap = cap;
	return true;
}

/* script_register_fn */
static bool add_function(void *ctx, const struct slice *name, const struct slice *desc,
	uint32_t flags, char err[SCRIPT_ERR_MAX])
{
	struct library *lib = ctx;
	char *name_copy, *desc_copy;

	if (!is_name(name->ptr, name->len)) {
		snprintf(err, SCRIPT_ERR_MAX, BAD_NAME);
		return false;
	}
	for (unsigned i = 0; i < lib->nr_functions; i++) {
		if (lib->functions[i].name.len == name->len &&
			memcmp(lib->functions[i].name.ptr, name->ptr, name->len) == 0) {
			snprintf(err, SCRIPT_ERR_MAX, "ERR Function already exists in the library");
			return false;
		}
	}
	if (!function_room(lib))
		return out_of_memory(err);
	name_copy = strndup(name->ptr, name->len);
	desc_copy = desc ? malloc(desc->len + 1) : NULL;
	if (!name_copy || (desc && !desc_copy)) {
		free(name_copy);
		free(desc_copy);
		return out_of_memory(err);
	}
	if (desc)
		memcpy(desc_copy, desc->ptr, desc->len);
	lib->functions[lib->nr_functions++] = (struct library_function){
		.lib = lib,
		.name = {name_copy, name->len},
		.desc = {desc_copy, desc ? desc->len : 0},
		.flags = flags,
	};
	return true;
}

/* --- a set ------------------------------------------------------------------------------------ */

void library_set_fini(struct library_set *s)
{
	for (unsigned i = 0; i < s->nr; i++)
		library_destroy(&s->libs[i]);
	free(s->libs);
	free(s->functions);
	s->libs = NULL;
	s->functions = NULL;
	s->nr = s->nr_functions = 0;
	s->bytes = 0;
}

void library_set_swap(struct library_set *node, struct library_set *other)
{
	struct library_set tmp = *other;

	rte_spinlock_lock(&node->lock);
	other->nr = node->nr;
	other->nr_functions = node->nr_functions;
	other->libs = node->libs;
	other->functions = node->functions;
	other->bytes = node->bytes;
	node->nr = tmp.nr;
	node->nr_functions = tmp.nr_functions;
	node->libs = tmp.libs;
	node->functions = tmp.functions;
	node->bytes = tmp.bytes;
	node->changes++;
	rte_spinlock_unlock(&node->lock);
}

void library_set_counts(struct library_set *s, unsigned *nr, unsigned *nr_functions, size_t *bytes)
{
	rte_spinlock_lock(&s->lock);
	*nr = s->nr;
	*nr_functions = s->nr_functions;
	*bytes = s->bytes;
	rte_spinlock_unlock(&s->lock);
}

bool library_function_flags(struct library_set *s, const struct slice *name, uint32_t *flags)
{
	const struct library_function *f;

	rte_spinlock_lock(&s->lock);
	f = library_find_function(s, name);
	if (f)
		*flags = f->flags;
	rte_spinlock_unlock(&s->lock);
	return f;
}

static int compare_names(const struct slice *a, const struct slice *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = strncasecmp(a->ptr, b->ptr, len);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

struct library_function *library_find_function(
	const struct library_set *s, const struct slice *name)
{
	unsigned low = 0, high = s->nr_functions;

	if (memchr(name->ptr, '\0', name->len))
		return NULL;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int order = compare_names(name, &s->functions[mid]->name);

		if (order == 0)
			return s->functions[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* Where it is, or nr. */
static unsigned index_of(const struct library_set *s, const struct slice *name)
{
	unsigned i = 0;

	while (i < s->nr && (strlen(s->libs[i]->name) != name->len ||
				    memcmp(s->libs[i]->name, name->ptr, name->len) != 0))
		i++;
	return i;
}

struct library *library_find_id(const struct library_set *s, uint64_t id)
{
	for (unsigned i = 0; i < s->nr; i++)
		if (s->libs[i]->id == id)
			return s->libs[i];
	return NULL;
}

struct library *library_find(const struct library_set *s, const struct slice *name)
{
	unsigned i = index_of(s, name);

	return i < s->nr ? s->libs[i] : NULL;
}

static int compare_functions(const void *a, const void *b)
{
	const struct library_function *const *x = a, *const *y = b;

	return compare_names(&(*x)->name, &(*y)->name);
}

/* Room for more of both, so that set_link() cannot fail. */
static bool set_room(struct library_set *s, unsigned libs, unsigned functions)
{
	void *room = reallocarray(s->libs, s->nr + libs + 1, sizeof(*s->libs));

	if (!room)
		return false;
	s->libs = room;
	room = reallocarray(s->functions, s->nr_functions + functions + 1, sizeof(*s->functions));
	if (!room)
		return false;
	s->functions = room;
	return true;
}

/* Takes lib; no name of it is in the set, and there is room. */
static void set_link(struct library_set *s, struct library *lib)
{
	unsigned at = s->nr++;

	for (; at > 0 && strcmp(s->libs[at - 1]->name, lib->name) > 0; at--)
		s->libs[at] = s->libs[at - 1];
	s->libs[at] = lib;
	for (unsigned i = 0; i < lib->nr_functions; i++)
		s->functions[s->nr_functions++] = &lib->functions[i];
	qsort(s->functions, s->nr_functions, sizeof(*s->functions), compare_functions);
	s->bytes += library_bytes(lib);
}

/* Gives lib back. */
static void set_unlink(struct library_set *s, struct library *lib)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nr; i++)
		if (s->libs[i] != lib)
			s->libs[n++] = s->libs[i];
	s->nr = n;
	n = 0;
	for (unsigned i = 0; i < s->nr_functions; i++)
		if (s->functions[i]->lib != lib)
			s->functions[n++] = s->functions[i];
	s->nr_functions = n;
	s->bytes -= library_bytes(lib);
	s->changes++;
}

bool library_delete(struct library_set *s, const struct slice *name)
{
	struct library *lib = library_find(s, name);

	if (!lib)
		return false;
	rte_spinlock_lock(&s->lock);
	set_unlink(s, lib);
	rte_spinlock_unlock(&s->lock);
	library_destroy(&lib);
	return true;
}

/* The function of lib whose name is taken in s by another library than but; NULL: none. */
static const struct library_function *collision(
	const struct library_set *s, const struct library *lib, const struct library *but)
{
	for (unsigned i = 0; i < lib->nr_functions; i++) {
		const struct library_function *f =
			library_find_function(s, &lib->functions[i].name);

		if (f && f->lib != but)
			return &lib->functions[i];
	}
	return NULL;
}

/* lib, whose code has run, comes into the set. */
static bool set_take(
	struct library_set *s, struct library *lib, struct library *old, char err[SCRIPT_ERR_MAX])
{
	const struct library_function *taken;
	bool ok;

	if (lib->nr_functions == 0) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR No functions registered");
		return false;
	}
	taken = collision(s, lib, old);
	if (taken) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Function %s already exists", taken->name.ptr);
		return false;
	}
	rte_spinlock_lock(&s->lock);
	ok = set_room(s, 1, lib->nr_functions);
	if (ok && old)
		set_unlink(s, old);
	if (ok)
		set_link(s, lib);
	rte_spinlock_unlock(&s->lock);
	if (!ok)
		return out_of_memory(err);
	library_destroy(&old);
	return true;
}

const char *library_load(struct library_set *s, struct script_vm *vm, const char *code, size_t len,
	bool replace, unsigned timeout_ms, char err[SCRIPT_ERR_MAX])
{
	struct library *lib = library_create(code, len, err), *old;
	struct slice name;

	if (!lib)
		return NULL;
	name = (struct slice){lib->name, strlen(lib->name)};
	old = library_find(s, &name);
	if (old && !replace) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Library '%s' already exists", lib->name);
		library_destroy(&lib);
		return NULL;
	}
	if (!script_vm_load(vm, lib->id, lib->code + lib->skip, lib->len - lib->skip, timeout_ms,
		    add_function, lib, err)) {
		library_destroy(&lib);
		return NULL;
	}
	if (!set_take(s, lib, old, err)) {
		script_vm_unload(vm, lib->id);
		library_destroy(&lib);
		return NULL;
	}
	return lib->name;
}

/* The library of s that lib would take the place of. */
static struct library *namesake(const struct library_set *s, const struct library *lib)
{
	struct slice name = {lib->name, strlen(lib->name)};

	return library_find(s, &name);
}

/* A function of from is in a library of s that does not go. */
static const struct library_function *join_collision(
	const struct library_set *s, const struct library_set *from)
{
	for (unsigned i = 0; i < from->nr_functions; i++) {
		const struct library_function *f =
			library_find_function(s, &from->functions[i]->name);

		if (f && !namesake(from, f->lib))
			return from->functions[i];
	}
	return NULL;
}

/* False: no memory, and nothing has changed. */
static bool replace_all(struct library_set *s, struct library_set *from)
{
	bool ok;

	rte_spinlock_lock(&s->lock);
	ok = set_room(s, from->nr, from->nr_functions);
	for (unsigned i = 0; ok && i < from->nr; i++) {
		struct library *old = namesake(s, from->libs[i]);

		if (old)
			set_unlink(s, old);
		library_destroy(&old);
	}
	for (unsigned i = 0; ok && i < from->nr; i++)
		set_link(s, from->libs[i]);
	rte_spinlock_unlock(&s->lock);
	return ok;
}

bool library_join(
	struct library_set *s, struct library_set *from, bool replace, char err[SCRIPT_ERR_MAX])
{
	const struct library_function *taken;

	for (unsigned i = 0; i < from->nr && !replace; i++) {
		if (!namesake(s, from->libs[i]))
			continue;
		snprintf(err, SCRIPT_ERR_MAX, "ERR Library %s already exists", from->libs[i]->name);
		return false;
	}
	taken = join_collision(s, from);
	if (taken) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR Function %s already exists", taken->name.ptr);
		return false;
	}
	if (!replace_all(s, from))
		return out_of_memory(err);
	from->nr = from->nr_functions = 0;
	library_set_fini(from);
	return true;
}
