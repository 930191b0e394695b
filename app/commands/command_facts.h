/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What COMMAND INFO and COMMAND DOCS tell beyond struct command: key specifications, arguments,
 * hints.
 *
 * These facts, as redis-server 7.0 reports them, are kept as text and read when somebody asks. A
 * command without a row here has no arguments to show, and key specifications that follow from its
 * first key, last key and step.
 *
 * Keys: specifications with "; " between them, each of three words:
 *
 *     RW,access,update 2 range/0/1/0
 *     |                | |
 *     |                | range/last/step/limit, or keynum/index/first/step, or ?
 *     |                an index in argv, or WORD/start (WORD is sought from start on), or ?
 *     flags
 *
 * Arguments: with blanks between them, each
 *
 *     name~t=TOKEN#0@7.0.0^7.2.0?*+
 *     |   |  |    | |     |     |
 *     |   |  |    | |     |     ? optional, * repeats, + the token repeats with it
 *     |   |  |    | |     deprecated since
 *     |   |  |    | since
 *     |   |  |    index of its key specification
 *     |   |  token, in single quotes unless it is upper case letters, digits and _
 *     |   s string, i integer, d double, k key, p pattern, u unix time, t nothing but the token
 *     |   or, in place of ~t: (arguments in order) or {one of these arguments}
 */
#ifndef MILLRACE_APP_COMMANDS_COMMAND_FACTS_H
#define MILLRACE_APP_COMMANDS_COMMAND_FACTS_H

#include "app/commands/command.h"

struct command_facts {
	const char *name;               /* full: "config|set" */
	const char *keys, *args, *tips; /* NULL: none; tips have blanks between them */
	const char *deprecated_since, *replaced_by;
	bool syscmd;
};

/* Sorted by name, ended by a NULL name. */
extern const struct command_facts command_facts_base[];
extern const struct command_facts command_facts_types[];

/* NULL: none are known. */
const struct command_facts *command_facts_find(const struct command *cmd);

/* What a command has learnt, by its full name; NULL: nothing. */
const char *command_history_find(const char *full_name);
/* Reads one entry from *text and moves *text behind it. False: there is none left. */
bool command_history_next(const char **text, struct slice *version, struct slice *what);
/* A remark on a key specification of a command; NULL: none. */
const char *command_key_note(const char *full_name, unsigned spec);

/* --- key specifications ----------------------------------------------------------------------- */

enum key_flags { /* in Redis' order; names by key_flag_name() */
	KEY_RO = 1u << 0,
	KEY_RW = 1u << 1,
	KEY_OW = 1u << 2,
	KEY_RM = 1u << 3,
	KEY_ACCESS = 1u << 4,
	KEY_UPDATE = 1u << 5,
	KEY_INSERT = 1u << 6,
	KEY_DELETE = 1u << 7,
	KEY_NOT_KEY = 1u << 8,
	KEY_INCOMPLETE = 1u << 9,
	KEY_VARIABLE = 1u << 10, /* depends on the arguments */
};
const char *key_flag_name(unsigned bit); /* NULL behind the last */

struct key_spec {
	uint32_t flags;
	enum { BEGIN_INDEX, BEGIN_KEYWORD, BEGIN_UNKNOWN } begin;
	struct slice keyword;
	int start; /* the index; or where the search begins, from the end when negative */
	enum { FIND_RANGE, FIND_KEYNUM, FIND_UNKNOWN } find;
	int find_args[3]; /* last key, step, limit; or index of the number, first key, step */
};

#define KEY_SPECS_MAX 4
/* The specifications of a command's keys. Returns their number. */
unsigned key_specs_get(const struct command *cmd, struct key_spec specs[KEY_SPECS_MAX]);
/* Reads one from *text and moves *text behind it. False: there is none left. */
bool key_spec_next(const char **text, struct key_spec *spec);
/* Whether argv[pos] is a key by this specification. */
bool key_spec_covers(
	const struct key_spec *spec, const struct slice *argv, uint32_t argc, uint32_t pos);

struct command_key {
	uint32_t pos;   /* in argv */
	uint32_t flags; /* enum key_flags, of these arguments */
};
/* The keys of a command line and what happens to them; what are channels is none. Writes max of
 * them at most and returns their number, which may be larger: call again. Arguments that make no
 * sense have no keys. */
int command_keys_flagged(const struct command *cmd, const struct slice *argv, uint32_t argc,
	struct command_key *keys, uint32_t max);

/* --- arguments -------------------------------------------------------------------------------- */

enum {
	ARG_OPTIONAL = 1u << 0,
	ARG_MULTIPLE = 1u << 1,
	ARG_MULTIPLE_TOKEN = 1u << 2,
};

struct arg_doc {
	struct slice name;
	char type;             /* as above; '(' a block, '{' one of */
	struct slice children; /* of a block or one of */
	bool has_token;
	struct slice token;
	int key_spec;                         /* -1: none */
	struct slice since, deprecated_since; /* ptr NULL: none */
	unsigned flags;
};
/* Reads one from the front of list and takes it off. False: there is none left. */
bool arg_doc_next(struct slice *list, struct arg_doc *arg);
unsigned arg_doc_count(struct slice list);
const char *arg_doc_type_name(char type);

#endif
