/* SPDX-License-Identifier: BSD-3-Clause
 *
 * maxmemory: keeps memory in use within the limit by the policy.
 *
 * A command evicts a bounded number of keys before it runs. What is then still above the limit is
 * evicted by the core's loop, a few keys a turn; commands go on meanwhile, as they do in Redis
 * while its eviction runs in the background. Only when nothing can be evicted are commands refused.
 */
#ifndef MILLRACE_APP_COMMANDS_EVICT_H
#define MILLRACE_APP_COMMANDS_EVICT_H

#include <stdbool.h>

struct app_core;

/* Before a client's command. False: above the limit, and nothing that could go (-OOM). No partition
 * lock may be held. Core of the client. */
bool evict_for_command(struct app_core *ac);
/* A slice of eviction. True: there is more to do. Called in the loop of each core, no lock held. */
bool evict_core_work(struct app_core *ac);

#endif
