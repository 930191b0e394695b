#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""MULTI, EXEC and WATCH over two poll cores: transfers between accounts keep their sum and lose no
update, nobody sees half of a transaction, the log and a replica carry each one as a whole."""
import random
import sys
import threading

from lab import check, equal, run_test, until
from resp import RespError

ACCOUNTS = 8
CLIENTS = 6
ROUNDS = 300


def run_all(threads, seconds=60):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
        check(not thread.is_alive(), "a client does not come to an end")


def refused(conn, *command):
    try:
        conn.call(*command)
    except RespError as err:
        return str(err)
    raise AssertionError(f"{command} was not refused")


def test_words(node):
    """Errors and the order of replies."""
    with node.connect() as conn:
        equal(refused(conn, "EXEC"), "ERR EXEC without MULTI", "EXEC")
        equal(refused(conn, "DISCARD"), "ERR DISCARD without MULTI", "DISCARD")
        equal(conn.call("MULTI"), b"OK", "MULTI")
        equal(refused(conn, "MULTI"), "ERR MULTI calls can not be nested", "MULTI in MULTI")
        equal(refused(conn, "WATCH", "k"), "ERR WATCH inside MULTI is not allowed", "WATCH")
        equal(conn.call("SET", "k", "1"), b"QUEUED", "SET")
        equal(conn.call("SELECT", 3), b"QUEUED", "SELECT")
        equal(conn.call("SET", "k", "2"), b"QUEUED", "SET")
        equal(conn.call("WAIT", 3, 0), b"QUEUED", "WAIT")
        equal(conn.call("SCAN", 0), b"QUEUED", "SCAN")
        equal(conn.call("INCRBY", "k", "x"), b"QUEUED", "INCRBY")
        replies = conn.call("EXEC")
        equal(replies[:5], [b"OK", b"OK", b"OK", 0, [b"0", [b"k"]]], "replies of EXEC")
        check(isinstance(replies[5], RespError), "the error of one command")
        equal(conn.call("GET", "k"), b"2", "the database that EXEC selected")
        conn.call("SELECT", 0)
        equal(conn.call("GET", "k"), b"1", "the database before")
        conn.call("MULTI")
        refused(conn, "NOSUCH")
        equal(
            refused(conn, "EXEC"),
            "EXECABORT Transaction discarded because of previous errors.",
            "EXEC after an error",
        )
        conn.call("MULTI")
        equal(refused(conn, "SAVE"), "ERR Command not allowed inside a transaction", "SAVE")
        equal(conn.call("DISCARD"), b"OK", "DISCARD")
        pipeline = [("MULTI",), ("GET", "k"), ("GET", "k"), ("EXEC",), ("GET", "k")]
        equal(
            conn.pipeline(pipeline), [b"OK", b"QUEUED", b"QUEUED", [b"1", b"1"], b"1"], "pipeline"
        )


def test_long(node):
    """Thousands of small writes run at once; what is larger than the log is refused at once."""
    with node.connect() as conn:
        sets = [("MULTI",), *(("RPUSH", "long", nr) for nr in range(5000)), ("EXEC",)]
        equal(conn.pipeline(sets)[-1], list(range(1, 5001)), "replies of a long EXEC")
        conn.call("DEL", "long")
        value = "v" * 1000000
        conn.pipeline([("MULTI",), *(("SET", "large", value) for _ in range(16))])
        check("larger than the log" in refused(conn, "EXEC"), "a transaction that never fits")
        equal(conn.call("EXISTS", "large"), 0, "keys of what was refused")


def test_watch(node):
    with node.connect() as conn, node.connect() as other:

        def exec_after(*commands, watch="w"):
            conn.call("SET", "w", "1")
            conn.call("WATCH", watch)
            for command in commands:
                other.call(*command)
            conn.call("MULTI")
            conn.call("PING")
            return conn.call("EXEC")

        equal(exec_after(), [b"PONG"], "nothing happened")
        equal(exec_after(("GET", "w")), [b"PONG"], "a read")
        equal(exec_after(("SET", "w", "2")), None, "SET")
        equal(exec_after(("DEL", "w")), None, "DEL")
        equal(exec_after(("PERSIST", "w")), [b"PONG"], "PERSIST that changes nothing")
        equal(exec_after(("EXPIRE", "w", 100)), None, "EXPIRE")
        equal(exec_after(("SETBIT", "w", 1, 0)), [b"PONG"], "a bit that was so before")
        equal(exec_after(("SET", "new", "2"), watch="new"), None, "a key that comes")
        other.call("DEL", "new")
        equal(exec_after(("FLUSHALL",), watch="absent"), [b"PONG"], "FLUSHALL without the key")
        equal(exec_after(("FLUSHALL",)), None, "FLUSHALL")
        equal(exec_after(("SWAPDB", 0, 5)), None, "SWAPDB")
        other.call("SWAPDB", 0, 5)
        equal(exec_after(("RENAME", "w", "v")), None, "RENAME")
        conn.pipeline([("SADD", "from", "a", "b", "c"), ("SADD", "to", "a")])
        equal(exec_after(("SMOVE", "from", "to", "a"), watch="to"), [b"PONG"], "SMOVE to where it is")
        equal(exec_after(("SMOVE", "from", "to", "b"), watch="to"), None, "SMOVE, the target")
        equal(exec_after(("SMOVE", "from", "to", "c"), watch="from"), None, "SMOVE, the source")
        equal(exec_after(("MSET", "x", "1", "w", "1")), None, "MSET")
        conn.call("WATCH", "w")
        conn.call("SET", "w", "mine")
        conn.call("UNWATCH")
        conn.call("MULTI")
        equal(conn.call("EXEC"), [], "after UNWATCH")


def test_expired(node):
    with node.connect() as conn:
        node.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        conn.call("SET", "e", "v", "PX", 300)
        conn.call("WATCH", "e")
        until("the key's end", lambda: node.call("EXISTS", "e") == 0)
        conn.call("MULTI")
        conn.call("PING")
        equal(conn.call("EXEC"), None, "a watched key whose time is over")
        node.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)


def transfer(node, seed):
    rng = random.Random(seed)
    with node.connect() as conn:
        for _ in range(ROUNDS):
            a, b = rng.sample(range(ACCOUNTS), 2)
            amount = rng.randrange(10)
            conn.pipeline(
                [
                    ("MULTI",),
                    ("DECRBY", f"account:{a}", amount),
                    ("INCRBY", f"account:{b}", amount),
                    ("EXEC",),
                ]
            )


def raise_by_watch(node, seed, done):
    """Reads, adds, writes: without WATCH updates would be lost."""
    rng = random.Random(seed)
    with node.connect() as conn:
        for _ in range(ROUNDS // 3):
            key = f"counter:{rng.randrange(3)}"
            while True:
                value = int(conn.pipeline([("WATCH", key), ("GET", key)])[1] or 0)
                replies = conn.pipeline([("MULTI",), ("SET", key, value + 1), ("EXEC",)])
                if replies[2] is not None:
                    break
            done.append(key)


def watch_sum(node, stop, bad):
    names = [f"account:{i}" for i in range(ACCOUNTS)]
    with node.connect() as conn:
        while not stop.is_set():
            values = conn.call("MGET", *names)
            if sum(map(int, values)) != ACCOUNTS * 1000:
                bad.append(values)
            parts = conn.pipeline([("MULTI",)] + [("GET", n) for n in names] + [("EXEC",)])[-1]
            if sum(map(int, parts)) != ACCOUNTS * 1000:
                bad.append(parts)


def test_transfers(lab, node):
    replica = lab.node("replica", port=7392, options=["--poll-cores", "0-1"]).start()
    replica.call("REPLICAOF", "127.0.0.1", node.port)
    until("the link", lambda: replica.info("replication").get("master_link_status") == "up")
    for i in range(ACCOUNTS):
        node.call("SET", f"account:{i}", 1000)
    until("the accounts", lambda: replica.call("EXISTS", f"account:{ACCOUNTS - 1}") == 1)
    stop, bad, done = threading.Event(), [], []
    watchers = [threading.Thread(target=watch_sum, args=(n, stop, bad)) for n in (node, replica)]
    for thread in watchers:
        thread.start()
    work = [threading.Thread(target=transfer, args=(node, i)) for i in range(CLIENTS)]
    work += [threading.Thread(target=raise_by_watch, args=(node, i, done)) for i in range(4)]
    run_all(work)
    stop.set()
    for thread in watchers:
        thread.join(20)
    check(not bad, f"sums that are wrong: {bad[:1]}")
    total = sum(int(node.call("GET", f"counter:{i}") or 0) for i in range(3))
    equal(total, len(done), "updates by WATCH")
    until(
        "the replica",
        lambda: replica.call("DEBUG", "DIGEST") == node.call("DEBUG", "DIGEST"),
    )
    equal(replica.stop(), 0, "exit status")


def test_restart(node):
    """What EXEC has answered is there after a kill."""
    with node.connect() as conn:
        conn.pipeline([("MULTI",), ("SELECT", 2), ("SET", "a", 1), ("SELECT", 4), ("SET", "b", 2)])
        conn.call("EXEC")
    digest = node.call("DEBUG", "DIGEST")
    node.kill()
    node.start()
    equal(node.call("DEBUG", "DIGEST"), digest, "digest after the restart")


def test(lab):
    node = lab.node("node", port=7391, options=["--poll-cores", "0-1"]).start()
    test_words(node)
    test_long(node)
    test_watch(node)
    test_expired(node)
    test_transfers(lab, node)
    test_restart(node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
