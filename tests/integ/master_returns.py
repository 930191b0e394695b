#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A master is killed under load and started again: its replicas are online as soon as it has recovered.
And what is told of each replica, of full syncs and of the backlog is true."""
import signal
import statistics
import sys
import threading
import time

from lab import check, equal, grep, run_test, until
from resp import Resp, RespError

PORT = 21720
REPLICAS = 3


def view(master, number=0):
    """What INFO millrace says of a replica."""
    fields = dict(part.split("=", 1) for part in master.info("millrace")[f"replica{number}"].split(","))
    return {k: int(v) if v.lstrip("-").isdigit() else v for k, v in fields.items()}


def online(master):
    states = [v for k, v in master.info("replication").items() if k.startswith("slave") and k[5:].isdigit()]
    return sum("state=online" in state for state in states)


def load(master, stop):
    number = 0
    while not stop.is_set():
        try:
            with master.connect() as conn:
                while not stop.is_set():
                    conn.pipeline([("SET", f"k{number % 50000}", "v" * 100) for _ in range(50)])
                    number += 1
        except (OSError, RespError):
            time.sleep(0.005)


def test_returns(master, replicas):
    """Time between the end of recovery and the last replica's return: the median of five, because a
    busy machine holds any single one up."""
    stop = threading.Event()
    writer = threading.Thread(target=load, args=(master, stop))
    writer.start()
    took = []
    for _ in range(5):
        time.sleep(0.3)
        master.kill()
        master.start(wait=False)
        until("the master's end of recovery", lambda: master.call("PING") == b"PONG", every=0.001)
        began = time.monotonic()
        until("all replicas online", lambda: online(master) == REPLICAS, every=0.002)
        took.append(time.monotonic() - began)
    stop.set()
    writer.join()
    median = statistics.median(took)
    print(f"   all replicas online {median * 1000:.0f} ms after recovery", flush=True)
    check(median < 0.6, f"the replicas took {took} s to come back")
    equal(master.info("stats")["sync_full"], "0", "full syncs since the last start")
    wanted = master.info("replication")["master_repl_offset"]
    until(
        "every byte",
        lambda: all(r.info("replication")["master_repl_offset"] >= wanted for r in replicas),
    )
    digest = master.call("DEBUG", "DIGEST")
    for replica in replicas:
        equal(replica.call("DEBUG", "DIGEST"), digest, f"digest of {replica.name}")


def test_lag(master, replica):
    """How far a replica that stands still is behind, in bytes and in time."""
    until("it has caught up", lambda: view(master)["lag_bytes"] == 0)
    replica.signal(signal.SIGSTOP)
    with master.connect() as conn:
        before = view(master)["offset"]
        for _ in range(10):
            conn.pipeline([("SET", f"lag{i}", "v" * 1000) for i in range(20)])
            time.sleep(0.1)
    seen = view(master)
    info = master.info("millrace")
    check(200000 < seen["lag_bytes"] < 400000, f"bytes behind: {seen}")
    check(800 < seen["lag_ms"] < 3000, f"time behind: {seen}")
    equal(seen["offset"], before, "offset of a replica that stands still")
    check(0 < seen["backlog_seconds"] <= int(info["backlog_seconds"]), f"backlog left: {seen}")
    told = master.telemetry("/millrace/repl")
    check(told["replica0_lag_bytes"] == seen["lag_bytes"], f"telemetry: {told}")
    check(told["backlog_seconds"] > 0 and told["replica0_lag_ms"] > 800, f"telemetry: {told}")
    replica.signal(signal.SIGCONT)
    until("it has caught up", lambda: view(master)["lag_bytes"] == 0)
    equal(view(master)["lag_ms"], 0, "time behind of one that has everything")


def test_rtt(master, replica):
    until("a round trip of the link, seen by the master", lambda: view(master)["rtt_us"] > 0, 5)
    until("and by the replica", lambda: int(replica.info("millrace")["master_link_rtt_us"]) > 0, 5)


def test_reasons(master):
    """Each full sync has one."""
    replid = master.info("replication")["master_replid"]
    for command, reason in (
        (("PSYNC", "?", -1), "no_history"),
        (("PSYNC", "f" * 40, 1), "unknown_id"),
        (("PSYNC", replid, 1 << 50), "not_in_backlog"),
        (("SYNC",), "sync_command"),
    ):
        before = master.info("millrace")[f"sync_full_{reason}"]
        with Resp(("127.0.0.1", master.port)) as conn:
            conn.send(*command)
            until(
                f"{command} counted as {reason}",
                lambda: int(master.info("millrace")[f"sync_full_{reason}"]) == int(before) + 1,
                5,
            )
    equal(master.telemetry("/millrace/repl")["sync_full_unknown_id"], 1, "telemetry")
    check(grep("full sync .*reason=unknown replication id", master.log_text()), "the log's reason")


def test(lab):
    master = lab.node("master", port=PORT, pool_size="128mb").start()
    replicas = [
        lab.node(
            f"replica{i}",
            port=PORT + 1 + i,
            options=["--replicaof", "127.0.0.1", str(master.port)],
            pool_size="128mb",
        ).start()
        for i in range(REPLICAS)
    ]
    until("all replicas online", lambda: online(master) == REPLICAS)
    test_returns(master, replicas)
    for replica in replicas[1:]:
        replica.kill()
    until("one replica", lambda: online(master) == 1)
    test_rtt(master, replicas[0])
    test_lag(master, replicas[0])
    test_reasons(master)


if __name__ == "__main__":
    sys.exit(run_test(test))
