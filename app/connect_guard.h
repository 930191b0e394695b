/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keeps a server of net_memif alive whose clients end while they connect.
 *
 * The driver of DPDK 22.11 answers a client in DPDK's interrupt thread, by sendmsg(). A hello that
 * finds the client gone has the driver close the socket and free what belongs to it, but not take
 * it from the list of the interrupt thread, which panics over the closed descriptor. And whatever
 * memory a client has handed over is never closed when it ends, or is refused, before the driver
 * has mapped that: one that comes again and again uses up the descriptors. There is no hook, so
 * the process's sendmsg() and recvmsg() are taken over for sockets as the driver's:
 *
 *	- What cannot be sent because the other end is gone counts as sent. The driver finds
 *	  the end of file next, and takes its orderly way out.
 *	- Descriptors that came are noted until the driver has taken them, and closed when the
 *	  connection ends before:
 *
 *	      came --ACK--> region --CONNECT--> the driver's
 *	        |   `-ACK--> ring, the driver's at once
 *	        `-- end of file, DISCONNECT of either side --> closed, with the regions
 */
#ifndef MILLRACE_APP_CONNECT_GUARD_H
#define MILLRACE_APP_CONNECT_GUARD_H

#include <stdbool.h>

/* Until it is told otherwise nothing is changed. Control thread, before nic_eal_init(). */
void connect_guard_watch(bool is_wanted);

#endif
