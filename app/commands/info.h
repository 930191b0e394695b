/* SPDX-License-Identifier: BSD-3-Clause
 *
 * INFO's sections. Each function adds the lines of one section, without its title.
 */
#ifndef MILLRACE_APP_COMMANDS_INFO_H
#define MILLRACE_APP_COMMANDS_INFO_H

#include "app/commands/command.h"
#include "app/textbuf.h"

/* info_node.c */
void info_server(struct textbuf *tb, struct client *c);
void info_clients(struct textbuf *tb, struct client *c);
void info_memory(struct textbuf *tb, struct client *c);
void info_cpu(struct textbuf *tb, struct client *c);
void info_keyspace(struct textbuf *tb, struct client *c);
/* info_stats.c */
void info_persistence(struct textbuf *tb, struct client *c);
void info_stats(struct textbuf *tb, struct client *c);
void info_commandstats(struct textbuf *tb, struct client *c);
void info_errorstats(struct textbuf *tb, struct client *c);
void info_latencystats(struct textbuf *tb, struct client *c);
/* info_millrace.c */
void info_millrace(struct textbuf *tb, struct client *c);

#endif
