#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A replica of two cores applies a stream of everything while clients hold its partitions with long
reads, is killed and goes on from its own offset; and never shows a key that has expired."""
import random
import sys
import threading
import time

from lab import check, equal, run_test, until
from resp import RespError

PORT = 21710
ROUNDS = 40


def some_commands(rnd, count):
    """Plain commands in a row, with others, large ones and transactions between them."""
    made = []
    for _ in range(count):
        n = rnd.randrange(2000)
        kind = rnd.randrange(40)
        if kind < 20:
            made.append(("SET", f"s:{n}", f"{n}" * rnd.randrange(1, 8)))
        elif kind < 24:
            made.append(("HSET", f"h:{n % 50}", f"f{n}", "v" * (n % 90)))
        elif kind < 28:
            made.append(("RPUSH", f"l:{n % 20}", n, n + 1))
        elif kind < 31:
            made.append(("INCR", f"i:{n % 100}"))
        elif kind < 33:
            made.append(("DEL", f"s:{n}"))
        elif kind < 34:
            made.append(("SPOP", f"set:{n % 10}", 2))
        elif kind < 35:
            made.append(("SADD", f"set:{n % 10}", *range(n, n + 5)))
        elif kind < 36:
            made.append(("MSET", f"s:{n}", "a", f"s:{n + 1}", "b"))
        elif kind < 37:
            made += [("MULTI",), ("SET", f"s:{n}", "tx"), ("INCR", "i:tx"), ("EXEC",)]
        elif kind < 38:
            made.append(("EVAL", "return redis.call('append', KEYS[1], ARGV[1])", 1, f"e:{n % 9}", n))
        elif kind < 39:
            made.append(("PEXPIRE", f"s:{n}", rnd.randrange(1, 50)))
        else:
            made.append(("SELECT", rnd.choice((0, 0, 3))))
    return made


def long_reads(server, stop):
    """Long holds of partitions, and of all of them."""
    while not stop.is_set():
        try:
            with server.connect() as conn:
                while not stop.is_set():
                    conn.pipeline(
                        [("LRANGE", f"l:{i}", 0, -1) for i in range(20)]
                        + [("KEYS", "s:1*"), ("DBSIZE",), ("SORT", "l:1", "BY", "nosort")]
                    )
        except (OSError, RespError):
            time.sleep(0.02)


def test_load(master, replica):
    seed = random.randrange(1 << 32)
    print(f"   seed {seed}", flush=True)
    rnd = random.Random(seed)
    stop = threading.Event()
    readers = [threading.Thread(target=long_reads, args=(replica, stop)) for _ in range(3)]
    for reader in readers:
        reader.start()
    with master.connect() as conn:
        for number in range(ROUNDS):
            conn.pipeline(some_commands(rnd, 500))
            if number == ROUNDS // 2:
                replica.kill()
                replica.start()
    wanted = lambda: master.info("replication")["master_repl_offset"]
    until(
        "the replica to have every byte",
        lambda: replica.info("replication")["master_repl_offset"] == wanted(),
        30,
    )
    stop.set()
    for reader in readers:
        reader.join()
    master.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    with master.connect() as conn:  # what has expired is deleted, here and there
        for database in (0, 3):
            conn.call("SELECT", database)
            conn.pipeline([("EXISTS", f"s:{i}") for i in range(2001)])
    until(
        "equal digests",
        lambda: replica.call("DEBUG", "DIGEST") == master.call("DEBUG", "DIGEST"),
        10,
    )
    stats = master.info("stats")
    equal((stats["sync_full"], stats["sync_partial_ok"]), ("1", "1"), "full and partial syncs")


def test_subcommands(master, replica):
    """Of one container, with as many arguments, in a row."""
    with master.connect() as conn:
        conn.call("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
        conn.pipeline(
            [("XGROUP", "CREATECONSUMER", "stream", "g", name) for name in ("a", "b", "c")]
            + [("XGROUP", "DELCONSUMER", "stream", "g", name) for name in ("a", "b")]
            + [("SET", "behind", "1")]
        )
    until("what is behind them", lambda: replica.call("GET", "behind"))
    names = [consumer[1] for consumer in replica.call("XINFO", "CONSUMERS", "stream", "g")]
    equal(names, [b"c"], "consumers at the replica")


def test_expired(master, replica):
    """Its master has not deleted it yet."""
    with master.connect() as conn:
        conn.pipeline(
            [
                ("FLUSHALL",),
                ("SET", "gone", "v", "PX", 30),
                ("HSET", "gone:h", "f", "v"),
                ("PEXPIRE", "gone:h", 30),
                ("RPUSH", "gone:l", "a"),
                ("PEXPIRE", "gone:l", 30),
                ("SET", "stays", "v"),
            ]
        )
    until("the keys", lambda: replica.call("GET", "stays"))
    time.sleep(0.05)
    with replica.connect() as conn:
        for command, reply in (
            (("GET", "gone"), None),
            (("EXISTS", "gone", "gone:h", "gone:l"), 0),
            (("TTL", "gone"), -2),
            (("TYPE", "gone:h"), b"none"),
            (("HGETALL", "gone:h"), []),
            (("LRANGE", "gone:l", 0, -1), []),
            (("MGET", "gone", "stays"), [None, b"v"]),
            (("KEYS", "*"), [b"stays"]),
            (("SCAN", 0, "COUNT", 100), [b"0", [b"stays"]]),
            (("EVAL_RO", "return redis.call('get', KEYS[1])", 1, "gone"), None),
        ):
            equal(conn.call(*command), reply, f"{command} of what has expired")
        for _ in range(20):
            equal(conn.call("RANDOMKEY"), b"stays", "RANDOMKEY")
        equal(conn.call("DBSIZE"), 4, "keys that are there until the master's DEL")


def test(lab):
    master = lab.node("master", port=PORT, pool_size="256mb").start()
    replica = lab.node(
        "replica",
        port=PORT + 1,
        pool_size="256mb",
        options=["--replicaof", "127.0.0.1", str(master.port), "--poll-cores", "0-1"],
    ).start()
    until("the link", lambda: replica.info("replication")["master_link_status"] == "up")
    test_load(master, replica)
    test_subcommands(master, replica)
    test_expired(master, replica)
    check("CRITICAL" not in replica.log_text(), "the replica refused a command of the stream")


if __name__ == "__main__":
    sys.exit(run_test(test))
