/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace-pool resize: a larger pool, or a smaller one when what would go is free. In place, with
 * the steps and the crash argument of pool_grow() and pool_shrink().
 */
#include "app/pool/tool.h"

#include "app/store.h"
#include "persist/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As a node does, but the pool keeps telling how its last node left it. */
static int resize(const char *path, uint64_t size)
{
	char boot_id[64], err[TOOL_ERR_LEN] = "";
	struct pool_cfg cfg = {
		.boot_id = boot_id, .must_exist = true, .any_size = true, .grow_to = size};
	struct recover_result found;
	struct pool_info before, after;
	struct pool *pool;
	bool done;

	store_boot_id(boot_id, sizeof(boot_id));
	tool_guard_media(path);
	if (pool_open(path, 0, &cfg, &pool, err, sizeof(err)))
		return tool_fail("%s", err);
	pool_info_get(pool, &before);
	if (recover_open(pool, &found, err, sizeof(err))) {
		pool_close(&pool, false);
		return tool_fail("%s: %s", path, err);
	}
	snap_put(&found.snap);
	done = (size < before.size ? pool_shrink(pool, size, err, sizeof(err))
				   : pool_grow(pool, size, err, sizeof(err))) == 0;
	pool_info_get(pool, &after);
	pool_close(&pool, before.was_clean);
	if (!done)
		return tool_fail("%s: %s", path, err);
	printf("%s: %llu bytes, was %llu\n", path, (unsigned long long)after.size,
		(unsigned long long)before.size);
	return TOOL_OK;
}

static int run(int argc, char **argv)
{
	uint64_t size;

	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1])
			return tool_usage(&tool_resize, "no option %s", argv[i]);
	if (argc != 3)
		return tool_usage(&tool_resize, "a pool and its new size are needed");
	if (!tool_size(argv[2], &size) || size == 0)
		return tool_usage(&tool_resize, "%s is not a size, as 512mb", argv[2]);
	return resize(argv[1], size);
}

const struct tool_command tool_resize = {
	.name = "resize",
	.run = run,
	.usage = "POOL SIZE",
	.what = "makes a pool larger, or smaller when what would go is free",
	.help = "The log keeps its size; what is gained or lost is room for snapshots. A crash leaves\n"
		"the old size or the new one. A node does the same with CONFIG SET pmem-size.\n",
};
