/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool: the tool for pools. Finds the command; the commands are in files of their own.
 */
#include "app/pool/tool.h"
#include "app/server.h"

#include <stdio.h>
#include <string.h>

static const struct tool_command *const commands[] = {
	&tool_info,
	&tool_check,
	&tool_export,
	&tool_import,
	&tool_create,
	&tool_resize,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(void)
{
	puts("Usage: millrace-pool COMMAND [ARGUMENT ...]\n"
	     "Works on pools that no node has open; see millrace-pool(1).\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-7s %s\n          %s\n", commands[i]->name, commands[i]->usage,
			commands[i]->what);
	puts("\n\"millrace-pool COMMAND --help\" tells more. Exit status: 0 done; 1 check found damage; "
	     "2 not done.");
}

static const struct tool_command *find(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int main(int argc, char **argv)
{
	const struct tool_command *cmd;

	if (argc > 1 && is_help(argv[1])) {
		help();
		return TOOL_OK;
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
		printf("millrace-pool %s\n", MILLRACE_VERSION);
		return TOOL_OK;
	}
	cmd = argc > 1 ? find(argv[1]) : NULL;
	if (!cmd)
		return argc > 1 ? tool_fail("no command '%s'; --help lists them", argv[1])
				: tool_fail("a command is missing; --help lists them");
	for (int i = 2; i < argc; i++) {
		if (!is_help(argv[i]))
			continue;
		printf("Usage: millrace-pool %s %s\n%s.\n%s", cmd->name, cmd->usage, cmd->what,
			cmd->help);
		return TOOL_OK;
	}
	return cmd->run(argc - 1, argv + 1);
}
