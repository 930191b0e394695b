/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pubsub_commands[]: facts as COMMAND INFO of redis-server 7.0.15 reports them.
 */
#include "app/commands/pubsub_cmds.h"

#define SUBSCRIBE (CMD_PUBSUB | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define PUBLISH   (CMD_PUBSUB | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_MAY_REPLICATE)
#define LOOK      (CMD_PUBSUB | CMD_LOADING | CMD_STALE)
#define GROUP     .group = "pubsub"

static struct command pubsub_subcommands[] = {
	{"channels", pubsub_channels_command, -2, LOOK, GROUP, .since = "2.8.0",
		.complexity = "O(N) in the number of channels",
		.summary = "Lists channels that have subscribers."},
	{"help", pubsub_help_command, 2, CMD_LOADING | CMD_STALE, GROUP, .since = "6.2.0",
		.complexity = "O(1)", .summary = "Lists the subcommands."},
	{"numpat", pubsub_numpat_command, 2, LOOK, GROUP, .since = "2.8.0", .complexity = "O(1)",
		.summary = "Counts the patterns that somebody is subscribed to."},
	{"numsub", pubsub_numsub_command, -2, LOOK, GROUP, .since = "2.8.0",
		.complexity = "O(N) in the number of channels asked for",
		.summary = "Counts the subscribers of channels."},
	{"shardchannels", pubsub_shardchannels_command, -2, LOOK, GROUP, .since = "7.0.0",
		.complexity = "O(N) in the number of shard channels",
		.summary = "Lists shard channels that have subscribers."},
	{"shardnumsub", pubsub_shardnumsub_command, -2, LOOK, GROUP, .since = "7.0.0",
		.complexity = "O(N) in the number of shard channels asked for",
		.summary = "Counts the subscribers of shard channels."},
	{NULL},
};

struct command pubsub_commands[] = {
	{"psubscribe", psubscribe_command, -2, SUBSCRIBE, GROUP, .since = "2.0.0",
		.complexity = "O(N) in the number of patterns given",
		.summary = "Subscribes to the channels that match patterns."},
	{"publish", publish_command, 3, PUBLISH, GROUP, .since = "2.0.0",
		.complexity = "O(N+M), N the channel's subscribers and M all patterns",
		.summary = "Sends a message to the subscribers of a channel."},
	{"pubsub", NULL, -2, 0, GROUP, .since = "2.8.0", .complexity = "As the subcommand.",
		.summary = "Looks at channels and subscribers.", .subs = pubsub_subcommands},
	{"punsubscribe", punsubscribe_command, -1, SUBSCRIBE, GROUP, .since = "2.0.0",
		.complexity = "O(N) in the number of patterns",
		.summary = "Ends subscriptions to patterns."},
	{"spublish", spublish_command, 3, PUBLISH | CMD_NOT_KEYS, 1, 1, 1, GROUP, .since = "7.0.0",
		.complexity = "O(N) in the number of the channel's subscribers",
		.summary = "Sends a message to the subscribers of a shard channel."},
	{"ssubscribe", ssubscribe_command, -2, SUBSCRIBE | CMD_NOT_KEYS, 1, -1, 1, GROUP,
		.since = "7.0.0", .complexity = "O(N) in the number of channels given",
		.summary = "Subscribes to shard channels."},
	{"subscribe", subscribe_command, -2, SUBSCRIBE, GROUP, .since = "2.0.0",
		.complexity = "O(N) in the number of channels given",
		.summary = "Subscribes to channels."},
	{"sunsubscribe", sunsubscribe_command, -1, SUBSCRIBE | CMD_NOT_KEYS, 1, -1, 1, GROUP,
		.since = "7.0.0", .complexity = "O(N) in the number of channels",
		.summary = "Ends subscriptions to shard channels."},
	{"unsubscribe", unsubscribe_command, -1, SUBSCRIBE, GROUP, .since = "2.0.0",
		.complexity = "O(N) in the number of channels",
		.summary = "Ends subscriptions to channels."},
	{NULL},
};
