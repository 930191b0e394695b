/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scripting family: functions behind script_commands[].
 */
#ifndef MILLRACE_APP_COMMANDS_SCRIPT_CMDS_H
#define MILLRACE_APP_COMMANDS_SCRIPT_CMDS_H

#include "app/commands/script_run.h"

/* EVAL and EVALSHA, and their _RO kind, whose flags are CMD_READONLY. */
void eval_command(struct client *c);
void evalsha_command(struct client *c);
/* FCALL and FCALL_RO. */
void fcall_command(struct client *c);
/* The flags of the function that the client's FCALL names. False: there is none. */
bool function_flags_of(const struct client *c, uint32_t *flags);
extern struct command function_subcommands[];
/* The keys of all that run scripts. */
int script_keys(const struct slice *argv, uint32_t argc, uint32_t *pos, uint32_t max);

#endif
