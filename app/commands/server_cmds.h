/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The server family: functions behind server_commands[], and what several of its files share.
 */
#ifndef MILLRACE_APP_COMMANDS_SERVER_CMDS_H
#define MILLRACE_APP_COMMANDS_SERVER_CMDS_H

#include "app/commands/command.h"
#include "app/textbuf.h"

/* config.c, command_info.c */
extern struct command config_subcommands[];
extern struct command command_subcommands[];
void command_command(struct client *c); /* COMMAND alone */

/* server.c */
void bgrewriteaof_command(struct client *c);
void bgsave_command(struct client *c);
void dbsize_command(struct client *c);
void flushall_command(struct client *c);
void flushdb_command(struct client *c);
void lastsave_command(struct client *c);
void lolwut_command(struct client *c);
void save_command(struct client *c);
void shutdown_command(struct client *c);
void swapdb_command(struct client *c);
void time_command(struct client *c);
/* SYNC, ASYNC or nothing behind argv[i]: replies and returns false when it is something else. */
bool flush_mode_arg(struct client *c, uint32_t i);

/* info.c */
void info_command(struct client *c);
/* debug.c, monitor.c */
void debug_command(struct client *c);
void monitor_command(struct client *c);

/* The subcommands of SLOWLOG, LATENCY, MEMORY, ACL and of what millrace does not have
 * (server_absent.c), each table ended by a NULL name. */
extern struct command slowlog_subcommands[];
extern struct command latency_subcommands[];
extern struct command memory_subcommands[];
extern struct command acl_subcommands[];
extern struct command module_subcommands[];
extern struct command cluster_subcommands[];
void readonly_command(struct client *c); /* READONLY, READWRITE: cluster only */

/* --- memory.c --- */

/* Where memory goes, as INFO memory and MEMORY STATS tell it. Bytes. */
struct memory_view {
	uint64_t used, peak, rss, total_system;
	uint64_t clients_normal, clients_replicas;
	uint64_t overhead, dataset; /* used = overhead + dataset */
	uint64_t keys;
	uint64_t lazy_pending, lazy_freed;
	uint64_t allocated, active, resident; /* the allocator's own figures */
};
void memory_view_take(struct server *srv, struct memory_view *v);
/* a / b, 0 when b is 0. */
double memory_ratio(uint64_t a, uint64_t b);
const char *memory_policy_name(int policy); /* enum ks_policy, as maxmemory-policy spells it */

/* --- for several --- */

/* Replies with the text as verbatim "txt", or with an error when memory ran out, and frees it. */
void reply_textbuf(struct client *c, struct textbuf *tb);

#endif
