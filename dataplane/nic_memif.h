/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net_memif: two processes share memory and meet at a Unix socket, which one of them serves.
 *
 * The socket has no file (socket-abstract=yes, DPDK's default), or one that stays behind when its
 * server is killed, and then keeps the next one from starting.
 */
#ifndef MILLRACE_DATAPLANE_NIC_MEMIF_H
#define MILLRACE_DATAPLANE_NIC_MEMIF_H

#include "dataplane/core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A device argument of net_memif. */
bool nic_is_memif(const char *device);

/* Removes the socket's file if the device is to serve it and nobody does any more. What is not a
 * socket stays. Before the device is opened; no other kind of device is touched. */
void nic_memif_tidy(const char *device);

/* The driver unmaps the memory that it shares with its peer in another thread, as soon as the peer
 * is gone. Every burst on such a device stands between these two, so that the process can have that
 * wait: app/unmap_guard.h. */
static inline void nic_burst_begin(struct core *core)
{
	/* pairs with munmap() there */
	atomic_store_explicit(&core->in_burst, (uintptr_t)pthread_self(), memory_order_seq_cst);
}

static inline void nic_burst_end(struct core *core)
{
	atomic_store_explicit(&core->in_burst, 0, memory_order_release);
}

/* As nic_probe(), of a net_memif device. */
bool nic_memif_probe(const char *device, char *text, size_t size);

#endif
