/* SPDX-License-Identifier: BSD-3-Clause
 *
 * INFO: which sections, in which order. Names and order of sections and fields are those of Redis
 * 7.0; the last section, Millrace, is our own.
 */
#include "app/commands/info.h"

#include "app/commands/server_cmds.h"
#include "app/replication.h"

#include <string.h>

static void info_replication(struct textbuf *tb, struct client *c)
{
	repl_info(c->srv, tb);
}

static void info_modules(struct textbuf *tb, struct client *c)
{
}

static void info_cluster(struct textbuf *tb, struct client *c)
{
	textbuf_addf(tb, "cluster_enabled:0\r\n");
}

static const struct section {
	const char *name, *title;
	void (*print)(struct textbuf *tb, struct client *c);
	bool by_default;
} sections[] = {
	{"server", "Server", info_server, true},
	{"clients", "Clients", info_clients, true},
	{"memory", "Memory", info_memory, true},
	{"persistence", "Persistence", info_persistence, true},
	{"stats", "Stats", info_stats, true},
	{"replication", "Replication", info_replication, true},
	{"cpu", "CPU", info_cpu, true},
	{"modules", "Modules", info_modules, true},
	{"commandstats", "Commandstats", info_commandstats, false},
	{"errorstats", "Errorstats", info_errorstats, true},
	{"latencystats", "Latencystats", info_latencystats, false},
	{"cluster", "Cluster", info_cluster, true},
	{"keyspace", "Keyspace", info_keyspace, true},
	{"millrace", "Millrace", info_millrace, true},
};
#define NR_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* Bits of the sections that a word stands for; 0 for an unknown one, which is no error. */
static uint32_t sections_of(const struct slice *word)
{
	bool all = arg_is(word, "all") || arg_is(word, "everything"),
	     some = arg_is(word, "default");
	uint32_t set = 0;

	for (size_t i = 0; i < NR_SECTIONS; i++) {
		if (all || (some && sections[i].by_default) || arg_is(word, sections[i].name))
			set |= 1u << i;
	}
	return set;
}

void info_command(struct client *c)
{
	static const struct slice default_word = {"default", 7};
	uint32_t set = c->argc == 1 ? sections_of(&default_word) : 0;
	struct textbuf tb;

	for (uint32_t i = 1; i < c->argc; i++)
		set |= sections_of(&c->argv[i]);
	textbuf_init(&tb);
	for (size_t i = 0; i < NR_SECTIONS; i++) {
		if (!(set & 1u << i))
			continue;
		textbuf_addf(&tb, "%s# %s\r\n", tb.len ? "\r\n" : "", sections[i].title);
		sections[i].print(&tb, c);
	}
	reply_textbuf(c, &tb);
}
