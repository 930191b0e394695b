#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""PCI NICs by their addresses, bound to uio_pci_generic, without an IOMMU: one queue (e1000e) and
several (vmxnet3, virtio-net with RSS and without), two poll cores, hugepages; each NIC loses its
link once. Large packets are cut and put together by those that can.
"""
import re
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


def queues_share(node, nic, before, after):
    """Who gets what: two poll cores, of which each has a queue where the device has two."""
    found = int(re.search(rf"nic: {nic.pci} queues=(\d+) ", node.log)[1])
    equal(found, 1 if nic.model == "e1000e" else 2, f"{nic}: queues")
    frames = traffic.by_queue(before, after)
    print(f"{nic}: {frames[0]:.0f} and {frames[1]:.0f} frames from the queues", flush=True)
    if nic.queues == 1:
        return  # QEMU's vmxnet3 delivers to the first of its queues only
    check(min(frames) > 0.05 * sum(frames), f"{nic}: a queue is idle: {frames}")
    # What device and software make of a flow agrees; the device without RSS follows the node.
    most = 0.02 if "rss=on" in nic.options else 0.1
    share = traffic.handed_over(before, after)
    check(share < most, f"{nic}: {share:.1%} of the frames came to another core")


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
    does = {virtio: ("send", "receive"), no_rss: ("send", "receive"), vmxnet3: ("send",)}
    for nic in nics:
        queues_share(node, nic, *traffic.drive(node, nic))
        traffic.packets(node, nic, does.get(nic, ()))
        traffic.link_loss(machine, node, nic)
    share = traffic.outgoing(lab, node, virtio)
    check(share < 0.02, f"{virtio}: {share:.1%} of a master's frames came to another core")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
