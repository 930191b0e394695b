/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads the notation of command_facts.h. The text is the program's own: what does not parse is a
 * bug.
 */
#include "app/commands/command_facts.h"

#include "checks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct command_facts *find_in(const struct command_facts *rows, const char *name)
{
	for (; rows->name; rows++) {
		int order = strcmp(rows->name, name);

		if (order == 0)
			return rows;
		if (order > 0) /* sorted */
			break;
	}
	return NULL;
}

const struct command_facts *command_facts_find(const struct command *cmd)
{
	char name[COMMAND_NAME_MAX];
	const struct command_facts *facts;

	command_full_name(cmd, name);
	facts = find_in(command_facts_base, name);
	return facts ? facts : find_in(command_facts_types, name);
}

/* --- key specifications ----------------------------------------------------------------------- */

static const char *const key_flag_names[] = {
	"RO",
	"RW",
	"OW",
	"RM",
	"access",
	"update",
	"insert",
	"delete",
	"not_key",
	"incomplete",
	"variable_flags",
};
#define NR_KEY_FLAGS (sizeof(key_flag_names) / sizeof(key_flag_names[0]))

const char *key_flag_name(unsigned bit)
{
	return bit < NR_KEY_FLAGS ? key_flag_names[bit] : NULL;
}

static uint32_t read_flags(const char **text)
{
	uint32_t flags = 0;

	for (;;) {
		size_t len = strcspn(*text, ", ");
		uint32_t bit = 0;

		for (unsigned i = 0; i < NR_KEY_FLAGS; i++)
			if (strlen(key_flag_names[i]) == len &&
				memcmp(*text, key_flag_names[i], len) == 0)
				bit = 1u << i;
		BUG_ON(bit == 0);
		flags |= bit;
		*text += len;
		if (**text != ',')
			return flags;
		++*text;
	}
}

static int read_number(const char **text)
{
	char *end;
	long n = strtol(*text, &end, 10);

	BUG_ON(end == *text);
	*text = end;
	return (int)n;
}

static void read_blank(const char **text)
{
	BUG_ON(**text != ' ');
	++*text;
}

static void read_begin(const char **text, struct key_spec *spec)
{
	size_t len = strcspn(*text, "/ ");

	if (**text == '?') {
		spec->begin = BEGIN_UNKNOWN;
		++*text;
	} else if ((*text)[len] == '/') {
		spec->begin = BEGIN_KEYWORD;
		spec->keyword = (struct slice){*text, len};
		*text += len + 1;
		spec->start = read_number(text);
	} else {
		spec->begin = BEGIN_INDEX;
		spec->start = read_number(text);
	}
}

static void read_find(const char **text, struct key_spec *spec)
{
	static const char range[] = "range", keynum[] = "keynum";

	if (**text == '?') {
		spec->find = FIND_UNKNOWN;
		++*text;
		return;
	}
	if (strncmp(*text, range, strlen(range)) == 0) {
		spec->find = FIND_RANGE;
		*text += strlen(range);
	} else {
		BUG_ON(strncmp(*text, keynum, strlen(keynum)) != 0);
		spec->find = FIND_KEYNUM;
		*text += strlen(keynum);
	}
	for (int i = 0; i < 3; i++) {
		BUG_ON(**text != '/');
		++*text;
		spec->find_args[i] = read_number(text);
	}
}

bool key_spec_next(const char **text, struct key_spec *spec)
{
	if (!*text || !**text)
		return false;
	memset(spec, 0, sizeof(*spec));
	spec->flags = read_flags(text);
	read_blank(text);
	read_begin(text, spec);
	read_blank(text);
	read_find(text, spec);
	if (**text == ';') {
		++*text;
		read_blank(text);
	}
	return true;
}

/* What first key, last key and step say. */
static unsigned specs_from_range(const struct command *cmd, struct key_spec *spec)
{
	if (cmd->first_key <= 0)
		return 0;
	memset(spec, 0, sizeof(*spec));
	spec->flags = cmd->flags & CMD_WRITE ? KEY_RW | KEY_UPDATE : KEY_RO | KEY_ACCESS;
	spec->start = cmd->first_key;
	spec->find_args[0] = cmd->last_key < 0 ? cmd->last_key : cmd->last_key - cmd->first_key;
	spec->find_args[1] = cmd->key_step;
	return 1;
}

unsigned key_specs_get(const struct command *cmd, struct key_spec specs[KEY_SPECS_MAX])
{
	const struct command_facts *facts = command_facts_find(cmd);
	const char *text = facts ? facts->keys : NULL;
	unsigned nr = 0;

	if (!text)
		return specs_from_range(cmd, specs);
	while (nr < KEY_SPECS_MAX && key_spec_next(&text, &specs[nr]))
		nr++;
	return nr;
}

/* Index of the first key by the specification, -1: none. */
static int64_t spec_first(const struct key_spec *spec, const struct slice *argv, uint32_t argc)
{
	int64_t from = spec->start, step = 1, end = argc;

	if (spec->begin == BEGIN_INDEX)
		return spec->start;
	if (spec->begin == BEGIN_UNKNOWN)
		return -1;
	if (from < 0) { /* backwards from the end */
		from += argc;
		step = -1;
		end = 0;
	}
	for (int64_t i = from; i > 0 && i < argc && i != end; i += step)
		if (argv[i].len == spec->keyword.len &&
			strncasecmp(argv[i].ptr, spec->keyword.ptr, argv[i].len) == 0)
			return i + 1;
	return -1;
}

