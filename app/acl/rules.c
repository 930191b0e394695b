/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/rules.h"

#include "app/commands/command.h"
#include "app/config_table.h"
#include "checks.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MILLRACE_MAX_COMMANDS <= ACL_MAX_COMMANDS, "each command has its bit");

const char *acl_rule_text(enum acl_rule_result result)
{
	switch (result) {
	case ACL_RULE_NO_MEMORY: return "out of memory";
	case ACL_RULE_SYNTAX: return "Syntax error";
	case ACL_RULE_UNKNOWN: return "Unknown command or category name in ACL";
	case ACL_RULE_KEYS_ALL:
		return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid "
		       "and does not have any effect. Try 'resetkeys' to start with an empty list "
		       "of patterns";
	case ACL_RULE_CHANNELS_ALL:
		return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not "
		       "valid and does not have any effect. Try 'resetchannels' to start with an "
		       "empty list of channels";
	case ACL_RULE_NO_PASSWORD:
		return "The password you are trying to remove from the user does not exist";
	case ACL_RULE_BAD_HASH:
		return "The password hash must be exactly 64 characters and contain only "
		       "lowercase hexadecimal characters";
	case ACL_RULE_FIRST_ARG: return "Allowing first-arg of a subcommand is not supported";
	case ACL_RULE_OK: break;
	}
	return "Wrong format";
}

/* --- what the table of commands says ---------------------------------------------------------- */

static void catalog_add(struct acl_catalog *cat, const struct command *cmd)
{
	uint32_t in = command_categories(cmd);

	BUG_ON(cmd->id >= ACL_MAX_COMMANDS - 1);
	for (unsigned i = 0; i < cat->nr_categories; i++) {
		if (!(in >> i & 1))
			continue;
		acl_commands_change(&cat->members[i], cmd->id, true);
		acl_commands_change(&cat->reached[i], cmd->id, true);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
			acl_commands_change(&cat->reached[i], sub->id, true);
	}
}

void acl_catalog_init(struct acl_catalog *cat)
{
	const struct command *cmd;

	memset(cat, 0, sizeof(*cat));
	while (command_category_name(cat->nr_categories))
		cat->nr_categories++;
	BUG_ON(cat->nr_categories > ACL_MAX_CATEGORIES);
	for (unsigned i = 0; (cmd = command_at(NULL, i)); i++) {
		catalog_add(cat, cmd);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
			catalog_add(cat, sub);
	}
}

/* --- commands --------------------------------------------------------------------------------- */

static void command_change(struct acl_selector *s, const struct command *cmd, bool on)
{
	acl_commands_change(&s->commands, cmd->id, on);
	acl_first_args_remove(s, cmd->id);
	if (!on)
		s->all_commands = false;
	for (const struct command *sub = cmd->subs; sub && sub->name; sub++) {
		acl_commands_change(&s->commands, sub->id, on);
		acl_first_args_remove(s, sub->id);
	}
}

static enum acl_rule_result category_change(
	const struct acl_catalog *cat, struct acl_selector *s, const struct slice *name, bool on)
{
	for (unsigned i = 0; i < cat->nr_categories; i++) {
		const struct acl_commands *set = &cat->reached[i];

		if (!arg_is(name, command_category_name(i)))
			continue;
		for (unsigned w = 0; w < ACL_WORDS; w++)
			s->commands.words[w] = on ? s->commands.words[w] | set->words[w]
						  : s->commands.words[w] & ~set->words[w];
		for (unsigned a = s->nr_first_args; a-- > 0;)
			if (acl_commands_has(set, s->first_args[a].id)) {
				acl_first_args_remove(s, s->first_args[a].id);
				a = s->nr_first_args;
			}
		if (!on)
			s->all_commands = false;
		return ACL_RULE_OK;
	}
	return ACL_RULE_UNKNOWN;
}

static void all_commands(struct acl_selector *s, bool on)
{
	memset(&s->commands, on ? 0xff : 0, sizeof(s->commands));
	s->all_commands = on;
	acl_first_args_clear(s);
}

/* name|argument: a subcommand, or the first argument of a command that has none. */
static enum acl_rule_result first_arg_allow(
	struct acl_selector *s, const struct slice *name, const char *bar)
{
	size_t len = (size_t)(bar - name->ptr);
	const struct command *cmd = command_by_name(name->ptr, len);
	enum acl_rule_result result = ACL_RULE_OK;
	char *text;

	if (!cmd)
		return ACL_RULE_UNKNOWN;
	if (cmd->parent)
		return ACL_RULE_FIRST_ARG;
	if (len + 1 == name->len)
		return ACL_RULE_SYNTAX;
	if (cmd->subs) {
		cmd = command_by_name(name->ptr, name->len);
		if (!cmd)
			return ACL_RULE_UNKNOWN;
		command_change(s, cmd, true);
		return ACL_RULE_OK;
	}
	text = strndup(bar + 1, name->len - len - 1);
	if (!text || acl_first_arg_add(s, cmd->id, text))
		result = ACL_RULE_NO_MEMORY;
	free(text);
	return result;
}

