#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads are run together and skip what holds for all of them: what delays, watches or refuses a read
still does, for several in one packet."""
import sys
import time

from lab import check, equal, run_test, until
from resp import RespError

READS = [("GET", "k"), ("STRLEN", "k"), ("GETRANGE", "k", 1, 2), ("GET", "k")]
REPLIES = [b"value", 5, b"al", b"value"]


def test_pause(conn, other):
    other.call("CLIENT", "PAUSE", 400, "ALL")
    began = time.monotonic()
    equal(conn.pipeline(READS), REPLIES, "replies after the pause")
    check(time.monotonic() - began > 0.3, "reads did not wait for the end of CLIENT PAUSE")
    other.call("CLIENT", "PAUSE", 5000, "WRITE")
    began = time.monotonic()
    equal(conn.pipeline(READS), REPLIES, "replies while writes are paused")
    check(time.monotonic() - began < 2, "reads waited while only writes are paused")
    other.call("CLIENT", "UNPAUSE")


def test_monitor(node, conn):
    with node.connect() as watcher:
        equal(watcher.call("MONITOR"), b"OK", "MONITOR")
        equal(conn.pipeline(READS), REPLIES, "replies beside MONITOR")
        for command in READS:
            said = watcher.read()
            check(f'"{command[0]}" "k"'.encode() in said, f"MONITOR said {said}")
    until("MONITOR's end", lambda: node.info("clients")["connected_clients"] == "3", 5)


def test_reply_skip(conn):
    conn.send("CLIENT", "REPLY", "SKIP")
    conn.send("GET", "k")
    equal(conn.pipeline(READS[1:3]), REPLIES[1:3], "replies after the skipped one")


def test_time_while_idle(conn):
    """What has come in while a core slept runs at the time when it came, not when the sleep began."""
    for _ in range(20):
        conn.call("SET", "short", "v", "PX", 1)
        time.sleep(0.003)
        equal(conn.call("GET", "short"), None, "a key that was over 2 ms ago")


def test_rejected(node, conn):
    """A command with the wrong number of arguments counts as rejected, also when it is queued."""
    conn.call("CONFIG", "RESETSTAT")
    for command in [("STRLEN",), ("MULTI",), ("STRLEN", "a", "b"), ("EXEC",), ("CONFIG", "GET")]:
        conn.send(*command)
        try:
            conn.read()
        except RespError:
            pass
    stats = node.info("commandstats")
    check("rejected_calls=2" in stats.get("cmdstat_strlen", ""), f"strlen: {stats}")
    check("rejected_calls=1" in stats.get("cmdstat_config|get", ""), f"config|get: {stats}")


def test_stale(node, conn):
    node.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    node.call("REPLICAOF", "127.0.0.1", 1)  # nobody listens there
    for reply in conn.pipeline(READS):
        check(str(reply).startswith("MASTERDOWN"), f"without a link a read said {reply!r}")
    node.call("CONFIG", "SET", "replica-serve-stale-data", "yes")
    equal(conn.pipeline(READS), REPLIES, "replies with old data")
    node.call("REPLICAOF", "NO", "ONE")


def test_auth(node):
    node.call("CONFIG", "SET", "requirepass", "secret")
    with node.connect() as conn:
        for reply in conn.pipeline(READS):
            check(str(reply).startswith("NOAUTH"), f"without a password a read said {reply!r}")
        equal(conn.call("AUTH", "secret"), b"OK", "AUTH")
        equal(conn.pipeline(READS), REPLIES, "replies after AUTH")
        conn.call("CONFIG", "SET", "requirepass", "")


def test(lab):
    node = lab.node("node", port=7371).start()
    with node.connect() as conn, node.connect() as other:
        conn.call("SET", "k", "value")
        equal(conn.pipeline(READS), REPLIES, "replies")
        calls = node.info("commandstats")["cmdstat_get"]
        check(calls.startswith("calls=2,"), f"cmdstat_get: {calls}")
        test_pause(conn, other)
        test_monitor(node, conn)
        test_reply_skip(conn)
        test_time_while_idle(conn)
        test_rejected(node, conn)
        test_stale(node, conn)
        test_auth(node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
