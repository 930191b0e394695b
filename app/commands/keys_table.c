/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of generic commands: those on keys of any type.
 */
#include "app/commands/keys.h"
#include "app/commands/sort.h"

#define GENERIC  .group = "generic", .categories = "keyspace"
#define ONE_KEY  .first_key = 1, .last_key = 1, .key_step = 1, GENERIC
#define TWO_KEYS .first_key = 1, .last_key = 2, .key_step = 1, GENERIC
#define ALL_KEYS .first_key = 1, .last_key = -1, .key_step = 1, GENERIC
#define SORTING                                                                                    \
	.first_key = 1, .last_key = 1, .key_step = 1, .group = "generic",                          \
	.categories = "set sortedset list dangerous", .locks_all = sort_locks_all
#define OBJECT_KEY .first_key = 2, .last_key = 2, .key_step = 1, GENERIC

static struct command object_subcommands[] = {
	{"encoding", key_cmd_object_encoding, 3, CMD_READONLY, OBJECT_KEY, .since = "2.2.3",
		.complexity = "O(1)", .summary = "Tells how a value is kept in memory"},
	{"freq", key_cmd_object_freq, 3, CMD_READONLY, OBJECT_KEY, .since = "4.0.0",
		.complexity = "O(1)", .summary = "Tells how often a key was used lately"},
	{"help", key_cmd_object_help, 2, CMD_LOADING | CMD_STALE, GENERIC, .since = "6.2.0",
		.complexity = "O(1)", .summary = "Lists the subcommands"},
	{"idletime", key_cmd_object_idletime, 3, CMD_READONLY, OBJECT_KEY, .since = "2.2.3",
		.complexity = "O(1)", .summary = "Tells how long a key has not been used"},
	{"refcount", key_cmd_object_refcount, 3, CMD_READONLY, OBJECT_KEY, .since = "2.2.3",
		.complexity = "O(1)", .summary = "Tells how many keys share a value"},
	{0},
};

struct command key_commands[] = {
	{"copy", key_cmd_copy, -3, CMD_WRITE | CMD_DENYOOM, TWO_KEYS, .since = "6.2.0",
		.complexity = "O(N) where N is the size of the value",
		.summary = "Copies a value to another key"},
	{"del", key_cmd_del, -2, CMD_WRITE, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of keys", .summary = "Removes keys"},
	{"dump", key_cmd_dump, 2, CMD_READONLY, ONE_KEY, .since = "2.6.0",
		.complexity = "O(N) where N is the size of the value",
		.summary = "Replies a value in a form that RESTORE takes"},
	{"exists", key_cmd_exists, -2, CMD_READONLY | CMD_FAST, ALL_KEYS, .since = "1.0.0",
		.complexity = "O(N) where N is the number of keys",
		.summary = "Counts which of the keys are there"},
	{"expire", key_cmd_expire, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Sets a key's time to live in seconds"},
	{"expireat", key_cmd_expireat, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.2.0",
		.complexity = "O(1)", .summary = "Sets the Unix time at which a key expires"},
	{"expiretime", key_cmd_expiretime, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "7.0.0",
		.complexity = "O(1)", .summary = "Tells the Unix time at which a key expires"},
	{"keys", key_cmd_keys, 2, CMD_READONLY | CMD_LOCK_ALL, .group = "generic",
		.categories = "keyspace dangerous", .since = "1.0.0",
		.complexity = "O(N) where N is the number of keys in the database",
		.summary = "Lists the keys that match a pattern"},
	{"move", key_cmd_move, 3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Moves a key to another database"},
	{"object", NULL, -2, CMD_CONTAINER, .group = "generic", .since = "2.2.3",
		.complexity = "Depends on the subcommand.",
		.summary = "Looks into how a value is kept", .subs = object_subcommands},
	{"persist", key_cmd_persist, 2, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "2.2.0",
		.complexity = "O(1)", .summary = "Removes a key's time to live"},
	{"pexpire", key_cmd_pexpire, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "2.6.0",
		.complexity = "O(1)", .summary = "Sets a key's time to live in milliseconds"},
	{"pexpireat", key_cmd_pexpireat, -3, CMD_WRITE | CMD_FAST, ONE_KEY, .since = "2.6.0",
		.complexity = "O(1)",
		.summary = "Sets the Unix time in milliseconds at which a key expires"},
	{"pexpiretime", key_cmd_pexpiretime, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "7.0.0",
		.complexity = "O(1)",
		.summary = "Tells the Unix time in milliseconds at which a key expires"},
	{"pttl", key_cmd_pttl, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.6.0",
		.complexity = "O(1)", .summary = "Tells a key's time to live in milliseconds"},
	{"randomkey", key_cmd_randomkey, 1, CMD_READONLY | CMD_LOCK_SELF, GENERIC, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Replies some key"},
	{"rename", key_cmd_rename, 3, CMD_WRITE, TWO_KEYS, .since = "1.0.0", .complexity = "O(1)",
		.summary = "Gives a key another name, in place of what has it"},
	{"renamenx", key_cmd_renamenx, 3, CMD_WRITE | CMD_FAST, TWO_KEYS, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Gives a key another name if nothing has it"},
	{"restore", key_cmd_restore, -4, CMD_WRITE | CMD_DENYOOM, .first_key = 1, .last_key = 1,
		.key_step = 1, .group = "generic", .categories = "keyspace dangerous",
		.since = "2.6.0", .complexity = "O(N) where N is the size of the value",
		.summary = "Creates a key from what DUMP replied"},
	{"scan", key_cmd_scan, -2, CMD_READONLY | CMD_LOCK_SELF, GENERIC, .since = "2.8.0",
		.complexity = "O(1) for a call, O(N) for a whole iteration over N keys",
		.summary = "Goes on with an iteration over the keys"},
	{"sort", sort_cmd_sort, -2, CMD_WRITE | CMD_DENYOOM | CMD_MOVABLE_KEYS, SORTING,
		.keys = sort_keys, .since = "1.0.0",
		.complexity = "O(N+M*log(M)) with N elements, M of them wanted",
		.summary = "Replies or stores elements in an order"},
	{"sort_ro", sort_cmd_sort_ro, -2, CMD_READONLY | CMD_MOVABLE_KEYS, SORTING,
		.keys = sort_ro_keys, .since = "7.0.0",
		.complexity = "O(N+M*log(M)) with N elements, M of them wanted",
		.summary = "Replies elements in an order"},
	{"touch", key_cmd_touch, -2, CMD_READONLY | CMD_FAST, ALL_KEYS, .since = "3.2.1",
		.complexity = "O(N) where N is the number of keys",
		.summary = "Marks keys as used and counts those that are there"},
	{"ttl", key_cmd_ttl, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Tells a key's time to live in seconds"},
	{"type", key_cmd_type, 2, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "1.0.0",
		.complexity = "O(1)", .summary = "Tells the type of a value"},
	{"unlink", key_cmd_unlink, -2, CMD_WRITE | CMD_FAST, ALL_KEYS, .since = "4.0.0",
		.complexity = "O(1) for each key; memory is given back later",
		.summary = "Removes keys, leaving the freeing of large values for later"},
	{0},
};
