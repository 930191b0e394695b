#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A full sync that takes longer than the ring lasts: repl-sync-rate holds it back, writers go round
the ring meanwhile, and its replica comes online after exactly one; so do others that join. A
replica that reads nothing is dropped after repl-timeout, and costs nobody anything."""
import os
import sys
import threading
import time

from lab import check, equal, grep, run_test, until
from resp import Resp, RespError, encode

PORT = 21730
MB = 1 << 20
DATA = 6 * MB
RATE = 3 * MB
WRITES = 8 * MB


def load(master, stop, written):
    """Overwrites the same keys, and goes round the ring once."""
    value = os.urandom(4000)
    number, began = 0, time.monotonic()
    with master.connect() as conn:
        while not stop.is_set():
            replies = conn.pipeline([("SET", f"w{(number + i) % 500}", value) for i in range(50)])
            check(not any(isinstance(r, RespError) for r in replies), f"a write failed: {replies[0]}")
            number += 50
            written[0] = number * len(value)
            time.sleep(max(0.002, began + written[0] / WRITES - time.monotonic()))


def up(replica):
    return replica.info("replication")["master_link_status"] == "up"


def in_step(master, replicas):
    offset = int(master.info("replication")["master_repl_offset"])
    until(
        "every byte",
        lambda: all(int(r.info("replication")["master_repl_offset"]) >= offset for r in replicas),
        30,
    )
    digest = master.call("DEBUG", "DIGEST")
    for replica in replicas:
        equal(replica.call("DEBUG", "DIGEST"), digest, f"digest of {replica.name}")


def test_one_is_enough(lab, master):
    stop, written = threading.Event(), [0]
    writer = threading.Thread(target=load, args=(master, stop, written))
    replicas = [
        lab.node("first", port=PORT + 1, pool_size="128mb"),
        lab.stock("second", port=PORT + 2),
    ]
    writer.start()
    began = time.monotonic()
    for replica in replicas:
        replica.start()
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        time.sleep(0.5)
    for replica in replicas:
        until(f"{replica.name} online", lambda: up(replica), 60, 0.05)
    took = time.monotonic() - began
    ring = int(master.info("millrace")["log_ring_size"])
    print(f"   online after {took:.1f} s, {written[0] >> 20} MB written, ring of {ring >> 20} MB", flush=True)
    check(written[0] > ring, "the ring was never gone round: nothing is shown")
    kept = int(master.info("millrace")["sync_log_kept_bytes"])
    check(kept > MB, f"{kept} bytes were kept for them: nothing is shown")
    check(took > 2 * DATA / RATE * 0.8, f"repl-sync-rate was not kept: {took:.1f} s for two")
    stop.set()
    writer.join()
    in_step(master, replicas)
    equal(master.info("stats")["sync_full"], "2", "full syncs")
    check(not grep("dropped|cannot be kept", master.log_text()), "a replica was dropped")
    return replicas


def free_extents(master):
    return int(master.info("millrace")["snapshot_extents_free"])


def test_dead(master, before):
    """It asks, and then reads nothing: it is gone after repl-timeout, and so is what was kept for it."""
    master.call("CONFIG", "SET", "repl-timeout", 2)
    master.call("CONFIG", "SET", "repl-sync-rate", 0)
    stop, written = threading.Event(), [0]
    writer = threading.Thread(target=load, args=(master, stop, written))
    with Resp(("127.0.0.1", master.port)) as dead:
        dead.sock.sendall(encode("REPLCONF", "capa", "psync2") + encode("PSYNC", "?", "-1"))
        until("its sync", lambda: "state=send_bulk" in str(master.info("replication")))
        writer.start()
        until(
            "it to be dropped",
            lambda: "state=send_bulk" not in str(master.info("replication")),
            15,
        )
    stop.set()
    writer.join()
    check(grep("replica dropped .*reason=timeout", master.log_text()), "the reason of its end")
    until("what was kept to be free again", lambda: free_extents(master) > before - 40, 10)


def test(lab):
    master = lab.node("master", port=PORT, pool_size="128mb", options=["--repl-sync-rate", str(RATE)])
    master.start()
    value = os.urandom(1000)
    with master.connect() as conn:
        for start in range(0, DATA // 1000, 1000):
            conn.pipeline([("SET", f"k{start + i}", value) for i in range(1000)])
    replicas = test_one_is_enough(lab, master)
    before = free_extents(master)
    for replica in replicas:
        replica.kill()
    test_dead(master, before)


if __name__ == "__main__":
    sys.exit(run_test(test))
