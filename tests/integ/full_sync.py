#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Full synchronisation in every direction between redis-server and millrace, then the stream, then equal digests."""
import os
import sys
import time

import writer
from lab import check, equal, run_test, until


def fill(server, prefix, count=20000):
    with server.connect() as conn:
        for start in range(0, count, 1000):
            commands = []
            for number in range(start, start + 1000):
                key = f"{prefix}:{number}"
                commands.append(
                    (
                        "SET",
                        key,
                        str(number) if number % 3 else f"value-{number}-" + "ab" * (number % 50),
                    )
                )
                if number % 10 == 0:
                    commands.append(("PEXPIREAT", key, int(time.time() * 1000) + 3600000 + number))
            conn.pipeline(commands)
        conn.pipeline(
            [("HSET", f"{prefix}:hash:{i}", "f", i, f"g{i}", "v" * (i % 80)) for i in range(500)]
            + [("RPUSH", f"{prefix}:list:{i}", i, "x" * (i % 80), -i) for i in range(500)]
            + [("HSET", f"{prefix}:hash", f"f{i}", i * i) for i in range(2000)]
            + [("RPUSH", f"{prefix}:list", f"element-{i}") for i in range(3000)]
        )
        conn.call("PEXPIREAT", f"{prefix}:hash:7", int(time.time() * 1000) + 3600000)
        conn.call("SET", f"{prefix}:big", os.urandom(5 << 20))
        conn.call("SET", f"{prefix}:zeros", b"\0" * (2 << 20))
        conn.call("SET", f"{prefix}:empty", "")
        conn.call("SELECT", 5)
        conn.call("SET", f"{prefix}:in-five", "5")


def state(server):
    with server.connect() as conn:
        return conn.info("replication")


def in_step(master, *replicas):
    """All have the same offset and the same data."""

    def same():
        wanted = state(master)["master_repl_offset"]
        return all(
            state(r)["master_link_status"] == "up" and state(r)["master_repl_offset"] == wanted
            for r in replicas
        )

    until("replicas to have every byte", same, 60, 0.1)
    digest = master.call("DEBUG", "DIGEST")
    for replica in replicas:
        equal(
            replica.call("DEBUG", "DIGEST"),
            digest,
            f"digest of {replica.name} and of {master.name}",
        )
        for database in (0, 5):
            with replica.connect() as one, master.connect() as two:
                one.call("SELECT", database)
                two.call("SELECT", database)
                equal(
                    one.call("DBSIZE"),
                    two.call("DBSIZE"),
                    f"keys in database {database} of {replica.name}",
                )


def replicate(replica, master):
    replica.call("REPLICAOF", "127.0.0.1", master.port)
    until(
        f"{replica.name}: link to {master.name}",
        lambda: state(replica)["master_link_status"] == "up",
        60,
    )


def stream(master):
    """Writes of every kind while the replicas are attached, and a full sync in the middle of more of them."""
    with master.connect() as conn:
        replies = conn.pipeline(
            [
                ("SET", "s:a", "1"),
                ("INCRBYFLOAT", "s:a", "1.5"),
                ("APPEND", "s:b", "tail"),
                ("SETEX", "s:c", "1000", "x"),
                ("GETEX", "s:c", "PERSIST"),
                ("GETDEL", "s:b"),
                ("MSET", "s:d", "1", "s:e", "2"),
                ("SETBIT", "s:f", "100", "1"),
                ("BITOP", "NOT", "s:g", "s:f"),
                ("RENAME", "s:d", "s:h"),
                ("COPY", "s:h", "s:i"),
                ("MOVE", "s:i", "3"),
                ("SETRANGE", "s:j", "10", "x"),
                ("SET", "s:gone", "x", "PX", "1"),
                ("EXPIRE", "s:a", "500"),
                ("BITFIELD", "s:k", "SET", "u8", "0", "200"),
                ("SWAPDB", "7", "3"),
                ("UNLINK", "s:e"),
                ("HSET", "s:hash", "f", "1", "g", "x", "h", "y"),
                ("HINCRBY", "s:hash", "f", "41"),
                ("HINCRBYFLOAT", "s:hash", "f", "0.1"),
                ("HDEL", "s:hash", "g"),
                ("RPUSH", "s:list", "a", "b", "c", "d", "a"),
                ("LINSERT", "s:list", "BEFORE", "c", "x"),
                ("LREM", "s:list", "-1", "a"),
                ("LMOVE", "s:list", "s:list2", "LEFT", "RIGHT"),
                ("RPOPLPUSH", "s:list", "s:list2"),
                ("LMPOP", "1", "s:list", "LEFT", "COUNT", "2"),
                ("LTRIM", "s:list2", "0", "0"),
                ("COPY", "s:hash", "s:hash2"),
                ("RENAME", "s:list2", "s:list3"),
                ("DEL", "s:hash"),
            ]
        )
        for reply in replies:
            check(not isinstance(reply, Exception), f"stream: {reply}")
        # A look at it takes it away, and puts the DEL into the stream here; the cycle that looks
        # for such keys would do that at its own time, between two digests.
        time.sleep(0.01)
        equal(conn.call("GET", "s:gone"), None, "a key that has expired")


