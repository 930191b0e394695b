/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the machine says of a DPDK device without opening it: for --check, and for the cause and
 * the remedy when opening it has failed (DPDK's own codes rarely tell).
 */
#ifndef MILLRACE_DATAPLANE_NIC_PROBE_H
#define MILLRACE_DATAPLANE_NIC_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* A PCI address such as 0000:01:00.0 or 01:00.0, with or without options behind it. */
bool nic_is_pci(const char *device);

/* Looks at a device argument ("0000:01:00.0", "net_af_xdp0,iface=eth1"). True: nothing stands in
 * its way that can be seen; text says what it is. False: text says what stands in its way and the
 * remedy. Any thread; changes nothing. */
bool nic_probe(const char *device, char *text, size_t size);

/* Does the device work with physical addresses, for want of an IOMMU? Then ordinary memory, whose
 * addresses may change, does not do: DPDK takes such a device only with huge pages. */
bool nic_needs_huge(const char *device);

/* What to say of a device for which nic_needs_huge() when there are none. */
#define NIC_NEEDS_HUGE                                                                             \
	"without an IOMMU it needs huge pages (sysctl -w vm.nr_hugepages=256, and huge-pages "     \
	"auto or yes); behind one (intel_iommu=on or amd_iommu=on), vfio-pci needs none"

/* Why a device that nic_probe() finds in order may still refuse to be set up: a hint for the user,
 * "" when there is none. */
const char *nic_busy_hint(const char *device);

#endif