bool key_spec_covers(
	const struct key_spec *spec, const struct slice *argv, uint32_t argc, uint32_t pos)
{
	int64_t first = spec_first(spec, argv, argc), last, step, nr;

	if (first < 0 || spec->find == FIND_UNKNOWN)
		return false;
	if (spec->find == FIND_RANGE) {
		last = spec->find_args[0];
		step = spec->find_args[1];
		if (last >= 0)
			last += first;
		else if (spec->find_args[2] <= 1)
			last += argc;
		else /* only a part of what follows are keys */
			last = first + (argc - first) / spec->find_args[2] + last;
	} else {
		int64_t at = first + spec->find_args[0];

		if (at >= argc || !arg_int(&argv[at], &nr) || nr < 1 || nr > argc)
			return false;
		first += spec->find_args[1];
		step = spec->find_args[2];
		last = first + (nr - 1) * step;
	}
	return pos >= first && pos <= last && (pos - first) % step == 0;
}

/* --- arguments -------------------------------------------------------------------------------- */

static void skip(struct slice *s, size_t n)
{
	BUG_ON(n > s->len);
	s->ptr += n;
	s->len -= n;
}

static bool at(const struct slice *s, char c)
{
	return s->len > 0 && *s->ptr == c;
}

/* Takes bytes off up to one of the set, or the end. */
static struct slice take_until(struct slice *s, const char *set)
{
	struct slice word = {s->ptr, 0};

	while (word.len < s->len && !strchr(set, s->ptr[word.len]))
		word.len++;
	skip(s, word.len);
	return word;
}

/* Takes off what lies between the bracket at the front and its partner. Tokens in quotes hold no
 * brackets. */
static struct slice take_children(struct slice *s)
{
	struct slice inner;
	size_t i = 0;
	int depth = 0;

	do {
		BUG_ON(i >= s->len);
		if (strchr("({", s->ptr[i]))
			depth++;
		else if (strchr(")}", s->ptr[i]))
			depth--;
		i++;
	} while (depth > 0);
	inner = (struct slice){s->ptr + 1, i - 2};
	skip(s, i);
	return inner;
}

static struct slice take_token(struct slice *s)
{
	struct slice token;

	if (!at(s, '\''))
		return take_until(s, " #@^?*+");
	skip(s, 1);
	token = take_until(s, "'");
	skip(s, 1);
	return token;
}

static int take_number(struct slice *s)
{
	int n = 0;

	BUG_ON(s->len == 0 || *s->ptr < '0' || *s->ptr > '9');
	while (s->len > 0 && *s->ptr >= '0' && *s->ptr <= '9') {
		n = n * 10 + (*s->ptr - '0');
		skip(s, 1);
	}
	return n;
}

static unsigned take_flags(struct slice *s)
{
	static const char marks[] = "?*+"; /* in the order of the bits */
	unsigned flags = 0;

	while (s->len > 0 && *s->ptr != ' ') {
		const char *hit = strchr(marks, *s->ptr);

		BUG_ON(!hit);
		flags |= 1u << (hit - marks);
		skip(s, 1);
	}
	return flags;
}

bool arg_doc_next(struct slice *list, struct arg_doc *arg)
{
	while (at(list, ' '))
		skip(list, 1);
	if (list->len == 0)
		return false;
	memset(arg, 0, sizeof(*arg));
	arg->key_spec = -1;
	arg->name = take_until(list, "~({");
	BUG_ON(list->len == 0);
	arg->type = *list->ptr;
	if (arg->type == '~') {
		skip(list, 1);
		BUG_ON(list->len == 0);
		arg->type = *list->ptr;
		skip(list, 1);
	} else {
		arg->children = take_children(list);
	}
	if (at(list, '=')) {
		skip(list, 1);
		arg->has_token = true;
		arg->token = take_token(list);
	}
	if (at(list, '#')) {
		skip(list, 1);
		arg->key_spec = take_number(list);
	}
	if (at(list, '@')) {
		skip(list, 1);
		arg->since = take_until(list, " ^?*+");
	}
	if (at(list, '^')) {
		skip(list, 1);
		arg->deprecated_since = take_until(list, " ?*+");
	}
	arg->flags = take_flags(list);
	return true;
}

unsigned arg_doc_count(struct slice list)
{
	struct arg_doc arg;
	unsigned nr = 0;

	while (arg_doc_next(&list, &arg))
		nr++;
	return nr;
}

const char *arg_doc_type_name(char type)
{
	switch (type) {
	case 's': return "string";
	case 'i': return "integer";
	case 'd': return "double";
	case 'k': return "key";
	case 'p': return "pattern";
	case 'u': return "unix-time";
	case 't': return "pure-token";
	case '{': return "oneof";
	case '(': return "block";
	default: BUG_ON("an argument has an unknown type"); return NULL;
	}
}
