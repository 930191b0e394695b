#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Persistent memory and a power cut: the pool lies on an emulated NVDIMM, in a file system mounted
with DAX; the machine loses its power in the middle of writes and starts again on the same NVDIMM.

What the emulation leaves out: every store of the guest reaches the NVDIMM, flushed or not. The
orders that a cut may leave are the crash suite's business; here the medium, the file system and the
whole node are.
"""
import os
import sys
import time

import guest
import traffic
from lab import check, equal, grep, run_test, until

NVDIMM_MB = 256


# What "ndctl create-namespace --mode=fsdax" does: without it the kernel maps no file of the medium.
FSDAX = """
set -e; cd /sys/bus/nd/devices; pfn=$(cat region0/pfn_seed)
echo namespace0.0 >../drivers/nd_pmem/unbind
cat /proc/sys/kernel/random/uuid >$pfn/uuid; echo pmem >$pfn/mode; echo 2097152 >$pfn/align
echo namespace0.0 >$pfn/namespace; echo $pfn >../drivers/nd_pmem/bind
mkfs.ext4 -q -b 4096 /dev/pmem0
"""


def start(machine, nic):
    machine.start()
    machine.run("echo 192 >/proc/sys/vm/nr_hugepages")
    machine.bind(nic, "uio_pci_generic")


def mount(machine):
    machine.run("mount -t ext4 -o dax=always /dev/pmem0 /mnt")


def resumed(stock):
    return stock.info("replication")["master_link_status"] == "up"


def test(lab):
    backing = os.path.join(lab.dir, "nvdimm")
    with open(backing, "wb") as out:
        out.truncate(NVDIMM_MB << 20)
    nic = guest.Nic("virtio-net-pci", 0, queues=2, options=",mq=on,rss=on,vectors=6")
    machine = guest.Guest(
        lab,
        [nic],
        memory="1024,slots=1,maxmem=2G",
        machine="q35,nvdimm=on",
        more=[
            "-object",
            f"memory-backend-file,id=dimm,share=on,mem-path={backing},size={NVDIMM_MB}M,align=2M",
            "-device",
            "nvdimm,memdev=dimm",
        ],
        programs=["mkfs.ext4"],
    )
    node = machine.node([nic], "--poll-cores 0-1 --pmem-file /mnt/pool --pmem-size 128mb")
    start(machine, nic)
    machine.run(FSDAX.strip().replace("\n", "; "))
    mount(machine)
    node.start()
    info = node.info("millrace")
    equal((info["pmem_medium"], info["pmem_safe"]), ("pmem", "1"), "medium, and whether it is safe")
    stock = lab.stock("stock", options=["--replicaof", nic.address, str(node.port)]).start()
    until("the replica's link", lambda: resumed(stock), 60)

    running = traffic.write(node, nic, "cut")
    traffic.progress(running, nic, "before the cut")
    time.sleep(1.5)
    node.call("BGSAVE")  # the power goes while a snapshot is written
    before = node.info("replication")
    durable = int(node.info("millrace")["log_watermark"])  # the offset counts what is under way
    said = len(stock.log_text())
    machine.kill()
    running.abandon()

    start(machine, nic)
    mount(machine)
    node.check_says(0, "/mnt/pool: 128 MB", "by a crash: it will be recovered", "medium: persistent memory")
    node.start()
    after = node.info("replication")
    equal(after["master_replid"], before["master_replid"], "replication ID")
    check(
        int(after["master_repl_offset"]) >= durable,
        f"the offset went back from {durable} to {after['master_repl_offset']}",
    )
    acked = traffic.verify(node, running, nic)
    print(f"{acked} acknowledged writes, all found", flush=True)
    until("the replica's link", lambda: resumed(stock), 60)
    said = stock.log_text()[said:]
    check(grep("Successful partial resynchronization", said), "the replica did not resume")
    check(not grep("Full resync", said), "the replica was copied anew")
    until("equal data", lambda: node.call("DEBUG", "DIGEST") == stock.call("DEBUG", "DIGEST"), 30)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
