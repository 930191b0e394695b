/* SPDX-License-Identifier: BSD-3-Clause
 *
 * connection_commands[]: arity, flags and the other facts as COMMAND INFO of redis-server 7.0.15
 * reports them.
 */
#include "app/commands/connection.h"

#define SUB      (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define ADMIN    (SUB | CMD_ADMIN)
#define SESSION  (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY)
#define GROUP    .group = "connection", .categories = "connection"
#define CONSTANT .complexity = "O(1)"

static struct command client_subcommands[] = {
	{"caching", client_caching_command, 3, SUB, GROUP, CONSTANT, .since = "6.0.0",
		.summary = "Decides whether the next command's keys are tracked."},
	{"getname", client_getname_command, 2, SUB, GROUP, CONSTANT, .since = "2.6.9",
		.summary = "Tells the connection's name."},
	{"getredir", client_getredir_command, 2, SUB, GROUP, CONSTANT, .since = "6.0.0",
		.summary = "Tells which connection gets this one's tracking messages."},
	{"help", client_help_command, 2, CMD_LOADING | CMD_STALE, GROUP, CONSTANT, .since = "5.0.0",
		.summary = "Lists the subcommands."},
	{"id", client_id_command, 2, SUB, GROUP, CONSTANT, .since = "5.0.0",
		.summary = "Tells the connection's number."},
	{"info", client_info_command, 2, SUB, GROUP, CONSTANT, .since = "6.2.0",
		.summary = "Describes the connection in one line."},
	{"kill", client_kill_command, -3, ADMIN, GROUP, .since = "2.4.0",
		.complexity = "O(N) in the number of connections",
		.summary = "Closes connections by address, number, type or user."},
	{"list", client_list_command, -2, ADMIN, GROUP, .since = "2.4.0",
		.complexity = "O(N) in the number of connections",
		.summary = "Describes connections, a line each."},
	{"no-evict", client_noevict_command, 3, ADMIN, GROUP, CONSTANT, .since = "7.0.0",
		.summary = "Exempts the connection from eviction of clients."},
	{"pause", client_pause_command, -3, ADMIN, GROUP, CONSTANT, .since = "2.9.50",
		.summary = "Holds up commands of all clients for a while."},
	{"reply", client_reply_command, 3, SUB, GROUP, CONSTANT, .since = "3.2.0",
		.summary = "Turns replies to this connection on or off."},
	{"setname", client_setname_command, 3, SUB, GROUP, CONSTANT, .since = "2.6.9",
		.summary = "Gives the connection a name."},
	{"tracking", client_tracking_command, -3, SUB, GROUP, .since = "6.0.0",
		.complexity = "O(1), more with some options",
		.summary = "Turns the tracking of keys that a client caches on or off."},
	{"trackinginfo", client_trackinginfo_command, 2, SUB, GROUP, CONSTANT, .since = "6.2.0",
		.summary = "Tells the state of tracking for the connection."},
	{"unblock", client_unblock_command, -3, ADMIN, GROUP, .since = "5.0.0",
		.complexity = "O(N) in the number of connections",
		.summary = "Ends the wait of a connection blocked in a command."},
	{"unpause", client_unpause_command, 2, ADMIN, GROUP, .since = "6.2.0",
		.complexity = "O(N) in the number of clients held up",
		.summary = "Lets clients go on that CLIENT PAUSE holds up."},
	{NULL},
};

struct command connection_commands[] = {
	{"auth", auth_command, -2, SESSION, GROUP, .since = "1.0.0",
		.complexity = "O(N) in the number of the user's passwords",
		.summary = "Logs the connection in."},
	{"client", NULL, -2, 0, .group = "connection", .since = "2.4.0",
		.complexity = "As the subcommand.",
		.summary = "Looks at connections and controls them.", .subs = client_subcommands},
	{"echo", echo_command, 2, CMD_LOADING | CMD_STALE | CMD_FAST, GROUP, CONSTANT,
		.since = "1.0.0", .summary = "Returns its argument."},
	{"hello", hello_command, -1, SESSION, GROUP, CONSTANT, .since = "6.0.0",
		.summary = "Agrees on the protocol version, and may log in and set the name."},
	{"ping", ping_command, -1, CMD_FAST, GROUP, CONSTANT, .since = "1.0.0",
		.summary = "Answers, to show that the node does."},
	{"quit", quit_command, -1, SESSION, GROUP, CONSTANT, .since = "1.0.0",
		.summary = "Closes the connection."},
	{"reset", reset_command, 1, SESSION, GROUP, CONSTANT, .since = "6.2.0",
		.summary = "Puts the connection into the state of a new one."},
	{"select", select_command, 2, CMD_LOADING | CMD_STALE | CMD_FAST, GROUP, CONSTANT,
		.since = "1.0.0", .summary = "Chooses the database for what follows."},
	{NULL},
};
