/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Users as rules again.
 *
 * Of the commands only the resulting set is known. It is described by categories as far as one
 * describes more commands rightly than wrongly, the best first, and then by single commands.
 */
#include "app/acl/rules.h"

#include "app/commands/command.h"

#include <limits.h>
#include <string.h>

/* How many of the category's commands are in the set. */
static unsigned count_in(const struct acl_commands *category, const struct acl_commands *set)
{
	unsigned nr = 0;

	for (unsigned w = 0; w < ACL_WORDS; w++)
		nr += (unsigned)__builtin_popcountll(category->words[w] & set->words[w]);
	return nr;
}

static void change(struct acl_commands *set, const struct acl_commands *by, bool on)
{
	for (unsigned w = 0; w < ACL_WORDS; w++)
		set->words[w] = on ? set->words[w] | by->words[w] : set->words[w] & ~by->words[w];
}

/* The category that describes best what is left; -1: none is any good. */
static int best_category(const struct acl_catalog *cat, const struct acl_commands *left,
	uint32_t used, bool additive)
{
	unsigned least = UINT_MAX, most = 0;
	int best = -1;

	for (unsigned i = 0; i < cat->nr_categories; i++) {
		unsigned on = count_in(&cat->members[i], left);
		unsigned off = count_in(&cat->members[i], &cat->members[i]) - on;
		unsigned differs = additive ? off : on, same = additive ? on : off;

		if ((used >> i & 1) || same <= differs)
			continue;
		if (differs < least || (differs == least && same > most)) {
			best = (int)i;
			least = differs;
			most = same;
		}
	}
	return best;
}

static void print_command(struct textbuf *tb, const struct acl_selector *s,
	struct acl_commands *said, const struct command *cmd)
{
	bool on = acl_commands_has(&s->commands, cmd->id);
	char name[COMMAND_NAME_MAX];

	if (on != acl_commands_has(said, cmd->id)) {
		textbuf_addf(tb, " %c%s", on ? '+' : '-', command_full_name(cmd, name));
		acl_commands_change(said, cmd->id, on);
		for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
			acl_commands_change(said, sub->id, on);
	}
	for (const struct command *sub = cmd->subs; sub && sub->name; sub++)
		print_command(tb, s, said, sub);
	for (unsigned i = 0; !on && i < s->nr_first_args; i++)
		if (s->first_args[i].id == cmd->id)
			textbuf_addf(
				tb, " +%s|%s", command_full_name(cmd, name), s->first_args[i].text);
}

void acl_commands_print(
	struct textbuf *tb, const struct acl_catalog *cat, const struct acl_selector *s)
{
	bool additive = !acl_commands_has(&s->commands, ACL_MAX_COMMANDS - 1);
	struct acl_commands left = s->commands, said;
	const struct command *cmd;
	uint32_t used = 0;
	int best;

	textbuf_addf(tb, "%c@all", additive ? '-' : '+');
	memset(&said, additive ? 0 : 0xff, sizeof(said));
	while ((best = best_category(cat, &left, used, additive)) >= 0) {
		textbuf_addf(
			tb, " %c@%s", additive ? '+' : '-', command_category_name((unsigned)best));
		change(&said, &cat->reached[best], additive);
		change(&left, &cat->reached[best], !additive);
		used |= 1u << best;
	}
	for (unsigned i = 0; (cmd = command_at(NULL, i)); i++)
		print_command(tb, s, &said, cmd);
}

void acl_keys_print(struct textbuf *tb, const struct acl_selector *s)
{
	if (s->all_keys)
		textbuf_addf(tb, "~*");
	for (unsigned i = 0; i < s->keys.nr; i++) {
		static const char *const marks[] = {"", "%R~", "%W~", "~"};
		const struct acl_pattern *p = &s->keys.at[i];

		textbuf_addf(tb, "%s%s%s", i ? " " : "", marks[p->access], p->text);
	}
}

void acl_channels_print(struct textbuf *tb, const struct acl_selector *s)
{
	if (s->all_channels)
		textbuf_addf(tb, "&*");
	for (unsigned i = 0; i < s->channels.nr; i++)
		textbuf_addf(tb, "%s&%s", i ? " " : "", s->channels.at[i].text);
}

static void selector_print(
	struct textbuf *tb, const struct acl_catalog *cat, const struct acl_selector *s)
{
	acl_keys_print(tb, s);
	if (s->all_keys || s->keys.nr)
		textbuf_add(tb, " ", 1);
	if (!s->all_channels)
		textbuf_addf(tb, "resetchannels ");
	acl_channels_print(tb, s);
	if (s->all_channels || s->channels.nr)
		textbuf_add(tb, " ", 1);
	acl_commands_print(tb, cat, s);
}

const char *acl_user_flag(const struct acl_user *u, unsigned i)
{
	const char *flags[4] = {u->enabled ? "on" : "off"};
	unsigned nr = 1;

	if (u->nopass)
		flags[nr++] = "nopass";
	if (u->sanitize == ACL_SANITIZE_SKIP)
		flags[nr++] = "skip-sanitize-payload";
	if (u->sanitize == ACL_SANITIZE_YES)
		flags[nr++] = "sanitize-payload";
	return i < nr ? flags[i] : NULL;
}

void acl_user_print(struct textbuf *tb, const struct acl_catalog *cat, const struct acl_user *u)
{
	const char *flag;

	for (unsigned i = 0; (flag = acl_user_flag(u, i)); i++)
		textbuf_addf(tb, "%s ", flag);
	for (unsigned i = 0; i < u->nr_passwords; i++)
		textbuf_addf(tb, "#%s ", u->passwords[i].hash);
	selector_print(tb, cat, &u->selectors[0]);
	for (unsigned i = 1; i < u->nr_selectors; i++) {
		textbuf_addf(tb, " (");
		selector_print(tb, cat, &u->selectors[i]);
		textbuf_addf(tb, ")");
	}
}
