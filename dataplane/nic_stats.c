/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Figures about the ports for who watches the node.
 */
#include "dataplane/nic.h"

#include <rte_mempool.h>

struct each {
	nic_pool_fn fn;
	void *ctx;
};

static void pool_tell(struct rte_mempool *mp, void *arg)
{
	const struct each *each = arg;

	each->fn(each->ctx, mp->name, mp->size, rte_mempool_avail_count(mp));
}

void nic_pools_each(nic_pool_fn fn, void *ctx)
{
	struct each each = {fn, ctx};

	rte_mempool_walk(pool_tell, &each);
}
