#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A small pool: writers that outrun the ring wait and lose nothing; a data set that outgrows the
pool is refused in words while reads, deletes and replication go on; and room that is made is found.

usage: pool_full.py [--seed N]
"""
import argparse
import random
import sys
import threading
import time

from lab import check, equal, run_test, until
from resp import RespError

MISCONF = "MISCONF The last snapshot could not be stored in the pool"
LATENCY = 5.0  # what a read may take at the most, on a busy machine


def link_up(server):
    return server.info("replication").get("master_link_status") == "up"


def settled(servers):
    until(
        "equal offsets",
        lambda: len({s.info("replication")["master_repl_offset"] for s in servers}) == 1,
    )
    digests = {s.name: s.call("DEBUG", "DIGEST") for s in servers}
    equal(len(set(digests.values())), 1, f"different digests {digests}")


class Rewriter(threading.Thread):
    """Sets its few keys again and again; knows the last value that was acknowledged."""

    def __init__(self, node, number, size):
        super().__init__(daemon=True)
        self.node, self.number, self.size = node, number, size
        self.fault = None
        self.round = 0
        self.bytes = 0

    def value(self, number):
        return (b"%d.%d." % (self.number, number)) * (self.size // 8)

    def run(self):
        try:
            with self.node.connect() as conn:
                while self.bytes < self.size * 700:
                    replies = conn.pipeline(
                        [("SET", f"w{self.number}:{i}", self.value(self.round)) for i in range(25)]
                    )
                    equal(set(replies), {b"OK"}, "replies to SET")
                    self.round += 1
                    self.bytes += 25 * self.size
        except Exception as error:  # told by who joins
            self.fault = error


def outrun(node, servers, seed):
    """Five times the ring and more, while snapshots run."""
    ring = int(node.info("millrace")["log_ring_size"])
    before = node.info("millrace")
    writers = [Rewriter(node, n, 20000) for n in range(4)]
    for writer in writers:
        writer.start()
    slowest = 0.0
    with node.connect() as conn:
        while any(writer.is_alive() for writer in writers):
            start = time.monotonic()
            conn.call("GET", "w0:0")
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.01)
    for writer in writers:
        equal(writer.fault, None, "a writer")
    after = node.info("millrace")
    written = int(after["log_tail"]) - int(before["log_tail"])
    check(written > 5 * ring, f"only {written} bytes were written")
    published = int(after["snapshots_published"]) - int(before["snapshots_published"])
    check(published >= 5, f"{published} snapshots for {written} bytes, and a ring of {ring}")
    check(slowest < LATENCY, f"a GET took {slowest:.2f} s")
    stalls = int(after["log_stalls"]) - int(before["log_stalls"])
    check(stalls > 0, "no stall was counted: the ring was never full")
    settled(servers)
    print(f"{written} bytes, {published} snapshots, {stalls} stalls, slowest GET {slowest:.3f} s")
    return writers


def verify(node, writers):
    with node.connect() as conn:
        for writer in writers:
            for i in range(25):
                value = conn.call("GET", f"w{writer.number}:{i}")
                equal(value, writer.value(writer.round - 1), f"w{writer.number}:{i}")


def fill(node, prefix, choose, limit=30.0):
    """Adds keys until one is refused; how many went in, and the refusal."""
    end = time.monotonic() + limit
    with node.connect(timeout=limit) as conn:
        count = 0
        while True:
            batch = [("SET", f"{prefix}{count + i}", choose.randbytes(10000)) for i in range(16)]
            for reply in conn.pipeline(batch):
                if isinstance(reply, RespError):
                    return count, str(reply)
                count += 1
            check(time.monotonic() < end, "the pool does not get full")


def alive(node, prefix):
    """Reads and what needs no room go on."""
    start = time.monotonic()
    with node.connect(timeout=LATENCY) as conn:
        equal(conn.call("PING"), b"PONG", "PING")
        equal(len(conn.call("GET", prefix + "0")), 10000, "GET")
        conn.call("INFO")
        check(time.monotonic() - start < LATENCY, "the node is slow to answer")


def accepts_again(node):
    def written():
        reply = node.call("SET", "again", "1")
        return reply == b"OK"

    until("writes to be accepted again", written, 25, 0.1)


def outgrow(node, servers, choose, stop_writes):
    """The data set gets larger than a snapshot of it may be."""
    node.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes" if stop_writes else "no")
    count, refusal = fill(node, "f", choose)
    check(refusal.startswith(MISCONF), f"the refusal is: {refusal}")
    print(f"{count} keys of 10000 bytes until: {refusal[:60]}...", flush=True)
    alive(node, "f")
    equal(node.call("EXISTS", *[f"f{i}" for i in range(count)]), count, "acknowledged keys")
    settled(servers)
    # The refusal stands as long as nothing is removed; what removes is let through.
    with node.connect(timeout=LATENCY) as conn:
        reply = conn.pipeline([("SET", "more", "x" * 10000)])[0]
        if stop_writes:
            check(str(reply).startswith(MISCONF), f"a write into a full pool got {reply!r}")
        # An eighth stays: the next snapshot has to fit beside the last one that did.
        for i in range(count):
            if i % 8:
                equal(conn.call("UNLINK" if i % 2 else "DEL", f"f{i}"), 1, f"removal of f{i}")
    accepts_again(node)
    settled(servers)
    return count


def flush_when_full(node, servers, choose):
    fill(node, "g", choose)
    alive(node, "g")
    with node.connect(timeout=LATENCY) as conn:
        equal(conn.call("FLUSHALL"), b"OK", "FLUSHALL of a full pool")
        equal(conn.call("DBSIZE"), 0, "keys after FLUSHALL")
    accepts_again(node)
    settled(servers)


def save_when_full(node, choose):
    """A shutdown that is to save and cannot does not happen, unless forced."""
    count, _ = fill(node, "h", choose)
    with node.connect(timeout=20) as conn:
        reply = conn.pipeline([("SHUTDOWN", "SAVE")])[0]
        equal(str(reply), "ERR Errors trying to SHUTDOWN. Check logs.", "SHUTDOWN SAVE")
        equal(conn.call("PING"), b"PONG", "PING")
        equal(conn.call("DEL", "h0"), 1, "DEL after a failed shutdown")
    node.kill()
    node.start()
    equal(node.call("EXISTS", *[f"h{i}" for i in range(count)]), count - 1, "keys after kill -9")
    alive(node, "h"[:1] + "1")
    with node.connect(timeout=20) as conn:
        equal(conn.call("FLUSHALL"), b"OK", "FLUSHALL")
    accepts_again(node)


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    choose = random.Random(args.seed)
    node = lab.node("node", port=7301, pool_size="16mb").start()
    stock = lab.stock("stock", port=7303, options=["--replicaof", "127.0.0.1", "7301"]).start()
    servers = [node, stock]
    until("stock: link", lambda: link_up(stock), 30)
    writers = outrun(node, servers, args.seed)
    verify(node, writers)
    node.kill()
    node.start()
    verify(node, writers)
    until("stock: link", lambda: link_up(stock), 30)
    node.call("FLUSHALL")
    outgrow(node, servers, choose, True)
    node.call("FLUSHALL")
    outgrow(node, servers, choose, False)
    node.call("FLUSHALL")
    node.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
    flush_when_full(node, servers, choose)
    save_when_full(node, choose)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
