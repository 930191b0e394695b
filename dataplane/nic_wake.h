/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finding the descriptors that a virtual device stands on, so that a core can sleep until frames
 * come.
 */
#ifndef MILLRACE_DATAPLANE_NIC_WAKE_H
#define MILLRACE_DATAPLANE_NIC_WAKE_H

#include "dataplane/core.h"

/* Lets the core's sleep end when one of the process's device descriptors becomes readable. Returns
 * how many there are. Control thread, when the devices are up and before the core runs. */
unsigned nic_wake_watch(struct core *core);

#endif
