#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Start-up with a data set: the node answers while it loads, as redis-server does, with -LOADING
and progress in INFO; the state is exactly the one at the end of the log, whatever the number of
cores; a node that is stopped while it loads loses nothing; a damaged snapshot is refused in words.

usage: recovery.py [--keys N] [--seed N]
"""
import argparse
import random
import sys
import threading

from lab import check, equal, run_test, until
from resp import RespError

LOADING = "LOADING Redis is loading the dataset in memory"


def fill(node, count, choose):
    """All types, in a snapshot and in the log behind it; returns the digest."""
    with node.connect(timeout=60) as conn:
        conn.call("DEBUG", "POPULATE", count, "key", 50)
        conn.call("SELECT", 3)
        for first in range(0, 3000, 500):
            conn.pipeline(
                [
                    command
                    for n in range(first, first + 500)
                    for command in (
                        ("HSET", f"hash{n % 50}", f"f{n}", choose.randbytes(8)),
                        ("SADD", "set", n),
                        ("ZADD", "zset", choose.random(), n),
                        ("RPUSH", f"list{n % 7}", n),
                        ("XADD", "stream", f"{n + 1}-1", "n", n),
                        ("SET", f"expires{n}", n, "PX", 10000000),
                    )
                ]
            )
        conn.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)")
        node.call("BGSAVE")
        until("the snapshot", lambda: node.info("millrace")["snapshot_active"] == "0", 60)
        conn.pipeline([("INCR", f"counter{n % 10}") for n in range(2000)])
        conn.pipeline([("SELECT", 5), ("MULTI",), ("SET", "a", 1), ("SPOP", "set"), ("EXEC",)])
    return node.call("DEBUG", "DIGEST")


def answers_while_loading(node):
    """What is answered and what is refused, and what INFO says."""
    with node.connect() as conn:
        info = conn.info("persistence")
        equal(info["loading"], "1", "loading")
        total, loaded = int(info["loading_total_bytes"]), int(info["loading_loaded_bytes"])
        check(0 <= loaded <= total and total > 0, f"{loaded} of {total} bytes loaded")
        check(0 <= float(info["loading_loaded_perc"]) <= 100, "loading_loaded_perc")
        check(int(info["loading_eta_seconds"]) >= 0, "loading_eta_seconds")
        check(int(info["loading_start_time"]) > 1700000000, "loading_start_time")
        check(int(info["loading_rdb_used_mem"]) > 0, "loading_rdb_used_mem")
        refused = [("PING",), ("GET", "key:1"), ("SET", "x", 1), ("DBSIZE",), ("BGSAVE",)]
        refused += [("EVAL", "return 1", 0), ("FLUSHALL",), ("DEBUG", "RELOAD"), ("REPLICAOF", "NO", "ONE")]
        for command, reply in zip(refused, conn.pipeline(refused)):
            equal(str(reply), LOADING, f"{command} while loading")
        answered = [("SELECT", 1), ("CONFIG", "SET", "timeout", 0), ("CLIENT", "ID"), ("COMMAND", "COUNT")]
        answered += [("PUBLISH", "channel", "text"), ("HELLO", 2), ("ECHO", "x")]
        for command, reply in zip(answered, conn.pipeline(answered)):
            if command[0] == "ECHO":
                continue
            check(not isinstance(reply, RespError), f"{command} while loading: {reply}")
        equal(conn.pipeline([("MULTI",), ("GET", "key:1"), ("EXEC",)])[0], b"OK", "MULTI")


def loads_slowly(node, delay):
    node.options[-1] = str(delay)
    node.start(wait=False)
    until("-LOADING", lambda: node.info("persistence")["loading"] == "1", 20, 0.001)


def comes_back(node, cores, digest, offset):
    node.options[1] = cores
    node.options[-1] = "0"
    node.start(timeout=60)
    equal(node.call("DEBUG", "DIGEST"), digest, f"digest with poll-cores {cores}")
    equal(node.info("replication")["master_repl_offset"], offset, "offset")
    equal(node.call("FCALL", "f", 0), 7, "a function")


def clients_wait(node, digest):
    """Connections that were made while it loaded go on afterwards."""
    loads_slowly(node, 50)
    answers_while_loading(node)
    conns = [node.connect(timeout=60) for _ in range(8)]
    until("the end", lambda: node.info("persistence")["loading"] == "0", 60)
    for conn in conns:
        equal(len(conn.call("GET", "key:1")), 50, "GET on a connection from before")
        conn.close()
    check("loading_start_time" not in node.info("persistence"), "INFO goes on telling of loading")
    equal(node.call("DEBUG", "DIGEST"), digest, "digest")
    check("recovery: loading done=" in node.log_text(), "no progress in the log")


def stopped_meanwhile(node, digest, offset):
    """Killed or shut down in the middle: the next start finds the same."""
    for how in ("kill", "SIGTERM", "SHUTDOWN"):
        node.kill()
        loads_slowly(node, 2000)
        if how == "kill":
            node.kill()
        elif how == "SIGTERM":
            equal(node.stop(), 0, "exit status")
        else:
            with node.connect() as conn:
                conn.send("SHUTDOWN")
            equal(node.process.wait(15), 0, "exit status of SHUTDOWN while loading")
        comes_back(node, "0-1", digest, offset)


def subscribers_stay(node):
    """A subscriber from the time of loading gets messages of afterwards."""
    node.kill()
    loads_slowly(node, 20)
    got = []
    with node.connect(timeout=60) as conn:
        conn.call("SUBSCRIBE", "news")
        reader = threading.Thread(target=lambda: got.append(conn.read()), daemon=True)
        reader.start()
        until("the end", lambda: node.info("persistence")["loading"] == "0", 60)
        node.call("PUBLISH", "news", "hello")
        reader.join(20)
    equal(got, [[b"message", b"news", b"hello"]], "what the subscriber got")


def damaged(node, choose):
    """A bit of the snapshot's bytes: refused, and nothing is changed."""
    node.kill()
    with open(node.pool, "r+b") as pool:
        pool.seek(0)
        data = pool.read()
        at = data.find(b"\x00\x07key:500")  # in some extent, a small key
        at = at if at > 0 else data.find(b"key:500")
        check(at > 0, "the snapshot does not have the key as it is")
        pool.seek(at + 5)
        pool.write(bytes([data[at + 5] ^ 1 << choose.randrange(8)]))
    node.options[-1] = "0"
    node.start(wait=False)
    check(node.process.wait(30) != 0, "a damaged snapshot was loaded")
    said = node.log_text()
    check("cannot be loaded: an extent of the pool does not match its checksum" in said, said[-500:])
    with open(node.pool, "r+b") as pool:
        pool.seek(at + 5)
        pool.write(data[at + 5 : at + 6])


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    choose = random.Random(args.seed)
    node = lab.node(
        "node",
        port=7321,
        pool_size="128mb",
        options=["--poll-cores", "0-1", "--save", "", "--key-load-delay", "0"],
    ).start()
    digest = fill(node, args.keys, choose)
    offset = node.info("replication")["master_repl_offset"]
    for cores in ("0", "0-1", "1"):
        node.kill()
        comes_back(node, cores, digest, offset)
    node.kill()
    clients_wait(node, digest)
    stopped_meanwhile(node, digest, offset)
    subscribers_stay(node)
    offset = node.info("replication")["master_repl_offset"]  # behind the PUBLISH
    damaged(node, choose)
    comes_back(node, "0-1", digest, offset)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