static enum acl_rule_result command_rule(
	const struct acl_catalog *cat, struct acl_selector *s, const struct slice *rule)
{
	struct slice name = {rule->ptr + 1, rule->len - 1};
	bool on = *rule->ptr == '+';
	const struct command *cmd;
	const char *bar;

	if (name.len > 0 && *name.ptr == '@') {
		name.ptr++;
		name.len--;
		return category_change(cat, s, &name, on);
	}
	bar = memrchr(name.ptr, '|', name.len);
	if (on && bar)
		return first_arg_allow(s, &name, bar);
	cmd = command_by_name(name.ptr, name.len);
	if (!cmd)
		return ACL_RULE_UNKNOWN;
	command_change(s, cmd, on);
	return ACL_RULE_OK;
}

/* --- keys and channels ------------------------------------------------------------------------ */

static bool has_blanks(const struct slice *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (isspace((unsigned char)text->ptr[i]) || text->ptr[i] == '\0')
			return true;
	return false;
}

/* The letters of %RW~, *at behind them. 0: they are wrong. */
static unsigned access_letters(const struct slice *rule, size_t *at)
{
	unsigned access = 0;

	for (*at = 1; *at < rule->len; ++*at) {
		int c = toupper((unsigned char)rule->ptr[*at]);

		if (c == 'R' && !(access & ACL_READ)) {
			access |= ACL_READ;
		} else if (c == 'W' && !(access & ACL_WRITE)) {
			access |= ACL_WRITE;
		} else if (c == '~') {
			++*at;
			return access;
		} else {
			return 0;
		}
	}
	return access;
}

static enum acl_rule_result key_rule(struct acl_selector *s, const struct slice *rule)
{
	unsigned access = ACL_READ | ACL_WRITE;
	struct slice pattern;
	size_t at = 1;

	if (s->all_keys)
		return ACL_RULE_KEYS_ALL;
	if (*rule->ptr == '%')
		access = access_letters(rule, &at);
	pattern = (struct slice){rule->ptr + at, rule->len - at};
	if (access == 0 || has_blanks(&pattern))
		return ACL_RULE_SYNTAX;
	return acl_patterns_add(&s->keys, pattern.ptr, pattern.len, access) ? ACL_RULE_NO_MEMORY
									    : ACL_RULE_OK;
}

static enum acl_rule_result channel_rule(struct acl_selector *s, const struct slice *rule)
{
	struct slice pattern = {rule->ptr + 1, rule->len - 1};

	if (s->all_channels)
		return ACL_RULE_CHANNELS_ALL;
	if (has_blanks(&pattern))
		return ACL_RULE_SYNTAX;
	return acl_patterns_add(&s->channels, pattern.ptr, pattern.len, 0) ? ACL_RULE_NO_MEMORY
									   : ACL_RULE_OK;
}

/* --- selectors -------------------------------------------------------------------------------- */

static void all_keys(struct acl_selector *s, bool on)
{
	s->all_keys = on;
	acl_patterns_clear(&s->keys);
}

static void all_channels(struct acl_selector *s, bool on)
{
	s->all_channels = on;
	acl_patterns_clear(&s->channels);
}

static enum acl_rule_result selector_rule(
	const struct acl_catalog *cat, struct acl_selector *s, const struct slice *rule)
{
	if (arg_is(rule, "allkeys") || arg_is(rule, "~*"))
		all_keys(s, true);
	else if (arg_is(rule, "resetkeys"))
		all_keys(s, false);
	else if (arg_is(rule, "allchannels") || arg_is(rule, "&*"))
		all_channels(s, true);
	else if (arg_is(rule, "resetchannels"))
		all_channels(s, false);
	else if (arg_is(rule, "allcommands") || arg_is(rule, "+@all"))
		all_commands(s, true);
	else if (arg_is(rule, "nocommands") || arg_is(rule, "-@all"))
		all_commands(s, false);
	else if (*rule->ptr == '~' || *rule->ptr == '%')
		return key_rule(s, rule);
	else if (*rule->ptr == '&')
		return channel_rule(s, rule);
	else if (*rule->ptr == '+' || *rule->ptr == '-')
		return command_rule(cat, s, rule);
	else
		return ACL_RULE_SYNTAX;
	return ACL_RULE_OK;
}

/* ( rules ) */
static enum acl_rule_result selector_create(
	const struct acl_catalog *cat, struct acl_user *u, const struct slice *rule, bool channels)
{
	struct acl_selector *s = acl_selector_add(u, channels);
	char *text = strndup(rule->ptr + 1, rule->len - 2);
	enum acl_rule_result result = s && text ? ACL_RULE_OK : ACL_RULE_NO_MEMORY;
	char **words = NULL;
	int nr = 0;

	if (result == ACL_RULE_OK)
		words = config_split(text, &nr);
	for (int i = 0; words && i < nr && result == ACL_RULE_OK; i++) {
		struct slice word = slice_str(words[i]);

		result = word.len ? selector_rule(cat, s, &word) : ACL_RULE_SYNTAX;
	}
	if (words)
		config_split_free(words, nr);
	free(text);
	return result;
}

