#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Master and replica are compared in the background, at one offset: nothing is found while both are
the same, under load too; what differs is found, whatever it is; a full sync mends it. On the same
stream a redis-server is not disturbed. And a former master's own writes are never kept."""
import sys
import threading
import time

from lab import check, equal, grep, run_test, until

PORT = 21740


def divergence(server):
    return int(server.info("replication")["repl_divergence"])


def passes(server):
    return int(server.info("millrace")["repl_check_passes"])


def after_passes(master, replica, count=2):
    """So many whole passes later, at the replica too."""
    wanted = passes(replica) + count
    until(f"{count} passes", lambda: passes(replica) >= wanted, 30)


def fill(conn):
    conn.pipeline(
        [("SET", f"s:{i}", i) for i in range(1000)]
        + [("SET", f"long:{i}", "x" * (i * 997)) for i in range(40)]
        + [("HSET", f"h:{i}", *[f"{k}" for k in range(2 * i + 2)]) for i in range(100)]
        + [("RPUSH", f"l:{i}", *range(i + 1)) for i in range(200)]
        + [("SADD", f"set:{i}", *range(i + 1)) for i in range(200)]
        + [("ZADD", f"z:{i}", *[k // 2 for k in range(2 * i + 2)]) for i in range(200)]
        + [("XADD", f"x:{i}", "1-1", "f", i) for i in range(50)]
        + [("PFADD", f"hll:{i}", *range(i + 1)) for i in range(50)]
        + [("SET", f"ttl:{i}", i, "EX", 1000 + i) for i in range(100)]
        + [("SELECT", 7), ("SET", "in-seven", "7"), ("SELECT", 0)]
    )


def load(master, stop):
    number = 0
    with master.connect() as conn:
        while not stop.is_set():
            conn.pipeline(
                [("SET", f"w:{(number + i) % 3000}", number) for i in range(20)]
                + [("DEL", f"w:{(number * 7) % 3000}"), ("LPUSH", f"wl:{number % 50}", number)]
                + [("SET", f"wx:{number % 100}", 1, "PX", 5), ("PFADD", f"hll:{number % 50}", number)]
            )
            number += 20
            time.sleep(0.002)


def test_same(master, replica):
    """Under load, with expiry, and with the replica's own PFCOUNT caches."""
    stop = threading.Event()
    writer = threading.Thread(target=load, args=(master, stop))
    writer.start()
    with replica.connect() as conn:
        for i in range(50):
            conn.call("PFCOUNT", f"hll:{i}")
    after_passes(master, replica, 3)
    stop.set()
    writer.join()
    equal((divergence(replica), divergence(master)), (0, 0), "differences of equal sets")
    checked = int(replica.info("millrace")["repl_check_keys"])
    check(checked > 3000, f"only {checked} keys were compared")


def test_found(master, replica):
    replica.call("CONFIG", "SET", "replica-read-only", "no")
    cases = {
        "s:5": [("SET", "s:5", "other")],
        "s:500": [("SETRANGE", "s:500", 0, "9")],
        "long:39": [("SETRANGE", "long:39", 38000, "y")],
        "ttl:5": [("EXPIRE", "ttl:5", 5000)],
        "h:7": [("HSET", "h:7", "0", "other")],
        "l:199": [("RPUSH", "l:199", "more")],  # a large one: by its size
        "z:20": [("ZADD", "z:20", "99", "1")],
        "set:3": [("DEL", "set:3"), ("SET", "set:3", "x")],
        "s:77": [("DEL", "s:77")],
        "in-seven": [("SELECT", 7), ("APPEND", "in-seven", "x")],
    }
    for commands in cases.values():
        with replica.connect() as conn:
            for command in commands:
                conn.call(*command)
    until("all of it to be found", lambda: divergence(replica) == len(cases), 20)
    until("the master to know", lambda: divergence(master) == len(cases), 5)
    for key in cases:
        check(grep(f"divergence from the master .*key='{key}'", replica.log_text()), f"{key} in the log")
    after_passes(master, replica)
    equal(divergence(replica), len(cases), "differences some passes later")
    resync(master, replica)
    with replica.connect() as conn:
        conn.call("SET", "too-many", "1")
    until("a key too many to be found", lambda: divergence(replica) > 0, 20)
    replica.call("DEL", "too-many")
    until("it to be forgotten when it is gone", lambda: divergence(replica) == 0, 20)


def resync(master, replica):
    """A full sync makes both the same again."""
    replica.call("REPLICAOF", "NO", "ONE")
    replica.call("DEBUG", "CHANGE-REPL-ID")
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    until("the link", lambda: replica.info("replication")["master_link_status"] == "up", 20)
    until("no difference", lambda: divergence(replica) == 0 and divergence(master) == 0, 5)


def test_former_master(master, replica):
    """It wrote what its successor never had: it comes back by a full sync, and nothing of it stays."""
    master.call("CONFIG", "SET", "repl-check-period", 0)
    replica.call("REPLICAOF", "NO", "ONE")
    master.call("SET", "tail", "of the former master")
    replica.call("SET", "tail", "of the new one")
    full = int(replica.info("stats")["sync_full"])
    master.call("REPLICAOF", "127.0.0.1", replica.port)
    until("the link", lambda: master.info("replication")["master_link_status"] == "up", 20)
    until("the key", lambda: master.call("GET", "tail") == b"of the new one", 10)
    equal(int(replica.info("stats")["sync_full"]), full + 1, "full syncs")
    equal(
        int(replica.info("millrace")["sync_full_past_former_id"]), 1, "full syncs for that reason"
    )
    until("equal digests", lambda: master.call("DEBUG", "DIGEST") == replica.call("DEBUG", "DIGEST"))


def test(lab):
    options = ["--repl-check-period", "1"]
    master = lab.node("master", port=PORT, pool_size="128mb", options=options).start()
    with master.connect() as conn:
        fill(conn)
    follow = ["--replicaof", "127.0.0.1", str(master.port)]
    replica = lab.node("replica", port=PORT + 1, pool_size="128mb", options=options + follow).start()
    stock = lab.stock("stock", port=PORT + 2, options=["--replicaof", f"127.0.0.1 {master.port}"]).start()
    until("the links", lambda: str(master.info("replication")).count("state=online") == 2, 20)
    test_same(master, replica)
    test_found(master, replica)
    offset = int(master.info("replication")["master_repl_offset"])
    until("redis-server", lambda: int(stock.info("replication")["master_repl_offset"]) >= offset, 10)
    check("CRITICAL" not in stock.log_text(), "redis-server does not understand the stream")
    equal(stock.call("DEBUG", "DIGEST"), master.call("DEBUG", "DIGEST"), "digest of redis-server")
    test_former_master(master, replica)


if __name__ == "__main__":
    sys.exit(run_test(test))
