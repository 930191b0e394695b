/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a client may cost: output that it does not read (client-output-buffer-limit), memory
 * (maxmemory-clients), time in which it says nothing (timeout).
 */
#ifndef MILLRACE_APP_CLIENT_LIMITS_H
#define MILLRACE_APP_CLIENT_LIMITS_H

#include "app/client.h"

#include <stdbool.h>

/* Bytes that wait for the client to read them; for a replica also the stream that has been written
 * since its synchronisation began and lies in the log for it. The owner's core. */
uint64_t client_output_pending(const struct client *c);
/* Whether the client is beyond its class's limits now: the hard one, or the soft one for too long.
 * Logs it. The owner's core. */
bool client_output_exceeds(struct client *c);
/* In the middle of a burst: marks a client beyond its hard limit (CLIENT_ASAP), so that its
 * further requests are not run. The owner's core. */
void client_output_check(struct client *c);
/* Closes the clients of a core that have been killed, were idle for too long, or are beyond a
 * limit. Ten times a second. */
void client_limits_sweep(struct app_core *ac);

#endif
