#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Snapshots of large values: they are saved in parts of bounded size, whoever changes one waits
for it while others are served, and a node that is killed afterwards comes back with all of it.
Nothing is measured in time: what counts is the number and the size of the parts.

usage: snapshot_large.py [--elements N] [--seed N]
"""
import argparse
import random
import sys
import threading

from lab import check, equal, run_test, until

PART_MOST = 200000  # bytes: what a part may have, a list's node or an element more than it should
BATCH = 500


def fill(node, count):
    """One value of each type with many elements, and some small keys."""
    with node.connect(timeout=60) as conn:
        for first in range(0, count, BATCH):
            numbers = range(first, min(count, first + BATCH))
            conn.pipeline(
                [
                    ("HSET", "hash", *[x for n in numbers for x in (f"field{n}", f"value{n}")]),
                    ("SADD", "set", *[f"member{n}" for n in numbers]),
                    ("ZADD", "zset", *[x for n in numbers for x in (n / 8, f"member{n}")]),
                    ("RPUSH", "list", *[f"element{n:060d}" for n in numbers]),
                ]
                + [("XADD", "stream", f"{n + 1}-0", "field", f"value{n}") for n in numbers]
            )
        conn.call("XGROUP", "CREATE", "stream", "group", "0")
        for first in range(0, count, 20000):
            conn.call("XREADGROUP", "GROUP", "group", f"c{first}", "COUNT", 20000, "STREAMS", "stream", ">")
        conn.call("SET", "string", b"".join(b"%d," % n for n in range(count)))
        conn.pipeline([("SET", f"small{n}", n) for n in range(1000)])


LARGE = ["hash", "set", "zset", "list", "stream", "string"]


def changes(number):
    """A write to each large value, and what can be seen of it."""
    return [
        (("HSET", "hash", "field0", f"new{number}"), ("HGET", "hash", "field0")),
        (("SADD", "set", f"new{number}"), ("SISMEMBER", "set", f"new{number}")),
        (("ZADD", "zset", number, "member0"), ("ZSCORE", "zset", "member0")),
        (("LSET", "list", 0, f"new{number}"), ("LINDEX", "list", 0)),
        (("XADD", "stream", "*", "field", f"new{number}"), ("XLEN", "stream")),
        (("APPEND", "string", f"new{number}"), ("GETRANGE", "string", -8, -1)),
    ]


class Writer(threading.Thread):
    """Changes one large value again and again until it is told to stop."""

    def __init__(self, node, which):
        super().__init__(daemon=True)
        self.node, self.which = node, which
        self.count = 0
        self.fault = None
        self.over = threading.Event()

    def run(self):
        try:
            with self.node.connect(timeout=60) as conn:
                while not self.over.is_set():
                    reply = conn.call(*changes(self.count)[self.which][0])
                    check(reply is not None, f"a write to {LARGE[self.which]} got {reply!r}")
                    self.count += 1
        except Exception as error:  # told by who joins
            self.fault = error


def counters(node):
    info = node.info("millrace")
    keys = ("large_values", "large_parts", "large_part_max", "large_whole")
    return {key: int(info[f"snapshot_{key}"]) for key in keys}


def retries(node):
    info = node.info("millrace")
    return sum(
        int(field.split("=")[1])
        for key, line in info.items()
        if key.startswith("core") and "," in line
        for field in line.split(",")
        if field.startswith("retries_snapshot=")
    )


def snapshot(node):
    """A snapshot from beginning to end."""
    before = int(node.info("millrace")["snapshots_published"])
    node.call("BGSAVE")
    until(
        "the snapshot",
        lambda: int(node.info("millrace")["snapshots_published"]) > before,
        60,
        0.005,
    )


def under_writes(node):
    """Snapshots while every large value is written; others are served meanwhile."""
    writers = [Writer(node, which) for which in range(len(LARGE))]
    for one in writers:
        one.start()
    before, waited = counters(node), retries(node)
    for _ in range(4):
        snapshot(node)
    for one in writers:
        one.over.set()
    for one in writers:
        one.join(60)
        check(not one.is_alive(), f"the writer of {LARGE[one.which]} hangs")
        check(not one.fault, f"the writer of {LARGE[one.which]}: {one.fault}")
        check(one.count > 0, f"{LARGE[one.which]} was never written")
    after = counters(node)
    check(after["large_values"] >= before["large_values"] + 4 * len(LARGE), "large values saved")
    equal(after["large_whole"], 0, "large values saved as a whole")
    check(retries(node) > waited, "no write waited for its value to be saved")
    return after


def removed(node):
    """What removes a large value or replaces it waits as well, in transactions and scripts too."""
    steps = [
        [("DEL", "hash")],
        [("RENAME", "set", "set2")],
        [("MULTI",), ("SET", "zset", "x"), ("EXEC",)],
        [("EVAL", "return redis.call('UNLINK', KEYS[1])", 1, "list")],
        [("PEXPIRE", "stream", 1)],
        [("SET", "string", "x")],
    ]
    before = counters(node)
    with node.connect(timeout=60) as conn:
        for step in steps:
            node.call("BGSAVE")
            replies = conn.pipeline(step)
            check(not any("ERR" in str(r) for r in replies), f"{step}: {replies}")
            until("rest", lambda: node.info("millrace")["snapshot_active"] == "0", 60, 0.005)
    until("expiry", lambda: node.call("EXISTS", "stream") == 0, 30)
    equal(counters(node)["large_whole"], before["large_whole"], "large values saved as a whole")


def comes_back(node):
    """The same keys after a kill: what the snapshot lacks, or has twice, would tell."""
    digest = node.call("DEBUG", "DIGEST")
    node.kill()
    node.start(timeout=60)
    equal(node.call("DEBUG", "DIGEST"), digest, "digest after kill -9")


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--elements", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    node = lab.node(
        "node", port=7311, pool_size="256mb", options=["--poll-cores", "0-1", "--save", ""]
    ).start()
    fill(node, args.elements)
    snapshot(node)
    parts = counters(node)
    check(parts["large_values"] >= len(LARGE), f"saved in parts: {parts}")
    check(parts["large_parts"] > 10 * len(LARGE), f"saved in parts: {parts}")
    equal(parts["large_whole"], 0, "large values saved as a whole")
    comes_back(node)
    parts = under_writes(node)
    check(parts["large_part_max"] <= PART_MOST, f"a part was too large: {parts}")
    snapshot(node)
    comes_back(node)
    removed(node)
    comes_back(node)
    print(f"parts {parts}")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
