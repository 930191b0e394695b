/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/check.h"

#include "app/commands/command_facts.h"
#include "checks.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_INLINE 64

/* The keys of a command line, found when a selector first asks for them. */
struct keys {
	const struct command *cmd;
	const struct slice *argv;
	uint32_t argc;
	bool found;
	struct command_key inl[KEYS_INLINE], *at, *heap;
	int nr;
};

static void keys_find(struct keys *k)
{
	if (k->found)
		return;
	k->found = true;
	k->at = k->inl;
	k->nr = command_keys_flagged(k->cmd, k->argv, k->argc, k->at, KEYS_INLINE);
	if (k->nr <= KEYS_INLINE)
		return;
	k->at = k->heap = malloc((size_t)k->nr * sizeof(*k->heap));
	BUG_ON(!k->heap); /* what cannot be checked must not run */
	k->nr = command_keys_flagged(k->cmd, k->argv, k->argc, k->at, (uint32_t)k->nr);
}

static unsigned access_of(uint32_t key_flags)
{
	unsigned access = 0;

	if (key_flags & KEY_ACCESS)
		access |= ACL_READ;
	if (key_flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE))
		access |= ACL_WRITE;
	return access;
}

static bool matches(const struct acl_pattern *p, const struct slice *text)
{
	return glob_match(p->text, p->len, text->ptr, text->len, false);
}

static bool key_allowed(const struct acl_selector *s, const struct slice *key, unsigned access)
{
	for (unsigned i = 0; i < s->keys.nr; i++)
		if ((s->keys.at[i].access & access) == access && matches(&s->keys.at[i], key))
			return true;
	return s->all_keys;
}

static bool channel_allowed(
	const struct acl_selector *s, const struct slice *channel, bool is_pattern)
{
	if (is_pattern)
		return acl_patterns_have(&s->channels, channel->ptr, channel->len);
	for (unsigned i = 0; i < s->channels.nr; i++)
		if (matches(&s->channels.at[i], channel))
			return true;
	return false;
}

/* --- one selector ----------------------------------------------------------------------------- */

static bool command_allowed(const struct acl_selector *s, const struct command *cmd,
	const struct slice *argv, uint32_t argc)
{
	uint32_t i = cmd->parent ? 2 : 1;

	if (s->all_commands || (cmd->flags & CMD_NO_AUTH) ||
		acl_commands_has(&s->commands, cmd->id))
		return true;
	for (unsigned a = 0; a < s->nr_first_args && i < argc; a++)
		if (s->first_args[a].id == cmd->id && arg_is(&argv[i], s->first_args[a].text))
			return true;
	return false;
}

static bool keys_allowed(const struct acl_selector *s, struct keys *k, uint32_t *at)
{
	if (s->all_keys)
		return true;
	keys_find(k);
	for (int i = 0; i < k->nr; i++) {
		if (key_allowed(s, &k->argv[k->at[i].pos], access_of(k->at[i].flags)))
			continue;
		*at = k->at[i].pos;
		return false;
	}
	return true;
}

/* The arguments from the first on are channels. 0: none are. */
static uint32_t channels_end(const struct command *cmd, uint32_t argc, bool *is_pattern)
{
	static const struct {
		const char *name;
		bool one, pattern;
	} commands[] = {
		{"publish", true, false},
		{"spublish", true, false},
		{"subscribe", false, false},
		{"ssubscribe", false, false},
		{"psubscribe", false, true},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (cmd->parent || strcmp(cmd->name, commands[i].name) != 0)
			continue;
		*is_pattern = commands[i].pattern;
		return commands[i].one ? 2 : argc;
	}
	return 0;
}

static bool channels_allowed(const struct acl_selector *s, const struct command *cmd,
	const struct slice *argv, uint32_t argc, uint32_t *at)
{
	bool is_pattern = false;
	uint32_t end;

	if (s->all_channels || !(cmd->flags & CMD_PUBSUB))
		return true;
	end = channels_end(cmd, argc, &is_pattern);
	for (uint32_t i = 1; i < end && i < argc; i++) {
		if (channel_allowed(s, &argv[i], is_pattern))
			continue;
		*at = i;
		return false;
	}
	return true;
}

static enum acl_verdict selector_check(const struct acl_selector *s, struct keys *k, uint32_t *at)
{
	if (!command_allowed(s, k->cmd, k->argv, k->argc))
		return ACL_DENIED_COMMAND;
	if (!keys_allowed(s, k, at))
		return ACL_DENIED_KEY;
	if (!channels_allowed(s, k->cmd, k->argv, k->argc, at))
		return ACL_DENIED_CHANNEL;
	return ACL_ALLOWED;
}

/* --- users ------------------------------------------------------------------------------------ */

enum acl_verdict acl_check(const struct acl_user *u, const struct command *cmd,
	const struct slice *argv, uint32_t argc, uint32_t *at)
{
	struct keys k = {.cmd = cmd, .argv = argv, .argc = argc};
	enum acl_verdict worst = ACL_DENIED_COMMAND;
	uint32_t here = 0;

	*at = 0;
	if (!u || u->unrestricted)
		return ACL_ALLOWED;
	for (unsigned i = 0; i < u->nr_selectors; i++) {
		enum acl_verdict v = selector_check(&u->selectors[i], &k, &here);

		if (v == ACL_ALLOWED) {
			worst = v;
			break;
		}
		if (v > worst || (v == worst && here > *at)) {
			worst = v;
			*at = here;
		}
	}
	free(k.heap);
	return worst;
}

static bool has_all_keys(const struct acl_selector *s, unsigned access)
{
	for (unsigned i = 0; i < s->keys.nr; i++)
		if ((s->keys.at[i].access & access) == access &&
			strcmp(s->keys.at[i].text, "*") == 0)
			return true;
	return s->all_keys;
}

bool acl_check_all_keys(const struct acl_user *u, const struct command *cmd,
	const struct slice *argv, uint32_t argc, unsigned access)
{
	struct keys k = {.cmd = cmd, .argv = argv, .argc = argc};
	bool allowed = !u || u->unrestricted;
	uint32_t at;

	for (unsigned i = 0; !allowed && i < u->nr_selectors; i++)
		allowed = has_all_keys(&u->selectors[i], access) &&
			  selector_check(&u->selectors[i], &k, &at) == ACL_ALLOWED;
	free(k.heap);
	return allowed;
}

bool acl_channel_allowed(const struct acl_user *u, const struct slice *channel, bool is_pattern)
{
	for (unsigned i = 0; i < u->nr_selectors; i++)
		if (u->selectors[i].all_channels ||
			channel_allowed(&u->selectors[i], channel, is_pattern))
			return true;
	return false;
}

static bool any_has(const struct acl_user *u, const struct acl_pattern *p)
{
	for (unsigned i = 0; i < u->nr_selectors; i++)
		if (acl_patterns_have(&u->selectors[i].channels, p->text, p->len))
			return true;
	return false;
}

bool acl_channels_kept(const struct acl_user *before, const struct acl_user *now)
{
	for (unsigned i = 0; i < now->nr_selectors; i++)
		if (now->selectors[i].all_channels)
			return true;
	for (unsigned i = 0; i < before->nr_selectors; i++) {
		const struct acl_selector *s = &before->selectors[i];

		if (s->all_channels)
			return false;
		for (unsigned p = 0; p < s->channels.nr; p++)
			if (!any_has(now, &s->channels.at[p]))
				return false;
	}
	return true;
}
