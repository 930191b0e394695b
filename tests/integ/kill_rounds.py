#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of the master under a load of all types, in a number of rounds: no acknowledged write
lost, both replicas resume, and all data sets are equal.

Every start of the master is with one poll core or two, so that a pool is recovered that another
number of writers left.

usage: kill_rounds.py [--rounds N] [--seconds S] [--seed N] [--pmem]
       5 rounds when nothing is said; --pmem: the pools are taken for persistent memory
       a thousand rounds: --rounds 1000 --seconds 0.2
"""
import argparse
import os
import random
import sys
import time

import writer
from mixed_writer import MixedWriter
from lab import check, equal, grep, run_test, until
from resp import Resp

STOCK_RESUMED = r"Successful partial resynchronization with master"
STOCK_FULL = r"Full resync from master"


def link_up(server):
    return server.info("replication")["master_link_status"] == "up"


def same_offset(servers):
    return len({s.info("replication")["master_repl_offset"] for s in servers}) == 1


def one_round(master, stock, second, number, seconds, wait, poll_cores):
    device = master.device
    device_writer = writer.Writer(
        lambda: Resp((device.address, master.port), 20, device.far.socket),
        prefix=f"d{number}",
        connections=2,
        pipeline=32,
    ).start()
    loop_writer = writer.Writer(
        master.connect, prefix=f"l{number}", connections=1, pipeline=8
    ).start()
    mixed = MixedWriter(master.connect, prefix=f"m{number}", connections=2, pipeline=4).start()
    time.sleep(seconds / 2)
    if number % 2:  # in every other round a snapshot is under way, or just done
        master.call("BGSAVE")
    time.sleep(seconds / 2)
    before = master.info("replication")
    durable = int(master.info("millrace")["log_watermark"])  # the offset counts what is under way
    stock_log = len(stock.log_text())
    # A reply comes at the end of a group commit: the kill is to hit the middle of one as well.
    time.sleep(wait)
    master.kill()
    master.options[-1] = poll_cores
    master.start()
    for one in (device_writer, loop_writer, mixed):
        one.abandon()
    after = master.info("replication")
    equal(after["master_replid"], before["master_replid"], "replication ID")
    check(
        int(after["master_repl_offset"]) >= durable,
        f"the offset went back from {durable} to {after['master_repl_offset']}",
    )

    until("both replicas", lambda: master.info("replication")["connected_slaves"] == "2", 60)
    for replica in (stock, second):
        until(f"{replica.name}: link", lambda r=replica: link_up(r), 60)
    stats = master.info("stats")
    equal(
        (stats["sync_full"], stats["sync_partial_ok"], stats["sync_partial_err"]),
        ("0", "2", "0"),
        "full, partial and refused syncs since the restart",
    )
    said = stock.log_text()[stock_log:]
    check(
        grep(STOCK_RESUMED, said) and not grep(STOCK_FULL, said), "the stock replica did not resume"
    )
    acked = 0
    for one in (device_writer, loop_writer):
        with master.over_device() as conn:
            verdict = writer.verify(conn, one.state())
        equal((verdict.found, verdict.faults), (verdict.acked, []), "acknowledged writes found")
        check(verdict.acked > 0, "nothing was acknowledged")
        acked += verdict.acked
    with master.connect() as conn:
        equal(mixed.verify(conn), [], "what the writers of all types find")
    check(mixed.acked > 0, "of the other types nothing was acknowledged")
    acked += mixed.acked
    servers = [master, stock, second]
    until("equal offsets", lambda: same_offset(servers), 60)
    digests = {s.name: s.call("DEBUG", "DIGEST") for s in servers}
    equal(len(set(digests.values())), 1, f"digests {digests}")
    print(
        f"round {number}: {acked} acknowledged, all found; offset {after['master_repl_offset']}",
        flush=True,
    )
    for one in (device_writer, loop_writer):
        with master.connect() as conn:
            writer.clear(conn, one.state())
    with master.connect() as conn:
        mixed.clear(conn)


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pmem", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    if args.pmem:
        os.environ["PMEM_IS_PMEM_FORCE"] = "1"
    choose = random.Random(args.seed)
    poll_cores = ["0", "1", "0-1"] if os.cpu_count() > 1 else ["0"]
    far = lab.netns()
    far.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    master = lab.start_on_device(
        "master", lab.home, far, 7777, 0, pool_size="256mb", options=["--poll-cores", "0"]
    )
    stock = lab.stock("stock", far, 7778, options=["--replicaof", "10.77.0.2", "7777"]).start()
    second = lab.start_on_device(
        "second",
        lab.home,
        far,
        7779,
        1,
        pool_size="256mb",
        options=["--replicaof", "10.77.0.2", "7777"],
    )
    for replica in (stock, second):
        until(f"{replica.name}: link", lambda r=replica: link_up(r), 60)
    begin = time.monotonic()
    for number in range(args.rounds):
        seconds = args.seconds * choose.uniform(0.3, 1.7)
        wait = choose.uniform(0, 0.03)
        one_round(master, stock, second, number, seconds, wait, choose.choice(poll_cores))
    print(f"{args.rounds} rounds in {time.monotonic() - begin:.0f} s")
    for server in (second, master):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
