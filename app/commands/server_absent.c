/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What Redis has and millrace does not: functions, modules, cluster. Clients and test suites ask
 * whether it is there, so the answers are those of a node on which none of it is in use.
 */
#include "app/commands/server_cmds.h"

#define CLUSTER_OFF "ERR This instance has cluster support disabled"

/* --- FUNCTION --------------------------------------------------------------------------------- */

static void function_flush_command(struct client *c)
{
	if (!flush_mode_arg(c, 2))
		reply_err(c, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
	else
		reply_ok(c);
}

static void function_list_command(struct client *c)
{
	for (uint32_t i = 2; i < c->argc; i++) {
		if (arg_is(&c->argv[i], "withcode"))
			continue;
		if (!arg_is(&c->argv[i], "libraryname")) {
			reply_errf(c, "ERR Unknown argument %.*s",
				(int)(c->argv[i].len < 128 ? c->argv[i].len : 128), c->argv[i].ptr);
			return;
		}
		if (++i == c->argc) {
			reply_err(c, "ERR library name argument was not given");
			return;
		}
	}
	reply_array(c, 0);
}

static void function_stats_command(struct client *c)
{
	reply_map(c, 2);
	reply_bulk_str(c, "running_script");
	reply_null(c);
	reply_bulk_str(c, "engines");
	reply_map(c, 0);
}

static void function_kill_command(struct client *c)
{
	reply_err(c, "NOTBUSY No scripts in execution right now.");
}

static void function_delete_command(struct client *c)
{
	reply_err(c, "ERR Library not found");
}

static void function_refused_command(struct client *c)
{
	reply_err(c, "ERR functions are not supported by this server");
}

static void function_help_command(struct client *c)
{
	static const char *const lines[] = {
		"DELETE <library-name>",
		"    There is no library to remove.",
		"FLUSH [ASYNC|SYNC]",
		"    Accepted: there is nothing to remove.",
		"KILL",
		"    There is no function to stop.",
		"LIST [LIBRARYNAME <pattern>] [WITHCODE]",
		"    An empty list.",
		"STATS",
		"    Nothing runs, and there is no engine.",
		NULL,
	};

	reply_help(c, lines);
}

#define FUNCTION(name_, fn_, arity_, flags_, complexity_, summary_)                                \
	{                                                                                          \
		name_, fn_, arity_, flags_, .since = "7.0.0", .categories = "scripting",           \
					    .complexity = complexity_, .summary = summary_         \
	}

struct command function_subcommands[] = {
	FUNCTION("delete", function_delete_command, 3, CMD_NOSCRIPT | CMD_WRITE, "O(1)",
		"Removes a library of functions."),
	FUNCTION("dump", function_refused_command, 2, CMD_NOSCRIPT,
		"O(N) in the number of functions", "Serialises all libraries. Not available."),
	FUNCTION("flush", function_flush_command, -2, CMD_NOSCRIPT | CMD_WRITE,
		"O(N) in the number of functions", "Removes all libraries."),
	FUNCTION("help", function_help_command, 2, CMD_LOADING | CMD_STALE, "O(1)",
		"Lists the subcommands."),
	FUNCTION("kill", function_kill_command, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
		"Stops the function that runs."),
	FUNCTION("list", function_list_command, -2, CMD_NOSCRIPT, "O(N) in the number of functions",
		"Lists the libraries."),
	FUNCTION("load", function_refused_command, -3, CMD_NOSCRIPT | CMD_WRITE | CMD_DENYOOM,
		"O(1), but for compiling", "Adds a library. Not available."),
	FUNCTION("restore", function_refused_command, -3, CMD_NOSCRIPT | CMD_WRITE | CMD_DENYOOM,
		"O(N) in the number of functions", "Adds serialised libraries. Not available."),
	FUNCTION("stats", function_stats_command, 2, CMD_NOSCRIPT | CMD_ALLOW_BUSY, "O(1)",
		"Tells which function runs."),
	{NULL},
};

/* --- MODULE ----------------------------------------------------------------------------------- */

static void module_list_command(struct client *c)
{
	reply_array(c, 0);
}

static void module_load_command(struct client *c)
{
	reply_err(c, "ERR Error loading the extension. Modules are not supported by this server.");
}

static void module_unload_command(struct client *c)
{
	reply_err(c, "ERR Error unloading module: no such module with that name");
}

static void module_help_command(struct client *c)
{
	static const char *const lines[] = {
		"LIST",
		"    An empty list.",
		"LOAD <path> [<arg> ...]",
		"    Refused: there are no modules.",
		"LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
		"    Refused: there are no modules.",
		"UNLOAD <name>",
		"    There is no module to remove.",
		NULL,
	};

	reply_help(c, lines);
}

#define MODULE_ADMIN (CMD_ADMIN | CMD_NOSCRIPT)
#define MODULE_LOAD  (MODULE_ADMIN | CMD_NO_ASYNC_LOADING | CMD_PROTECTED)

struct command module_subcommands[] = {
	{"help", module_help_command, 2, CMD_LOADING | CMD_STALE, .since = "5.0.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"list", module_list_command, 2, MODULE_ADMIN, .since = "4.0.0",
		.complexity = "O(N) in the number of modules", .summary = "Lists loaded modules."},
	{"load", module_load_command, -3, MODULE_LOAD, .since = "4.0.0", .complexity = "O(1)",
		.summary = "Loads a module. Not available."},
	{"loadex", module_load_command, -3, MODULE_LOAD, .since = "7.0.0", .complexity = "O(1)",
		.summary = "Loads a module with its configuration. Not available."},
	{"unload", module_unload_command, 3, MODULE_LOAD, .since = "4.0.0", .complexity = "O(1)",
		.summary = "Removes a module."},
	{NULL},
};

/* --- CLUSTER ---------------------------------------------------------------------------------- */

static void cluster_off_command(struct client *c)
{
	reply_err(c, CLUSTER_OFF);
}

void readonly_command(struct client *c)
{
	reply_err(c, CLUSTER_OFF);
}

#define CLUSTER_ADMIN  (CMD_ADMIN | CMD_STALE)
#define CLUSTER_CHANGE (CLUSTER_ADMIN | CMD_NO_ASYNC_LOADING)
#define CLUSTER(name_, arity_, flags_, since_, complexity_, summary_)                              \
	{                                                                                          \
		name_, cluster_off_command, arity_, flags_, .since = since_,                       \
							    .complexity = complexity_,             \
							    .summary = summary_ " Not available."  \
	}

struct command cluster_subcommands[] = {
	CLUSTER("addslots", -3, CLUSTER_CHANGE, "3.0.0", "O(N) in the number of slots",
		"Takes charge of slots."),
	CLUSTER("addslotsrange", -4, CLUSTER_CHANGE, "7.0.0", "O(N) in the number of slots",
		"Takes charge of ranges of slots."),
	CLUSTER("bumpepoch", 2, CLUSTER_CHANGE, "3.0.0", "O(1)", "Raises the configuration epoch."),
	CLUSTER("count-failure-reports", 3, CLUSTER_ADMIN, "3.0.0", "O(N) in the number of reports",
		"Counts reports of a node's failure."),
	CLUSTER("countkeysinslot", 3, CMD_STALE, "3.0.0", "O(1)", "Counts the keys of a slot."),
	CLUSTER("delslots", -3, CLUSTER_CHANGE, "3.0.0", "O(N) in the number of slots",
		"Gives slots up."),
	CLUSTER("delslotsrange", -4, CLUSTER_CHANGE, "7.0.0", "O(N) in the number of slots",
		"Gives ranges of slots up."),
	CLUSTER("failover", -2, CLUSTER_CHANGE, "3.0.0", "O(1)", "Makes a replica the master."),
	CLUSTER("flushslots", 2, CLUSTER_CHANGE, "3.0.0", "O(1)", "Gives all slots up."),
	CLUSTER("forget", 3, CLUSTER_CHANGE, "3.0.0", "O(1)", "Forgets a node."),
	CLUSTER("getkeysinslot", 4, CMD_STALE, "3.0.0", "O(log(N)) in the number of keys asked for",
		"Returns keys of a slot."),
	CLUSTER("help", 2, CMD_LOADING | CMD_STALE, "5.0.0", "O(1)", "Lists the subcommands."),
	CLUSTER("info", 2, CMD_STALE, "3.0.0", "O(1)", "Tells the cluster's state."),
	CLUSTER("keyslot", 3, CMD_STALE, "3.0.0", "O(N) in the key's length",
		"Returns a key's slot."),
	CLUSTER("links", 2, CMD_STALE, "7.0.0", "O(N) in the number of nodes",
		"Lists links between nodes."),
	CLUSTER("meet", -4, CLUSTER_CHANGE, "3.0.0", "O(1)", "Makes the acquaintance of a node."),
	CLUSTER("myid", 2, CMD_STALE, "3.0.0", "O(1)", "Returns the node's id."),
	CLUSTER("nodes", 2, CMD_STALE, "3.0.0", "O(N) in the number of nodes", "Lists the nodes."),
	CLUSTER("replicas", 3, CLUSTER_ADMIN, "5.0.0", "O(1)", "Lists replicas of a node."),
	CLUSTER("replicate", 3, CLUSTER_CHANGE, "3.0.0", "O(1)", "Follows another master."),
	CLUSTER("reset", -2, CLUSTER_ADMIN | CMD_NOSCRIPT, "3.0.0", "O(N) in the number of nodes",
		"Makes the node a new one."),
	CLUSTER("saveconfig", 2, CLUSTER_CHANGE, "3.0.0", "O(1)", "Stores the cluster's state."),
	CLUSTER("set-config-epoch", 3, CLUSTER_CHANGE, "3.0.0", "O(1)",
		"Sets the epoch of a new node."),
	CLUSTER("setslot", -4, CLUSTER_CHANGE, "3.0.0", "O(1)", "Assigns a slot."),
	CLUSTER("shards", 2, CMD_STALE, "7.0.0", "O(N) in the number of nodes",
		"Maps slots to nodes."),
	CLUSTER("slaves", 3, CLUSTER_ADMIN, "3.0.0", "O(1)", "Lists replicas of a node."),
	CLUSTER("slots", 2, CMD_STALE, "3.0.0", "O(N) in the number of nodes",
		"Maps slots to nodes."),
	{NULL},
};
