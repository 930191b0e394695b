/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pub/sub family: functions behind pubsub_commands[].
 */
#ifndef MILLRACE_APP_COMMANDS_PUBSUB_CMDS_H
#define MILLRACE_APP_COMMANDS_PUBSUB_CMDS_H

#include "app/commands/command.h"

void subscribe_command(struct client *c);
void unsubscribe_command(struct client *c);
void psubscribe_command(struct client *c);
void punsubscribe_command(struct client *c);
void ssubscribe_command(struct client *c);
void sunsubscribe_command(struct client *c);
void publish_command(struct client *c);
void spublish_command(struct client *c);
void pubsub_channels_command(struct client *c);
void pubsub_help_command(struct client *c);
void pubsub_numpat_command(struct client *c);
void pubsub_numsub_command(struct client *c);
void pubsub_shardchannels_command(struct client *c);
void pubsub_shardnumsub_command(struct client *c);

#endif
