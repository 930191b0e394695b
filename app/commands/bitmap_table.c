/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of bitmap commands.
 */
#include "app/commands/bitmap_cmds.h"

#include "app/commands/command.h"

#define BITMAP  .group = "bitmap", .categories = "bitmap"
#define ONE_KEY .first_key = 1, .last_key = 1, .key_step = 1, BITMAP

struct command bitmap_commands[] = {
	{"bitcount", bitmap_cmd_bitcount, -2, CMD_READONLY, ONE_KEY, .since = "2.6.0",
		.complexity = "O(N) where N is the length of the range",
		.summary = "Counts the bits that are set in a string"},
	{"bitfield", bitmap_cmd_bitfield, -2, CMD_WRITE | CMD_DENYOOM, ONE_KEY, .since = "3.2.0",
		.complexity = "O(1) for each subcommand",
		.summary = "Reads and writes integers of any width within a string"},
	{"bitfield_ro", bitmap_cmd_bitfield_ro, -2, CMD_READONLY | CMD_FAST, ONE_KEY,
		.since = "6.0.0", .complexity = "O(1) for each subcommand",
		.summary = "Reads integers of any width within a string"},
	{"bitop", bitmap_cmd_bitop, -4, CMD_WRITE | CMD_DENYOOM, .first_key = 2, .last_key = -1,
		.key_step = 1, BITMAP, .since = "2.6.0",
		.complexity = "O(N) where N is the length of the longest string",
		.summary = "Joins strings bit by bit and stores the result"},
	{"bitpos", bitmap_cmd_bitpos, -3, CMD_READONLY, ONE_KEY, .since = "2.8.7",
		.complexity = "O(N) where N is the length of the range",
		.summary = "Finds the first bit of a value in a string"},
	{"getbit", bitmap_cmd_getbit, 3, CMD_READONLY | CMD_FAST, ONE_KEY, .since = "2.2.0",
		.complexity = "O(1)", .summary = "Reads one bit of a string"},
	{"setbit", bitmap_cmd_setbit, 4, CMD_WRITE | CMD_DENYOOM, ONE_KEY, .since = "2.2.0",
		.complexity = "O(1)", .summary = "Sets or clears one bit of a string"},
	{0},
};
