/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MONITOR: every command that the node executes, told to the clients that asked for it.
 */
#ifndef MILLRACE_APP_COMMANDS_MONITOR_H
#define MILLRACE_APP_COMMANDS_MONITOR_H

#include "app/client.h"
#include "app/server.h"
#include "app/textbuf.h"

#include <stdint.h>

/* Makes the client a monitor (false: no memory), or one no more (also when it was none). The owning
 * core. */
bool monitor_start(struct client *c);
void monitor_stop(struct client *c);
/* Sends the command to all monitors, on whichever core they are; those of the client's own core
 * have it behind its reply, others may miss it when their core is overrun. Called by the dispatcher
 * on the client's core while srv->nr_monitors is not 0, for commands that are neither CMD_ADMIN
 * nor CMD_SKIP_MONITOR. */
void monitor_feed(struct client *c, uint32_t argc, const struct slice *argv);
/* The line for it: +1700000000.123456 [0 127.0.0.1:5000] "set" "k" "v", with secrets replaced
 * and CRLF at the end. */
void monitor_line(struct textbuf *tb, const struct client *c, uint32_t argc,
	const struct slice *argv, int64_t now_us);

#endif