def test_directions(lab, stock, node, second):
    fill(stock, "from-stock")
    replicate(node, stock)
    in_step(stock, node)
    stream(stock)
    in_step(stock, node)
    print("stock -> millrace")

    node.call("REPLICAOF", "NO", "ONE")
    fill(node, "from-node")
    stock.call("FLUSHALL")
    replicate(stock, node)
    replicate(second, node)
    in_step(node, stock, second)
    stream(node)
    in_step(node, stock, second)
    print("millrace -> stock, millrace")


def test_full_sync_under_load(lab, stock, node, second):
    """Replicas that arrive in the middle of writes get a snapshot and the stream behind it, without a gap."""
    busy = writer.Writer(node.connect, prefix="busy", pipeline=16).start()
    for _ in range(2):
        for replica in (stock, second):
            replica.call("REPLICAOF", "NO", "ONE")
            replica.call("DEBUG", "CHANGE-REPL-ID")
            replica.call("FLUSHALL")
            replicate(replica, node)
    time.sleep(0.5)
    busy.stop()
    check(busy.acked > 1000, f"only {busy.acked} writes were acknowledged during the syncs")
    in_step(node, stock, second)
    with second.connect() as conn:
        verdict = writer.verify(conn, busy.state())
    equal(
        (verdict.found, verdict.faults),
        (verdict.acked, []),
        "the writer's keys on the second millrace",
    )
    print(f"full syncs under load, {busy.acked} writes")


def test_replica_restarts_alone(lab, stock, node, second):
    """A millrace replica that was killed resumes from its own durable offset."""
    before = node.info("stats")
    second.kill()
    with node.connect() as conn:
        conn.pipeline([("SET", f"away:{i}", i) for i in range(1000)])
    second.start()
    until("the restarted replica's link", lambda: state(second)["master_link_status"] == "up", 60)
    in_step(node, stock, second)
    after = node.info("stats")
    equal(after["sync_full"], before["sync_full"], "sync_full after the replica's restart")
    equal(int(after["sync_partial_ok"]), int(before["sync_partial_ok"]) + 1, "sync_partial_ok")
    print("restart of a replica")


def test_chain(lab, stock, node, second):
    """stock <- node <- second: a replica of a replica."""
    stock.call("REPLICAOF", "NO", "ONE")
    replicate(node, stock)
    until("the sub-replica's link", lambda: state(second)["master_link_status"] == "up", 60)
    fill(stock, "chain", 3000)
    stream(stock)
    in_step(stock, node, second)
    equal(
        state(second)["master_replid"],
        state(stock)["master_replid"],
        "replication ID through the chain",
    )
    print("chain")


def test(lab):
    stock = lab.stock("stock", port=7101, options=["--repl-backlog-size", "64mb"]).start()
    size = {"pool_size": "512mb", "options": ["--repl-timeout", "20"]}
    node = lab.node("node", port=7102, **size).start()
    second = lab.node("second", port=7103, **size)
    second.options += ["--replicaof", "127.0.0.1", "7102"]
    second.start()
    second.call("REPLICAOF", "NO", "ONE")
    for part in (
        test_directions,
        test_full_sync_under_load,
        test_replica_restarts_alone,
        test_chain,
    ):
        part(lab, stock, node, second)
    for server in (second, node):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
