/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net_memif: two processes share memory and meet at a Unix socket, which one of them serves.
 *
 * The socket has no file (socket-abstract=yes, DPDK's default), or one that stays behind when its
 * server is killed, and then keeps the next one from starting.
 */
#ifndef MILLRACE_DATAPLANE_NIC_MEMIF_H
#define MILLRACE_DATAPLANE_NIC_MEMIF_H

#include <stdbool.h>
#include <stddef.h>

/* A device argument of net_memif. */
bool nic_is_memif(const char *device);

/* Removes the socket's file if the device is to serve it and nobody does any more. What is not a
 * socket stays. Before the device is opened; no other kind of device is touched. */
void nic_memif_tidy(const char *device);

/* As nic_probe(), of a net_memif device. */
bool nic_memif_probe(const char *device, char *text, size_t size);

#endif
