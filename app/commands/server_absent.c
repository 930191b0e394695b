/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What Redis has and millrace does not: modules, cluster. Clients and test suites ask
 * whether it is there, so the answers are those of a node on which none of it is in use.
 */
#include "app/commands/server_cmds.h"

#define CLUSTER_OFF "ERR This instance has cluster support disabled"

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