/* --- users ------------------------------------------------------------------------------------ */

static bool is_hash(const struct slice *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (!strchr("0123456789abcdef", text->ptr[i]) || !text->ptr[i])
			return false;
	return text->len == ACL_HASH_LEN;
}

static enum acl_rule_result password_rule(struct acl_user *u, const struct slice *rule)
{
	struct slice text = {rule->ptr + 1, rule->len - 1};
	char hash[ACL_HASH_LEN + 1] = "";

	if (*rule->ptr == '>' || *rule->ptr == '<')
		acl_hash(text.ptr, text.len, hash);
	else if (is_hash(&text))
		memcpy(hash, text.ptr, ACL_HASH_LEN);
	else
		return ACL_RULE_BAD_HASH;
	if (*rule->ptr == '<' || *rule->ptr == '!')
		return acl_password_remove(u, hash) ? ACL_RULE_OK : ACL_RULE_NO_PASSWORD;
	u->nopass = false;
	return acl_password_add(u, hash) ? ACL_RULE_NO_MEMORY : ACL_RULE_OK;
}

static void reset(struct acl_user *u, bool channels)
{
	struct acl_selector *root = &u->selectors[0];

	u->nopass = u->enabled = false;
	u->sanitize = ACL_SANITIZE_YES;
	acl_passwords_clear(u);
	acl_selectors_clear(u);
	all_keys(root, false);
	all_channels(root, channels);
	all_commands(root, false);
}

/* One that is a single word. False: it is none of these. */
static bool word_rule(struct acl_user *u, const struct slice *rule, bool channels)
{
	if (arg_is(rule, "on") || arg_is(rule, "off")) {
		u->enabled = rule->len == 2;
	} else if (arg_is(rule, "nopass") || arg_is(rule, "resetpass")) {
		u->nopass = arg_is(rule, "nopass");
		acl_passwords_clear(u);
	} else if (arg_is(rule, "skip-sanitize-payload")) {
		u->sanitize = ACL_SANITIZE_SKIP;
	} else if (arg_is(rule, "sanitize-payload")) {
		u->sanitize = ACL_SANITIZE_YES;
	} else if (arg_is(rule, "clearselectors")) {
		acl_selectors_clear(u);
	} else if (arg_is(rule, "reset")) {
		reset(u, channels);
	} else {
		return false;
	}
	return true;
}

enum acl_rule_result acl_rule_apply(
	const struct acl_catalog *cat, struct acl_user *u, const struct slice *rule, bool channels)
{
	if (rule->len == 0 || word_rule(u, rule, channels))
		return ACL_RULE_OK;
	if (strchr("><#!", *rule->ptr) && *rule->ptr)
		return password_rule(u, rule);
	if (*rule->ptr == '(' && rule->ptr[rule->len - 1] == ')')
		return selector_create(cat, u, rule, channels);
	return selector_rule(cat, &u->selectors[0], rule);
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool opens(const struct slice *a)
{
	return a->len > 0 && a->ptr[0] == '(' && a->ptr[a->len - 1] != ')';
}

static bool closes(const struct slice *a)
{
	return a->len > 0 && a->ptr[a->len - 1] == ')';
}

int acl_rules_merge(struct acl_rules *rules, uint32_t argc, const struct slice *argv, uint32_t *bad)
{
	struct slice *open = NULL;
	size_t room = 1;
	char *end;

	for (uint32_t i = 0; i < argc; i++)
		room += argv[i].len + 1;
	rules->nr = 0;
	rules->at = calloc((size_t)argc + 1, sizeof(*rules->at));
	rules->text = end = malloc(room);
	if (!rules->at || !rules->text) {
		acl_rules_fini(rules);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < argc; i++) {
		if (!opens(&argv[i]) && !open) {
			rules->at[rules->nr++] = argv[i];
			continue;
		}
		if (opens(&argv[i])) { /* inside of another one it begins anew, as in Redis */
			*bad = i;
			open = &rules->at[rules->nr];
			*open = (struct slice){end, 0};
		} else {
			*end++ = ' ';
			open->len++;
		}
		memcpy(end, argv[i].ptr, argv[i].len);
		end += argv[i].len;
		open->len += argv[i].len;
		if (closes(&argv[i])) {
			rules->nr++;
			open = NULL;
		}
	}
	if (!open)
		return 0;
	acl_rules_fini(rules);
	return -EINVAL;
}

void acl_rules_fini(struct acl_rules *rules)
{
	free(rules->at);
	free(rules->text);
	memset(rules, 0, sizeof(*rules));
}
