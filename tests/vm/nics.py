#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""PCI NICs by their addresses, bound to uio_pci_generic, without an IOMMU: one queue (e1000e) and
several (vmxnet3, virtio-net with RSS and without), two poll cores, hugepages; each NIC loses its
link once. Large packets are cut and put together by those that can.
"""
import sys

import guest
import traffic
from lab import check, equal, run_test

HUGE = "/proc/sys/vm/nr_hugepages"


def requests_whole(machine):
    """Requests reach the guest whole while its orphans end, whom its first process buries."""
    machine.run(
        "for i in 1 2 3 4 5; do (for j in $(seq 200); do (sleep 0.0$i &); usleep 5000; done) & done"
    )
    for number in range(60):
        words = " && ".join(f"true {word}" for word in range(40))
        equal(machine.run(f"echo begins && {words} && echo {number}"), f"begins\n{number}\n", "request")


def test(lab):
    e1000e = guest.Nic("e1000e", 0)
    vmxnet3 = guest.Nic("vmxnet3", 1)
    virtio = guest.Nic("virtio-net-pci", 2, queues=2, options=",mq=on,rss=on,vectors=6")
    no_rss = guest.Nic("virtio-net-pci", 3, queues=2, options=",mq=on,vectors=6")
    nics = [virtio, e1000e, vmxnet3, no_rss]
    machine = guest.Guest(lab, nics).start()
    requests_whole(machine)
    node = machine.node(nics, "--poll-cores 0-1 --huge-pages yes --pmem-file /pool --pmem-size 64mb")

    node.check_says(
        1,
        "hugepages    PROBLEM: 0 MB free",
        f"PROBLEM: {virtio.pci}: it is bound to no driver",
        "or, without an IOMMU, the same with uio_pci_generic",
    )
    node.refuses(f"nic {virtio.pci}: it is bound to no driver", options="--huge-pages no")
    for nic in nics:
        machine.bind(nic, "uio_pci_generic")
    node.refuses(f"nic {virtio.pci}: without an IOMMU it needs huge", options="--huge-pages no")
    machine.run(f"echo 192 >{HUGE}")
    bound = [f"{nic.pci}: PCI device, bound to uio_pci_generic" for nic in nics]
    node.check_says(0, "hugepages    384 MB free; used", "iommu        not active", *bound)

    node.start()
    shares = {}
    does = {virtio: ("send", "receive"), no_rss: ("send", "receive"), vmxnet3: ("send",)}
    for nic in nics:
        shares[nic] = traffic.drive(node, nic)
        traffic.packets(node, nic, does.get(nic, ()))
        traffic.link_loss(machine, node, nic)
    # What the device and the software make of a flow agrees; the other device follows the node.
    for nic, most in (virtio, 0.02), (no_rss, 0.1):
        check(shares[nic] < most, f"{nic}: {shares[nic]:.1%} of the frames came to another core")
    share = traffic.outgoing(lab, node, virtio)
    check(share < 0.02, f"{virtio}: {share:.1%} of a master's frames came to another core")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
