#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""PCI NICs bound to vfio-pci behind an IOMMU, which lets them reach the node's buffers only; more
poll cores than the NICs have queues, large packets, VLANs.
"""
import sys

import guest
import traffic
from lab import equal, run_test


def test(lab):
    virtio = ",mq=on,rss=on,vectors=6,iommu_platform=on,disable-legacy=on"
    nics = [
        guest.Nic("e1000e", 0, mtu=9000, vlan=78),
        guest.Nic("vmxnet3", 1, mtu=9000),
        guest.Nic("virtio-net-pci", 2, queues=2, options=virtio, mtu=9000, vlan=79),
    ]
    machine = guest.Guest(
        lab,
        nics,
        cpus=3,
        kernel_args="intel_iommu=on",
        more=["-device", "intel-iommu,intremap=on,caching-mode=on"],
    ).start()
    node = machine.node(nics, "--poll-cores 0-2 --pmem-file /pool --pmem-size 64mb")
    machine.run("echo 192 >/proc/sys/vm/nr_hugepages")
    for nic in nics:
        machine.bind(nic, "vfio-pci")
    bound = [f"{nic.pci}: PCI device, bound to vfio-pci" for nic in nics]
    node.check_says(0, "hugepages    384 MB free; used", "iommu        active; vfio present", *bound)
    node.start()
    for nic in nics:
        traffic.drive(node, nic)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
