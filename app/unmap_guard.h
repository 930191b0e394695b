/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keeps memory mapped while a core works in it.
 *
 * net_memif shares memory with another process. When that one ends, the driver unmaps the memory in
 * DPDK's interrupt thread, whatever a core is doing in it at the moment: a core that loses its
 * processor in the middle of a burst comes back to nothing, and the whole node dies of a client's
 * end. The driver has no hook for this, so the process's munmap() is taken over here:
 *
 *	interrupt thread                      core
 *	  tells the device: not connected       in_burst = true
 *	  munmap(): fence                       fence
 *	            waits until !in_burst       burst: nothing, if the device is not connected
 *	            unmaps                      in_burst = false
 *
 * Either the core sees that the device is not connected, or munmap() sees the core. Only nodes with
 * such a device wait, and no longer than a burst takes.
 */
#ifndef MILLRACE_APP_UNMAP_GUARD_H
#define MILLRACE_APP_UNMAP_GUARD_H

struct core;

/* From now on munmap() waits for bursts of these cores, which outlive it: up to CORE_MAX of them.
 * nr 0: for none. Control thread. */
void unmap_guard_watch(struct core *const *cores, unsigned nr);

#endif
