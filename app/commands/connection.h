/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The connection family: functions behind connection_commands[], and how clients are described.
 */
#ifndef MILLRACE_APP_COMMANDS_CONNECTION_H
#define MILLRACE_APP_COMMANDS_CONNECTION_H

#include "app/commands/command.h"
#include "app/pubsub.h"
#include "app/textbuf.h"

/* connection.c */
void auth_command(struct client *c);
void echo_command(struct client *c);
void hello_command(struct client *c);
void ping_command(struct client *c);
void quit_command(struct client *c);
void reset_command(struct client *c);
void select_command(struct client *c);
/* Sets the client's name, or removes it when empty. Replies and returns false when the name is
 * not allowed. */
bool client_name_set(struct client *c, const struct slice *name);

/* client_tracking.c */
void client_caching_command(struct client *c);
void client_getredir_command(struct client *c);
void client_tracking_command(struct client *c);
void client_trackinginfo_command(struct client *c);

/* client_cmd.c */
void client_getname_command(struct client *c);
void client_help_command(struct client *c);
void client_id_command(struct client *c);
void client_info_command(struct client *c);
void client_list_command(struct client *c);
void client_noevict_command(struct client *c);
void client_pause_command(struct client *c);
void client_reply_command(struct client *c);
void client_setname_command(struct client *c);
void client_unblock_command(struct client *c);
void client_unpause_command(struct client *c);

/* client_kill.c */
void client_kill_command(struct client *c);

enum client_type {
	CLIENT_TYPE_NORMAL,
	CLIENT_TYPE_REPLICA,
	CLIENT_TYPE_MASTER,
	CLIENT_TYPE_PUBSUB,
};
/* A type's name ("normal", "slave" ...), any case. Replies and returns false when there is no
 * such type. */
bool client_type_arg(struct client *c, const struct slice *a, enum client_type *type);
/* The type that the flags make a client. */
enum client_type client_type_of(uint32_t flags);

/* --- client_info.c --- */

/* What CLIENT LIST tells of one client: taken under the registry's lock, printed without it. */
struct client_view {
	uint64_t id;
	uint32_t flags;
	unsigned resp;
	int db, fd;
	int64_t created_ms, active_ms;
	int64_t redirect; /* -1: no tracking */
	unsigned subs[PUBSUB_KINDS];
	int multi; /* commands queued; -1: no MULTI */
	size_t multi_mem;
	size_t qbuf, qbuf_free, argv_mem, obuf, total;
	const struct command *cmd;
	char *name; /* owned; NULL: none */
	char *user; /* owned */
	char peer[CLIENT_ADDR], local[CLIENT_ADDR];
};

/* Which clients: all set conditions hold. One that has been killed is gone, though its core may
 * still have to close it. */
struct client_filter {
	bool by_type;
	enum client_type type;
	bool by_id; /* the ids are among these, ascending */
	const uint64_t *ids;
	size_t nr_ids;
};

/* For sorting the ids: qsort()'s order of two uint64_t. */
int client_id_compare(const void *a, const void *b);
/* Views of the clients that the filter lets pass, in order of their ids; *views is owned.
 * Returns their number. Any core. */
size_t client_views_take(
	struct server *srv, const struct client_filter *filter, struct client_view **views);
void client_views_free(struct client_view *views, size_t nr);
/* One line without the line break, in the form of Redis 7.0. */
void client_view_print(struct textbuf *tb, const struct client_view *v, int64_t now_ms);
/* The line of the calling client itself, up to date. */
void client_self_print(struct textbuf *tb, struct client *c);

#endif
