/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The COMMAND family: what its files share.
 */
#ifndef MILLRACE_APP_COMMANDS_COMMAND_INFO_H
#define MILLRACE_APP_COMMANDS_COMMAND_INFO_H

#include "app/commands/command.h"

void command_docs_subcommand(struct client *c);    /* command_docs.c */
void command_getkeys_subcommand(struct client *c); /* command_getkeys.c */
void command_getkeysandflags_subcommand(struct client *c);

#endif
